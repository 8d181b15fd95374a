"""Adjust p-values for multiple testing. Missing p-values (nan) are ignored and stay missing."""

import numpy as np
from numpy.typing import ArrayLike

from lammscope.stats import Array


def benjamini_hochberg(p: ArrayLike) -> Array:
    """Adjust p-values by Benjamini and Hochberg's method, in their order (1995).

    scipy's `false_discovery_control` gives the same, but its import takes half a second.
    """
    p = np.asarray(p, dtype=float)
    adjusted, known = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    ranked = p[order] * (len(order) / np.arange(1, len(order) + 1))
    adjusted[order] = np.minimum(np.minimum.accumulate(ranked[::-1])[::-1], 1)
    return adjusted


def holm(p: ArrayLike) -> Array:
    """Adjust p-values by Holm's step-down method, in their order (Holm 1979).

    statsmodels' `multipletests` gives the same, but collects garbage at every call, which takes
    half a second where tables are in memory.
    """
    p = np.asarray(p, dtype=float)
    adjusted, known = np.full(len(p), np.nan), np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    larger = np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1))
    adjusted[order] = np.minimum(larger, 1)
    return adjusted
