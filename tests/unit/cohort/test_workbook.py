"""Sheets that are Excel workbooks, as laboratories and programs save them."""

import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from lammscope.cohort.config import read_schema
from lammscope.cohort.sheet_file import Sheet, read_sheet
from lammscope.cohort.workbook import read_workbook

SCHEMA = read_schema("samples")
HEADER: list[Any] = ["sample", "patient", "timepoint", "counts", "day", "site"]
ROWS: list[list[Any]] = [["A1", 7, "pre", "a.h5", -6, "x"], ["A2", 7, "post", "b.h5", 7.5, None]]


def content_of(change: Callable[[Worksheet], object] = lambda sheet: None) -> bytes:
    """Write the example as a workbook with a change."""
    workbook = Workbook()
    for row in [HEADER, *ROWS]:
        workbook.active.append(row)
    change(workbook.active)
    file = io.BytesIO()
    workbook.save(file)
    return file.getvalue()


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sheet]:
    """Return a function that reads the changed example from a file."""
    monkeypatch.chdir(tmp_path)

    def read_changed(change: Any = lambda sheet: None, name: str = "samples.xlsx") -> Any:
        (tmp_path / name).write_bytes(content_of(change))
        return read_sheet(name, schema=SCHEMA)

    return read_changed


@pytest.mark.parametrize("name", ["samples.xlsx", "samples.XLSX", "samples.tsv", "samples"])
def test_a_workbook_is_read_like_text_whatever_its_name(
    read: Any, tmp_path: Path, name: str
) -> None:
    sheet = read(name=name)
    lines = [HEADER, *ROWS]
    text = "\n".join("\t".join("" if v is None else str(v) for v in line) for line in lines)
    (tmp_path / "text.tsv").write_text(text)
    assert sheet.mistakes == sheet.notes == []
    assert sheet.table.equals(read_sheet("text.tsv", schema=SCHEMA).table)
    assert sheet.table["patient"].tolist() == ["7", "7"]
    assert sheet.table["day"].tolist() == [-6, 7.5]


def insert_above(sheet: Worksheet) -> None:
    """Put a comment and an empty row above the header."""
    sheet.insert_rows(1, 2)
    sheet["A1"] = "# filled in on Monday"
    sheet["A5"] = "x/A2"


def remark(sheet: Worksheet) -> None:
    """Write a remark and styles outside the table."""
    sheet["A4"] = "# a remark"
    sheet["F9000"].number_format = "0.00"


def formulas(sheet: Worksheet) -> None:
    """Enter formulas, whose results openpyxl does not save."""
    sheet["E2"], sheet["E3"] = "=1-7", "=14/2"


def hide(sheet: Worksheet) -> None:
    """Hide rows as a filter does."""
    sheet.row_dimensions[3].hidden = True
    sheet.row_dimensions[77].hidden = True  # below the table


CHANGES = {  # what is changed, the mistake
    "rows are those of the file": (insert_above, "row 5: sample `x/A2` cannot be used in file"),
    "a remark": (remark, ""),
    "a number with a point": (lambda s: s.__setitem__("B2", 7.0), ""),
    "spaces and a line break": (lambda s: s.__setitem__("A2", " A1\n"), ""),
    "an error": (lambda s: s.__setitem__("B3", "#REF!"), "row 3: `patient` is `#REF!`, an error"),
    "an error in front": (lambda s: s.__setitem__("A3", "#N/A"), "row 3: `sample` is `#N/A`"),
    "a date": (
        lambda s: s.__setitem__("A2", datetime(2024, 3, 1)),
        "row 2: `sample` is `2024-03-01 00:00:00`, which a spreadsheet turned into a date",
    ),
    "a date as day": (
        lambda s: s.__setitem__("E3", datetime(2024, 3, 1)),
        "row 3: `day` is `2024-03-01 00:00:00`; it must be a number",
    ),
    "an empty cell": (lambda s: s.__setitem__("C2", None), "row 2: `timepoint` is empty"),
    "a field too many": (lambda s: s.__setitem__("G3", "x"), "row 3: 7 fields for 6 columns"),
    "merged cells": (lambda s: s.merge_cells("F2:F3"), "merged cells F2:F3; unmerge them"),
    "hidden rows": (hide, "row 3: hidden, perhaps by a filter; show or delete"),
    "no results": (formulas, "row 2: `day` is a formula without a saved result; open and save"),
    "no rows": (lambda s: s.delete_rows(2, 2), "the sheet has no rows below its header"),
    "nothing": (lambda s: s.delete_rows(1, 3), "is empty; it needs a header"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_cells_mean_what_a_person_sees_or_are_refused(read: Any, name: str) -> None:
    change, message = CHANGES[name]
    sheet = read(change)
    if not message:
        assert sheet.mistakes == []
        assert sheet.table["sample"].tolist() == ["A1", "A2"]
        assert sheet.table["patient"].tolist() == ["7", "7"]
        return
    assert sheet.mistakes[0].startswith("samples.xlsx: ")
    assert message in sheet.mistakes[0]


def test_other_worksheets_are_named(read: Any) -> None:
    def legend_first(sheet: Any) -> None:
        sheet.title = "samples"
        sheet.parent.create_sheet("Legend", 0)["A1"] = "Day of the sample"
        sheet.parent.create_sheet("old")

    (mistake,) = read(legend_first).mistakes
    assert mistake.startswith("samples.xlsx (worksheet `Legend`): row 1: no header")
    sheet = read(lambda sheet: sheet.parent.create_sheet("old"))
    assert sheet.mistakes == []
    assert sheet.notes == [
        "samples.xlsx (worksheet `Sheet`): the other worksheets are not read: old"
    ]


UNREADABLE: dict[str, Any] = {
    "half a download": lambda content: content[: len(content) // 2],
    "another archive": lambda content: b"PK\x03\x04\x14\x00\x06\x00",
    "a damaged one": lambda content: content.replace(b"xl/worksheets", b"xl/workshoots"),
    "an old one": lambda content: b"\xd0\xcf\x11\xe0" + content,
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_is_no_workbook_is_refused_in_a_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "samples.xlsx"
    path.write_bytes(UNREADABLE[name](content_of()))
    (mistake,) = read_sheet(path, schema=SCHEMA).mistakes
    assert "Excel workbook" in mistake
    assert mistake.endswith("save the sheet as CSV (UTF-8) or TSV")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lammscope.cohort.workbook.find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"package openpyxl is missing: update the environment"):
        read_workbook(content_of())
