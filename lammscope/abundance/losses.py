"""Audit of patients who are lost because a sample has too few cells: whether one arm loses more.

A population that vanishes in one arm is itself a finding. The patients who still have it are then a
selected part of their arm, and any comparison within the population is one of these.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.populations import Question
from lammscope.cohort.audit import COLUMNS
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import MIN_PATIENTS, TREND
from lammscope.core.names import ALPHA, LOST_POPULATIONS
from lammscope.core.words import counted, readable
from lammscope.expression.kept_patients import EVERY, MISSING_COLUMNS, kept_by_arm
from lammscope.stats.multiplicity import holm

DENOMINATORS = "lost_denominators"  # item of the audit
ADVICE = (
    " A population that is missing on one side is itself a finding, and patients who still have it "
    "may not represent the others."
)


def audit_losses(
    questions: Sequence[Question], missing: Sequence[pd.DataFrame], *, min_cells: int
) -> pd.DataFrame:
    """Audit the losses of all contrasts, in denominators of abundance and in pseudobulks.

    Fisher's exact tests (McNemar's for the sides of pairs) are corrected by Holm's method over the
    denominators, and over the populations, of a contrast. A warning is given under 0.05, or where
    all patients of one arm and none of the other are lost: 3 against 3 cannot give p below 0.1.

    Parameters
    ----------
    questions
        One for each contrast.
    missing
        Tables of `expression.missing.missingness`, in the same order.
    min_cells
        Minimum cells of a pseudobulk.

    Returns
    -------
    DataFrame
        The columns of `audit.audit_design`, with two rows for each contrast that has patients.
    """
    rows = []
    for question, table in zip(questions, missing, strict=True):
        contrast = question.contrast
        if question.units.empty:
            continue
        own = denominator_losses(question)
        rows.append(_row(own, contrast, item=DENOMINATORS, min_cells=question.min_cells))
        table = table[table["cell_type"] != EVERY]
        rows.append(_row(table, contrast, item=LOST_POPULATIONS, min_cells=min_cells))
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "str"})


def denominator_losses(question: Question) -> pd.DataFrame:
    """Count the patients of each arm who have enough cells of each denominator.

    Returns
    -------
    DataFrame
        As `expression.missing.missingness`; `cell_type` is the denominator, for `parent` the
        lineage.
    """
    rows = []
    for family, removed in zip(question.families, question.removed, strict=True):
        if removed or family[0].mean:  # the mean score has the monocytic cells
            continue
        kept = np.min([measure.cells for measure in family], axis=0) >= question.min_cells
        name = family[0].denominator
        name = str(question.lineages[family[0].population]) if name == "parent" else name
        counts = kept_by_arm(_sides(question.units, kept, question.contrast), question.contrast)
        rows.append({"cell_type": name, **counts})
    table = pd.DataFrame(rows, columns=MISSING_COLUMNS)
    return table.drop_duplicates("cell_type", ignore_index=True)


def _sides(units: pd.DataFrame, kept: np.ndarray, contrast: Contrast) -> pd.DataFrame:
    """Return a row per unit and side: `patient`, `arm`, `side`, `kept` and a trend's numbers."""
    names = SIDES if contrast.has_sides else ("",)
    columns = ["patient", "arm", *([TREND] if contrast.has_numbers else [])]
    tables = [
        units[columns].assign(side=name or units["arm"], kept=kept[:, place])
        for place, name in enumerate(names)
    ]
    return pd.concat(tables, ignore_index=True)


def _row(
    table: pd.DataFrame, contrast: Contrast, *, item: str, min_cells: int
) -> tuple[str, str, object, str, str]:
    """Return the row of the audit: who is lost, and where the arms differ."""
    what = item.removeprefix("lost_")
    table = table.assign(p_holm=holm(table["p"]))
    n, kept = (
        table[[f"{name}_{side}" for side in SIDES]].to_numpy(float) for name in ("n", "kept")
    )
    lost = n - kept
    table["uneven"] = np.abs(np.diff(lost / np.maximum(n, 1), axis=1)).ravel()
    vanished = (table["uneven"] == 1) & (n.min(axis=1) >= MIN_PATIENTS)
    found = table[vanished | (table["p_holm"] < ALPHA)]
    limit = f"under {counted(min_cells, 'cells')}"
    if len(found):
        words = [_words(row, contrast, item=item) for row in found.to_dict("records")]
        name = readable(contrast.column)
        which = f"Patients with another {name}" if contrast.has_numbers else "One side"
        verb = "lack" if contrast.has_numbers else "lacks"
        message = f"{which} {verb} cells ({limit}): {'; '.join(words)}." + ADVICE
        return contrast.name, item, ",".join(found["cell_type"]), "warning", message
    n_lost = int((lost > 0).any(axis=1).sum())
    if not n_lost:
        message = f"All {contrast.unit_words} have enough cells in all {what}."
        return contrast.name, item, 0, "ok", message
    message = f"Some {contrast.unit_words} have too few cells ({limit}) in {n_lost} of "
    message += counted(len(table), what)
    most = table[table["uneven"] > 0].nlargest(1, "uneven").to_dict("records")
    message += f"; most unevenly in {_words(most[0], contrast, item=item)}." if most else "."
    return contrast.name, item, 0, "ok", message


def _words(row: Mapping[Hashable, Any], contrast: Contrast, *, item: str) -> str:
    """Return words such as `B (enough in 1 of 6 patients with PD and 6 of 6 with CR; p = 0.02)`."""
    name = readable(str(row["cell_type"])) + " cells" * (item == DENOMINATORS)
    sizes = [f"{row[f'kept_{side}']:.0f} of {row[f'n_{side}']:.0f}" for side in SIDES]
    if contrast.has_numbers:
        kept = f"{sizes[0]} {contrast.unit_words}"
    else:
        pairs = "" if contrast.has_arms else "pairs in "
        kept = " and ".join(
            f"{size} {pairs}{contrast.group(side)}" for size, side in zip(sizes, SIDES, strict=True)
        )
    p = f"; p = {row['p']:.2g}, {row['p_holm']:.2g} after correction"
    return f"{name} (enough in {kept}{p if np.isfinite(row['p']) else ''})"
