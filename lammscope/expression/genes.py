"""Differential expression of genes within populations."""

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from anndata import AnnData

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import NOT_TESTABLE
from lammscope.expression.ambient_in_contrast import COLUMNS as AMBIENT_COLUMNS
from lammscope.expression.ambient_in_contrast import mark_ambient
from lammscope.expression.engines import BY_ARM, ENGINES, LIMMA, limma_fit
from lammscope.expression.models import (
    Model,
    Untested,
    plain_pseudobulks,
    population_model,
    stacked,
)
from lammscope.expression.spread import spread_note
from lammscope.expression.support import COLUMNS as SUPPORT
from lammscope.expression.support import EVIDENCE, NO_EVIDENCE, gene_support, judge
from lammscope.stats.multiplicity import benjamini_hochberg

logger = logging.getLogger("lammscope")
COLUMNS = [
    *("cell_type", "gene", "symbol", "mean_expression", "log2fc", "ci_low", "ci_high", "t", "df"),
    *("p", "fdr", "n_test", "n_reference", "status"),
    *AMBIENT_COLUMNS,
    *SUPPORT,
]


def test_expression(
    pseudobulk: AnnData,
    comparison: Comparison,
    *,
    min_cells: int,
    exclude: Sequence[str],
    max_ambient_share: float,
    engine: str,
    threads: int,
    permutations: Permutations | None,
) -> pd.DataFrame:
    """Test the differential expression of every gene in every population.

    Parameters
    ----------
    pseudobulk
        `obs` with `sample`, `population`, `n_cells`; `var` with `symbol`; sums of raw counts in
        `X`. Replicates of a patient are summed first.
    comparison
        Who is compared with whom.
    min_cells
        Pseudobulks of fewer cells are left out (see `missing.excluded_pseudobulks`).
    exclude
        Regular expressions of whole symbols or gene ids, ignoring case. These genes are not tested
        and are left out of the library sizes.
    max_ambient_share
        Genes with a larger share of ambient RNA are marked (`ambient`); see
        `ambient_in_contrast.mark_ambient`. They keep their estimate and have no `fdr`.
    engine
        One of `engines.ENGINES`.
    threads
        Populations tested in parallel; the result does not depend on it.
    permutations
        For the evidence of `support.gene_support`, which genes with an FDR below 0.05 have; None
        skips it, the verdicts, and the note on arms that vary differently.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, sorted by population and p, with marked genes last; `log2fc` with a
        95 % interval, `fdr` over the genes of the population that are not marked. A population that
        cannot be tested has one row without a gene, with the `status` of `models.population_model`.
        The `status` of a gene is that of the engine; its verdict is that of `support.judge`.
    """
    sums = plain_pseudobulks(pseudobulk, exclude=exclude)

    def test_population(population: str) -> pd.DataFrame:
        model = population_model(
            sums,
            population,
            comparison,
            min_cells=min_cells,
            within_patients=engine not in LIMMA,
        )
        if isinstance(model, Untested):
            table = pd.DataFrame([{"gene": "", "symbol": "", "status": model.status}])
            table = table.assign(ambient=False, verdict=NOT_TESTABLE)
        else:
            table = ENGINES[engine](model).assign(gene=model.genes, symbol=model.symbols)
            change = table["log2fc"].to_numpy(dtype=float)
            marks = mark_ambient(model, change, max_ambient_share=max_ambient_share)
            table = pd.concat([table, marks], axis=1)
            table["fdr"] = benjamini_hochberg(table["p"].where(~table["ambient"]))
            if permutations is not None:
                if engine != BY_ARM and (note := spread_note(model, comparison.contrast)):
                    logger.info(note)
                table = _add_support(
                    table, model, comparison.contrast, permutations, by_arm=engine == BY_ARM
                )
            table = table.sort_values(["ambient", "p", "gene"], kind="stable")
        table = table.assign(
            cell_type=population, n_test=model.n_test, n_reference=model.n_reference
        )
        return table.reindex(columns=COLUMNS)

    # one thread for PyDESeq2, since its warnings are caught by a filter that all threads share
    with ThreadPoolExecutor(threads if engine in LIMMA else 1) as pool:
        return stacked(list(pool.map(test_population, sums.populations)), COLUMNS)


def _add_support(
    table: pd.DataFrame,
    model: Model,
    contrast: Contrast,
    permutations: Permutations,
    *,
    by_arm: bool,
) -> pd.DataFrame:
    """Add `support.COLUMNS` to the genes of a model, which are in its order."""
    candidates = np.flatnonzero(table["fdr"] < ALPHA)
    table = table.assign(**NO_EVIDENCE)
    if len(candidates):
        fit = limma_fit(model, by_arm=by_arm)
        found = gene_support(model, contrast, fit, candidates, permutations)
        table.loc[candidates, EVIDENCE] = found[EVIDENCE]
    return pd.concat([table, judge(table, ambient=table["ambient"].to_numpy())], axis=1)
