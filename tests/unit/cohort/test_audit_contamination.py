"""Whether the groups of a contrast are contaminated alike."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.audit import STATUSES, audit_design
from lammscope.cohort.comparison import compare
from lammscope.cohort.contrast_config import contrasts_from_config
from tests.unit.example_cohorts import ARMS, BASELINE, cohort

CHANGE = {**ARMS, "kind": "change"}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}


def row(samples: pd.DataFrame, entry: dict[str, Any], values: np.ndarray) -> pd.Series:
    """Audit one contrast with a contamination per sample."""
    comparisons = compare(samples, contrasts_from_config({"question": entry}, samples))
    table = audit_design(
        samples,
        comparisons,
        sorts={},
        max_exact=99,
        n_draws=99,
        contamination=dict(zip(samples["sample"], values, strict=True)),
    )
    found = table[table["item"] == "contamination"]
    assert found["contrast"].tolist() == ["question"]
    assert set(found["status"]) <= set(STATUSES)
    assert not found["message"].str.contains("nan").any()
    return found.iloc[0]


def varied(samples: pd.DataFrame, group: pd.Series, shift: float, noise: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.asarray(0.05 + shift * group + noise * rng.uniform(-1, 1, len(samples)))


@pytest.mark.parametrize(
    ("shift", "noise", "status"),
    [
        (0.0, 0.01, "note"),
        (0.02, 0.001, "note"),  # certain, but within the error of the estimates
        (0.04, 0.005, "warning"),
        (0.04, 0.2, "note"),  # by chance
        (0.08, 0.01, "warning"),
    ],
)
def test_arms_that_are_contaminated_differently_are_warned_of(
    shift: float, noise: float, status: str
) -> None:
    samples = cohort(6)
    values = varied(samples, samples["response"] == "responder", shift, noise)
    found = row(samples, BASELINE, values)
    assert found["status"] == status
    assert "% in responders (6)" in found["message"]
    assert "permutation test, p = " in found["message"]
    assert ("They differ" in found["message"]) == (status == "warning")


def test_a_large_difference_of_few_patients_is_warned_of_without_a_test() -> None:
    samples = cohort(2)
    values = varied(samples, samples["response"] == "responder", 0.1, 0.001)
    found = row(samples, BASELINE, values)
    assert found["status"] == "warning"
    assert "p =" not in found["message"]


def test_pairs_are_compared_within_patients_and_arms_by_their_changes() -> None:
    samples = cohort(6)
    after, responds = samples["phase"] == "post", samples["response"] == "responder"
    patients = varied(samples, samples["patient"].str[1:].astype(int), 0.03, 0.001)
    found = row(samples, PAIRED, patients + 0.035 * after)
    assert found["status"] == "warning"
    assert 0.03 < float(found["value"]) < 0.04
    assert row(samples, PAIRED, patients)["status"] == "note"
    assert row(samples, CHANGE, patients + 0.1 * after)["status"] == "note"
    found = row(samples, CHANGE, patients + 0.1 * after * responds)
    assert found["status"] == "warning"
    assert "change of contamination" in found["message"]


def test_what_could_not_be_estimated_is_said() -> None:
    samples = cohort(4)
    values = varied(samples, samples["response"] == "responder", 0.0, 0.01)
    responders = np.flatnonzero(samples["response"] == "responder")
    first = samples["patient"] == samples["patient"].iloc[responders[0]]
    some = row(samples, BASELINE, np.where(first, np.nan, values))
    assert "could not be estimated for 1 patient." in some["message"]
    assert "responders (3)" in some["message"]
    none = row(samples, BASELINE, np.where(samples["response"] == "responder", np.nan, values))
    assert (none["value"], none["status"]) == ("not estimated", "note")
    assert "could not be estimated for 4 patients" in none["message"]
    pairs = row(samples, PAIRED, np.where(first, np.nan, values))
    assert "could not be estimated for 1 pair." in pairs["message"]


def test_a_plan_knows_no_contamination() -> None:
    samples = cohort(4)
    comparisons = compare(samples, contrasts_from_config({"question": BASELINE}, samples))
    table = audit_design(samples, comparisons, sorts={}, max_exact=99, n_draws=99)
    assert "contamination" not in set(table["item"])
