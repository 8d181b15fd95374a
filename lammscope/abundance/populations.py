"""Abundance of cell populations: counts per sample, and tests with the patient as the unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import COLUMNS, Permutations, compare, empty_row
from lammscope.abundance.fractions import Measure, families, unit_cells
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import comparison_units, crosses_phases, used_sorts
from lammscope.cohort.selection import select_samples
from lammscope.cohort.sorts import Sorts, refused_denominators
from lammscope.stats.multiplicity import benjamini_hochberg


@dataclass(frozen=True)
class Question:
    """What a contrast compares: its `units`, and `families` of measures that share a denominator.

    `removed` names per family the sorts that removed its denominator (then it is not tested).
    """

    units: pd.DataFrame
    families: list[list[Measure]]
    removed: list[list[str]]

    def measure(self, population: str, denominator: str) -> Measure | None:
        """A population of a denominator; None if there is none, or a sort removed it."""
        for family, removed in zip(self.families, self.removed, strict=True):
            for measure in family if not removed else []:
                if (measure.population, measure.denominator) == (population, denominator):
                    return measure
        return None


def test_abundance(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
    exclude_pre_post: Sequence[str],
    max_exact: int,
    n_draws: int,
    seed: int,
    sorts: Sorts,
) -> pd.DataFrame:
    """Test each population in each denominator.

    One value per patient (`between`), or one difference of test minus reference side (`paired`,
    `change`), in an ordinary linear model; its p is the p of the row. Moderated values, a
    permutation test and the influence of single patients stand beside.

    Parameters
    ----------
    counts
        From `count_cells`.
    samples
        The sample table.
    min_cells
        Samples with fewer cells of the denominator are dropped, and named in `notes`.
    exclude_pre_post
        Populations left out of the denominators where phases are compared. Their own rows are
        fractions of the denominator together with themselves.
    max_exact, n_draws, seed
        Of the permutation test, as in `schemes.permutation_scheme`.
    sorts
        As in `sorts.kept_lineages`. Fractions of what a sort removed are not tested.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`; rows by denominator, scale and population. Nothing that could not
        be tested has an estimate: `status` and `verdict` say why.
    """
    question = ask(counts, samples, contrast, exclude_pre_post=exclude_pre_post, sorts=sorts)
    permutations = Permutations(max_exact, n_draws, seed)
    rows: list[dict[str, Any]] = []
    partition: list[bool] = []
    for family, removed in zip(question.families, question.removed, strict=True):
        for scale in ["log_ratio"] if family[0].ratio else ["logit", "arcsine"]:
            rows += (
                _refused_rows(family, question.units, contrast, scale, removed)
                if removed
                else compare(
                    family,
                    question.units,
                    contrast,
                    scale=scale,
                    min_cells=min_cells,
                    permutations=permutations,
                )
            )
            partition += [measure.partition for measure in family]
    return _with_fdr(pd.DataFrame(rows, columns=COLUMNS), np.array(partition))


test_abundance.__test__ = False  # type: ignore[attr-defined]  # the name is no test of pytest


def ask(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    exclude_pre_post: Sequence[str],
    sorts: Sorts,
) -> Question:
    """Who is compared in a contrast, and which fractions; parameters as in `test_abundance`."""
    units = comparison_units(samples, contrast)
    wide = counts.pivot(index="sample", columns="population", values="n_cells")
    about = counts.drop_duplicates("population").set_index("population")
    excluded = set(exclude_pre_post) if crosses_phases(units, samples, contrast) else set()
    labels = used_sorts(samples, select_samples(samples, contrast))
    refused = refused_denominators(labels, sorts=sorts)
    found = families(unit_cells(wide, units), about, excluded)
    removed = []
    for family in found:
        whole = family[0].denominator
        lineage = about["lineage"][family[0].population]
        removed.append(refused.get(lineage if whole == "parent" else whole, []))
    return Question(units, found, removed)


def _refused_rows(
    family: list[Measure], units: pd.DataFrame, contrast: Contrast, scale: str, removed: list[str]
) -> list[dict[str, Any]]:
    """Rows of a denominator that a sort removed: no means either, they would mislead."""
    words = f"not tested: the sort {', '.join(removed)} removed what they would be counted against"
    row = empty_row(units, contrast, scale=scale)
    row |= {"compositional": False, "status": "sorted_out", "verdict": words}
    return [row | {"population": m.population, "denominator": m.denominator} for m in family]


def _with_fdr(table: pd.DataFrame, partition: np.ndarray) -> pd.DataFrame:
    """Add false discovery rates over the populations of each denominator and scale."""
    for name, target in (("p", "fdr"), ("p_moderated", "fdr_moderated")):
        for _, part in table[partition].groupby(["denominator", "scale"]):
            table.loc[part.index, target] = benjamini_hochberg(part[name])
    return table
