"""The UMAP: its graph, curve and start equal umap-learn's, and its layout is as good."""

from typing import Any

import numpy as np
import pytest
from scipy import optimize
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from threadpoolctl import threadpool_limits

from lammscope.joint.neighbors import find_neighbors
from lammscope.joint.umap import project_umap
from lammscope.joint.umap_graph import fuzzy_graph
from lammscope.joint.umap_layout import _pulls, fit_curve, starting_layout

# umap-learn compiles for ten seconds when it is imported
umap_learn = pytest.mark.filterwarnings("ignore:Tensorflow not installed:ImportWarning")
SETTINGS: dict[str, Any] = {"min_dist": 0.3, "epochs": 100, "max_cells": 10_000, "seed": 1}


def planted_groups(
    n_cells: int, *, n_groups: int = 3, spread: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 5, (n_groups, 10))
    group = np.arange(n_cells) % n_groups
    return (centers[group] + rng.normal(0, spread, (n_cells, 10))).astype(np.float32), group


def neighbors_of(space: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return find_neighbors(space, n_neighbors=15, seed=1, threads=1)


def learned_graph(indices: np.ndarray, distances: np.ndarray) -> Any:
    from umap.umap_ import fuzzy_simplicial_set

    n_cells, n_neighbors = indices.shape
    own = np.arange(n_cells, dtype=indices.dtype)
    return fuzzy_simplicial_set(
        np.zeros((n_cells, 1)),
        n_neighbors + 1,
        np.random.RandomState(1),
        "euclidean",
        knn_indices=np.column_stack([own, indices]),
        knn_dists=np.column_stack([np.zeros(n_cells, dtype=np.float32), distances]),
    )[0]


def identical_cells_among_others() -> np.ndarray:
    space, _ = planted_groups(400)
    space[:40] = space[0]
    return space


@pytest.mark.slow
@umap_learn
@pytest.mark.parametrize(
    "space", [planted_groups(400, spread=1.0)[0], identical_cells_among_others()]
)
def test_the_graph_is_that_of_umap_learn(space: np.ndarray) -> None:
    indices, distances = neighbors_of(space)
    graph = fuzzy_graph(indices, distances)
    # both stop once a cell's weights add up to log2(16) within 1e-5: what is left is rounding
    np.testing.assert_allclose(
        graph.toarray(), learned_graph(indices, distances).toarray(), rtol=1e-4, atol=1e-7
    )
    assert abs(graph - graph.T).max() == 0


@pytest.mark.slow
@umap_learn
def test_the_curve_is_that_of_umap_learn() -> None:
    from umap.umap_ import find_ab_params

    for min_dist in np.linspace(0, 1, 11):
        # umap-learn stops when its own steps are below 1e-8 of the sum of squares
        np.testing.assert_allclose(fit_curve(min_dist), find_ab_params(1.0, min_dist), rtol=5e-6)


def test_no_other_curve_fits_better() -> None:
    distance = np.linspace(0, 3, 300)
    for min_dist in np.linspace(0, 1, 6):
        wanted = np.minimum(1, np.exp(min_dist - distance))
        expected, _ = optimize.curve_fit(
            lambda d, a, b: 1 / (1 + a * d ** (2 * b)), distance, wanted, ftol=1e-15, xtol=1e-15
        )
        np.testing.assert_allclose(fit_curve(min_dist), expected, rtol=1e-6)


def test_the_start_is_the_first_two_components() -> None:
    space, _ = planted_groups(200)
    start = starting_layout(space, np.random.default_rng(0))
    scores = PCA(n_components=2).fit_transform(space)
    scores -= scores.min(axis=0)
    np.testing.assert_allclose(start, 10 * scores / scores.max(axis=0), atol=2e-3)


def test_a_cell_is_pulled_once_in_a_turn_and_to_all_its_neighbors_in_order() -> None:
    turns = [
        (cells.tolist(), neighbors.tolist())
        for cells, neighbors in _pulls(np.array([2, 0, 3, 1]), np.array([7, 8, 4, 5, 6, 9]))
    ]
    assert turns == [([0, 2, 3], [7, 4, 9]), ([0, 2], [8, 5]), ([2], [6])]


@pytest.mark.parametrize("max_cells", [10_000, 400], ids=["of all cells", "of cells drawn"])
def test_the_picture_keeps_planted_groups_apart_and_is_the_same_again(max_cells: int) -> None:
    space, group = planted_groups(600)
    settings = SETTINGS | {"max_cells": max_cells}
    with threadpool_limits(1):
        picture = project_umap(space, *neighbors_of(space), **settings)
    _, nearest = cKDTree(picture).query(picture, 6)
    assert (group[nearest[:, 1:]] == group[:, None]).mean() > 0.99
    with threadpool_limits(2):
        again = project_umap(space, *neighbors_of(space), **settings)
    assert picture.tobytes() == again.tobytes()
    assert picture.dtype == np.float32


@pytest.mark.slow
@umap_learn
def test_neighbors_stay_together_as_in_umap_learn() -> None:
    from umap.umap_ import simplicial_set_embedding

    space, _ = planted_groups(1_500, n_groups=12, spread=2.0)
    indices, distances = neighbors_of(space)
    a, b = fit_curve(0.3)
    theirs, _ = simplicial_set_embedding(
        space,
        learned_graph(indices, distances),
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=200,
        init="pca",
        random_state=np.random.RandomState(1),
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    ours = project_umap(space, indices, distances, **SETTINGS | {"epochs": 200})
    kept = [trustworthiness(space, picture, n_neighbors=15) for picture in (ours, theirs)]
    assert kept[0] > kept[1] - 0.005
    np.testing.assert_allclose(np.ptp(ours, axis=0), np.ptp(theirs, axis=0), rtol=0.5)


@pytest.mark.parametrize("n_cells", [2, 3, 30])
def test_few_or_identical_cells_have_a_picture(n_cells: int) -> None:
    space, _ = planted_groups(n_cells)
    for points in (space, np.ones_like(space)):
        picture = project_umap(points, *neighbors_of(points), **SETTINGS)
        assert picture.shape == (n_cells, 2)
        assert np.isfinite(picture).all()
