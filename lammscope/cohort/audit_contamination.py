"""Audit of ambient RNA: whether the groups of a contrast are contaminated alike.

Ambient RNA adds the genes of the commonest cells to all others. If it is more in one arm, these
genes seem to be higher there in every population.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from lammscope.cohort.associations import Row
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import SIDES
from lammscope.core.names import ALPHA
from lammscope.core.words import counted

ITEM = "contamination"
# Our choices. At 5 points, a gene of half of the library's RNA gains 250 UMIs per 10,000 in cells
# that lack it, whatever p is. A small but certain difference matters less; below 3 points it is
# within the error of the estimates.
LARGE, NOTABLE = 0.05, 0.03
MIN_GROUP = 3  # patients, to test a difference
N_DRAWS = 9_999  # random permutations, if there are more


def contamination_rows(comparison: Comparison, contamination: Mapping[str, float]) -> list[Row]:
    """Return the audit row on the contamination of a contrast's groups; none without patients.

    Arms are compared by the mean of each patient's samples, or by its change from `pre` to `post`;
    the sides of pairs by the difference within each pair.

    Parameters
    ----------
    comparison
        The contrast, applied to the cohort.
    contamination
        Contamination fraction of each sample; NaN if it could not be estimated.
    """
    contrast = comparison.contrast
    if not len(comparison.units):
        return []
    groups = group_values(comparison, contamination)
    words = [contrast.group(side) for side in SIDES]
    what = "change of contamination" if contrast.has_arms and contrast.has_sides else ITEM
    return [_row(groups, words, what=what, paired=not contrast.between_patients)]


def group_values(comparison: Comparison, of_sample: Mapping[str, float]) -> list[pd.Series]:
    """Return a value per patient of the test group and of the reference group (`groups`).

    It is the mean of the patient's samples, or its change from `pre` to `post`. For pairs, the two
    groups are the sides of the same patients, and missing on both if missing on one.
    """
    contrast, units = comparison.contrast, comparison.units
    names = [f"samples_{side}" for side in SIDES] if contrast.has_sides else ["samples"]
    values = pd.DataFrame(
        {
            name: [np.mean([of_sample[sample] for sample in own]) for own in units[name]]
            for name in names
        },
        index=units.index,
    )
    if contrast.between_patients:
        value = values[names[0]] - (values[names[1]] if contrast.has_sides else 0)
        return [value[contrast.groups(units) == side] for side in SIDES]
    return [values[name].where(values.notna().all(axis=1)) for name in names]


def _row(groups: list[pd.Series], words: list[str], *, what: str, paired: bool) -> Row:
    n_missing = sum(int(group.isna().sum()) for group in groups) // (2 if paired else 1)
    known = [group.dropna().to_numpy() for group in groups]
    missing = ""
    if n_missing:
        units = counted(n_missing, "pairs" if paired else "patients")
        missing = f" It could not be estimated for {units}."
    if not all(map(len, known)):
        message = f"The {what} of {words[0]} and {words[1]} cannot be compared.{missing}"
        message += " Genes that ambient RNA explains there are not marked in expression tables."
        return ITEM, "not estimated", "note", message
    means = [float(group.mean()) for group in known]
    difference = means[0] - means[1]
    sizes = " and ".join(
        f"{100 * mean:.1f} % in {word} ({len(group)})"
        for mean, word, group in zip(means, words, known, strict=True)
    )
    message = f"Ambient RNA, mean {what}: {sizes}"
    p = permutation_p(known, paired=paired)
    message += "." if np.isnan(p) else f"; permutation test, p = {p:.2g}."
    differs = abs(difference) > LARGE or (abs(difference) >= NOTABLE and p < ALPHA)
    if differs:
        message += (
            " They differ, so genes of common cells may seem to differ in other cells: see "
            "expression/ambient.tsv.gz. Expression tables mark such genes."
        )
    return ITEM, f"{difference:.4f}", "warning" if differs else "note", message + missing


def permutation_p(groups: list[np.ndarray], *, paired: bool) -> float:
    """Compute the two-sided p of a difference of means; NaN with too few patients."""
    if min(map(len, groups)) < MIN_GROUP:
        return np.nan
    from scipy import stats  # here: a plan does without it

    return float(
        stats.permutation_test(
            groups,
            lambda one, other, axis: np.mean(one, axis=axis) - np.mean(other, axis=axis),
            permutation_type="samples" if paired else "independent",
            vectorized=True,
            n_resamples=N_DRAWS,
            rng=np.random.default_rng(1),
        ).pvalue
    )
