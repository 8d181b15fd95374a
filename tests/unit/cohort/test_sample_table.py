"""The saved sample table keeps values and types, and lets matrices of a past run be archived."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lammscope.cohort.config import resolve_config
from lammscope.cohort.last_run import SHARD, TABLES, LastRun, find_ingested, read_last_run
from lammscope.cohort.sample_table import read_sample_table, sample_table_text
from lammscope.cohort.sheets import check_sheets, read_samples

TEXTS = st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]) | st.just("\t"), min_size=1)
AWKWARD = st.sampled_from(
    ["001", "1e5", "NA", "None", "nan", "True", "2024-01-05", '"', '""', "a\tb", " x", "#", "1,5"]
)
SAMPLES = (
    "sample,patient,timepoint,counts,day,ward,note\n"
    '001,007,baseline,a.h5,,3,"1"\n1e5,None,post,b.h5,7,1,"say ""no"""\nTrue,007,post,c.h5,8.5,2,\n'
)
PATIENTS = (
    "patient,response,age,durable,score,left,empty\n"
    "007,1,61,True,1,2020-01-05,\nNone,0,,False,2,None,\nunused,1,40,x,y,3,4\n"
)


def saved(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Save a table and read it again."""
    path.write_text(sample_table_text(table), encoding="utf-8")
    return read_sample_table(path)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The config of a cohort with awkward values."""
    monkeypatch.chdir(tmp_path)
    for name in ("a.h5", "b.h5", "c.h5"):
        (tmp_path / name).touch()
    (tmp_path / "samples.csv").write_text(SAMPLES)
    (tmp_path / "patients.csv").write_text(PATIENTS)
    labels = {"responder": [1], "non_responder": [0]}
    return resolve_config(
        {"samples": "samples.csv", "patients": "patients.csv", "response": labels}
    )


def test_awkward_sheets_are_read_again_as_they_were_checked(
    config: dict[str, Any], tmp_path: Path
) -> None:
    table = read_samples(config)
    assert table["score"].tolist() == ["1", "2", "1"]  # text, for a patient without samples
    assert table["day"].isna().any()
    assert table["empty"].isna().all()
    again = saved(table, tmp_path / "table.tsv")
    pd.testing.assert_frame_equal(again, table, check_exact=True)
    assert again["response"].tolist() == table["response"].tolist()


def test_a_label_of_numbers_stays_numbers_and_empty_columns_keep_their_type(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {
            "sample": pd.Series(["a", "b"], dtype="str"),
            "response_label": [1, 0],
            "whole": [1.0, 2.0],
            "no_number": [np.nan, np.nan],
            "no_text": pd.Series([pd.NA, pd.NA], dtype="str"),
            "large": [2**62, -(2**62)],
        }
    )
    pd.testing.assert_frame_equal(saved(table, tmp_path / "t.tsv"), table, check_exact=True)


@given(
    text=st.lists(st.none() | AWKWARD | TEXTS, min_size=3, max_size=3),
    numbers=st.lists(st.floats(allow_infinity=False), min_size=3, max_size=3),
    name=AWKWARD | TEXTS,
)
def test_any_text_and_any_number_survive(
    tmp_path_factory: pytest.TempPathFactory,
    text: list[str | None],
    numbers: list[float],
    name: str,
) -> None:
    name = f"{name}."
    columns = {"sample": pd.Series(text, dtype="str"), name: pd.Series(numbers, dtype=float)}
    table = pd.DataFrame(columns)
    again = saved(table, tmp_path_factory.getbasetemp() / "any.tsv")
    pd.testing.assert_frame_equal(again, table, check_exact=True)


def test_other_programs_read_the_saved_table(config: dict[str, Any], tmp_path: Path) -> None:
    table = read_samples(config)
    saved(table, tmp_path / "table.tsv")
    with (tmp_path / "table.tsv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t"))
    assert [row["sample"] for row in rows] == ["001", "1e5", "True"]
    assert rows[1]["note"] == 'say "no"'


def test_a_column_of_mixed_values_is_refused() -> None:
    with pytest.raises(ValueError, match="column `age` is neither text nor numbers"):
        sample_table_text(pd.DataFrame({"age": pd.Series([1, "x"], dtype=object)}))


def test_what_is_no_saved_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text('"sample"\n')
    with pytest.raises(ValueError, match="delete it and run again"):
        read_sample_table(tmp_path / "t.tsv")


@pytest.fixture
def last(config: dict[str, Any], tmp_path: Path) -> LastRun | None:
    """The last run of this cohort, with one per-sample count file deleted since."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    for folder in ("design", "qc", "shards"):
        (tmp_path / folder).mkdir()
    saved(read_samples(config), tmp_path / "design" / "samples.tsv")
    for name in ("001", "1e5"):
        for path in (SHARD, *TABLES):
            (tmp_path / path.format(sample=name)).touch()
    return read_last_run(tmp_path)


def test_the_matrix_of_a_sample_that_was_read_in_may_be_archived(
    config: dict[str, Any], last: LastRun, tmp_path: Path
) -> None:
    assert last.qc == config["qc"]
    for name in ("a.h5", "c.h5"):
        (tmp_path / name).unlink()
    sheets = check_sheets(config, last=last)
    (mistake,) = sheets.mistakes  # of the sample without a shard
    assert "`counts` is `c.h5`, which does not exist" in mistake
    assert "matrices that no longer exist: 1 (e.g. a.h5)" in sheets.notes[-1]
    assert len(check_sheets(config).mistakes) == 2
    assert check_sheets(config, look=False).mistakes == []


@pytest.mark.parametrize("change", [("a.h5", "./d.h5"), ("001", "002")])
def test_another_matrix_or_another_sample_must_be_there(
    config: dict[str, Any], last: LastRun, tmp_path: Path, change: tuple[str, str]
) -> None:
    (tmp_path / "a.h5").unlink()
    (tmp_path / "samples.csv").write_text(SAMPLES.replace(*change))
    assert "does not exist" in "".join(check_sheets(config, last=last).mistakes)


def test_a_sheet_with_a_genome_of_its_own_is_another_source(
    config: dict[str, Any], last: LastRun
) -> None:
    table = read_samples(config)
    assert find_ingested(table, last).tolist() == [True, True, False]
    assert not find_ingested(table.assign(genome="GRCh38"), last).any()
    assert not find_ingested(table, None).any()


@pytest.mark.parametrize("text", ["", "qc", "[", "seed: 1"])
def test_a_damaged_record_frees_no_matrix(
    tmp_path: Path, config: dict[str, Any], text: str
) -> None:
    (tmp_path / "design").mkdir()
    table = tmp_path / "design" / "samples.tsv"
    saved(read_samples(config), table)
    (tmp_path / "config.yaml").write_text(text)
    assert read_last_run(tmp_path) is None
    (tmp_path / "config.yaml").write_text("qc: {}")
    table.write_text(text)
    assert read_last_run(tmp_path) is None
