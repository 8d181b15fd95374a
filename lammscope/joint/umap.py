"""Two-dimensional picture of the neighborhood graph."""

from functools import partial

import numpy as np

from lammscope.joint.neighbors import find_neighbors, nearest_landmarks

# Cells of UMAP's layout that place another, weighed by inverse squared distance. Ours: of a cell's
# 20 nearest, 12.4 % are among its 100 nearest in the picture, and 13.5 % where all are laid out.
N_ANCHORS = 5
TINY = 1e-6  # no distance is zero
# umap-learn's defaults.
SPREAD, LEARNING_RATE, REPULSION, NEGATIVE_SAMPLES = 1.0, 1.0, 1.0, 5


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
    """Two-dimensional picture of the neighbourhood graph by UMAP [1]_.

    The layout of a large cohort is made from cells drawn at random; the others lie between their
    nearest of these, as when a fitted UMAP takes new cells.

    Parameters
    ----------
    space
        Cells x components; its first two components are the starting layout.
    indices, distances
        Cells x neighbours, found before.
    min_dist
        How tightly points may be packed.
    epochs, seed
        Of the optimisation, which runs on one thread to be reproducible.
    max_cells
        Cells that make the layout at most.

    Returns
    -------
    ndarray
        Cells x 2, float32.

    References
    ----------
    .. [1] McInnes, Healy, Melville, arXiv 1802.03426 (2018).
    """
    layout = partial(_umap_layout, min_dist=min_dist, epochs=epochs, seed=seed)
    n_cells, n_neighbors = indices.shape
    if n_cells <= max_cells:
        return layout(space, indices, distances)
    drawn = np.sort(np.random.default_rng(seed).choice(n_cells, max_cells, replace=False))
    own = find_neighbors(space[drawn], n_neighbors=n_neighbors, seed=seed, threads=1)
    of_drawn = layout(space[drawn], *own)
    nearest, away = nearest_landmarks(space, drawn, n_neighbors=N_ANCHORS, seed=seed, threads=1)
    weights = 1 / np.maximum(away, TINY) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    picture: np.ndarray = np.einsum("ij,ijk->ik", weights, of_drawn[nearest]).astype(np.float32)
    picture[drawn] = of_drawn
    return picture


def _umap_layout(
    space: np.ndarray,
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    min_dist: float,
    epochs: int,
    seed: int,
) -> np.ndarray:
    # only here: this import compiles for ten seconds, which no other step should wait for
    import numba
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

    numba.set_num_threads(1)
    n_cells, n_neighbors = indices.shape
    state = np.random.RandomState(seed)
    own = np.arange(n_cells, dtype=indices.dtype)
    graph, _, _ = fuzzy_simplicial_set(
        space,
        n_neighbors + 1,
        state,
        "euclidean",
        knn_indices=np.column_stack([own, indices]),
        knn_dists=np.column_stack([np.zeros(n_cells, dtype=distances.dtype), distances]),
    )
    a, b = find_ab_params(SPREAD, min_dist)
    layout, _ = simplicial_set_embedding(
        space,
        graph,
        n_components=2,
        initial_alpha=LEARNING_RATE,
        a=a,
        b=b,
        gamma=REPULSION,
        negative_sample_rate=NEGATIVE_SAMPLES,
        n_epochs=epochs,
        init="pca",
        random_state=state,
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return np.asarray(layout, dtype=np.float32)
