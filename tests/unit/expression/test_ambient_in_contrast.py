"""Genes of a comparison that ambient RNA may explain."""

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet
from lammscope.expression.gene_sets import test_gene_sets as run_sets
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.pseudobulk import AMBIENT, IS_LIMIT
from lammscope.stats.multiplicity import benjamini_hochberg
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, PYDESEQ2, make_pseudobulk

PERMUTATIONS = Permutations(max_exact=100, n_draws=100, seed=1)
SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
N_LACKED = 10  # genes of which NK cells have ambient RNA only
OWN_BACKGROUND = 0.05  # share of ambient RNA in the other genes


def with_ambient(
    samples: pd.DataFrame, soup: np.ndarray, *, own: np.ndarray | float = 0.0, n_genes: int = 200
) -> anndata.AnnData:
    """Make NK cells whose first genes have counts of ambient RNA, and some of their own.

    `soup` and `own` have the expected counts per sample.
    """
    data = make_pseudobulk(samples, populations=("NK",), n_genes=n_genes, seed=3)
    counts = data.X.toarray()
    ambient = OWN_BACKGROUND * counts
    rng = np.random.default_rng(4)
    expected = np.repeat(np.asarray(soup, dtype=float)[:, None], N_LACKED, axis=1)
    of_cells = rng.poisson(np.broadcast_to(own, len(samples))[:, None], expected.shape)
    counts[:, :N_LACKED] = rng.poisson(expected) + of_cells
    ambient[:, :N_LACKED] = np.minimum(expected, counts[:, :N_LACKED])
    data.X = sparse.csr_matrix(counts)
    data.layers[AMBIENT] = sparse.csr_matrix(ambient)
    data.obs[IS_LIMIT] = False
    return data


def genes_of(
    data: anndata.AnnData, samples: pd.DataFrame, entry: dict[str, Any], **changed: Any
) -> pd.DataFrame:
    comparison = Comparison(samples, asked(entry, samples))
    return run_test(data, comparison, **{**SETTINGS, **LIMMA, **changed})


def lacked(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["gene"].isin([f"ENSG{i:05d}" for i in range(N_LACKED)])]


