"""Cumulative incidence where events compete, and Gray's test between groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.distributions import chi2_upper

CENSORED = 0  # the cause of who has no event
ROUNDING = 1e-10  # of survival; and of variances, relative to the largest


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of a cause from each time on when it was seen, and its variance."""

    times: Array
    incidence: Array
    variance: Array


@dataclass(frozen=True)
class GrayTest:
    """Gray's statistic, its degrees of freedom and p; nan where groups cannot be compared."""

    statistic: float
    df: int
    p: float


def cumulative_incidence(time: Array, cause: NDArray[np.int64], *, of: int) -> Incidence:
    """Compute the Aalen-Johansen estimate (`cuminc` of R's cmprsk).

    Parameters
    ----------
    time
        Time of the first event or of censoring, (n,).
    cause
        What happened, (n,): 0 is censored, each other number a cause.
    of
        The cause of interest.

    Notes
    -----
    The variance is that of the delta method. Tied events have the variance of draws without
    replacement.
    """
    times, own, other, at_risk = (a[..., 0] for a in _counts(time, cause, None, of))
    before, after = _survival(own + other, at_risk)
    incidence = np.cumsum(before * own / at_risk)
    # Change of the incidence at a later time (rows) with a hazard at a time (columns): by less
    # survival, and of the cause itself by the events, too
    lost = (incidence[:, None] - incidence) / np.where(after > 0, after, 1.0)
    lost = np.where(after > 0, lost, 0.0)
    until = np.tri(len(times))
    variance = (until * (1 - lost) ** 2) @ (before**2 * _spread(own, at_risk))
    variance += (until * lost**2) @ (before**2 * _spread(other, at_risk))
    seen = own > 0
    return Incidence(times[seen], incidence[seen], variance[seen])


def gray_test(
    time: Array, cause: NDArray[np.int64], group: NDArray[np.int64], *, of: int
) -> GrayTest:
    """Compare the cumulative incidence of a cause between groups.

    The test of Gray (1988, doi 10.1214/aos/1176350951) with rho 0, as in `cuminc` of R's cmprsk.

    Parameters
    ----------
    time, cause, of
        As in `cumulative_incidence`.
    group
        A number per patient, (n,).
    """
    _, own, other, at_risk = _counts(time, cause, group, of)
    n_groups = own.shape[1]
    before, after = _survival(own + other, at_risk)
    incidence = np.cumsum(_ratio(before * own, at_risk), axis=0)
    incidence_before = np.vstack([np.zeros(n_groups), incidence[:-1]])
    size = _ratio(at_risk, before)  # at risk, had no other cause taken patients away
    total = size.sum(axis=1)
    pooled = np.cumsum(own.sum(axis=1) / total)
    pooled_before = np.concatenate([[0.0], pooled[:-1]])
    expected = size * (1 - incidence_before)
    expected /= expected.sum(axis=1, keepdims=True)
    score = (own - own.sum(axis=1, keepdims=True) * expected).sum(axis=0)

    # What an event in group k (last axis) does to the score of group i, at once and later
    at_once = size[:, :, None] * (np.eye(n_groups) - (size / total[:, None])[:, None])
    hazard = own.sum(axis=1) / (total * (1 - pooled_before))
    summed = np.cumsum(at_once * hazard[:, None, None], axis=0)
    later = summed[-1] - summed
    scale = np.where(after > 0, _ratio((1 - pooled)[:, None], after), 0.0)
    of_own = at_once + np.where(after > 0, 1 - scale, 1.0)[:, None] * later
    of_other = scale[:, None] * later
    share = own.sum(axis=1, keepdims=True) * _ratio(at_risk, before * total[:, None])
    ties = 1 - _ratio(own.sum(axis=1, keepdims=True) - 1, total[:, None] * before - 1)
    weight_own = np.where(own.sum(axis=1, keepdims=True) > 1, ties, 1.0) * share
    weight_own *= _ratio(before, at_risk) ** 2
    weight_other = _ratio(before, 1.0) ** 2 * _spread(other, at_risk)
    variance = np.einsum("tik,tjk,tk->ij", of_own, of_own, weight_own)
    variance += np.einsum("tik,tjk,tk->ij", of_other, of_other, weight_other)
    return _chi_squared(score[:-1], variance[:-1, :-1])


def _chi_squared(score: Array, variance: Array) -> GrayTest:
    df = len(score)
    if df == 0 or np.linalg.eigvalsh(variance)[0] <= ROUNDING:
        return GrayTest(np.nan, df, np.nan)
    statistic = float(score @ np.linalg.solve(variance, score))
    return GrayTest(statistic, df, float(chi2_upper(statistic, df)))


def _counts(
    time: Array, cause: NDArray[np.int64], group: NDArray[np.int64] | None, of: int
) -> tuple[Array, Array, Array, Array]:
    """Return times of events (m x 1), and events of the cause, of others, and numbers at risk.

    The latter are m x groups. Times with censoring only are left out.
    """
    times = np.unique(time[cause != CENSORED])
    if len(times) == 0:
        raise ValueError("Cumulative incidence: there are no events")
    codes = np.zeros(len(time), dtype=np.int64)
    if group is not None:
        codes = np.unique(group, return_inverse=True)[1]
    member = np.eye(codes.max() + 1)[codes]
    at = time == times[:, None]
    own, other = (at & kind for kind in (cause == of, (cause != of) & (cause != CENSORED)))
    return times[:, None], own @ member, other @ member, (time >= times[:, None]) @ member


def _survival(events: Array, at_risk: Array) -> tuple[Array, Array]:
    """Return survival free of any event before and after each time."""
    after = np.cumprod(1 - _ratio(events, at_risk), axis=0)
    after = np.where(after > ROUNDING, after, 0.0)
    return np.concatenate([np.ones_like(after[:1]), after[:-1]]), after


def _spread(events: Array, at_risk: Array) -> Array:
    """Return the variance of the hazard at each time."""
    ties = 1 - _ratio(events - 1, at_risk - 1)
    return _ratio(events, at_risk) * _ratio(np.where(events > 1, ties, 1.0), at_risk)


def _ratio(numerator: Array | float, denominator: Array | float) -> Array:
    """Divide; 0 where nobody is left."""
    known = np.asarray(denominator) > 0
    return np.where(known, numerator / np.where(known, denominator, 1.0), 0.0)
