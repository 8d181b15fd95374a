"""Missing pseudobulks of a comparison, and whether missingness differs between arms."""

import numpy as np
import pandas as pd
from anndata import AnnData

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.selection import UNUSED
from lammscope.expression.kept_patients import EVERY, MISSING_COLUMNS, kept_by_arm
from lammscope.expression.models import kept_sides, plain_pseudobulks, stacked

EXCLUDED_COLUMNS = ["cell_type", "patient", "arm", "side", "samples", "n_cells", "reason"]


def excluded_pseudobulks(
    pseudobulk: AnnData, comparison: Comparison, *, min_cells: int
) -> pd.DataFrame:
    """List pseudobulks of patients that a contrast leaves out, with their arm.

    Returns
    -------
    DataFrame
        The columns `EXCLUDED_COLUMNS`. Samples with a missing covariate are left out of every
        population: their `cell_type` is `(all)` and `n_cells` is missing.
    """
    sums = plain_pseudobulks(pseudobulk)
    tables = [_without_covariate(comparison)]
    for population in sums.populations:
        kept = kept_sides(sums.obs, population, comparison, min_cells=min_cells)
        lost = kept[kept["reason"] != ""].assign(cell_type=population)
        tables.append(lost.assign(samples=lost["samples"].map(",".join))[EXCLUDED_COLUMNS])
    return stacked(tables, EXCLUDED_COLUMNS)


def missingness(pseudobulk: AnnData, comparison: Comparison, *, min_cells: int) -> pd.DataFrame:
    """Count the patients that each population keeps by arm, and test whether the arms differ.

    If a population is too small in one arm only (such as B cells of non-responders), the
    comparison is limited to a selected group of patients.

    Returns
    -------
    DataFrame
        The columns `MISSING_COLUMNS`: a row `(all)` for samples with a missing covariate, if the
        contrast has covariates, then the populations. `n_test` and `n_reference` count the patients
        per arm who could be compared (for a change, those with both phases; for pairs, the pairs),
        `kept_test` and `kept_reference` those with enough cells. `p` is that of Fisher's exact
        test of arm against kept or lost, and for pairs, whose sides are dependent, that of
        McNemar's exact test. For a trend, all patients are counted in both columns, and `p` is that
        of the rank sum test of their numbers.
    """
    contrast, sums = comparison.contrast, plain_pseudobulks(pseudobulk)
    rows = []
    if contrast.adjust:
        lost = _without_covariate(comparison).assign(kept=False)
        for name, numbers in contrast.numbers(comparison.samples).items():
            by_sample = dict(zip(comparison.samples["sample"], numbers, strict=True))
            lost[name] = lost["samples"].map(by_sample)
        every = pd.concat([comparison.sides.assign(kept=True), lost], ignore_index=True)
        rows.append({"cell_type": EVERY, **kept_by_arm(every, contrast)})
    for population in sums.populations:
        kept = kept_sides(sums.obs, population, comparison, min_cells=min_cells)
        kept = kept.assign(kept=kept["n_cells"] >= min_cells)
        rows.append({"cell_type": population, **kept_by_arm(kept, contrast)})
    return pd.DataFrame(rows, columns=MISSING_COLUMNS)


def _without_covariate(comparison: Comparison) -> pd.DataFrame:
    """Return samples that are left out only because a covariate is missing."""
    selection = comparison.selection
    reasons = [f"{column} is missing" for column in comparison.contrast.adjust]
    lost = selection[(selection["use"] == UNUSED) & selection["reason"].isin(reasons)]
    lost = lost.rename(columns={"sample": "samples"})
    return lost.assign(cell_type=EVERY, n_cells=np.nan)[EXCLUDED_COLUMNS]
