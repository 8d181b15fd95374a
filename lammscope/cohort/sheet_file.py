"""Reading and validation of one sheet, as spreadsheet programs save it."""

import csv
import difflib
import io
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd

from lammscope.cohort.config import explain_value
from lammscope.cohort.covariates import LIKE_DATE
from lammscope.cohort.missing import EMPTY, find_missing
from lammscope.cohort.workbook import MARK, read_workbook
from lammscope.core.plain_text import LARGEST, LONGEST_NAME, check_regular, text_problem
from lammscope.core.words import near, shortened

MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
EXCEL_DATE = re.compile(
    rf"\d{{1,2}}-({MONTHS})(-\d{{2,4}})?|({MONTHS})-\d{{2}}|\d{{1,2}}/\d{{1,2}}/\d{{2,4}}"
    r"|\d{4}-\d{2}-\d{2} 00:00:00",
    re.IGNORECASE,
)
EXCEL_NUMBER = re.compile(r"\d+\.0+|\d(\.\d+)?E\+\d+")
EXCEL_ERROR = re.compile(r"#(N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")
AS_WRITTEN = ("barcodes", "channel", "genome", "layer")  # never missing by a word
FLAGS = {"yes": "1", "y": "1", "true": "1", "no": "0", "n": "0", "false": "0"}
IDS = ("sample", "patient", "channel")  # names that a spreadsheet program must not change
NO_FILE_NAME = (
    "cannot be used in file names; use letters, digits, `.`, `_`, `+`, `-`, and begin with a "
    "letter or digit"
)
FILE_KINDS = {
    b"\xd0\xcf\x11\xe0": "an old or encrypted Excel workbook",
    b"\xff\xfe": "text in UTF-16",
    b"\xfe\xff": "text in UTF-16",
    b"\x1f\x8b": "gzipped",
}


@dataclass(frozen=True)
class Sheet:
    """A sheet: its table, with the row in the file as index, its mistakes, and notes.

    `table` is None if the file cannot be read as a table with the required columns. `notes` say
    what of a workbook is not read.
    """

    path: str
    table: pd.DataFrame | None
    mistakes: list[str]
    notes: list[str] = field(default_factory=list)


def read_sheet(
    path: str | Path,
    *,
    schema: Mapping[str, Any],
    keep: Mapping[str, Collection[str]] | None = None,
) -> Sheet:
    """Read a TSV, CSV or .xlsx sheet and check all values against its schema.

    Of a workbook the first worksheet is read. The following are accepted: a byte order mark,
    Windows line endings, quoted fields, spaces around fields, empty lines, lines that begin with
    `#`, `;` as separator, decimal commas, `NA` as missing value, and other usual words for it
    (`missing.find_missing`), which are noted.

    Parameters
    ----------
    path
        The sheet.
    schema
        Its columns: required ones, types, limits, defaults. Other columns are kept, as numbers if
        all values are numbers.
    keep
        Values by column that the config names, which are never missing.

    Returns
    -------
    Sheet
        The table, its mistakes and notes; no content of the file raises an error.
    """
    name = str(path)
    notes: list[str] = []
    try:
        content = _read_content(Path(path))
        if content.startswith(MARK):
            lines, worksheets = read_workbook(content)
            lines = [(row, fields) for row, fields in lines if not _is_empty("\t".join(fields))]
            if len(worksheets) > 1:
                name = f"{path} (worksheet `{worksheets[0]}`)"
                notes = [f"{name}: the other worksheets are not read: {', '.join(worksheets[1:])}"]
        else:
            lines = _read_lines(content)
        table = _as_frame(lines, name, schema)
    except ValueError as error:
        return Sheet(name, None, [f"{name}: {line}" for line in str(error).splitlines()])
    notes += [f"{name}: {text}" for text in _blank_missing(table, schema, keep or {})]
    mistakes = [
        *_unsuitable_text(table),
        *_excel_marks(table),
        *_empty_values(table, schema),
        *_thousands(table, schema),
    ]
    _read_flags(table, schema)
    _read_numbers(table, schema)
    mistakes += _wrong_values(table, schema)
    mistakes.sort(key=lambda mistake: mistake[0])
    return Sheet(name, table, [f"{name}: row {row}: {text}" for row, text in mistakes], notes)


def fill_defaults(table: pd.DataFrame, schema: Mapping[str, Any]) -> pd.DataFrame:
    """Fill empty fields and absent columns with the defaults of the schema."""
    filled = table.copy()
    for column, part in schema["properties"].items():
        default = part.get("default")
        if "default_column" in part:
            default = filled[part["default_column"]]
        if default is None:
            continue
        filled[column] = filled[column].fillna(default) if column in filled else default
    return filled


