"""Power of t-tests, beside scipy's noncentral t distribution."""

import numpy as np
import pytest
from scipy import stats

from lammscope.stats.power import detectable_shift, t_power


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


@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_the_detectable_shift_is_found_with_its_power(power: float) -> None:
    for df in (3.3, 12.0):
        shift = detectable_shift(df, alpha=0.05, power=power)
        assert t_power(shift, df, alpha=0.05) == pytest.approx(power, abs=1e-9)
        assert np.isfinite(shift)
