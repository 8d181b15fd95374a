"""Abundance of cell populations: counts per sample, and tests with the patient as the unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import comparison_units, crosses_phases, used_sorts
from lammscope.cohort.selection import select_samples
from lammscope.cohort.sorts import Sorts, refused_denominators
from lammscope.comparisons import COLUMNS, Permutations, compare, empty_row
from lammscope.core.names import LAMM_LEVELS, LEVELS
from lammscope.proportions import Measure, families, unit_cells
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


def count_cells(cells: pd.DataFrame, samples: pd.DataFrame, *, probability: float) -> pd.DataFrame:
    """Count cells per sample and population, zeros included.

    Parameters
    ----------
    cells
        `sample`, `population`, `lineage`, `lamm_positive`, `lamm_elevated` per cell.
    samples
        The sample table; every sample appears in the result, cells or not.
    probability
        A cell counts at a LAMM level where its probability reaches this.

    Returns
    -------
    DataFrame
        `sample`, `population`, `lineage`, `n_cells`, `partition`. LAMM is always there; the rows
        LAMM_positive and LAMM_elevated count the same cells at both levels (`partition` False).
    """
    pairs = cells[["population", "lineage"]].drop_duplicates("population").astype(str)
    lineages = dict(zip(pairs["population"], pairs["lineage"], strict=True))
    lineages = dict(sorted({**lineages, "LAMM": "monocytic"}.items()))
    names = sorted(samples["sample"])
    table = pd.crosstab(cells["sample"].astype(str), cells["population"].astype(str))
    table = table.reindex(index=names, columns=list(lineages), fill_value=0)
    for level in LEVELS:
        table[f"LAMM_{level}"] = _count_called(cells, names, level=level, threshold=probability)
    table = table.astype(int).reset_index(names="sample")
    long = table.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long = long.sort_values(["sample", "population"], ignore_index=True)
    lineages |= dict.fromkeys(LAMM_LEVELS, "monocytic")
    long["lineage"] = long["population"].map(lineages)
    long["partition"] = ~long["population"].isin(LAMM_LEVELS)
    return long[["sample", "population", "lineage", "n_cells", "partition"]]


def count_thresholds(
    cells: pd.DataFrame, samples: pd.DataFrame, *, thresholds: Sequence[float]
) -> pd.DataFrame:
    """Count LAMM cells per sample as other thresholds of their probability would have called them.

    Parameters as in `count_cells`; returns `sample`, `level` (positive, elevated), `threshold` and
    `n_cells`, zeros included.
    """
    names = sorted(samples["sample"])
    tables = []
    for level in LEVELS:
        for threshold in sorted(set(thresholds)):
            n_cells = _count_called(cells, names, level=level, threshold=threshold)
            about = {"sample": names, "level": level, "threshold": threshold}
            tables.append(pd.DataFrame(about | {"n_cells": n_cells.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


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
        Of the permutation test, as in `permutation.permutation_scheme`.
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


def _count_called(
    cells: pd.DataFrame, names: list[str], *, level: str, threshold: float
) -> pd.Series:
    """LAMM cells of each sample by a threshold of the level's probability."""
    called = cells.loc[cells[f"lamm_{level}"] >= threshold, "sample"].value_counts()
    return called.reindex(names, fill_value=0)


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
