"""Estimates and tests of one coefficient under many assignments of units at once.

The numbers of each assignment are those of `effect.effect_test` with this assignment as the tested
column: estimate, t and degrees of freedom, so that their p can be compared between assignments.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.effect import EMPTY, LEAST, expected_squares, residuals, squares_by_arm


@dataclass(frozen=True)
class AssignedEffects:
    """Estimate, t and degrees of freedom, assignments x features; nan where undetermined."""

    estimate: Array
    t: Array
    df: Array


def effects_of_arms(values: Array, others: Array, assigned: NDArray[np.bool_]) -> AssignedEffects:
    """Test the difference between two arms, each with its own variance.

    Parameters
    ----------
    values
        Features x units.
    others
        Basis of the other columns of the design, from `effect.split_column`.
    assigned
        Assignments x units: True for units of the second arm.
    """
    rest, n_units = residuals(values, others), values.shape[1]
    second = assigned.astype(float)
    columns = residuals(second, others)
    squared = np.sum(columns**2, axis=1)
    known = (squared > EMPTY * n_units) & (n_units - others.shape[1] - 1 > 0)
    squared = np.where(known, squared, 1.0)
    arms = np.array([1 - second, second])
    maker = np.eye(n_units) - others @ others.T
    maker = maker - columns[:, :, None] * (columns / squared[:, None])[:, None, :]
    expected = np.moveaxis(expected_squares(others, columns, arms), -1, 0)
    known &= expected.diagonal(axis1=1, axis2=2).min(axis=1) >= LEAST
    expected = np.where(known[:, None, None], expected, np.eye(2))
    estimate = columns @ rest.T / squared[:, None]
    share = np.array([np.sum(arm * columns**2, axis=1) for arm in arms]).T / squared[:, None] ** 2
    inverse = np.linalg.inv(expected)
    squares = squares_by_arm(rest, estimate, columns, arms)
    variances = np.maximum(np.einsum("aij,jaf->iaf", inverse, squares), 0.0)
    variance = np.einsum("ai,iaf->af", share, variances)
    # The variance is a quadratic form of the residuals; this is the variance of that form.
    weight = np.einsum("aij,aj,iau->au", inverse, share, arms, optimize=True)
    form = maker @ (weight[:, :, None] * maker)
    inner = np.einsum("iau,auv,jav->aij", arms, form**2, arms, optimize=True)
    spread = np.einsum("iaf,aij,jaf->af", variances, inner, variances, optimize=True)
    return _effects(estimate, variance, variance**2, spread, known)


def effects_of_numbers(values: Array, others: Array, assigned: Array) -> AssignedEffects:
    """Test the slope over numbers of units, assignments x units, with one variance."""
    rest, columns = residuals(values, others), residuals(assigned, others)
    squared, free = np.sum(columns**2, axis=1), values.shape[1] - others.shape[1] - 1
    known = (squared > EMPTY * np.maximum(np.sum(assigned**2, axis=1), 1.0)) & (free > 0)
    squared = np.where(known, squared, 1.0)[:, None]
    estimate = columns @ rest.T / squared
    left = np.maximum(np.sum(rest**2, axis=1) - estimate**2 * squared, 0.0)
    return _effects(estimate, left / max(free, 1) / squared, float(free), 1.0, known)


def effects_of_signs(values: Array, assigned: NDArray[np.bool_]) -> AssignedEffects:
    """Test the mean of values whose signs are flipped where `assigned` is False."""
    n_units = values.shape[1]
    signs = np.where(assigned, 1.0, -1.0)
    estimate = signs @ values.T / n_units
    left = np.maximum(np.sum(values**2, axis=1) - n_units * estimate**2, 0.0)
    known = np.full(len(signs), n_units > 1)
    variance = left / max(n_units - 1, 1) / n_units
    return _effects(estimate, variance, float(n_units - 1), 1.0, known)


def _effects(
    estimate: Array, variance: Array, df_above: Array | float, df_below: Array | float, known: Array
) -> AssignedEffects:
    """Return the effects; nan in assignments that are not known, t infinite without a residual."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t, df = estimate / np.sqrt(variance), np.asarray(df_above / df_below)
    blank = np.where(np.asarray(known, dtype=bool), 0.0, np.nan)[:, None]
    return AssignedEffects(estimate + blank, t + blank, df + blank + np.zeros_like(estimate))
