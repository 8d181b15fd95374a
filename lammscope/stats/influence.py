"""Influence of single patients: results of a model with each patient left out in turn."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from lammscope.stats import Array


@dataclass(frozen=True)
class LeftOut:
    """Results with one unit left out, units x features: estimate, standard error, two-sided p.

    `df` (residual degrees of freedom) has one value per unit. Values are nan if the effect cannot
    be estimated without the unit.
    """

    estimate: Array
    se: Array
    p: Array
    df: Array


def leave_one_out(values: Array, design: Array, at: int) -> LeftOut:
    """Leave each unit out of a least squares fit, without refits (Cook and Weisberg 1982, ch. 2).

    Parameters
    ----------
    values
        Features x units.
    design
        Units x coefficients, of full column rank.
    at
        Position of the coefficient of interest.
    """
    n_units, n_coefficients = design.shape
    inverse = np.linalg.inv(design.T @ design)
    towards = design @ inverse  # units x coefficients
    leverage = np.sum(towards * design, axis=1)
    coefficients = values @ towards
    residuals = values - coefficients @ design.T
    # A unit of leverage 1 alone determines a coefficient, which is lost with the unit. If that is
    # the effect, it cannot be estimated; otherwise the other results do not change.
    alone = leverage > 1 - 1e-9
    lost = alone & (np.abs(towards[:, at]) > 1e-9)
    rest = np.where(alone, 1.0, 1 - leverage)[:, None]
    step = np.where(alone, 0.0, towards[:, at])[:, None]
    df = np.where(alone, n_units - n_coefficients, n_units - n_coefficients - 1).astype(float)
    estimate = coefficients[:, at] - step * residuals.T / rest
    squares = np.sum(residuals**2, axis=1) - np.where(alone, 0.0, (residuals**2 / rest.T)).T
    unscaled = inverse[at, at] + step**2 / rest
    possible = (df > 0) & ~lost
    df = np.where(possible, df, np.nan)
    se = np.sqrt(np.maximum(squares, 0) / df[:, None] * unscaled)
    with np.errstate(divide="ignore", invalid="ignore"):  # zero residual variance: p is 0, or nan
        p = 2 * stats.t.sf(np.abs(estimate / se), df[:, None])
    estimate = np.where(possible[:, None], estimate, np.nan)
    return LeftOut(estimate=estimate, se=se, p=p, df=df)
