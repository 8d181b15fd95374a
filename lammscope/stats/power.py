"""Power of t-tests, by quadrature over the distribution of the standard error.

The error is below 1e-6. `scipy.special.nctdtr` gives no number for one or two degrees of freedom
and a large shift, and scipy.stats takes half a second to import.
"""

from functools import lru_cache

import numpy as np

from lammscope.stats import Array
from lammscope.stats.distributions import chi2_quantile, normal_lower, t_quantile

ARM_NODES = 60  # of the quadrature over the variance of an arm


def t_power(shift: float, df: float, *, alpha: float, one_sided: bool = False) -> float:
    """Return the power of a t-test whose estimate is `shift` standard errors from 0.

    Parameters
    ----------
    shift
        The noncentrality: difference divided by the standard deviation of its estimate. A one-sided
        test looks for positive ones.
    df
        Degrees of freedom of the standard error.
    alpha
        Level of the test.
    """
    spread, weights = _critical_spread(round(df, 6), alpha if one_sided else alpha / 2)
    power = normal_lower(shift - spread)
    if not one_sided:
        power = power + normal_lower(-shift - spread)
    return float(weights @ power / 2)


def welch_power(difference: float, variance: Array, df: Array, *, alpha: float) -> float:
    """Return the power of Welch's two-sided test, for values that are normal in each arm.

    The test estimates the degrees of freedom, too, so its power is an average over the estimated
    variances of both arms, here by a product of quadratures.

    Parameters
    ----------
    difference
        Of the means.
    variance
        True variance of each mean, (2,): that of the values over their number.
    df
        Degrees of freedom with which each variance is estimated, (2,).
    alpha
        Level of the test.
    """
    nodes, weights = np.polynomial.legendre.leggauss(ARM_NODES)
    found = [v * chi2_quantile((nodes + 1) / 2, d) / d for v, d in zip(variance, df, strict=True)]
    first, second = np.meshgrid(*found, indexing="ij")
    estimated = first + second
    satterthwaite = estimated**2 / (first**2 / df[0] + second**2 / df[1])
    truth = float(np.sqrt(np.sum(variance)))
    critical = t_quantile(1 - alpha / 2, satterthwaite) * np.sqrt(estimated) / truth
    shift = difference / truth
    power = normal_lower(shift - critical) + normal_lower(-shift - critical)
    return float(weights @ power @ weights / 4)


@lru_cache(maxsize=1024)
def detectable_shift(df: float, *, alpha: float, power: float) -> float:
    """Return the shift in standard errors that a two-sided t-test finds with a given power."""
    from scipy import optimize  # imported here: most jobs that read this module need no power

    critical = float(t_quantile(1 - alpha / 2, df))

    def missing_power(shift: float) -> float:
        return t_power(shift, df, alpha=alpha) - power

    return float(optimize.brentq(missing_power, 0.1, 1.5 * critical + 2))


@lru_cache(maxsize=1024)
def _critical_spread(df: float, tail: float) -> tuple[Array, Array]:
    """Return critical values at nodes of the relative standard error, and weights that sum to 2."""
    nodes, weights = _quadrature()
    critical = float(t_quantile(1 - tail, df))
    return critical * np.sqrt(chi2_quantile((nodes + 1) / 2, df) / df), weights


@lru_cache(maxsize=1)
def _quadrature() -> tuple[Array, Array]:
    """Return nodes and weights of Gauss and Legendre, which take longer than their use."""
    return np.polynomial.legendre.leggauss(400)