def _read_content(path: Path) -> bytes:
    """Return the bytes of a sheet, or raise the reason why there are none."""
    if not path.exists():
        beside = sorted(path.parent.iterdir()) if path.parent.is_dir() else []
        others = [p.name for p in beside if p.suffix in (".tsv", ".csv", ".xlsx")]
        raise ValueError(
            f"no such file{near(path.name, others)}; paths are relative to the folder where "
            f"Snakemake runs ({Path.cwd()})"
        )
    if path.is_dir():
        raise ValueError("is a folder; give the path of a TSV, CSV or .xlsx file")
    check_regular(path)
    if (size := path.stat().st_size) > LARGEST:
        raise ValueError(
            f"has {size / 1e6:,.0f} MB, and a sheet has under {LARGEST / 1e6:.0f}; is it the right "
            "file?"
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read ({error.strerror}); check its permissions") from None


def _read_lines(content: bytes) -> list[tuple[int, list[str]]]:
    """Return the line number and fields of each row of text, without comments and empty lines."""
    for mark, kind in FILE_KINDS.items():
        if content.startswith(mark):
            raise ValueError(f"is {kind}; save the sheet as CSV (UTF-8) or TSV")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") + 1
        raise ValueError(f"row {row}: not UTF-8; save the sheet as CSV (UTF-8) or TSV") from None
    if "\0" in text:
        raise ValueError("contains binary data; save the sheet as CSV (UTF-8) or TSV")
    first = next((line for line in text.splitlines() if not _is_empty(line)), "")
    separator = max(
        "\t;,", key=lambda mark: (first.count(mark) > 0, mark == "\t", first.count(mark))
    )
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows, start = [], 1
    try:
        for fields in reader:
            if not _is_empty(separator.join(fields)):
                rows.append((start, [" ".join(field.splitlines()).strip() for field in fields]))
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"row {start}: {error}; is a quotation mark not closed?") from None
    return rows


def _is_empty(line: str) -> bool:
    """Test whether a line is empty or a comment; `#REF!` is an error of a spreadsheet instead."""
    text = line.lstrip("\"' ")
    return not line.strip(" \t,;\"'\r\n\ufeff") or (
        text.startswith("#") and not EXCEL_ERROR.match(text)
    )


def _as_frame(
    rows: list[tuple[int, list[str]]], name: str, schema: Mapping[str, Any]
) -> pd.DataFrame:
    """Return all rows as a table of text, or raise all reasons why they are not a table."""
    if not rows:
        raise ValueError("is empty; it needs a header and at least one row")
    columns = list(schema["properties"])
    (_, header), body = rows[0], rows[1:]
    while header and not header[-1]:
        header = header[:-1]
    missing = [column for column in schema["required"] if column not in header]
    if len(missing) == len(schema["required"]) and not set(header) & set(columns):
        raise ValueError(
            f"row {rows[0][0]}: no header; the first row must name the columns, at least "
            f"{', '.join(schema['required'])} (found: {', '.join(header)[:80]})"
        )
    others = [found for found in header if found not in columns]
    problems = [
        *(
            f"no column `{column}`{near(column, others)}; columns: {', '.join(header)}"
            for column in missing
        ),
        *(
            f"column `{column}` appears more than once; keep one"
            for column in sorted({name for name in header if name and header.count(name) > 1})
        ),
        *(
            f"column {place} has no name; name it or remove it"
            for place, column in enumerate(header, start=1)
            if not column
        ),
        *(
            f"row {rows[0][0]}: the name of a column: {problem}"
            for column in header
            if (problem := text_problem(column, longest=LONGEST_NAME))
        ),
        *(
            f"row {number}: {len(fields)} fields for {len(header)} columns; if a value contains "
            "the separator, put it in quotation marks"
            for number, fields in body
            if any(fields[len(header) :])
        ),
    ]
    if not body:
        problems.append("the sheet has no rows below its header")
    if problems:
        raise ValueError("\n".join(problems))
    width = len(header)
    values = [[*row[:width], *[""] * (width - len(row))] for _, row in body]
    index = pd.Index([number for number, _ in body], dtype=int)
    table = pd.DataFrame(values, columns=header, index=index, dtype="str")
    return table.mask(table.apply(lambda column: column.str.lower().isin(EMPTY)))


def _blank_missing(
    table: pd.DataFrame, schema: Mapping[str, Any], keep: Mapping[str, Collection[str]]
) -> Iterator[str]:
    """Blank words and codes for missing values in place, and yield what was blanked."""
    for column in table.columns:
        if column in (*schema["required"], *AS_WRITTEN):
            continue
        part = schema["properties"].get(column, {})
        rows = find_missing(table[column], part, keep.get(column, ()))
        if rows.any():
            each = ", ".join(
                f"`{value}` ({'row' if len(found) == 1 else 'rows'} {shortened(found.index)})"
                for value, found in table.loc[rows, column].groupby(table.loc[rows, column])
            )
            table[column] = table[column].mask(rows)
            yield (
                f"`{column}`: {each} read as missing; if it is a value, use another word or code"
            )


Mistake = tuple[int, str]


def _unsuitable_text(table: pd.DataFrame) -> Iterator[Mistake]:
    """Find values with hidden characters, of endless length, or that a spreadsheet would run."""
    for column in table.columns:
        for row, value in _values(table[column]):
            if problem := text_problem(value):
                yield row, f"`{column}`: {problem}"


