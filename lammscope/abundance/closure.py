"""What may follow from the sum of fractions: if one population rises, all others must fall.

Each population is tested again in its denominator without the population that moved most. A
difference that is gone there may be the other side of that movement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lammscope.abundance.fractions import OFFSET, Measure
from lammscope.core.names import ALPHA, LAMM_ROWS

COLUMNS = ("without", "estimate_without", "p_without")
MONOCYTIC = "monocytic"  # lineage, and the row of all its cells


def find_mover(
    rows: Sequence[Mapping[str, Any]], family: Sequence[Measure], *, kept: set[str]
) -> Measure | None:
    """Return the population whose mean fraction moved most, of those with p < 0.05; None without.

    Parameters
    ----------
    rows
        Of one denominator and scale, from `comparisons.compare`.
    family
        Their measures.
    kept
        Populations that are part of the denominator of all rows.
    """
    moved = [
        (abs(float(row["mean_test"]) - float(row["mean_reference"])), float(row["mean_test"]), i)
        for i, (row, measure) in enumerate(zip(rows, family, strict=True))
        if measure.partition
        and measure.population in kept
        and float(row["p"]) < ALPHA
        and np.isfinite(float(row["mean_test"]) - float(row["mean_reference"]))
    ]
    return family[max(moved)[2]] if moved else None


def without_mover(measure: Measure, mover: Measure, *, mover_lineage: str) -> Measure | None:
    """Return a measure in its denominator without the mover; None if it includes the mover."""
    overlaps = measure.population in (*LAMM_ROWS, MONOCYTIC) and mover_lineage == MONOCYTIC
    if measure.population == mover.population or overlaps or measure.ratio or measure.mean:
        return None
    return replace(
        measure, total=measure.total - mover.count, offset=max(measure.offset - OFFSET, OFFSET)
    )


def may_follow(row: Mapping[str, Any], *, against: float) -> bool:
    """Whether a difference is opposite to the mover's (`against`), and gone without the mover."""
    estimate, again = float(row["estimate"]), float(row["estimate_without"])
    if not estimate * against < 0:
        return False
    return not (float(row["p_without"]) < ALPHA and again * estimate > 0)


def nothing_without() -> dict[str, Any]:
    """Return the columns of a row that was not tested again."""
    return dict(zip(COLUMNS, ("", np.nan, np.nan), strict=True))
