"""The test of one coefficient where values of patients rest on few or many cells.

A random-effects meta-regression: the variance of a patient's value is the known one of its counts
plus one between patients, which is estimated. Values are weighted by the inverse of the sum.
"""

from dataclasses import dataclass

import numpy as np

from lammscope.stats import Array
from lammscope.stats.distributions import t_two_sided
from lammscope.stats.effect import effect_test, two_arms
from lammscope.stats.reml import projection, uncertainty

MAX_STEPS = 500
TOLERANCE = 1e-10  # of a step, relative to the largest variance, at convergence
RIDGE = 1e-10  # least information on a variance, relative to the expected
ROUNDING = 1e-10  # of -2 log likelihood


@dataclass(frozen=True)
class WeightedEffect:
    """Estimate, standard error, degrees of freedom, t and two-sided p, one value per feature.

    `added` is the part of the squared standard error that is due to estimated weights. `between` is
    the variance between patients, 2 x features for two arms (the arm with the smaller value of the
    tested column first), else 1 x features. All are nan where the design does not determine them or
    the fit does not converge.
    """

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    added: Array
    between: Array


def weighted_test(
    values: Array, sampling: Array, design: Array, at: int, *, one_variance: bool = False
) -> WeightedEffect:
    """Test one coefficient of a random-effects meta-regression.

    Variances between patients are those of restricted maximum likelihood, in each arm its own, and
    at least 0. Values and design are then divided by the root of each value's variance and tested
    by `effect_test`, where the spread of the residuals counts and not the fitted variance. With one
    variance this is the adjustment of Knapp and Hartung (2003, doi 10.1002/sim.1482), as in
    `rma(method = "REML", test = "knha")` of R's metafor. It takes the weights to be known. So the
    squared standard error has in addition what Kenward and Roger (1997, doi 10.2307/2533558) add
    for estimated variances. If all values of an arm have the same sampling variance, nothing is
    added, and without covariates the test is that without weights.

    Parameters
    ----------
    values
        Features x units.
    sampling
        Features x units: the known variance of each value, above 0.
    design
        Units x coefficients.
    at
        Position of the tested coefficient.
    one_variance
        Whether two arms have one variance between patients, and the ordinary t-test.
    """
    arms = None if one_variance else two_arms(design[:, at])
    parts = np.ones((1, len(design))) if arms is None else arms
    result = np.full((6 + len(parts), len(values)), np.nan)
    if np.linalg.matrix_rank(design) == design.shape[1] < len(design):
        between, converged = _fit(values, sampling, design, parts)
        added = _added_variance(between, sampling, design, at, parts)
        roots = np.sqrt(sampling + between @ parts)
        for i in np.flatnonzero(converged):
            scaled = design / roots[i][:, None]
            found = effect_test(
                (values[i] / roots[i])[None], scaled, at, one_variance=arms is None, arms=arms
            )
            se = np.sqrt(found.se[0] ** 2 + added[i])
            t, df = found.estimate[0] / se, found.df[0]
            p = t_two_sided(t, df)
            result[:, i] = [found.estimate[0], se, df, t, p, added[i], *between[i]]
    result[:, np.isnan(result[4])] = np.nan
    estimate, se, df, t, p, added = result[:6]
    return WeightedEffect(estimate, se, df, t, p, added, between=result[6:])


def _fit(values: Array, sampling: Array, design: Array, parts: Array) -> tuple[Array, np.ndarray]:
    """Maximize the restricted likelihood: variances between patients, and who converged.

    Variances are features x parts. The likelihood can have a maximum at 0 and another above, so
    that the better result of a start at 0 and one at the variance of the residuals is taken.
    """
    basis, _ = np.linalg.qr(design)
    rest = values - (values @ basis) @ basis.T
    high = np.sum(rest**2, axis=1) / (len(design) - design.shape[1])
    best, lowest = np.zeros((len(values), len(parts))), np.full(len(values), np.inf)
    for start in (np.zeros_like(high), high):
        between = np.repeat(start[:, None], len(parts), axis=1)
        converged = _climb(between, values, sampling, design, parts)
        deviance = _likelihood(between, values, sampling, design, parts)[0]
        better = converged & (deviance < lowest)
        best[better], lowest[better] = between[better], deviance[better]
    return best, np.isfinite(lowest)


