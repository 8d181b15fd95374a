"""The log names contrasts in which the patients of one arm vary more."""

import logging
from typing import Any

import anndata
import numpy as np
import pytest
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.spread import spread_ratio
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import make_pseudobulk

SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
SETTINGS["permutations"] = Permutations(max_exact=300, n_draws=100, seed=1)
SAMPLES = make_samples(5)


def with_spread(arm: str, size: float) -> anndata.AnnData:
    """Return pseudobulks in which the patients of an arm vary more."""
    data = make_pseudobulk(SAMPLES, populations=("LAMM",), n_genes=400)
    rng = np.random.default_rng(5)
    who = (SAMPLES["response"] == arm).to_numpy()
    counts = data.X.toarray().astype(float)
    counts[who] *= np.exp(size * rng.standard_normal((who.sum(), data.n_vars)))
    data.X = sparse.csr_matrix(np.rint(counts).astype(int))
    return data


@pytest.mark.parametrize("entry", [BASELINE, {**BASELINE, "adjust": ["product"]}, CHANGE])
@pytest.mark.parametrize(
    ("arm", "size", "low", "high"),
    [("responder", 0, 0.85, 1.15), ("responder", 1, 0.3, 0.67), ("non_responder", 1, 1.5, 3)],
)
def test_the_ratio_is_that_of_test_to_reference(
    entry: dict[str, Any], arm: str, size: float, low: float, high: float
) -> None:
    model = population_model(
        plain_pseudobulks(with_spread(arm, size)),
        "LAMM",
        Comparison(SAMPLES, asked(entry, SAMPLES)),
        min_cells=10,
        within_patients=False,
    )
    assert isinstance(model, Model)
    assert low < spread_ratio(model) < high


@pytest.mark.parametrize(
    ("entry", "engine", "size", "noted"),
    [
        (BASELINE, "limma_voom", 1, True),
        (BASELINE, "limma_voom", 0, False),
        (BASELINE, "limma_voom_by_arm", 1, False),
        (PAIRED, "limma_voom", 1, False),
    ],
)
def test_only_a_contrast_whose_arms_vary_differently_is_named(
    caplog: pytest.LogCaptureFixture,
    entry: dict[str, Any],
    engine: str,
    size: float,
    noted: bool,
) -> None:
    comparison = Comparison(SAMPLES, asked(entry, SAMPLES))
    with caplog.at_level(logging.INFO, logger="lammscope"):
        data = with_spread("responder", size)
        run_test(data, comparison, engine=engine, threads=1, **SETTINGS)
    words = "times as much between patients of responder as of non_responder"
    assert (words in caplog.text) == noted
    assert ("limma_voom_by_arm` allows for it" in caplog.text) == noted
