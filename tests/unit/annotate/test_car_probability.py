"""The mixture of CAR-T cells and other T cells: rates, missed cells, stray UMIs and neighbors."""

import numpy as np
import pytest

from lammscope.annotate.car_probability import (
    SHAPE,
    CarCounts,
    fit_car_mixture,
    stray_umis,
)

N = 3000
NONE = np.full((N, 1), -1)


def draw(
    share: float, *, rate: float = 5.0, stray: float = 0.002, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw CAR-T cells (bool), their UMIs of the CAR, and the UMIs of each cell."""
    rng = np.random.default_rng(seed)
    car = rng.random(N) < share
    totals = np.exp(rng.normal(np.log(2500), 0.4, N)).round()
    level = rate * totals / 1e4 * rng.gamma(SHAPE, 1 / SHAPE, N)
    return car, rng.poisson(np.where(car, level, 0) + stray), totals


def neighbors_of(groups: np.ndarray, *, k: int = 20, seed: int = 1) -> np.ndarray:
    """Draw neighbors from the group of each cell."""
    rng = np.random.default_rng(seed)
    found = np.zeros((len(groups), k), dtype=int)
    for group in np.unique(groups):
        rows = np.flatnonzero(groups == group)
        found[rows] = rng.choice(rows, (len(rows), k))
    return found


@pytest.mark.parametrize("rate", [2.0, 5.0, 12.0])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_share_and_rate_are_found_although_many_cells_show_no_transcript(
    share: float, rate: float
) -> None:
    car, umi, totals = draw(share, rate=rate)
    found = fit_car_mixture(CarCounts(umi, totals, NONE, 0.002))
    assert rate / 1.7 < found.rate < 1.7 * rate
    assert found.probability.sum() == pytest.approx(car.sum(), rel=0.3)
    assert (umi[car] > 0).mean() < 0.95  # so that counting cells with a transcript misses some


def test_a_sample_without_a_transcript_has_no_car_t_cells() -> None:
    found = fit_car_mixture(CarCounts(np.zeros(N, dtype=int), np.full(N, 3000), NONE, 0.001))
    assert found.probability.max() < 0.01


def test_a_deep_cell_without_a_transcript_is_less_probable_than_a_shallow_one() -> None:
    _, umi, totals = draw(0.3)
    found = fit_car_mixture(CarCounts(umi, totals, NONE, 0.002)).probability
    silent = np.flatnonzero(umi == 0)
    ordered = silent[np.argsort(totals[silent])]
    assert (np.diff(found[ordered]) <= 1e-12).all()
    assert found[ordered[0]] > 2 * found[ordered[-1]]


@pytest.mark.parametrize("thinned", [1.0, 0.5, 0.25])
def test_probabilities_mean_what_they_say_at_any_depth(thinned: float) -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 5, N)  # with 2, 10, 30, 60 and 95 % CAR-T cells
    _, umi, totals = draw(1.0)
    car = rng.random(N) < np.array([0.02, 0.1, 0.3, 0.6, 0.95])[groups]
    umi = rng.binomial(np.where(car, umi, 0), thinned)
    counts = CarCounts(umi, totals * thinned, neighbors_of(groups), 1e-4)
    found = fit_car_mixture(counts)
    assert np.isfinite(found.strength)
    for low, high in ((0, 0.1), (0.1, 0.2), (0.2, 0.4), (0.4, 0.7), (0.7, 1.01)):
        chosen = (found.probability >= low) & (found.probability < high)
        if chosen.sum() >= 50:
            assert car[chosen].mean() == pytest.approx(found.probability[chosen].mean(), abs=0.12)


def test_neighbors_tell_cells_without_a_transcript_apart() -> None:
    car, umi, totals = draw(0.3)
    own = fit_car_mixture(CarCounts(umi, totals, neighbors_of(car.astype(int)), 0.002))
    silent = umi == 0
    assert own.probability[silent & car].mean() > 0.7
    assert own.probability[silent & ~car].mean() < 0.02


def test_neighbors_that_tell_nothing_do_not_count() -> None:
    car, umi, totals = draw(0.3)
    drawn = neighbors_of(np.zeros(N, dtype=int))
    found = fit_car_mixture(CarCounts(umi, totals, drawn, 0.002))
    alone = fit_car_mixture(CarCounts(umi, totals, NONE, 0.002))
    assert found.strength >= 75
    assert found.probability[~car].mean() == pytest.approx(alone.probability[~car].mean(), abs=0.02)


def test_stray_umis_come_from_other_cells_and_from_the_cohort_where_these_are_few() -> None:
    t_mean = np.array([1.0, 1.0, 0.0])
    stray = stray_umis(np.array([100, 0, 0]), np.array([2000, 0, 500]), t_mean)
    assert stray[0] == pytest.approx(0.05, rel=0.05)
    assert stray[1] == pytest.approx(stray[0], rel=0.1)
    assert 0 < stray[2] < 1e-5


@pytest.mark.parametrize("n_cells", [1, 3])
def test_a_sample_of_few_t_cells_is_fitted(n_cells: int) -> None:
    umi = np.arange(n_cells)
    found = fit_car_mixture(
        CarCounts(umi, np.full(n_cells, 2000), np.full((n_cells, 4), -1), 0.001)
    )
    assert found.probability.shape == (n_cells,)
    assert np.isfinite(found.probability).all()
    assert (np.diff(found.probability) > 0).all()
