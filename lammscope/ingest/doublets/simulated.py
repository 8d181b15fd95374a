"""Doublets within one channel, by likeness to simulated ones.

The idea is Scrublet's [1]_: add pairs of observed cells, look where the sums fall, and score a cell
by the share of such sums among its neighbours. Written on faiss and a small principal component
analysis because existing implementations start a just-in-time compiler in each of many small jobs.

Scrublet's are the number of neighbours, the score and the fewest cells of a gene. Ours are the
choice of genes, the threshold (Otsu's [2]_, where Scrublet takes the minimum between the two modes
of the simulated doublets' scores) and the limits of rate and calls.

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

CHUNK = 2_000  # cells, and simulated doublets, that are looked at at a time

# What is said of the area under the curve (AUC), by which scores tell hashed or simulated doublets
# from single cells, was measured by changing one constant at a time.
MIN_SEEN = 3  # cells that express a gene: Scrublet's `min_cells`; 10 changes the AUC by 0.001
COMMON_CV2 = 0.3  # squared variation of any gene between cells; ours, 0 to 1 changes it by 0.001
NEIGHBORS_PER_ROOT = 0.5  # Scrublet's 0.5 sqrt(cells); 0.25 and 1 change it by under 0.01
MIN_NEIGHBORS = 10  # ours: fewer give a share of too few steps; it holds below 361 cells
MAX_RATE = 0.4  # ours: the expected rate grows with the cells, and must stay below 1 as a prior
MAX_CALLED_PER_EXPECTED = 2  # ours: a channel loses no more cells than twice what loading explains
NO_MEAN = 1e-12  # in place of a mean of 0, of genes that are left out anyway


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
    mean, seen = total / n_cells, n_seen >= MIN_SEEN
    fano = np.where(seen, (square / n_cells - mean**2) / np.maximum(mean, NO_MEAN), -np.inf)
    # variance over the Poisson expectation and a common biological variance, as a z-like measure
    excess = np.where(seen, (fano - 1) / (1 + mean * COMMON_CV2), -np.inf)
    order = np.argsort(-excess, kind="stable")[:n_genes]
    return np.sort(order[np.isfinite(excess[order])])
