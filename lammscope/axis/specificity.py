"""Whether senders express a ligand more than the other monocytic cells of the same patients."""

import numpy as np
import pandas as pd

from lammscope.axis.batches import AxisQuestion
from lammscope.axis.effects import effect_numbers
from lammscope.axis.groups import WHOLE
from lammscope.axis.strength import GroupCounts, part_counts, term_level, without_ambient
from lammscope.cohort.design import MIN_PATIENTS
from lammscope.cohort.pairs import Pair

NUMBERS = {
    **{"specificity": "estimate", "specificity_low": "ci_low", "specificity_high": "ci_high"},
    "specificity_p": "p",
}
COLUMNS = [*NUMBERS, "specificity_n"]


def specific_terms(question: AxisQuestion) -> pd.DataFrame:
    """Compare the sender's term of each pair with the patients' other monocytic cells.

    It is a paired comparison of all patients of the contrast, whatever their arm: the difference of
    log2 counts per million, averaged over the sides of a patient, without normalization between
    groups of cells.

    Returns
    -------
    DataFrame
        `pair`, `sender`, the difference (`specificity`), its 95 % interval, p, and the number of
        patients with enough cells in both groups (`specificity_n`); nan for under 3 patients. Only
        for groups of monocytic cells that are not all of them.
    """
    whole = question.own.get(WHOLE)
    senders = [name for name in question.groups.by_role.get("myeloid", ()) if name != WHOLE]
    rows = [
        {"pair": pair.name, "sender": name} | _test(question.own[name], whole, pair, question)
        for name in (senders if whole is not None else ())
        for pair in question.pairs
        if whole is not None and "myeloid" in pair.senders
    ]
    return pd.DataFrame(rows, columns=["pair", "sender", *COLUMNS])


def _test(
    own: GroupCounts, whole: GroupCounts, pair: Pair, question: AxisQuestion
) -> dict[str, float]:
    n_others = whole.n_cells - own.n_cells
    enough = (own.n_cells >= question.min_cells) & (n_others >= question.min_cells)
    mine, all_cells = (
        without_ambient(*part_counts(each, pair.ligand), each.is_limit) for each in (own, whole)
    )
    known = np.isfinite(all_cells).all(axis=(0, 2))
    keep = enough.all(axis=1) & known
    result = dict.fromkeys(NUMBERS, np.nan) | {"specificity_n": float(keep.sum())}
    if keep.sum() < MIN_PATIENTS or not all_cells[:, keep].sum():
        return result
    others = np.maximum(all_cells - mine, 0)[:, keep]
    clean = [without_ambient(each.umi, each.ambient_umi, each.is_limit) for each in (own, whole)]
    umi = clean[0][keep], (clean[1] - clean[0])[keep]
    levels = [
        term_level(parts, size) for parts, size in zip((mine[:, keep], others), umi, strict=True)
    ]
    difference = (levels[0] - levels[1]).mean(axis=1)
    found = effect_numbers(difference[None], np.ones((len(difference), 1)), 0)
    return result | {name: float(found[key][0]) for name, key in NUMBERS.items()}
