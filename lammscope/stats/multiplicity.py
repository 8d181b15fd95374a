"""Corrections of p-values for the number of tests; a test without a p (nan) takes no part."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from statsmodels.stats.multitest import multipletests

from lammscope.stats import Array


def benjamini_hochberg(p: ArrayLike) -> Array:
    """False discovery rates over the p-values there are, in their order."""
    p = np.asarray(p, dtype=float)
    rates, known = np.full(len(p), np.nan), np.isfinite(p)
    if known.any():
        rates[known] = stats.false_discovery_control(p[known])
    return rates


def holm(p: ArrayLike) -> Array:
    """Adjust p-values by Holm's step-down method (Holm 1979; R's `p.adjust`), in their order."""
    p = np.asarray(p, dtype=float)
    adjusted, known = np.full(len(p), np.nan), np.isfinite(p)
    if known.any():
        adjusted[known] = multipletests(p[known], method="holm")[1]
    return adjusted
