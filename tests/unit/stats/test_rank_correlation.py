"""Partial rank correlations beside scipy, the inverse correlation matrix, and their definitions."""

from itertools import permutations
from math import factorial
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lammscope.stats.rank_correlation import RankCorrelation, rank_correlation


def correlate(
    x: np.ndarray, y: np.ndarray, covariates: np.ndarray | None = None, **settings: Any
) -> RankCorrelation:
    given = np.empty((len(x), 0)) if covariates is None else covariates
    defaults = {"max_exact": 100, "n_draws": 200, "seed": 1, "level": 0.95}
    return rank_correlation(x, np.atleast_2d(y), given, **(defaults | settings))


def test_without_covariates_it_is_spearmans_rho_with_ties() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 6, 15).astype(float), rng.normal(size=(4, 15))
    found = correlate(x, y)
    expected = [stats.spearmanr(x, row) for row in y]
    np.testing.assert_allclose(found.rho, [each.statistic for each in expected], atol=1e-12)
    np.testing.assert_allclose(found.p, [each.pvalue for each in expected], atol=1e-12)
    assert found.n_covariates == 0


def test_with_covariates_it_is_that_of_the_inverse_correlation_matrix_of_ranks() -> None:
    rng = np.random.default_rng(2)
    arm = np.repeat([0.0, 1.0], 10)
    values = rng.normal(size=(20, 3)) + arm[:, None] + rng.normal(size=(20, 1))
    x, y, depth = values.T
    found = correlate(x, y, np.column_stack([arm, depth]))
    ranks = np.array([stats.rankdata(each) for each in (x, y, arm, depth)])
    inverse = np.linalg.inv(np.corrcoef(ranks))
    rho = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert found.rho[0] == pytest.approx(rho, abs=1e-12)
    t = rho * np.sqrt(16 / (1 - rho**2))
    assert found.p[0] == pytest.approx(2 * stats.t.sf(abs(t), 16), abs=1e-12)


def test_the_interval_is_that_of_bonett_and_wright() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=25)
    found = correlate(x, x + rng.normal(size=25), rng.normal(size=(25, 2)))
    rho = found.rho[0]
    half = stats.norm.ppf(0.975) * np.sqrt((1 + rho**2 / 2) / (25 - 2 - 3))
    assert found.ci_low[0] == pytest.approx(np.tanh(np.arctanh(rho) - half))
    assert found.ci_high[0] == pytest.approx(np.tanh(np.arctanh(rho) + half))


def test_few_patients_are_permuted_in_every_order() -> None:
    x, y = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 1, 3, 5, 4])
    found = correlate(x, y, max_exact=factorial(5))
    observed = abs(stats.spearmanr(x, y).statistic)
    orders = [abs(stats.spearmanr(x, y[list(order)]).statistic) for order in permutations(range(5))]
    assert found.p_permutation[0] == pytest.approx(np.mean(np.array(orders) >= observed - 1e-9))
    assert found.p_floor == pytest.approx(2 / factorial(5))


def test_random_orders_count_the_observed_one_and_depend_on_the_seed_alone() -> None:
    x = np.arange(12.0)
    found = correlate(x, x**3, n_draws=200)
    assert found.rho[0] == pytest.approx(1)
    assert found.p_permutation[0] == pytest.approx(1 / 201)
    assert found.p_floor == pytest.approx(1 / 201)
    assert np.isnan(found.ci_low[0])  # a perfect correlation has no interval
    y = np.random.default_rng(4).normal(size=12)
    one, again, other = (correlate(x, y, seed=seed).p_permutation[0] for seed in (1, 1, 2))
    assert one == again != other


def test_the_order_of_the_patients_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    x, y, depth = rng.normal(size=(3, 14))
    order = rng.permutation(14)
    one = correlate(x, y, depth[:, None])
    other = correlate(x[order], y[order], depth[order, None])
    assert one.rho[0] == pytest.approx(other.rho[0], abs=1e-12)


def test_a_value_that_covariates_explain_or_too_few_patients_have_no_result() -> None:
    rng = np.random.default_rng(6)
    x, arm = rng.normal(size=10), np.repeat([0.0, 1.0], 5)
    for y, n in ((arm, 10), (np.ones(10), 10), (rng.normal(size=10), 5)):
        found = correlate(x[:n], y[:n], np.column_stack([arm, 2 * arm])[:n])
        assert found.n_covariates == (1 if n == 10 else 0)
        assert np.isnan(found.rho[0]) == (n == 10)
    few = correlate(x[:5], rng.normal(size=5), rng.normal(size=(5, 1)))
    assert np.isnan(few.rho[0])
    assert np.isnan(few.p_permutation[0])


@pytest.mark.parametrize("n", [8, 20])
def test_false_positives_are_at_the_level_if_both_values_depend_on_the_covariates(n: int) -> None:
    rng = np.random.default_rng(7)
    arm = np.repeat([0.0, 1.0], n // 2)
    p = []
    for _ in range(400):
        depth = rng.normal(size=n)
        x, y = rng.normal(size=(2, n)) + arm + depth
        found = correlate(x, y, np.column_stack([arm, depth]))
        p.append((found.p[0], found.p_permutation[0]))
    share = (np.array(p) < 0.05).mean(axis=0)
    assert (share > 0.02).all()
    assert (share < 0.09).all()
    unadjusted = np.mean([correlate(*(rng.normal(size=(2, n)) + 3 * arm)).p < 0.05 for _ in p])
    assert unadjusted > 0.3
