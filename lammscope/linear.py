"""limma's linear model in NumPy, vectorised over features: fits, contrasts, moderation, voom.

`y` is features x samples and `design` is samples x coefficients, as in limma. The functions follow
limma and edgeR (Ritchie et al. 2015, doi 10.1093/nar/gkv007; Law et al. 2014,
doi 10.1186/gb-2014-15-2-r29; Robinson and Oshlack 2010, doi 10.1186/gb-2010-11-3-r25) and are
tested against their numbers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, stats

from lammscope.variances import Array, fit_prior, lowess, variance_components


@dataclass(frozen=True)
class Fit:
    """A linear model per feature.

    `coefficients` and `stdev_unscaled` are features x coefficients (after `contrast_fit`:
    features x contrasts); `sigma`, `df_residual` and `mean` (of y) are one value per feature;
    `cov_coefficients` is the unscaled covariance without weights, coefficients x coefficients.
    """

    coefficients: Array
    stdev_unscaled: Array
    sigma: Array
    df_residual: Array
    cov_coefficients: Array
    mean: Array


@dataclass(frozen=True)
class TestedFit(Fit):
    """A fit with t-tests: `t` and `p_value` as `coefficients`, the rest one value per feature."""

    __test__ = False  # the name is no test of pytest

    s2_prior: Array
    df_prior: Array
    s2_post: Array
    t: Array
    df_total: Array
    p_value: Array


@dataclass(frozen=True)
class Voom:
    """Log2 counts per million `y` with their precision `weights`, both features x samples."""

    y: Array
    weights: Array


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
    """Least squares per feature, with weights and one common correlation within blocks (lmFit).

    Parameters
    ----------
    y
        Features x samples, finite.
    design
        Samples x coefficients, of full column rank.
    weights
        Features x samples, positive; inverse variances up to a factor.
    block, correlation
        A label per sample, and the correlation of samples with equal labels.

    Raises
    ------
    ValueError
        If shapes disagree, `y` is not finite, the design is not of full rank, or only one of
        `block` and `correlation` is given.
    """
    y, design = _check(y, design)
    n_samples, n_coefficients = design.shape
    basis, upper = linalg.qr(design, mode="economic")
    inverse = linalg.solve_triangular(upper, np.eye(n_coefficients))
    whiten = np.eye(n_samples)
    if (block is None) != (correlation is None):
        raise ValueError("lm_fit takes block and correlation together")
    if block is not None and correlation is not None:
        root = linalg.cholesky(_block_correlation_matrix(block, correlation), lower=True)
        whiten = linalg.solve_triangular(root, np.eye(n_samples), lower=True)

    # Normal equations on the orthonormal basis: their condition is that of the weights alone.
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
        x = np.matmul(whiten, root_weights[:, :, None] * basis)
        response = (root_weights * y) @ whiten.T
        cross = np.linalg.inv(np.einsum("gsi,gsj->gij", x, x, optimize=True))
        effects = np.einsum("gij,gsj,gs->gi", cross, x, response, optimize=True)
        residuals = response - np.einsum("gsi,gi->gs", x, effects, optimize=True)
        variances = np.einsum("ki,gij,kj->gk", inverse, cross, inverse, optimize=True)
    df_residual = n_samples - n_coefficients
    with np.errstate(invalid="ignore"):  # no residual degrees of freedom: sigma is nan
        sigma = np.sqrt(np.sum(residuals**2, axis=1) / np.float64(df_residual))
    return Fit(
        coefficients=effects @ inverse.T,
        stdev_unscaled=np.sqrt(variances),
        sigma=sigma,
        df_residual=np.full(len(y), float(df_residual)),
        cov_coefficients=cov_coefficients,
        mean=y.mean(axis=1),
    )


def contrast_fit(fit: Fit, contrasts: ArrayLike) -> Fit:
    """Turn coefficients into contrasts (contrasts.fit).

    `contrasts` is coefficients x contrasts, or one contrast as a vector. As in limma, the
    correlation between coefficients is that of the fit without weights; with weights the standard
    error of a contrast of several coefficients is therefore an approximation, and exact where
    the wanted comparison is itself a coefficient of the design.
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
    """Test each coefficient with the feature's own variance: the classical t-test."""
    nothing = np.zeros_like(fit.sigma)
    return _test(fit, s2_prior=nothing, df_prior=nothing, s2_post=fit.sigma**2)


def moderate(fit: Fit, *, robust: bool, trend: bool) -> TestedFit:
    """Test each coefficient with variances squeezed towards a common prior (eBayes).

    With `trend`, the prior variance follows the feature's mean. The fitted prior is that of
    Smyth 2004 (doi 10.2202/1544-6115.1027).

    Raises
    ------
    ValueError
        If no feature has residual degrees of freedom.
    """
    if not np.any(fit.df_residual > 0):
        raise ValueError("no residual degrees of freedom: as many coefficients as samples")
    if robust:
        raise NotImplementedError("robust moderation")
    s2 = fit.sigma**2
    s2_prior, df_prior = fit_prior(s2, fit.df_residual, fit.mean if trend else None)
    with np.errstate(invalid="ignore"):
        squeezed = (fit.df_residual * s2 + df_prior * s2_prior) / (fit.df_residual + df_prior)
    s2_post = np.where(np.isinf(df_prior), s2_prior, squeezed)
    return _test(fit, s2_prior=s2_prior, df_prior=df_prior, s2_post=s2_post)


