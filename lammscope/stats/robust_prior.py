"""Robust empirical Bayes prior of variances, as in limma's `fitFDistRobustly`.

Phipson et al. 2016 (doi 10.1214/16-AOAS920): the prior is estimated from the moments of winsorized
log variances. A feature whose variance is too large for the prior gets fewer prior degrees of
freedom.
"""

import numpy as np
from scipy import optimize, special, stats

from lammscope.stats import Array
from lammscope.stats.lowess import lowess
from lammscope.stats.prior import fit_prior

LOWER_TAIL, UPPER_TAIL = 0.05, 0.1  # fractions of features that are winsorized
N_NODES = 128
SHARE = 0.4  # span of the lowess of log variances on the covariate


def fit_prior_robustly(s2: Array, df: Array, covariate: Array | None) -> tuple[Array, Array]:
    """Estimate prior variance and prior degrees of freedom per feature, robust to outliers.

    Features without degrees of freedom get the prior of features that are not outliers.

    Parameters
    ----------
    s2
        Residual variances, one per feature.
    df
        Residual degrees of freedom: zero, or the same number for all other features.
    covariate
        Covariate of the prior variance (such as mean log expression), or None.

    Raises
    ------
    ValueError
        If the degrees of freedom (other than zero) differ.
    """
    known = df > 0
    if len(np.unique(df[known])) > 1:
        raise ValueError(
            "robust moderation needs equal residual degrees of freedom of all features"
        )
    followed = covariate if covariate is None else covariate[known]
    prior, df_prior, common = _fit_known(s2[known], float(df[known][0]), followed)
    s2_all, df_all = np.full(len(s2), prior[0]), np.full(len(s2), common)
    s2_all[known], df_all[known] = prior, df_prior
    if covariate is not None and followed is not None and not known.all():
        levels, at = np.unique(followed, return_inverse=True)
        logs = np.bincount(at, np.log(prior)) / np.bincount(at)
        s2_all[~known] = np.exp(np.interp(covariate[~known], levels, logs))
    return s2_all, df_all


def _fit_known(s2: Array, df: float, covariate: Array | None) -> tuple[Array, Array, float]:
    """Return prior variances and degrees of freedom, and the latter without outliers."""
    plain = fit_prior(s2, np.full(len(s2), df), covariate)
    middle = np.median(s2)
    df_plain = float(plain[1][0])
    if len(s2) < 1 / max(LOWER_TAIL, UPPER_TAIL) or middle <= 0:  # no feature would be winsorized
        return *plain, df_plain
    z = np.log(np.maximum(s2, middle * 1e-12))
    trend = _trend(z, covariate)
    winsorized = _winsorize(z - trend)
    variance = winsorized.var(ddof=1)
    bound = _excess(np.inf, df, variance)
    if bound <= 0:
        df_prior = np.inf
    elif np.isinf(df_plain):
        return *plain, df_plain
    else:
        df_prior = _solve_df(df_plain, df, variance)
    center = trend + winsorized.mean() - _moments(df, df_prior)[0]
    return np.exp(center), _outlier_df(z - center, df, df_prior), df_prior


def _trend(z: Array, covariate: Array | None) -> Array:
    if covariate is None:
        return np.full(len(z), stats.trim_mean(z, UPPER_TAIL))
    order = np.argsort(covariate, kind="stable")
    fitted = np.empty(len(z))
    fitted[order] = lowess(covariate, z, share=SHARE)[1]
    return fitted


def _winsorize(residuals: Array) -> Array:
    low, high = np.quantile(residuals, [LOWER_TAIL, 1 - UPPER_TAIL])
    return np.clip(residuals, low, high)


def _solve_df(df_plain: float, df: float, variance: float) -> float:
    """Find the prior degrees of freedom that give the observed winsorized variance.

    The search is over x = df_prior / (1 + df_prior), from the estimate without robustness upwards.
    """

    def excess(x: float) -> float:
        return _excess(x / (1 - x) if x < 1 else np.inf, df, variance)

    start = df_plain / (1 + df_plain)
    if excess(start) >= 0:
        return df_plain
    root = float(optimize.brentq(excess, start, 1.0, xtol=1e-13))
    return root / (1 - root)


