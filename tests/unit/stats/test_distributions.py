"""Distributions equal those of scipy.stats to the last bit."""

import numpy as np
from scipy import stats

from lammscope.stats import distributions
from lammscope.stats.multiplicity import benjamini_hochberg

RNG = np.random.default_rng(1)
VALUES = RNG.normal(0, 5, 2_000)
DF = np.concatenate([RNG.uniform(0.5, 60, 1_990), [1e15, np.inf, 1, 2, 3, 5e8, 0, -1, np.nan, 4]])
SHARES = RNG.random(2_000)


def test_tails_and_quantiles_of_t() -> None:
    expected = 2 * stats.t.sf(np.abs(VALUES), DF)
    np.testing.assert_array_equal(distributions.t_two_sided(VALUES, DF), expected)
    np.testing.assert_array_equal(distributions.t_quantile(0.975, DF), stats.t.ppf(0.975, DF))


def test_tails_and_quantiles_of_the_others() -> None:
    ratios, known = VALUES**2, DF[:1_990]
    expected = stats.f.sf(ratios[:1_990], 3, known)
    np.testing.assert_array_equal(distributions.f_upper(ratios[:1_990], 3, known), expected)
    expected = stats.chi2.ppf(SHARES[:1_990], known)
    np.testing.assert_array_equal(distributions.chi2_quantile(SHARES[:1_990], known), expected)
    assert distributions.chi2_quantile(0.5, 7) == stats.chi2.median(7)
    assert distributions.normal_quantile(0.975) == stats.norm.ppf(0.975)
    np.testing.assert_array_equal(distributions.normal_lower(VALUES), stats.norm.cdf(VALUES))


def test_adjusted_p_values_are_those_of_scipy() -> None:
    p = np.concatenate([SHARES, SHARES[:50], [0, 1]])
    expected = stats.false_discovery_control(p)
    np.testing.assert_array_equal(benjamini_hochberg(p), expected)
    with_gaps = np.insert(p, [0, 7, 2_052], np.nan)
    adjusted = benjamini_hochberg(with_gaps)
    assert np.isnan(adjusted[[0, 8, 2_054]]).all()
    np.testing.assert_array_equal(adjusted[~np.isnan(with_gaps)], expected)
