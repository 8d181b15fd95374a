"""Reading of a sheet from an Excel workbook (.xlsx) as text, with its rows as numbered there."""

import io
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree.ElementTree import ParseError, iterparse
from zipfile import BadZipFile, ZipFile

from lammscope.core.words import shortened

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

MARK = b"PK\x03\x04"  # of a zip archive, which an .xlsx file is
LARGEST = 10_000_000  # bytes of XML; a sheet of a thousand samples has under 1 MB
MOST_FIELDS = 5_000_000  # up to the last filled field of each row
UNREADABLE = (
    BadZipFile,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    ParseError,
    TypeError,
    ValueError,
)


class TooLargeError(Exception):
    """What is wrong with a workbook that would fill the memory."""


class Layout(NamedTuple):
    """Merged areas and the numbers of hidden rows."""

    merged: list[str]
    hidden: list[int]


class FirstWorksheet(NamedTuple):
    """The first worksheet of a workbook: its rows as text, and the names of all worksheets."""

    rows: list[tuple[int, list[str]]]
    names: list[str]


def read_workbook(content: bytes) -> FirstWorksheet:
    """Read the first worksheet of an .xlsx file.

    pandas is not used, since it reads the errors of formulas (`#REF!`) as empty fields.

    Parameters
    ----------
    content
        The bytes of the file.

    Returns
    -------
    FirstWorksheet
        Number and fields of each row, as text: 7.0 is `7`, a date is `2024-05-01 00:00:00`.

    Raises
    ------
    ValueError
        If the file cannot be read, or has merged cells, hidden rows or formulas without a saved
        result, which a program reads otherwise than a person. One line per reason.
    """
    if find_spec("openpyxl") is None:
        raise ValueError(
            "is an Excel workbook, for which the package openpyxl is missing: update the "
            "environment (make setup), or save the sheet as CSV (UTF-8) or TSV"
        )
    try:
        _check_parts(content)
        sheet = _first_worksheet(content, data_only=True)
        layout = _layout_of(content, sheet)
        results = _cells(sheet)
        entries = _cells(_first_worksheet(content))
    except TooLargeError as error:
        raise ValueError(str(error)) from None
    except UNREADABLE:
        raise ValueError(
            "is an Excel workbook or a zip archive that cannot be read; save the sheet as "
            "CSV (UTF-8) or TSV"
        ) from None
    filled = {number for number, row in enumerate(results, start=1) if any(map(_text, row))}
    problems = [
        *_merged(layout.merged),
        *_hidden(layout.hidden, filled),
        *_not_computed(entries, results),
    ]
    if problems:
        raise ValueError("\n".join(problems))
    rows = [(number, [_text(value) for value in results[number - 1]]) for number in sorted(filled)]
    return FirstWorksheet(rows, [each.title for each in sheet.parent.worksheets])


def _check_parts(content: bytes) -> None:
    """Refuse a zip bomb, and XML that declares entities, which no workbook does."""
    with ZipFile(io.BytesIO(content)) as packed:
        parts = [part for part in packed.infolist() if part.filename.endswith((".xml", ".rels"))]
        total = sum(part.file_size for part in parts)
        if total > LARGEST:
            raise TooLargeError(
                f"is a workbook whose parts have {total / 1e6:,.0f} MB (at most "
                f"{LARGEST / 1e6:.0f}); copy the table to a new workbook, or save it as CSV (UTF-8)"
            )
        for part in parts:
            text = packed.read(part).replace(b"\0", b"")  # also in UTF-16
            if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
                raise TooLargeError(
                    f"is a workbook whose part {part.filename} declares entities of XML, as no "
                    "spreadsheet program does; save the sheet as CSV (UTF-8) or TSV"
                )


def _layout_of(content: bytes, sheet: "Worksheet") -> Layout:
    """Return merged areas and hidden rows of a worksheet, without a cell for each place in them."""
    merged, hidden = [], []
    with (
        ZipFile(io.BytesIO(content)) as packed,
        packed.open(sheet._worksheet_path) as part,
    ):
        number = 0
        for _, element in iterparse(part, events=["end"]):
            kind = element.tag.rpartition("}")[2]
            if kind == "row":
                number = int(element.get("r", number + 1))
                if element.get("hidden") in ("1", "true"):
                    hidden.append(number)
                element.clear()
            elif kind == "mergeCell":
                merged.append(element.get("ref", ""))
    return Layout(merged, hidden)


def _first_worksheet(content: bytes, **how: bool) -> "Worksheet":
    from openpyxl import load_workbook  # only a run with workbooks waits for this import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, about formats that it would not save
        sheet: Worksheet = load_workbook(io.BytesIO(content), read_only=True, **how).worksheets[0]
    return sheet


def _cells(sheet: "Worksheet") -> list[tuple[Any, ...]]:
    """Return the values of every row of a worksheet that was opened only for reading."""
    sheet.reset_dimensions()  # the size that some programs state is wrong
    rows: list[tuple[Any, ...]] = []
    n_fields = 0
    for row in sheet.iter_rows(values_only=True):
        rows.append(row)
        n_fields += 1 + len(row)
        if n_fields > MOST_FIELDS:
            raise TooLargeError(
                f"row {len(rows)}: over {MOST_FIELDS:,} fields up to here; delete empty columns "
                "and rows beyond the table, or copy it to a new workbook"
            )
    return rows


def _merged(areas: list[str]) -> Iterator[str]:
    if areas:
        yield f"merged cells {shortened(sorted(areas))}; unmerge them and fill in every cell"


def _hidden(rows: list[int], filled: set[int]) -> Iterator[str]:
    rows = [row for row in sorted(rows) if row in filled]
    if rows:
        yield (
            f"row{'s' if rows[1:] else ''} {shortened(rows)}: hidden, perhaps by a "
            "filter; show or delete them, since a sheet is read whole"
        )


def _not_computed(entries: list[tuple[Any, ...]], results: list[tuple[Any, ...]]) -> Iterator[str]:
    """Find formulas whose results the program that wrote the file did not save."""
    formulas = {
        (number, column): results[number - 1][column]
        for number, row in enumerate(entries, start=1)
        for column, entry in enumerate(row)
        if (isinstance(entry, str) and entry.startswith("=")) or hasattr(entry, "ref")
    }
    # A single one may have an empty text as its result.
    if formulas and all(result is None for result in formulas.values()):
        number, column = next(iter(formulas))
        header = _text(results[0][column])
        yield (
            f"row {number}: `{header}` is a formula without a saved result; open and save the "
            "file in a spreadsheet program, or enter the values"
        )


def _text(value: Any) -> str:
    """Return a value as text, as in a sheet saved as CSV."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).splitlines()).strip()
