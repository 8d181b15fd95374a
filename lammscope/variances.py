"""How variances behave over features: their prior, their trend with the mean, their components.

The numerical parts under `linear`, with the results of limma's `fitFDist`, R's `lowess` and
statmod's `mixedModel2Fit`.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]


def fit_prior(s2: Array, df: Array, covariate: Array | None) -> tuple[Array, Array]:
    """Scaled F distribution of variances: prior variance and degrees of freedom (fitFDist).

    A feature without degrees of freedom has the prior of the others. Where no variance is above
    zero nothing is known of it: the prior variance is nan.
    """
    known = df > 0
    n, n_all = int(known.sum()), len(s2)
    s2, df = s2[known], df[known]
    if not (s2 > 0).any():
        return np.full(n_all, np.nan), np.zeros(n_all)
    if n == 1:
        return np.full(n_all, s2[0]), np.zeros(n_all)
    middle = np.median(s2)
    floored = np.maximum(s2, 1e-5 * (middle if middle > 0 else 1.0))
    log_s2 = np.log(floored) - special.digamma(df / 2) + np.log(df / 2)
    n_spline = 1
    if covariate is not None:
        n_spline = min(1 + (n >= 3) + (n >= 6) + (n >= 30), len(np.unique(covariate[known])))
    if covariate is None or n_spline < 2:
        centre = np.full(n_all, log_s2.mean())
        n_spline = 1
    else:
        spline = _natural_spline(covariate, covariate[known], n_spline)
        n_spline = spline.shape[1]
        centre = spline @ np.linalg.lstsq(spline[known], log_s2, rcond=None)[0]
    excess = np.sum((log_s2 - centre[known]) ** 2) / (n - n_spline)
    excess -= np.mean(special.polygamma(1, df / 2))
    if excess > 0:
        df_prior = 2 * _inverse_trigamma(float(excess))
        centre = centre + special.digamma(df_prior / 2) - np.log(df_prior / 2)
        return np.exp(centre), np.full(n_all, df_prior)
    prior = np.exp(centre) if n_spline > 1 else np.full(n_all, floored.mean())
    return prior, np.full(n_all, np.inf)


def _inverse_trigamma(value: float) -> float:
    """Newton's iteration of limma for the x with trigamma(x) = value."""
    if value > 1e7:
        return 1 / np.sqrt(value)
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = special.polygamma(1, x)
        step = trigamma * (1 - trigamma / value) / special.polygamma(2, x)
        x += step
        if -step / x < 1e-8:
            break
    return float(x)


def _natural_spline(x: Array, known: Array, n_basis: int) -> Array:
    """Natural cubic splines at x, with an intercept and knots at quantiles of `known` (ns)."""
    low, span = known.min(), known.max() - known.min()
    knots = np.unique(np.quantile((known - low) / span, np.linspace(0, 1, n_basis)))
    x = (x - low) / span
    cubes = np.maximum(x[:, None] - knots, 0) ** 3
    slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones_like(x), x, slopes[:, :-1] - slopes[:, -1:]])


def lowess(x: Array, y: Array, *, share: float = 0.5) -> tuple[Array, Array]:
    """Cleveland's robust local regression over a share of the points, sorted by x (R's lowess)."""
    at, fitted = lowess_knots(x, y, share=share)
    x = np.sort(x)
    return x, np.interp(x, at, fitted)


def lowess_knots(x: Array, y: Array, *, share: float = 0.5) -> tuple[Array, Array]:
    """The knots of that regression: a straight line joins each to the next.

    Three robustness steps; points closer than 1 % of the range to a knot are interpolated.
    """
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    n, span = len(x), x[-1] - x[0]
    places, nears, weights = _local_weights(x, max(2, min(n, int(share * n + 1e-7))))
    at, knots = x[places], np.zeros(len(places))
    robustness = np.ones(n)
    for step in range(4):
        for k, (near, weight) in enumerate(zip(nears, weights, strict=True)):
            knots[k] = _local_line(x, y, weight * robustness[near], places[k], near, span)
        residuals = np.abs(y - np.interp(x, at, knots))
        scale = 6 * np.median(residuals)
        if step == 3 or scale <= 1e-7 * residuals.mean():
            break
        robustness = (1 - np.minimum(residuals / scale, 1) ** 2) ** 2
        robustness[residuals <= 0.001 * scale] = 1
        robustness[residuals > 0.999 * scale] = 0
    return at, knots


