"""Trends of expression: both engines, gene sets, ambient RNA and missing pseudobulks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet
from lammscope.expression.ambient_in_contrast import mark_ambient
from lammscope.expression.gene_sets import test_gene_sets as run_sets
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.missing import missingness
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.pseudobulk import AMBIENT
from tests.unit.example_cohorts import asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, PYDESEQ2, make_pseudobulk

NUMBER = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
GENES: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
PLANTED = [f"ENSG{i:05d}" for i in range(N_PLANTED)]


def cohort() -> pd.DataFrame:
    samples = make_samples(8)
    patients = sorted(set(samples["patient"]))
    ldh = dict(zip(patients, np.random.default_rng(2).normal(300, 80, 16), strict=True))
    return samples.assign(ldh=samples["patient"].map(ldh))


def per_sd(samples: pd.DataFrame) -> np.ndarray:
    """Standard deviations of each patient's number from the mean."""
    patients = samples.drop_duplicates("patient")["ldh"]
    return ((samples["ldh"] - patients.mean()) / patients.std()).to_numpy()


@pytest.mark.parametrize("engine", [LIMMA, PYDESEQ2], ids=["limma", "pydeseq2"])
def test_planted_genes_rise_by_their_fold_change_per_sd(engine: dict[str, Any]) -> None:
    samples = cohort()
    data = make_pseudobulk(samples, 0.7 * per_sd(samples), n_genes=300)
    comparison = Comparison(samples, asked({**NUMBER, "adjust": ["product"]}, samples))
    table = run_test(data, comparison, **GENES, **engine)
    lamm = table[table["cell_type"] == "LAMM"].set_index("gene")
    planted = lamm[lamm.index.isin(PLANTED)]  # of which the rare ones are not tested
    assert planted["log2fc"].median() == pytest.approx(0.7 / np.log(2), abs=0.2)
    assert (planted["fdr"] < 0.05).mean() > 0.7
    others = table[table["cell_type"] == "NK"]
    assert (others["p"] < 0.05).mean() < 0.12
    assert set(zip(lamm["n_test"], lamm["n_reference"], strict=True)) == {(16, 16)}


def test_sets_are_tested_by_scores_of_patients() -> None:
    samples = cohort()
    data = make_pseudobulk(samples, -0.7 * per_sd(samples), n_genes=300)
    sets = [GeneSet("planted", "test", tuple(PLANTED)),
            GeneSet("others", "test", tuple(f"ENSG{i:05d}" for i in range(100, 130)))]  # fmt: skip
    table = run_sets(
        data, Comparison(samples, asked(NUMBER, samples)), gene_sets=sets, **GENES, min_genes=5,
        permutations=Permutations(20_000, 2_000, 1),
    ).set_index(["cell_type", "gene_set"])  # fmt: skip
    row = table.loc[("LAMM", "planted")]
    assert row["direction"] == "down"
    assert row["p"] < 0.001
    assert row["p_permutation"] < 0.01
    assert float(str(table.at[("LAMM", "others"), "p"])) > 0.05


def ambient_model(ldh: list[float]) -> Model:
    """A population of six patients; all counts of the first gene are ambient at high numbers."""
    samples = make_samples(3)
    patients = sorted(set(samples["patient"]))
    samples["ldh"] = samples["patient"].map(dict(zip(patients, ldh, strict=True)))
    data = make_pseudobulk(samples, populations=("LAMM",), n_genes=60)
    by_sample = dict(zip(samples["sample"], samples["ldh"], strict=True))
    own = np.array([by_sample[sample] for sample in data.obs["sample"]])
    ambient = np.zeros(data.shape)
    counts = data.X.toarray()
    ambient[:, 0] = np.where(own > np.median(ldh), 0.9, 0.1) * counts[:, 0]
    data.layers[AMBIENT] = ambient
    comparison = Comparison(samples, asked(NUMBER, samples))
    model = population_model(
        plain_pseudobulks(data), "LAMM", comparison, min_cells=10, within_patients=False
    )
    assert isinstance(model, Model)
    return model


def test_ambient_rna_counts_where_the_gene_is_higher() -> None:
    model = ambient_model([100, 110, 120, 200, 210, 220])
    change = np.zeros(len(model.genes))
    for sign, share, marked in ((1.0, 0.9, True), (-1.0, 0.1, False)):
        change[:] = sign
        first = mark_ambient(model, change, max_ambient_share=0.25).iloc[0]
        assert first["ambient_share"] == pytest.approx(share, abs=0.01)
        assert first["ambient"] == marked


def test_patients_count_by_their_distance_from_the_mean_number() -> None:
    """The share of a gene is that of the patient with the extreme number, nearly alone."""
    model = ambient_model([100, 101, 102, 103, 104, 900])
    weight = model.sides["weight"].to_numpy()
    assert weight.sum() == pytest.approx(0)
    counts, ambient = model.counts[0], model.ambient
    assert ambient is not None
    scale = model.counts.sum(axis=0) * model.norm_factors
    high = weight > 0
    expected = (ambient[0] * weight / scale)[high].sum() / (counts * weight / scale)[high].sum()
    got = mark_ambient(model, np.ones(len(model.genes)), max_ambient_share=0.25)
    assert got["ambient_share"].iloc[0] == pytest.approx(expected, abs=1e-4)


def test_missing_pseudobulks_are_tested_for_their_numbers() -> None:
    samples = cohort()
    data = make_pseudobulk(samples, n_genes=60)
    high = samples.loc[per_sd(samples) > 0, "sample"]
    few = data.obs["sample"].isin(high) & (data.obs["population"] == "NK")
    data.obs.loc[few, "n_cells"] = 3
    contrast = asked(NUMBER, samples)
    table = missingness(data, Comparison(samples, contrast), min_cells=10).set_index("cell_type")
    row: dict[str, Any] = {str(key): value for key, value in table.loc["NK"].items()}
    assert row["n_test"] == row["n_reference"] == 16
    assert row["kept_test"] == row["kept_reference"] < 16
    assert row["p"] < 0.01
    assert table["p"].isna().to_dict() == {"LAMM": True, "NK": False}
    assert "patients have enough cells, and which ones depends on LDH" in contrast.kept_words(row)


@pytest.mark.parametrize(
    ("values", "status"), [([250.0] * 16, "too_few_values"), ([1.0, 2, 3], "too_few_patients")]
)
def test_populations_without_enough_values_are_not_tested(values: list[float], status: str) -> None:
    samples = cohort()
    patients = sorted(set(samples["patient"]))
    samples["ldh"] = samples["patient"].map(dict(zip(patients, values, strict=False)))
    comparison = Comparison(samples, asked(NUMBER, samples))
    table = run_test(make_pseudobulk(samples, n_genes=60), comparison, **GENES, **LIMMA)
    assert set(table["status"]) == {status}
    assert table["p"].isna().all()
