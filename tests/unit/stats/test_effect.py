"""The test of an effect between arms of unequal spread."""

from typing import Any

import numpy as np
import pytest
from scipy import stats

from lammscope.stats import linear
from lammscope.stats.effect import effect_test


def design_of(n_test: int, n_reference: int, *covariates: Any) -> np.ndarray:
    arm = np.repeat([1.0, 0.0], [n_test, n_reference])
    return np.column_stack([np.ones(len(arm)), arm, *covariates])


def test_without_covariates_it_is_the_test_of_welch() -> None:
    design = design_of(4, 9)
    values = np.random.default_rng(1).normal(size=(20, 13)) * np.where(design[:, 1] > 0, 3, 1)
    found = effect_test(values, design, 1)
    expected = stats.ttest_ind(values[:, :4], values[:, 4:], axis=1, equal_var=False)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)
    np.testing.assert_allclose(found.df, expected.df)
    low = expected.confidence_interval(0.95).low
    np.testing.assert_allclose(found.estimate - stats.t.ppf(0.975, found.df) * found.se, low)


@pytest.mark.parametrize("n_covariates", [0, 2])
def test_of_pairs_and_numbers_it_is_the_ordinary_test(n_covariates: int) -> None:
    rng = np.random.default_rng(2)
    values, numbers = rng.normal(size=(5, 10)), rng.normal(size=(10, n_covariates))
    for first in (np.ones(10), rng.normal(size=10)):
        design = np.column_stack([first, numbers])
        found = effect_test(values, design, 0)
        expected = linear.ordinary(linear.lm_fit(values, design))
        np.testing.assert_allclose(found.t, expected.t[:, 0])
        np.testing.assert_allclose(found.p, expected.p_value[:, 0])


def test_variances_of_the_arms_are_unbiased_with_covariates() -> None:
    """The mean of squared standard errors is the variance of estimates, at true spreads of 1, 3."""
    rng = np.random.default_rng(3)
    design = design_of(5, 9, rng.normal(size=14), rng.integers(0, 2, 14))
    spread = np.where(design[:, 1] > 0, 3.0, 1.0)
    inverse = np.linalg.inv(design.T @ design) @ design.T
    true = (inverse[1] * spread) @ (inverse[1] * spread)
    found = effect_test(rng.normal(size=(40_000, 14)) * spread, design, 1)
    assert np.mean(found.se**2) == pytest.approx(true, rel=0.02)
    assert np.var(found.estimate) == pytest.approx(true, rel=0.02)


def test_degrees_of_freedom_are_those_of_the_variance_with_covariates() -> None:
    """2 mean^2 / variance of the squared standard errors, by Satterthwaite's definition."""
    rng = np.random.default_rng(4)
    design = design_of(20, 30, rng.normal(size=50))
    spread = np.where(design[:, 1] > 0, 2.0, 1.0)
    found = effect_test(rng.normal(size=(40_000, 50)) * spread, design, 1)
    squared = found.se**2
    by_definition = 2 * squared.mean() ** 2 / squared.var()
    assert np.median(found.df) == pytest.approx(by_definition, rel=0.03)


PRODUCT = np.r_[1, 1, 1, 1, 1, 0, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("spread", [1, 2, 3])
@pytest.mark.parametrize(
    "design",
    [
        design_of(6, 6),
        design_of(5, 15, np.random.default_rng(1).normal(size=20)),
        design_of(4, 12, np.random.default_rng(2).normal(size=16)),
        design_of(5, 15, np.r_[1, 1, 0, 0, 0, np.ones(5), np.zeros(10)]),
        design_of(6, 6, PRODUCT),
    ],
    ids=["6 v 6", "5 v 15, a number", "4 v 12, a number", "5 v 15, product", "products 5:1"],
)
def test_without_a_difference_five_per_cent_have_p_below_five_per_cent(
    design: np.ndarray, spread: int
) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(size=(20_000, len(design))) * np.where(design[:, 1] > 0, spread, 1)
    assert 0.04 < np.mean(effect_test(values, design, 1).p < 0.05) < 0.066


def test_an_arm_whose_spread_is_not_known_has_no_p() -> None:
    values = np.random.default_rng(6).normal(size=(3, 6))
    for design in (
        design_of(1, 5),
        design_of(2, 4, [1, 0, 0, 0, 1, 1], [0, 1, 0, 1, 0, 1]),  # each of two has a column
        design_of(3, 3, [1, 1, 1, 0, 0, 0]),  # the covariate is the arm
        design_of(3, 3, *np.eye(4, 6)),  # no residual degrees of freedom
    ):
        found = effect_test(values, design, 1)
        assert np.isnan(found.p).all()
        assert np.isnan(found.df).all()


def test_equal_values_have_no_t_and_a_perfect_fit_an_infinite_one() -> None:
    design = design_of(3, 3)
    found = effect_test(np.array([[0.0] * 6, [1.0] * 3 + [0.0] * 3]), design, 1)
    assert np.isnan(found.t[0])
    assert found.se[1] == 0
