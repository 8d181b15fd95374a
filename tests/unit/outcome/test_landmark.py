"""Landmarks: whose clock starts when, and who is left out."""

import numpy as np
import pandas as pd

from benchmarks.outcome_landmark import measure
from lammscope.outcome.landmark import start_at


def follow_up(**columns: list[float]) -> pd.DataFrame:
    table = pd.DataFrame(columns, index=[f"P{i}" for i in range(len(columns["time"]))])
    return table.assign(reason="")


def test_the_clock_starts_on_each_patients_own_day() -> None:
    days = pd.Series({"P0": 7.0, "P1": 30.0})
    found = start_at(follow_up(time=[100, 100], cause=[1, 0]), days)
    assert found["time"].tolist() == [93, 70]
    assert found["reason"].tolist() == ["", ""]


def test_who_has_no_time_left_is_left_out_with_the_reason() -> None:
    table = follow_up(time=[7, 5, 7, 50], cause=[1, 1, 0, 1])
    days = pd.Series({"P0": 7.0, "P1": 7.0, "P2": 7.0, "P3": np.nan})
    found = start_at(table, days)
    assert found["time"].isna().all()
    assert found["reason"].tolist() == [
        *["event by the day of the landmark"] * 2,
        "censored by the day of the landmark",
        "the day of the sample is not known",
    ]


def test_immortal_time_makes_findings_only_without_the_landmark() -> None:
    values = {figure.what: figure.value for figure in measure(120)}
    for scenario in ("response", "samples"):
        assert values[f"{scenario}: % p < 0.05, landmark"] < 12
        assert values[f"{scenario}: % p < 0.05, from infusion"] > 16
