"""Survival curves, restricted means and cumulative incidence: closed forms."""

import numpy as np
import pytest

from lammscope.stats.competing_risks import cumulative_incidence, gray_test
from lammscope.stats.survival_curves import (
    kaplan_meier,
    longest_limit,
    numbers_at_risk,
    restricted_mean,
    restricted_mean_difference,
)

RNG = np.random.default_rng(1)
TIME = RNG.exponential(size=40)
ALL = np.ones(40, dtype=bool)
CAUSE = np.arange(40) % 3
GROUP = np.arange(40) % 2


def test_without_censoring_survival_is_the_share_alive() -> None:
    curve = kaplan_meier(TIME, ALL)
    np.testing.assert_allclose(curve.survival, [(t < TIME).mean() for t in curve.times])
    assert curve.median == pytest.approx(np.median(TIME))


def test_who_is_censored_at_the_time_of_an_event_is_at_risk() -> None:
    curve = kaplan_meier(np.array([1.0, 1, 2]), np.array([True, False, True]))
    np.testing.assert_allclose(curve.survival, [2 / 3, 0])
    assert curve.at_risk.tolist() == [3, 1]


def test_a_median_that_is_not_reached_is_infinite() -> None:
    assert kaplan_meier(TIME, ALL & (TIME < 0.1)).median == np.inf


def test_numbers_at_risk_count_who_is_seen_until_then_or_longer() -> None:
    assert numbers_at_risk(np.array([1.0, 2, 2, 5]), [0, 1, 2, 3, 6]).tolist() == [4, 4, 3, 1, 0]


def test_without_censoring_the_restricted_mean_is_a_mean() -> None:
    mean, se = restricted_mean(TIME, ALL, until=0.8)
    short = np.minimum(TIME, 0.8)
    assert mean == pytest.approx(short.mean())
    assert se == pytest.approx(short.std() / np.sqrt(40))


def test_a_limit_beyond_follow_up_is_refused() -> None:
    event = np.median(TIME) > TIME
    with pytest.raises(ValueError, match=r"until 90: no patient was observed beyond \d"):
        restricted_mean(TIME, event, until=90)
    assert restricted_mean(TIME, ALL, until=90)[0] == pytest.approx(TIME.mean())


def test_the_difference_of_restricted_means_is_test_less_reference() -> None:
    test = GROUP == 1
    until = longest_limit(TIME, test)
    got = restricted_mean_difference(TIME, ALL, test, until=until)
    means = [restricted_mean(TIME[who], ALL[who], until=until) for who in (test, ~test)]
    assert got.estimate == pytest.approx(means[0][0] - means[1][0])
    assert got.se == pytest.approx(np.hypot(means[0][1], means[1][1]))
    assert (got.p < 0.05) == (not got.ci_low < 0 < got.ci_high)
    assert got.ci_high - got.ci_low == pytest.approx(2 * 1.959963984540054 * got.se)


def test_one_cause_alone_is_the_complement_of_survival() -> None:
    event = CAUSE == 1
    got, curve = cumulative_incidence(TIME, event.astype(int), of=1), kaplan_meier(TIME, event)
    np.testing.assert_allclose(got.incidence, 1 - curve.survival[curve.events > 0])


def test_incidences_of_all_causes_add_up_to_any_event() -> None:
    total = sum(cumulative_incidence(TIME, CAUSE, of=c).incidence[-1] for c in (1, 2))
    assert total == pytest.approx(1 - kaplan_meier(TIME, CAUSE > 0).survival[-1])


def test_groups_with_the_same_times_do_not_differ() -> None:
    time, cause = np.repeat(TIME[:20], 2), np.repeat(CAUSE[:20], 2)
    got = gray_test(time, cause, GROUP, of=1)
    assert got.statistic == pytest.approx(0, abs=1e-20)
    assert got.p == pytest.approx(1)


def test_names_of_groups_do_not_matter() -> None:
    first = gray_test(TIME, CAUSE, GROUP, of=1)
    second = gray_test(TIME, CAUSE, 7 - GROUP, of=1)
    assert first.statistic == pytest.approx(second.statistic)


def test_one_group_cannot_be_compared() -> None:
    assert np.isnan(gray_test(TIME, CAUSE, np.zeros(40, dtype=int), of=1).p)


def test_a_cohort_without_events_is_refused() -> None:
    with pytest.raises(ValueError, match="no events"):
        cumulative_incidence(TIME, np.zeros(40, dtype=int), of=1)
