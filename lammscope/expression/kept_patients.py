"""Patients of each arm who have enough cells, and whether the arms differ in it.

Apart from `missing`, since the audit of losses has no pseudobulks and does without their library.
"""

from collections.abc import Sequence
from math import comb

import numpy as np
import pandas as pd

from lammscope.cohort.associations import exact_association, fisher_p
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import TREND

MISSING_COLUMNS = [
    *("cell_type", "n_test", "n_reference", "kept_test", "kept_reference", "p"),
]
EVERY = "(all)"  # instead of a population, for samples missing from every population


def kept_by_arm(sides: pd.DataFrame, contrast: Contrast) -> dict[str, float]:
    """Count patients and kept patients of each arm, and test their difference.

    Parameters
    ----------
    sides
        `patient`, `arm`, `side`, `kept` (bool) and the numbers of a trend, of each patient and
        side.
    contrast
        The contrast.

    Returns
    -------
    dict
        `MISSING_COLUMNS` but the population.
    """
    if contrast.has_numbers:
        return _kept_by_number(sides)
    if not contrast.has_arms:
        return _kept_by_side(sides)
    patients = sides.groupby("patient").agg(
        arm=("arm", "first"), n_sides=("side", "nunique"), kept=("kept", "all")
    )
    if contrast.has_sides:
        patients = patients[patients["n_sides"] == 2]
    n, kept = (
        [int((part["arm"] == arm).sum()) for arm in SIDES]
        for part in (patients, patients[patients["kept"]])
    )
    p = fisher_p(n, kept)[0] if min(n) else np.nan
    return _row(n, kept, p)


def _kept_by_number(sides: pd.DataFrame) -> dict[str, float]:
    """Count patients and kept patients, and test whether the lost have other numbers."""
    patients = sides.groupby("patient").agg(score=(TREND, "first"), kept=("kept", "all"))
    n, n_kept = len(patients), int(patients["kept"].sum())
    p = np.nan
    if 0 < n_kept < n:
        words = patients["kept"].map({True: "kept", False: "lost"})
        p, _ = exact_association(words, patients["score"].astype(float))
    return _row([n, n], [n_kept, n_kept], p)


def _kept_by_side(sides: pd.DataFrame) -> dict[str, float]:
    """Count pairs and kept sides, and test whether one side is lost more often."""
    kept = sides.pivot(index="patient", columns="side", values="kept")
    kept = kept.reindex(columns=["test", "reference"], fill_value=False)
    n_test_only = int((kept["test"] & ~kept["reference"]).sum())
    n_one_only = n_test_only + int((kept["reference"] & ~kept["test"]).sum())
    p = _mcnemar(n_test_only, n_one_only) if n_one_only else 1.0
    sizes = [int(kept[side].sum()) for side in SIDES]
    return _row([len(kept), len(kept)], sizes, p if len(kept) else np.nan)


def _mcnemar(n_test_only: int, n_one_only: int) -> float:
    """Compute the exact p, that of a binomial distribution, without the import of scipy.stats."""
    fewer = min(n_test_only, n_one_only - n_test_only)
    tail = sum(comb(n_one_only, k) for k in range(fewer + 1))
    return min(1.0, tail / (1 << (n_one_only - 1)))


def _row(n: Sequence[int], kept: Sequence[int], p: float) -> dict[str, float]:
    return dict(zip(MISSING_COLUMNS[1:], (*n, *kept, p), strict=True))