def _local_weights(x: Array, n_near: int) -> tuple[list[int], list[slice], list[Array]]:
    """The sorted points that become knots, and neighbours with tricube weights of each."""
    n, span = len(x), x[-1] - x[0]
    places, nears, weights = [], [], []
    last, i, left = -1, 0, 0
    while last < n - 1:
        while left + n_near < n and x[i] - x[left] > x[left + n_near] - x[i]:
            left += 1
        reach = max(x[i] - x[left], x[left + n_near - 1] - x[i])
        end = int(np.searchsorted(x, x[i] + 0.999 * reach, side="right"))
        near = slice(left, max(end, i + 1))
        distance = np.abs(x[near] - x[i])
        if reach > 0:
            ratio = distance / reach
            ratio[ratio <= 0.001] = 0.0
            weight = 1 - ratio * ratio * ratio  # products: powers of arrays are slow
            weight *= weight * weight
            weight[ratio > 0.999] = 0.0
        else:
            weight = np.ones(len(distance))
        places.append(i)
        nears.append(near)
        weights.append(weight)
        last = int(np.searchsorted(x, x[i], side="right")) - 1
        beyond = int(np.searchsorted(x, x[last] + 0.01 * span, side="right"))
        i = max(last + 1, beyond - 1)
    return places, nears, weights


def _local_line(x: Array, y: Array, weight: Array, i: int, near: slice, span: float) -> float:
    """Value at x[i] of the line through its neighbours, by weighted moments around x[i]."""
    total = weight.sum()
    if total <= 0:
        return float(y[i])
    distance = x[near] - x[i]
    weighted = weight * distance
    mean, level = weighted.sum() / total, weight @ y[near] / total
    variance = weighted @ distance / total - mean**2
    if variance <= 0 or np.sqrt(variance) <= 0.001 * span:
        return float(level)
    slope = (weighted @ y[near] / total - mean * level) / variance
    return float(level - mean * slope)


