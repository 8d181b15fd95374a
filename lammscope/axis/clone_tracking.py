"""Clones of a patient from an earlier to a later sample: from product to blood, before to after."""

from collections.abc import Iterator, Mapping
from itertools import permutations
from typing import Any

import pandas as pd

from lammscope.axis.clones import CAR_T, T_LINEAGE

PRODUCT = "product"  # a compartment: made between the samples before infusion and those after
STAGES = ("pre", PRODUCT, "post")
COLUMNS = [
    *("patient", "earlier", "later", "step", "population", "n_cells", "n_seen", "seen"),
    *("n_clones", "n_shared_clones", "n_cells_earlier", "n_clones_earlier"),
]


def track_clones(clones: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Find clones of earlier samples in later ones of the same patient.

    The infusion product lies between the samples before and after infusion; samples of one stage
    are ordered by `day`. Samples whose order is not known are not compared. Whether a clone is seen
    also depends on the number of cells of the earlier sample, which stands beside.

    Parameters
    ----------
    clones
        From `clones.assign_clones`.
    samples
        Samples with contigs: `sample`, `patient`, `phase`, `compartment` and `day` (missing values
        allowed).

    Returns
    -------
    DataFrame
        One row per pair of samples and population of the later one (`T`, and `CAR_T` if it has
        CAR-T cells with a clone): `patient`, `earlier`, `later`, `step` (such as `product to
        post`), `population`, `n_cells` (of the later sample, with a clone), `n_seen` (of these, of
        a clone that T cells of the earlier sample have) and `seen` (their share; missing without
        cells), `n_clones`, `n_shared_clones`, `n_cells_earlier`, `n_clones_earlier`.
    """
    own = clones[clones["is_t"] & clones["clone"].notna()]
    of_sample = dict(list(own.groupby("sample")))
    rows = []
    for patient, earlier, later, step in _ordered_pairs(samples):
        before = of_sample.get(earlier, own.iloc[:0])["clone"]
        after = of_sample.get(later, own.iloc[:0])
        for population in (T_LINEAGE, CAR_T):
            chosen = after["clone"][(population == T_LINEAGE) | (after["population"] == population)]
            if population == CAR_T and chosen.empty:
                continue
            is_seen = chosen.isin(before)
            rows.append(
                [
                    *(patient, earlier, later, step, population),
                    *(len(chosen), int(is_seen.sum()), is_seen.mean()),
                    *(chosen.nunique(), chosen[is_seen].nunique(), len(before), before.nunique()),
                ]
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def _ordered_pairs(samples: pd.DataFrame) -> Iterator[tuple[str, str, str, str]]:
    """Yield patient, earlier sample, later sample, and the step between them."""
    stages = samples["phase"].where(samples["compartment"] != PRODUCT, PRODUCT)
    table = samples.assign(stage=stages.where(stages.isin(STAGES), ""))
    for patient, part in table.groupby("patient"):
        for first, second in permutations(part.to_dict("records"), 2):
            if _is_before(first, second):
                step = f"{first['stage'] or 'other'} to {second['stage'] or 'other'}"
                yield str(patient), first["sample"], second["sample"], step


def _is_before(first: Mapping[Any, Any], second: Mapping[Any, Any]) -> bool:
    """Test by stage, then by day, whether a sample is known to be before another."""
    stages = first["stage"], second["stage"]
    if stages[0] != stages[1] and "" not in stages:
        return STAGES.index(stages[0]) < STAGES.index(stages[1])
    days = pd.to_numeric(pd.Series([first["day"], second["day"]]), errors="coerce")
    return bool(days[0] < days[1])
