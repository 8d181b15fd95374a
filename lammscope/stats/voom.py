"""Precision weights of counts from the mean-variance trend (limma's voom).

Law et al. 2014, doi 10.1186/gb-2014-15-2-r29. With a trend for each group of samples: You et al.
2023, doi 10.1186/s13059-023-02949-2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from lammscope.stats import Array
from lammscope.stats.linear import lm_fit
from lammscope.stats.lowess import lowess_knots

FLAT = 1e-4  # lower bound of the trend, the square root of a standard deviation of log2 counts


@dataclass(frozen=True)
class Voom:
    """Log2 counts per million `y` and their precision `weights`, both features x samples."""

    y: Array
    weights: Array


def voom(
    counts: ArrayLike,
    design: ArrayLike,
    *,
    norm_factors: ArrayLike,
    block: ArrayLike | None = None,
    correlation: float | None = None,
) -> Voom:
    """Compute log2 counts per million and their weights from the mean-variance trend (voom).

    `counts` is features x samples and `norm_factors` has one value per sample. `block` and
    `correlation` are as in `lm_fit`.
    """
    counts = np.asarray(counts, dtype=float)
    library = counts.sum(axis=0) * np.asarray(norm_factors, dtype=float)
    y = np.log2((counts + 0.5) / (library + 1) * 1e6)
    fit = lm_fit(y, design, block=block, correlation=correlation)
    counted = counts.sum(axis=1) > 0
    if counted.sum() < 2 or fit.df_residual[0] == 0:
        return Voom(y=y, weights=np.ones_like(y))
    size = (fit.mean + np.mean(np.log2(library + 1)) - np.log2(1e6))[counted]
    knots, values = lowess_knots(size, np.sqrt(fit.sigma[counted]))
    fitted = fit.coefficients @ np.asarray(design, dtype=float).T
    fitted = fitted + np.log2(library + 1) - np.log2(1e6)
    trend = np.maximum(np.abs(np.interp(fitted, knots, values)), FLAT)
    return Voom(y=y, weights=(1 / trend**2) ** 2)


def voom_by_group(
    counts: ArrayLike,
    design: ArrayLike,
    *,
    norm_factors: ArrayLike,
    group: ArrayLike,
    block: ArrayLike | None = None,
    correlation: float | None = None,
) -> Voom:
    """Compute `voom` with a mean-variance trend for each group of samples (voomByGroup).

    The design of a group is that of its samples without columns that depend on others. Unlike in
    voomByGroup, the trend is divided by the mean of the root of a standard deviation estimated with
    the residual degrees of freedom of the group: this mean is below 1, most where there are few
    samples, which would get too much weight beside a larger group.

    Raises
    ------
    ValueError
        If a group has no residual degrees of freedom.
    """
    counts, design = np.asarray(counts, dtype=float), np.asarray(design, dtype=float)
    factors, group = np.asarray(norm_factors, dtype=float), np.asarray(group)
    library = counts.sum(axis=0) * factors
    result = Voom(np.log2((counts + 0.5) / (library + 1) * 1e6), np.empty_like(counts))
    for label in np.unique(group):
        own = group == label
        part = design[own][:, _independent(design[own])]
        df = len(part) - part.shape[1]
        if df == 0:
            raise ValueError(f"group {label} has no residual degrees of freedom: use one trend")
        found = voom(
            counts[:, own],
            part,
            norm_factors=factors[own],
            block=None if block is None else np.asarray(block)[own],
            correlation=correlation,
        )
        result.weights[:, own] = found.weights * _mean_root(df) ** 4
    return result


def residual_df(design: ArrayLike) -> int:
    """Count the residual degrees of freedom of a design whose columns may depend on others."""
    design = np.asarray(design, dtype=float)
    return len(design) - len(_independent(design))


def _independent(design: Array) -> NDArray[np.int64]:
    """Return the first columns of a design that do not depend on those before them."""
    length = np.linalg.norm(design, axis=0)
    scaled = design / np.where(length > 0, length, 1)
    kept: list[int] = []
    for column in range(design.shape[1]):
        if np.linalg.matrix_rank(scaled[:, [*kept, column]]) > len(kept):
            kept.append(column)
    return np.array(kept)


def _mean_root(df: int) -> float:
    """Return the mean of (chi-squared / df)^(1/4): of the root of an estimated deviation of 1."""
    log = special.gammaln(df / 2 + 0.25) - special.gammaln(df / 2)
    return float((2 / df) ** 0.25 * np.exp(log))
