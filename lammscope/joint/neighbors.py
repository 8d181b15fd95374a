"""Nearest neighbors in the integrated embedding, and the neighborhood graph."""

from concurrent.futures import ThreadPoolExecutor

import faiss
import numpy as np
from scipy import sparse

# Times and recall are in docs/benchmarks.md (`python -m benchmarks.neighbor_search`).
EXACT_UP_TO = 20_000  # cells; above it cells are compared with those of near groups
SHARE_UP_TO = 300_000  # cells; the time for a share of the groups grows with the square
GROUP_CELLS = 200  # mean size of a group
NEAR_GROUPS = 0.1  # share of the groups that a cell is compared with, but at least
LEAST_NEAR = 25  # groups: 96 to 98 % of the neighbors at 25,000 to 300,000 cells
LARGE_GROUP_CELLS = 400  # above `SHARE_UP_TO`: fewer and larger products
VOTES = 20  # of one cell in four of a group: the groups nearest to that cell
VOTER = 4
VOTED = 0.96  # share of the votes that the groups compared have: 96 % of the neighbors at a million
GROUP_ROUNDS = 6  # of the k-means that makes groups
LISTS = 4  # times the square root of the number of cells; faiss recommends 4 to 16
ROUNDS = 10  # of the k-means that divides the cells into lists: faiss's default for this index
TRAINING_CELLS = 64  # per list, for this k-means; faiss recommends 30 to 256
GROUP_TRAINING_CELLS = 32  # per group
LANDMARK_PROBES = 8  # our choice: enough to place cells in a UMAP
CHUNK = 20_000  # cells at a time: limits memory, does not change results
# Matrix products, which faiss uses from this size of a search on, take a fifth of the time.
faiss.cvar.distance_compute_blas_threshold = 0


