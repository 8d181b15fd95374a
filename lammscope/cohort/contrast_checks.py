"""Checks of contrasts that need matched patients, and contrasts that are aliased."""

from collections.abc import Mapping, Sequence

import pandas as pd

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import default_contrasts
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import aliases_of_arm, design_matrix
from lammscope.cohort.selection import try_selection, used_sorts
from lammscope.cohort.sorts import Sorts, kept_lineages, refused_denominators, sort_mistakes
from lammscope.core.words import near


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
        `contrast` and `denominator` of the config. Default contrasts may lack the primary one.
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
    if primary["contrast"] not in names and list(contrasts) != default_contrasts(samples):
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


def aliased_contrasts(samples: pd.DataFrame, contrasts: list[Contrast]) -> dict[str, str]:
    """Find contrasts that cannot be separated from a covariate: name -> reason and remedy."""
    found = {}
    for contrast in contrasts:
        units = Comparison(samples, contrast).units
        if units["arm"].nunique() < 2:
            continue
        others = aliases_of_arm(design_matrix(units, contrast.adjust))
        if others:
            found[contrast.name] = (
                f"contrast `{contrast.name}`: the difference between {contrast.test} and "
                f"{contrast.reference} cannot be separated from the effect of "
                f"{', '.join(others)} in these {len(units)} patients; remove "
                f"{'it' if len(others) == 1 else 'them'} from `adjust` or narrow `where`"
            )
    return found


def _unknown(label: str, sorts: Sorts) -> str:
    """Return the message for an unknown label of `sort`, or an empty string."""
    try:
        kept_lineages(label, sorts)
    except ValueError as error:
        return str(error)
    return ""
