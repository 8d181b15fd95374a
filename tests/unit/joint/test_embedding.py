"""Principal components, neighbors and clusters of the joint space."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial import cKDTree

from lammscope.core.indexed import CellIndex, write_index
from lammscope.core.pca import (
    approximate_components,
    principal_components,
    principal_components_of_parts,
)
from lammscope.core.rates import normalize
from lammscope.joint.clustering import (
    cluster_cells,
    compare_resolutions,
    neighbors_drawn,
    stability,
)
from lammscope.joint.embedding import embed_samples
from lammscope.joint.neighbors import find_neighbors, shared_neighbor_graph
from tests.matrices import small_shard


def blobs(
    n_cells: int = 300, n_groups: int = 3, *, spread: float = 0.3, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centers = rng.normal(0, 5, (n_groups, 10))
    label = np.arange(n_cells) % n_groups
    return (centers[label] + rng.normal(0, spread, (n_cells, 10))).astype(np.float32), label


def test_components_equal_a_singular_value_decomposition_and_need_no_stacking() -> None:
    values = sparse.csr_array(np.random.default_rng(0).gamma(1, 1, (120, 30)).astype(np.float32))
    dense = values.toarray().astype(float)
    components = principal_components(values, n_components=5)
    _, singular, right = np.linalg.svd(dense - dense.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(components.variance, singular[:5] ** 2 / 119, rtol=1e-4)
    np.testing.assert_allclose(np.abs(components.loadings.T @ right[:5].T), np.eye(5), atol=1e-3)
    parts = principal_components_of_parts([values[:50], values[50:]], n_components=5)
    np.testing.assert_allclose(parts.loadings, components.loadings, atol=1e-4)
    np.testing.assert_allclose(
        components.project(values).var(axis=0, ddof=1), components.variance, rtol=1e-3
    )


def test_neighbors_in_a_draw_are_the_nearest_drawn_cells() -> None:
    space, _ = blobs(200)
    near, _ = find_neighbors(space, n_neighbors=30, seed=0, threads=1)
    drawn = np.sort(np.random.default_rng(1).choice(200, 160, replace=False))
    expected, _ = find_neighbors(space[drawn], n_neighbors=10, seed=0, threads=1)
    np.testing.assert_array_equal(neighbors_drawn(near, drawn, n_neighbors=10), expected)
    few = neighbors_drawn(near[:, :10], drawn, n_neighbors=10)
    assert (few < 0).any()
    np.testing.assert_array_equal(few[few >= 0], expected[:, : few.shape[1]][few >= 0])
    three = neighbors_drawn(near, drawn[:3], n_neighbors=10)
    assert three.shape == (3, 2)  # there are no more


def test_approximate_components_hold_the_variance_of_exact_ones() -> None:
    rng = np.random.default_rng(0)
    groups, _ = blobs(900, n_groups=6, spread=1.0)
    levels = np.exp(groups @ rng.normal(0, 0.05, (10, 400)) - 1)
    values = sparse.csr_array(np.log1p(rng.poisson(levels)).astype(np.float32))
    exact = principal_components(values, n_components=20)
    found = approximate_components(values, n_components=20, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.loadings.T @ found.loadings, np.eye(20), atol=1e-5)
    np.testing.assert_allclose(found.variance[:5], exact.variance[:5], rtol=1e-3)  # the groups
    alike = np.abs((exact.loadings[:, :5] * found.loadings[:, :5]).sum(axis=0))
    np.testing.assert_allclose(alike, 1, atol=1e-3)
    assert found.variance.sum() > 0.95 * exact.variance.sum()  # the others are noise
    scores = found.project(values)
    np.testing.assert_allclose(scores.var(axis=0, ddof=1), found.variance, rtol=1e-3)
    again = approximate_components(values, n_components=20, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(again.loadings, found.loadings)
    few = approximate_components(values[:, :12], n_components=20, rng=rng)  # as exact ones
    np.testing.assert_allclose(
        few.variance, principal_components(values[:, :12], n_components=20).variance, rtol=1e-4
    )


def test_samples_are_embedded_in_the_order_of_the_cell_index(tmp_path: Path) -> None:
    parts = {sample: small_shard(seed=ord(sample)) for sample in ("a", "b")}
    cells = [
        pd.DataFrame(
            {
                "cell": f"{sample}_" + pd.Series(shard.barcodes),
                "sample": sample,
                "total_counts": shard.counts.sum(axis=1),
            }
        )
        for sample, shard in parts.items()
    ]
    write_index(pd.concat(cells, ignore_index=True), tmp_path / "cells.parquet")
    index = CellIndex(tmp_path / "cells.parquet")
    for sample, shard in parts.items():
        index.write_counts(tmp_path / f"{sample}.npz", shard.counts, genes=shard.genes)
    none = sparse.csr_array((0, parts["a"].counts.shape[1]), dtype=np.int32)
    index.write_counts(tmp_path / "no_cells.npz", none, genes=parts["a"].genes)
    paths = [tmp_path / f"{name}.npz" for name in ("a", "no_cells", "b")]
    scores, components = embed_samples(paths, index, n_pcs=4)
    assert len(scores) == len(index.cells)
    first = normalize(parts["a"].counts, cells[0]["total_counts"].to_numpy())
    np.testing.assert_allclose(scores[:40], components.project(first), atol=1e-5)


def test_one_cell_has_no_components() -> None:
    one = sparse.csr_array(np.ones((1, 5), dtype=np.float32))
    with pytest.raises(ValueError, match="at least two cells"):
        principal_components(one, n_components=2)
    with pytest.raises(ValueError, match="at least two cells"):
        approximate_components(one, n_components=2, rng=np.random.default_rng(0))


def test_neighbors_are_the_nearest_other_cells() -> None:
    space, _ = blobs()
    indices, distances = find_neighbors(space, n_neighbors=10, seed=1, threads=1)
    expected, found = cKDTree(space).query(space, 11)
    assert np.array_equal(np.sort(indices, axis=1), np.sort(found[:, 1:], axis=1))
    np.testing.assert_allclose(distances, expected[:, 1:], rtol=1e-2, atol=1e-2)


@pytest.mark.slow
def test_most_of_the_nearest_are_found_among_many_cells_and_the_same_by_any_threads() -> None:
    space = np.random.default_rng(0).normal(size=(60_000, 12)).astype(np.float32)
    space += 3 * np.random.default_rng(1).normal(size=(30, 12))[np.arange(60_000) % 30]
    found: Any = [
        find_neighbors(space, n_neighbors=15, seed=1, threads=threads)[0] for threads in (1, 2)
    ]
    assert np.array_equal(*found)
    rows = np.random.default_rng(2).choice(60_000, 1_000, replace=False)
    _, true = cKDTree(space).query(space[rows], 16)
    pairs = zip(found[0][rows], true[:, 1:], strict=True)
    assert np.mean([len(set(ours) & set(theirs)) / 15 for ours, theirs in pairs]) >= 0.90


def test_planted_groups_are_stable_and_too_fine_a_resolution_is_not() -> None:
    space, _ = blobs(900, spread=0.8)
    table = stability(space, resolutions=[0.3, 4.0], n_neighbors=15, seed=1, threads=1)
    assert table["resolution"].tolist() == [0.3, 4.0]
    assert table["stability"][0] > 0.99
    assert table["n_clusters_drawn"][0] == 3
    assert table["stability"][1] < 0.8
    assert (table["lowest"] <= table["stability"]).all()
    graph = shared_neighbor_graph(find_neighbors(space, n_neighbors=15, seed=1, threads=1)[0])
    main = cluster_cells(graph, resolution=0.3, seed=1)
    clusters = compare_resolutions(graph, main, resolution=0.3, resolutions=[0.3, 4.0], seed=1)
    assert clusters.columns.tolist() == ["resolution_0.3", "resolution_4"]
    assert clusters["resolution_0.3"].tolist() == main.tolist()
    assert clusters["resolution_4"].nunique() > 6


def test_identical_cells_never_count_as_their_own_neighbor() -> None:
    indices, _ = find_neighbors(np.ones((30, 5), np.float32), n_neighbors=8, seed=1, threads=1)
    assert not (indices == np.arange(30)[:, None]).any()
    assert indices.shape == (30, 8)


def test_graph_weights_are_jaccard_overlaps() -> None:
    space, _ = blobs(60)
    indices, _ = find_neighbors(space, n_neighbors=6, seed=1, threads=1)
    graph = shared_neighbor_graph(indices).tocoo()
    sets = [{cell, *row} for cell, row in enumerate(indices.tolist())]
    for one, other, weight in zip(graph.row, graph.col, graph.data, strict=True):
        overlap = len(sets[one] & sets[other]) / len(sets[one] | sets[other])
        assert weight == pytest.approx(overlap)
        assert one < other


def test_clusters_are_the_planted_groups_largest_first_and_the_same_again() -> None:
    space, label = blobs(300)
    space, label = space[:280], label[:280]
    graph = shared_neighbor_graph(find_neighbors(space, n_neighbors=15, seed=1, threads=1)[0])
    clusters = cluster_cells(graph, resolution=0.3, seed=1)
    table = pd.crosstab(clusters, label)
    assert ((table > 0).sum(axis=1) == 1).all()
    sizes = pd.Series(clusters).value_counts()
    assert sizes.index[0] == "0"
    assert np.array_equal(clusters, cluster_cells(graph, resolution=0.3, seed=1))
