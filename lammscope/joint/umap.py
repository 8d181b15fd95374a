"""UMAP of the neighborhood graph."""

from functools import partial

import numpy as np

from lammscope.joint.neighbors import find_neighbors, nearest_landmarks
from lammscope.joint.umap_graph import fuzzy_graph
from lammscope.joint.umap_layout import optimize_layout, starting_layout

# Laid-out cells between which another is placed, weighted by inverse squared distance. Our choice:
# of a cell's 20 nearest, 11.0 % are among its 100 nearest in the UMAP, and 12.3 % if all cells are
# laid out.
N_ANCHORS = 5
TINY = 1e-6  # avoids division by a distance of zero


def project_umap(
    space: np.ndarray,
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    min_dist: float,
    epochs: int,
    max_cells: int,
    seed: int,
) -> np.ndarray:
    """Compute the UMAP [1]_ of the neighborhood graph.

    In a large cohort, a random draw of the cells is laid out, and each other cell is placed between
    its nearest of these, as when a fitted UMAP transforms new cells.

    Parameters
    ----------
    space
        Cells x components; its first two principal components are the starting layout.
    indices, distances
        Cells x neighbors, from `neighbors.find_neighbors`.
    min_dist
        Minimum distance of points.
    epochs, seed
        Of the optimization; the same seed gives the same layout.
    max_cells
        Maximum number of cells that are laid out.

    Returns
    -------
    ndarray
        Cells x 2, float32.

    References
    ----------
    .. [1] McInnes, Healy, Melville, arXiv 1802.03426 (2018).
    """
    layout = partial(_lay_out, min_dist=min_dist, epochs=epochs, seed=seed)
    n_cells, n_neighbors = indices.shape
    if n_cells <= max_cells:
        return layout(space, indices, distances)
    drawn = np.sort(np.random.default_rng(seed).choice(n_cells, max_cells, replace=False))
    own = find_neighbors(space[drawn], n_neighbors=n_neighbors, seed=seed, threads=1)
    of_drawn = layout(space[drawn], *own)
    nearest, away = nearest_landmarks(space, drawn, n_neighbors=N_ANCHORS, seed=seed, threads=1)
    weights = 1 / np.maximum(away, TINY) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    umap: np.ndarray = np.einsum("ij,ijk->ik", weights, of_drawn[nearest]).astype(np.float32)
    umap[drawn] = of_drawn
    return umap


def _lay_out(
    space: np.ndarray,
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    min_dist: float,
    epochs: int,
    seed: int,
) -> np.ndarray:
    rng = np.random.default_rng(seed)
    start = starting_layout(space, rng)
    graph = fuzzy_graph(indices, distances)
    return optimize_layout(start, graph, min_dist=min_dist, epochs=epochs, rng=rng)
