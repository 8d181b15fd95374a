"""Cox regression with Firth's penalty: closed forms, limits, and influence of patients."""

import numpy as np
import pytest

from lammscope.stats import Array
from lammscope.stats.cox import firth_cox, leave_one_out, why_not_estimable
from lammscope.stats.risk_sets import Events


def cohort(n: int = 14, seed: int = 1) -> tuple[Array, Events, Array]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    time, end = rng.exponential(size=n) * np.exp(-x[:, 0]), rng.uniform(0.5, 2, n)
    return np.minimum(time, end), time <= end, x


def test_of_two_patients_the_hazard_ratio_is_3() -> None:
    """The penalized likelihood is p^1.5 (1 - p)^0.5 of p = exp(b) / (1 + exp(b))."""
    fit = firth_cox(np.array([1.0, 2.0]), np.array([True, False]), np.array([1.0, 0.0]))
    assert fit.estimate == pytest.approx(np.log(3), abs=1e-9)
    bounds = np.array([fit.ci_low, fit.ci_high])
    height = 2 * bounds - 2 * np.log1p(np.exp(bounds)) - bounds / 2
    top = 1.5 * np.log(0.75) + 0.5 * np.log(0.25)
    np.testing.assert_allclose(height, top - 3.841458820694124 / 2)
    assert fit.ci_low < fit.estimate < fit.ci_high


def test_estimates_are_finite_where_the_marker_sorts_the_events() -> None:
    time = np.arange(1.0, 13)
    fit = firth_cox(time, np.ones(12, dtype=bool), -time)
    assert 0 < fit.ci_low < fit.estimate < fit.ci_high < np.inf
    assert fit.p < 1e-6


@pytest.mark.parametrize("at", [0, 1])
def test_a_covariate_that_sorts_the_events_leaves_the_other_column_a_finite_interval(
    at: int,
) -> None:
    rng = np.random.default_rng(3)
    time = np.arange(1.0, 11)
    x = np.column_stack([rng.normal(size=10), np.arange(10) < 4])
    fit = firth_cox(time, time < 5, x, at=at)
    assert np.isfinite([fit.estimate, fit.se[at], fit.ci_low, fit.ci_high, fit.p]).all()
    assert fit.ci_low < fit.estimate < fit.ci_high


def test_units_and_the_order_of_patients_and_columns_do_not_matter() -> None:
    time, event, x = cohort()
    order = np.random.default_rng(2).permutation(len(time))
    fit = firth_cox(time, event, x)
    other = firth_cox(365 * time[order], event[order], 5 + 100 * x[order, ::-1], at=1)
    for name in ("estimate", "ci_low", "ci_high"):
        assert getattr(other, name) * 100 == pytest.approx(getattr(fit, name), rel=1e-7)
    assert other.p == pytest.approx(fit.p, rel=1e-7)
    np.testing.assert_allclose(other.coef[::-1] * 100, fit.coef, rtol=1e-7)


def test_patients_without_time_at_risk_of_an_event_change_nothing() -> None:
    time, event, x = cohort()
    early = np.append(time, time[event].min() / 2)
    fit = firth_cox(time, event, x[:, 0])
    more = firth_cox(early, np.append(event, False), np.append(x[:, 0], 9.0))
    assert more.estimate == pytest.approx(fit.estimate, rel=1e-7)
    assert (more.n, more.n_events) == (fit.n + 1, fit.n_events)


def test_the_interval_excludes_0_where_p_is_small() -> None:
    for seed in range(30):
        time, event, x = cohort(seed=seed)
        fit = firth_cox(time, event, x)
        assert (fit.p < 0.05) == (not fit.ci_low <= 0 <= fit.ci_high)


@pytest.mark.parametrize(
    ("event", "x", "reason"),
    [
        ([0, 0, 0, 0], [[1.0], [2.0], [0.0], [1.0]], "there are no events"),
        ([1, 1, 0, 0], [[1.0]] * 4, "the same value in all patients"),
        ([1, 1, 0, 0], [[1.0, 2], [2, 4], [0, 0], [1, 2]], "follows from the others"),
        ([1, 1, 0, 0], [[np.nan], [2.0], [0.0], [1.0]], "is missing"),
        ([0, 0, 1, 0], [[1.0], [2.0], [0.0], [0.0]], "do not differ"),
    ],
)
def test_what_cannot_be_fitted_has_a_reason(
    event: list[int], x: list[list[float]], reason: str
) -> None:
    data = np.arange(1.0, 5), np.array(event, dtype=bool), np.array(x)
    assert reason in (why_not_estimable(*data) or "")
    with pytest.raises(ValueError, match=reason):
        firth_cox(*data)


def test_each_patient_is_left_out() -> None:
    time, event, x = cohort()
    left = leave_one_out(time, event, x)
    fit = firth_cox(time[1:], event[1:], x[1:])
    assert (left.estimate[0], left.p[0]) == (fit.estimate, fit.p)
    assert np.isfinite(left.p).all()
    assert len(left.p) == len(time)


def test_without_the_only_event_nothing_is_known() -> None:
    time, event = np.arange(1.0, 7), np.arange(6) == 1
    left = leave_one_out(time, event, np.array([0.3, 2, 1, 0, 0.5, 1.5]))
    assert np.isnan(left.estimate).tolist() == event.tolist()
    assert np.isnan(left.p).tolist() == event.tolist()