def where(samples: pd.DataFrame, **values: str) -> np.ndarray:
    return np.all([samples[column] == value for column, value in values.items()], axis=0)


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        (BASELINE, {"response": "non_responder"}),
        (PAIRED, {"phase": "pre"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
@pytest.mark.parametrize("engine", [LIMMA, PYDESEQ2])
def test_genes_of_ambient_rna_are_marked_and_keep_their_estimate(
    entry: dict[str, Any], who: dict[str, str], engine: dict[str, Any]
) -> None:
    samples = make_samples(6)
    data = with_ambient(samples, np.where(where(samples, **who), 240.0, 40.0))
    unmarked = genes_of(data, samples, entry, max_ambient_share=1.0, **engine)
    assert (lacked(unmarked)["fdr"] < 0.01).all()
    table = genes_of(data, samples, entry, **engine)
    false = lacked(table)
    assert false["ambient"].all()
    assert (false["ambient_share"] > 0.8).all()
    assert false["fdr"].isna().all()
    assert false[["log2fc", "p"]].notna().all(axis=None)
    assert table["ambient"].tolist() == [False] * (len(table) - N_LACKED) + [True] * N_LACKED
    others = table[~table["ambient"]]
    np.testing.assert_allclose(others["fdr"], benjamini_hochberg(others["p"]))
    assert others["p"].is_monotonic_increasing
    np.testing.assert_allclose(others["ambient_share"], OWN_BACKGROUND, atol=1e-4)
    both = unmarked.set_index("gene").loc[table["gene"], "log2fc"]
    np.testing.assert_allclose(table["log2fc"], both)  # marks change no estimate


def test_the_share_is_that_of_the_side_where_the_gene_is_higher() -> None:
    """HLA-DRA of T cells rises after infusion, when the B cells that fed ambient RNA are gone."""
    samples = make_samples(6)
    post = where(samples, phase="post")
    data = with_ambient(samples, np.where(post, 2.0, 90.0), own=np.where(post, 400.0, 10.0))
    rising = lacked(genes_of(data, samples, PAIRED))
    assert (rising["log2fc"] > 1).all()
    assert not rising["ambient"].any()
    assert (rising["ambient_share"] < 0.02).all()
    assert (rising["fdr"] < 0.01).all()
    falling = lacked(genes_of(data, samples, {**PAIRED, "test": "pre", "reference": "post"}))
    pd.testing.assert_series_equal(
        falling.set_index("gene")["ambient_share"].sort_index(),
        rising.set_index("gene")["ambient_share"].sort_index(),
    )


@pytest.mark.parametrize("raised", [("non_responder", "post"), ("responder", "pre")])
def test_both_groups_that_raise_a_change_count(raised: tuple[str, str]) -> None:
    samples = make_samples(6)
    arm, phase = raised
    soup = np.where(where(samples, response=arm, phase=phase), 300.0, 2.0)
    table = lacked(genes_of(with_ambient(samples, soup, own=60.0), samples, CHANGE))
    assert (table["log2fc"] > 0).all()
    assert table["ambient"].all()
    own = np.where(where(samples, response=arm, phase=phase), 300.0, 60.0)
    data = with_ambient(samples, np.full(len(samples), 2.0), own=own)
    assert not lacked(genes_of(data, samples, CHANGE))["ambient"].any()


def test_each_patient_has_the_same_weight() -> None:
    samples = make_samples(4)
    data = with_ambient(samples, np.full(len(samples), 100.0), own=100.0)
    share = lacked(genes_of(data, samples, BASELINE))["ambient_share"]
    deep = data.copy()
    for name in ("X", AMBIENT):
        values = (deep.X if name == "X" else deep.layers[name]).toarray()
        values[0] *= 50
        if name == "X":
            deep.X = sparse.csr_matrix(values)
        else:
            deep.layers[name] = sparse.csr_matrix(values)
    same = lacked(genes_of(deep, samples, BASELINE))["ambient_share"]
    np.testing.assert_allclose(sorted(share), sorted(same), atol=2e-3)


@pytest.mark.parametrize("whole", [0.1, 0.3, 0.45])
def test_genes_of_all_cells_are_not_marked_in_contaminated_libraries(whole: float) -> None:
    """Their share is that of the whole, which the library sizes take out."""
    samples = make_samples(6)
    data = with_ambient(samples, np.full(len(samples), 100.0))
    ambient = data.layers[AMBIENT].toarray()
    ambient[:, N_LACKED:] *= whole / OWN_BACKGROUND
    data.layers[AMBIENT] = sparse.csr_matrix(ambient)
    table = genes_of(data, samples, BASELINE)
    assert lacked(table)["ambient"].all()
    others = table[~table["gene"].isin(lacked(table)["gene"])]
    np.testing.assert_allclose(others["ambient_share"], whole, atol=1e-3)
    assert not others["ambient"].any()


def test_samples_without_an_estimate_do_not_count() -> None:
    samples = make_samples(6)
    data = with_ambient(samples, np.where(where(samples, response="non_responder"), 240.0, 40.0))
    known = genes_of(data, samples, BASELINE)
    first = (data.obs["sample"] == "n0_pre").to_numpy()
    limits = data.copy()
    limits.obs[IS_LIMIT] = first
    limits.layers[AMBIENT] = sparse.csr_matrix(
        np.where(first[:, None], data.X.toarray(), data.layers[AMBIENT].toarray())
    )
    some = genes_of(limits, samples, BASELINE)
    assert not some["ambient_is_limit"].any()
    assert set(some.loc[some["ambient"], "gene"]) == set(known.loc[known["ambient"], "gene"])
    limits.obs[IS_LIMIT] = where(samples, response="non_responder")
    limits.layers[AMBIENT] = data.X.copy()
    none = genes_of(limits, samples, BASELINE)
    up = none["log2fc"] > 0
    assert (none["ambient_is_limit"] == up).all()
    assert not none.loc[up, "ambient"].any()
    np.testing.assert_allclose(none.loc[up, "ambient_share"], 1)
    assert none.loc[up, "fdr"].notna().all()


def test_without_expected_ambient_counts_nothing_is_marked() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, populations=("NK",), n_genes=60)
    table = genes_of(data, samples, BASELINE)
    assert table["ambient_share"].isna().all()
    assert not table[["ambient", "ambient_is_limit"]].any(axis=None)


def test_untested_populations_are_not_marked() -> None:
    samples = make_samples(2)
    data = with_ambient(samples, np.full(len(samples), 100.0))
    table = genes_of(data, samples, BASELINE)
    assert table["status"].tolist() == ["too_few_patients"]
    assert table["ambient"].tolist() == [False]


def test_sets_leave_genes_of_ambient_rna_out() -> None:
    samples = make_samples(6)
    data = with_ambient(samples, np.where(where(samples, response="non_responder"), 240.0, 40.0))
    names = tuple(f"GENE{i:02d}" for i in range(20))
    comparison = Comparison(samples, asked(BASELINE, samples))
    sets = [GeneSet("myeloid", "", names[:N_LACKED]), GeneSet("mixed", "", names)]
    found: Any
    kept: Any
    found, kept = (
        run_sets(
            data,
            comparison,
            gene_sets=sets,
            min_genes=3,
            permutations=PERMUTATIONS,
            **{**SETTINGS, "max_ambient_share": share},
        ).set_index("gene_set")
        for share in (1.0, 0.25)
    )
    assert found.loc["myeloid", "p"] < 0.01
    assert kept.loc["myeloid", "status"] == "too_few_genes"
    assert found.loc["mixed", "n_genes"] - kept.loc["mixed", "n_genes"] == N_LACKED
    assert kept.loc["mixed", "n_missing"] - found.loc["mixed", "n_missing"] == N_LACKED
    assert kept.loc["mixed", "p"] > 0.01


def test_sets_of_a_population_of_ambient_rna_alone_are_not_tested() -> None:
    samples = make_samples(6)
    data = with_ambient(samples, np.full(len(samples), 100.0), n_genes=60)
    data.layers[AMBIENT] = data.X.copy()
    comparison = Comparison(samples, asked(BASELINE, samples))
    sets = [GeneSet("some", "", tuple(f"GENE{i:02d}" for i in range(20)))]
    table = run_sets(
        data, comparison, gene_sets=sets, min_genes=3, permutations=PERMUTATIONS, **SETTINGS
    )
    assert table["status"].tolist() == ["no_genes"]
    assert genes_of(data, samples, BASELINE)["fdr"].isna().all()
