"""Normalization factors and filtering of low counts, as in edgeR.

Robinson and Oshlack 2010 (doi 10.1186/gb-2010-11-3-r25); Chen, Lun and Smyth 2016 (doi
10.12688/f1000research.8987.2).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from lammscope.stats import Array


def tmm(counts: ArrayLike) -> Array:
    """Compute TMM normalization factors of features x samples, one per sample (calcNormFactors)."""
    counts = np.asarray(counts, dtype=float)
    library = library_sizes(counts)
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
    """Mark features with enough counts in enough samples for a design (filterByExpr)."""
    counts, design = np.asarray(counts, dtype=float), np.asarray(design, dtype=float)
    with_intercept = np.column_stack([np.ones(len(design)), design])
    basis, scale, _ = linalg.svd(with_intercept, full_matrices=False)
    basis = basis[:, scale > scale[0] * 1e-10]
    group_size = 1 / np.max(np.sum(basis**2, axis=1))
    if group_size > 10:
        group_size = 10 + (group_size - 10) * 0.7
    library = library_sizes(counts)
    # The order of operations is that of edgeR, since rounding decides ties at the cutoff.
    enough = counts * (1e6 / library) >= 10 / np.median(library) * 1e6
    in_group = enough.sum(axis=1) >= group_size - 1e-14
    return np.asarray(in_group & (counts.sum(axis=1) >= 15 - 1e-14))


def library_sizes(counts: Array) -> Array:
    """Sum the columns. Raises ValueError if a column has no counts."""
    library = counts.sum(axis=0)
    if np.any(library == 0):
        raise ValueError("a sample without counts has a library size of zero: drop it")
    return library


def _trimmed_log_ratio(
    sample: Array, reference: Array, sample_size: float, reference_size: float
) -> float:
    """Average log2 ratios with weights, after trimming 30 % by M and 5 % by A at each end."""
    seen = (sample > 0) & (reference > 0)
    sample, reference = sample[seen], reference[seen]
    log_ratio = np.log2((sample / sample_size) / (reference / reference_size))
    intensity = np.log2(sample / sample_size) + np.log2(reference / reference_size)
    if len(log_ratio) == 0 or np.abs(log_ratio).max() < 1e-6:
        return 0.0
    n = len(log_ratio)
    keep = np.ones(n, dtype=bool)
    for values, share in ((log_ratio, 0.3), (intensity / 2, 0.05)):
        low = int(np.floor(n * share)) + 1
        keep &= _between_ranks(values, low, n + 1 - low)
    variance = (sample_size - sample) / sample_size / sample
    variance += (reference_size - reference) / reference_size / reference
    if not keep.any():
        return 0.0
    return float(np.sum(log_ratio[keep] / variance[keep]) / np.sum(1 / variance[keep]))


def _between_ranks(values: Array, low: int, high: int) -> NDArray[np.bool_]:
    """Mark values whose rank (from 1; ties get their mean rank) is between low and high."""
    ordered = np.sort(values)

    def rank(value: float) -> float:
        first, beyond = (np.searchsorted(ordered, value, side=s) for s in ("left", "right"))
        return float(first + 1 + beyond) / 2

    start, end = ordered[low - 1], ordered[high - 1]
    above = values >= start if rank(start) >= low else values > start
    below = values <= end if rank(end) <= high else values < end
    return np.asarray(above & below)