def duplicate_correlation(
    y: ArrayLike, design: ArrayLike, *, block: ArrayLike, weights: ArrayLike | None = None
) -> BlockCorrelation:
    """Correlation of samples in the same block (duplicateCorrelation).

    Per feature the variances between and within blocks by restricted maximum likelihood; the
    consensus is the mean over features on Fisher's z scale with 15 % trimmed at each end. The
    iteration is that of statmod's `mixedModel2Fit`, with its stopping rule.

    Raises
    ------
    ValueError
        If blocks are not repeated, or fewer than three residual degrees of freedom are left.
    """
    y, design = _check(y, design)
    n_samples, n_coefficients = design.shape
    member, sizes = _block_members(block, n_samples)
    free = n_samples - n_coefficients
    if free < 3 or not 1 < len(sizes) < n_samples - 1:
        raise ValueError("the correlation within blocks needs repeated blocks and more samples")
    if weights is None:
        basis, _ = linalg.qr(design, mode="economic")
        residuals = y - (y @ basis) @ basis.T
        overlap = member.T @ basis
        spread, axes = np.linalg.eigh(np.diag(sizes) - overlap @ overlap.T)
        projected = residuals @ member @ axes
    else:
        root_weights = np.sqrt(_check_weights(weights, y.shape))
        basis, _ = np.linalg.qr(root_weights[:, :, None] * design)
        residuals = root_weights * y
        residuals -= np.einsum("gsi,gti,gt->gs", basis, basis, residuals, optimize=True)
        overlap = np.matmul(member.T, basis)
        spread, axes = np.linalg.eigh(np.diag(sizes) - overlap @ overlap.transpose(0, 2, 1))
        projected = np.einsum("gb,gbk->gk", residuals @ member, axes, optimize=True)
    # Independent squares: one per block direction, with mean (within + spread * between), and
    # the rest of the residual sum of squares, which depends on the variance within alone.
    spread = np.broadcast_to(spread, projected.shape)
    seen = spread > 1e-10
    squares = np.where(seen, projected**2 / np.where(seen, spread, 1), 0.0)
    rest = np.maximum(np.sum(residuals**2, axis=1) - squares.sum(axis=1), 0)
    count = np.column_stack([seen, free - seen.sum(axis=1)]).astype(float)
    spread = np.column_stack([np.where(seen, spread, 0), np.zeros(len(y))])
    squares = np.column_stack([squares, rest / np.maximum(count[:, -1], 1)])
    within, between = variance_components(squares, spread, count).T
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature without variance: nan
        values = between / (within + between)
    bounded = np.clip(values[np.isfinite(values)], 1 / (1 - sizes.max()) + 0.01, 0.99)
    if len(bounded) == 0:
        raise ValueError("no feature varies: the correlation within blocks cannot be estimated")
    consensus = np.tanh(stats.trim_mean(np.arctanh(bounded), 0.15))
    return BlockCorrelation(consensus=float(consensus), values=values)


def tmm(counts: ArrayLike) -> Array:
    """Library size factors by trimmed mean of M values, one per sample (calcNormFactors)."""
    counts = np.asarray(counts, dtype=float)
    library = _library_sizes(counts)
    counts = counts[(counts > 0).any(axis=1)]
    upper = np.quantile(counts, 0.75, axis=0) / library
    if np.median(upper) < 1e-20:
        reference = int(np.argmax(np.sqrt(counts).sum(axis=0)))
    else:
        reference = int(np.argmin(np.abs(upper - upper.mean())))
    log_factors = [
        _trimmed_log_ratio(column, counts[:, reference], size, library[reference])
        for column, size in zip(counts.T, library, strict=True)
    ]
    return np.exp2(np.array(log_factors) - np.mean(log_factors))


def filter_by_expression(counts: ArrayLike, design: ArrayLike) -> NDArray[np.bool_]:
    """Features with enough counts in enough samples for this design (filterByExpr)."""
    counts, design = np.asarray(counts, dtype=float), np.asarray(design, dtype=float)
    with_intercept = np.column_stack([np.ones(len(design)), design])
    basis, scale, _ = linalg.svd(with_intercept, full_matrices=False)
    basis = basis[:, scale > scale[0] * 1e-10]
    group_size = 1 / np.max(np.sum(basis**2, axis=1))
    if group_size > 10:
        group_size = 10 + (group_size - 10) * 0.7
    library = _library_sizes(counts)
    # Ties at the cutoff are decided by rounding: edgeR's order of operations.
    enough = counts * (1e6 / library) >= 10 / np.median(library) * 1e6
    return (enough.sum(axis=1) >= group_size - 1e-14) & (counts.sum(axis=1) >= 15 - 1e-14)


