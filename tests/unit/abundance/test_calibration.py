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

EXPRESSION = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
ENTRIES = [BASELINE, PAIRED, CHANGE]
KINDS = ["between", "paired", "change"]


def diagnose_lamm(
    counts: pd.DataFrame, samples: pd.DataFrame, contrast: Contrast, **changes: Any
) -> list[dict[Hashable, Any]]:
    options = {"denominator": "monocytic", "max_share": 0.08, **SETTINGS, **changes}
    table = diagnose_abundance(
        ask(counts, samples, contrast, options),
        denominator=options["denominator"],
        permutations=permutations(options),
        max_share=options["max_share"],
    )
    assert list(table.columns) == COLUMNS
    return table.to_dict("records")


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
def test_simulated_cohorts_without_a_difference_are_calibrated(entry: dict[str, Any]) -> None:
    samples = make_samples(6)
    planted = np.where(samples["response"] == "non_responder", 1.5, 0.0)
    planted = np.where(samples["phase"] == "post", 2 * planted, planted)
    records = diagnose_lamm(make_counts(samples, LAMM=planted), samples, asked(entry, samples))
    assert records[0]["n_null"] == records[0]["n_tests"] == 2000
    assert 0.035 < records[0]["share"] < 0.07  # the planted difference is taken away
    assert records[0]["status"] == "ok"
    assert "p < 0.05; 5 % are expected" in records[0]["message"]
    assert len(records) == (1 if entry is PAIRED else 3)


def test_too_many_false_positives_are_a_warning() -> None:
    samples = make_samples(6)
    contrast, counts = asked(BASELINE, samples), make_counts(samples)
    strict = diagnose_lamm(counts, samples, contrast, max_share=0.001)[0]
    assert strict["status"] == "warning"
    assert "rely on the permutation test" in strict["message"]


def test_unequal_spread_and_depth_of_the_arms_are_named() -> None:
    samples = make_samples(6)
    test = (samples["response"] == "non_responder").to_numpy()
    wide = np.where(test, np.random.default_rng(1).normal(0, 2.5, len(samples)), 0.0)
    counts = make_counts(samples, LAMM=wide)
    shallow = counts["sample"].isin(samples.loc[~test, "sample"])
    counts.loc[shallow, "n_cells"] //= 5
    null, spread, depth = diagnose_lamm(
        counts, samples, asked(BASELINE, samples), denominator="immune"
    )
    assert null["share"] < 0.08
    assert spread["status"] == depth["status"] == "warning"
    assert "times as much between non-responders as between responders" in spread["message"]
    assert "`p_ordinary` and `p_moderated` do not" in spread["message"]
    assert "Samples of non-responders have" in depth["message"]


def test_a_patient_who_alone_has_a_covariate_is_named() -> None:
    samples = make_samples(6)
    samples["product"] = np.where(samples["patient"] == "r1", "axi", "tisa")
    contrast = asked({**BASELINE, "adjust": ["product"]}, samples)
    *_, last = diagnose_lamm(make_counts(samples), samples, contrast)
    assert last["status"] == "warning"
    assert "Patient r1 determines a coefficient" in last["message"]


def test_the_same_seed_gives_the_same_result() -> None:
    samples = make_samples(12)
    contrast, counts = asked(BASELINE, samples), make_counts(samples)
    records = [diagnose_lamm(counts, samples, contrast)[0] for _ in range(2)]
    assert records[0] == records[1]


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
    assert record["n_null"] == 12
    assert record["n_tests"] > 12 * 300
    assert 0.02 < record["share"] < 0.08
    assert record["status"] == "ok"


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