def _climb(
    between: Array, values: Array, sampling: Array, design: Array, parts: Array
) -> np.ndarray:
    """Move variances (changed in place) to a maximum by Newton's steps; return who converged.

    A variance at 0 stays there while the likelihood falls with it.
    """
    converged, scale = np.zeros(len(values), dtype=bool), np.ones(len(values))
    for _ in range(MAX_STEPS):
        rows = np.flatnonzero(~converged)
        if len(rows) == 0:
            break
        data = (values[rows], sampling[rows], design, parts)
        current = between[rows]
        deviance, slope, observed, expected = _likelihood(current, *data)
        fixed = (current == 0) & (slope <= 0)
        step = _step(np.where(fixed, 0.0, slope), observed, expected, fixed) * scale[rows, None]
        moved = np.maximum(current + step, 0.0)
        better = _likelihood(moved, *data)[0] <= deviance + ROUNDING
        scale[rows] = np.where(better, np.minimum(2 * scale[rows], 1), scale[rows] / 2)
        between[rows[better]] = moved[better]
        size = np.maximum(current.max(axis=1), sampling[rows].min(axis=1))
        converged[rows] = np.abs(moved - current).max(axis=1) < TOLERANCE * size
    return converged


def _step(slope: Array, observed: Array, expected: Array, fixed: np.ndarray) -> Array:
    """Return Newton's step, or that of Fisher's scoring where the curvature has no maximum."""
    at = np.arange(slope.shape[1])
    length = np.sqrt(np.maximum(expected[:, at, at], np.finfo(float).tiny))  # variances differ much
    both = np.stack([observed, expected]) / (length[:, :, None] * length[:, None])
    both[:, fixed[:, :, None] | fixed[:, None]] = 0.0
    both[:, :, at, at] += np.where(fixed, 1.0, [[[0.0]], [[RIDGE]]])
    maximum = np.linalg.eigvalsh(both[0])[:, 0] > RIDGE
    information = np.where(maximum[:, None, None], *both)
    return np.asarray(np.linalg.solve(information, (slope / length)[..., None])[..., 0] / length)


def _likelihood(
    between: Array, values: Array, sampling: Array, design: Array, parts: Array
) -> tuple[Array, Array, Array, Array]:
    """Return -2 log of the restricted likelihood, the slope of the log, and its curvature.

    The curvature is the observed and the expected information, features x parts x parts.
    """
    weight = 1 / (sampling + between @ parts)
    inverse, rest = projection(design, weight)
    at = np.arange(len(design))
    residual = (rest @ values[..., None])[..., 0]
    deviance = np.sum(values * residual, axis=1) - np.sum(np.log(weight), axis=1)
    deviance -= np.linalg.slogdet(inverse)[1]
    slope = (residual**2 - rest[:, at, at]) @ parts.T / 2
    expected = parts @ rest**2 @ parts.T / 2
    pulled = residual[:, None] * parts
    observed = pulled @ rest @ np.swapaxes(pulled, 1, 2) - expected
    return deviance, slope, observed, expected


def _added_variance(between: Array, sampling: Array, design: Array, at: int, parts: Array) -> Array:
    """Return what Kenward and Roger add to the variance of the tested coefficient."""
    weight = 1 / (sampling + between @ parts)
    inverse, rest = projection(design, weight)
    effect = np.einsum("fc,sc->fs", inverse[:, at], design) * weight  # d estimate / d value
    return np.maximum(uncertainty(effect, rest, parts)[1], 0.0)
