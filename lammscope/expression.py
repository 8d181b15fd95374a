"""Differential expression within populations, and what is missing from it, per contrast."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import stats

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import comparison_sides
from lammscope.cohort.selection import UNUSED, select_samples
from lammscope.engines import ENGINES
from lammscope.models import Untested, kept_sides, plain_pseudobulks, population_model
from lammscope.stats.multiplicity import benjamini_hochberg

COLUMNS = [
    *("cell_type", "gene", "symbol", "mean_expression", "log2fc", "ci_low", "ci_high", "t", "df"),
    *("p", "fdr", "n_test", "n_reference", "status"),
]
EXCLUDED_COLUMNS = ["cell_type", "patient", "arm", "side", "samples", "n_cells", "reason"]
MISSING_COLUMNS = [
    *("cell_type", "n_test", "n_reference", "kept_test", "kept_reference", "p"),
]
EVERY = "(all)"  # instead of a population, for what is missing from every one


def test_expression(
    pseudobulk: AnnData,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
    exclude: Sequence[str],
    engine: str,
    threads: int,
) -> pd.DataFrame:
    """Test every gene in every population.

    Parameters
    ----------
    pseudobulk
        `obs` with `sample`, `population`, `n_cells`; `var` with `symbol`; sums of raw counts in
        `X`. A patient's replicates are summed before anything else.
    samples
        The sample table.
    min_cells
        Pseudobulks of fewer cells are left out (see `excluded_pseudobulks`).
    exclude
        Regular expressions of whole symbols or gene ids, any case: genes that are not tested,
        and count neither in the filter nor in the library sizes.
    engine
        One of `engines.ENGINES`.
    threads
        Populations that are tested at a time; it changes no result.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, by population and p; `log2fc` with a 95 % interval, `fdr` within
        the population. A population that cannot be tested has one row without a gene, with the
        `status` of `models.population_model`; a gene without a p has that of its engine.
    """
    sides = comparison_sides(samples, contrast)
    sums = plain_pseudobulks(pseudobulk, exclude=exclude)

    def test_population(population: str) -> pd.DataFrame:
        # limma keeps patients with one phase, as blocks; PyDESeq2 has no blocks.
        model = population_model(
            sums,
            population,
            sides,
            contrast,
            min_cells=min_cells,
            within_patients=engine != "limma_voom",
        )
        if isinstance(model, Untested):
            table = pd.DataFrame([{"gene": "", "symbol": "", "status": model.status}])
        else:
            table = ENGINES[engine](model).assign(gene=model.genes, symbol=model.symbols)
            table["fdr"] = benjamini_hochberg(table["p"])
            table = table.sort_values(["p", "gene"], kind="stable")
        table = table.assign(
            cell_type=population, n_test=model.n_test, n_reference=model.n_reference
        )
        return table.reindex(columns=COLUMNS)

    # PyDESeq2's warnings are caught by a filter that all threads share
    with ThreadPoolExecutor(threads if engine == "limma_voom" else 1) as pool:
        return _stacked(list(pool.map(test_population, sums.populations)), COLUMNS)


test_expression.__test__ = False  # type: ignore[attr-defined]  # the name is no test of pytest


def excluded_pseudobulks(
    pseudobulk: AnnData, samples: pd.DataFrame, contrast: Contrast, *, min_cells: int
) -> pd.DataFrame:
    """Patients' pseudobulks that a contrast leaves out, by arm: missingness may differ by arm.

    Returns
    -------
    DataFrame
        The columns `EXCLUDED_COLUMNS`. Samples without a value of a covariate are missing from
        every population: their `cell_type` is `(all)` and they have no `n_cells`.
    """
    sides = comparison_sides(samples, contrast)
    sums = plain_pseudobulks(pseudobulk)
    tables = [_without_covariate(samples, contrast)]
    for population in sums.populations:
        kept = kept_sides(sums.obs, population, sides, contrast, min_cells=min_cells)
        lost = kept[kept["reason"] != ""].assign(cell_type=population)
        tables.append(lost.assign(samples=lost["samples"].map(",".join))[EXCLUDED_COLUMNS])
    return _stacked(tables, EXCLUDED_COLUMNS)


def missingness(
    pseudobulk: AnnData, samples: pd.DataFrame, contrast: Contrast, *, min_cells: int
) -> pd.DataFrame:
    """How many patients each population keeps, by arm, and whether the arms lose alike.

    A population that is too small in one arm only (non-responders without B cells, say) is
    compared among the patients who happen to have it.

    Returns
    -------
    DataFrame
        The columns `MISSING_COLUMNS`: a row `(all)` for samples without a value of a covariate,
        where the contrast has any, then the populations. `n_test` and `n_reference` are the
        patients of the arms that could be compared (for a change those with both phases; for
        pairs the pairs), `kept_test` and `kept_reference` those of them with enough cells. `p` is
        of Fisher's exact test of kept against lost; for pairs, whose sides are of the same
        patients, of McNemar's exact test.
    """
    sides = comparison_sides(samples, contrast)
    sums = plain_pseudobulks(pseudobulk)
    rows = []
    if contrast.adjust:
        lost = _without_covariate(samples, contrast).assign(kept=False)
        every = pd.concat([sides.assign(kept=True), lost], ignore_index=True)
        rows.append({"cell_type": EVERY, **_kept_by_arm(every, contrast)})
    for population in sums.populations:
        kept = kept_sides(sums.obs, population, sides, contrast, min_cells=min_cells)
        kept = kept.assign(kept=kept["n_cells"] >= min_cells)
        rows.append({"cell_type": population, **_kept_by_arm(kept, contrast)})
    return pd.DataFrame(rows, columns=MISSING_COLUMNS)


def _without_covariate(samples: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """The samples that would be compared if they had a value of each covariate."""
    selection = select_samples(samples, contrast)
    reasons = [f"{column} is missing" for column in contrast.adjust]
    lost = selection[(selection["use"] == UNUSED) & selection["reason"].isin(reasons)]
    lost = lost.rename(columns={"sample": "samples"})
    return lost.assign(cell_type=EVERY, n_cells=np.nan)[EXCLUDED_COLUMNS]


def _kept_by_arm(sides: pd.DataFrame, contrast: Contrast) -> dict[str, float]:
    """Patients and kept patients of each arm, and the p of their difference."""
    if contrast.kind == "paired":
        return _kept_by_side(sides)
    patients = sides.groupby("patient").agg(
        arm=("arm", "first"), n_sides=("side", "nunique"), kept=("kept", "all")
    )
    if contrast.kind == "change":
        patients = patients[patients["n_sides"] == 2]
    n, kept = (
        [int((part["arm"] == arm).sum()) for arm in ("test", "reference")]
        for part in (patients, patients[patients["kept"]])
    )
    lost = [all_ - some for all_, some in zip(n, kept, strict=True)]
    p = stats.fisher_exact([kept, lost]).pvalue if min(n) else np.nan
    return _row(n, kept, float(p))


def _kept_by_side(sides: pd.DataFrame) -> dict[str, float]:
    """The same for pairs: whether one side is lost more often than the other."""
    kept = sides.pivot(index="patient", columns="side", values="kept")
    kept = kept.reindex(columns=["test", "reference"], fill_value=False)
    n_test_only = int((kept["test"] & ~kept["reference"]).sum())
    n_one_only = n_test_only + int((kept["reference"] & ~kept["test"]).sum())
    p = stats.binomtest(n_test_only, n_one_only).pvalue if n_one_only else 1.0
    sizes = [int(kept[side].sum()) for side in ("test", "reference")]
    return _row([len(kept), len(kept)], sizes, float(p) if len(kept) else np.nan)


def _row(n: Sequence[int], kept: Sequence[int], p: float) -> dict[str, float]:
    return dict(zip(MISSING_COLUMNS[1:], (*n, *kept, p), strict=True))


def _stacked(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(tables, ignore_index=True)
