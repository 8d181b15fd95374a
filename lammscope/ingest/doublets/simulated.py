"""Doublet detection within one channel, by similarity to simulated doublets.

As in Scrublet [1]_, sums of random pairs of cells are added as simulated doublets, and the score of
a cell is their share among its neighbors. The implementation uses faiss and a small principal
component analysis, because existing ones start a just-in-time compiler in each of many small jobs.

The number of neighbors, the score and the minimum cells of a gene are Scrublet's. The choice of
genes, the limits of rate and calls, and the threshold are ours: Otsu's [2]_, while Scrublet takes
the minimum between the two modes of the simulated doublets' scores.

References
----------
.. [1] Wolock, Lopez, Klein, Cell Syst 8, 281-291 (2019), doi 10.1016/j.cels.2018.11.005.
.. [2] Otsu, IEEE Trans Syst Man Cybern 9, 62-66 (1979), doi 10.1109/TSMC.1979.4310076.
"""

import faiss
import numpy as np
from scipy import sparse

from lammscope.core.pca import principal_components
from lammscope.core.rates import normalize

CHUNK = 2_000  # cells or simulated doublets processed at a time

# Changes of the area under the curve (AUC), for telling hashed or simulated doublets from single
# cells, were measured with one constant changed at a time.
MIN_SEEN = 3  # cells that express a gene: Scrublet's `min_cells`; 10 changes the AUC by 0.001
COMMON_CV2 = 0.3  # of any gene between cells; our choice, 0 to 1 change the AUC by 0.001
NEIGHBORS_PER_ROOT = 0.5  # Scrublet's 0.5 sqrt(cells); 0.25 and 1 change the AUC by under 0.01
MIN_NEIGHBORS = 10  # our choice: fewer make the share too coarse; applies below 361 cells
MAX_RATE = 0.4  # our choice: the expected rate grows with the cells, and a prior is below 1
MAX_CALLED_PER_EXPECTED = 2  # our choice: at most twice the doublets expected from loading
NO_MEAN = 1e-12  # replaces a mean of 0, of genes that are left out anyway


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
        Cells x genes, all cells of the channel that pass QC.
    simulated_per_cell
        Simulated doublets per observed cell.
    expected_per_1000
        Doublet rate per 1,000 recovered cells (0.008 for 10x); the rate is the prior.
    n_pcs, n_genes
        Components and genes used to find neighbors.
    min_cells
        Channels with fewer cells are not scored.
    max_pct
        Maximum % of the cells that are called, unless twice the expected rate is higher.
    rng
        Source of randomness.

    Returns
    -------
    scores
        Posterior probability of a doublet per cell, 0 to 1; NaN if the channel is not scored.
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

    n_neighbors = max(MIN_NEIGHBORS, round(NEIGHBORS_PER_ROOT * np.sqrt(n_cells)))
    n_adjusted = round(n_neighbors * len(scores) / n_cells)
    index = faiss.IndexFlatL2(scores.shape[1])
    index.add(scores)
    _, neighbors = index.search(scores, n_adjusted + 1)
    n_simulated = (neighbors[:, 1:] >= n_cells).sum(axis=1)
    # as in Scrublet, the posterior mean of the share under a flat prior
    share = (n_simulated + 1) / (n_adjusted + 2)
    rate = min(expected_per_1000 * n_cells / 1000, MAX_RATE)
    max_share = max(MAX_CALLED_PER_EXPECTED * rate, max_pct / 100)
    threshold = call_threshold(share[:n_cells], share[n_cells:], max_share=max_share)
    posterior = _posterior(share[:n_cells], ratio=len(pairs) / n_cells, rate=rate)
    return posterior, share[:n_cells] > threshold


def call_threshold(observed: np.ndarray, simulated: np.ndarray, *, max_share: float) -> float:
    """Return the share of simulated neighbors above which a cell is a doublet: Otsu's split.

    Simulated doublets of different cells are separate from single cells, those of similar cells
    cannot be distinguished from them. The threshold splits the two kinds. If all cells are similar,
    there is no such split, and any threshold would call single cells; so no more than `max_share`
    of the observed cells are called.
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
    """Return Scrublet's score: the share of simulated neighbors, weighted by ratio and rate."""
    return share * rate / ratio / (1 - rate - share * (1 - rate - rate / ratio))


def _variable(counts: sparse.csr_array, n_genes: int) -> np.ndarray:
    """Return the columns of the genes that vary most for their mean, over a channel's cells."""
    n_cells, size = counts.shape
    n_seen = np.zeros(size, dtype=np.int64)
    total, square = np.zeros((2, size))
    for start in range(0, n_cells, CHUNK):
        block = counts[start : start + CHUNK]
        values = block.data.astype(float)
        n_seen += np.bincount(block.indices, minlength=size)
        total += np.bincount(block.indices, weights=values, minlength=size)
        square += np.bincount(block.indices, weights=values**2, minlength=size)
    mean, seen = total / n_cells, n_seen >= MIN_SEEN
    fano = np.where(seen, (square / n_cells - mean**2) / np.maximum(mean, NO_MEAN), -np.inf)
    # variance above the Poisson expectation and a common biological variance, similar to a z-score
    excess = np.where(seen, (fano - 1) / (1 + mean * COMMON_CV2), -np.inf)
    order = np.argsort(-excess, kind="stable")[:n_genes]
    return np.sort(order[np.isfinite(excess[order])])
