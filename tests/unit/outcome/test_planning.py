"""Plans: patients for a difference, beside statsmodels, and what lowers their number."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from lammscope.outcome.planning import (
    MOST,
    CallErrors,
    Spread,
    observed_difference,
    patients_needed,
    smallest_p,
)
from lammscope.outcome.plans import Plan, plan_curve, plan_table

KNOWN = (np.inf, np.inf)
EQUAL = Spread((0.36, 0.36), (0.0, 0.0), KNOWN, fraction=0.1, cells=500)
PAIRS = Spread((0.36,), (0.0,), (np.inf,), fraction=0.1, cells=500)
DIFFERENCE = float(np.log(2))


def test_equal_arms_need_as_many_patients_as_statsmodels_says() -> None:
    exact = TTestIndPower().solve_power(DIFFERENCE / 0.6, power=0.8, alpha=0.05)
    assert patients_needed(EQUAL, DIFFERENCE, power=0.8) == (np.ceil(exact),) * 2


def test_pairs_need_as_many_as_statsmodels_says() -> None:
    exact = TTestPower().solve_power(DIFFERENCE / 0.6, power=0.8, alpha=0.05)
    assert patients_needed(PAIRS, DIFFERENCE, power=0.8) == (np.ceil(exact),)


def test_the_arm_that_varies_more_decides_the_degrees_of_freedom() -> None:
    spread = Spread((1.0, 0.01), (0.0, 0.0), KNOWN, fraction=0.1, cells=500)
    one_arm = Spread((1.0,), (0.0,), (np.inf,), fraction=0.1, cells=500)
    assert spread.power(1.5, (8, 8)) == pytest.approx(one_arm.power(1.5, (8,)), abs=0.01)


def test_more_test_patients_than_reference_patients() -> None:
    sizes = patients_needed(EQUAL, DIFFERENCE, power=0.8, ratio=2)
    assert sizes is not None
    assert sizes[0] == 2 * sizes[1]
    assert patients_needed(EQUAL, DIFFERENCE, power=0.8, ratio=0.5) == sizes[::-1]


def test_no_power_where_a_permutation_cannot_reach_significance() -> None:
    assert smallest_p((3, 3)) == 0.1
    assert smallest_p((4, 3)) == pytest.approx(1 / 35)
    assert smallest_p((5,)) == 0.0625
    assert EQUAL.power(50, (3, 3)) == 0
    assert PAIRS.power(50, (5,)) == 0
    assert patients_needed(EQUAL, 50, power=0.8) == (4, 4)


def test_more_cells_lower_the_variance_of_counting_alone() -> None:
    spread = Spread((0.3, 0.3), (0.2, 0.2), KNOWN, fraction=0.01, cells=500)
    deeper = spread.with_cells(2000)
    assert deeper.counting == pytest.approx((0.05, 0.05))
    assert deeper.patients == spread.patients


def test_the_upper_limit_of_the_spread_covers_the_truth_in_80_percent() -> None:
    rng = np.random.default_rng(2)
    variances = rng.normal(0, 0.6, (2000, 2, 4)).var(axis=2, ddof=1)
    limits = [
        sum(Spread((a, b), (0.0, 0.0), (3.0, 3.0), 0.1, 500).upper_limit().patients)
        for a, b in variances
    ]
    covered = np.mean(np.array(limits) > 2 * 0.36)
    assert 0.77 < covered < 0.88  # Satterthwaite's degrees of freedom are a little too few


def test_the_upper_limit_of_one_variance_is_that_of_chi_squared() -> None:
    limit = Spread((0.5,), (0.1,), (5.0,), 0.1, 500).upper_limit(0.9)
    whole = limit.patients[0] + limit.counting[0]
    assert whole == pytest.approx(0.6 * 5 / stats.chi2.ppf(0.1, 5))
    assert EQUAL.upper_limit().patients == EQUAL.patients


def test_call_errors_hide_a_part_of_the_difference() -> None:
    kept = observed_difference(DIFFERENCE, fraction=0.1, sd=0.5, errors=CallErrors())
    missed = observed_difference(DIFFERENCE, fraction=0.1, sd=0.5, errors=CallErrors(0.7, 0.0))
    false = observed_difference(DIFFERENCE, fraction=0.1, sd=0.5, errors=CallErrors(1.0, 0.05))
    assert kept == DIFFERENCE
    assert false < missed < kept  # missed cells hide little of a ratio, false ones much
    exact = observed_difference(DIFFERENCE, fraction=0.1, sd=0.0, errors=CallErrors(1.0, 0.05))
    true = 0.05 / 0.95
    odds = 2 * true / (1 - true)
    called = 0.05 + 0.95 * odds / (1 + odds)
    assert exact == pytest.approx(np.log(called / (1 - called)) - np.log(0.1 / 0.9))


def test_calls_that_false_ones_explain_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit calls that find 90 % of the LAMM cells"):
        observed_difference(DIFFERENCE, fraction=0.02, sd=0.5, errors=CallErrors(0.9, 0.03))


def test_a_table_says_which_difference_needs_too_many_patients() -> None:
    table = plan_table(Plan("baseline", EQUAL, CallErrors()), ratios=[1.01, 2], power=0.8)
    assert table["reason"].tolist() == [f"more than {MOST} patients in an arm", ""]
    assert table["n_test"].isna().tolist() == [True, False]


def test_the_curve_passes_the_wanted_power_at_the_number_of_the_table() -> None:
    plan = Plan("baseline", EQUAL, CallErrors())
    needed = int(plan_table(plan, ratios=[2.5], power=0.8)["n_test"].iloc[0])
    curve = plan_curve(plan, ratios=[2.5]).set_index("n")["power"]
    assert curve[needed - 1] < 0.8 <= curve[needed]
