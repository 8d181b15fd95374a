"""Neighbors and clusters: groups of near cells find what an exact search finds."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.metrics import adjusted_rand_score

from lammscope.joint import clustering, leiden, neighbors
from lammscope.joint.clustering import adjusted_rand_index, cluster_cells, compare_resolutions
from lammscope.joint.neighbors import find_neighbors, shared_neighbor_graph

SEARCH = {"n_neighbors": 10, "seed": 1}


@pytest.fixture
def space() -> np.ndarray:
    """Cells of five populations far from the origin, which costs digits of distances."""
    rng = np.random.default_rng(0)
    centers = rng.normal(scale=4, size=(5, 6))
    return (50 + centers[rng.integers(0, 5, 12_000)] + rng.normal(size=(12_000, 6))).astype("f4")


def by_groups(
    space: np.ndarray, monkeypatch: pytest.MonkeyPatch, threads: int, *, by_votes: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    monkeypatch.setattr(neighbors, "EXACT_UP_TO", 1_000)
    if by_votes:
        monkeypatch.setattr(neighbors, "SHARE_UP_TO", 1_000)
        monkeypatch.setattr(neighbors, "LARGE_GROUP_CELLS", 100)
    return find_neighbors(space, **SEARCH, threads=threads)


def test_an_exact_search_finds_the_nearest_cells(space: np.ndarray) -> None:
    indices, distances = find_neighbors(space, **SEARCH, threads=1)
    for row in range(0, len(space), 1_000):
        away = np.linalg.norm(space.astype(float) - space[row], axis=1)
        away[row] = np.inf
        assert set(indices[row]) == set(np.argsort(away)[:10])
        np.testing.assert_allclose(distances[row], np.sort(away)[:10], rtol=1e-4)


@pytest.mark.parametrize("by_votes", [False, True])
def test_groups_find_nearly_all_neighbors_and_no_cell_itself(
    space: np.ndarray, monkeypatch: pytest.MonkeyPatch, by_votes: bool
) -> None:
    exact, _ = find_neighbors(space, **SEARCH, threads=1)
    found, distances = by_groups(space, monkeypatch, 1, by_votes=by_votes)
    shared = [len(set(one) & set(other)) for one, other in zip(exact, found, strict=True)]
    assert np.mean(shared) >= 0.95 * 10
    assert not (found == np.arange(len(space))[:, None]).any()
    assert (np.diff(distances, axis=1) >= 0).all()


@pytest.mark.parametrize("by_votes", [False, True])
def test_threads_do_not_change_neighbors(
    space: np.ndarray, monkeypatch: pytest.MonkeyPatch, by_votes: bool
) -> None:
    one, two = (by_groups(space, monkeypatch, n, by_votes=by_votes) for n in (1, 2))
    for of_one, of_two in zip(one, two, strict=True):
        np.testing.assert_array_equal(of_one, of_two)


def modularity(graph: sparse.csr_array, clusters: np.ndarray, *, resolution: float) -> float:
    edges, both = graph.tocoo(), graph + graph.T
    strengths = np.asarray(both.sum(axis=1)).ravel()
    inside = edges.data[clusters[edges.row] == clusters[edges.col]].sum()
    _, codes = np.unique(clusters, return_inverse=True)
    shares = np.bincount(codes, weights=strengths) / strengths.sum()
    return float(2 * inside / strengths.sum() - resolution * (shares**2).sum())


@pytest.mark.parametrize("resolution", [0.3, 1.0, 2.0])
def test_clusters_of_groups_of_cells_are_as_good_as_those_of_cells(
    space: np.ndarray, monkeypatch: pytest.MonkeyPatch, resolution: float
) -> None:
    graph = shared_neighbor_graph(find_neighbors(space, **SEARCH, threads=1)[0])
    of_cells = cluster_cells(graph, resolution=resolution, seed=1)
    monkeypatch.setattr(clustering, "MANY_CELLS", 1_000)
    monkeypatch.setattr(leiden, "CHUNK", 5_000)
    found = cluster_cells(graph, resolution=resolution, seed=1)
    assert not np.array_equal(found, of_cells)
    assert found.tolist() == cluster_cells(graph, resolution=resolution, seed=1).tolist()
    best = modularity(graph, of_cells, resolution=resolution)
    assert modularity(graph, found, resolution=resolution) > best - 0.005


def test_edges_given_in_batches_make_the_same_clusters(
    space: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = shared_neighbor_graph(find_neighbors(space[:2_000], **SEARCH, threads=1)[0])
    at_once = cluster_cells(graph, resolution=1.0, seed=1)
    monkeypatch.setattr(leiden, "BATCH", 1_500)
    assert cluster_cells(graph, resolution=1.0, seed=1).tolist() == at_once.tolist()


def test_other_resolutions_are_those_of_clustering_alone(space: np.ndarray) -> None:
    graph = shared_neighbor_graph(find_neighbors(space[:2_000], **SEARCH, threads=1)[0])
    used = cluster_cells(graph, resolution=1.0, seed=1)
    table = compare_resolutions(graph, used, resolution=1.0, resolutions=[0.3, 1.0, 2.0], seed=1)
    assert list(table) == ["resolution_0.3", "resolution_1", "resolution_2"]
    for name, resolution in (("resolution_0.3", 0.3), ("resolution_1", 1.0)):
        alone = cluster_cells(graph, resolution=resolution, seed=1)
        assert table[name].tolist() == alone.tolist()


@pytest.mark.parametrize("kept", [0.0, 0.6, 1.0])
def test_the_adjusted_rand_index_is_that_of_scikit_learn(kept: float) -> None:
    rng = np.random.default_rng(2)
    one = rng.integers(0, 6, 400).astype(str)
    other = np.where(rng.random(400) < kept, one, rng.integers(0, 4, 400).astype(str))
    assert adjusted_rand_index(one, other) == adjusted_rand_score(one, other)
