"""Differential expression of pseudobulks, with the patient as the unit."""

from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from lammscope.cohort.comparison import Comparison
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.expression.genes import COLUMNS
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.missing import excluded_pseudobulks, missingness
from lammscope.stats.multiplicity import benjamini_hochberg
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, make_pseudobulk, shifted

SETTINGS: dict[str, Any] = {
    "min_cells": 10,
    "exclude": ["^(XIST|GENE0[0-2])$"],
    "max_ambient_share": 0.25,
    **LIMMA,
}


def planted(table: pd.DataFrame, population: str = "LAMM") -> pd.DataFrame:
    part = table[table["cell_type"] == population]
    return part[part["gene"].isin([f"ENSG{i:05d}" for i in range(N_PLANTED)])]


@pytest.mark.parametrize(
    ("entry", "who"),
    [
        (BASELINE, {"response": "non_responder"}),
        ({**BASELINE, "adjust": ["product"]}, {"response": "non_responder"}),
        (PAIRED, {"phase": "post"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
def test_planted_genes_are_found_and_others_are_calibrated(
    entry: dict[str, Any], who: dict[str, str]
) -> None:
    samples = make_samples(8)
    data = make_pseudobulk(samples, shifted(samples, 1.4, **who))
    table = run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS)
    assert list(table.columns) == COLUMNS
    assert set(table["status"]) == {"ok"}
    found = planted(table)
    assert (found["log2fc"] > 0).all()
    assert (found["fdr"] < 0.05).mean() > 0.7
    truth = 1.4 / np.log(2)
    covered = (found["ci_low"] < truth) & (truth < found["ci_high"])
    assert covered.mean() > 0.8
    null = table.loc[table["cell_type"] == "NK", "p"]
    low, high = stats.binom.ppf([0.0005, 0.9995], len(null), 0.05) / len(null)
    assert low <= (null < 0.05).mean() <= high


def test_excluded_genes_are_not_tested() -> None:
    samples = make_samples()
    data = make_pseudobulk(samples)
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS)
    assert not table["symbol"].isin(["GENE00", "GENE01", "GENE02"]).any()
    assert table["symbol"].eq("GENE03").any()
    car = run_test(
        data,
        Comparison(samples, asked(BASELINE, samples)),
        min_cells=10,
        exclude=["gene03|GENE04", "GENE"],
        max_ambient_share=0.25,
        **LIMMA,
    )
    assert not car["symbol"].isin(["GENE03", "GENE04"]).any()
    assert car["symbol"].eq("GENE05").any()  # a pattern names whole symbols


def test_excluded_genes_count_neither_in_library_sizes_nor_in_the_filter() -> None:
    samples = make_samples()
    data = make_pseudobulk(samples)
    loud = data.copy()
    counts = loud.X.toarray()
    counts[::3, 0] = 10**6  # a transgene that fills some libraries
    loud.X = sparse.csr_matrix(counts)
    contrast = asked(BASELINE, samples)
    table = run_test(
        loud,
        Comparison(samples, contrast),
        min_cells=10,
        exclude=["GENE00"],
        max_ambient_share=0.25,
        **LIMMA,
    )
    pd.testing.assert_frame_equal(
        table,
        run_test(
            data[:, 1:].copy(),
            Comparison(samples, contrast),
            min_cells=10,
            exclude=[],
            max_ambient_share=0.25,
            **LIMMA,
        ),
    )


def test_replicates_are_summed_before_the_test() -> None:
    samples = make_samples()
    whole: Any = make_pseudobulk(samples)
    twin = samples[samples["sample"] == "r1_pre"].assign(sample="r1_pre_b")
    rng = np.random.default_rng(2)
    counts = whole.X.toarray()
    rows = np.flatnonzero(whole.obs["sample"] == "r1_pre")
    half = rng.binomial(counts[rows], 0.4)
    extra = whole.obs.iloc[rows].assign(sample="r1_pre_b", n_cells=4)
    extra.index = extra.index + "_b"
    counts[rows] -= half
    split = anndata.AnnData(
        sparse.csr_matrix(np.vstack([counts, half])),
        obs=pd.concat([whole.obs, extra]),
        var=whole.var,
    )
    both = pd.concat([samples, twin], ignore_index=True)
    one = run_test(whole, Comparison(samples, asked(BASELINE, samples)), **SETTINGS)
    pd.testing.assert_frame_equal(
        one, run_test(split, Comparison(both, asked(BASELINE, both)), **SETTINGS)
    )


def test_order_of_samples_changes_nothing() -> None:
    samples = make_samples()
    data = make_pseudobulk(samples)
    order = np.random.default_rng(1).permutation(data.n_obs)
    for entry in (BASELINE, CHANGE):
        one = run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS)
        shuffled = samples.sample(frac=1, random_state=1)
        other = run_test(
            data[order].copy(), Comparison(shuffled, asked(entry, samples)), **SETTINGS
        )
        pd.testing.assert_frame_equal(one, other)


def test_t_cells_that_may_be_car_t_cells_are_not_tested() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples)
    data.obs["population"] = data.obs["population"].astype(str).replace("NK", UNKNOWN_CAR_T)
    cohort = data, Comparison(samples, asked(BASELINE, samples))
    assert set(run_test(*cohort, **SETTINGS)["cell_type"]) == {"LAMM"}
    assert set(missingness(*cohort, min_cells=10)["cell_type"]) == {"LAMM"}


