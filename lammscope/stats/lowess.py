"""Cleveland's robust local regression, equal to R's `lowess`."""

import numpy as np

from lammscope.stats import Array


def lowess(x: Array, y: Array, *, share: float = 0.5) -> tuple[Array, Array]:
    """Smooth y by local regression with span `share` (R's f). Returns sorted x and the fit."""
    at, fitted = lowess_knots(x, y, share=share)
    x = np.sort(x)
    return x, np.interp(x, at, fitted)


def lowess_knots(x: Array, y: Array, *, share: float = 0.5) -> tuple[Array, Array]:
    """Return x and fit at the points where `lowess` fits a line; it interpolates between them.

    Uses three robustness iterations. Points within 1 % of the range from a knot are interpolated.
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
    """Find the knots among the sorted points, and neighbors and tricube weights of each."""
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
    """Evaluate the local line of the neighbors of x[i] at x[i]."""
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
