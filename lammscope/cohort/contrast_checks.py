"""Mistakes of contrasts that show once patients are matched, and comparisons without an answer."""

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


def aliased_contrasts(samples: pd.DataFrame, contrasts: list[Contrast]) -> dict[str, str]:
    """Contrasts whose comparison cannot be told apart from a covariate: name -> why and remedy."""
    found = {}
    for contrast in contrasts:
        units = Comparison(samples, contrast).units
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


def _unknown(label: str, sorts: Sorts) -> str:
    """What is said of a sort that is not known, or nothing."""
    try:
        kept_lineages(label, sorts)
    except ValueError as error:
        return str(error)
    return ""