def test_small_pseudobulks_are_left_out_and_listed_by_arm() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples)
    small = data.obs["sample"].isin(["n1_pre", "n2_pre"]) & (data.obs["population"] == "LAMM")
    data.obs.loc[small, "n_cells"] = 3
    contrast = asked(BASELINE, samples)
    table = run_test(data, Comparison(samples, contrast), **SETTINGS)
    lamm = table[table["cell_type"] == "LAMM"]
    assert lamm["status"].tolist() == ["too_few_patients"]
    assert (lamm["n_test"].item(), lamm["n_reference"].item()) == (2, 4)
    assert np.isnan(lamm["p"].item())
    assert set(table.loc[table["cell_type"] == "NK", "status"]) == {"ok"}
    lost = excluded_pseudobulks(data, Comparison(samples, contrast), min_cells=10)
    assert lost[["cell_type", "patient", "arm"]].to_numpy().tolist() == [
        ["LAMM", "n1", "test"],
        ["LAMM", "n2", "test"],
    ]
    pairs = excluded_pseudobulks(data, Comparison(samples, asked(PAIRED, samples)), min_cells=10)
    assert (pairs["reason"] == "partner is missing").sum() == 2


def test_change_uses_patients_with_one_phase_but_counts_complete_ones() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, shifted(samples, 1.4, response="non_responder", phase="post"))
    missing = ["n0_pre", "r1_post"]
    kept = samples[~samples["sample"].isin(missing)]
    part = data[~data.obs["sample"].isin(missing)].copy()
    table = run_test(part, Comparison(kept, asked(CHANGE, kept)), **SETTINGS)
    assert (set(table["n_test"]), set(table["n_reference"])) == ({4}, {4})
    assert (planted(table)["log2fc"] > 0).all()


def test_aliased_designs_and_empty_populations_have_a_status() -> None:
    samples = make_samples().assign(site=lambda t: t["response"].str[0])
    data = make_pseudobulk(samples)
    table = run_test(
        data, Comparison(samples, asked({**BASELINE, "adjust": ["site"]}, samples)), **SETTINGS
    )
    assert set(table["status"]) == {"aliased"}
    empty = data.copy()
    empty.X = sparse.csr_matrix((empty.X.toarray() > 1000).astype(int))
    table = run_test(empty, Comparison(samples, asked(BASELINE, samples)), **SETTINGS)
    assert set(table["status"]) == {"no_genes"}
    assert table["gene"].tolist() == ["", ""]


def without(data: anndata.AnnData, names: list[str], population: str = "LAMM") -> anndata.AnnData:
    """Copy the pseudobulks; those of a population and of these samples have too few cells."""
    data = data.copy()
    small = data.obs["sample"].isin(names) & (data.obs["population"] == population)
    data.obs.loc[small, "n_cells"] = 3
    return data


def test_missingness_that_differs_between_arms_shows() -> None:
    samples = make_samples(6)
    lost = [f"n{i}_pre" for i in range(5)]
    data = without(make_pseudobulk(samples, n_genes=20), lost)
    for entry in (BASELINE, CHANGE):
        table = missingness(data, Comparison(samples, asked(entry, samples)), min_cells=10)
        table = table.set_index("cell_type")
        assert table.loc["LAMM"].tolist()[:4] == [6, 6, 1, 6]
        expected = stats.fisher_exact([[1, 6], [5, 0]]).pvalue
        assert table.loc["LAMM", "p"] == pytest.approx(expected)
        assert table.loc["NK"].tolist() == [6, 6, 6, 6, 1.0]


def test_missingness_of_pairs_compares_the_sides_of_the_same_patients() -> None:
    samples = make_samples(6)
    lost = [*(f"n{i}_post" for i in range(5)), "r1_post", "r1_pre", "r2_pre"]
    data = without(make_pseudobulk(samples, n_genes=20), lost)
    table = missingness(data, Comparison(samples, asked(PAIRED, samples)), min_cells=10).set_index(
        "cell_type"
    )
    assert table.loc["LAMM"].tolist()[:4] == [12, 12, 6, 10]
    assert table.loc["LAMM", "p"] == pytest.approx(stats.binomtest(1, 6).pvalue)
    assert table.loc["NK"].tolist() == [12, 12, 12, 12, 1.0]


def test_missingness_of_an_arm_without_patients_has_no_p() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, n_genes=20)
    alone = samples[samples["response"] == "responder"]
    contrast = asked(BASELINE, samples)
    table = missingness(data, Comparison(alone, contrast), min_cells=10)
    assert table["n_test"].tolist() == [0, 0]
    assert table["p"].isna().all()


def test_fdr_is_over_the_p_values_there_are() -> None:
    p = pd.Series([0.01, np.nan, 0.02, 0.5], index=list("abcd"))
    expected = stats.false_discovery_control([0.01, 0.02, 0.5])
    assert pd.Series(benjamini_hochberg(p), p.index).dropna().to_dict() == dict(
        zip("acd", expected, strict=True)
    )
    assert np.isnan(benjamini_hochberg(pd.Series([np.nan]))).all()
