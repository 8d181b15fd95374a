"""Variance components of a model with random blocks, as in statmod's `mixedModel2Fit`."""

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array


def block_squares(
    sums: Array, overlap: Array, sizes: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Compute independent mean squares of the blocks, with mean (within + spread * between).

    `sums` are the block sums of the residuals, features x blocks. `overlap` (O) are the block sums
    of the orthonormal basis of the design, features x blocks x coefficients; its first dimension is
    1 if all features share the basis. The covariance of `sums` is diag(sizes) - O O'. Among blocks
    of equal size, at most as many directions as coefficients are not orthogonal to O; all others
    have the spread `size` and are pooled. Returns the mean squares, their spread, and the number of
    directions that each pools, all features x directions.
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
    """Fit a gamma GLM of squares on (1, spread) with identity link per feature (glmgam.fit).

    Fisher scoring with Levenberg damping, started from least squares. `count` is the number of
    directions that each mean square pools. Returns the variances within and between blocks,
    features x 2; nan if all squares are zero.
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
    """Return information (11, 1x, xx) and score (1, x) of weighted lines, one per feature."""
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
    """Return the deviance up to a constant; infinite if a fitted value is not positive."""
    inside = (fitted > 0) | (count == 0)
    safe = np.where(fitted > 0, fitted, 1)
    return np.where(
        inside.all(axis=1), 2 * np.sum(count * (y / safe + np.log(safe)), axis=1), np.inf
    )
