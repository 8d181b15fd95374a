"""Clusters of the neighborhood graph, and their stability."""

import random
from collections.abc import Sequence
from itertools import combinations

import igraph
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.joint.neighbors import find_neighbors, shared_neighbor_graph

N_ITERATIONS = 2  # of the Leiden algorithm: igraph's default
STABILITY_CELLS = 20_000  # drawn from larger cohorts, to limit time; our choice
N_DRAWS = 5  # our choice: ten pairs to compare
DRAWN = 0.8  # share of those cells in each draw; our choice: two draws share 64 %


def cluster_cells(graph: sparse.csr_array, *, resolution: float, seed: int) -> np.ndarray:
    """Find communities of the graph by the Leiden algorithm [1]_ (modularity).

    Parameters
    ----------
    graph
        Cells x cells, edge weights, upper triangle.
    resolution
        Higher gives more clusters.
    seed
        Seed of the algorithm.

    Returns
    -------
    ndarray
        The cluster of each cell; "0" is the largest, ties are ordered by the first cell.

    References
    ----------
    .. [1] Traag, Waltman, van Eck, Sci Rep 9, 5233 (2019), doi 10.1038/s41598-019-41695-z.
    """
    igraph.set_random_number_generator(random.Random(seed))
    communities = _to_igraph(graph).community_leiden(
        objective_function="modularity",
        weights="weight",
        resolution=resolution,
        n_iterations=N_ITERATIONS,
    )
    membership = np.array(communities.membership)
    _, first, sizes = np.unique(membership, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    return np.asarray(rank[membership].astype(str))


def compare_resolutions(
    graph: sparse.csr_array,
    clusters: np.ndarray,
    *,
    resolution: float,
    resolutions: Sequence[float],
    seed: int,
) -> pd.DataFrame:
    """Cluster all cells at several resolutions.

    Parameters
    ----------
    graph, seed
        As in `cluster_cells`.
    clusters
        The clusters at `resolution`, which are not computed again.
    resolutions
        Resolutions to compare.

    Returns
    -------
    DataFrame
        One row per cell, one column `resolution_R` per resolution.
    """
    return pd.DataFrame(
        {
            f"resolution_{other:g}": clusters
            if other == resolution
            else cluster_cells(graph, resolution=other, seed=seed)
            for other in resolutions
        }
    )


def stability(
    space: np.ndarray, *, resolutions: Sequence[float], n_neighbors: int, seed: int, threads: int
) -> pd.DataFrame:
    """Measure by resolution how much clusters depend on which cells were sampled.

    Cells are drawn several times, neighbors and clusters are recomputed for each draw, and each two
    draws are compared on the cells they share, as in [1]_.

    Parameters
    ----------
    space
        Cells x components.
    resolutions
        Resolutions of the Leiden algorithm.
    n_neighbors, seed, threads
        As in `neighbors.find_neighbors`.

    Returns
    -------
    DataFrame
        Per `resolution`: `stability`, the mean adjusted Rand index of two draws, `lowest`, that of
        the worst pair, `n_clusters_drawn` (mean), `n_cells_drawn` and `n_draws`.

    References
    ----------
    .. [1] Lange, Roth, Braun, Buhmann, Neural Comput 16, 1299-1323 (2004), doi
       10.1162/089976604773717621.
    """
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(seed)
    n_cells = min(len(space), STABILITY_CELLS)
    pool = rng.choice(len(space), n_cells, replace=False)
    size = max(2, round(DRAWN * n_cells))
    draws = [np.sort(rng.choice(pool, size, replace=False)) for _ in range(N_DRAWS)]
    found: dict[float, list[np.ndarray]] = {resolution: [] for resolution in resolutions}
    for cells in draws:
        indices, _ = find_neighbors(
            space[cells], n_neighbors=n_neighbors, seed=seed, threads=threads
        )
        graph = shared_neighbor_graph(indices)
        for resolution, clusters in found.items():
            clusters.append(cluster_cells(graph, resolution=resolution, seed=seed))
    shared = [
        np.intersect1d(one, other, assume_unique=True, return_indices=True)[1:]
        for one, other in combinations(draws, 2)
    ]
    rows = []
    for resolution, clusters in found.items():
        indexes = [
            adjusted_rand_score(one[in_one], other[in_other])
            for (one, other), (in_one, in_other) in zip(
                combinations(clusters, 2), shared, strict=True
            )
        ]
        rows.append(
            {
                "resolution": resolution,
                "stability": np.mean(indexes),
                "lowest": np.min(indexes),
                "n_clusters_drawn": np.mean([len(set(labels)) for labels in clusters]),
                "n_cells_drawn": size,
                "n_draws": N_DRAWS,
            }
        )
    return pd.DataFrame(rows)


def _to_igraph(graph: sparse.csr_array) -> igraph.Graph:
    edges = graph.tocoo()
    result = igraph.Graph(n=graph.shape[0], edges=np.column_stack([edges.row, edges.col]))
    result.es["weight"] = edges.data.astype(float)
    return result
