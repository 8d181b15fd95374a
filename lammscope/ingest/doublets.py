"""Doublets within one channel, by likeness to simulated ones.

The idea is Scrublet's [1]_: add pairs of observed cells, look where the sums fall, and score a cell
by the share of such sums among its neighbours. Written on faiss and a small principal component
analysis because existing implementations start a just-in-time compiler in each of many small jobs.

References
----------
.. [1] Wolock, Lopez, Klein, Cell Syst 8, 281-291 (2019), doi 10.1016/j.cels.2018.11.005.
"""

from collections.abc import Iterable
from typing import Any

import faiss
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.pca import principal_components
from lammscope.core.rates import normalize
from lammscope.core.shards import Shard, gene_columns, shared_ids

CHUNK = 2_000  # cells, and simulated doublets, that are looked at at a time


def score_doublets(
    counts: sparse.csr_array,
    *,
    simulated_per_cell: float,
    expected_per_1000: float,
    n_pcs: int,
    n_genes: int,
    min_cells: int,
    max_pct: float,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Score the cells of one channel and call doublets.

    Parameters
    ----------
    counts
        Cells x genes of all cells of the channel that pass QC.
    simulated_per_cell
        Simulated doublets per observed cell.
    expected_per_1000
        Doublet rate per 1,000 recovered cells (0.008 for 10x); the rate enters the score as prior.
    n_pcs, n_genes
        Size of the space in which neighbours are looked for.
    min_cells
        Channels with fewer cells are not scored.
    max_pct
        Highest % of the cells that may be called, where twice the expected rate is below it.
    rng
        Source of randomness.

    Returns
    -------
    scores
        Posterior probability of a doublet per cell, 0 to 1; NaN where the channel is not scored.
    doublets
        The called doublets: scores above the threshold of `call_threshold`.
    """
    n_cells = counts.shape[0]
    if n_cells < min_cells:
        return np.full(n_cells, np.nan), np.zeros(n_cells, dtype=bool)
    counts = counts[:, _variable(counts, n_genes)]
    pairs = rng.integers(0, n_cells, size=(int(simulated_per_cell * n_cells), 2))
    values = _log_rates(counts)
    space = principal_components(values, n_components=min(n_pcs, n_cells - 1))
    simulated = [
        space.project(_log_rates(counts[some[:, 0]] + counts[some[:, 1]]))
        for some in np.array_split(pairs, max(len(pairs) // CHUNK, 1))
    ]
    scores = np.concatenate([space.project(values), *simulated])

    n_neighbors = max(10, round(0.5 * np.sqrt(n_cells)))
    n_adjusted = round(n_neighbors * len(scores) / n_cells)
    index = faiss.IndexFlatL2(scores.shape[1])
    index.add(scores)
    _, neighbors = index.search(scores, n_adjusted + 1)
    n_simulated = (neighbors[:, 1:] >= n_cells).sum(axis=1)
    share = (n_simulated + 1) / (n_adjusted + 2)
    rate = min(expected_per_1000 * n_cells / 1000, 0.4)
    threshold = call_threshold(
        share[:n_cells], share[n_cells:], max_share=max(2 * rate, max_pct / 100)
    )
    posterior = _posterior(share[:n_cells], ratio=len(pairs) / n_cells, rate=rate)
    return posterior, share[:n_cells] > threshold


def score_channel(
    samples: Iterable[tuple[str, Shard, pd.DataFrame]], **settings: Any
) -> pd.DataFrame:
    """Score the cells that pass QC in the samples of one channel, together.

    Parameters
    ----------
    samples
        Per sample its name, its shard and the flagged metrics of its barcodes; read one at a time.
    **settings
        Of `score_doublets`.

    Returns
    -------
    DataFrame
        `cell` (sample_barcode), `doublet_score`, `doublet`.
    """
    names: list[str] = []
    parts = []
    for sample, shard, qc in samples:
        passing = np.flatnonzero(qc["passes"])
        names += [f"{sample}_{barcode}" for barcode in shard.barcodes[passing]]
        parts.append(Shard(shard.counts[passing], shard.barcodes[passing], shard.genes))
    counts = parts[0].counts if len(parts) == 1 else _stacked(parts)
    scores, doublets = score_doublets(counts, **settings)
    cells = pd.Series(names, dtype="str")
    return pd.DataFrame({"cell": cells, "doublet_score": scores, "doublet": doublets})


def _stacked(parts: list[Shard]) -> sparse.csr_array:
    """The samples' counts of the genes they share, one below the other."""
    shared = shared_ids([part.genes["gene"] for part in parts])
    kept = [part.counts[:, gene_columns(part, shared)] for part in parts]
    return sparse.csr_array(sparse.vstack(kept, format="csr"))


def call_threshold(observed: np.ndarray, simulated: np.ndarray, *, max_share: float) -> float:
    """Share of simulated neighbours above which a cell is a doublet: Otsu's split of the shares.

    Simulated doublets are of two kinds: of unlike cells, which stand apart, and of like cells,
    which nobody can tell from single ones. The split between the two kinds is where detection
    begins. Where all cells are alike there is no such split, and any threshold would cut a piece
    off the single cells; so no more than `max_share` of the observed cells are called.
    """
    ordered = np.sort(simulated)
    number = np.arange(1, len(ordered))
    lower = np.cumsum(ordered)[:-1] / number
    upper = (ordered.sum() - np.cumsum(ordered)[:-1]) / (len(ordered) - number)
    between = number * (len(ordered) - number) * (upper - lower) ** 2
    return float(max(ordered[np.argmax(between)], np.quantile(observed, 1 - max_share)))


def _log_rates(counts: sparse.csr_array) -> sparse.csr_array:
    return normalize(counts, np.asarray(counts.sum(axis=1)).ravel())


def _posterior(share: np.ndarray, *, ratio: float, rate: float) -> np.ndarray:
    """Scrublet's score: the share of simulated neighbours, weighted by ratio and expected rate."""
    return share * rate / ratio / (1 - rate - share * (1 - rate - rate / ratio))


def _variable(counts: sparse.csr_array, n_genes: int) -> np.ndarray:
    """Columns of the genes that vary most for their mean among a channel's cells."""
    n_cells, size = counts.shape
    n_seen = np.zeros(size, dtype=np.int64)
    total, square = np.zeros((2, size))
    for start in range(0, n_cells, CHUNK):
        block = counts[start : start + CHUNK]
        values = block.data.astype(float)
        n_seen += np.bincount(block.indices, minlength=size)
        total += np.bincount(block.indices, weights=values, minlength=size)
        square += np.bincount(block.indices, weights=values**2, minlength=size)
    mean, seen = total / n_cells, n_seen >= 3
    fano = np.where(seen, (square / n_cells - mean**2) / np.maximum(mean, 1e-12), -np.inf)
    # variance over the Poisson expectation and a common biological variance, as a z-like measure
    excess = np.where(seen, (fano - 1) / (1 + mean * 0.3), -np.inf)
    order = np.argsort(-excess, kind="stable")[:n_genes]
    return np.sort(order[np.isfinite(excess[order])])
