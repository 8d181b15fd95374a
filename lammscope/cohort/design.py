"""Who is compared with whom: units of a contrast and their design matrices.

The unit is the patient: each gives one row, however many libraries, replicates or cells it has.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import Contrast, default_contrasts
from lammscope.cohort.selection import USED, select_samples, takes_part, try_selection
from lammscope.cohort.sorts import Sorts, kept_lineages, refused_denominators, sort_mistakes
from lammscope.core.words import as_text, near

MIN_PATIENTS = 3  # patients in an arm, or pairs; below it nothing is tested


def contrast_mistakes(
    samples: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    primary: Mapping[str, str],
    sorts: Sorts,
) -> list[str]:
    """Every mistake of the contrasts that shows once patients are matched; none is raised.

    Parameters
    ----------
    contrasts
        From `contrasts_from_config`.
    primary
        The config's: `contrast` and `denominator`. Among the default contrasts it may be missing.
    sorts
        As in `sorts.kept_lineages`.

    Returns
    -------
    list of str
        One line each, beginning with the contrast or with `config`: those of `try_selection`,
        sorts of which nothing is known, a primary denominator that a sort removed.
    """
    mistakes = sort_mistakes(sorts)
    names = [contrast.name for contrast in contrasts]
    if primary["contrast"] not in names and list(contrasts) != default_contrasts(samples):
        mistakes.append(
            f"config: `primary.contrast` is {primary['contrast']!r}, which is no contrast"
            f"{near(primary['contrast'], names)}; contrasts: {', '.join(names)}"
        )
    for contrast in contrasts:
        selection, found = try_selection(samples, contrast)
        mistakes += found
        labels = used_sorts(samples, selection)
        unknown = {label: text for label in labels if (text := _unknown(label, sorts))}
        mistakes += [f"contrast `{contrast.name}`: {text}" for text in unknown.values()]
        known, whole = set(labels) - set(unknown), primary["denominator"]
        removed = refused_denominators(known, sorts=sorts).get(whole)
        if contrast.name == primary["contrast"] and removed:
            mistakes.append(
                f"contrast `{contrast.name}`: the sort {', '.join(removed)} removed the {whole} "
                "cells, the denominator of the primary result; set `primary.denominator` to one "
                "that it kept, such as all, or name another contrast there"
            )
    return mistakes


def used_sorts(samples: pd.DataFrame, selection: pd.DataFrame) -> list[str]:
    """Labels of the sorts of the samples that a selection uses."""
    used = selection.loc[selection["use"] == USED, "sample"]
    return sorted(set(as_text(samples.loc[samples["sample"].isin(used), "sort"]).dropna()))


def comparison_sides(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """One row per patient and side, complete or not: the rows of a model of all samples.

    Returns
    -------
    DataFrame
        `patient`, `arm`, `side`, `samples` (list of replicates to be summed), `complete` (bool:
        the patient has what the contrast needs of it), and the covariates.
    """
    selection = select_samples(samples, contrast)
    taken = selection[takes_part(selection, contrast)].merge(
        samples[["sample", *contrast.adjust]], on="sample", how="left"
    )
    rows = []
    for (patient, side), part in taken.groupby(["patient", "side"], sort=True):
        row = {"patient": patient, "arm": part["arm"].iloc[0], "side": side}
        row["samples"] = sorted(part["sample"])
        row["complete"] = bool((part["use"] == USED).all())
        row |= {column: part[column].iloc[0] for column in contrast.adjust}
        rows.append(row)
    columns = ["patient", "arm", "side", "samples", "complete", *contrast.adjust]
    return pd.DataFrame(rows, columns=columns).astype({"complete": bool})


def comparison_units(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """One row per patient that takes part, sorted by patient.

    Returns
    -------
    DataFrame
        `patient`, `unit` (the patient, and what its pair shares), `arm` (test, reference; pair in
        `paired`), `samples` (between) or `samples_test` and `samples_reference` (paired; in
        `change` those are post and pre): lists of replicates to be summed; then the covariates.
    """
    sides = comparison_sides(samples, contrast)
    sides = sides[sides["complete"]]
    names = ["samples"] if contrast.kind == "between" else ["samples_test", "samples_reference"]
    rows = []
    for patient, part in sides.groupby("patient", sort=True):
        by_side = dict(zip(part["side"], part["samples"], strict=True))
        first = part.iloc[0]
        if contrast.kind == "between":
            lists = {"samples": first["samples"]}
        else:
            lists = {f"samples_{side}": by_side[side] for side in ("test", "reference")}
        row = {"patient": patient, "unit": patient, "arm": first["arm"], **lists}
        if contrast.kind == "paired":
            shared = samples.loc[samples["sample"] == first["samples"][0], list(contrast.match)]
            row["unit"] = "/".join([str(patient), *as_text(shared.iloc[0]).fillna("").map(str)])
        rows.append(row | {column: first[column] for column in contrast.adjust})
    return pd.DataFrame(rows, columns=["patient", "unit", "arm", *names, *contrast.adjust])


def design_matrix(units: pd.DataFrame, adjust: tuple[str, ...]) -> pd.DataFrame:
    """Intercept, `arm` (1 = test) where there are arms, and covariates; one row per unit.

    Text columns become indicators against their first value, numbers are standardised; a
    covariate that does not vary is left out. The coefficient of `arm` (of the intercept for
    pairs) is the effect.
    """
    design = pd.DataFrame({"intercept": np.ones(len(units))}, index=units.index)
    if set(units["arm"]) - {"pair"}:
        design["arm"] = (units["arm"] == "test").astype(float)
    for column in adjust:
        values = units[column]
        if pd.api.types.is_numeric_dtype(values):
            if values.nunique() > 1:
                design[column] = (values - values.mean()) / values.std()
            continue
        for level in sorted(values.unique())[1:]:
            design[f"{column}[{level}]"] = (values == level).astype(float)
    return design


def aliased_columns(design: pd.DataFrame) -> list[str]:
    """Columns that take part in a linear dependence; empty for a design of full rank."""
    involved = np.abs(_dependences(design.to_numpy(dtype=float))) > 1e-6
    return [str(c) for c, flag in zip(design, involved.any(axis=0), strict=True) if flag]


def aliases_of_arm(design: pd.DataFrame) -> list[str]:
    """Covariates that together determine the arm, every one of them; empty if none do.

    Covariates that merely determine each other are left out: columns belong together where the
    projection onto the dependences of the centred design links them.
    """
    if "arm" not in design:
        return []
    centered = design.drop(columns="intercept") - design.drop(columns="intercept").mean()
    axes = _dependences(centered.to_numpy(dtype=float))
    links = np.abs(axes.T @ axes) > 1e-6
    found = links[centered.columns.get_loc("arm")]
    for _ in range(len(found)):
        found = links[found].any(axis=0)
    covariates = [str(c).split("[")[0] for c, flag in zip(centered, found, strict=True) if flag]
    return [name for name in dict.fromkeys(covariates) if name != "arm"]


def aliased_contrasts(samples: pd.DataFrame, contrasts: list[Contrast]) -> dict[str, str]:
    """Contrasts whose comparison cannot be told apart from a covariate: name -> why and remedy."""
    found = {}
    for contrast in contrasts:
        units = comparison_units(samples, contrast)
        if units["arm"].nunique() < 2:
            continue
        others = aliases_of_arm(design_matrix(units, contrast.adjust))
        if others:
            found[contrast.name] = (
                f"contrast `{contrast.name}`: {contrast.test} against {contrast.reference} cannot "
                f"be separated from {', '.join(others)} in these {len(units)} patients; remove "
                f"{'it' if len(others) == 1 else 'them'} from `adjust` or narrow `where`"
            )
    return found


def independent_columns(design: pd.DataFrame) -> pd.DataFrame:
    """The design without columns that earlier ones already determine."""
    kept: list[str] = []
    for name in design.columns:
        if not aliased_columns(design[[*kept, name]]):
            kept.append(name)
    return design[kept]


def crosses_phases(units: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast) -> bool:
    """Whether samples before and after infusion are compared, whatever column says so.

    `units` come from `comparison_units`.
    """
    if contrast.compares_phases:
        return True
    phase = samples.set_index("sample")["phase"]
    if contrast.kind == "paired":
        sides = [units[f"samples_{side}"] for side in ("test", "reference")]
    else:
        sides = [units.loc[units["arm"] == arm, "samples"] for arm in ("test", "reference")]
    phases = [set(phase[[name for names in side for name in names]].dropna()) for side in sides]
    return bool(phases[0] and phases[1] and phases[0] != phases[1])


def _unknown(label: str, sorts: Sorts) -> str:
    """What is said of a sort that is not known, or nothing."""
    try:
        kept_lineages(label, sorts)
    except ValueError as error:
        return str(error)
    return ""


def _dependences(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal coefficients of the linear dependences between columns, one row each."""
    length = np.linalg.norm(matrix, axis=0)
    _, scale, axes = np.linalg.svd(matrix / np.where(length > 0, length, 1), full_matrices=True)
    return np.asarray(axes[int(np.sum(scale > 1e-8)) :])


def design_problem(units: pd.DataFrame, design: pd.DataFrame, contrast: Contrast) -> str:
    """Why these patients cannot be compared, as a status; empty if they can."""
    arms = ["pair"] if contrast.kind == "paired" else ["test", "reference"]
    if min(int((units["arm"] == arm).sum()) for arm in arms) < MIN_PATIENTS:
        return "too_few_patients"
    if "arm" in aliased_columns(design):
        return "aliased"
    return "" if len(units) > independent_columns(design).shape[1] else "too_few_patients"


def tested_column(design: pd.DataFrame) -> int:
    """Place of the effect: the arm, or for pairs the mean difference."""
    return list(design).index("arm") if "arm" in design else 0


def arm_sizes(units: pd.DataFrame, contrast: Contrast) -> dict[str, int]:
    """`n_test` and `n_reference`: patients per arm, or pairs."""
    return {
        f"n_{arm}": len(units) if contrast.kind == "paired" else int((units["arm"] == arm).sum())
        for arm in ("test", "reference")
    }
