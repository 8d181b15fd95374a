"""Sheets as spreadsheet programs write them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lammscope.cohort.config import read_schema
from lammscope.cohort.sheet_file import Sheet, fill_defaults, read_sheet

SCHEMA = read_schema("samples")
HEADER = "sample\tpatient\ttimepoint\tcounts"
PLAIN = f"{HEADER}\tday\nA1\tA\tpre\tm.h5\t-6\nB1\tB\tpost\tm.h5\t7\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Sheet]:
    def write_and_read(content: str | bytes, schema: dict[str, Any] = SCHEMA) -> Sheet:
        path = tmp_path / "samples.tsv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        sheet = read_sheet(path, schema=schema)
        assert all(mistake.startswith(f"{path}: ") for mistake in sheet.mistakes)
        return sheet

    return write_and_read


FORMS = {
    "tsv": PLAIN,
    "csv": PLAIN.replace("\t", ","),
    "semicolons": PLAIN.replace("\t", ";"),
    "byte order mark": "\ufeff" + PLAIN,
    "windows line ends": PLAIN.replace("\n", "\r\n"),
    "old mac line ends": PLAIN.replace("\n", "\r"),
    "no last line end": PLAIN.rstrip("\n"),
    "quoted": PLAIN.replace("A1", '"A1"').replace("sample", '"sample"'),
    "spaces": PLAIN.replace("A1", "  A1 ").replace("patient", " patient "),
    "empty last lines": PLAIN + "\n\t\t\t\t\n\r\n",
    "comments": "# written by hand\n" + PLAIN + "# end\n",
    "trailing separators": PLAIN.replace("\n", "\t\t\n"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_table(read: Callable[..., Any], form: str) -> None:
    sheet = read(FORMS[form])
    assert sheet.mistakes == []
    assert sheet.table["sample"].tolist() == ["A1", "B1"]
    assert sheet.table["day"].tolist() == [-6, 7]
    assert list(sheet.table) == [*HEADER.split("\t"), "day"]


def test_rows_have_the_numbers_that_an_editor_shows(read: Callable[..., Sheet]) -> None:
    sheet = read(f'# note\n{HEADER}\tnote\n\nA1\tA\tpre\tm.h5\t"two\nlines"\nB1\tB\tpre\tm.h5\tx\n')
    assert sheet.table.index.tolist() == [4, 6]


def test_a_path_keeps_its_blanks(read: Callable[..., Sheet]) -> None:
    sheet = read(f"{HEADER}\nA1\tA\tpre\t my  data/x.h5 \n")
    assert sheet.table["counts"].tolist() == ["my  data/x.h5"]


def test_names_that_look_like_numbers_stay_text_and_covariates_become_numbers(
    read: Callable[..., Sheet],
) -> None:
    sheet = read(f"{HEADER}\tsite\tload\n01\t007\t7\tm.h5\t3\t1,5\n2\t8\t7\tm.h5\t\tNA\n")
    assert sheet.mistakes == []
    assert sheet.table["patient"].tolist() == ["007", "8"]
    assert sheet.table["timepoint"].tolist() == ["7", "7"]
    assert sheet.table["site"].tolist()[0] == 3
    assert sheet.table["load"].tolist()[0] == 1.5
    assert sheet.table["load"].isna().tolist() == [False, True]


def test_defaults_come_from_the_schema(read: Callable[..., Any]) -> None:
    table = read(PLAIN + "C1\tC\tpre\tn.h5\n").table.assign(sort=["CD3+", None, None])
    filled = fill_defaults(table, SCHEMA)
    assert filled["compartment"].tolist() == ["unstated"] * 3
    assert filled["sort"].tolist() == ["CD3+", "none", "none"]
    assert filled["batch"].tolist() == ["A1", "B1", "C1"]


MISTAKES = {
    "a column is missing": ("timepoint", "timepiont", "no column `timepoint` (did you mean"),
    "no header": (HEADER + "\tday\n", "", "row 1: no header; the first row must name the columns"),
    "a column twice": ("\tday", "\tpatient", "column `patient` appears more than once"),
    "an unnamed column": ("timepoint\tcounts\tday", "timepoint\tcounts\t\tday", "column 5 has no"),
    "too many fields": ("A1\tA\tpre\tm.h5\t-6", "A1\tA\tpre\tm.h5\t-6\tx", "row 2: 6 fields for 5"),
    "an open quote": ("A1", '"A1', "is a quotation mark not closed?"),
    "an empty field": ("A1\tA\tpre", "A1\tA\t", "row 2: `timepoint` is empty; fill it in"),
    "NA in a needed field": ("A1\tA", "A1\tNA", "row 2: `patient` is empty; fill it in"),
    "a slash": ("A1", "x/A1", "row 2: sample `x/A1` cannot be used in file names"),
    "a way out of the folder": (
        "A1",
        "../A1",
        "row 2: sample `../A1` cannot be used in file names",
    ),
    "a space": ("A1", "A 1", "row 2: sample `A 1` cannot be used in file names"),
    "a brace": ("A1", "{A1}", "row 2: sample `{A1}` cannot be used in file names"),
    "a quote": ("A1", "A'1", "row 2: sample `A'1` cannot be used in file names"),
    "a long name": ("A1", "A" * 101, "has 101 characters; at most 100"),
    "a date of Excel": ("A1\tA", "A1\t1-Mar", "row 2: `patient` is `1-Mar`, which a spreadsheet"),
    "a month of Excel": ("B\tpost", "B\tMar-07", "row 3: `timepoint` is `Mar-07`, which a"),
    "a number of Excel": ("A1\tA", "A1\t1.0", "row 2: `patient` is `1.0`, which a spreadsheet"),
    "an exponent of Excel": ("A1\tA", "A1\t1.2E+05", "`patient` is `1.2E+05`, which a spreadsheet"),
    "an error of Excel": ("-6", "#REF!", "row 2: `day` is `#REF!`, an error in the spreadsheet"),
    "text for a number": ("-6", "six", "row 2: `day` is `six`; it must be a number"),
    "nothing but a header": ("A1\tA\tpre\tm.h5\t-6\nB1\tB\tpost\tm.h5\t7\n", "", "no rows below"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_row_column_and_remedy(read: Callable[..., Sheet], name: str) -> None:
    old, new, message = MISTAKES[name]
    assert old in PLAIN
    sheet = read(PLAIN.replace(old, new, 1))
    assert any(message in mistake for mistake in sheet.mistakes), sheet.mistakes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"\n\n\r\n", "is empty"),
        (b"PK\x03\x04rest", "is an Excel workbook or a zip archive that cannot be read; save the"),
        (PLAIN.encode("utf-16"), "is text in UTF-16; save the sheet as CSV (UTF-8)"),
        (PLAIN.replace("A1", "Jürg").encode("latin-1"), "row 2: not UTF-8"),
        (PLAIN.encode() + b"\0\0", "contains binary data"),
        (b"\x1f\x8b\x08rest", "is gzipped"),
    ],
)
def test_what_is_no_text_file_is_named(
    read: Callable[..., Sheet], content: bytes, message: str
) -> None:
    sheet = read(content)
    assert sheet.table is None
    assert any(message in mistake for mistake in sheet.mistakes), sheet.mistakes


def test_a_path_that_is_no_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "sample.tsv").touch()
    (mistake,) = read_sheet(tmp_path / "samples.tsv", schema=SCHEMA).mistakes
    assert "no such file (did you mean `sample.tsv`?)" in mistake
    (mistake,) = read_sheet(tmp_path, schema=SCHEMA).mistakes
    assert "is a folder" in mistake


def test_all_mistakes_of_a_sheet_are_listed_by_row(read: Callable[..., Sheet]) -> None:
    sheet = read(PLAIN.replace("A1\tA", "a/1\t").replace("7", "x"))
    rows = [mistake.split("row ")[1][0] for mistake in sheet.mistakes]
    assert rows == ["2", "2", "3"]


def test_values_outside_their_limits_are_named(read: Callable[..., Sheet]) -> None:
    sheet = read("patient\tage\tpfs_event\nA\t200\t1\nB\t60\t2\n", read_schema("patients"))
    assert "`age` is `200`; it must be at most 120" in sheet.mistakes[0]
    assert "`pfs_event` is `2`; allowed: 0, 1" in sheet.mistakes[1]


NAMES = st.sampled_from([*HEADER.split("\t"), "day", "compartment", "age", "", "x"])
FIELDS = st.one_of(
    st.sampled_from(["", "A", "1.0", "1-Mar", '"', '"a', "NA", "1e400", "9" * 30, "-", "{", "é"]),
    st.text(max_size=6),
)


@given(
    header=st.lists(NAMES, max_size=7),
    rows=st.lists(st.lists(FIELDS, max_size=8), max_size=5),
    separator=st.sampled_from("\t,;"),
    end=st.sampled_from(["\n", "\r\n"]),
)
@example(header=HEADER.split("\t"), rows=[["a", "b", "c", "9" * 30]], separator=",", end="\n")
def test_any_table_validates_or_gives_a_message(
    tmp_path_factory: pytest.TempPathFactory,
    header: list[str],
    rows: list[list[str]],
    separator: str,
    end: str,
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.tsv"
    text = end.join(separator.join(fields) for fields in [header, *rows])
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    sheet: Any = read_sheet(path, schema=SCHEMA)
    assert sheet.mistakes or sheet.table is not None
    assert all(len(mistake.splitlines()) == 1 for mistake in sheet.mistakes)
    if not sheet.mistakes:
        assert set(SCHEMA["required"]) <= set(sheet.table)
        assert sheet.table[SCHEMA["required"]].notna().all(axis=None)
        assert len(sheet.table) > 0


@given(content=st.binary(max_size=200))
def test_any_file_validates_or_gives_a_message(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    assert read_sheet(path, schema=SCHEMA).mistakes


THOUSANDS = {  # values of a column, and whether commas separate thousands
    "thousands": (["1,200", "900", "12,000"], True),
    "with points": (["1,200.5", "900"], True),
    "decimals": (["1,5", "2,125"], False),
    "below one": (["0,125", "1,250"], False),
    "text": (["1,200 or so", "1,200"], False),
}


@pytest.mark.parametrize("name", THOUSANDS)
def test_separators_of_thousands_are_asked_about(tmp_path: Path, name: str) -> None:
    values, expected = THOUSANDS[name]
    rows = [f"P{i}\tCR\t{value}" for i, value in enumerate(values)]
    path = tmp_path / "patients.tsv"
    path.write_text("\n".join(["patient\tresponse\tferritin", *rows]) + "\n")
    mistakes = read_sheet(path, schema=read_schema("patients")).mistakes
    assert bool(mistakes) is expected
    if expected:
        assert f"row 2: `ferritin` is `{values[0]}`: is that 1200" in mistakes[0]


def test_a_column_that_is_empty_in_all_rows_is_one_mistake(tmp_path: Path) -> None:
    rows = ["sample\tpatient\ttimepoint\tcounts", "a\tA\t\ta.h5", "b\tB\tNA\tb.h5"]
    (tmp_path / "x.tsv").write_text("\n".join(rows) + "\n")
    (mistake,) = read_sheet(tmp_path / "x.tsv", schema=SCHEMA).mistakes
    assert "row 2: `timepoint` is empty in this and all other rows; fill it in" in mistake
