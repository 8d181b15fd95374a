"""Selection of the samples that a contrast uses."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.sorts import one_label
from lammscope.core.names import PHASES, UNSTATED
from lammscope.core.words import as_text

REPLICATE = ("timepoint", "compartment", "sort")
USED, INCOMPLETE, UNUSED = "used", "incomplete", "unused"


def select_samples(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """Select the samples of a contrast, with the reason for each sample that is left out.

    Returns
    -------
    DataFrame
        One row per sample, sorted by patient and sample: `sample`, `patient`, `arm` (test,
        reference, or pair), `side` (test, reference; in `change` post is test and pre reference),
        `use` (used; incomplete: its partner is missing; unused) and `reason`.

    Raises
    ------
    ValueError
        With the mistakes of `try_selection`, one per line.
    """
    selection, mistakes = try_selection(samples, contrast)
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return selection


def try_selection(samples: pd.DataFrame, contrast: Contrast) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of `select_samples`, and one line per mistake.

    Mistakes are several samples of a patient that are not replicates, a patient in both arms,
    compartments that cannot be compared, a covariate that differs within a patient's change, and
    values that a trend cannot use.
    """
    table = samples.sort_values(["patient", "sample"]).reset_index(drop=True)
    named = contrast.named(table)
    arm, side = contrast.arm_and_side(named, table)
    result = table[["sample", "patient"]].assign(arm=arm, side=side, use=USED, reason="")

    for column, values in contrast.where.items():
        _leave_out(result, ~as_text(table[column]).isin(values), f"{column} is not asked for")
    if not contrast.names_sort:
        is_sorted = ~as_text(table["sort"]).isin(contrast.unsorted)
        _leave_out(result, is_sorted, "sorted library")
    table = table.assign(sort=one_label(table["sort"], contrast.unsorted))
    mistakes = contrast.value_mistakes(table[result["use"] == USED])
    _leave_out(result, named.isna(), contrast.unnamed)
    _leave_out(result, result["side"].isna(), "neither pre nor post")
    for column in contrast.adjust:
        _leave_out(result, table[column].isna(), f"{column} is missing")
    if contrast.between_patients:
        mistakes += _mixed_compartments(table[result["use"] == USED])
    else:
        _mark_incomplete(result, table, contrast.shared_by_sides)
    _choose(result, table, contrast)
    if contrast.has_sides:  # the chosen time point may be missing on one side
        _mark_incomplete(result, table, contrast.shared_by_sides)
    if not contrast.between_patients:
        complete = table[result["use"] == USED]
        keys = [as_text(complete[key]).fillna("") for key in contrast.shared_by_sides]
        for _, pair in complete.groupby(keys):
            mistakes += _mixed_compartments(pair)
    taken = result[takes_part(result, contrast)]
    mistakes += _in_both_arms(taken, contrast)
    mistakes += _no_replicates(taken, table, contrast)
    mistakes += _differing_covariates(taken, table, contrast)
    mistakes += contrast.differing_values(table.loc[taken.index])
    return result, [f"contrast `{contrast.name}`: {text}" for text in dict.fromkeys(mistakes)]


def takes_part(selection: pd.DataFrame, contrast: Contrast) -> pd.Series:
    """Return which samples are used: complete units and, for a change, single phases too."""
    taken = selection["use"] == USED
    return taken | (selection["use"] == INCOMPLETE) if contrast.keeps_incomplete else taken


def single_sides(
    samples: pd.DataFrame, selection: pd.DataFrame, contrast: Contrast
) -> pd.DataFrame:
    """Return the rows of a selection of patients with only one side, whose samples are replicates.

    Their samples share compartment and sort (the columns of `match`) with some complete unit. A
    patient with sides in two such compartments, where either could be taken, is left out.
    """
    if not contrast.has_sides:
        return selection.iloc[:0]
    table = samples.sort_values(["patient", "sample"]).reset_index(drop=True)
    table = table.assign(sort=one_label(table["sort"], contrast.unsorted))
    used = selection["use"] == USED
    single = selection["use"] == INCOMPLETE
    single &= ~selection["patient"].isin(selection.loc[used, "patient"])
    keys = [key for key in contrast.shared_by_sides if key != "patient"]
    if keys:
        shared = pd.MultiIndex.from_frame(table[keys].apply(as_text).fillna(""))
        single &= shared.isin(shared[used])
    found = selection.assign(use=single.map({True: USED, False: UNUSED}))
    _choose(found, table, contrast)
    found = found[found["use"] == USED]
    agree = list(dict.fromkeys([*REPLICATE, *contrast.adjust, *contrast.match]))
    kinds = table.loc[found.index, agree].apply(as_text).fillna("").assign(side=found["side"])
    n_kinds = kinds.groupby(found["patient"]).transform("nunique").max(axis=1)
    return found[(n_kinds == 1).to_numpy(dtype=bool)]