def block_squares(
    sums: Array, overlap: Array, sizes: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Independent mean squares of the blocks: each has mean (within + spread * between).

    `sums` are sums of residuals, features x blocks; `overlap` O those of the orthonormal basis of
    the design, features x blocks x coefficients, with one feature where all share it. The sums
    have the covariance diag(sizes) - O O'. Of blocks of equal size only as many directions as
    there are coefficients meet O; all others have the spread `size` and are pooled. Returns
    squares, spread and how many directions each stands for, features x directions.
    """
    n, p = len(sums), overlap.shape[2]
    joint = np.concatenate([np.broadcast_to(overlap, (n, len(sizes), p)), sums[:, :, None]], axis=2)
    inside, shapes, corner, pooled = [], [], [], []
    for size in np.unique(sizes):
        n_blocks = int((sizes == size).sum())
        upper = np.linalg.qr(joint[:, sizes == size], mode="r")
        met = min(n_blocks, p)
        inside.append(upper[:, :met, p])
        shapes.append(upper[:, :met, :p])
        corner += [float(size)] * met
        outside = np.sum(upper[:, met:, p] ** 2, axis=1) / (size * max(n_blocks - met, 1))
        pooled.append((outside, float(size), float(n_blocks - met)))
    meeting = np.concatenate(shapes, axis=1)
    spread, axes = np.linalg.eigh(np.diag(corner) - meeting @ meeting.transpose(0, 2, 1))
    projected = np.matmul(np.concatenate(inside, axis=1)[:, None, :], axes)[:, 0, :]
    spread = np.broadcast_to(spread, projected.shape)
    seen = spread > 1e-10
    squares = np.where(seen, projected**2 / np.where(seen, spread, 1), 0.0)
    return (
        np.column_stack([squares, *(square for square, _, _ in pooled)]),
        np.column_stack([np.where(seen, spread, 0), *(np.full(n, s) for _, s, _ in pooled)]),
        np.column_stack([seen, *(np.full(n, c) for _, _, c in pooled)]).astype(float),
    )


def variance_components(squares: Array, spread: Array, count: Array) -> Array:
    """Gamma regression of squares on (1, spread) with identity link, one per feature (glmgam.fit).

    Scoring with Levenberg's damping from the least-squares start; `count` are multiplicities.
    Returns features x 2, nan where the squares vanish.
    """
    result = np.full((len(squares), 2), np.nan)
    scale = np.sum(count * squares, axis=1) / count.sum(axis=1)
    rows = np.flatnonzero(scale > 0)
    x, n = spread[rows], count[rows]
    y = squares[rows] / scale[rows, None]

    information, score = _normal_equations(y, x, n)
    beta = _solve(information, score)
    beta[np.any((_line(beta, x) < 0) & (n > 0), axis=1)] = [1.0, 0.0]
    deviance, damping = _gamma_deviance(y, _line(beta, x), n), np.zeros(len(rows))
    for iteration in range(21):
        fitted = _line(beta, x)
        variance = np.where(n > 0, fitted, 0) ** 2
        variance = np.maximum(variance, variance.max(axis=1, keepdims=True) / 1e3)
        information, score = _normal_equations(y - fitted, x, n / variance)
        most = np.maximum(information[:, 0], information[:, 2])
        if iteration == 0:
            damping = (information[:, 0] + information[:, 2]) / 4
        step, trying, first = np.zeros_like(beta), np.ones(len(rows), bool), True
        while trying.any():
            step[trying] = _solve(information[trying], score[trying], damping[trying])
            moved = _gamma_deviance(y, _line(beta + step, x), n)
            better = trying & (moved <= deviance)
            deviance[better] = moved[better]
            damping[better] /= 10 if first else 1
            trying &= ~better
            hopeless = trying & (damping > 1e15 * most)
            step[hopeless] = 0
            trying &= ~hopeless
            damping[trying] *= 2
            first = False
        beta = beta + step
        going = np.sum(score * step, axis=1) >= 1e-6
        result[rows] = beta * scale[rows, None]
        rows, x, y, n = rows[going], x[going], y[going], n[going]
        beta, deviance, damping = beta[going], deviance[going], damping[going]
    return result


def _line(beta: Array, x: Array) -> Array:
    return beta[:, :1] + beta[:, 1:] * x


def _normal_equations(y: Array, x: Array, weight: Array) -> tuple[Array, Array]:
    """Information (11, 1x, xx) and score (1, x) of weighted straight lines, one per feature."""
    moments = [np.sum(weight * x**k, axis=1) for k in range(3)]
    return np.column_stack(moments), np.column_stack(
        [np.sum(weight * y, 1), np.sum(weight * x * y, 1)]
    )


def _solve(information: Array, score: Array, damping: Array | float = 0.0) -> Array:
    """Solve symmetric 2 x 2 systems, one per feature."""
    first, cross, second = information.T
    first, second = first + damping, second + damping
    step = [second * score[:, 0] - cross * score[:, 1], first * score[:, 1] - cross * score[:, 0]]
    determinant = first * second - cross**2
    determinant = np.where(determinant > 1e-12 * first * second, determinant, np.inf)
    return np.column_stack(step) / determinant[:, None]


def _gamma_deviance(y: Array, fitted: Array, count: Array) -> Array:
    """Deviance up to a constant; infinite where a fitted value is not positive."""
    inside = (fitted > 0) | (count == 0)
    safe = np.where(fitted > 0, fitted, 1)
    return np.where(
        inside.all(axis=1), 2 * np.sum(count * (y / safe + np.log(safe)), axis=1), np.inf
    )
