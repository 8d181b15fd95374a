"""Precision weights of counts from the mean-variance trend (limma's voom).

Law et al. 2014, doi 10.1186/gb-2014-15-2-r29.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

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
