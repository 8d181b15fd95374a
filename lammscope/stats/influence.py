"""What one patient does to a result: every model again without each patient in turn."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from lammscope.stats import Array


@dataclass(frozen=True)
class LeftOut:
    """Results without one unit, units x features: estimate, standard error and two-sided p.

    `df` is one value per unit left out. nan where the effect cannot be estimated any more.
    """

    estimate: Array
    se: Array
    p: Array
    df: Array


def leave_one_out(values: Array, design: Array, at: int) -> LeftOut:
    """Ordinary least squares without each unit, from one fit (Cook and Weisberg 1982, chapter 2).

    Parameters
    ----------
    values
        Features x units.
    design
        Units x coefficients, of full column rank.
    at
        The coefficient of interest.
    """
    n_units, n_coefficients = design.shape
    inverse = np.linalg.inv(design.T @ design)
    towards = design @ inverse  # units x coefficients
    leverage = np.sum(towards * design, axis=1)
    coefficients = values @ towards
    residuals = values - coefficients @ design.T
    # A unit of leverage 1 alone determines a coefficient: with it goes that coefficient. Where
    # this is not the effect, nothing else changes; where it is, the effect cannot be estimated.
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
    with np.errstate(divide="ignore", invalid="ignore"):  # no spread is left: p is 0, or nan
        p = 2 * stats.t.sf(np.abs(estimate / se), df[:, None])
    estimate = np.where(possible[:, None], estimate, np.nan)
    return LeftOut(estimate=estimate, se=se, p=p, df=df)
