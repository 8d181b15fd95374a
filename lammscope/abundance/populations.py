"""Test the abundance of cell populations, with the patient as the unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.closure import COLUMNS as CLOSURE
from lammscope.abundance.closure import find_mover, nothing_without, without_mover
from lammscope.abundance.comparisons import COLUMNS, compare, empty_row
from lammscope.abundance.fractions import Measure, families, score_measure, unit_cells
from lammscope.abundance.incomplete import add_incomplete
from lammscope.abundance.weighted import add_weighted
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sorts import Sorts, refused_denominators
from lammscope.stats.multiplicity import benjamini_hochberg


@dataclass(frozen=True, eq=False)
class Question:
    """A comparison of cell counts, with its settings.

    Attributes
    ----------
    counts
        From `counts.count_cells`.
    comparison
        Who is compared with whom.
    min_cells
        Units with fewer cells of the denominator are left out, and named in `notes`.
    exclude_pre_post
        Populations left out of the denominators if phases are compared. Their own rows are
        fractions of the denominator together with themselves.
    sorts
        As in `sorts.kept_lineages`. Fractions of cells that sorting removed are not tested.
    scores
        From `counts.sum_scores`; without it, the mean LAMM score is not tested.
    """

    counts: pd.DataFrame
    comparison: Comparison
    min_cells: int
    exclude_pre_post: Sequence[str]
    sorts: Sorts
    scores: pd.DataFrame | None = None

    @property
    def contrast(self) -> Contrast:
        """The contrast of the comparison."""
        return self.comparison.contrast

    @property
    def lineages(self) -> pd.Series:
        """The lineage of each population."""
        return self._about["lineage"]

    @property
    def units(self) -> pd.DataFrame:
        """The units of the comparison."""
        return self.comparison.units

    @cached_property
    def families(self) -> list[list[Measure]]:
        """Measures that share a denominator."""
        return self._measure(self.units)

    @cached_property
    def incomplete_families(self) -> list[list[Measure]]:
        """The same measures in patients with only one side."""
        return self._measure(self.comparison.incomplete)

    @cached_property
    def removed(self) -> list[list[str]]:
        """For each family, the sorting that removed its denominator; it is then not tested."""
        refused = refused_denominators(self.comparison.sorts, sorts=self.sorts)
        lineages = self.lineages
        wholes = [
            lineages[family[0].population]
            if family[0].denominator == "parent"
            else family[0].denominator
            for family in self.families
        ]
        return [refused.get(whole, []) for whole in wholes]

    def measure(
        self, population: str, denominator: str, *, incomplete: bool = False
    ) -> Measure | None:
        """Return a population of a denominator; None if absent or removed by sorting.

        `incomplete` returns that of the patients with only one side.
        """
        families = self.incomplete_families if incomplete else self.families
        for family, removed in zip(families, self.removed, strict=True):
            for measure in family if not removed else []:
                if (measure.population, measure.denominator) == (population, denominator):
                    return measure
        return None

    def adjusted(self, columns: Sequence[str]) -> "Question":
        """Return the question adjusted for these covariates only."""
        return replace(self, comparison=self.comparison.adjusted(columns))

    def _measure(self, units: pd.DataFrame) -> list[list[Measure]]:
        wide = self.counts.pivot(index="sample", columns="population", values="n_cells")
        excluded = self.comparison.left_out(self.exclude_pre_post)
        found = families(unit_cells(wide, units), self._about, excluded)
        if self.scores is not None:
            found.append([score_measure(self.scores, units)])
        return found

    @cached_property
    def _about(self) -> pd.DataFrame:
        """Lineage and other columns of `counts` by population."""
        return self.counts.drop_duplicates("population").set_index("population")


def test_abundance(question: Question, *, permutations: Permutations) -> pd.DataFrame:
    """Test each population in each denominator.

    The values, one per patient (`between`) or one difference of test minus reference side per
    patient (`paired`, `change`), are tested in an ordinary linear model, which gives the p of the
    row. Moderated p, a permutation test, the influence of single patients and a test with patients
    weighted by their cells are added, and for contrasts of two sides the estimate with patients who
    have only one.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`; rows by denominator, scale and population. Rows that could not be
        tested have no estimate; `status` and `verdict` give the reason.
    """
    units, contrast = question.units, question.contrast
    rows: list[dict[str, Any]] = []
    partition: list[bool] = []
    families = zip(question.families, question.incomplete_families, question.removed, strict=True)
    for family, singles, removed in families:
        for scale in family[0].scales:
            if removed:
                rows += _refused_rows(family, units, contrast, scale, removed)
            else:
                found = compare(
                    family,
                    units,
                    contrast,
                    scale=scale,
                    min_cells=question.min_cells,
                    permutations=permutations,
                )
                found = add_incomplete(
                    found, family, singles, question.comparison, min_cells=question.min_cells
                )
                found = add_weighted(found, family, units, contrast, min_cells=question.min_cells)
                rows += _test_without_mover(found, family, question, scale)
            partition += [measure.partition for measure in family]
    return _with_fdr(pd.DataFrame(rows, columns=COLUMNS), np.array(partition))


def _test_without_mover(
    rows: list[dict[str, Any]], family: list[Measure], question: Question, scale: str
) -> list[dict[str, Any]]:
    """Test the rows of a closed denominator again without the population that moved most."""
    rows = [row | nothing_without() for row in rows]
    excluded = question.comparison.left_out(question.exclude_pre_post)
    kept = {measure.population for measure in family} - set(excluded)
    mover = find_mover(rows, family, kept=kept)
    if mover is None:
        return rows
    lineage = str(question.lineages[mover.population])
    others = [without_mover(measure, mover, mover_lineage=lineage) for measure in family]
    tested = [i for i, each in enumerate(others) if each and rows[i]["status"] == "ok"]
    again = compare(
        [measure for i in tested if (measure := others[i]) is not None],
        question.units,
        question.contrast,
        scale=scale,
        min_cells=question.min_cells,
        permutations=None,
    )
    for i, row in zip(tested, again, strict=True):
        values = (mover.population, row["estimate"], row["p"])
        rows[i] |= dict(zip(CLOSURE, values, strict=True))
    return rows


def _refused_rows(
    family: list[Measure], units: pd.DataFrame, contrast: Contrast, scale: str, removed: list[str]
) -> list[dict[str, Any]]:
    """Make rows of a denominator that sorting removed, without means, which would mislead."""
    words = f"sorting for {', '.join(removed)} removed the cells of the denominator"
    row = empty_row(units, contrast, scale=scale) | nothing_without()
    row |= {"compositional": False, "status": "sorted_out", "reason": words}
    return [row | {"population": m.population, "denominator": m.denominator} for m in family]


def _with_fdr(table: pd.DataFrame, partition: np.ndarray) -> pd.DataFrame:
    """Add false discovery rates over the populations of each denominator and scale.

    The rate of all monocytic cells is that beside these populations, and does not change theirs.
    """
    for name, target in (("p", "fdr"), ("p_moderated", "fdr_moderated")):
        for _, part in table[partition].groupby(["denominator", "scale"]):
            table.loc[part.index, target] = benjamini_hochberg(part[name])
    for place in table.index[(table["population"] == "monocytic") & table["p"].notna()]:
        own = table.loc[place]
        beside = partition & (table["denominator"] == own["denominator"]).to_numpy()
        beside &= (table["scale"] == own["scale"]).to_numpy()
        rates = benjamini_hochberg([own["p"], *table.loc[beside, "p"]])
        table.loc[place, "fdr"] = rates[0]
    return table
