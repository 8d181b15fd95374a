"""A linear model of one or two samples per patient, fitted by REML, with the test of an effect.

Patients with one sample add to the means of their group; those with both determine how the two
samples of a patient correlate. Samples of a patient have a common variance and a correlation,
which may be negative: with the variance of patients bounded at 0, complete pairs would not give
the paired t-test, and too many p would be small.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from lammscope.stats import Array
from lammscope.stats.distributions import t_two_sided
from lammscope.stats.reml import projection, uncertainty

TOLERANCE = 1e-11  # largest relative step of a variance at convergence
MAX_STEPS = 200
START = 0.9  # correlation of a patient's samples, of either sign, from which a fit starts
VANISHED = 1e-9  # smaller variance of an arm relative to its larger, which the fit drives to 0
# Below, a maximum is a spike: a few patients happen to be fitted exactly. Our choice.
SPIKE = 1e-4
LEAST_DF = 1.0  # degrees of freedom; below, t has no mean and nothing is tested. Our choice.
RIDGE = 1e-10  # least curvature, which may vanish far from the maximum
ROUNDING = 1e-9  # of -2 log likelihood
LEAST_FREE = 0.5  # residual degrees of freedom of an arm's complete patients. Our choice.
EMPTY = 1e-10  # relative length of a column that the others explain


@dataclass(frozen=True)
class MixedEffect:
    """Estimate, standard error, degrees of freedom, t and two-sided p, one value per feature.

    `within` and `between` are variances, arms x features: that of the difference of a patient's two
    samples divided by the root of 2, and that of their sum divided by the root of 2. The residual
    variance is `within`, that of patients (`between` - `within`) / 2. All are nan where the
    samples do not determine them.
    """

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    within: Array
    between: Array


def random_effect_test(
    values: Array, design: Array, at: int, *, patient: np.ndarray, arm: np.ndarray
) -> MixedEffect:
    """Test one coefficient of a linear model with a random intercept for each patient.

    Variances are those of restricted maximum likelihood, in each arm its own. The standard error
    and the degrees of freedom are those of Kenward and Roger (1997, doi 10.2307/2533558). With one
    arm, and a positive variance of patients, they equal those of R's lme4 with pbkrtest. If all
    patients are complete, the test is the paired t-test, or between two arms without covariates
    Welch's test of the differences.

    Parameters
    ----------
    values
        Features x samples, without missing values.
    design
        Samples x coefficients.
    at
        Position of the tested coefficient.
    patient
        The patient of each sample; at most two samples each.
    arm
        The arm of each sample; the same for both samples of a patient.

    Raises
    ------
    ValueError
        If a patient has more than two samples.
    """
    turn, parts = _independent_parts(patient, arm)
    values, design = values @ turn.T, turn @ design
    unknown = np.full(len(values), np.nan)
    n_arms = len(parts) // 2
    nothing = MixedEffect(*[unknown] * 5, *[np.full((n_arms, len(values)), np.nan)] * 2)
    design, at = _full_rank(design, at)
    if at < 0 or _too_few(design, parts):
        return nothing
    variances, converged = _fit(values, design, parts)
    found = _kenward_roger(values, design, at, parts, variances)
    known = converged & np.isfinite(found[2]) & (found[2] >= LEAST_DF)
    estimate, se, df = (np.where(known, each, np.nan) for each in found)
    t = estimate / se
    variances = np.where(known, variances.T, np.nan)
    p = t_two_sided(t, df)
    return MixedEffect(estimate, se, df, t, p, variances[:n_arms], variances[n_arms:])


def _independent_parts(patient: np.ndarray, arm: np.ndarray) -> tuple[Array, Array]:
    """Return an orthogonal turn of the samples to independent values, and their variances' parts.

    The two samples of a patient become their difference and their sum, each divided by the root of
    2. `parts` is 2 arms x samples: how much of `within` of each arm, then of `between`, the
    variance of each value holds (a single sample: half of each).
    """
    codes, sizes = np.unique(patient, return_inverse=True, return_counts=True)[1:]
    if sizes.max(initial=0) > 2:
        raise ValueError("a patient has more than two samples in a model of one or two")
    turn = np.eye(len(patient))
    within = np.full(len(patient), 0.5)
    for code in np.flatnonzero(sizes == 2):
        first, second = np.flatnonzero(codes == code)
        turn[first, [first, second]] = np.array([-1, 1]) / np.sqrt(2)
        turn[second, [first, second]] = 1 / np.sqrt(2)
        within[[first, second]] = 1, 0
    arms = np.array([arm == name for name in np.unique(arm)], dtype=float)
    return turn, np.concatenate([arms * within, arms * (1 - within)])


def _full_rank(design: Array, at: int) -> tuple[Array, int]:
    """Return an orthonormal basis of the other columns with the tested one last.

    The position is -1 if the others explain the tested column.
    """
    others = _basis(np.delete(design, at, axis=1))
    column = design[:, at]
    rest = column - others @ (others.T @ column)
    known = float(rest @ rest) > EMPTY * float(column @ column)
    return np.column_stack([others, column]), others.shape[1] if known else -1


def _too_few(design: Array, parts: Array) -> bool:
    """Tell whether the patients with both samples, by themselves, leave an arm without a spread."""
    complete = (parts == 1).any(axis=0)
    basis = _basis(design[complete])
    maker = np.eye(len(basis)) - basis @ basis.T
    free = [maker[own][:, own].trace() for own in parts[:, complete] == 1]
    return bool(min(free) < LEAST_FREE)


def _basis(columns: Array) -> Array:
    """Return an orthonormal basis of the columns."""
    vectors, length, _ = np.linalg.svd(columns, full_matrices=False)
    return np.asarray(vectors[:, length > EMPTY * max(length.max(initial=0.0), 1)])


def _fit(values: Array, design: Array, parts: Array) -> tuple[Array, np.ndarray]:
    """Maximize the restricted likelihood: variances, features x parts, and who converged.

    With few patients the likelihood may have a maximum at a negative and at a positive correlation,
    so that the best of the results of both starts is taken, in each arm. Spikes do not count.
    """
    n_arms = len(parts) // 2
    best, degenerate = np.ones((len(values), len(parts))), np.zeros(len(values), dtype=bool)
    lowest = np.full(len(values), np.inf)
    for correlations in product((-START, START), repeat=n_arms):
        ratio = np.concatenate([1 - np.array(correlations), 1 + np.array(correlations)])
        variances, reached, vanished = _climb(values, design, parts, ratio)
        deviance = np.full(len(values), np.inf)
        deviance[reached] = _likelihood(values[reached], design, parts, variances[reached])[0]
        better = (deviance < lowest) & (_smallest_ratio(variances) >= SPIKE)
        best[better], lowest[better] = variances[better], deviance[better]
        degenerate |= vanished
    return best, np.isfinite(lowest) & ~degenerate


def _climb(
    values: Array, design: Array, parts: Array, ratio: Array
) -> tuple[Array, np.ndarray, np.ndarray]:
    """Find a maximum of the restricted likelihood by Newton's steps; `ratio` is of the start.

    Returns the variances, who converged, and who has a variance that vanishes, as where all
    patients change alike.
    """
    basis, _ = np.linalg.qr(design)
    rest = values - (values @ basis) @ basis.T
    start = np.sum(rest**2, axis=1) / max(len(design) - basis.shape[1], 1)
    variances = start[:, None] * ratio
    converged = np.zeros(len(values), dtype=bool)
    scale = np.ones(len(values))  # of steps: halved where the likelihood would fall
    vanished = start <= VANISHED**2 * np.max(values**2, axis=1, initial=0.0)
    running = ~vanished
    for _ in range(MAX_STEPS):
        rows = np.flatnonzero(running)
        if len(rows) == 0:
            break
        current = variances[rows]
        deviance, score, curvature = _likelihood(values[rows], design, parts, current)
        step = np.linalg.solve(curvature, score[..., None])[..., 0]
        length = np.abs(step).max(axis=1)
        step *= (scale[rows] / np.maximum(length, 1))[:, None]
        moved = current * np.exp(step)
        better = _likelihood(values[rows], design, parts, moved)[0] <= deviance + ROUNDING
        scale[rows] = np.where(better, np.minimum(2 * scale[rows], 1), scale[rows] / 2)
        variances[rows[better]] = moved[better]
        converged[rows] = length < TOLERANCE
        vanished[rows] = better & (_smallest_ratio(moved) < VANISHED)
        running[rows] = ~(converged[rows] | vanished[rows])
    return variances, converged, vanished


def _smallest_ratio(variances: Array) -> Array:
    """Return the smaller by the larger variance of an arm, the smallest of the arms."""
    within, between = np.split(variances, 2, axis=1)
    larger = np.maximum(np.maximum(within, between), np.finfo(float).tiny)
    return np.asarray(np.min(np.minimum(within, between) / larger, axis=1))


def _likelihood(
    values: Array, design: Array, parts: Array, variances: Array
) -> tuple[Array, Array, Array]:
    """Return -2 log of the restricted likelihood, the slope of the log, and its curvature.

    Both are those in the logarithms of the variances, which so stay positive. Where the observed
    curvature is not that of a maximum, it is the expected one.
    """
    weight = 1 / (variances @ parts)
    covariance, rest = projection(design, weight)
    residual = (rest @ values[..., None])[..., 0]
    deviance = np.sum(values * residual, axis=1) - np.sum(np.log(weight), axis=1)
    deviance -= np.linalg.slogdet(covariance)[1]
    shares = variances[..., None] * parts  # features x parts x samples
    trace = np.diagonal(rest, axis1=1, axis2=2)
    slope = np.einsum("fs,fks->fk", residual**2 - trace, shares) / 2
    expected = shares @ rest**2 @ np.swapaxes(shares, 1, 2) / 2
    pulled = shares * residual[:, None]
    curvature = pulled @ rest @ np.swapaxes(pulled, 1, 2) - expected
    at = np.arange(len(parts))
    curvature[:, at, at] -= slope
    expected[:, at, at] += RIDGE
    lowest = np.linalg.eigvalsh(curvature)[:, 0]
    maximum = lowest > RIDGE
    return deviance, slope, np.where(maximum[:, None, None], curvature, expected)


def _kenward_roger(
    values: Array, design: Array, at: int, parts: Array, variances: Array
) -> tuple[Array, Array, Array]:
    """Return the estimate, its adjusted standard error, and the degrees of freedom.

    For one coefficient, the degrees of freedom of Kenward and Roger are those of Satterthwaite with
    the expected information, and their scaling of F is 1.
    """
    with np.errstate(all="ignore"):
        weight = 1 / (variances @ parts)
        covariance, rest = projection(design, weight)
        row = covariance[:, at]  # of the tested coefficient
        estimate = np.einsum("fc,fs,sc->f", row, values * weight, design)
        effect = np.einsum("fc,sc->fs", row, design) * weight  # d estimate / d value
        spread, added = uncertainty(effect, rest, parts)
        slope = effect**2 @ parts.T  # d variance of the estimate / d variances
        variance = covariance[:, at, at]
        df = 2 * variance**2 / np.einsum("fk,fkl,fl->f", slope, spread, slope)
        return estimate, np.sqrt(variance + added), df
