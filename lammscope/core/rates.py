"""Totals, rates per cell, and their logarithms."""

import numpy as np
from scipy import sparse

from lammscope.core.names import PER

STEEPNESS = 9  # of activity, log10(1 + 9 x): 0.28 at a tenth of the scale, 1 at it; our choice


def cell_totals(counts: sparse.csr_array) -> np.ndarray:
    """Sum the counts of each cell (int64), without the copy that scipy makes of integers."""
    totals = np.zeros(counts.shape[0], dtype=np.int64)
    filled = np.flatnonzero(np.diff(counts.indptr))
    if len(filled):
        totals[filled] = np.add.reduceat(counts.data, counts.indptr[filled], dtype=np.int64)
    return totals


def gene_totals(counts: sparse.csr_array) -> np.ndarray:
    """Sum the counts of each gene (int64)."""
    sums = np.bincount(counts.indices, weights=counts.data, minlength=counts.shape[1])
    return sums.astype(np.int64)


def take_cells(counts: sparse.csr_array, rows: np.ndarray) -> sparse.csr_array:
    """Return the counts of some cells, by their positions in ascending order: not copied if all."""
    return counts if len(rows) == counts.shape[0] else counts[rows]


def to_rates(counts: sparse.csr_array, totals: np.ndarray) -> sparse.csr_array:
    """Convert counts (cells x genes) to UMIs per 10,000 (float32), given total UMIs per cell."""
    rates = counts.astype(np.float32)
    rates.data *= np.repeat(PER / np.maximum(totals, 1), np.diff(counts.indptr)).astype(np.float32)
    return rates


def normalize(counts: sparse.csr_array, totals: np.ndarray) -> sparse.csr_array:
    """Convert counts (cells x genes) to log(1 + UMIs per 10,000), given total UMIs per cell."""
    values = to_rates(counts, totals)
    np.log1p(values.data, out=values.data)
    return values


def activity(rates: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Convert rates to a log scale: 0 is absent, 1 is the gene's typical level or more."""
    return np.asarray(np.minimum(np.log1p(STEEPNESS * rates / scale) / np.log(1 + STEEPNESS), 1))
