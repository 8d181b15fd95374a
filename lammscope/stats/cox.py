"""Cox regression of few events, with Firth's penalty.

With few events the ordinary estimate is biased away from 0, and infinite where the marker sorts all
events (monotone likelihood). Firth's penalty keeps it finite. Tied times are Efron's.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.distributions import chi2_quantile, chi2_upper
from lammscope.stats.risk_sets import Events, Penalized, RiskSets

LEVEL = 0.05  # 1 - coverage of intervals
MAX_STEPS = 100
LONGEST_STEP = 2.0  # standard deviations of the column
TOLERANCE = 1e-11  # of a step at convergence, in the same unit
FARTHEST = 500.0  # a bound of an interval farther out does not exist, in the same unit
EMPTY = 1e-10  # squared length of a column that the others explain, relative to its own


@dataclass(frozen=True)
class CoxFit:
    """A penalized fit: log hazard ratios and the test of one of them.

    `coef` and `se` have a value per column (standard errors are those of the information without
    penalty, as in R's coxphf). `estimate`, `ci_low`, `ci_high` (95 %, profile of the penalized
    likelihood) and `p` (penalized likelihood ratio) are of the tested column. A bound that does not
    exist is infinite.
    """

    coef: Array
    se: Array
    estimate: float
    ci_low: float
    ci_high: float
    p: float
    n: int
    n_events: int


@dataclass(frozen=True)
class LeftOut:
    """Estimate and p without each patient, (n,); nan where the others cannot be fitted."""

    estimate: Array
    p: Array


def firth_cox(time: Array, event: Events, x: Array, *, at: int = 0) -> CoxFit:
    """Fit a Cox regression with Firth's penalty and test one coefficient.

    The penalized log likelihood is that of `coxph` in R plus half the log determinant of the
    information of all columns, also where the tested coefficient is fixed (Heinze and Schemper
    2001, doi 10.1111/j.0006-341X.2001.00114.x). R's `coxphf` does the same, but takes tied times as
    Breslow does, which pulls estimates towards 0 where many times tie.

    Parameters
    ----------
    time
        Time of the event or of censoring, (n,).
    event
        Whether the event was seen, (n,).
    x
        Marker and covariates, (n, k), or (n,).
    at
        Position of the tested column.

    Raises
    ------
    ValueError
        Where `why_not_estimable` gives a reason, or the fit does not converge.
    """
    x, spread, risk = _prepared(time, event, x)
    coef, best, null = _maxima(risk, at)
    se = np.sqrt(np.diag(np.linalg.inv(best.information)))
    low, high = (_bound(risk, coef, best.likelihood, se[at] * side, at) for side in (-1, 1))
    return CoxFit(
        coef=coef / spread,
        se=se / spread,
        estimate=float(coef[at] / spread[at]),
        ci_low=float(low / spread[at]),
        ci_high=float(high / spread[at]),
        p=_p(best, null),
        n=len(x),
        n_events=int(event.sum()),
    )


def why_not_estimable(time: Array, event: Events, x: Array) -> str | None:
    """Return why `firth_cox` cannot fit the data, or None. Arguments are as there."""
    x = _columns(x)
    if not (np.isfinite(x).all() and np.isfinite(time).all()):
        return "a time or a value is missing"
    if not event.any():
        return "there are no events"
    if (np.ptp(x, axis=0) == 0).any():
        return "a column has the same value in all patients"
    x = x / x.std(axis=0)
    centered = x - x.mean(axis=0)
    if len(x) <= x.shape[1] or _dependent(centered.T @ centered):
        return "a column follows from the others"
    if _dependent(RiskSets.of(time, event, x).penalized(np.zeros(x.shape[1])).information):
        return "patients at risk at the times of the events do not differ"
    return None


def leave_one_out(time: Array, event: Events, x: Array, *, at: int = 0) -> LeftOut:
    """Fit the model without each patient in turn. Arguments are those of `firth_cox`."""
    x = _columns(x)
    estimate, p = np.full((2, len(x)), np.nan)
    for patient in range(len(x)):
        others = np.arange(len(x)) != patient
        if why_not_estimable(time[others], event[others], x[others]) is None:
            _, spread, risk = _prepared(time[others], event[others], x[others])
            coef, best, null = _maxima(risk, at)
            estimate[patient], p[patient] = coef[at] / spread[at], _p(best, null)
    return LeftOut(estimate, p)


def _prepared(time: Array, event: Events, x: Array) -> tuple[Array, Array, RiskSets]:
    """Return the columns, their standard deviations, and the risk sets of columns so scaled."""
    x = _columns(x)
    if reason := why_not_estimable(time, event, x):
        raise ValueError(f"Cox regression: {reason}")
    spread = x.std(axis=0)
    return x, spread, RiskSets.of(time, event, x / spread)


def _maxima(risk: RiskSets, at: int) -> tuple[Array, Penalized, Penalized]:
    """Return the coefficients, the likelihood there, and the largest without the tested column."""
    k = risk.x.shape[1]
    coef = _maximize(risk, np.zeros(k), free=np.arange(k))
    start = coef.copy()
    start[at] = 0.0
    null = _maximize(risk, start, free=np.delete(np.arange(k), at))
    return coef, risk.penalized(coef), risk.penalized(null)


def _p(best: Penalized, null: Penalized) -> float:
    return float(chi2_upper(max(2 * (best.likelihood - null.likelihood), 0.0), 1))


def _maximize(risk: RiskSets, coef: Array, *, free: NDArray[np.int64]) -> Array:
    """Maximize the penalized likelihood over the free coefficients by Newton's steps."""
    coef = coef.copy()
    if len(free) == 0:
        return coef
    both = np.ix_(free, free)
    current = risk.penalized(coef)
    for _ in range(MAX_STEPS):
        curvature = current.curvature[both]
        if np.linalg.eigvalsh(curvature)[0] <= 0:
            curvature = current.information[both]
        step = np.zeros_like(coef)
        step[free] = np.linalg.solve(curvature, current.slope[free])
        step /= max(1.0, np.abs(step).max() / LONGEST_STEP)
        size = np.abs(step).max()
        moved = risk.penalized(coef + step)
        while size > TOLERANCE and not moved.likelihood >= current.likelihood:
            step, size = step / 2, size / 2
            moved = risk.penalized(coef + step)
        coef, current = coef + step, moved
        if size <= TOLERANCE:
            return coef
    raise ValueError("Cox regression: the penalized likelihood has no maximum that can be found")


