"""Rates per cell, and their logarithms."""

import numpy as np
from scipy import sparse

from lammscope.core.names import PER


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
