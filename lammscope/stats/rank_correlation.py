"""Partial rank correlation of two values over patients, with an interval and a permutation test.

Ranks of both values are adjusted by least squares for the ranks of covariates, and correlated:
Spearman's partial correlation. Without covariates it is Spearman's rho.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import stdtr

from lammscope.stats import Array
from lammscope.stats.distributions import normal_quantile

MIN_DF = 3  # n less covariates less 2, from which a correlation has an interval; our choice
TIE = 1e-9  # correlations that differ by less are ties
NUMBERS_AT_A_TIME = 2_000_000  # 16 MB


@dataclass(frozen=True)
class RankCorrelation:
    """Partial correlations of one value with several, one per feature; nan where not defined.

    Attributes
    ----------
    rho, ci_low, ci_high
        Correlation and 95 % interval: Fisher's z with the standard error of Bonett and Wright
        (2000, doi 10.1007/BF02294183), sqrt((1 + rho^2 / 2) / (n - k - 3)) for k covariates.
    p
        Of Student's t with n - k - 2 degrees of freedom, as in `scipy.stats.spearmanr` for k = 0.
    p_permutation
        Share of all orders of the patients, or of random ones and the observed one, whose |rho| is
        at least as large.
    p_floor
        The smallest p that the permutation test can give.
    n_covariates
        Covariates that vary and are not determined by others.
    """

    rho: Array
    ci_low: Array
    ci_high: Array
    p: Array
    p_permutation: Array
    p_floor: float
    n_covariates: int


def rank_correlation(
    x: Array,
    y: Array,
    covariates: Array,
    *,
    max_exact: int,
    n_draws: int,
    seed: int,
    level: float,
) -> RankCorrelation:
    """Correlate `x` with each of `y`, adjusted for covariates.

    Parameters
    ----------
    x
        One value per patient.
    y
        Features x patients.
    covariates
        Patients x covariates; ranked as well, which leaves indicators of groups as they are.
    max_exact, n_draws, seed
        Up to `max_exact` orders of the patients, all are enumerated; above it, `n_draws` are drawn.
    level
        Of the interval, such as 0.95.

    Notes
    -----
    The permutation test is that of Freedman and Lane (1983): residuals of `y` are permuted and
    adjusted again. It is exact without covariates and approximate with them.
    """
    n = len(x)
    basis = _basis(_ranks(covariates.T), n)
    k = basis.shape[1] - 1
    rest_x, rest_y = _residuals(_ranks(x[None]), basis), _residuals(_ranks(y), basis)
    rho = _correlations(rest_x, rest_y)[0]
    df = n - k - 2
    if df < MIN_DF:
        rho = np.full(len(y), np.nan)
    known = np.isfinite(rho) & (np.abs(rho) < 1 - TIE)
    sure = np.where(known, rho, 0)
    z, se = np.arctanh(sure), np.sqrt((1 + sure**2 / 2) / max(df - 1, 1))
    half = normal_quantile((1 + level) / 2) * se
    t = sure * np.sqrt(max(df, 1) / (1 - sure**2))
    p = np.where(known, 2 * stdtr(max(df, 1), -np.abs(t)), np.where(np.isfinite(rho), 0, np.nan))
    orders = _orders(n, max_exact, n_draws, seed)
    is_exact = factorial(n) <= max_exact
    found = _permutation_p(rest_x, rest_y, basis, orders, is_exact=is_exact)
    return RankCorrelation(
        rho=rho,
        ci_low=np.where(known, np.tanh(z - half), np.nan),
        ci_high=np.where(known, np.tanh(z + half), np.nan),
        p=p,
        p_permutation=np.where(np.isfinite(rho), found, np.nan),
        # without covariates, the reversed order has the same |rho|
        p_floor=(1 if k else 2) / factorial(n) if is_exact else 1 / (n_draws + 1),
        n_covariates=k,
    )


def _ranks(values: Array) -> Array:
    """Rank each row; ties have the mean of their ranks."""
    return np.asarray(pd.DataFrame(values).rank(axis=1).to_numpy(), dtype=float)


def _basis(covariates: Array, n: int) -> Array:
    """Return an orthonormal basis of the constant and the covariates (one per row)."""
    basis = np.full((n, 1), 1 / np.sqrt(n))
    for values in covariates:
        rest = values - basis @ (basis.T @ values)
        rest = rest - basis @ (basis.T @ rest)
        length = np.linalg.norm(rest)
        if length > 1e-8 * max(1.0, float(np.linalg.norm(values))):
            basis = np.column_stack([basis, rest / length])
    return basis


def _residuals(values: Array, basis: Array) -> Array:
    """Return rows less their projection onto the basis; rows that it explains are zero."""
    rest = values - (values @ basis) @ basis.T
    length = np.linalg.norm(rest, axis=-1, keepdims=True)
    return np.asarray(np.where(length > 1e-8 * np.sqrt(values.shape[-1]), rest, 0))


def _correlations(one: Array, others: Array) -> Array:
    """Correlate rows of residuals; nan where a row does not vary."""
    lengths = np.linalg.norm(one, axis=-1)[:, None] * np.linalg.norm(others, axis=-1)
    products = one @ np.swapaxes(others, -1, -2)
    found = np.full(products.shape, np.nan)
    np.divide(products, lengths, out=found, where=lengths > 0)
    return np.asarray(np.clip(found, -1, 1))


@lru_cache(maxsize=8)
def _orders(n: int, max_exact: int, n_draws: int, seed: int) -> NDArray[np.int64]:
    """Enumerate or draw orders of the patients: orders x n."""
    if factorial(n) <= max_exact:
        return np.array(list(permutations(range(n))), dtype=np.int64)
    rng = np.random.default_rng(seed)
    return rng.permuted(np.tile(np.arange(n), (n_draws, 1)), axis=1)


def _permutation_p(
    rest_x: Array, rest_y: Array, basis: Array, orders: NDArray[np.int64], *, is_exact: bool
) -> Array:
    """Return the share of orders whose |rho| is at least as large, one per row of `rest_y`."""
    observed = np.abs(_correlations(rest_x, rest_y)[0])
    count = np.zeros(len(rest_y))
    size = max(1, NUMBERS_AT_A_TIME // rest_y.size)
    for start in range(0, len(orders), size):
        moved = rest_y[:, orders[start : start + size]]  # features x orders x patients
        product = moved @ rest_x[0]
        within = (moved**2).sum(axis=2) - ((moved @ basis) ** 2).sum(axis=2)
        length = np.linalg.norm(rest_x) * np.sqrt(np.maximum(within, 0))
        rho = np.divide(product, length, out=np.zeros_like(product), where=length > 1e-8)
        count += (np.abs(rho) >= observed[:, None] - TIE).sum(axis=1)
    return count / len(orders) if is_exact else (count + 1) / (len(orders) + 1)
