"""Cumulative incidence where events compete, and Gray's test between groups."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.distributions import chi2_upper

CENSORED = 0
RELATIVE = 1e-10  # least part of a group's score in the variance, relative to the largest


@dataclass(frozen=True)
class Incidence:
    """Cumulative incidence of one cause after each of its times, and the variance of it."""

    times: Array
    incidence: Array
    variance: Array


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
    The variance is that of the delta method, with the factor of the hypergeometric distribution for
    tied events.
    """
    times, own, other, at_risk = _counts(time, cause, of)
    survival, before = _survival(own + other, at_risk)
    incidence = np.cumsum(before * own / at_risk)
    result = np.zeros(len(times))
    for i in range(len(times)):
        # d incidence(t_i) / d hazard of each cause at each time until t_i
        rest = incidence[i] - incidence[: i + 1]
        for events, direct in ((own, 1.0), (other, 0.0)):
            spread = _tied(events, at_risk)[: i + 1] / at_risk[: i + 1]
            left = np.where(survival > 0, survival, 1.0)[: i + 1]
            share = np.where(survival[: i + 1] > 0, rest / left, 0.0)
            change = before[: i + 1] * (direct - share)
            result[i] += np.sum(change**2 * spread)
    falls = own > 0
    return Incidence(times[falls], incidence[falls], result[falls])
