"""Empirical Bayes prior of variances (limma's fitFDist; Smyth 2004, 10.2202/1544-6115.1027)."""

import numpy as np
from scipy import special

from lammscope.stats import Array


def fit_prior(s2: Array, df: Array, covariate: Array | None) -> tuple[Array, Array]:
    """Estimate prior variance and prior degrees of freedom per feature (fitFDist).

    `s2` are the residual variances and `df` their degrees of freedom. With `covariate`, the prior
    variance follows it by a spline. Features without degrees of freedom get the prior of the
    others. If no variance is positive, the prior variance is nan.
    """
    known = df > 0
    n, n_all = int(known.sum()), len(s2)
    s2, df = s2[known], df[known]
    if not (s2 > 0).any():
        return np.full(n_all, np.nan), np.zeros(n_all)
    if n == 1:
        return np.full(n_all, s2[0]), np.zeros(n_all)
    middle = np.median(s2)
    floored = np.maximum(s2, 1e-5 * (middle if middle > 0 else 1.0))
    log_s2 = np.log(floored) - special.digamma(df / 2) + np.log(df / 2)
    n_spline = 1
    if covariate is not None:
        n_spline = min(1 + (n >= 3) + (n >= 6) + (n >= 30), len(np.unique(covariate[known])))
    if covariate is None or n_spline < 2:
        center = np.full(n_all, log_s2.mean())
        n_spline = 1
    else:
        spline = _natural_spline(covariate, covariate[known], n_spline)
        n_spline = spline.shape[1]
        center = spline @ np.linalg.lstsq(spline[known], log_s2, rcond=None)[0]
    excess = np.sum((log_s2 - center[known]) ** 2) / (n - n_spline)
    excess -= np.mean(special.polygamma(1, df / 2))
    if excess > 0:
        df_prior = 2 * _inverse_trigamma(float(excess))
        center = center + special.digamma(df_prior / 2) - np.log(df_prior / 2)
        return np.exp(center), np.full(n_all, df_prior)
    prior = np.exp(center) if n_spline > 1 else np.full(n_all, floored.mean())
    return prior, np.full(n_all, np.inf)


def _inverse_trigamma(value: float) -> float:
    """Solve trigamma(x) = value by Newton iteration, as limma's `trigammaInverse`."""
    if value > 1e7:
        return float(1 / np.sqrt(value))
    if value < 1e-6:
        return 1 / value
    x = 0.5 + 1 / value
    for _ in range(50):
        trigamma = special.polygamma(1, x)
        step = trigamma * (1 - trigamma / value) / special.polygamma(2, x)
        x += step
        if -step / x < 1e-8:
            break
    return float(x)


def _natural_spline(x: Array, known: Array, n_basis: int) -> Array:
    """Evaluate natural cubic splines at x, with an intercept and knots at quantiles of `known`."""
    low, span = known.min(), known.max() - known.min()
    knots = np.unique(np.quantile((known - low) / span, np.linspace(0, 1, n_basis)))
    x = (x - low) / span
    cubes = np.maximum(x[:, None] - knots, 0) ** 3
    slopes = (cubes[:, :-1] - cubes[:, -1:]) / (knots[-1] - knots[:-1])
    return np.column_stack([np.ones_like(x), x, slopes[:, :-1] - slopes[:, -1:]])