def find_neighbors(
    space: np.ndarray, *, n_neighbors: int, seed: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest neighbors of each cell by Euclidean distance.

    Parameters
    ----------
    space
        Cells x components.
    n_neighbors
        Neighbors per cell, without the cell itself; at most the number of other cells.
    seed, threads
        Seed of the k-means that divides large sets, and threads of faiss.

    Returns
    -------
    indices
        Cells x neighbors, int32, nearest first.
    distances
        The same shape, float32.
    """
    faiss.omp_set_num_threads(threads)
    n_cells = len(space)
    n_neighbors = min(n_neighbors, n_cells - 1)
    if n_neighbors < 1:
        raise ValueError("neighbors need at least two cells, but only one passes quality control")
    space = np.ascontiguousarray(space, dtype=np.float32)
    if n_cells <= EXACT_UP_TO:
        # products of large coordinates lose digits of small distances
        centered = (space - space.mean(axis=0)).astype(np.float32)
        squared, indices = faiss.knn(centered, centered, n_neighbors + 1)
    else:
        squared, indices = _search_groups(space, n_neighbors + 1, seed=seed, threads=threads)
    return _without_self(indices, np.sqrt(np.maximum(squared, 0)))


def nearest_landmarks(
    space: np.ndarray, landmarks: np.ndarray, *, n_neighbors: int, seed: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Find the approximate nearest landmarks of every cell, to place cells in a UMAP.

    Parameters
    ----------
    space
        Cells x components.
    landmarks
        Rows of the cells that are landmarks.
    n_neighbors, seed, threads
        As in `find_neighbors`; a landmark is its own nearest one.

    Returns
    -------
    indices
        Cells x neighbors, positions in `landmarks`.
    distances
        The same shape, float32.
    """
    faiss.omp_set_num_threads(threads)
    space = np.ascontiguousarray(space, dtype=np.float32)
    index = _inverted_file(space[landmarks], n_probes=LANDMARK_PROBES, seed=seed)
    squared, indices = index.search(space, n_neighbors)
    return indices, np.sqrt(np.maximum(squared, 0))


def _search_groups(
    space: np.ndarray, n_found: int, *, seed: int, threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Search the cells of each group of near cells in the groups around it.

    All cells of a group are compared with the same cells, by one matrix product. Returns squared
    distances and indices, cells x `n_found`.
    """
    n_cells, n_components = space.shape
    is_large = n_cells > SHARE_UP_TO
    means = faiss.Kmeans(
        n_components,
        n_cells // (LARGE_GROUP_CELLS if is_large else GROUP_CELLS),
        niter=GROUP_ROUNDS,
        seed=seed,
        max_points_per_centroid=GROUP_TRAINING_CELLS,
    )
    means.train(space)
    index, centers = means.index, np.asarray(means.centroids, dtype=np.float32)
    own = index.search(space, 1)[1][:, 0]
    order = np.argsort(own, kind="stable")
    starts = np.searchsorted(own[order], np.arange(means.k + 1))
    ordered = space[order]  # the cells of a group are copied as one block
    n_near = min(max(round(NEAR_GROUPS * means.k), LEAST_NEAR), means.k)
    near = None if is_large else index.search(centers, n_near)[1]
    squared = np.empty((n_cells, n_found), dtype=np.float32)
    indices = np.empty((n_cells, n_found), dtype=np.int32)

    def search(group: int) -> None:
        own = slice(starts[group], starts[group + 1])
        found = _voted(index, ordered[own][::VOTER]) if near is None else near[group]
        others = [slice(starts[each], starts[each + 1]) for each in found]
        points = np.concatenate([ordered[each] for each in others])
        points -= centers[group]
        squared[order[own]], places = faiss.knn(ordered[own] - centers[group], points, n_found)
        indices[order[own]] = np.concatenate([order[each] for each in others])[places]

    with ThreadPoolExecutor(threads, initializer=faiss.omp_set_num_threads, initargs=(1,)) as pool:
        list(pool.map(search, np.flatnonzero(np.diff(starts))))
    return squared, indices


def _voted(index: faiss.Index, cells: np.ndarray) -> np.ndarray:
    """Return the groups that are nearest to the most of the cells, with `VOTED` of their votes.

    Near the center of a large group and near its edge, other groups are near.
    """
    votes = np.bincount(index.search(cells, VOTES)[1].ravel(), minlength=index.ntotal)
    ranked = np.argsort(-votes, kind="stable")
    return ranked[: np.searchsorted(np.cumsum(votes[ranked]), VOTED * votes.sum()) + 1]


def _inverted_file(points: np.ndarray, *, n_probes: int, seed: int) -> faiss.Index:
    n_points, n_components = points.shape
    n_lists = int(LISTS * np.sqrt(n_points))
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(n_components), n_components, n_lists)
    index.cp.seed, index.cp.niter = seed, ROUNDS
    index.cp.max_points_per_centroid = TRAINING_CELLS
    index.nprobe = n_probes
    index.train(points)
    index.add(points)
    return index


def find_neighbors_within(
    space: np.ndarray, *, groups: np.ndarray, n_neighbors: int, seed: int, threads: int
) -> np.ndarray:
    """Find the nearest neighbors of each cell among the cells of its own group.

    Parameters
    ----------
    space
        Cells x components.
    groups
        The group of each cell; cells of the group "" have no neighbors.
    n_neighbors, seed, threads
        As in `find_neighbors`.

    Returns
    -------
    ndarray
        Cells x `n_neighbors`, int32, nearest first; -1 where a group has no more cells.
    """
    found = np.full((len(space), n_neighbors), -1, dtype=np.int32)
    names, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    members = np.split(np.argsort(codes, kind="stable"), np.cumsum(sizes)[:-1])
    for group, rows in zip(names.tolist(), members, strict=True):
        if group == "" or len(rows) < 2:
            continue
        indices, _ = find_neighbors(
            space[rows], n_neighbors=n_neighbors, seed=seed, threads=threads
        )
        found[rows, : indices.shape[1]] = rows[indices]
    return found


def shared_neighbor_graph(indices: np.ndarray) -> sparse.csr_array:
    """Build the graph of cells, weighted by the Jaccard overlap of their neighborhoods [1]_.

    Parameters
    ----------
    indices
        Cells x neighbors, without the cell itself.

    Returns
    -------
    csr_array
        Cells x cells, upper triangle, weights in (0, 1]; edges connect neighbors only.

    References
    ----------
    .. [1] Levine et al., Cell 162, 184-197 (2015), doi 10.1016/j.cell.2015.05.047.
    """
    n_cells = len(indices)
    own = np.column_stack([np.arange(n_cells, dtype=np.int32), indices.astype(np.int32)])
    parts = []
    for start in range(0, n_cells, CHUNK):
        one, other = _edges_from(indices, start, min(start + CHUNK, n_cells))
        both = np.concatenate([own[one], own[other]], axis=1)
        both.sort(axis=1)
        shared = (both[:, 1:] == both[:, :-1]).sum(axis=1, dtype=np.float32)
        parts.append((np.minimum(one, other), np.maximum(one, other), shared))
    row, column, shared = (np.concatenate(part) for part in zip(*parts, strict=True))
    weights = shared / (2 * own.shape[1] - shared)
    return sparse.csr_array((weights, (row, column)), shape=(n_cells, n_cells))


def _edges_from(indices: np.ndarray, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """List the pairs of neighbors of some cells, each once: mutual ones from the lower cell."""
    one = np.repeat(np.arange(start, end, dtype=np.int32), indices.shape[1])
    other = indices[start:end].ravel().astype(np.int32)
    upward = one < other
    down = np.flatnonzero(~upward)
    named_by_both = (indices[other[down]] == one[down, None]).any(axis=1)
    kept = upward
    kept[down[~named_by_both]] = True
    return one[kept], other[kept]


def _without_self(indices: np.ndarray, distances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Drop the cell itself from its neighbors, or the farthest if identical cells replaced it."""
    n_cells, width = indices.shape
    is_self = indices == np.arange(n_cells)[:, None]
    is_self[~is_self.any(axis=1), -1] = True
    keep = ~is_self
    shape = (n_cells, width - 1)
    return (
        indices[keep].reshape(shape).astype(np.int32),
        distances[keep].reshape(shape).astype(np.float32),
    )
