"""Cohorts that can hardly be tested: a status, and never a p from nothing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet
from lammscope.expression.gene_sets import test_gene_sets as run_sets
from lammscope.expression.genes import test_expression as run_genes
from tests.unit.abundance.questions import run_abundance
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import make_pseudobulk

PERMUTATIONS = Permutations(max_exact=2000, n_draws=500, seed=1)
GENES: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
TREND = {"kind": "trend", "column": "grade", "where": {"phase": "pre"}}
NUMBERS = ("estimate", "se", "ci_low", "ci_high", "t", "df", "p", "p_permutation", "fdr")


def numbers_agree(table: pd.DataFrame) -> bool:
    """Return whether rows that were not tested have no numbers, and tested ones have them."""
    ok = table["status"] == "ok"
    named = [name for name in NUMBERS if name in table]
    return bool(table.loc[~ok, named].isna().all(axis=None) and table.loc[ok, "p"].notna().all())


def test_a_population_of_one_patient_is_no_difference_between_the_arms() -> None:
    samples = make_samples(4)
    counts = make_counts(samples)
    counts.loc[counts["population"].eq("NK") & (counts["sample"] != "n0_pre"), "n_cells"] = 0
    table = run_abundance(counts, samples, asked(BASELINE, samples), **SETTINGS)
    assert numbers_agree(table)
    rows = table[(table["population"] == "NK") & (table["scale"] == "logit")]
    tested = rows[rows["status"] == "ok"]
    assert len(tested)
    assert (tested["p"] > 0.2).all()


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
@pytest.mark.parametrize("n_odd", [0, 1])
def test_covariates_with_one_value_in_an_arm(entry: dict[str, Any], n_odd: int) -> None:
    samples = make_samples(5)
    odd = {f"r{i}" for i in range(n_odd)} | {f"n{i}" for i in range(5)}
    samples["product"] = np.where(samples["patient"].isin(odd), "tisa", "axi")
    contrast = asked({**entry, "adjust": ["product"]}, samples)
    table = run_abundance(make_counts(samples), samples, contrast, **SETTINGS)
    genes = run_genes(
        make_pseudobulk(samples),
        Comparison(samples, contrast),
        engine="limma_voom",
        threads=1,
        permutations=PERMUTATIONS,
        **GENES,
    )
    assert numbers_agree(table)
    if n_odd == 0:  # the covariate is the arm
        assert set(table["status"]) <= {"aliased", "sorted_out", "no_cells"}
        assert set(genes["status"]) == {"aliased"}
        assert set(genes["verdict"]) == {"not testable"}
    else:
        tested = table[table["status"] == "ok"]
        assert len(tested)
        assert (tested["df"] < 8).all()  # one patient alone separates the arm from the product
        assert (genes["p"].isna() | (genes["df"] > 0)).all()


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=lambda e: e["kind"])
def test_sets_of_one_gene_and_of_all_genes_are_not_tested(entry: dict[str, Any]) -> None:
    samples = make_samples(4)
    sets = [
        GeneSet("one", "", ("GENE01",)),
        GeneSet("all", "", tuple(f"GENE{i:02d}" for i in range(600))),
        GeneSet("none", "", ("NOT_A_GENE",)),
    ]
    table = run_sets(
        make_pseudobulk(samples),
        Comparison(samples, asked(entry, samples)),
        gene_sets=sets,
        min_genes=3,
        permutations=PERMUTATIONS,
        **GENES,
    )
    assert set(table["status"]) == {"too_few_genes"}
    assert table[["p", "fdr", "p_permutation", "p_camera", "influence_p_max"]].isna().all(axis=None)
    assert set(table["verdict"]) == {"not testable"}


@pytest.mark.parametrize(
    ("grades", "status"),
    [
        ([1, 1, 1, 1, 1, 1, 1, 1], "too_few_values"),
        ([1, 1, 1, 1, 2, 2, 2, 2], "too_few_values"),  # two groups
        ([1, 1, 1, 1, 2, 2, 3, 3], "ok"),
        ([1, 1, 1, 1, 1, 1, 2, 3], "ok"),
    ],
)
def test_tied_ordered_responses(grades: list[int], status: str) -> None:
    samples = make_samples(4)
    by_patient = dict(zip(sorted(set(samples["patient"])), grades, strict=True))
    samples["grade"] = samples["patient"].map(by_patient).astype(float)
    table = run_abundance(make_counts(samples), samples, asked(TREND, samples), **SETTINGS)
    assert numbers_agree(table)
    assert (table["status"] == "ok").any() == (status == "ok")
    if status != "ok":
        assert status in set(table["status"])
    else:
        ok = table[table["status"] == "ok"]
        assert (ok["p_permutation"] >= ok["p_floor"] - 1e-12).all()


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
@pytest.mark.parametrize("n_test", [1, 2])
def test_one_or_two_patients_in_an_arm(entry: dict[str, Any], n_test: int) -> None:
    samples = make_samples(6)
    samples = samples[~samples["patient"].isin([f"n{i}" for i in range(n_test, 6)])]
    samples = samples.reset_index(drop=True)
    contrast = asked(entry, samples)
    table = run_abundance(make_counts(samples), samples, contrast, **SETTINGS)
    assert numbers_agree(table)
    assert not (table["status"] == "ok").any()
    assert "too_few_patients" in set(table["status"])
