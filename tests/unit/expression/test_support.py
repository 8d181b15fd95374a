"""What supports the difference of a gene, and the verdicts on genes."""

from itertools import combinations
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.expression.engines import limma_fit
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.set_scores import patient_values
from lammscope.expression.support import gene_support, judge, without_patients
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, make_pseudobulk, shifted

PERMUTATIONS = Permutations(max_exact=2000, n_draws=1000, seed=1)
SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
SETTINGS |= LIMMA | {"permutations": PERMUTATIONS}


def model_of(
    data: anndata.AnnData, comparison: Comparison, *, within_patients: bool = False
) -> Model:
    model = population_model(
        plain_pseudobulks(data), "LAMM", comparison, min_cells=10, within_patients=within_patients
    )
    assert isinstance(model, Model)
    return model


def rows_of(table: pd.DataFrame, gene: str) -> dict[str, Any]:
    found = table[(table["cell_type"] == "LAMM") & (table["gene"] == gene)].iloc[0]
    return {str(key): value for key, value in found.items()}


def test_a_gene_of_one_patient_is_suggestive_and_names_the_patient() -> None:
    samples = make_samples(5)
    data = make_pseudobulk(samples, shifted(samples, 1.6, response="non_responder"))
    counts = data.X.toarray()
    lamm = (data.obs["population"] == "LAMM").to_numpy()
    gene = 400  # somewhat higher in non-responders, and far higher in n2
    is_test = data.obs["sample"].str.startswith("n").to_numpy()
    counts[:, gene] = np.random.default_rng(0).poisson(np.where(is_test, 250, 150))
    counts[lamm & (data.obs["sample"] == "n2_pre").to_numpy(), gene] = 30_000
    data.X = counts
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS)
    carried = rows_of(table, f"ENSG{gene:05d}")
    assert carried["fdr"] < 0.05
    assert carried["verdict"] == "suggestive"
    assert carried["influence_patient"] == "n2"
    assert "without n2" in carried["doubts"]
    planted = table[table["gene"].isin([f"ENSG{i:05d}" for i in range(N_PLANTED)])]
    planted = planted[planted["cell_type"] == "LAMM"]
    assert (planted["verdict"] == "supported").mean() > 0.6
    assert not planted.loc[planted["verdict"] == "supported", "doubts"].any()


@pytest.mark.parametrize("entry", [BASELINE, {**BASELINE, "adjust": ["product"]}, PAIRED])
def test_the_p_without_a_patient_is_that_of_weighted_least_squares(entry: dict[str, Any]) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, shifted(samples, 1.0, response="non_responder"))
    model = model_of(data, Comparison(samples, asked(entry, samples)))
    fit, rows = limma_fit(model), np.array([3, 50])
    largest, patient = without_patients(model, fit, rows)
    for i, row in enumerate(rows):
        expected = {}
        for name in sorted(set(model.sides["patient"])):
            kept = (model.sides["patient"] != name).to_numpy()
            design = model.design[kept]
            design = design.loc[:, design.any()]
            found = sm.WLS(fit.y[row, kept], design, weights=fit.weights[row, kept]).fit()
            df, prior = found.df_resid, float(fit.test.df_prior[row])
            # limma replaces the variance of the fit by a mean of it and of the prior
            own = df / (df + prior)
            variance = own * found.scale + (1 - own) * fit.test.s2_prior[row]
            se = found.bse["effect"] * np.sqrt(variance / found.scale)
            expected[name] = 2 * stats.t.sf(abs(found.params["effect"] / se), df + prior)
        assert largest[i] == pytest.approx(max(expected.values()), rel=1e-8)
        assert patient[i] == max(expected, key=lambda name: expected[name])


def welch(test: np.ndarray, reference: np.ndarray) -> float:
    return abs(float(stats.ttest_ind(test, reference, equal_var=False).statistic))


def test_the_permutation_p_is_that_of_all_labelings() -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, shifted(samples, 0.8, response="non_responder"))
    contrast = asked(BASELINE, samples)
    model = model_of(data, Comparison(samples, contrast))
    rows = np.arange(250)  # more than are permuted at a time
    found = gene_support(model, contrast, limma_fit(model), rows, PERMUTATIONS)
    values = patient_values(model, contrast).values
    arm = (model.sides["arm"] == "test").to_numpy()
    for row in (0, 120, 249):
        t = [
            welch(values[row, list(test)], np.delete(values[row], test))
            for test in combinations(range(8), 4)
        ]
        observed = welch(values[row, arm], values[row, ~arm])
        expected = np.mean(np.array(t) >= observed - 1e-9)
        assert found.loc[row, "p_permutation"] == pytest.approx(expected)
    assert found["p_floor"].eq(2 / 70).all()


def test_of_three_against_three_patients_nothing_is_supported() -> None:
    samples = make_samples(3)
    data = make_pseudobulk(samples, shifted(samples, 3.0, response="non_responder"))
    table = run_test(data, Comparison(samples, asked(BASELINE, samples)), **SETTINGS)
    found = table[(table["cell_type"] == "LAMM") & (table["fdr"] < 0.05)]
    assert len(found) > 10
    assert set(found["verdict"]) == {"suggestive"}
    assert found["doubts"].str.contains("which cannot be below 0.1").all()


def test_patients_with_one_phase_stay_in_limma_and_are_not_permuted() -> None:
    samples = make_samples(6)
    data = make_pseudobulk(
        samples, shifted(samples, 1.6, response="non_responder", phase="post"), seed=4
    )
    lost = (data.obs["sample"] == "r0_post").to_numpy()
    contrast = asked(CHANGE, samples)
    model = model_of(data[~lost].copy(), Comparison(samples, contrast))
    assert "r0" in set(model.sides["patient"])
    assert "r0" not in set(patient_values(model, contrast).units["patient"])
    found = gene_support(model, contrast, limma_fit(model), np.arange(20), PERMUTATIONS)
    assert found.notna().all(axis=None)
    assert (found["influence_p_max"] < 0.1).mean() > 0.5


def test_verdicts_of_genes() -> None:
    rows = pd.DataFrame(
        [
            (1e-6, 1e-3, 0.002, 0.002, 1e-4, "P1"),  # all agree
            (1e-6, 1e-3, 0.08, 0.002, 0.3, "P1"),
            (0.02, 0.3, np.nan, np.nan, np.nan, ""),
            (0.4, 0.6, np.nan, np.nan, np.nan, ""),
            (np.nan, np.nan, np.nan, np.nan, np.nan, ""),
            (1e-6, np.nan, np.nan, np.nan, np.nan, ""),  # ambient
            (1e-6, 1e-3, 0.002, 0.002, np.nan, ""),  # no patient can be left out
        ],
        columns=[
            *("p", "fdr", "p_permutation", "p_floor", "influence_p_max", "influence_patient"),
        ],
    )
    ambient = np.array([False, False, False, False, False, True, False])
    found = judge(rows, ambient=ambient)
    assert list(found["verdict"]) == [
        *("supported", "suggestive", "inconclusive", "inconclusive", "not testable"),
        *("inconclusive", "suggestive"),
    ]
    assert list(found["doubts"]) == [
        "",
        "permutation p 0.08; p 0.3 without P1",
        "",
        "",
        "",
        "may be ambient RNA",
        "p not known without one patient",
    ]


def test_an_untested_population_is_not_testable() -> None:
    samples = make_samples(2)
    table = run_test(
        make_pseudobulk(samples), Comparison(samples, asked(BASELINE, samples)), **SETTINGS
    )
    assert set(table["verdict"]) == {"not testable"}
    assert table["p"].isna().all()
