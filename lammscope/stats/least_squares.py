"""Weighted least squares of many features at once, by normal equations.

The numerical core of `linear.lm_fit`: no loop over features, and no design matrix per feature.
"""

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array


def products(left: Array, right: Array) -> Array:
    """Multiply each column of one by each of the other: rows x (columns of left x right)."""
    return (left[:, :, None] * right[:, None, :]).reshape(len(left), -1)


def disjoint_first(design: Array) -> tuple[NDArray[np.int64], int]:
    """Order the columns so that the first ones share no sample, and count these.

    Indicators of patients are such columns. Their normal equations are diagonal for any weights.
    """
    used = design != 0
    apart: list[int] = []
    for column in np.argsort(used.sum(axis=0), kind="stable"):
        if not used[:, [*apart, column]].sum(axis=1).max() > 1:
            apart.append(int(column))
    rest = [i for i in range(design.shape[1]) if i not in apart]
    return np.array([*apart, *rest]), len(apart)


def solve_normal_equations(
    pairs: Array, right: Array, one: Array, other: Array, inverse: Array, n_apart: int
) -> tuple[Array, Array]:
    """Solve for effects on the basis, and the variances of the coefficients `inverse` x effects.

    The matrix of a feature is the sum of `pairs` times the outer products of the rows of `one` and
    `other`. Its leading block of `n_apart` rows is diagonal and is eliminated first.
    """
    n, p, k = len(pairs), one.shape[1], n_apart
    diagonal = pairs @ (one[:, :k] * other[:, :k])
    border = (pairs @ products(one[:, :k], other[:, k:])).reshape(n, k, p - k)
    corner = (pairs @ products(one[:, k:], other[:, k:])).reshape(n, p - k, p - k)
    share = border / diagonal[:, :, None]
    corner = np.linalg.inv(corner - np.matmul(border.transpose(0, 2, 1), share))
    rest = right[:, k:] - np.matmul(right[:, None, :k], share)[:, 0]
    rest = np.matmul(rest[:, None, :], corner)[:, 0]
    first = right[:, :k] / diagonal - np.matmul(share, rest[:, :, None])[:, :, 0]
    through = inverse[:, k:] - np.matmul(inverse[:, :k], share)
    variances = (1 / diagonal) @ (inverse[:, :k] ** 2).T
    variances = variances + np.sum(np.matmul(through, corner) * through, axis=2)
    return np.column_stack([first, rest]), variances
