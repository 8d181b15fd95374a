"""Competitive gene-set test of limma (camera; Wu and Smyth 2012, doi 10.1093/nar/gks461)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from lammscope.stats import Array
from lammscope.stats.distributions import t_two_sided
from lammscope.stats.linear import lm_fit, moderate
from lammscope.stats.multiplicity import benjamini_hochberg

GENE_CORRELATION = 0.01  # inter-gene correlation within a set, limma's preset for camera


def camera(
    y: ArrayLike,
    sets: Mapping[str, ArrayLike],
    design: ArrayLike,
    contrast: int | ArrayLike,
    *,
    weights: ArrayLike | None = None,
) -> pd.DataFrame:
    """Test whether the features of each set differ more than the other features (camera).

    Uses limma's preset inter-gene correlation of 0.01 within every set.

    Parameters
    ----------
    y, design, weights
        As in `lm_fit`.
    sets
        Name of each set -> its rows of `y`, as positions or as a mask.
    contrast
        Position of a coefficient, or a vector of contrast weights, one per coefficient.

    Returns
    -------
    DataFrame
        One row per set, in the order of `sets`: `n_genes`, `direction` (Up, Down), `p` (two-sided),
        `fdr` (Benjamini-Hochberg). A set of no features, or of all of them, has no p.

    Raises
    ------
    ValueError
        If `lm_fit` raises it, there are fewer than three features, or no residual degrees of
        freedom remain.
    """
    design = np.asarray(design, dtype=float)
    vector = np.asarray(contrast, dtype=float)
    if vector.ndim == 0:
        vector = np.eye(design.shape[1])[int(vector)]
    # reparametrized so that the contrast is the first coefficient, which is exact with weights too
    turned = np.column_stack([vector, linalg.null_space(vector[None])]).T
    fit = lm_fit(y, design @ linalg.inv(turned), weights=weights)
    n = len(fit.sigma)
    if n < 3 or fit.df_residual[0] < 1:
        raise ValueError("camera needs at least three features and one residual degree of freedom")
    test = moderate(fit, robust=False, trend=False)
    statistic = _to_normal(test.t[:, 0], float(test.df_total[0]))
    rows = [_camera_row(statistic, np.asarray(members)) for members in sets.values()]
    table = pd.DataFrame(rows, columns=["n_genes", "direction", "p"], index=pd.Index(sets))
    table = table.astype({"n_genes": int, "p": float})
    return table.assign(fdr=benjamini_hochberg(table["p"]))


def _camera_row(statistic: Array, members: NDArray[np.generic]) -> tuple[int, str, float]:
    """Compare the statistics of a set with all others: t-test with inflated variance of the set."""
    inside = np.zeros(len(statistic), dtype=bool)
    inside[members.astype(bool if members.dtype == bool else np.int64)] = True
    n, size = len(statistic), int(inside.sum())
    others = n - size
    if size == 0 or others == 0:
        return size, "", np.nan
    shift = n / others * (statistic[inside].mean() - statistic.mean())
    squares = (n - 1) * statistic.var(ddof=1) - shift**2 * size * others / n
    inflation = 1 + (size - 1) * GENE_CORRELATION
    if not squares > 1e-20 * n * np.max(statistic**2):  # the statistics do not vary
        return size, "", np.nan
    t = shift / np.sqrt(squares / (n - 2) * (inflation / size + 1 / others))
    return size, "Down" if t < 0 else "Up", float(t_two_sided(t, n - 2))


def _to_normal(t: Array, df: float) -> Array:
    """Convert t-statistics to normal deviates (Hill 1970, as in limma's `zscoreT`)."""
    a = df - 0.5
    b = 48 * a**2
    z = a * np.log1p(t**2 / df)
    series = (((-0.4 * z - 3.3) * z - 24) * z - 85.5) / (0.8 * z**2 + 100 + b) + z + 3
    return np.sign(t) * (series / b + 1) * np.sqrt(z)
