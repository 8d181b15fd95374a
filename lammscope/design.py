"""Who is compared with whom: units of a contrast, design matrices, exact permutation counts.

The unit is the patient: each gives one row, however many libraries, replicates or cells it has.
"""

from math import comb, factorial, prod

import numpy as np
import pandas as pd

from lammscope.contrasts import Contrast, as_text, contrasts_from_config

__all__ = [
    "MIN_PATIENTS",
    "Contrast",
    "aliased_columns",
    "aliased_contrasts",
    "comparison_sides",
    "comparison_units",
    "contrasts_from_config",
    "design_matrix",
    "independent_columns",
    "permutation_floor",
    "select_samples",
]

MIN_PATIENTS = 3  # patients in an arm, or pairs; below it nothing is tested
REPLICATE = ("timepoint", "compartment", "sort")
USED, INCOMPLETE, UNUSED = "used", "incomplete", "unused"


def select_samples(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """What becomes of each sample in a contrast.

    Returns
    -------
    DataFrame
        One row per sample, sorted by patient and sample: `sample`, `patient`, `arm` (test,
        reference, or pair), `side` (test, reference; in `change` post is test and pre reference),
        `use` (used; incomplete: its partner is missing; unused) and `reason`.

    Raises
    ------
    ValueError
        If a patient has several samples that are no replicates, or compartments that cannot be
        compared meet.
    """
    table = samples.sort_values(["patient", "sample"]).reset_index(drop=True)
    value = as_text(table[contrast.column])
    named = value.map({contrast.test: "test", contrast.reference: "reference"}).astype(object)
    result = table[["sample", "patient"]].assign(arm=named, side=named, use=USED, reason="")
    if contrast.kind == "paired":
        result["arm"] = "pair"
    if contrast.kind == "change":
        result["side"] = as_text(table["phase"]).map({"post": "test", "pre": "reference"})

    for column, values in contrast.where.items():
        _leave_out(result, ~as_text(table[column]).isin(values), f"{column} is not asked for")
    if not contrast.names_sort:
        _leave_out(result, as_text(table["sort"]) != "none", "sorted library")
    _leave_out(result, named.isna(), f"{contrast.column} is in neither arm")
    _leave_out(result, result["side"].isna(), "neither pre nor post")
    for column in contrast.adjust:
        _leave_out(result, table[column].isna(), f"{column} is missing")
    if contrast.kind != "paired":
        _check_compartments(table[result["use"] == USED], contrast)
    else:
        _mark_incomplete(result, table, ["patient", *contrast.match])
    _choose(result, table, contrast)
    if contrast.kind == "paired":  # the chosen time point may lack one side
        _mark_incomplete(result, table, ["patient", *contrast.match])
        complete = table[result["use"] == USED]
        keys = [as_text(complete[key]).fillna("") for key in ("patient", *contrast.match)]
        for _, pair in complete.groupby(keys):
            _check_compartments(pair, contrast)
    if contrast.kind == "change":
        _mark_incomplete(result, table, ["patient", "compartment", "sort"])
    if contrast.kind != "paired":
        _check_arms(result, contrast)
    _check_replicates(result, table, contrast)
    return result


def comparison_sides(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """One row per patient and side, complete or not: the rows of a model of all samples.

    Returns
    -------
    DataFrame
        `patient`, `arm`, `side`, `samples` (list of replicates to be summed), `complete` (bool:
        the patient has what the contrast needs of it), and the covariates.
    """
    selection = select_samples(samples, contrast)
    taken = selection[_takes_part(selection, contrast)].merge(
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
    matrix = design.to_numpy(dtype=float)
    length = np.linalg.norm(matrix, axis=0)
    _, scale, axes = np.linalg.svd(matrix / np.where(length > 0, length, 1), full_matrices=True)
    rank = int(np.sum(scale > 1e-8))
    involved = np.any(np.abs(axes[rank:]) > 1e-6, axis=0)
    return [name for name, flag in zip(design.columns, involved, strict=True) if flag]


def aliased_contrasts(samples: pd.DataFrame, contrasts: list[Contrast]) -> dict[str, str]:
    """Contrasts whose comparison cannot be told apart from a covariate: name -> why and remedy."""
    found = {}
    for contrast in contrasts:
        units = comparison_units(samples, contrast)
        if units["arm"].nunique() < 2:
            continue
        involved = aliased_columns(design_matrix(units, contrast.adjust))
        if "arm" in involved:
            others = sorted({name.split("[")[0] for name in involved} - {"arm", "intercept"})
            found[contrast.name] = (
                f"contrast `{contrast.name}`: {contrast.test} against {contrast.reference} cannot "
                f"be separated from {', '.join(others)} in these {len(units)} patients; remove "
                "it from `adjust` or narrow `where`"
            )
    return found


def independent_columns(design: pd.DataFrame) -> pd.DataFrame:
    """The design without columns that earlier ones already determine."""
    kept: list[str] = []
    for name in design.columns:
        if not aliased_columns(design[[*kept, name]]):
            kept.append(name)
    return design[kept]


def permutation_floor(
    units: pd.DataFrame, contrast: Contrast, *, max_exact: int, n_draws: int
) -> tuple[float, str]:
    """Smallest two-sided p a permutation test with |t| can give for these units, and its scheme.

    Parameters
    ----------
    units
        From `comparison_units`.
    max_exact, n_draws
        Up to `max_exact` assignments are enumerated; beyond, `n_draws` are drawn, with the +1 rule.

    Notes
    -----
    Between arms (and for `change`, whose patients' differences are compared) labels are permuted
    within strata of the categorical covariates: the product over strata of n! / (k! (n-k)!)
    assignments. Exchanging the two arms gives the same |t|; where every stratum that holds both
    arms holds them in equal numbers that exchange is one of the assignments, so that the smallest
    p is 2 / assignments, else 1 / assignments. Signs of n pairs: 2 / 2^n. With a numeric
    covariate residuals are permuted within strata (Freedman and Lane), which is approximate.
    """
    if contrast.kind == "paired":
        total, ties, words = 2 ** len(units), 2, "sign flips of pairs"
        where = ""
    else:
        texts = [c for c in contrast.adjust if not pd.api.types.is_numeric_dtype(units[c])]
        numbers = [c for c in contrast.adjust if c not in texts]
        test = units["arm"] == "test"
        strata = test.groupby([as_text(units[c]) for c in texts]) if texts else [("", test)]
        sizes = [(len(part), int(part.sum())) for _, part in strata]
        where = f" within strata of {', '.join(texts)}" if texts else ""
        if numbers:
            total, ties = prod(factorial(n) for n, _ in sizes), 1
            words = f"Freedman-Lane for {', '.join(numbers)}, approximate"
        else:
            total = prod(comb(n, k) for n, k in sizes)
            ties = 2 if all(2 * k == n for n, k in sizes if 0 < k < n) else 1
            words = "labels of patients"
    if total > max_exact:
        return 1 / (n_draws + 1), f"{words}{where}: {n_draws:,} draws"
    return min(1.0, ties / total), f"{words}{where}: exact, {total:,} assignments"


def _takes_part(selection: pd.DataFrame, contrast: Contrast) -> pd.Series:
    """Samples of complete units; for a change also those of patients with one phase only."""
    taken = selection["use"] == USED
    return taken | (selection["use"] == INCOMPLETE) if contrast.kind == "change" else taken


def _leave_out(result: pd.DataFrame, rows: pd.Series, reason: str) -> None:
    fresh = rows & (result["use"] == USED)
    result.loc[fresh, "use"] = UNUSED
    result.loc[fresh, "reason"] = reason


def _check_compartments(table: pd.DataFrame, contrast: Contrast) -> None:
    """Infusion products are never compared with blood or tumour."""
    found = sorted(set(as_text(table["compartment"]).dropna()))
    if "product" in found and len(found) > 1:
        raise ValueError(
            f"contrast `{contrast.name}` mixes the compartments {', '.join(found)}; a product is "
            "never compared with blood or tumour: add `where: {compartment: ...}`"
        )


def _mark_incomplete(result: pd.DataFrame, table: pd.DataFrame, keys: list[str]) -> None:
    """Mark used samples whose partner is missing."""
    used = result["use"] == USED
    groups = [as_text(table.loc[used, key]).fillna("") for key in keys]
    n_sides = result.loc[used, "side"].groupby(groups).transform("nunique")
    lonely = n_sides.index[n_sides < 2]
    result.loc[lonely, "use"] = INCOMPLETE
    result.loc[lonely, "reason"] = "partner is missing"


def _choose(result: pd.DataFrame, table: pd.DataFrame, contrast: Contrast) -> None:
    """Keep the chosen time point where a patient has several on one side."""
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


def _check_arms(result: pd.DataFrame, contrast: Contrast) -> None:
    """A patient is in one arm."""
    taken = result[_takes_part(result, contrast)]
    n_arms = taken.groupby("patient")["arm"].nunique()
    if (n_arms > 1).any():
        raise ValueError(
            f"contrast `{contrast.name}`: patient {n_arms.index[n_arms > 1][0]} has samples in "
            f"both arms of `{contrast.column}`; use `kind: paired`, or narrow `where`"
        )


def _check_replicates(result: pd.DataFrame, table: pd.DataFrame, contrast: Contrast) -> None:
    """Samples to be summed agree in everything that matters."""
    taken = result[_takes_part(result, contrast)]
    agree = list(dict.fromkeys([*REPLICATE, *contrast.adjust, *contrast.match]))
    for (patient, _), part in taken.groupby(["patient", "side"]):
        rows = table.loc[part.index]
        kinds = rows[agree].apply(as_text).fillna("")
        if len(kinds.drop_duplicates()) > 1:
            listed = [
                f"{name} ({', '.join(v for v in values if v)})"
                for name, values in zip(rows["sample"], kinds.to_numpy(), strict=True)
            ]
            raise ValueError(
                f"contrast `{contrast.name}`: patient {patient} has several samples that are no "
                f"replicates: {'; '.join(listed)}; narrow `where`, or set `choose` to first, last "
                "or a time point"
            )
    for column in contrast.adjust:
        values = as_text(table.loc[taken.index, column])
        n_values = values.groupby(taken["patient"]).nunique()
        if contrast.kind == "change" and (n_values > 1).any():
            raise ValueError(
                f"contrast `{contrast.name}`: `{column}` differs between the samples of patient "
                f"{n_values.index[n_values > 1][0]}; a change is adjusted for columns of patients"
            )