def used_samples(samples: pd.DataFrame, selection: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the sample table that a selection uses."""
    names = selection.loc[selection["use"] == USED, "sample"]
    return samples[samples["sample"].isin(names)]


def used_sorts(samples: pd.DataFrame, selection: pd.DataFrame) -> list[str]:
    """Return the labels of the column `sort` in the samples that a selection uses."""
    return sorted(set(as_text(used_samples(samples, selection)["sort"]).dropna()))


def nearest_to_infusion(
    samples: pd.DataFrame, timepoints: Mapping[str, Sequence[str]]
) -> pd.DataFrame:
    """Return the samples of each patient at the time point nearest to infusion.

    That is the last before and the first after it, for each compartment, by the day, or by the
    order of `timepoints` (labels by phase) if the day of a sample is not known. `samples` have a
    phase.
    """
    order = {
        (phase, label): place
        for phase, labels in timepoints.items()
        for place, label in enumerate(labels)
    }
    places = zip(samples["phase"], samples["timepoint"], strict=True)
    place = pd.Series([order.get(each, 0) for each in places], index=samples.index, dtype=float)
    if "day" in samples and samples["day"].notna().all():
        place = samples["day"].astype(float)
    nearness = place.where(samples["phase"] == PHASES[1], -place)
    nearest = nearness.groupby([samples["patient"], samples["phase"], samples["compartment"]])
    return samples[nearness == nearest.transform("min")]


def _leave_out(result: pd.DataFrame, rows: pd.Series, reason: str) -> None:
    fresh = rows & (result["use"] == USED)
    result.loc[fresh, "use"] = UNUSED
    result.loc[fresh, "reason"] = reason


def _mark_incomplete(result: pd.DataFrame, table: pd.DataFrame, keys: list[str]) -> None:
    """Mark used samples whose partner is missing."""
    used = result["use"] == USED
    groups = [as_text(table.loc[used, key]).fillna("") for key in keys]
    n_sides = result.loc[used, "side"].groupby(groups).transform("nunique")
    unpaired = n_sides.index[n_sides < 2]
    result.loc[unpaired, "use"] = INCOMPLETE
    result.loc[unpaired, "reason"] = "partner is missing"


def _choose(result: pd.DataFrame, table: pd.DataFrame, contrast: Contrast) -> None:
    """Keep only the chosen time point if a patient has several on one side."""
    if contrast.choose is None:
        return
    used = result[result["use"] == USED]
    for _, part in used.groupby(["patient", "side"]):
        timepoint = table.loc[part.index, "timepoint"]
        if timepoint.nunique() < 2:
            continue
        if contrast.choose in ("first", "last"):
            day = table.loc[part.index, "day"]
            wanted = day.min() if contrast.choose == "first" else day.max()
            dropped = part.index[day != wanted]
        else:
            dropped = part.index[timepoint != contrast.choose]
        result.loc[dropped, "use"] = UNUSED
        result.loc[dropped, "reason"] = f"time point not chosen ({contrast.choose})"


def _mixed_compartments(table: pd.DataFrame) -> list[str]:
    """Refuse to compare infusion products with other compartments."""
    found = sorted(set(as_text(table["compartment"]).dropna()))
    if "product" not in found or len(found) < 2:
        return []
    fill_in = "fill in the empty fields of `compartment`, or " if UNSTATED in found else ""
    return [
        f"it mixes the compartments {', '.join(found)}; infusion products are never compared with "
        f"blood, tumor or marrow: {fill_in}add `where: {{compartment: ...}}`"
    ]


def _in_both_arms(taken: pd.DataFrame, contrast: Contrast) -> list[str]:
    n_arms = taken.groupby("patient")["arm"].nunique()
    both = n_arms.index[n_arms > 1].tolist()
    if not both:
        return []
    return [
        f"{_patients_have(both)} samples in both arms of `{contrast.column}`; use `kind: paired`, "
        "or narrow `where`"
    ]


def _no_replicates(taken: pd.DataFrame, table: pd.DataFrame, contrast: Contrast) -> list[str]:
    """Find several samples of a patient that are not replicates and cannot be summed."""
    agree = list(dict.fromkeys([*REPLICATE, *contrast.adjust, *contrast.match]))
    listed: dict[str, list[str]] = {}
    several = taken[taken.duplicated(["patient", "side"], keep=False)]
    for (patient, _), part in several.groupby(["patient", "side"]):
        rows = table.loc[part.index]
        kinds = rows[agree].apply(as_text).fillna("")
        differing = [name for name in agree if kinds[name].nunique() > 1]
        if differing:
            shown = kinds[list(dict.fromkeys(["timepoint", *differing]))].to_numpy()
            listed.setdefault(str(patient), []).extend(
                f"{name} ({', '.join(v for v in values if v)})"
                for name, values in zip(rows["sample"], shown, strict=True)
            )
    if not listed:
        return []
    each = "; ".join(f"{patient}: {', '.join(names)}" for patient, names in listed.items())
    return [
        f"{_patients_have(list(listed))} several samples that are not replicates: {each}; narrow "
        "`where`, or set `choose` to first, last or a time point"
    ]


def _differing_covariates(
    taken: pd.DataFrame, table: pd.DataFrame, contrast: Contrast
) -> list[str]:
    mistakes = []
    for column in contrast.adjust if contrast.has_sides else ():
        n_values = as_text(table.loc[taken.index, column]).groupby(taken["patient"]).nunique()
        patients = n_values.index[n_values > 1].tolist()
        if patients:
            mistakes.append(
                f"`{column}` differs between the samples of {', '.join(patients)}; a change can "
                "only be adjusted for columns that are constant within patients: remove "
                f"`{column}` from `adjust`"
            )
    return mistakes


def _patients_have(patients: list[str]) -> str:
    if len(patients) == 1:
        return f"patient {patients[0]} has"
    return f"patients {', '.join(patients)} have"
