"""The graph that UMAP lays out: how strongly neighbors belong together."""

import numpy as np
from scipy import sparse

# umap-learn's constants: tolerance and rounds of the bisection, and the smallest scale of a cell
# relative to its mean distance.
TOLERANCE, ROUNDS, MIN_SCALE = 1e-5, 64, 1e-3


def fuzzy_graph(indices: np.ndarray, distances: np.ndarray) -> sparse.csr_array:
    """Weight the pairs of neighbors as UMAP [1]_ does, with the defaults of umap-learn.

    A cell's weights fall exponentially with the distance beyond its nearest neighbor, at a scale at
    which they add up to log2(neighbors + 1). Two cells that weigh each other with w and v get
    w + v - w v.

    Parameters
    ----------
    indices, distances
        Cells x neighbors, without the cell itself, nearest first.

    Returns
    -------
    csr_array
        Cells x cells, symmetric, weights in (0, 1], float32.

    References
    ----------
    .. [1] McInnes, Healy, Melville, arXiv 1802.03426 (2018).
    """
    n_cells, n_neighbors = indices.shape
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1)
    nearest = np.where(np.isfinite(nearest), nearest, 0).astype(np.float32)
    beyond = np.maximum(distances - nearest[:, None], 0)
    scales = _scales(beyond)
    # umap-learn counts the cell itself, at distance 0
    mean = distances.sum(axis=1) / (n_neighbors + 1)
    scales = np.maximum(scales, MIN_SCALE * np.where(nearest > 0, mean, mean.mean()))
    weights = np.exp(-beyond / scales[:, None]).astype(np.float32)
    ends = np.arange(0, indices.size + 1, n_neighbors)
    graph = sparse.csr_array((weights.ravel(), indices.ravel(), ends), shape=(n_cells, n_cells))
    mirrored = graph.T.tocsr()
    graph = (graph + mirrored - graph.multiply(mirrored)).tocsr()
    graph.eliminate_zeros()
    graph.sort_indices()
    return graph


def _scales(beyond: np.ndarray) -> np.ndarray:
    """Find by bisection the scale at which the weights of each cell add up to the target."""
    n_cells, n_neighbors = beyond.shape
    target = np.log2(n_neighbors + 1)
    scale, low = np.ones(n_cells, dtype=np.float32), np.zeros(n_cells, dtype=np.float32)
    high = np.full(n_cells, np.inf, dtype=np.float32)
    left = np.arange(n_cells)
    for _ in range(ROUNDS):
        total = np.exp(-beyond[left] / scale[left, None]).sum(axis=1)
        missed = np.abs(total - target) >= TOLERANCE
        left, too_much = left[missed], total[missed] > target
        if not len(left):
            break
        high[left[too_much]] = scale[left[too_much]]
        low[left[~too_much]] = scale[left[~too_much]]
        between = (low[left] + high[left]) / 2
        scale[left] = np.where(np.isinf(between), 2 * scale[left], between)
    return scale
