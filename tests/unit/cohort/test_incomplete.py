"""Patients with only one side of a pair or a change."""

from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.comparison import Comparison
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, cohort


def incomplete(entry: dict[str, Any], samples: pd.DataFrame) -> pd.DataFrame:
    return Comparison(samples, asked(entry, samples)).incomplete.set_index("patient")


def drop(samples: pd.DataFrame, *names: str) -> pd.DataFrame:
    return samples[~samples["sample"].isin(names)].reset_index(drop=True)


@pytest.mark.parametrize(("entry", "arm"), [(PAIRED, "pair"), (CHANGE, "test")])
def test_a_patient_with_one_side_has_no_samples_on_the_other(
    entry: dict[str, Any], arm: str
) -> None:
    found = incomplete(entry, drop(cohort(), "N1_D0", "R2_D7"))
    assert found.loc["N1", ["arm", "samples_test", "samples_reference"]].tolist() == [
        arm, ["N1_D7"], []
    ]  # fmt: skip
    assert found.loc["R2", "samples_reference"] == ["R2_D0"]
    assert list(found.index) == ["N1", "R2"]


def test_complete_cohorts_and_contrasts_of_one_side_have_none() -> None:
    assert incomplete(PAIRED, cohort()).empty
    assert incomplete(BASELINE, drop(cohort(), "N1_D0")).empty


@pytest.mark.parametrize("entry", [PAIRED, CHANGE])
def test_sides_in_different_compartments_are_never_one_patient(entry: dict[str, Any]) -> None:
    samples = cohort()
    samples.loc[samples["sample"] == "N1_D7", "compartment"] = "marrow"
    found = incomplete(entry, samples)  # no complete unit is of marrow
    assert found.loc["N1", ["samples_test", "samples_reference"]].tolist() == [[], ["N1_D0"]]
    samples.loc[samples["patient"].isin(["N2", "R2"]), "compartment"] = "marrow"
    assert incomplete(entry, samples).empty  # which of the two would be arbitrary


@pytest.mark.parametrize("entry", [PAIRED, CHANGE])
def test_a_compartment_without_a_complete_unit_adds_nobody(entry: dict[str, Any]) -> None:
    samples = drop(cohort(), "N1_D7")
    samples.loc[samples["sample"] == "N1_D0", "compartment"] = "marrow"
    assert incomplete(entry, samples).empty


def test_a_patient_with_a_pair_and_another_sample_stays_complete() -> None:
    samples = cohort()
    extra = samples[samples["sample"] == "N1_D0"].assign(sample="N1_m", compartment="marrow")
    samples = pd.concat([samples, extra], ignore_index=True)
    assert incomplete(PAIRED, samples).empty


def test_replicates_are_one_side_and_time_points_are_chosen() -> None:
    samples = drop(cohort(), "N1_D7", "R1_D0")
    again = samples[samples["sample"] == "N1_D0"].assign(sample="N1_D0b")
    later = samples[samples["sample"] == "R1_D7"].assign(sample="R1_D28", timepoint="D28", day=28)
    samples = pd.concat([samples, again, later], ignore_index=True)
    found = incomplete(PAIRED, samples)
    assert found.loc["N1", "samples_reference"] == ["N1_D0", "N1_D0b"]
    assert "R1" not in found.index  # two time points, and none is chosen
    assert incomplete(PAIRED | {"choose": "last"}, samples).loc["R1", "samples_test"] == ["R1_D28"]


def test_covariates_of_a_change_are_kept() -> None:
    found = incomplete(CHANGE | {"adjust": ["product"]}, drop(cohort(), "N1_D0"))
    assert found.loc["N1", "product"] == "axi"
