"""The design audit: which contrasts the cohort can answer, before anything is tested."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from lammscope.cohort.associations import (
    Row,
    association_rows,
    covariates_of,
    split_words,
    trend_rows,
)
from lammscope.cohort.associations import splits_groups as splits
from lammscope.cohort.audit_cohort import cohort_rows, late_timepoints, missingness_rows
from lammscope.cohort.audit_contamination import contamination_rows
from lammscope.cohort.audit_incomplete import incomplete_rows
from lammscope.cohort.audit_soup import soup_rows
from lammscope.cohort.comparison import Comparison, has_every_arm
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.covariates import possible_codes
from lammscope.cohort.design import TREND, aliased_columns, aliases_of_arm, design_matrix
from lammscope.cohort.schemes import Scheme
from lammscope.cohort.selection import UNUSED, USED
from lammscope.cohort.sorts import Sorts, one_label, refused_denominators, unsorted_labels
from lammscope.core.names import ALPHA
from lammscope.core.words import as_text, counted

COLUMNS = ["contrast", "item", "value", "status", "message"]
# From worst to best; from `warning` on, rows help to interpret a test.
STATUSES = (
    *("aliased", "too_few_patients", "confounded", "survivorship", "warning", "note", "ok"),
)

OF_SAMPLES = {"timepoint", "phase", "day", "compartment", "sort", "batch", "channel"}


def audit_design(
    samples: pd.DataFrame,
    comparisons: Sequence[Comparison],
    *,
    sorts: Sorts,
    max_exact: int,
    n_draws: int,
    contamination: Mapping[str, float] | None = None,
    soups: Mapping[str, Mapping[str, float]] | None = None,
) -> pd.DataFrame:
    """Audit the design: patients per arm, missing samples, rank, confounding and smallest p.

    Parameters
    ----------
    samples
        The sample table of `sheets.read_samples`.
    comparisons
        The contrasts to audit, applied to these samples.
    sorts
        As in `sorts.kept_lineages`.
    max_exact, n_draws
        As in `schemes.permutation_scheme`.
    contamination
        Contamination fraction of each sample; NaN if it could not be estimated. A plan has none.
    soups
        Composition of the ambient RNA of each sample, from `audit_soup.lineage_shares`.

    Returns
    -------
    DataFrame
        `contrast` ("cohort" for the whole cohort), `item`, `value`, `status` (of `STATUSES`) and
        `message`, a sentence. The first row of each contrast is its `verdict`, the worst of
        `aliased`, `too_few_patients`, `confounded`, `survivorship`, `no_permutation` and `ok`.
    """
    late = late_timepoints(samples)
    unsorted = unsorted_labels(samples["sort"], sorts)
    covariates = samples.assign(sort=one_label(samples["sort"], unsorted))
    rows = [("cohort", *row) for row in cohort_rows(covariates, late)]
    for comparison in comparisons:
        contrast, units = comparison.contrast, comparison.units
        survivors = _survivor_rows(comparison.used, contrast, late)
        found = [
            *_patient_rows(units, contrast),
            *_missing_rows(comparison),
            *incomplete_rows(comparison),
            *_unused_rows(comparison.selection, contrast),
            *_sort_rows(comparison.sorts, sorts),
            *_rank_rows(units, contrast),
            *_code_rows(covariates, contrast),
            *_association_rows(comparison, covariates, skip_time=bool(survivors)),
            *survivors,
            *([] if contamination is None else contamination_rows(comparison, contamination)),
            *([] if soups is None else soup_rows(comparison, soups)),
        ]
        if has_every_arm(units, contrast):
            scheme = contrast.permutations(units, max_exact=max_exact, n_draws=n_draws)
            found.append(_floor_row(scheme, units, contrast))
        rows += [(contrast.name, *row) for row in (_verdict_row(found, units, contrast), *found)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": "str"})


def _verdict_row(rows: list[Row], units: pd.DataFrame, contrast: Contrast) -> Row:
    """Summarize the worst status of the other rows in one sentence."""
    by_status: dict[str, list[Row]] = {}
    for row in rows:
        by_status.setdefault(row[2], []).append(row)
    sizes = contrast.sizes(units)
    if "aliased" in by_status:
        others = ", ".join(aliases_of_arm(design_matrix(units, contrast.adjust)))
        words = (
            f"Cannot be answered: {contrast.difference} cannot be separated from the effect of "
            f"{others}."
        )
        return "verdict", "aliased", "aliased", words
    if "too_few_patients" in by_status:
        why = f"at least {contrast.requirement} are needed"
        if all(row[0] == "residual_df" for row in by_status["too_few_patients"]):
            why = "no residual degrees of freedom remain, so adjust for fewer covariates"
        words = f"Cannot be answered: {sizes}; {why}."
        return "verdict", "too_few_patients", "too_few_patients", words
    if "confounded" in by_status:
        columns = [str(row[0]).removeprefix("association_") for row in by_status["confounded"]]
        words = (
            f"Tested, but {contrast.tested} cannot be separated from the effect of "
            f"{', '.join(columns)} ({sizes})."
        )
        return "verdict", "confounded", "confounded", words
    if "survivorship" in by_status:
        times = ", ".join(str(row[1]) for row in by_status["survivorship"])
        words = f"Tested, but at {times} nearly all sampled patients are in one arm ({sizes}): "
        words += "whether patients are still sampled depends on the outcome."
        return "verdict", "survivorship", "survivorship", words
    floor = next((float(str(row[1])) for row in rows if row[0] == "p_floor"), 0.0)
    if floor > ALPHA:
        words = (
            f"Tested, but with {sizes} a permutation test cannot give p below {floor:.3g}, so that "
            "no difference can be more than suggestive."
        )
        return "verdict", "no_permutation", "warning", words
    return "verdict", "ok", "ok", f"Can be tested: {sizes}."


def _patient_rows(units: pd.DataFrame, contrast: Contrast) -> list[Row]:
    rows: list[Row] = []
    for arm in contrast.arms:
        part = units[units["arm"] == arm]
        lists = [column for column in units if str(column).startswith("samples")]
        n, n_samples = len(part), sum(len(s) for column in lists for s in part[column])
        message = f"{contrast.arm_size(part, arm)} ({counted(n_samples, 'samples')})."
        problem = contrast.arm_problem(part)
        if problem:
            message += f" At least {contrast.minimum} are needed, so nothing is tested."
        status = "too_few_patients" if problem else "ok"
        item = f"patients_{arm}" if contrast.has_arms else contrast.unit_words
        rows.append((item, n, status, message))
    return rows


def _missing_rows(comparison: Comparison) -> list[Row]:
    """Count the patients of each arm without a sample in the contrast; pairs have no arms."""
    contrast, samples = comparison.contrast, comparison.samples
    if not contrast.between_patients:
        return []
    included = samples[_included_samples(samples, contrast)]
    words = {arm: contrast.units_of(arm) for arm in contrast.arms}
    if contrast.has_arms:
        words = {arm: contrast.group(arm) for arm in contrast.arms}
    groups = contrast.named(included).map(words).groupby(included["patient"])
    if (groups.nunique() > 1).any():
        return []
    has = pd.Series(list(groups.groups), list(groups.groups)).isin(comparison.units["patient"])
    return missingness_rows(groups.first(), has, "missing_patients", contrast.lacking)


def _included_samples(samples: pd.DataFrame, contrast: Contrast) -> pd.Series:
    """Return which samples are of patients that the contrast would include.

    Conditions of `where` on columns of patients exclude patients: with `where: {product: axi}`,
    others are not missing. A patient without a sample in the selected phase is missing.
    """
    included = pd.Series(True, index=samples.index)
    for column in set(contrast.where) - OF_SAMPLES:
        values = as_text(samples[column])
        if (values.fillna("").groupby(samples["patient"]).nunique() == 1).all():
            included &= values.isin(contrast.where[column])
    return included


def _unused_rows(selection: pd.DataFrame, contrast: Contrast) -> list[Row]:
    """List the samples that are left out, by reason and arm (by side for pairs)."""
    rows: list[Row] = []
    key = "arm" if contrast.between_patients else "side"
    words = {side: contrast.group(side) for side in SIDES}
    lacking = f"in neither {key}"
    if contrast.has_numbers:
        words, lacking = {arm: contrast.units_of(arm) for arm in contrast.arms}, "without a value"
    left_out = selection[selection["use"] != USED]
    arms = left_out[key].map(words).fillna(lacking)
    for (use, reason), part in left_out.groupby(["use", "reason"], sort=True):
        expected = use == UNUSED and str(reason).endswith(("not asked for", "in neither arm"))
        listed = "; ".join(
            f"{arm}: {len(names) if expected else ', '.join(names)}"
            for arm, names in part["sample"].groupby(arms[part.index])
        )
        message = f"Not used, {reason}: {counted(len(part), 'samples')} ({listed})."
        rows.append((f"unused: {reason}", len(part), "ok" if expected else "note", message))
    return rows


def _sort_rows(labels: list[str], sorts: Sorts) -> list[Row]:
    rows: list[Row] = []
    for label in labels:
        gone = ", ".join(refused_denominators([label], sorts=sorts))
        if gone:
            message = (
                f"Sorting ({label}) removed {gone} cells: fractions of these cells and ratios to "
                "them are not tested; fractions of all cells are."
            )
            rows.append((f"sort_{label}", gone, "note", message))
    return rows


def _rank_rows(units: pd.DataFrame, contrast: Contrast) -> list[Row]:
    if not has_every_arm(units, contrast):
        return []
    design = design_matrix(units, contrast.adjust)
    involved, others = aliased_columns(design), aliases_of_arm(design)
    rank = int(np.linalg.matrix_rank(design.to_numpy()))
    names = [contrast.effect if name == "arm" else str(name) for name in design.columns]
    value, columns = f"{rank} of {design.shape[1]}", ", ".join(names)
    constant = [c for c in contrast.adjust if not any(str(n).split("[")[0] == c for n in design)]
    rows: list[Row] = [
        (f"constant_{c}", 1, "note", f"{c} does not vary here and is left out.") for c in constant
    ]
    if others:
        what = contrast.difference
        message = f"{what[0].upper()}{what[1:]} cannot be separated from the effect of "
        rows.append(("rank", value, "aliased", f"{message}{', '.join(others)}."))
    elif involved:
        if involved == ["arm"]:  # all patients have one value, which another row says
            return rows
        message = f"{', '.join(involved)} determine each other; redundant columns are left out."
        rows.append(("rank", value, "note", message))
    else:
        rows.append(("rank", value, "ok", f"The model ({columns}) can be estimated."))
    if len(units) <= rank:
        sizes = f"{counted(len(units), 'patients')} for {counted(rank, 'coefficients')}"
        message = f"{sizes}: no residual degrees of freedom remain, so noise cannot be estimated."
        rows.append(("residual_df", len(units) - rank, "too_few_patients", message))
    return rows


def _code_rows(samples: pd.DataFrame, contrast: Contrast) -> list[Row]:
    """List the covariates of the model that may be codes of categories."""
    codes = possible_codes(samples, contrast.adjust)
    return [(f"number_{column}", column, "note", words) for column, words in codes.items()]


def _association_rows(
    comparison: Comparison, samples: pd.DataFrame, *, skip_time: bool
) -> list[Row]:
    """Test covariates and batches for association with arms (by phase for a change) or sides."""
    contrast, units = comparison.contrast, comparison.units
    by_sample = samples.set_index("sample")
    lists = [name for name in units if str(name).startswith("samples")]
    timed = skip_time or not contrast.between_patients or contrast.compares_time
    skip = {contrast.column, *(("timepoint", "day") if timed else ())}
    groups = units["arm"].map({side: contrast.group(side) for side in SIDES})
    rows: list[Row] = []
    for column in (c for c in covariates_of(samples) if c not in skip):
        values_of = by_sample[column].to_dict()
        sides = [
            units[name].map(lambda names, of=values_of: of[names[0]]).rename(column)
            for name in lists
        ]
        if contrast.has_numbers:
            adjusted = column in contrast.adjust
            rows += trend_rows(units[TREND], sides[0], of=contrast.effect, adjusted=adjusted)
            continue
        if not contrast.has_arms:
            rows += _side_rows(sides, contrast)
            continue
        if len(sides) == 2 and not sides[0].equals(sides[1]):
            sides = [
                side.rename(f"{column} ({phase})")
                for side, phase in zip(sides, ("post", "pre"), strict=True)
            ]
        for values in sides if len({str(side.name) for side in sides}) > 1 else sides[:1]:
            adjusted = column in contrast.adjust
            rows += association_rows(groups, values, between="arm", adjusted=adjusted)
    return rows


def _side_rows(sides: list[pd.Series], contrast: Contrast) -> list[Row]:
    """Return a row if a covariate or batch splits the sides of pairs."""
    values = pd.concat(sides, ignore_index=True)
    names = [contrast.group(side) for side in SIDES]
    groups = pd.Series(np.repeat(names, len(sides[0])))
    known = values.notna()
    if groups[known].nunique() < 2 or not splits(groups[known], values[known], p=1.0):
        return []
    message = split_words(groups[known], values[known])
    return [(f"association_{sides[0].name}", "apart", "confounded", message)]


def _survivor_rows(used: pd.DataFrame, contrast: Contrast, late: dict[str, str]) -> list[Row]:
    """List the time points of nearly only one arm that a comparison of responses uses."""
    if not contrast.between_patients or contrast.column not in ("response", "response_label"):
        return []
    return [
        (f"late_{name}", name, "survivorship", words)
        for name, words in late.items()
        if (used["timepoint"] == name).any()
    ]


def _floor_row(scheme: Scheme, units: pd.DataFrame, contrast: Contrast) -> Row:
    n, floor = len(units), scheme.floor
    if contrast.has_arms:
        sizes = [int((units["arm"] == arm).sum()) for arm in SIDES]
        what = f"{sizes[0]} against {sizes[1]} patients: p of a permutation test cannot go below "
        what += f"{floor:.3g} ({scheme.words})."
    elif contrast.has_numbers:
        what = f"{counted(n, contrast.unit_words)}: p of a permutation test cannot go below "
        what += f"{floor:.3g} ({scheme.words})."
    else:
        what = f"{counted(n, 'pairs')}: p of a permutation test cannot go below "
        what += f"2/{2**n} = {floor:.3g}." if scheme.exact else f"{floor:.2g}."
    if floor > ALPHA:
        what += " So it cannot fall below 0.05, whatever the data show."
    return "p_floor", f"{floor:.6g}", "warning" if floor > ALPHA else "ok", what