def voom(
    counts: ArrayLike,
    design: ArrayLike,
    *,
    norm_factors: ArrayLike,
    block: ArrayLike | None = None,
    correlation: float | None = None,
) -> Voom:
    """Log2 counts per million with weights from the mean-variance trend (voom)."""
    counts = np.asarray(counts, dtype=float)
    library = counts.sum(axis=0) * np.asarray(norm_factors, dtype=float)
    y = np.log2((counts + 0.5) / (library + 1) * 1e6)
    fit = lm_fit(y, design, block=block, correlation=correlation)
    if len(y) < 2 or fit.df_residual[0] == 0:
        return Voom(y=y, weights=np.ones_like(y))
    counted = counts.sum(axis=1) > 0
    size = (fit.mean + np.mean(np.log2(library + 1)) - np.log2(1e6))[counted]
    trend_x, trend_y = lowess(size, np.sqrt(fit.sigma[counted]))
    knots, where = np.unique(trend_x, return_inverse=True)
    values = np.bincount(where, trend_y) / np.bincount(where)
    fitted = fit.coefficients @ np.asarray(design, dtype=float).T
    fitted = fitted + np.log2(library + 1) - np.log2(1e6)
    return Voom(y=y, weights=np.interp(fitted, knots, values) ** -4.0)


def _library_sizes(counts: Array) -> Array:
    library = counts.sum(axis=0)
    if np.any(library == 0):
        raise ValueError("a sample without counts has no library size: drop it")
    return library


def _check(y: ArrayLike, design: ArrayLike) -> tuple[Array, Array]:
    y, design = np.asarray(y, dtype=float), np.asarray(design, dtype=float)
    if y.ndim != 2 or design.ndim != 2 or y.shape[1] != len(design):
        raise ValueError(f"y is {y.shape}, design {design.shape}: samples do not agree")
    if not np.isfinite(y).all():
        raise ValueError("y has missing or infinite values: drop those features or samples")
    rank = np.linalg.matrix_rank(design)
    if rank < design.shape[1]:
        raise ValueError(f"the design has {design.shape[1]} columns but rank {rank}")
    return y, design


def _check_weights(weights: ArrayLike, shape: tuple[int, ...]) -> Array:
    weights = np.asarray(weights, dtype=float)
    if weights.shape != shape or not np.all(np.isfinite(weights) & (weights > 0)):
        raise ValueError(f"weights must be positive and of shape {shape}")
    return weights


def _block_members(block: ArrayLike, n_samples: int) -> tuple[Array, NDArray[np.int64]]:
    """Samples x blocks membership (0 or 1), and the number of samples per block."""
    labels, codes = np.unique(np.asarray(block), return_inverse=True)
    if len(codes) != n_samples:
        raise ValueError(f"block has {len(codes)} labels for {n_samples} samples")
    return np.eye(len(labels))[codes], np.bincount(codes)


def _block_correlation_matrix(block: ArrayLike, correlation: float) -> Array:
    member, _ = _block_members(block, len(np.asarray(block)))
    shared = member @ member.T
    return np.where(np.eye(len(shared), dtype=bool), 1.0, correlation * shared)


def _test(fit: Fit, *, s2_prior: Array, df_prior: Array, s2_post: Array) -> TestedFit:
    """t-tests with the given posterior variances."""
    df_total = np.minimum(fit.df_residual + df_prior, fit.df_residual.sum())
    with np.errstate(invalid="ignore", divide="ignore"):  # a feature without variance: t is nan
        t = fit.coefficients / (fit.stdev_unscaled * np.sqrt(s2_post)[:, None])
    t = np.where(np.isfinite(t), t, np.nan)
    return TestedFit(
        **vars(fit),
        s2_prior=s2_prior,
        df_prior=df_prior,
        s2_post=s2_post,
        t=t,
        df_total=df_total,
        p_value=2 * stats.t.sf(np.abs(t), df_total[:, None]),
    )


def _trimmed_log_ratio(
    sample: Array, reference: Array, sample_size: float, reference_size: float
) -> float:
    """Weighted mean of log2 ratios, 30 % trimmed by ratio and 5 % by intensity at each end."""
    seen = (sample > 0) & (reference > 0)
    sample, reference = sample[seen], reference[seen]
    log_ratio = np.log2((sample / sample_size) / (reference / reference_size))
    intensity = np.log2(sample / sample_size) + np.log2(reference / reference_size)
    if len(log_ratio) == 0 or np.abs(log_ratio).max() < 1e-6:
        return 0.0
    n = len(log_ratio)
    keep = np.ones(n, dtype=bool)
    for values, share in ((log_ratio, 0.3), (intensity / 2, 0.05)):
        ranks, low = stats.rankdata(values), np.floor(n * share) + 1
        keep &= (ranks >= low) & (ranks <= n + 1 - low)
    variance = (sample_size - sample) / sample_size / sample
    variance += (reference_size - reference) / reference_size / reference
    if not keep.any():
        return 0.0
    return float(np.sum(log_ratio[keep] / variance[keep]) / np.sum(1 / variance[keep]))
