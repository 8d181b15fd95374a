"""Clusters of the neighbourhood graph, and its picture in two dimensions."""

import random

import igraph
import numpy as np
from scipy import sparse


def cluster_cells(graph: sparse.csr_array, *, resolution: float, seed: int) -> np.ndarray:
    """Communities of the graph by the Leiden algorithm [1]_ (modularity).

    Parameters
    ----------
    graph
        Cells x cells, weights of the edges, upper triangle.
    resolution
        Higher gives more clusters.
    seed
        Of the algorithm.

    Returns
    -------
    ndarray
        Cluster names, "0" the largest; ties by the first cell.

    References
    ----------
    .. [1] Traag, Waltman, van Eck, Sci Rep 9, 5233 (2019), doi 10.1038/s41598-019-41695-z.
    """
    igraph.set_random_number_generator(random.Random(seed))
    communities = _to_igraph(graph).community_leiden(
        objective_function="modularity", weights="weight", resolution=resolution, n_iterations=4
    )
    membership = np.array(communities.membership)
    _, first, sizes = np.unique(membership, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    return rank[membership].astype(str)


def project_umap(
    space: np.ndarray,
    indices: np.ndarray,
    distances: np.ndarray,
    *,
    min_dist: float,
    epochs: int,
    seed: int,
) -> np.ndarray:
    """Two-dimensional picture of the neighbourhood graph by UMAP [1]_.

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

    Returns
    -------
    ndarray
        Cells x 2, float32.

    References
    ----------
    .. [1] McInnes, Healy, Melville, arXiv 1802.03426 (2018).
    """
    # only here: this import compiles for ten seconds, which no other step should wait for
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set, simplicial_set_embedding

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
    a, b = find_ab_params(1.0, min_dist)
    layout, _ = simplicial_set_embedding(
        space, graph, 2, 1.0, a, b, 1.0, 5, epochs, "pca", state, "euclidean", {}, False, {}, False
    )
    return np.asarray(layout, dtype=np.float32)


def _to_igraph(graph: sparse.csr_array) -> igraph.Graph:
    edges = graph.tocoo()
    result = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]))
    result.es["weight"] = edges.data.astype(float)
    return result
