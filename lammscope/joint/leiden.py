"""Communities of weighted graphs by igraph's Leiden algorithm, also for a million cells."""

import random
from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph

from lammscope.joint.graph_library import igraph

N_ITERATIONS = 2  # of the Leiden algorithm: igraph's default
BATCH = 5_000_000  # edges at a time, of which igraph makes Python objects: 143 bytes each
MOVES = 2  # of single cells after the algorithm: 1 % of the cells move, then 0.3 %
CHUNK = 50_000  # cells at a time: limits memory, does not change results


def find_communities(
    graph: sparse.csr_array,
    *,
    resolutions: Sequence[float],
    seed: int,
    strengths: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Find the communities at several resolutions by modularity; the graph is converted once.

    Parameters
    ----------
    graph
        Nodes x nodes, edge weights, upper triangle.
    resolutions
        Higher gives more communities.
    seed
        Seed of the algorithm.
    strengths
        Sum of the weights at each node, if the graph lacks edges from nodes to themselves.

    Returns
    -------
    list
        Per resolution, the community of each node (int).
    """
    weights = graph.data.astype(np.float64)
    converted = _as_igraph(graph)
    found = []
    for resolution in resolutions:
        igraph.set_random_number_generator(random.Random(seed))
        # without the wrapper, which makes Python objects of all nodes
        membership, _ = igraph.GraphBase.community_leiden(
            converted,
            edge_weights=memoryview(weights),
            node_weights=None if strengths is None else memoryview(strengths),
            resolution=resolution,
            normalize_resolution=True,  # modularity
            n_iterations=N_ITERATIONS,
        )
        found.append(np.array(membership))
    return found


def _as_igraph(graph: sparse.csr_array) -> igraph.Graph:
    converted = igraph.Graph(n=graph.shape[0])
    rows = np.repeat(np.arange(graph.shape[0], dtype=np.int32), np.diff(graph.indptr))
    for start in range(0, graph.nnz, BATCH):
        part = slice(start, start + BATCH)
        edges = np.column_stack([rows[part], graph.indices[part]]).astype(np.int64)
        converted.add_edges(memoryview(edges))
    return converted


def find_communities_of_many(
    graph: sparse.csr_array, *, resolutions: Sequence[float], seed: int
) -> list[np.ndarray]:
    """Find communities, as `find_communities`, in a graph of very many cells.

    Cells are joined with their strongest neighbors, the algorithm clusters these groups of five
    cells on average (it cannot divide them), and then single cells move to the community that
    raises modularity most. At a million cells this takes less than half the time, for the same
    modularity.
    """
    both = sparse.csr_array(graph + graph.T)
    both.sort_indices()
    groups = _join_strongest(both)
    strengths = np.asarray(both.sum(axis=1, dtype=np.float64)).ravel()
    found = find_communities(
        _condensed(graph, groups),
        resolutions=resolutions,
        seed=seed,
        strengths=np.bincount(groups, weights=strengths),
    )
    return [
        _move_cells(both, communities[groups], strengths=strengths, resolution=resolution)
        for communities, resolution in zip(found, resolutions, strict=True)
    ]


def _join_strongest(both: sparse.csr_array) -> np.ndarray:
    """Return the group of each cell: each is joined with the first of its strongest neighbors."""
    n_cells, sizes = both.shape[0], np.diff(both.indptr)
    filled = np.flatnonzero(sizes)
    strongest = np.zeros(n_cells, dtype=both.dtype)
    strongest[filled] = np.maximum.reduceat(both.data, both.indptr[filled])
    places = np.flatnonzero(both.data == np.repeat(strongest, sizes))
    cells = np.repeat(np.arange(n_cells, dtype=np.int32), sizes)[places]
    cells, first = np.unique(cells, return_index=True)
    pairs = (np.ones(len(cells), dtype=bool), (cells, both.indices[places[first]]))
    joined = sparse.coo_array(pairs, shape=both.shape)
    return np.asarray(csgraph.connected_components(joined, directed=False)[1])


def _condensed(graph: sparse.csr_array, groups: np.ndarray) -> sparse.csr_array:
    """Add the weights between groups (upper triangle), without those within groups."""
    n_groups = groups.max() + 1
    one, other = np.repeat(groups, np.diff(graph.indptr)), groups[graph.indices]
    between = one != other
    one, other = one[between], other[between]
    places = (np.minimum(one, other), np.maximum(one, other))
    return sparse.csr_array((graph.data[between], places), shape=(n_groups, n_groups))


def _move_cells(
    both: sparse.csr_array, communities: np.ndarray, *, strengths: np.ndarray, resolution: float
) -> np.ndarray:
    """Move each cell to the community where it adds most to modularity; all move at once."""
    n_cells = len(communities)
    for _ in range(MOVES):
        n_communities = communities.max() + 1
        place = (np.ones(n_cells, dtype=np.float32), communities, np.arange(n_cells + 1))
        member = sparse.csr_array(place, shape=(n_cells, n_communities))
        of_chance = resolution * np.bincount(communities, weights=strengths) / strengths.sum()
        moved = np.empty_like(communities)
        for start in range(0, n_cells, CHUNK):
            part = slice(start, start + CHUNK)
            gain = (both[part] @ member).toarray() - strengths[part, None] * of_chance
            moved[part] = gain.argmax(axis=1)
        communities = moved
    return communities
