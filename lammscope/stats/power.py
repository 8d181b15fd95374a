"""Power of one-sided t-tests."""

from scipy import special

from lammscope.stats.distributions import t_quantile


def one_sided_power(effect: float, *, se: float, df: float, alpha: float) -> float:
    """Return the probability that a one-sided t-test finds an effect of this size.

    Parameters
    ----------
    effect
        The true effect, in the direction of the test (0 or more).
    se, df
        Standard error and degrees of freedom of the estimate.
    alpha
        The level of the test.

    Notes
    -----
    The upper tail of a noncentral t, as `stats::pt(q, df, ncp, lower.tail = FALSE)` of R.
    """
    critical = float(t_quantile(1 - alpha, df))
    return float(1 - special.nctdtr(df, effect / se, critical))
