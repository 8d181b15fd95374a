"""Reading of a sheet from an Excel workbook (.xlsx) as text, with its rows as numbered there."""

import io
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from lammscope.core.words import shortened

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

MARK = b"PK\x03\x04"  # of a zip archive, which an .xlsx file is
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
        whole = _first_worksheet(content)
        results = _cells(_first_worksheet(content, read_only=True, data_only=True))
        entries = _cells(_first_worksheet(content, read_only=True))
    except UNREADABLE:
        raise ValueError(
            "is an Excel workbook or a zip archive that cannot be read; save the sheet as "
            "CSV (UTF-8) or TSV"
        ) from None
    filled = {number for number, row in enumerate(results, start=1) if any(map(_text, row))}
    problems = [*_merged(whole), *_hidden(whole, filled), *_not_computed(entries, results)]
    if problems:
        raise ValueError("\n".join(problems))
    rows = [(number, [_text(value) for value in results[number - 1]]) for number in sorted(filled)]
    return FirstWorksheet(rows, [sheet.title for sheet in whole.parent.worksheets])


def _first_worksheet(content: bytes, **how: bool) -> "Worksheet":
    from openpyxl import load_workbook  # only a run with workbooks waits for this import

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # openpyxl's, about formats that it would not save
        sheet: Worksheet = load_workbook(io.BytesIO(content), **how).worksheets[0]
    return sheet


def _cells(sheet: "Worksheet") -> list[tuple[Any, ...]]:
    """Return the values of every row of a worksheet that was opened only for reading."""
    sheet.reset_dimensions()  # the size that some programs state is wrong
    return list(sheet.iter_rows(values_only=True))


def _merged(sheet: "Worksheet") -> Iterator[str]:
    areas = [str(area) for area in sheet.merged_cells.ranges]
    if areas:
        yield f"merged cells {shortened(sorted(areas))}; unmerge them and fill in every cell"


def _hidden(sheet: "Worksheet", filled: set[int]) -> Iterator[str]:
    rows = [row for row, kept in sorted(sheet.row_dimensions.items()) if kept.hidden]
    rows = [row for row in rows if row in filled]
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
