"""The self-diagnosis warns of anticonservative tests only."""

from collections.abc import Hashable
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.abundance.calibration import COLUMNS, diagnose_abundance, diagnose_calibration
from lammscope.abundance.calibration import diagnose_expression as diagnose_genes
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from tests.unit.abundance.questions import ask, permutations
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

EXPRESSION = {"min_cells": 10, "exclude": []}
ENTRIES = [BASELINE, PAIRED, CHANGE]
KINDS = ["between", "paired", "change"]


def diagnose_lamm(
    counts: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast, **changes: Any
) -> dict[Hashable, Any]:
    options = {"denominator": "monocytic", "max_share": 0.08, **SETTINGS, **changes}
    table = diagnose_abundance(
        ask(counts, samples, contrast, options),
        denominator=options["denominator"],
        permutations=permutations(options),
        max_share=options["max_share"],
    )
    (record,) = table.to_dict("records")
    return record


def pseudobulks(samples: pd.DataFrame, *, seed: int = 1, n_genes: int = 400) -> anndata.AnnData:
    rng = np.random.default_rng(seed)
    mean = rng.gamma(1, 60, n_genes) + 8
    patients = {p: rng.normal(0, 0.25, n_genes) for p in samples["patient"].unique()}
    rows = [
        rng.poisson(mean * np.exp(patients[p] + rng.normal(0, 0.2, n_genes)))
        for p in samples["patient"]
    ]
    obs = pd.DataFrame(
        {"sample": samples["sample"].to_numpy(), "population": "LAMM", "n_cells": 50}
    )
    obs.index = obs["sample"] + "|LAMM"
    genes = [f"G{i}" for i in range(n_genes)]
    var = pd.DataFrame({"symbol": genes}, index=genes)
    return anndata.AnnData(sparse.csr_matrix(np.array(rows)), obs=obs, var=var)


@pytest.mark.parametrize("entry", ENTRIES, ids=KINDS)
def test_every_relabelling_of_a_small_cohort_is_tested_once(entry: dict[str, Any]) -> None:
    samples = make_samples(4)
    record = diagnose_lamm(make_counts(samples), samples, asked(entry, samples))
    # 70 assignments of 8 patients, or 256 of signs, without the observed one and its exchange
    n = 254 if entry is PAIRED else 68
    assert record["n_relabellings"] == record["n_tests"] == n
    assert record["status"] in ("ok", "warning")
    assert 0 <= record["share"] <= 0.2


def test_values_without_outliers_pass_and_a_planted_difference_is_said_to_leak() -> None:
    samples = make_samples(6)
    record = diagnose_lamm(make_counts(samples), samples, asked(BASELINE, samples))
    assert record["status"] == "ok"
    assert "p < 0.05; 5 % are expected" in record["message"]
    strict = diagnose_lamm(make_counts(samples), samples, asked(BASELINE, samples), max_share=0.001)
    assert strict["status"] == "warning"
    assert "leaks" in strict["message"]


def test_many_patients_are_drawn_the_same_way_each_time() -> None:
    samples = make_samples(12)
    contrast, counts = asked(BASELINE, samples), make_counts(samples)
    records = [diagnose_lamm(counts, samples, contrast, n_draws=500) for _ in range(2)]
    assert records[0] == records[1]
    assert 495 <= records[0]["n_relabellings"] <= 500


@pytest.mark.parametrize("entry", ENTRIES, ids=KINDS)
def test_genes_under_permuted_labels_are_calibrated_where_nothing_is_wrong(
    entry: dict[str, Any],
) -> None:
    samples = make_samples(5)
    table = diagnose_genes(
        pseudobulks(samples), Comparison(samples, asked(entry, samples)), settings=EXPRESSION,
        permutations=permutations(SETTINGS), n_relabelings=12, max_share=0.08,
    )  # fmt: skip
    (record,) = table.to_dict("records")
    assert record["n_relabellings"] == 12
    assert record["n_tests"] > 12 * 300
    assert 0.02 < record["share"] < 0.08
    assert record["status"] == "ok"


def test_labels_are_permuted_within_strata_and_numbers_stay_with_their_patients() -> None:
    samples = make_samples(4)
    number = dict(zip(samples["patient"].unique(), range(8), strict=True))
    samples["age"] = samples["patient"].map(number) % 5
    contrast = asked({**BASELINE, "adjust": ["product", "age"]}, samples)
    record = diagnose_lamm(make_counts(samples), samples, contrast)
    assert record["n_relabellings"] == 6 * 6 - 2  # two strata of two against two


def test_what_was_not_tested_has_nothing_to_calibrate() -> None:
    samples = make_samples(2)
    counts, contrast = make_counts(samples), asked(BASELINE, samples)
    options: dict[str, Any] = {
        "denominator": "monocytic",
        "expression": EXPRESSION,
        "n_expression": 5,
    }
    options |= {"permutations": permutations(SETTINGS), "max_share": 0.08}
    question = ask(counts, samples, contrast, SETTINGS)
    table = diagnose_calibration([question], pseudobulks(samples), **options)
    assert list(table.columns) == COLUMNS
    assert table["status"].tolist() == ["not_tested", "not_tested"]
    assert table["share"].isna().all()
    none = diagnose_calibration([], pseudobulks(samples), **options)
    assert none.empty
    assert list(none.columns) == COLUMNS
