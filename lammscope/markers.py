"""Marker genes of clusters: effect sizes over samples, without p-values.

Cells are not replicates, and clusters are made from the very expression that a test would look at,
so a p-value per marker would be meaningless. Genes are ranked by how much higher and how much more
often they are expressed than in the other clusters, and by how many samples agree.
"""

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lammscope.groups import GroupSums

PSEUDO_RATE = 0.1  # UMIs per 10,000 added before a ratio, about one UMI in 30 cells of 3,000 UMIs


def find_markers(
    sums: Iterable[GroupSums], *, genes: pd.DataFrame, n_top: int, min_pct: float
) -> pd.DataFrame:
    """The top markers of each cluster.

    Parameters
    ----------
    sums
        Per sample, the sums over clusters; read one at a time.
    genes
        Every gene of the cohort, `gene` (sorted) and `symbol`.
    n_top
        Markers to give per cluster.
    min_pct
        Lowest % of a cluster's cells that express a marker.

    Returns
    -------
    DataFrame
        `cluster`, `gene`, `symbol`, `log2fc` (mean rate against the other clusters), `pct_in`,
        `pct_out` (% of cells with a UMI), `rank`, `n_samples` (samples in which the rate is higher
        in the cluster than outside), sorted by cluster and rank.
    """
    size = len(genes)
    n_in: dict[str, int] = defaultdict(int)
    rates: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(size))
    expressed: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(size))
    agreeing: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(size, dtype=np.int64))
    known = pd.Index(genes["gene"])
    for sample in sums:
        columns = known.get_indexer(pd.Index(sample.genes["gene"]))
        total, n_all = sample.rates.sum(axis=0), sample.n_cells.sum()
        for row, group in enumerate(sample.groups):
            n_cells, own = sample.n_cells[row], sample.rates[row]
            n_in[group] += int(n_cells)
            rates[group][columns] += own
            expressed[group][columns] += sample.expressed[row]
            agreeing[group][columns] += own / n_cells > (total - own) / max(n_all - n_cells, 1)
    n_all = sum(n_in.values())
    total_rates = np.sum(list(rates.values()), axis=0)
    total_expressed = np.sum(list(expressed.values()), axis=0)
    parts = []
    for cluster in sorted(rates, key=_natural):
        n_out = max(n_all - n_in[cluster], 1)
        mean_in = rates[cluster] / n_in[cluster]
        mean_out = (total_rates - rates[cluster]) / n_out
        table = genes.assign(
            cluster=cluster,
            log2fc=np.log2((mean_in + PSEUDO_RATE) / (mean_out + PSEUDO_RATE)),
            pct_in=100 * expressed[cluster] / n_in[cluster],
            pct_out=100 * (total_expressed - expressed[cluster]) / n_out,
            n_samples=agreeing[cluster],
        )
        table = table[(table["pct_in"] >= min_pct) & (table["log2fc"] > 0)]
        score = table["log2fc"] * (table["pct_in"] - table["pct_out"])
        table = table.loc[score.sort_values(ascending=False, kind="stable").index[:n_top]]
        parts.append(table.assign(rank=np.arange(1, len(table) + 1)))
    columns_out = ["cluster", "gene", "symbol", "log2fc", "pct_in", "pct_out", "rank", "n_samples"]
    return pd.concat(parts, ignore_index=True)[columns_out]


def _natural(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdigit() else (10**9, name)
