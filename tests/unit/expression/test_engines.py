"""PyDESeq2 as the engine of the expression test, compared with limma."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.config import read_schema
from lammscope.expression.engines import ENGINES
from lammscope.expression.genes import COLUMNS
from lammscope.expression.genes import test_expression as run_test
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, PYDESEQ2, make_pseudobulk, shifted

LAMM: dict[str, Any] = {"populations": ("LAMM",), "n_genes": 120}
SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ({**BASELINE, "adjust": ["product"]}, {"response": "non_responder"}),
        (PAIRED, {"phase": "post"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
def test_both_engines_test_the_same_genes_and_agree_on_the_change(
    entry: dict[str, Any], who: dict[str, str]
) -> None:
    samples = make_samples(6)
    data = make_pseudobulk(samples, shifted(samples, 1.4, **who), **LAMM)
    limma, deseq = (
        run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS, **engine)
        .set_index("gene")
        .sort_index()
        for engine in (LIMMA, PYDESEQ2)
    )
    assert deseq.reset_index().reindex(columns=COLUMNS).columns.tolist() == COLUMNS
    assert deseq.index.equals(limma.index)
    np.testing.assert_allclose(deseq["mean_expression"], limma["mean_expression"], atol=0.05)
    tested = deseq["status"] == "ok"
    assert tested.mean() > 0.95
    assert np.corrcoef(deseq.loc[tested, "log2fc"], limma.loc[tested, "log2fc"])[0, 1] > 0.95
    assert np.isinf(deseq.loc[tested, "df"]).all()
    assert (deseq["ci_low"] < deseq["log2fc"])[tested].all()
    planted = deseq[deseq.index.isin([f"ENSG{i:05d}" for i in range(N_PLANTED)])]
    assert (planted["fdr"] < 0.05).mean() > 0.7
    assert (planted["log2fc"] > 0).all()


def test_a_change_is_that_of_complete_patients() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, **LAMM)
    lonely = samples["sample"].isin(["n0_pre", "r1_post"])
    left = samples[~samples["patient"].isin(["n0", "r1"])]
    tables = [
        run_test(
            data[data.obs["sample"].isin(part["sample"])].copy(),
            Comparison(part, asked(CHANGE, part)),
            **SETTINGS,
            **PYDESEQ2,
        )
        .set_index("gene")
        .sort_index()
        for part in (samples[~lonely], left)
    ]
    both = tables[0].index.intersection(tables[1].index)
    assert len(both) > 90
    np.testing.assert_allclose(*(table.loc[both, "n_test"] for table in tables))
    fold = [table.loc[both, "log2fc"] for table in tables]
    np.testing.assert_allclose(*fold, atol=0.05)  # the genes that share the trend differ a little


def test_an_outlier_leaves_a_gene_without_p_and_is_named() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **LAMM)
    counts = data.X.toarray()
    at = np.flatnonzero((samples["sample"] == "n1_pre").to_numpy())[0]
    best = counts.sum(axis=0).argmax()
    counts[at, best] = 400 * counts[:, best].max()
    data.X = sparse.csr_matrix(counts)
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS, **PYDESEQ2)
    gene = table.set_index("gene").loc[data.var_names[best]]
    assert gene["status"] == "outlier"
    assert np.isfinite(gene["log2fc"])
    assert np.isnan(gene["p"])
    assert np.isnan(gene["fdr"])
    others = table[table["status"] == "ok"]
    assert len(others) > 60
    assert others["fdr"].notna().all()


def test_counts_below_poisson_variance_have_no_dispersion_to_test_with() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **LAMM)
    rng = np.random.default_rng(0)
    level = rng.poisson(50, data.n_vars)
    data.X = sparse.csr_matrix(level + rng.integers(0, 2, data.shape))
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS, **PYDESEQ2)
    assert set(table["status"]) == {"not_converged"}
    assert table[["log2fc", "p", "fdr"]].isna().all(axis=None)


def test_genes_with_a_zero_each_still_have_size_factors() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **LAMM)
    counts = data.X.toarray()
    pre = np.flatnonzero(samples["phase"] == "pre")
    counts[pre[np.arange(data.n_vars) % len(pre)], np.arange(data.n_vars)] = 0
    data.X = sparse.csr_matrix(counts)
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS, **PYDESEQ2)
    assert (table["status"] == "ok").mean() > 0.9
    assert (table["p"] < 0.01).mean() < 0.1


def test_the_engine_prints_nothing_and_is_deterministic(capfd: pytest.CaptureFixture[str]) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, populations=("LAMM",), n_genes=60)
    one, other = (
        run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS, **PYDESEQ2)
        for _ in range(2)
    )
    assert one.equals(other)
    assert capfd.readouterr() == ("", "")


def test_limma_runs_do_not_load_pydeseq2() -> None:
    code = "import sys, lammscope.expression; sys.exit('pydeseq2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_config_allows_each_engine_and_no_other() -> None:
    engine = read_schema("config")["properties"]["expression"]["properties"]["engine"]
    assert engine["enum"] == list(ENGINES)
