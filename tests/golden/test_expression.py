"""Expression and gene-set tests agree with limma and DESeq2 in the cohort of `make_golden.R`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet
from lammscope.expression.gene_sets import test_gene_sets as run_sets
from lammscope.expression.genes import test_expression as run_test

ARMS = {"NR": "non_responder", "R": "responder"}
COMPARED = {"test": "non_responder", "reference": "responder"}
CONTRASTS: dict[str, dict[str, Any]] = {
    "baseline": {"kind": "between", **COMPARED, "where": {"phase": "pre"}, "adjust": ["product"]},
    "change": {"kind": "change", **COMPARED},
}
EXACT = {"rtol": 1e-6, "atol": 1e-9}


@dataclass(frozen=True)
class Cohort:
    """The reference cohort as input of the tests."""

    pseudobulk: anndata.AnnData
    samples: pd.DataFrame
    baseline: Contrast
    change: Contrast


@pytest.fixture
def cohort(golden: Callable[[str], Path]) -> Cohort:
    samples = pd.read_csv(golden("samples.csv")).assign(compartment="blood", sort="none")
    samples = samples.assign(phase=samples["timepoint"], response=samples["response"].map(ARMS))
    counts = pd.read_csv(golden("pseudobulk_counts.csv"), index_col="gene")[samples["sample"]]
    names = samples["sample"].to_numpy()
    data = anndata.AnnData(
        sparse.csr_matrix(counts.to_numpy().T),
        obs=pd.DataFrame({"sample": names, "population": "LAMM", "n_cells": 50}, index=names),
        var=pd.DataFrame({"symbol": counts.index}, index=counts.index),
    )
    return Cohort(data, samples, *contrasts_from_config(CONTRASTS, samples))


def fold_changes(cohort: Cohort, contrast: Contrast, engine: str = "limma_voom") -> pd.DataFrame:
    table = run_test(
        cohort.pseudobulk,
        Comparison(cohort.samples, contrast),
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        engine=engine,
        threads=1,
        permutations=None,
    )
    return table.set_index("gene")


def test_baseline_agrees_with_limma(golden: Callable[[str], Path], cohort: Cohort) -> None:
    expected = pd.read_csv(golden("expression_baseline_voom.csv"), index_col="feature")
    found = fold_changes(cohort, cohort.baseline)
    assert len(found) == len(expected)
    found = found.loc[expected.index]
    for column, other in {
        "log2fc": "estimate",
        "t": "t",
        "df": "df",
        "p": "p",
        "fdr": "fdr",
    }.items():
        np.testing.assert_allclose(found[column], expected[other], **EXACT, err_msg=column)


def test_change_agrees_with_limma(golden: Callable[[str], Path], cohort: Cohort) -> None:
    expected = pd.read_csv(golden("expression_change_voom.csv"), index_col="feature")
    found = fold_changes(cohort, cohort.change)
    assert len(found) == len(expected)
    found = found.loc[expected.index]
    np.testing.assert_allclose(found["log2fc"], expected["estimate"], rtol=1e-4, atol=1e-6)
    # the change is a coefficient here, with exact standard error; in limma it is a contrast
    assert np.median(np.abs(found["t"] / expected["t"] - 1)) < 1e-3
    np.testing.assert_allclose(found["t"], expected["t"], rtol=0.1, atol=1e-3)


def test_gene_sets_agree_with_limma(golden: Callable[[str], Path], cohort: Cohort) -> None:
    names = [f"GENE{i:04d}" for i in range(1, 101)]
    random = golden("enrichment_random_set.txt").read_text().split()
    sets = {"planted_up": names[::2], "planted_down": names[1::2], "random": random}
    table = run_sets(
        cohort.pseudobulk,
        Comparison(cohort.samples, cohort.baseline),
        gene_sets=[GeneSet(name, "", tuple(genes)) for name, genes in sets.items()],
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        min_genes=3,
        permutations=Permutations(max_exact=1000, n_draws=1000, seed=1),
    ).set_index("gene_set")
    expected = pd.read_csv(golden("enrichment_baseline_camera.csv"), index_col="set")
    found = table.loc[expected.index]
    assert found["n_genes"].tolist() == expected["NGenes"].tolist()
    np.testing.assert_allclose(found["p_camera"], expected["PValue"], **EXACT)
    planted = ["planted_up", "planted_down"]
    directions = expected["Direction"].str.lower()
    assert found.loc[planted, "direction"].tolist() == directions[planted].tolist()
    assert found.loc[planted, "fdr"].max() < 0.01 < found.loc["random", "fdr"]


@pytest.mark.slow
def test_baseline_agrees_with_deseq2(golden: Callable[[str], Path], cohort: Cohort) -> None:
    expected = pd.read_csv(golden("expression_baseline_deseq2.csv"), index_col="gene")
    found = fold_changes(cohort, cohort.baseline, engine="pydeseq2")
    assert len(found) == len(expected)
    found = found.loc[expected.index]
    common = expected["baseMean"] > 10
    fold, reference = found.loc[common, "log2fc"], expected.loc[common, "log2FoldChange"]
    np.testing.assert_allclose(fold, reference, rtol=0, atol=1e-2)
    wald, reference = found.loc[common, "t"], expected.loc[common, "stat"]
    np.testing.assert_allclose(wald, reference, rtol=2e-2, atol=2e-2)
    assert (found["p"].isna() == expected["pvalue"].isna()).all()  # outliers by Cook's distance
