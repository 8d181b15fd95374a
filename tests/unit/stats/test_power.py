"""Power of one-sided t-tests, compared with scipy's noncentral t."""

import pytest
from scipy import stats

from lammscope.stats.power import one_sided_power


@pytest.mark.parametrize(("effect", "se", "df"), [(0.5, 0.2, 7.3), (0.0, 0.4, 3.0), (1.2, 0.3, 30)])
def test_power_is_the_upper_tail_of_a_noncentral_t(effect: float, se: float, df: float) -> None:
    critical = stats.t.ppf(0.95, df)
    expected = stats.nct.sf(critical, df, effect / se)
    assert one_sided_power(effect, se=se, df=df, alpha=0.05) == pytest.approx(expected, rel=1e-8)


def test_without_an_effect_power_is_the_level() -> None:
    assert one_sided_power(0.0, se=1.0, df=5.0, alpha=0.05) == pytest.approx(0.05)
