"""Names of samples in figures: the sheet's, else patient and time point, always unique."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from lammscope.cohort.labels import label_mistakes, sample_labels
from lammscope.cohort.sample_table import read_labeled, sample_table_text


def table(**columns: Sequence[object]) -> pd.DataFrame:
    n = len(next(iter(columns.values())))
    return pd.DataFrame({"sample": [f"LIB-{i}" for i in range(n)]} | columns)


def shown(**columns: Sequence[object]) -> list[str]:
    return list(sample_labels(table(**columns)).values())


def test_a_sample_is_named_by_patient_and_time_point() -> None:
    assert shown(patient=["P_01", "P_01"], timepoint=["baseline", "day_7"]) == [
        "P_01 baseline", "P_01 day 7",
    ]  # fmt: skip


def test_only_what_tells_samples_apart_is_added() -> None:
    names = shown(
        patient=["P1", "P1", "P1", "P2"],
        timepoint=["pre"] * 4,
        compartment=["blood", "marrow", "marrow", "blood"],
        sort=["none", "none", "CD3", "none"],
        batch=["a", "b", "c", "d"],
    )
    assert names == ["P1 pre blood", "P1 pre marrow none", "P1 pre marrow CD3", "P2 pre"]


def test_samples_that_nothing_tells_apart_keep_their_names() -> None:
    names = shown(patient=["P1", "P1", "P2"], timepoint=["pre"] * 3, batch=["a", "a", "b"])
    assert names == ["LIB-0", "LIB-1", "P2 pre"]


def test_a_given_label_is_shown_and_never_twice() -> None:
    names = shown(patient=["P1", "P2"], timepoint=["pre", "pre"], label=["P2 pre", None])
    assert names == ["P2 pre", "LIB-1"]


def test_a_column_of_patients_with_this_name_is_no_label() -> None:
    names = shown(patient=["P1", "P1"], timepoint=["pre", "post"], label=["low", "low"])
    assert names == ["P1 pre", "P1 post"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["A", "A"], "row 1: label `A` is also in row 0; labels name samples"),
        (["LIB-1", None], "row 0: label `LIB-1` is the name of the sample in row 1; change it"),
    ],
)
def test_labels_that_would_confuse_samples_are_refused(labels: list[str], message: str) -> None:
    (found,) = label_mistakes(table(label=labels))
    assert found.startswith(message)
    assert not list(label_mistakes(table(label=["LIB-0", "B"])))


def test_a_saved_table_is_read_with_the_labels(tmp_path: Path) -> None:
    samples = table(patient=["P1", "P2"]).astype("str")
    path = tmp_path / "samples.tsv"
    path.write_text(sample_table_text(samples))
    read = read_labeled(path, {"LIB-0": "P1 pre"})
    assert read["label"].tolist() == ["P1 pre", "LIB-1"]
