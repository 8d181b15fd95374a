"""What cannot be tested has a status and no p, in both engines and gene sets."""

from collections.abc import Callable
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
from lammscope.expression.missing import excluded_pseudobulks, missingness
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, PYDESEQ2, make_pseudobulk

SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
SIZE: dict[str, Any] = {"populations": ("LAMM",), "n_genes": 60}
ALL = [BASELINE, PAIRED, CHANGE]
SETS = [GeneSet("some", "here", tuple(f"GENE{i:02d}" for i in range(10, 25)))]


def limma(data: anndata.AnnData, samples: pd.DataFrame, entry: dict[str, Any]) -> pd.DataFrame:
    return run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS, **LIMMA)


def deseq(data: anndata.AnnData, samples: pd.DataFrame, entry: dict[str, Any]) -> pd.DataFrame:
    return run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS, **PYDESEQ2)


def sets(data: anndata.AnnData, samples: pd.DataFrame, entry: dict[str, Any]) -> pd.DataFrame:
    contrast = asked(entry, samples)
    return run_sets(
        data,
        Comparison(samples, contrast),
        gene_sets=SETS,
        min_genes=3,
        permutations=Permutations(max_exact=1000, n_draws=200, seed=1),
        **SETTINGS,
    )


@pytest.fixture(params=[limma, deseq, sets], ids=lambda f: f.__name__)
def tested(request: pytest.FixtureRequest) -> Callable[..., pd.DataFrame]:
    return request.param


def assert_untested(table: pd.DataFrame, status: str) -> None:
    """Check that there is one row with a status and no results."""
    assert table["status"].tolist() == [status]
    assert table[["p", "fdr"]].isna().all(axis=None)
    assert table.filter(regex="log2fc|^t$|direction|ci_").isna().all(axis=None)


@pytest.mark.parametrize("entry", ALL, ids=lambda e: e["kind"])
def test_one_patient_per_arm(tested: Callable[..., pd.DataFrame], entry: dict[str, Any]) -> None:
    samples = make_samples(1)
    table = tested(make_pseudobulk(samples, **SIZE), samples, entry)
    assert_untested(table, "too_few_patients")
    assert table["n_test"].item() == (2 if entry["kind"] == "paired" else 1)


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
def test_a_population_absent_in_one_arm(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **SIZE)
    table = tested(data[data.obs["sample"].str.startswith("r")].copy(), samples, entry)
    assert_untested(table, "too_few_patients")
    assert (table["n_test"].item(), table["n_reference"].item()) == (0, 4)


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
def test_a_covariate_that_is_the_arm(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(4).assign(site=lambda t: t["response"].str[0])
    data = make_pseudobulk(samples, **SIZE)
    assert_untested(tested(data, samples, {**entry, "adjust": ["site"]}), "aliased")


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
@pytest.mark.parametrize(("n_covariates", "status"), [(4, "too_few_patients"), (5, "aliased")])
def test_as_many_coefficients_as_patients_or_more(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any], n_covariates: int, status: str
) -> None:
    samples = make_samples(3)
    names = [f"level_{i}" for i in range(n_covariates)]
    patients = samples["patient"].unique()
    values = np.random.default_rng(1).normal(size=(len(patients), n_covariates))
    levels = pd.DataFrame(values, index=patients, columns=names)
    samples = samples.join(levels, on="patient")
    data = make_pseudobulk(samples, **SIZE)
    assert_untested(tested(data, samples, {**entry, "adjust": names}), status)


@pytest.mark.parametrize("entry", ALL, ids=lambda e: e["kind"])
def test_a_population_whose_genes_are_all_too_low(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **SIZE)
    data.X = sparse.csr_matrix(np.random.default_rng(1).poisson(1.0, data.shape))
    assert_untested(tested(data, samples, entry), "no_genes")
    data.X = sparse.csr_matrix(data.shape, dtype=int)
    assert_untested(tested(data, samples, entry), "no_genes")


@pytest.mark.parametrize("entry", ALL, ids=lambda e: e["kind"])
def test_the_same_counts_in_every_patient(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **SIZE)
    data.X = sparse.csr_matrix(np.tile(data.X.toarray()[0], (data.n_obs, 1)))
    assert_untested(tested(data, samples, entry), "no_variation")


def test_genes_without_a_count_are_left_out_and_change_nothing(
    tested: Callable[..., pd.DataFrame],
) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **SIZE)
    wide = data.X.toarray()
    wide[:, 40:] = 0
    empty = data.copy()
    empty.X = sparse.csr_matrix(wide)
    pd.testing.assert_frame_equal(
        tested(empty, samples, BASELINE), tested(data[:, :40].copy(), samples, BASELINE)
    )


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
def test_covariates_that_say_nothing_or_the_same_change_nothing(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(5).assign(one="x", unit=3.5)
    samples["again"] = samples["product"].str.upper()
    data = make_pseudobulk(samples, **SIZE)
    expected = tested(data, samples, {**entry, "adjust": ["product"]})
    assert set(expected["status"]) == {"ok"}
    adjust = ["product", "one", "unit", "again"]
    pd.testing.assert_frame_equal(expected, tested(data, samples, {**entry, "adjust": adjust}))


@pytest.mark.parametrize("entry", [BASELINE, CHANGE], ids=lambda e: e["kind"])
def test_patients_without_a_covariate_are_named_and_counted(
    tested: Callable[..., pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples = make_samples(5)
    rng = np.random.default_rng(1)
    age = dict(zip(samples["patient"].unique(), rng.normal(60, 9, 10), strict=True))
    samples["age"] = samples["patient"].map(age | {"n1": np.nan, "n3": np.nan, "r0": np.nan})
    data = make_pseudobulk(samples, **SIZE)
    entry = {**entry, "adjust": ["age"]}
    table = tested(data, samples, entry)
    assert set(table["n_test"]) == {3}
    assert set(table["n_reference"]) == {4}
    contrast = asked(entry, samples)
    lost = excluded_pseudobulks(data, Comparison(samples, contrast), min_cells=10)
    assert set(lost["reason"]) == {"age is missing"}
    assert set(lost["cell_type"]) == {"(all)"}
    by_arm = lost.groupby("arm")["patient"].unique().map(sorted).to_dict()
    assert by_arm == {"test": ["n1", "n3"], "reference": ["r0"]}
    counted = missingness(data, Comparison(samples, contrast), min_cells=10).set_index("cell_type")
    assert counted.loc["(all)", ["n_test", "kept_test"]].tolist() == [5, 3]
    assert counted.loc["(all)", ["n_reference", "kept_reference"]].tolist() == [5, 4]
    assert counted.loc["LAMM", ["n_test", "kept_test"]].tolist() == [3, 3]
