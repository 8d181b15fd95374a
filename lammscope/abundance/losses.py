"""Audit of patients who are lost because a sample has too few cells: whether one arm loses more.

A population that vanishes in one arm is itself a finding. The patients who still have it are then a
selected part of their arm, and any comparison within the population is one of these.
"""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.fractions import Measure
from lammscope.abundance.populations import Question
from lammscope.cohort.audit import COLUMNS
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import TREND
from lammscope.core.names import ALPHA
from lammscope.core.words import counted, denominator_words, readable
from lammscope.expression.missing import EVERY, MISSING_COLUMNS, kept_by_arm
from lammscope.stats.multiplicity import holm

DENOMINATORS, POPULATIONS = "lost_denominators", "lost_populations"  # items of the audit
# Our choices. 3 against 3 patients cannot give p below 0.1, so a population that one arm loses
# almost entirely, and the other hardly, is a warning whatever p is: two thirds and 3 patients more.
LARGE, MORE = 2 / 3, 3
ADVICE = (
    " A population that is missing in one arm is itself a finding, and patients who still have it "
    "may not represent their arm."
)


def audit_losses(
    questions: Sequence[Question], missing: Sequence[pd.DataFrame], *, min_cells: int
) -> pd.DataFrame:
    """Audit the losses of all contrasts, in denominators of abundance and in pseudobulks.

    Fisher's exact tests (McNemar's for the sides of pairs) are corrected by Holm's method over the
    denominators, and over the populations, of a contrast.

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
        rows.append(_row(table, contrast, item=POPULATIONS, min_cells=min_cells))
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
        kept = np.min([_cells(measure) for measure in family], axis=0) >= question.min_cells
        name = family[0].denominator
        name = str(question.lineages[family[0].population]) if name == "parent" else name
        counts = kept_by_arm(_sides(question.units, kept, question.contrast), question.contrast)
        rows.append({"cell_type": name, **counts})
    table = pd.DataFrame(rows, columns=MISSING_COLUMNS)
    return table.drop_duplicates("cell_type", ignore_index=True)


def _cells(measure: Measure) -> np.ndarray:
    return measure.total + measure.count if measure.ratio else measure.total


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
    share = lost / np.maximum(n, 1)
    n_lost = int((lost > 0).any(axis=1).sum())
    large = np.abs(share[:, 0] - share[:, 1]) >= LARGE - 1e-9
    large &= np.abs(lost[:, 0] - lost[:, 1]) >= MORE
    found = table[large | (table["p_holm"] < ALPHA).to_numpy()]
    limit = f"under {counted(min_cells, 'cells')}"
    if contrast.has_numbers:
        name = readable(contrast.column)
        even, uneven = f"whatever their {name}", f"Lost, with another {name} than others,"
    else:
        even, uneven = "about as many on both sides", "Lost on one side"
    if found.empty:
        message = f"No {contrast.unit_words} lost for want of cells ({limit})."
        if n_lost:
            message = (
                f"For want of cells ({limit}) {contrast.unit_words} are lost in {n_lost} of "
                f"{counted(len(table), what)}, {even}."
            )
        return contrast.name, item, 0, "ok", message
    words = [_words(row, contrast, item=item) for row in found.to_dict("records")]
    message = f"{uneven} for want of cells ({limit}): {'; '.join(words)}." + ADVICE
    return contrast.name, item, ",".join(found["cell_type"]), "warning", message


def _words(row: Mapping[Hashable, Any], contrast: Contrast, *, item: str) -> str:
    """Return words such as `B, 1 of 6 non-responders and 6 of 6 responders have enough`."""
    name = str(row["cell_type"])
    name = f"cells {denominator_words(name)}" if item == DENOMINATORS else readable(name)
    sizes = [f"{row[f'kept_{side}']:.0f} of {row[f'n_{side}']:.0f}" for side in SIDES]
    if contrast.has_numbers:
        kept = f"{sizes[0]} {contrast.unit_words}"
    else:
        pairs = "" if contrast.has_arms else "pairs in "
        kept = " and ".join(
            f"{size} {pairs}{contrast.group(side)}" for size, side in zip(sizes, SIDES, strict=True)
        )
    return f"{name}, {kept} have enough (p = {row['p']:.2g}, {row['p_holm']:.2g} after correction)"