def _excess(df_prior: float, df: float, variance: float) -> float:
    return float(np.log(variance / _moments(df, df_prior)[1])) if variance > 0 else -np.inf


def _moments(df: float, df_prior: float) -> tuple[float, float]:
    """Return mean and variance of the logarithm of a winsorized F(df, df_prior) variable.

    Gauss-Legendre quadrature over x = F / (1 + F) between the two quantiles.
    """
    tails = np.array([LOWER_TAIL, UPPER_TAIL])
    at = np.array([LOWER_TAIL, 1 - UPPER_TAIL])
    ends = stats.chi2.ppf(at, df) / df if np.isinf(df_prior) else stats.f.ppf(at, df, df_prior)
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    low, high = ends / (1 + ends)
    x = low + (high - low) * (nodes + 1) / 2
    ratio = x / (1 - x)
    if np.isinf(df_prior):
        density = df * stats.chi2.pdf(df * ratio, df)
    else:
        density = stats.f.pdf(ratio, df, df_prior)
    mass = (high - low) / 2 * weights * density / (1 - x) ** 2
    logs = np.log(ratio)
    mean = float(mass @ logs + tails @ np.log(ends))
    return mean, float(mass @ (logs - mean) ** 2 + tails @ (np.log(ends) - mean) ** 2)


def _outlier_df(excess: Array, df: float, df_prior: float) -> Array:
    """Return the prior degrees of freedom of each feature, fewer for outliers.

    `excess` is the log ratio of variance to prior variance. The probability that a feature is not
    an outlier is its upper tail probability, divided by the fraction of features with a variance
    ratio at least as large.
    """
    n, ratio = len(excess), np.exp(excess)
    expected = np.log((n - stats.rankdata(ratio) + 0.5) / n)
    tail = _log_upper_tail(ratio, df, df_prior)
    fits = np.exp(np.minimum(tail - expected, 0.0))
    found: Array = np.full(n, df_prior)
    order = np.argsort(tail, kind="stable")
    if not (fits < 1).any():
        return found
    if np.isinf(df_prior):
        found[fits < 1] = fits[fits < 1] * n * df
        found[order] = np.maximum.accumulate(found[order])
        return found
    # the most extreme feature gets the degrees of freedom that make its tail probability 0.5
    worst = np.log(0.5) / tail.min() * df_prior
    largest = np.array([ratio.max()])
    worst = np.log(0.5) / _log_upper_tail(largest, df, worst)[0] * worst
    found = fits * df_prior + (1 - fits) * worst
    ordered = found[order]
    means = np.cumsum(ordered) / np.arange(1, n + 1)
    least = int(np.argmin(means))
    ordered[: least + 1] = means[least]
    found[order] = np.maximum.accumulate(ordered)
    return found


def _log_upper_tail(ratio: Array, df: float, df_prior: float) -> Array:
    """Return log P(F > ratio), also if the probability itself would underflow."""
    whole = stats.chi2.sf(df * ratio, df) if np.isinf(df_prior) else stats.f.sf(ratio, df, df_prior)
    found: Array = np.log(np.maximum(whole, 1e-300))
    small = whole <= 1e-280
    if np.isinf(df_prior):
        x, a = df * ratio[small] / 2, df / 2
        # leading terms of the incomplete gamma function
        found[small] = (a - 1) * np.log(x) - x - special.gammaln(a) + np.log1p((a - 1) / x)
    else:
        a, b = df_prior / 2, df / 2
        share = df_prior / (df_prior + df * ratio[small])
        log_beta = a * np.log(share) + b * np.log1p(-share) - np.log(a) - special.betaln(a, b)
        found[small] = log_beta + np.log(special.hyp2f1(a + b, 1.0, a + 1, share))
    return found
