"""Checks of contrasts that need matched patients, and contrasts that are aliased."""

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from lammscope.cohort.comparison import Comparison, has_every_arm
from lammscope.cohort.config import read_schema
from lammscope.cohort.contrast_config import default_contrasts
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import aliases_of_arm, design_matrix
from lammscope.cohort.selection import try_selection, used_sorts
from lammscope.cohort.sorts import (
    Sorts,
    kept_lineages,
    refused_denominators,
    sort_mistakes,
    unsorted_labels,
)
from lammscope.core.names import ARM_WORDS, ARMS, PHASES
from lammscope.core.words import as_text, counted, near, shortened


def contrast_mistakes(
    samples: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    primary: Mapping[str, str],
    sorts: Sorts,
) -> list[str]:
    """Return all mistakes of the contrasts that need matched patients; nothing is raised.

    Parameters
    ----------
    contrasts
        From `contrasts_from_config`.
    primary
        `contrast` and `denominator` of the config. It may be missing if there are no contrasts. It
        may also be missing from the default contrasts if none compares arms or if it is the
        schema's default.
    sorts
        As in `sorts.kept_lineages`.

    Returns
    -------
    list of str
        One line each, beginning with the contrast or with `config`: mistakes of `try_selection`,
        unknown labels of `sort`, and a primary denominator that sorting removed.
    """
    mistakes = sort_mistakes(sorts)
    names = [contrast.name for contrast in contrasts]
    is_missing = bool(contrasts) and primary["contrast"] not in names
    if is_missing and not _may_be_missing(primary["contrast"], contrasts, samples, sorts=sorts):
        mistakes.append(
            f"config: `primary.contrast` is `{primary['contrast']}`, which is not a contrast"
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
                f"contrast `{contrast.name}`: sorting ({', '.join(removed)}) removed the {whole} "
                "cells, which are the denominator of the primary result; set "
                "`primary.denominator` to cells that were kept, such as `all`, or set "
                "`primary.contrast` to another contrast"
            )
    return mistakes


def reason_for_none(samples: pd.DataFrame, *, sorts: Sorts) -> str:
    """Explain in one line why a cohort has no default contrast, with the remedy."""
    remedy = (
        "name contrasts under `contrasts`, or write `contrasts: {}` to run without any comparison"
    )
    labels = unsorted_labels(samples["sort"], sorts)
    rows = samples[as_text(samples["sort"]).isin(labels)]
    if rows.empty:
        found = ", ".join(sorted(set(as_text(samples["sort"]).dropna())))
        why = f"all {len(samples)} samples are sorted libraries (`sort`: {found})"
        return f"no default contrast is possible: {why}; {remedy}"
    phased = rows[rows["phase"].isin(PHASES)]
    if phased.empty:
        found = shortened(sorted(set(as_text(rows["timepoint"]).dropna())), 20)
        why = f"no time point ({found}) is before or after infusion"
        return f"no default contrast is possible: {why}; list them in `timepoints`, {remedy}"
    if rows["response"].isna().all():
        why = "no patient has a response of either arm, and none has samples of both phases"
        fill = "fill in `response` in the patient sheet and in the config"
        return f"no default contrast is possible: {why}; {fill}, {remedy}"
    groups = phased.groupby(["phase", "response", "compartment"])["patient"].nunique()
    counts = "; ".join(
        f"{place}, {phase}: "
        + " and ".join(
            counted(int(groups.get((phase, arm, place), 0)), ARM_WORDS[arm]) for arm in ARMS
        )
        for place in sorted(phased["compartment"].unique())
        for phase in PHASES
    )
    sorting = "" if len(rows) == len(samples) else " without sorted libraries"
    why = f"no phase has patients of both arms{sorting} ({counts})"
    return f"no default contrast is possible: {why}; {remedy}"


ALIASED = "lammscope: a contrast cannot be tested in these patients; nothing was run:"


def aliased_contrasts(comparisons: Iterable[Comparison]) -> dict[str, str]:
    """Find contrasts that cannot be separated from a covariate: name -> reason and remedy."""
    found = {}
    for comparison in comparisons:
        contrast, units = comparison.contrast, comparison.units
        if not contrast.between_patients or not has_every_arm(units, contrast):
            continue
        others = aliases_of_arm(design_matrix(units, contrast.adjust))
        if others:
            found[contrast.name] = (
                f"contrast `{contrast.name}`: {contrast.difference} cannot be separated from the "
                f"effect of {', '.join(others)} in these {len(units)} patients; remove "
                f"{'it' if len(others) == 1 else 'them'} from `adjust` or narrow `where`"
            )
    return found


def _may_be_missing(
    name: str, contrasts: Sequence[Contrast], samples: pd.DataFrame, *, sorts: Sorts
) -> bool:
    """Return whether the primary contrast is missing because the cohort cannot answer it."""
    if list(contrasts) != default_contrasts(samples, sorts=sorts):
        return False
    usual = read_schema("config")["properties"]["primary"]["properties"]["contrast"]["default"]
    return name == usual or not any(contrast.has_arms for contrast in contrasts)


def _unknown(label: str, sorts: Sorts) -> str:
    """Return the message for an unknown label of `sort`, or an empty string."""
    try:
        kept_lineages(label, sorts)
    except ValueError as error:
        return str(error)
    return ""
