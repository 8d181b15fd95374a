"""Power of t-tests, beside scipy's noncentral t distribution."""

import numpy as np
import pytest
from scipy import stats

from lammscope.stats.power import detectable_shift, t_power, welch_power


@pytest.mark.parametrize("df", [2.0, 5.7, 30.0, 400.0])
@pytest.mark.parametrize("shift", [0.0, 0.4, 2.0, 5.0])
def test_power_is_that_of_the_noncentral_t(df: float, shift: float) -> None:
    two, one = stats.t.ppf([0.975, 0.95], df)
    expected = stats.nct.sf(two, df, shift) + stats.nct.cdf(-two, df, shift)
    assert t_power(shift, df, alpha=0.05) == pytest.approx(expected, abs=1e-6)
    upper = stats.nct.sf(one, df, shift)
    assert t_power(shift, df, alpha=0.05, one_sided=True) == pytest.approx(upper, abs=1e-6)


def test_without_a_difference_the_power_is_the_level() -> None:
    assert t_power(0, 7, alpha=0.05) == pytest.approx(0.05, abs=1e-6)
    assert t_power(0, 7, alpha=0.05, one_sided=True) == pytest.approx(0.05, abs=1e-6)


@pytest.mark.parametrize(("sizes", "sd"), [((5, 5), (1, 1)), ((4, 12), (2, 1)), ((30, 20), (1, 3))])
def test_power_of_welchs_test_is_that_of_simulated_arms(
    sizes: tuple[int, int], sd: tuple[float, float]
) -> None:
    rng = np.random.default_rng(1)
    n_draws, difference = 40_000, 1.7 * np.hypot(sd[0] / sizes[0] ** 0.5, sd[1] / sizes[1] ** 0.5)
    arms = [rng.normal(0, s, (n_draws, n)) for n, s in zip(sizes, sd, strict=True)]
    found = stats.ttest_ind(arms[0] + difference, arms[1], axis=1, equal_var=False).pvalue
    variance, df = np.square(sd) / sizes, np.array(sizes) - 1.0
    power = welch_power(difference, variance, df, alpha=0.05)
    assert power == pytest.approx(np.mean(found < 0.05), abs=0.01)  # four standard errors
    assert welch_power(-difference, variance, df, alpha=0.05) == pytest.approx(power)


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_shift_is_found_with_its_power(power: float) -> None:
    for df in (3.3, 12.0):
        shift = detectable_shift(df, alpha=0.05, power=power)
        assert t_power(shift, df, alpha=0.05) == pytest.approx(power, abs=1e-9)
        assert np.isfinite(shift)
