"""Score tests of a marker by permutation, and of proportional hazards."""

from itertools import permutations

import numpy as np
import pytest

from lammscope.stats import Array
from lammscope.stats.cox_tests import (
    hazards_proportional,
    permutation_p,
    score_permutations,
    score_test,
)
from lammscope.stats.risk_sets import Events

TIME, EVENT = np.arange(1.0, 7), np.array([1, 1, 0, 1, 1, 0], dtype=bool)
MARKER = np.array([2.0, 0.1, 1.4, -0.3, 0.2, -1.1])
ALL = np.array(list(permutations(range(6))))


def cohort(n: int = 20) -> tuple[Array, Events, Array, Array]:
    rng = np.random.default_rng(4)
    covariates = np.column_stack([np.arange(n) % 2, rng.normal(size=n)]).astype(float)
    x = rng.normal(size=n) + covariates @ [1.0, 0.5]
    time = rng.exponential(size=n) * np.exp(-covariates[:, 0])
    return time, rng.random(n) < 0.7, x, covariates


def test_a_permuted_statistic_is_that_of_the_permuted_marker() -> None:
    got = score_permutations(TIME, EVENT, MARKER, ALL[:50])
    each = [score_test(TIME, EVENT, MARKER[order]).z for order in ALL[:50]]
    np.testing.assert_allclose(got, each)


def test_the_exact_p_is_below_each_level_as_rarely_as_the_level_says() -> None:
    found = [permutation_p(TIME, EVENT, MARKER[o], ALL, exact=True) for o in ALL]
    p = np.array([each.p for each in found])
    for level in (0.01, 0.05, 0.1, 0.25, 0.5):
        assert (p <= level).mean() <= level
    assert min(p) == pytest.approx(found[0].floor)


def test_the_floor_counts_orders_that_no_statistic_tells_apart() -> None:
    """The last event has nobody else at risk, and the patient censored there has a like."""
    time, event = np.array([1.0, 2, 3, 3]), np.array([1, 1, 0, 0], dtype=bool)
    orders = np.array(list(permutations(range(4))))
    got = permutation_p(time, event, np.array([3.0, 1.5, 0.2, 0]), orders, exact=True)
    assert got.p == got.floor == pytest.approx(2 / 24)


def test_p_of_draws_counts_the_data() -> None:
    orders = np.tile(np.arange(6), (99, 1))
    assert permutation_p(TIME, EVENT, MARKER, orders, exact=False).p == 1.0
    other = np.array([o for o in ALL if not (MARKER[o] == MARKER).all()])
    weak = other[np.argsort(np.abs(score_permutations(TIME, EVENT, MARKER, other)))[:99]]
    got = permutation_p(TIME, EVENT, MARKER, weak, exact=False)
    assert got.p == got.floor == 0.01


def test_covariates_that_explain_nothing_change_little() -> None:
    time, event, x, _ = cohort(60)
    noise = np.random.default_rng(1).normal(size=(60, 1))
    alone, adjusted = score_test(time, event, x), score_test(time, event, x, covariates=noise)
    assert adjusted.z == pytest.approx(alone.z, abs=0.5)


def test_an_effect_of_the_covariate_is_not_one_of_the_marker() -> None:
    rng = np.random.default_rng(7)
    covariate = rng.normal(size=(200, 1))
    x = covariate[:, 0] + 0.5 * rng.normal(size=200)
    time, event = rng.exponential(size=200) * np.exp(-covariate[:, 0]), np.ones(200, dtype=bool)
    assert score_test(time, event, x).p < 1e-6
    assert score_test(time, event, x, covariates=covariate).p > 0.05


def test_within_strata_of_the_covariate_the_marker_itself_is_permuted() -> None:
    time, event, x, covariates = cohort()
    stratum = covariates[:, :1]
    rng = np.random.default_rng(5)
    orders = np.tile(np.arange(len(x)), (20, 1))
    for code in (0, 1):
        members = np.flatnonzero(stratum[:, 0] == code)
        orders[:, members] = rng.permuted(orders[:, members], axis=1)
    got = score_permutations(time, event, x, orders, covariates=stratum)
    each = [score_test(time, event, x[order], covariates=stratum).z for order in orders]
    np.testing.assert_allclose(got, each)


def test_a_marker_that_is_a_covariate_has_no_statistic() -> None:
    time, event, _, covariates = cohort()
    orders = np.array([np.random.default_rng(1).permutation(len(time)) for _ in range(5)])
    got = score_permutations(time, event, 3 * covariates[:, 1], orders, covariates=covariates)
    np.testing.assert_array_equal(got, 0.0)


@pytest.mark.parametrize("transform", ["rank", "km"])
def test_an_effect_that_fades_is_not_proportional(transform: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=300)
    early = rng.exponential(size=300) * np.exp(-1.5 * x)
    time = np.where(early < 0.5, early, 0.5 + rng.exponential(size=300))
    event = np.ones(300, dtype=bool)
    fading = hazards_proportional(time, event, x, transform=transform)
    assert fading.z < 0
    assert fading.p < 1e-4
    lasting = rng.exponential(size=300) * np.exp(-1.5 * x)
    assert hazards_proportional(lasting, event, x, transform=transform).p > 0.05


def test_one_time_of_events_tells_nothing_of_proportional_hazards() -> None:
    got = hazards_proportional(np.array([2.0, 1, 2, 3]), TIME[:4] == 2, MARKER[:4])
    assert np.isnan([got.z, got.p]).all()
