"""limma with a mean-variance trend for each arm, as an engine."""

import logging
from typing import Any

import numpy as np
import pytest

from lammscope.cohort.comparison import Comparison
from lammscope.expression.genes import test_expression as run_test
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, make_pseudobulk

LAMM: dict[str, Any] = {"populations": ("LAMM",), "n_genes": 400}
SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
BY_ARM: dict[str, Any] = {**LIMMA, "engine": "limma_voom_by_arm"}


@pytest.mark.parametrize("entry", [BASELINE, {**BASELINE, "adjust": ["product"]}, CHANGE])
def test_arms_that_vary_alike_have_nearly_the_results_of_one_trend(entry: dict[str, Any]) -> None:
    samples = make_samples(6)
    data = make_pseudobulk(samples, **LAMM)
    comparison = Comparison(samples, asked(entry, samples))
    one, each = (
        run_test(data, comparison, **SETTINGS, **engine).set_index("gene").sort_index()
        for engine in (LIMMA, BY_ARM)
    )
    assert each.index.equals(one.index)
    assert (each["status"] == "ok").all()
    assert np.corrcoef(one["t"], each["t"])[0, 1] > 0.98
    assert not np.allclose(one["t"], each["t"], rtol=1e-3)


def test_pairs_have_one_trend_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **LAMM)
    comparison = Comparison(samples, asked(PAIRED, samples))
    with caplog.at_level(logging.INFO, logger="lammscope"):
        one, each = (run_test(data, comparison, **SETTINGS, **engine) for engine in (LIMMA, BY_ARM))
    assert each.equals(one)
    assert (
        "LAMM: one mean-variance trend for all samples, since the contrast has one arm"
        in caplog.text
    )


def test_an_arm_without_residual_degrees_of_freedom_has_the_common_trend(
    caplog: pytest.LogCaptureFixture,
) -> None:
    samples = make_samples(6)
    few = samples["patient"].isin(["n3", "n4", "n5"])  # three patients are left in this arm
    samples = samples[~few].reset_index(drop=True)
    pair = samples["patient"].map(dict(zip(samples["patient"].unique(), "abcabcabc", strict=False)))
    samples = samples.assign(site=pair.to_numpy())
    comparison = Comparison(samples, asked({**BASELINE, "adjust": ["site"]}, samples))
    data = make_pseudobulk(samples, **LAMM)
    with caplog.at_level(logging.INFO, logger="lammscope"):
        one, each = (run_test(data, comparison, **SETTINGS, **engine) for engine in (LIMMA, BY_ARM))
    assert (each["status"] == "ok").all()
    assert each.equals(one)
    assert "since the test arm has no residual degrees of freedom" in caplog.text