def _excel_marks(table: pd.DataFrame) -> Iterator[Mistake]:
    """Find values that a spreadsheet program has changed."""
    for column in table.columns:
        for row, value in _values(table[column]):
            if EXCEL_ERROR.fullmatch(value):
                yield row, f"`{column}` is `{value}`, an error in the spreadsheet; correct it"
            elif column in (*IDS, "timepoint") and EXCEL_DATE.fullmatch(value):
                remedy = "format the column as text and enter the name again"
                yield (
                    row,
                    f"`{column}` is `{value}`, which a spreadsheet turned into a date; {remedy}",
                )
            elif column in IDS and EXCEL_NUMBER.fullmatch(value):
                remedy = "format the column as text and enter the name again"
                whole = value.split(".")[0] if "E" not in value else ""
                remedy += f" (`{whole}`?)" if whole else ""
                yield (
                    row,
                    f"`{column}` is `{value}`, which a spreadsheet turned into a number; {remedy}",
                )


def _values(column: pd.Series) -> Iterator[tuple[int, Any]]:
    """Yield row and value of each field that is not empty."""
    present = column.dropna()
    yield from zip(present.index.tolist(), present, strict=True)


def _empty_values(table: pd.DataFrame, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    for column in schema["required"]:
        rows = table.index[table[column].isna()].tolist()
        if len(rows) == len(table) > 1:
            yield rows[0], f"`{column}` is empty in this and all other rows; fill it in"
            continue
        for row in rows:
            yield row, f"`{column}` is empty; fill it in"


def _thousands(table: pd.DataFrame, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Find `1,200`, which is 1200 or 1.2, in columns of numbers without other decimal commas."""
    for column in table.columns:
        if schema["properties"].get(column, {}).get("type") == "string":
            continue
        values = table[column].dropna()
        numbers = values.str.fullmatch(r"-?\d+(?:[.,]\d+)*")
        with_comma = values.str.contains(",")
        grouped = values.str.fullmatch(r"-?[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?")
        if not grouped.any() or not numbers.all() or not grouped[with_comma].all():
            continue
        for row, value in _values(values[grouped]):
            whole = value.replace(",", "")
            yield row, f"`{column}` is `{value}`: is that {whole}? write numbers without separators"


def _read_flags(table: pd.DataFrame, schema: Mapping[str, Any]) -> None:
    """Convert yes and no, true and false to 1 and 0 in place, in columns that hold 0 and 1."""
    for column, part in schema["properties"].items():
        if column in table and part.get("enum") == [0, 1]:
            plain = table[column].str.lower().map(FLAGS)
            table[column] = plain.fillna(table[column]).astype("str")


def _read_numbers(table: pd.DataFrame, schema: Mapping[str, Any]) -> None:
    """Convert numeric columns in place; text in them is kept, so that it can be reported."""
    for column in list(table):
        part = schema["properties"].get(column)
        if part and part.get("type") == "string":
            continue
        values = table[column]
        numbers = pd.to_numeric(values, errors="coerce")
        with_point = values.str.replace(r"^(-?\d+),(\d+)$", r"\1.\2", regex=True)
        points = pd.to_numeric(with_point, errors="coerce")
        numbers = points if points.notna().sum() > numbers.notna().sum() else numbers
        numbers = numbers.where(numbers.abs() < float("inf"))
        if not values.notna().any():
            table[column] = numbers.astype(float) if part else values
        elif numbers.notna().equals(values.notna()):
            table[column] = numbers
        elif part:
            mixed = values.astype(object)
            mixed[numbers.notna()] = numbers[numbers.notna()].astype(object)
            table[column] = mixed


def _wrong_values(table: pd.DataFrame, schema: Mapping[str, Any]) -> Iterator[Mistake]:
    """Find values that the schema does not allow."""
    for column, part in schema["properties"].items():
        if column not in table:
            continue
        validator = jsonschema.Draft202012Validator(part)
        for row, value in _values(table[column]):
            plain = value.item() if hasattr(value, "item") else value
            for error in validator.iter_errors(plain):
                if error.validator == "pattern":
                    yield row, f"{column} `{value}` {NO_FILE_NAME}"
                else:
                    is_date = error.validator == "type" and re.fullmatch(LIKE_DATE, str(plain))
                    hint = (
                        f", not a date: give {part['unit']}" if is_date and "unit" in part else ""
                    )
                    yield row, explain_value(error, f"`{column}`") + hint
            meant = _misspelled(str(value), [str(name) for name in part.get("examples", ())])
            if meant:
                yield row, f"`{column}` is `{value}` (did you mean `{meant}`?); correct it"


def _misspelled(value: str, known: list[str]) -> str:
    """Return the usual value that differs in a letter or in case, or an empty string."""
    found = difflib.get_close_matches(value.lower(), known, n=1, cutoff=0.85)
    return found[0] if found and value not in known else ""
