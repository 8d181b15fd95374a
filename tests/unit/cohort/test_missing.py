"""Words and codes for missing values, and values that look like them."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.config import read_schema
from lammscope.cohort.missing import find_missing
from lammscope.cohort.sheet_file import read_sheet

DAY = {"type": "number"}  # may be negative
LDH = {"type": "number", "minimum": 0}
COLUMNS: dict[str, tuple[Any, ...]] = {  # values, the column in the schema, and which are missing
    "Python's None": (["axi", "None", "tisa"], {}, ["None"]),
    "unknown in any capitals": (["F", "Unknown", "unknown", "M"], {}, ["Unknown", "unknown"]),
    "not done": (["1.2", "n.d.", "not_done", "Not Available"], {}, None),
    "a question mark": (["A", "?", "B"], {}, ["?"]),
    "a code among numbers": (["250", "-999", "310"], {}, ["-999"]),
    "codes of a spreadsheet": (["250", "-99.0", "-9999", "310,5"], {}, ["-99.0", "-9999"]),
    "a code among text": (["north", "-999", "south"], {}, ["-999"]),
    "a code of a measured column": (["250", "-99"], LDH, ["-99"]),
    "a code among negative numbers": (["-3.5", "2", "-999"], {}, ["-999"]),
    "none among numbers": (["250", "none", "310"], {}, ["none"]),
    "nothing but none of a number": (["none", "none"], LDH, ["none", "none"]),
    "a dash": (["axi", "-", "tisa"], {}, ["-"]),
    "a category none": (["none", "chemo", "radiation"], {}, []),
    "plus and minus": (["+", "-", "+"], {}, []),
    "a day long before infusion": (["-99", "0", "14"], DAY, []),
    "a code of a day": (["-6", "-999", "14"], DAY, ["-999"]),
    "negative numbers": (["-99", "-120", "-80"], {}, []),
    "newly diagnosed": (["ND", "R", "ND"], {}, []),
    "nine": (["9", "99", "12"], {}, []),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_usual_words_and_codes_are_missing_and_values_are_not(name: str) -> None:
    values, part, missing = COLUMNS[name]
    column = pd.Series(values, dtype="str")
    expected = values[1:] if missing is None else missing
    assert column[find_missing(column, part, ())].tolist() == expected


def test_values_that_the_config_names_are_never_missing() -> None:
    column = pd.Series(["CR", "None", "unknown"], dtype="str")
    assert column[find_missing(column, {}, ["None", "CR"])].tolist() == ["unknown"]


def read(tmp_path: Path, text: str, **keep: Any) -> Any:
    path = tmp_path / "patients.tsv"
    path.write_text(text)
    return read_sheet(path, schema=read_schema("patients"), keep=keep)


def test_what_is_read_as_missing_is_noted_with_its_rows(tmp_path: Path) -> None:
    sheet = read(tmp_path, "patient\tsite\tldh\nA\tunknown\t250\nB\t2\t-999\nC\t3\tnone\n")
    assert sheet.mistakes == []
    assert sheet.table["ldh"].tolist()[0] == 250
    assert sheet.table["ldh"].isna().tolist() == [False, True, True]
    assert sheet.table["site"].tolist()[1:] == [2, 3]
    assert [note.removeprefix(f"{sheet.path}: ") for note in sheet.notes] == [
        "`site`: `unknown` (row 2) read as missing; if it is a value, use another word or code",
        "`ldh`: `-999` (row 3), `none` (row 4) read as missing; if it is a value, use another word "
        "or code",
    ]


def test_empty_fields_and_na_need_no_note(tmp_path: Path) -> None:
    sheet = read(tmp_path, "patient\tsite\nA\tNA\nB\t\nC\tn/a\nD\tNaN\nE\tNull\nF\tx\n")
    assert sheet.table["site"].isna().sum() == 5
    assert sheet.notes == []


def test_a_response_named_none_is_kept_if_the_config_lists_it(tmp_path: Path) -> None:
    text = "patient\tresponse\nA\tNone\nB\tCR\n"
    assert read(tmp_path, text, response=["CR", "None"]).table["response"].tolist()[0] == "None"
    assert read(tmp_path, text).table["response"].isna().tolist() == [True, False]


def test_needed_columns_keep_their_words(tmp_path: Path) -> None:
    sheet = read(tmp_path, "patient\nunknown\nx\n")
    assert (sheet.mistakes, sheet.notes) == ([], [])
    assert sheet.table["patient"].tolist() == ["unknown", "x"]
