"""Clusters of the neighborhood graph, and their stability."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.joint.leiden import find_communities, find_communities_of_many
from lammscope.joint.neighbors import find_neighbors, shared_neighbor_graph

MANY_CELLS = 300_000  # above it, groups of near cells are clustered, to limit time
STABILITY_CELLS = 20_000  # drawn from larger cohorts, to limit time; our choice
N_DRAWS = 5  # our choice: ten pairs to compare
DRAWN = 0.8  # share of those cells in each draw; our choice: two draws share 64 %
SEARCHED = 3  # times the neighbors of each cell, so that each draw has enough of them


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
    return cluster_at(graph, resolutions=[resolution], seed=seed)[0]


def cluster_at(
    graph: sparse.csr_array, *, resolutions: Sequence[float], seed: int
) -> list[np.ndarray]:
    """Cluster at several resolutions, as `cluster_cells`; the graph is converted once."""
    find = find_communities if graph.shape[0] <= MANY_CELLS else find_communities_of_many
    return [_by_size(found) for found in find(graph, resolutions=resolutions, seed=seed)]


def _by_size(membership: np.ndarray) -> np.ndarray:
    """Name clusters by their rank: "0" is the largest, ties are ordered by the first cell."""
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
    others = [other for other in resolutions if other != resolution]
    found = dict(zip(others, cluster_at(graph, resolutions=others, seed=seed), strict=True))
    return pd.DataFrame({f"resolution_{each:g}": found.get(each, clusters) for each in resolutions})


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
    rng = np.random.default_rng(seed)
    n_cells = min(len(space), STABILITY_CELLS)
    pool = rng.choice(len(space), n_cells, replace=False)
    size = max(2, round(DRAWN * n_cells))
    draws = [np.sort(rng.choice(pool, size, replace=False)) for _ in range(N_DRAWS)]
    pool.sort()
    search = {"seed": seed, "threads": threads}
    near, _ = find_neighbors(space[pool], n_neighbors=SEARCHED * n_neighbors, **search)
    found: dict[float, list[np.ndarray]] = {resolution: [] for resolution in resolutions}
    for cells in draws:
        indices = neighbors_drawn(near, np.searchsorted(pool, cells), n_neighbors=n_neighbors)
        if (indices < 0).any():
            indices, _ = find_neighbors(space[cells], n_neighbors=n_neighbors, **search)
        graph = shared_neighbor_graph(indices)
        of_draw = cluster_at(graph, resolutions=resolutions, seed=seed)
        for resolution, labels in zip(resolutions, of_draw, strict=True):
            found[resolution].append(labels)
    shared = [
        np.intersect1d(one, other, assume_unique=True, return_indices=True)[1:]
        for one, other in combinations(draws, 2)
    ]
    rows = []
    for resolution, clusters in found.items():
        indexes = [
            adjusted_rand_index(one[in_one], other[in_other])
            for (one, other), (in_one, in_other) in zip(
                combinations(clusters, 2), shared, strict=True
            )
        ]
        rows.append(
            {
                "resolution": resolution,
                "stability": np.mean(indexes),
                "lowest": np.min(indexes),
                "n_clusters_drawn": np.mean([len(set(drawn)) for drawn in clusters]),
                "n_cells_drawn": size,
                "n_draws": N_DRAWS,
            }
        )
    return pd.DataFrame(rows)


def neighbors_drawn(near: np.ndarray, drawn: np.ndarray, *, n_neighbors: int) -> np.ndarray:
    """Return the nearest neighbors of some cells among each other.

    Parameters
    ----------
    near
        Cells x neighbors, of all cells among all, nearest first.
    drawn
        Positions of some cells, in ascending order.
    n_neighbors
        Neighbors per cell, at most the number of other drawn cells.

    Returns
    -------
    ndarray
        Drawn cells x neighbors: positions in `drawn`, nearest first; -1 for those that are not
        among the given ones.
    """
    place = np.full(len(near), -1, dtype=np.int32)
    place[drawn] = np.arange(len(drawn), dtype=np.int32)
    neighbors = place[near[drawn]]
    n_neighbors = min(n_neighbors, len(drawn) - 1)
    first = np.argsort(neighbors < 0, axis=1, kind="stable")[:, :n_neighbors]
    return np.take_along_axis(neighbors, first, axis=1)


def adjusted_rand_index(one: np.ndarray, other: np.ndarray) -> float:
    """Compute the adjusted Rand index of two clusterings of the same cells [1]_.

    The numbers are those of scikit-learn, whose import takes longer than this.

    References
    ----------
    .. [1] Hubert, Arabie, J Classif 2, 193-218 (1985), doi 10.1007/BF01908075.
    """
    rows, in_one = np.unique(one, return_inverse=True)
    columns, in_other = np.unique(other, return_inverse=True)
    pairs = np.bincount(in_one * len(columns) + in_other, minlength=len(rows) * len(columns))
    table = pairs.reshape(len(rows), len(columns))
    both, n_cells = _squares(table), len(one)
    only_one, only_other = _squares(table.sum(axis=1)) - both, _squares(table.sum(axis=0)) - both
    none = n_cells**2 - both - only_one - only_other
    together = both - n_cells  # ordered pairs of two cells
    if only_one == 0 and only_other == 0:
        return 1.0
    return (
        2.0
        * (together * none - only_one * only_other)
        / (
            (together + only_one) * (only_one + none)
            + (together + only_other) * (only_other + none)
        )
    )


def _squares(sizes: np.ndarray) -> int:
    """Sum squares as a Python integer, which does not overflow."""
    return int((sizes.astype(np.int64) ** 2).sum())
