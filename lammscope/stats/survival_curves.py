"""Kaplan-Meier curves, numbers at risk, and restricted mean survival."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from lammscope.stats import Array
from lammscope.stats.distributions import normal_lower, normal_quantile
from lammscope.stats.risk_sets import Events

LEVEL = 0.05  # 1 - coverage of intervals


@dataclass(frozen=True)
class Curve:
    """A survival curve: one value per different time, of events and of censoring alike.

    `ci_low` and `ci_high` (95 %) are log(-log) intervals of each point; nan where survival is 1 or
    0, for which the variance is not known.
    """

    times: Array
    survival: Array
    at_risk: NDArray[np.int64]
    events: NDArray[np.int64]
    ci_low: Array
    ci_high: Array

    @property
    def median(self) -> float:
        """The first time when survival is half or less; inf if it stays above.

        If survival is half exactly, the middle between that time and the next event, as in R.
        """
        return self._first_below(0.5)

    def _first_below(self, share: float) -> float:
        falls = self.events > 0
        times, survival = self.times[falls], self.survival[falls]
        reached = np.flatnonzero(survival < share + ROUNDING)
        if len(reached) == 0:
            return np.inf
        first = reached[0]
        if survival[first] < share - ROUNDING:
            return float(times[first])
        later = times[first + 1] if first + 1 < len(times) else self.times[-1]
        return float((times[first] + later) / 2)


@dataclass(frozen=True)
class MeanDifference:
    """A difference of restricted means with its 95 % interval and two-sided p (normal)."""

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    p: float


ROUNDING = 1e-10  # of survival


def kaplan_meier(time: Array, event: Events) -> Curve:
    """Compute the Kaplan-Meier estimate (`survfit` in R, `conf.type = "log-log"`).

    Parameters
    ----------
    time
        Time of the event or of censoring, (n,). Who is censored at the time of an event is at risk.
    event
        Whether the event was seen, (n,).
    """
    times, at = np.unique(time, return_inverse=True)
    at_risk = numbers_at_risk(time, times)
    events = np.bincount(at, weights=event, minlength=len(times)).astype(np.int64)
    survival = np.cumprod(1 - events / at_risk)
    inside = (survival > ROUNDING) & (survival < 1)
    hazard = np.log(np.where(inside, survival, 0.5))
    variance = np.cumsum(_greenwood(events, at_risk))
    wide = -normal_quantile(LEVEL / 2) * np.sqrt(variance) / np.abs(hazard)
    low, high = (np.where(inside, np.exp(hazard * np.exp(side * wide)), np.nan) for side in (1, -1))
    return Curve(times, survival, at_risk, events, low, high)


def numbers_at_risk(time: Array, at: ArrayLike) -> NDArray[np.int64]:
    """Return how many patients are at risk at given times: seen until then or longer."""
    return np.asarray(len(time) - np.searchsorted(np.sort(time), at), dtype=np.int64)


def restricted_mean(time: Array, event: Events, *, until: float) -> tuple[float, float]:
    """Compute mean survival within a time limit, and its standard error.

    The area under the Kaplan-Meier curve, with Greenwood's variance (`survRM2` and
    `survfit(...), rmean` in R).

    Parameters
    ----------
    time, event
        As in `kaplan_meier`.
    until
        The limit.

    Raises
    ------
    ValueError
        If the curve is not known until the limit: the last patient was censored before it.
    """
    curve = kaplan_meier(time, event)
    if until > curve.times[-1] and curve.survival[-1] > ROUNDING:
        raise ValueError(
            f"Restricted mean until {until:g}: no patient was observed beyond "
            f"{curve.times[-1]:g}. Choose an earlier limit."
        )
    kept = curve.times < until
    edges = np.concatenate([[0.0], curve.times[kept], [until]])
    areas = np.diff(edges) * np.concatenate([[1.0], curve.survival[kept]])
    after = np.cumsum(areas[::-1])[::-1][1:]
    spread = _greenwood(curve.events[kept], curve.at_risk[kept])
    return float(areas.sum()), float(np.sqrt(np.sum(after**2 * spread)))


def restricted_mean_difference(
    time: Array, event: Events, test: NDArray[np.bool_], *, until: float
) -> MeanDifference:
    """Compare the restricted means of two groups.

    Normal, as in `survRM2` of R, with no correction for few patients.

    Parameters
    ----------
    time, event, until
        As in `restricted_mean`.
    test
        Whether a patient is in the test group, whose mean the other's is taken from, (n,).

    Raises
    ------
    ValueError
        As in `restricted_mean`, for either group. `longest_limit` gives a limit that both allow.
    """
    mean, se = restricted_mean(time[test], event[test], until=until)
    other, other_se = restricted_mean(time[~test], event[~test], until=until)
    estimate, both = mean - other, float(np.hypot(se, other_se))
    wide = -normal_quantile(LEVEL / 2) * both
    p = float(2 * normal_lower(-abs(estimate) / both)) if both > 0 else np.nan
    return MeanDifference(estimate, both, estimate - wide, estimate + wide, p)


def longest_limit(time: Array, test: NDArray[np.bool_]) -> float:
    """Return the latest time until which both groups were observed (the default of `survRM2`)."""
    return float(min(time[test].max(), time[~test].max()))


def _greenwood(events: NDArray[np.int64], at_risk: NDArray[np.int64]) -> Array:
    """Return each time's part of Greenwood's variance; 0 where the last patients have the event."""
    left = at_risk - events
    return np.where(left > 0, events / (at_risk * np.maximum(left, 1)), 0.0)
