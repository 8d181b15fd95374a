"""edgeR's quasi-likelihood test by pyedger, as an engine."""

from importlib.util import find_spec
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from lammscope.cohort.comparison import Comparison
from lammscope.expression import packages
from lammscope.expression.edger_ql import fit_edger_ql
from lammscope.expression.engines import ENGINES
from lammscope.expression.genes import test_expression as run_test
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.packages import OPTIONAL, missing_package
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples
from tests.unit.example_pseudobulks import LIMMA, N_PLANTED, make_pseudobulk, shifted

NEEDS_PYEDGER = pytest.mark.skipif(
    find_spec("pyedger") is None, reason="pyedger is not installed (make setup-edger)"
)
LAMM: dict[str, Any] = {"populations": ("LAMM",), "n_genes": 300}
SETTINGS: dict[str, Any] = {"min_cells": 10, "exclude": [], "max_ambient_share": 0.25}
EDGER: dict[str, Any] = {**LIMMA, "engine": "edger_ql"}


@NEEDS_PYEDGER
@pytest.mark.parametrize(
    ("entry", "who"),
    [
        ({**BASELINE, "adjust": ["product"]}, {"response": "non_responder"}),
        (PAIRED, {"phase": "post"}),
        (CHANGE, {"response": "non_responder", "phase": "post"}),
    ],
)
def test_it_tests_the_genes_of_limma_and_agrees_on_the_change(
    entry: dict[str, Any], who: dict[str, str]
) -> None:
    samples = make_samples(6)
    data = make_pseudobulk(samples, shifted(samples, 1.4, **who), **LAMM)
    limma, edger = (
        run_test(data, Comparison(samples, asked(entry, samples)), **SETTINGS, **engine)
        .set_index("gene")
        .sort_index()
        for engine in (LIMMA, EDGER)
    )
    assert edger.index.equals(limma.index)
    assert (edger["status"] == "ok").all()
    assert np.corrcoef(edger["log2fc"], limma["log2fc"])[0, 1] > 0.95
    assert ((edger["ci_low"] < edger["log2fc"]) & (edger["log2fc"] < edger["ci_high"])).all()
    np.testing.assert_allclose(2 * stats.t.sf(np.abs(edger["t"]), edger["df"]), edger["p"])
    outside = (edger["ci_low"] > 0) | (edger["ci_high"] < 0)
    assert (outside == (edger["p"] < 0.05)).mean() > 0.95  # Wald's interval, F's p
    planted = edger[edger.index.isin([f"ENSG{i:05d}" for i in range(N_PLANTED)])]
    assert (planted["fdr"] < 0.05).mean() > 0.7
    assert (planted["log2fc"] > 0).all()


@NEEDS_PYEDGER
def test_genes_that_one_arm_lacks_have_a_finite_interval(capfd: pytest.CaptureFixture[str]) -> None:
    samples = make_samples(4)
    data = make_pseudobulk(samples, **LAMM)
    counts = data.X.toarray()
    silent = np.ix_((samples["response"] == "responder").to_numpy().nonzero()[0], range(20))
    counts[silent] = 0
    data.X = sparse.csr_matrix(counts)
    comparison = Comparison(samples, asked(BASELINE, samples))
    one, other = (run_test(data, comparison, **SETTINGS, **EDGER) for _ in range(2))
    assert one.equals(other)
    assert capfd.readouterr() == ("", "")
    lacking = one[one["gene"].isin([f"ENSG{i:05d}" for i in range(20)])]
    assert len(lacking) > 10
    assert (lacking["status"] == "ok").all()
    assert (lacking["log2fc"] > 3).all()
    assert np.isfinite(lacking[["ci_low", "ci_high"]]).all(axis=None)
    assert (lacking["ci_high"] - lacking["ci_low"] < 25).all()


def model_of(samples: pd.DataFrame) -> Model:
    """Return a model of unaltered counts."""
    model = population_model(
        plain_pseudobulks(make_pseudobulk(samples, **LAMM)),
        "LAMM",
        Comparison(samples, asked(BASELINE, samples)),
        min_cells=10,
        within_patients=True,
    )
    assert isinstance(model, Model)
    return model


def test_without_pyedger_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"edger_ql, which needs pyedger.*make setup-edger"):
        fit_edger_ql(model_of(make_samples(3)))


@pytest.mark.parametrize(
    ("engine", "found", "own_environment", "words"),
    [
        ("limma_voom", False, False, None),
        ("pydeseq2", False, True, None),
        ("edger_ql", True, False, None),
        ("edger_ql", False, False, "not installed: run `make setup-edger`"),
        ("edger_ql", True, True, "without `--sdm conda`"),
    ],
)
def test_only_an_engine_that_cannot_run_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    found: bool,
    own_environment: bool,
    words: str | None,
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: name if found else None)
    message = missing_package(engine, own_environment=own_environment)
    assert (words in message) if words else message == ""


def test_optional_packages_are_of_known_engines() -> None:
    assert set(OPTIONAL) <= set(ENGINES)