def _bound(risk: RiskSets, coef: Array, best: float, step: float, at: int) -> float:
    """Find where the profile of the penalized likelihood is as low as the interval allows.

    The search doubles its step from the estimate outward; then Newton's steps, halved intervals
    where those leave the bracket. The profile's slope is that of the likelihood at its maximum.
    """
    free = np.delete(np.arange(len(coef)), at)
    target = best - float(chi2_quantile(1 - LEVEL, 1)) / 2
    inside, reach = coef[at], 2 * step
    coef = coef.copy()
    while True:
        coef[at] = inside + reach
        if abs(coef[at]) > FARTHEST:
            return float(np.copysign(np.inf, step))
        height, slope, coef = _profile(risk, coef, at, free)
        if height <= target:
            break
        inside, reach = coef[at], 2 * reach
    outside = coef[at]
    for _ in range(MAX_STEPS):
        guess = coef[at] - (height - target) / slope
        if not min(inside, outside) <= guess <= max(inside, outside):
            guess = (inside + outside) / 2
        if abs(guess - coef[at]) < TOLERANCE * max(1.0, abs(guess)):
            break
        coef[at] = guess
        height, slope, coef = _profile(risk, coef, at, free)
        inside, outside = (guess, outside) if height > target else (inside, guess)
    return float(coef[at])


def _profile(
    risk: RiskSets, coef: Array, at: int, free: NDArray[np.int64]
) -> tuple[float, float, Array]:
    """Return the profile at a fixed coefficient, its slope, and all coefficients."""
    coef = _maximize(risk, coef, free=free)
    found = risk.penalized(coef)
    return found.likelihood, float(found.slope[at]), coef


def _columns(x: Array) -> Array:
    return x[:, None] if x.ndim == 1 else x


def _dependent(products: Array) -> bool:
    """Return whether a matrix of products of columns is singular."""
    length = np.sqrt(np.diag(products))
    if (length < EMPTY).any():
        return True
    return bool(np.linalg.eigvalsh(products / np.outer(length, length))[0] < EMPTY)
