"""Linear models of limma, vectorized over features: fits, contrasts, empirical Bayes, blocks.

`y` is features x samples and `design` is samples x coefficients, as in limma. The functions follow
limma (Ritchie et al. 2015, doi 10.1093/nar/gkv007) and are tested against its results.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from lammscope.stats import Array
from lammscope.stats.blocks import block_squares, variance_components
from lammscope.stats.distributions import f_upper, t_two_sided
from lammscope.stats.least_squares import disjoint_first, products, solve_normal_equations
from lammscope.stats.prior import fit_prior

ROUNDING = 1e-14  # residuals smaller than this fraction of y are set to zero


@dataclass(frozen=True)
class Fit:
    """A linear model fitted to each feature (limma's MArrayLM).

    `coefficients` and `stdev_unscaled` are features x coefficients (after `contrast_fit`:
    features x contrasts). `sigma` (residual standard deviation), `df_residual` and `mean` (of y)
    have one value per feature. `cov_coefficients` is the unscaled covariance matrix of the
    coefficients, without weights.
    """

    coefficients: Array
    stdev_unscaled: Array
    sigma: Array
    df_residual: Array
    cov_coefficients: Array
    mean: Array


@dataclass(frozen=True)
class TestedFit(Fit):
    """A fit with tests. `t` and `p_value` are shaped like `coefficients`, the rest per feature.

    `f` is the F-statistic for all coefficients (or contrasts) being zero. As in limma, `f_p_value`
    uses `df_residual + df_prior` degrees of freedom, while `df_total` is capped at the pooled
    residual degrees of freedom.
    """

    __test__ = False  # not a test for pytest

    s2_prior: Array
    df_prior: Array
    s2_post: Array
    t: Array
    df_total: Array
    p_value: Array
    f: Array
    f_p_value: Array


@dataclass(frozen=True)
class BlockCorrelation:
    """Correlation within blocks: the `consensus`, and `values`, one per feature."""

    consensus: float
    values: Array


def lm_fit(
    y: ArrayLike,
    design: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    block: ArrayLike | None = None,
    correlation: float | None = None,
) -> Fit:
    """Fit a linear model to each feature, with weights and correlated blocks (lmFit).

    Parameters
    ----------
    y
        Features x samples, finite.
    design
        Samples x coefficients, of full column rank.
    weights
        Features x samples, positive: inverse variances up to a factor.
    block, correlation
        Block of each sample, and the correlation between samples of one block.

    Raises
    ------
    ValueError
        If shapes do not match, `y` is not finite, the design is not of full column rank, or only
        one of `block` and `correlation` is given.
    """
    y, design = _check(y, design)
    n_samples, n_coefficients = design.shape
    order, n_apart = disjoint_first(design)
    basis, upper = linalg.qr(design[:, order], mode="economic")
    inverse = linalg.solve_triangular(upper, np.eye(n_coefficients))[np.argsort(order)]
    whiten = np.eye(n_samples)
    if (block is None) != (correlation is None):
        raise ValueError("lm_fit needs block and correlation together")
    if block is not None and correlation is not None:
        root = linalg.cholesky(_block_correlation_matrix(block, correlation), lower=True)
        whiten = linalg.solve_triangular(root, np.eye(n_samples), lower=True)

    # On an orthonormal basis the condition of the normal equations depends on the weights alone.
    common = whiten @ basis
    common_inverse = linalg.inv(common.T @ common)
    cov_coefficients = inverse @ common_inverse @ inverse.T
    if weights is None:
        x, response = common, y @ whiten.T
        effects = response @ x @ common_inverse
        residuals = response - effects @ x.T
        variances = np.broadcast_to(np.diag(cov_coefficients), (len(y), n_coefficients))
    else:
        root_weights = np.sqrt(_check_weights(weights, y.shape))
        precision = whiten.T @ whiten  # zero between blocks
        one, other = np.nonzero(np.abs(precision) > 1e-14)
        pairs = root_weights[:, one] * root_weights[:, other] * precision[one, other]
        effects, variances = solve_normal_equations(
            pairs,
            (pairs * y[:, other]) @ basis[one],
            basis[one],
            basis[other],
            inverse,
            n_apart if block is None else 0,
        )
        residuals = (root_weights * (y - effects @ basis.T)) @ whiten.T
        response = root_weights * y
    df_residual = n_samples - n_coefficients
    squares = _sums_of_squares(residuals, response)
    sigma = np.sqrt(squares / df_residual) if df_residual else np.full(len(y), np.nan)
    return Fit(
        coefficients=effects @ inverse.T,
        stdev_unscaled=np.sqrt(variances),
        sigma=sigma,
        df_residual=np.full(len(y), float(df_residual)),
        cov_coefficients=cov_coefficients,
        mean=y.mean(axis=1),
    )


def contrast_fit(fit: Fit, contrasts: ArrayLike) -> Fit:
    """Compute contrasts of the coefficients and their standard errors (contrasts.fit).

    `contrasts` is coefficients x contrasts, or one contrast as a vector. As in limma, the
    correlations of the coefficients are those without weights. With weights, the standard error of
    a contrast of several coefficients is therefore approximate. It is exact if the comparison is a
    coefficient of the design.
    """
    contrasts = np.asarray(contrasts, dtype=float)
    contrasts = contrasts[:, None] if contrasts.ndim == 1 else contrasts
    if len(contrasts) != fit.coefficients.shape[1]:
        raise ValueError(
            f"contrasts has {len(contrasts)} rows, the fit {fit.coefficients.shape[1]} coefficients"
        )
    scale = np.sqrt(np.diag(fit.cov_coefficients))
    root = linalg.cholesky(fit.cov_coefficients / np.outer(scale, scale), lower=False)
    spread = np.einsum("ij,gj,jc->gic", root, fit.stdev_unscaled, contrasts, optimize=True)
    return Fit(
        coefficients=fit.coefficients @ contrasts,
        stdev_unscaled=np.sqrt(np.sum(spread**2, axis=1)),
        sigma=fit.sigma,
        df_residual=fit.df_residual,
        cov_coefficients=contrasts.T @ fit.cov_coefficients @ contrasts,
        mean=fit.mean,
    )


def ordinary(fit: Fit) -> TestedFit:
    """Compute ordinary (unmoderated) t-statistics from the variance of each feature."""
    nothing = np.zeros_like(fit.sigma)
    return _test(fit, s2_prior=nothing, df_prior=nothing, s2_post=fit.sigma**2)


def moderate(fit: Fit, *, robust: bool, trend: bool) -> TestedFit:
    """Compute moderated t- and F-statistics by empirical Bayes (eBayes).

    Residual variances are squeezed towards a prior variance. With `trend`, the prior variance
    depends on the mean of the feature. With `robust`, features whose variance is an outlier get
    fewer prior degrees of freedom. The prior is that of Smyth 2004 (doi 10.2202/1544-6115.1027) or,
    if robust, of Phipson et al. 2016 (doi 10.1214/16-AOAS920).

    Raises
    ------
    ValueError
        If no feature has residual degrees of freedom.
    """
    if not np.any(fit.df_residual > 0):
        raise ValueError(
            "no residual degrees of freedom: the design has as many coefficients as samples"
        )
    s2 = np.where(fit.df_residual > 0, fit.sigma, 0.0) ** 2
    fit_variances = fit_prior
    if robust:  # imported here: the others do without scipy.stats
        from lammscope.stats.robust_prior import fit_prior_robustly as fit_variances

    s2_prior, df_prior = fit_variances(s2, fit.df_residual, fit.mean if trend else None)
    s2_post = squeeze(fit, s2_prior=s2_prior, df_prior=df_prior)
    return _test(fit, s2_prior=s2_prior, df_prior=df_prior, s2_post=s2_post)


def squeeze(fit: Fit, *, s2_prior: Array, df_prior: Array) -> Array:
    """Squeeze residual variances towards prior ones (squeezeVar), one value per feature."""
    s2 = np.where(fit.df_residual > 0, fit.sigma, 0.0) ** 2
    with np.errstate(invalid="ignore"):
        squeezed = (fit.df_residual * s2 + df_prior * s2_prior) / (fit.df_residual + df_prior)
    return np.where(np.isinf(df_prior), s2_prior, squeezed)


def duplicate_correlation(
    y: ArrayLike, design: ArrayLike, *, block: ArrayLike, weights: ArrayLike | None = None
) -> BlockCorrelation:
    """Estimate the correlation of samples in the same block (duplicateCorrelation).

    The variance components of each feature are estimated by restricted maximum likelihood, with the
    iteration and stopping rule of statmod's `mixedModel2Fit`. The consensus is the mean over
    features on Fisher's z scale, trimmed by 15 % at each end.

    Raises
    ------
    ValueError
        If blocks are not repeated, the design has a level for each block, no feature varies,
        or fewer than three residual degrees of freedom remain.
    """
    y, design = _check(y, design)
    n_samples, n_coefficients = design.shape
    member, sizes = _block_members(block, n_samples)
    free = n_samples - n_coefficients
    if free < 3 or not 1 < len(sizes) < n_samples - 1:
        raise ValueError(
            "the correlation within blocks needs repeated blocks and at least three residual "
            "degrees of freedom"
        )
    basis = linalg.qr(design, mode="economic")[0]
    root_weights = np.ones((1, n_samples))
    if weights is not None:
        root_weights = np.sqrt(_check_weights(weights, y.shape))
    # `turn` makes the weighted basis of each feature orthonormal.
    gram = root_weights**2 @ products(basis, basis)
    root = np.linalg.cholesky(gram.reshape(-1, n_coefficients, n_coefficients))
    turn = np.linalg.inv(root).transpose(0, 2, 1)
    effects = np.matmul(((root_weights**2 * y) @ basis)[:, None, :], turn)
    effects = np.matmul(effects, turn.transpose(0, 2, 1))[:, 0, :]
    residuals = root_weights * (y - effects @ basis.T)
    overlap = (root_weights @ products(member, basis)).reshape(-1, len(sizes), n_coefficients)
    total = _sums_of_squares(residuals, root_weights * y)
    squares, spread, count = block_squares(residuals @ member, np.matmul(overlap, turn), sizes)
    if not (count * spread > 0).any():
        raise ValueError(
            "the design has a level for each block: no correlation within blocks can be estimated"
        )
    # The rest of the residual sum of squares depends only on the variance within blocks.
    squares[total == 0] = 0
    rest = np.maximum(total - np.sum(count * squares, axis=1), 0)
    left = free - count.sum(axis=1)
    squares = np.column_stack([squares, rest / np.maximum(left, 1)])
    spread, count = np.column_stack([spread, np.zeros(len(y))]), np.column_stack([count, left])
    within, between = variance_components(squares, spread, count).T
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature without variance: nan
        values = between / (within + between)
    bounded = np.clip(values[np.isfinite(values)], 1 / (1 - sizes.max()) + 0.01, 0.99)
    if len(bounded) == 0:
        raise ValueError("no feature varies: the correlation within blocks cannot be estimated")
    consensus = np.tanh(_trimmed_mean(np.arctanh(bounded), 0.15))
    return BlockCorrelation(consensus=float(consensus), values=values)


def _trimmed_mean(values: Array, share: float) -> float:
    """Return the mean without a share of the values at each end: that of scipy.stats.

    Its import takes half a second, and hardly anything else needs it.
    """
    cut = int(share * len(values))
    inner = slice(cut, len(values) - cut)
    return float(np.partition(values, (inner.start, inner.stop - 1))[inner].mean())


def _check(y: ArrayLike, design: ArrayLike) -> tuple[Array, Array]:
    y, design = np.asarray(y, dtype=float), np.asarray(design, dtype=float)
    if y.ndim != 2 or design.ndim != 2 or y.shape[1] != len(design):
        raise ValueError(
            f"y has shape {y.shape} and the design {design.shape}: the numbers of samples differ"
        )
    if not np.isfinite(y).all():
        raise ValueError("y has missing or infinite values: drop these features or samples")
    rank = np.linalg.matrix_rank(design)
    if rank < design.shape[1]:
        raise ValueError(f"the design has {design.shape[1]} columns but rank {rank}")
    return y, design


def _check_weights(weights: ArrayLike, shape: tuple[int, ...]) -> Array:
    weights = np.asarray(weights, dtype=float)
    if weights.shape != shape or not np.all(np.isfinite(weights) & (weights > 0)):
        raise ValueError(f"weights must be positive and of shape {shape}")
    return weights


def _sums_of_squares(residuals: Array, response: Array) -> Array:
    """Sum squared residuals over samples; 0 if the residuals are due to rounding."""
    found, whole = np.sum(residuals**2, axis=1), np.sum(response**2, axis=1)
    return np.where(found < ROUNDING**2 * whole, 0.0, found)


def _block_members(block: ArrayLike, n_samples: int) -> tuple[Array, NDArray[np.int64]]:
    """Return the membership (samples x blocks, 0 or 1), and the number of samples per block."""
    labels, codes = np.unique(np.asarray(block), return_inverse=True)
    if len(codes) != n_samples:
        raise ValueError(f"block has {len(codes)} labels for {n_samples} samples")
    return np.eye(len(labels))[codes], np.bincount(codes)


def _block_correlation_matrix(block: ArrayLike, correlation: float) -> Array:
    member, _ = _block_members(block, len(np.asarray(block)))
    shared = member @ member.T
    return np.where(np.eye(len(shared), dtype=bool), 1.0, correlation * shared)


def _test(fit: Fit, *, s2_prior: Array, df_prior: Array, s2_post: Array) -> TestedFit:
    """Compute t- and F-statistics with the given posterior variances."""
    df_total = np.minimum(fit.df_residual + df_prior, fit.df_residual.sum())
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature without variance: t is nan
        t = fit.coefficients / (fit.stdev_unscaled * np.sqrt(s2_post)[:, None])
    t = np.where(np.isfinite(t), t, np.nan)
    # decorrelate the t-statistics, with the unweighted correlation of the coefficients
    scale = np.sqrt(np.where(np.diag(fit.cov_coefficients) > 0, np.diag(fit.cov_coefficients), 1))
    values, axes = np.linalg.eigh(fit.cov_coefficients / np.outer(scale, scale))
    seen = values > 1e-8 * values.max()
    f = np.sum((t @ (axes[:, seen] / np.sqrt(values[seen]))) ** 2, axis=1) / seen.sum()
    return TestedFit(
        **vars(fit),
        s2_prior=s2_prior,
        df_prior=df_prior,
        s2_post=s2_post,
        t=t,
        df_total=df_total,
        p_value=t_two_sided(t, df_total[:, None]),
        f=f,
        f_p_value=f_upper(f, seen.sum(), np.minimum(fit.df_residual + df_prior, 1e15)),
    )
