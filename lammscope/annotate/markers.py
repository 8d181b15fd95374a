"""Marker genes of clusters: effect sizes over samples, without p-values.

Cells are not replicates, and clusters are made from the same expression that a test would use, so a
p-value per marker would be meaningless. Each sample is compared within itself and counts once. A
gene that is higher in the cluster in no more than half of the samples is not a marker: it may mark
the sample that most of the cluster's cells come from.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lammscope.annotate.sums import GroupSums

MIN_CELLS = 10  # in a cluster and outside, for a sample to be compared; our choice
MOST = 0.5  # a marker is higher in more than this share of the samples; our choice
# UMIs per 10,000 added before a ratio, about one UMI in 30 cells of 3,000 UMIs; our choice.
PSEUDO_RATE = 0.1


def find_markers(
    sums: Iterable[GroupSums], *, genes: pd.DataFrame, n_top: int, min_pct: float
) -> pd.DataFrame:
    """Find the top markers of each cluster.

    Parameters
    ----------
    sums
        Per sample, the sums over clusters; read one at a time.
    genes
        Every gene of the cohort, `gene` (sorted) and `symbol`.
    n_top
        Maximum number of markers per cluster.
    min_pct
        Minimum % of a cluster's cells that express a marker.

    Returns
    -------
    DataFrame
        `cluster`, `gene`, `symbol`; `log2fc`, the mean over samples of the log2 ratio of rates in
        the cluster and outside; `pct_in`, `pct_out` (% of all cells with a UMI); `rank`;
        `n_samples`, those compared (their matrix has the gene, and they have at least `MIN_CELLS`
        cells in the cluster and outside) and `n_up`, those of them in which the gene is higher.
        Sorted by cluster and rank. Without such samples, `log2fc` is that of all cells pooled.
    """
    size = len(genes)
    n_in: dict[str, int] = defaultdict(int)
    rates, expressed, ratios = (_zeros(size, float) for _ in range(3))
    n_samples, n_up = (_zeros(size, int) for _ in range(2))
    known = pd.Index(genes["gene"])
    for sample in sums:
        columns = known.get_indexer(pd.Index(sample.genes["gene"]))
        total, n_all = sample.rates.sum(axis=0), sample.n_cells.sum()
        for row, group in enumerate(sample.groups):
            n_cells, own = int(sample.n_cells[row]), sample.rates[row]
            n_in[group] += n_cells
            rates[group][columns] += own
            expressed[group][columns] += sample.expressed[row]
            n_outside = n_all - n_cells
            if min(n_cells, n_outside) < MIN_CELLS:
                continue
            ratio = _log_ratio(own / n_cells, (total - own) / n_outside)
            n_samples[group][columns] += 1
            ratios[group][columns] += ratio
            n_up[group][columns] += ratio > 0
    n_all = sum(n_in.values())
    total_rates = np.sum(list(rates.values()), axis=0)
    total_expressed = np.sum(list(expressed.values()), axis=0)
    parts: list[pd.DataFrame] = []
    for cluster in sorted(rates, key=_natural):
        n_own, n_out = n_in[cluster], max(n_all - n_in[cluster], 1)
        compared = n_samples[cluster]
        pooled = _log_ratio(rates[cluster] / n_own, (total_rates - rates[cluster]) / n_out)
        table = genes.assign(
            cluster=cluster,
            log2fc=np.where(compared, ratios[cluster] / np.maximum(compared, 1), pooled),
            pct_in=100 * expressed[cluster] / n_own,
            pct_out=100 * (total_expressed - expressed[cluster]) / n_out,
            n_up=n_up[cluster],
            n_samples=compared,
        )
        in_most = (table["n_up"] > MOST * compared) | (compared == 0)
        table = table[in_most & (table["pct_in"] >= min_pct) & (table["log2fc"] > 0)]
        score = table["log2fc"] * (table["pct_in"] - table["pct_out"])
        table = table.loc[score.sort_values(ascending=False, kind="stable").index[:n_top]]
        parts.append(table.assign(rank=np.arange(1, len(table) + 1)))
    columns_out = ["cluster", "gene", "symbol", "log2fc", "pct_in", "pct_out", "rank"]
    return pd.concat(parts, ignore_index=True)[[*columns_out, "n_up", "n_samples"]]


def _zeros(size: int, kind: type) -> defaultdict[str, np.ndarray]:
    return defaultdict(lambda: np.zeros(size, dtype=kind))


def _log_ratio(inside: np.ndarray, outside: np.ndarray) -> np.ndarray:
    return np.log2((inside + PSEUDO_RATE) / (outside + PSEUDO_RATE))


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (10**9, name)  # other names after all numbers
