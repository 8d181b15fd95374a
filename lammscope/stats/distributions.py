"""Distributions of tests, by the functions of scipy.special that scipy.stats calls.

Their numbers are the same to the last bit. To import scipy.stats takes half a second, as long as
all else that most jobs of the statistics import.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from lammscope.stats import Array


def t_two_sided(t: ArrayLike, df: ArrayLike) -> Array:
    """Return the two-sided p-value of Student's t."""
    return np.asarray(2 * special.stdtr(df, -np.abs(t)))


def t_quantile(q: float, df: ArrayLike) -> Array:
    """Return a quantile of Student's t."""
    return np.asarray(special.stdtrit(df, q))


def f_upper(f: ArrayLike, df_numerator: ArrayLike, df_denominator: ArrayLike) -> Array:
    """Return the upper tail of the F distribution."""
    return np.asarray(special.fdtrc(df_numerator, df_denominator, f))


def chi2_quantile(q: ArrayLike, df: ArrayLike) -> Array:
    """Return a quantile of the chi-squared distribution."""
    return np.asarray(2 * special.gammaincinv(np.asarray(df) / 2, q))


def normal_quantile(q: float) -> float:
    """Return a quantile of the standard normal distribution."""
    return float(special.ndtri(q))


def normal_lower(z: ArrayLike) -> Array:
    """Return the lower tail of the standard normal distribution."""
    return np.asarray(special.ndtr(z))


def chi2_upper(x: ArrayLike, df: ArrayLike) -> Array:
    """Return the upper tail of the chi-squared distribution."""
    return np.asarray(special.chdtrc(df, x))
