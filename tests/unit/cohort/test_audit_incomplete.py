"""Who has only one of the two samples that a contrast compares."""

from typing import Any

import pandas as pd
import pytest
from scipy import stats

from lammscope.cohort.audit import STATUSES, audit_design
from lammscope.cohort.audit_incomplete import ITEM
from lammscope.cohort.comparison import compare
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, cohort


def row(entry: dict[str, Any], samples: pd.DataFrame, *lost: str) -> pd.Series:
    samples = samples[~samples["sample"].isin(lost)].reset_index(drop=True)
    comparisons = compare(samples, [asked(entry, samples)])
    table = audit_design(samples, comparisons, sorts={}, max_exact=99, n_draws=99)
    found = table[table["item"] == ITEM]
    assert len(found) == 1
    assert set(found["status"]) <= set(STATUSES)
    return found.iloc[0]


def test_incomplete_patients_are_counted_by_arm_and_by_what_they_have() -> None:
    found = row(CHANGE, cohort(6), "N1_D0", "N2_D7", "R3_D7")
    p = stats.fisher_exact([[2, 4], [1, 5]]).pvalue
    assert found["status"] == "note"
    assert float(found["value"]) == pytest.approx(p, rel=1e-3)
    assert found["message"].startswith(
        "2 of 6 non-responders (1 only before infusion, 1 only after infusion) and 1 of 6 "
        f"responders (1 only before infusion) have only one of the two samples (Fisher's exact "
        f"test, p = {p:.2g})."
    )


def test_a_certain_difference_of_the_arms_is_warned_of() -> None:
    found = row(CHANGE, cohort(12), *(f"N{i}_D7" for i in range(1, 7)))
    assert found["status"] == "warning"
    assert "More are incomplete among non-responders. Those" in found["message"]


@pytest.mark.parametrize(("n_lost", "status"), [(2, "note"), (3, "warning")])
def test_few_patients_are_warned_by_the_size_of_the_difference(n_lost: int, status: str) -> None:
    found = row(CHANGE, cohort(6), *(f"R{i}_D7" for i in range(1, n_lost + 1)))
    assert float(found["value"]) > 0.05
    assert found["status"] == status
    assert ("among responders, although p" in found["message"]) == (status == "warning")


@pytest.mark.parametrize(
    ("lost", "status"),
    [
        (["N1_D7", "N2_D7", "R1_D0"], "note"),
        (["N1_D7", "N2_D7", "N3_D7", "R1_D7"], "warning"),  # 4 of 8
        ([f"N{i}_D7" for i in range(1, 3)], "note"),
    ],
)
def test_pairs_compare_the_sides(lost: list[str], status: str) -> None:
    found = row(PAIRED, cohort(4), *lost)
    n_pre = sum(name.endswith("D7") for name in lost)
    p = stats.binomtest(n_pre, len(lost)).pvalue
    assert float(found["value"]) == pytest.approx(p, rel=1e-3)
    assert found["status"] == status
    assert f"{len(lost)} of 8 patients have only one" in found["message"]
    assert f"{n_pre} only pre samples" in found["message"]
    assert ("Mainly post samples are missing" in found["message"]) == (status == "warning")


@pytest.mark.parametrize("entry", [CHANGE, PAIRED])
def test_complete_patients_are_all_right(entry: dict[str, Any]) -> None:
    found = row(entry, cohort(4))
    assert (found["value"], found["status"]) == ("0", "ok")
    assert found["message"] == "All 8 patients have both samples."


def test_an_arm_without_anyone_has_no_test() -> None:
    samples = cohort(4)
    entry = CHANGE | {"where": {"product": ["axi"]}}
    samples.loc[samples["response"] == "responder", "product"] = "tisa"
    found = row(entry, samples, "N1_D0")
    assert (found["value"], found["status"]) == ("1", "note")


def test_contrasts_of_one_side_have_no_such_row() -> None:
    samples = cohort(4)
    comparisons = compare(samples, [asked(BASELINE, samples)])
    table = audit_design(samples, comparisons, sorts={}, max_exact=99, n_draws=99)
    assert ITEM not in set(table["item"])
