"""Audit of incomplete patients: who has only one of the two samples that a contrast compares.

The test of pairs and of changes rests on patients with both samples. If patients of one arm lose
one more often, those who remain may not represent it.
"""

from collections import Counter
from math import comb

import pandas as pd

from lammscope.cohort.associations import Row, exact_association
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import PHASE_WORDS, SIDES, Contrast
from lammscope.cohort.selection import INCOMPLETE, USED
from lammscope.core.names import ALPHA
from lammscope.core.words import counted

ITEM = "incomplete_patients"
# Our choices. Few patients cannot give a small p: of 6 against 6, all 6 of one arm would have to
# lose a sample. A warning is also given by size: 40 points and 3 patients more in one arm than in
# the other, which happens by chance in 2 to 6 % of cohorts who lose 20 to 40 %.
LARGE, MORE = 0.4, 3
BOTH = "both"
SELECTED = " Those with both samples may not represent the others."
ADDED = " Rows of abundance tables have an estimate with these patients beside that without them."


def incomplete_rows(comparison: Comparison) -> list[Row]:
    """Return the audit row on patients with only one sample; none for contrasts of one side.

    Whether the arms lose as many is tested by Fisher's exact test; whether pairs lose one side more
    often by the binomial test.

    Parameters
    ----------
    comparison
        The contrast, applied to the cohort.
    """
    contrast = comparison.contrast
    patients = _patients(comparison.selection) if contrast.has_sides else pd.DataFrame()
    if patients.empty:
        return []
    if (patients["has"] == BOTH).all():
        message = f"All {counted(len(patients), 'patients')} have both samples."
        return [(ITEM, 0, "ok", message)]
    return [_of_arms(patients, contrast) if contrast.has_arms else _of_sides(patients, contrast)]


def _patients(selection: pd.DataFrame) -> pd.DataFrame:
    """Return `arm` and what each patient has: both samples in one unit, or `test`, `reference`.

    A patient whose samples cannot be paired (of two compartments) has the side of the first.
    """
    taken = selection[selection["use"].isin([USED, INCOMPLETE])]
    taken = taken.sort_values("use", key=lambda use: use != USED, kind="stable")
    first = taken.drop_duplicates("patient")
    has = first["side"].where(first["use"] != USED, BOTH)
    return pd.DataFrame({"arm": first["arm"], "has": has}).set_axis(first["patient"])


def _of_arms(patients: pd.DataFrame, contrast: Contrast) -> Row:
    """Compare the arms of a change."""
    lost = patients["has"] != BOTH
    sizes, shares, numbers, words = [], [], [], []
    for arm in SIDES:
        own = patients[patients["arm"] == arm]
        number = int((own["has"] != BOTH).sum())
        sizes.append(len(own))
        numbers.append(number)
        shares.append(number / max(len(own), 1))
        words.append(f"{number} of {counted(len(own), contrast.group(arm))}")
        words[-1] += _which(own, contrast) * (number > 0)
    message = f"{' and '.join(words)} have only one of the two samples"
    if min(sizes) == 0:
        return ITEM, int(lost.sum()), "note", f"{message}."
    p, test = exact_association(patients["arm"], lost.map({True: "lacks", False: "has"}))
    message += f" ({test}, p = {p:.2g})."
    more = 0 if shares[0] > shares[1] else 1
    large = shares[more] - shares[1 - more] >= LARGE - 1e-9
    large &= numbers[more] - numbers[1 - more] >= MORE
    if not large and p >= ALPHA:
        return ITEM, f"{p:.4g}", "note", message + ADDED
    message += f" More are incomplete among {contrast.group(SIDES[more])}"
    message += "." if p < ALPHA else ", although p of so few patients cannot tell that from chance."
    return ITEM, f"{p:.4g}", "warning", message + SELECTED + ADDED


def _of_sides(patients: pd.DataFrame, contrast: Contrast) -> Row:
    """Compare the sides of pairs."""
    numbers = Counter(patients["has"])
    lost = len(patients) - numbers[BOTH]
    message = f"{lost} of {counted(len(patients), 'patients')} have only one of the two samples"
    message += _which(patients, contrast)
    p = _even_p(numbers["test"], lost)
    message = f"{message[:-1]}; binomial test of equal numbers, p = {p:.2g})."
    more = max(SIDES, key=lambda side: numbers[side])
    difference = abs(numbers["test"] - numbers["reference"])
    if p >= ALPHA and (difference < MORE or difference < LARGE * len(patients) - 1e-9):
        return ITEM, f"{p:.4g}", "note", message + ADDED
    other = next(side for side in SIDES if side != more)
    message += f" Mainly {contrast.group(other)} are missing."
    return ITEM, f"{p:.4g}", "warning", message + SELECTED + ADDED


def _which(patients: pd.DataFrame, contrast: Contrast) -> str:
    """Say which sample the incomplete patients have, such as ` (2 before infusion)`."""
    names = {side: contrast.group(side) for side in SIDES}
    if contrast.has_arms:
        names = {"test": PHASE_WORDS["post"], "reference": PHASE_WORDS["pre"]}
    numbers = Counter(patients["has"])
    listed = [f"{numbers[side]} only {names[side]}" for side in SIDES[::-1] if numbers[side]]
    return f" ({', '.join(listed)})"


def _even_p(n: int, total: int) -> float:
    """Compute the two-sided p of a number of `total` that is half of it if both are as likely."""
    distance = abs(2 * n - total)
    extreme = sum(comb(total, k) for k in range(total + 1) if abs(2 * k - total) >= distance)
    return float(extreme / 2**total)
