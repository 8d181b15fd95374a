"""One effect from several cohorts: random effects, with the interval of Hartung and Knapp."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from lammscope.stats import Array
from lammscope.stats.distributions import chi2_quantile, normal_quantile, t_quantile, t_two_sided

FEWEST_PREDICTED = 3  # cohorts of a prediction interval: with two, the spread is hardly known
ROOM = 1e-9  # relative precision of variances between cohorts


@dataclass(frozen=True)
class CommonEffect:
    """The common effect of cohorts; intervals are (low, high).

    Attributes
    ----------
    estimate, se, df, p
        Mean effect over cohorts, its standard error, degrees of freedom, and two-sided p.
    interval
        Confidence interval of the mean effect.
    prediction
        Interval in which the effect in another cohort lies; nan with under three cohorts.
    weights
        Share of each cohort in the mean.
    fixed, fixed_interval
        The same if all cohorts had one effect.
    tau2, tau2_interval
        Variance of the effects between cohorts.
    i2, i2_interval
        Share of the variance of estimates that is between cohorts, 0 to 1.
    q, q_p
        Cochran's Q, and its p.
    """

    estimate: float
    se: float
    df: int
    p: float
    interval: tuple[float, float]
    prediction: tuple[float, float]
    weights: Array
    fixed: float
    fixed_interval: tuple[float, float]
    tau2: float
    tau2_interval: tuple[float, float]
    i2: float
    i2_interval: tuple[float, float]
    q: float
    q_p: float


def combine_effects(estimates: Array, se: Array, *, alpha: float) -> CommonEffect:
    """Combine the estimates of two or more cohorts.

    Parameters
    ----------
    estimates, se
        One estimate and standard error per cohort.
    alpha
        Intervals have coverage 1 - alpha.

    Notes
    -----
    The variance between cohorts is that of Paule and Mandel (1982, doi 10.6028/jres.087.022), which
    needs no normal distribution of the effects and was among the best in comparisons (Veroniki et
    al. 2016, doi 10.1002/jrsm.1164). The variance of the mean is that of Hartung and Knapp, with a
    factor of at least 1, and t has one degree of freedom less than there are cohorts. Without this
    limit the interval may be narrower than that of one common effect (Jackson et al. 2017, doi
    10.1002/sim.7411). With this variance between cohorts, the factor is 1 or less, so it is always
    1. Intervals of tau2 and I2 are Q profiles (Viechtbauer 2007, doi 10.1002/sim.2514). All is as
    `rma(method = "PM", test = "adhoc")`, `predict` and `confint` of R's metafor.
    """
    variances, free = np.asarray(se, dtype=float) ** 2, len(estimates) - 1

    def excess(tau2: float, target: float) -> float:
        return _q(estimates, 1 / (variances + tau2)) - target

    tau2 = _root(partial(excess, target=free))
    quantiles = [float(chi2_quantile(level, free)) for level in (1 - alpha / 2, alpha / 2)]
    profile = [_root(partial(excess, target=at)) for at in quantiles]
    weights, alone = 1 / (variances + tau2), 1 / variances
    mean, fixed = (float(w @ estimates / w.sum()) for w in (weights, alone))
    se_mean = float(1 / np.sqrt(weights.sum()))
    reach, normal = float(t_quantile(1 - alpha / 2, free)), normal_quantile(1 - alpha / 2)
    wide = reach * float(np.hypot(se_mean, np.sqrt(tau2)))
    if len(estimates) < FEWEST_PREDICTED:
        wide = np.nan
    typical = free * alone.sum() / (alone.sum() ** 2 - (alone**2).sum())
    q = _q(estimates, alone)
    return CommonEffect(
        estimate=mean,
        se=se_mean,
        df=free,
        p=float(t_two_sided(mean / se_mean, free)),
        interval=(mean - reach * se_mean, mean + reach * se_mean),
        prediction=(mean - wide, mean + wide),
        weights=np.asarray(weights / weights.sum()),
        fixed=fixed,
        fixed_interval=(
            fixed - normal / float(np.sqrt(alone.sum())),
            fixed + normal / float(np.sqrt(alone.sum())),
        ),
        tau2=tau2,
        tau2_interval=(profile[0], profile[1]),
        i2=float(tau2 / (tau2 + typical)),
        i2_interval=(
            float(profile[0] / (profile[0] + typical)),
            float(profile[1] / (profile[1] + typical)),
        ),
        q=q,
        q_p=_chi2_upper(q, free),
    )


def _q(estimates: Array, weights: Array) -> float:
    """Return the weighted sum of squared deviations from the weighted mean."""
    mean = weights @ estimates / weights.sum()
    return float(weights @ (estimates - mean) ** 2)


def _root(excess: Callable[[float], float]) -> float:
    """Return where a decreasing function of a variance is 0; 0 if it starts below."""
    from scipy import optimize  # imported here: it takes longer than its use

    if excess(0.0) <= 0:
        return 0.0
    upper = 1.0
    while excess(upper) > 0:
        upper *= 4
    return float(optimize.brentq(excess, 0.0, upper, xtol=1e-14, rtol=ROOM))


def _chi2_upper(q: float, df: int) -> float:
    from scipy import special

    return float(special.chdtrc(df, q))
