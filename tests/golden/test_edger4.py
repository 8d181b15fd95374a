"""The engines agree with edgeR 4: quasi-likelihood and voomLmFit, on `make_golden.R`'s cohort."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.expression.engines import ENGINES
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.stats.edger import tmm

ARMS = {"NR": "non_responder", "R": "responder"}
COMPARED = {"test": "non_responder", "reference": "responder"}
CONTRASTS: dict[str, dict[str, Any]] = {
    "baseline": {"kind": "between", **COMPARED, "where": {"phase": "pre"}, "adjust": ["product"]},
    "paired": {"kind": "paired", "test": "post", "reference": "pre"},
    "change": {"kind": "change", **COMPARED},
}
NEEDS_PYEDGER = pytest.mark.skipif(
    find_spec("pyedger") is None, reason="pyedger is not installed (make setup-edger)"
)


@dataclass(frozen=True)
class Reference:
    """A model of the genes that R tested, and R's results."""

    model: Model
    expected: pd.DataFrame


@pytest.fixture
def reference(golden: Callable[[str], Path]) -> Callable[..., Reference]:
    samples = pd.read_csv(golden("samples.csv")).assign(compartment="blood", sort="none")
    samples = samples.assign(phase=samples["timepoint"], response=samples["response"].map(ARMS))
    counts = pd.read_csv(golden("pseudobulk_counts.csv"), index_col="gene")[samples["sample"]]
    names = samples["sample"].to_numpy()
    data = anndata.AnnData(
        sparse.csr_matrix(counts.to_numpy().T),
        obs=pd.DataFrame({"sample": names, "population": "LAMM", "n_cells": 50}, index=names),
        var=pd.DataFrame({"symbol": counts.index}, index=counts.index),
    )
    contrasts = {
        name: contrasts_from_config({name: entry}, samples)[0] for name, entry in CONTRASTS.items()
    }

    def make(file: str, *, kind: str, within_patients: bool = True) -> Reference:
        expected = pd.read_csv(golden(file), index_col="gene")
        comparison = Comparison(samples, contrasts[kind])
        model = population_model(
            plain_pseudobulks(data),
            "LAMM",
            comparison,
            min_cells=10,
            within_patients=within_patients,
        )
        assert isinstance(model, Model)
        # Genes whose counts tie with the cutoff differ: edgeR 4 rounds them otherwise than 3.40.
        assert len(set(model.genes) ^ set(expected.index)) <= 5
        tested = counts.loc[expected.index, model.sides["samples"].str[0]].to_numpy(dtype=float)
        model = replace(
            model, counts=tested, genes=expected.index.to_numpy(), norm_factors=tmm(tested)
        )
        return Reference(model, expected)

    return make


@NEEDS_PYEDGER
@pytest.mark.parametrize("kind", CONTRASTS)
def test_quasi_likelihood_agrees_with_edger(reference: Callable[..., Reference], kind: str) -> None:
    given = reference(f"edger4_{kind}.csv", kind=kind)
    found = ENGINES["edger_ql"](given.model)
    assert (found["status"] == "ok").all()
    for column in ("log2fc", "df", "p"):
        np.testing.assert_allclose(
            found[column], given.expected[column], rtol=1e-5, atol=1e-6, err_msg=column
        )
    np.testing.assert_allclose(found["t"] ** 2, given.expected["f"], rtol=1e-5, atol=1e-6)


def test_limma_agrees_with_voomlmfit_without_groups_of_zeros(
    reference: Callable[..., Reference],
) -> None:
    given = reference("voomlmfit_baseline.csv", kind="baseline")
    found = ENGINES["limma_voom"](given.model)
    for column in ("log2fc", "t", "df", "p"):
        np.testing.assert_allclose(
            found[column], given.expected[column], rtol=1e-6, atol=1e-9, err_msg=column
        )


def test_limma_agrees_with_voomlmfit_on_a_change(reference: Callable[..., Reference]) -> None:
    given = reference("voomlmfit_change.csv", kind="change", within_patients=False)
    found = ENGINES["limma_voom"](given.model)
    for column in ("log2fc", "t", "df", "p"):
        np.testing.assert_allclose(
            found[column], given.expected[column], rtol=1e-5, atol=1e-7, err_msg=column
        )
