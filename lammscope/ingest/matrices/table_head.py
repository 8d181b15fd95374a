"""The start of a table of counts: how it is separated, and which of its columns are counts."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.files import open_text
from lammscope.ingest.gene_names.columns import MAJORITY, count_ubiquitous, mostly_ensembl
from lammscope.ingest.gene_names.not_genes import (
    are_numbered,
    describes_a_gene,
    may_be_corner,
    no_gene_or_cell,
)

SEPARATORS = ("\t", ",", ";", None)  # tabs first: names rarely contain tabs
# The start of a table that is inspected; our choice. The header and a few rows show its layout and
# bad values, and the names in a further 1 MiB tell genes from cells. A row of 10,000 cells takes
# about 20 kB.
N_LINES_LOOKED_AT = 6
BYTES_LOOKED_AT = 2**20
MOST_COLUMNS = 1_000_000
MISSING = ("", "na", "nan", "n/a", "none", "null", ".")  # no words, and no numbers either


@dataclass(frozen=True)
class Head:
    """The start of a table.

    Attributes
    ----------
    line
        Number of the line that names the columns; comments may precede it.
    separator
        Separator of fields; None for any white space.
    trailing
        Whether each line ends with a separator.
    header
        Names of all columns, empty for those without.
    columns
        Names of the columns of values.
    places
        Places of these columns among the fields of a row; None if they are all after the names.
    names
        Places of the leading columns that name the rows, the best first.
    n_names
        Number of leading columns that are not values.
    rows
        Fields of the first rows.
    row_names
        Per place in `names`, the names in all rows read at the start.
    numbered
        Whether rows are cells with names and numbers, such as `PC_1`, of which all are kept.
    """

    line: int
    separator: str | None
    trailing: bool
    header: list[str]
    columns: list[str]
    places: list[int] | None
    names: list[int]
    n_names: int
    rows: list[list[str]]
    row_names: list[pd.Series]
    numbered: bool


@dataclass(frozen=True)
class _Start:
    """The first lines of a file, without comments and blank lines, and their numbers."""

    numbers: list[int]
    lines: list[str]
    more: list[str]


def read_head(path: Path) -> Head:
    """Read the start of a table, and find how its fields are separated.

    Raises
    ------
    ValueError
        If the file is not a table: a single line, a list, or rows that differ in length.
    """
    start = _read_start(path)
    header, *body = start.lines or [""]
    if not body:
        raise ValueError(
            "has no second line; the first line of a table of counts names its columns"
        )
    if max(line.count(mark) for line in start.lines for mark in "\t,; ") > MOST_COLUMNS:
        raise ValueError(
            f"has over {MOST_COLUMNS:,} columns, too many for a table of counts as text; give the "
            "matrix as .h5, .h5ad or .mtx"
        )
    separator = _separator(header, body)
    header, body, trailing = _without_last_separators(header, body, separator)
    names, *rows = ([*split_fields(line, separator)] for line in [header, *body])
    width = len(rows[0])
    if len(names) not in (width, width - 1):
        raise ValueError(
            f"line {start.numbers[0]} has {len(names)} fields and line {start.numbers[1]} has "
            f"{width}: not a table"
        )
    for number, row in zip(start.numbers[2:], rows[1:], strict=True):
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} fields, the line before has {width}")
    names = [*[""] * (width - len(names)), *names]  # R does not name the column of row names
    words = np.array([[is_word(field) for field in row] for row in rows]).mean(axis=0) > MAJORITY
    n_names = _count_names(names, words)
    if width - n_names < 1:
        raise ValueError("is a list of names, not a count matrix; give the matrix of counts")
    starts = [split_fields(line, separator, n_names)[:n_names] for line in start.more]
    table = pd.DataFrame([row[:n_names] for row in rows] + [s for s in starts if len(s) == n_names])
    naming = _naming_columns(table, names)
    row_names = [table[place].astype(str).str.strip() for place in naming]
    no_values = _find_no_values(names, words, n_names=n_names, row_names=row_names)
    places = [place for place in range(n_names, width) if not no_values[place]]
    return Head(
        line=start.numbers[0],
        separator=separator,
        trailing=trailing,
        header=names,
        columns=[names[place] for place in places],
        places=places if len(places) < width - n_names else None,
        names=naming,
        n_names=n_names,
        rows=rows,
        row_names=row_names,
        numbered=are_numbered(row_names[0]),
    )


def split_fields(line: str, separator: str | None, at_most: int = -1) -> list[str]:
    """Split a line into fields without quotes; of a long line, optionally only the first few."""
    if '"' not in line:
        return line.split(separator, at_most)
    return next(csv.reader([line], delimiter=separator or " ", skipinitialspace=True))


def count_gene_like(names: pd.Series) -> int:
    """Count names of genes: all if most are Ensembl ids, else those of genes seen everywhere."""
    return len(names) if mostly_ensembl(names) else count_ubiquitous(names)


def is_number(text: str) -> bool:
    """Test whether a text is a number; `nan` is not."""
    try:
        return not np.isnan(float(text))
    except ValueError:
        return False


def _read_start(path: Path) -> _Start:
    """Read the first lines; comments before the header are skipped.

    A header may begin with `#`: it has as many fields as the rows, which follow directly.
    """
    comment = ""
    numbers: list[int] = []
    lines: list[str] = []
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if not lines and line.startswith("#"):
                comment = line
                continue
            if line.strip():
                numbers.append(number)
                lines.append(line.strip("\n "))
            if len(lines) == N_LINES_LOOKED_AT:
                break
        more = [line for line in handle.readlines(BYTES_LOOKED_AT) if line.strip()]
    if comment and len(lines) > 1 and _is_header(comment, lines):
        return _Start([numbers[0] - 1, *numbers], [comment.strip("\n ").lstrip("#"), *lines], more)
    return _Start(numbers, lines, more)


def _is_header(comment: str, lines: list[str]) -> bool:
    """Test whether a line that begins with `#` names the columns of the lines that follow."""
    if comment.startswith("##"):
        return False
    for separator in SEPARATORS[:-1]:
        width = _width(lines[0], separator)
        if width > 1 and _width(comment.strip("\n "), separator) in (width, width - 1):
            return is_number(split_fields(lines[0], separator)[-1])
    return False


def _separator(first: str, body: list[str]) -> str | None:
    """Return the first separator that gives a table, else the first that splits every row."""
    widths = {}
    for separator in SEPARATORS:
        header, rows, _ = _without_last_separators(first, body, separator)
        widths[separator] = [_width(line, separator) for line in [header, *rows]]
    for separator, (named, *counted) in widths.items():
        if min(counted) > 1 and len(set(counted)) == 1 and named in (counted[0], counted[0] - 1):
            return separator
    splitting = [separator for separator, counted in widths.items() if min(counted[1:]) > 1]
    if not splitting:
        raise ValueError("has one field per line: a list, not a count matrix; give the matrix")
    return splitting[0]


def _without_last_separators(
    header: str, body: list[str], separator: str | None
) -> tuple[str, list[str], bool]:
    """Remove separators at the end of lines, and return whether rows have them.

    An empty field at the end of all rows may also be a missing value; then the header names it.
    """
    if separator is None:
        return header, body, False
    if header.endswith(separator) and _width(header, separator) == _width(body[0], separator) + 1:
        return header.removesuffix(separator), body, False
    rows_end = all(line.endswith(separator) for line in body)
    surplus = _width(body[0], separator) - _width(header, separator)
    corner = split_fields(header, separator, 1)[0]
    if rows_end and header.endswith(separator):
        header = header.removesuffix(separator)
    elif not (rows_end and surplus == 1 and may_be_corner(corner)):
        return header, body, False
    return header, [line.removesuffix(separator) for line in body], True


def _width(line: str, separator: str | None) -> int:
    return len(re.sub(r'"[^"]*"', "q", line).split(separator))


def is_word(text: str) -> bool:
    """Test whether a text is neither a number, in any notation, nor a mark of a missing value."""
    if re.fullmatch(r"[-+\d.,]+", text):  # also with a decimal comma
        return False
    return not is_number(text) and text.strip().lower() not in MISSING


def _count_names(names: list[str], is_word: np.ndarray) -> int:
    """Count the leading columns that are not values.

    The first column names rows even if it holds numbers; others hold words, or are named like
    annotation, and numbers may lie between them.
    """
    n_names = 1 + max(np.flatnonzero(is_word[:3]).tolist(), default=0)
    known = no_gene_or_cell(pd.Series(names, dtype=str)).to_numpy()
    while n_names < len(names) and (is_word[n_names] or known[n_names]):
        n_names += 1
    return n_names


def _naming_columns(table: pd.DataFrame, names: list[str]) -> list[int]:
    """Return the leading columns that name rows, without numbers and annotation of genes."""
    fields = [table[place].astype(str) for place in range(table.shape[1])]
    texts = [place for place, field in enumerate(fields) if not field.map(is_number).all()]
    naming = [place for place in texts if not describes_a_gene(names[place])]
    return naming or texts or [0]


def _find_no_values(
    names: list[str], is_word: np.ndarray, *, n_names: int, row_names: list[pd.Series]
) -> np.ndarray:
    """Test which columns are neither names of rows nor values of a gene or cell."""
    columns = pd.Series(names[n_names:], dtype=str)
    known = no_gene_or_cell(columns).to_numpy(copy=True)
    if count_gene_like(columns) > max(map(count_gene_like, row_names)):
        known |= is_word[n_names:]  # labels of cells; in a column of a cell, a word is a mistake
    return np.concatenate([np.ones(n_names, dtype=bool), known])
