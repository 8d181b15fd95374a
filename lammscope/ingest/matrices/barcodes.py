"""Lists of barcodes that select one sample's cells from a pooled channel."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.files import named_errors, text_lines
from lammscope.core.runtime import logger

# A barcode's letters: those of 10x have 14 or 16, others have parts of 8 and more (inDrops). Eight
# such letters in a row hardly occur in other names; the limit is ours.
NUCLEOTIDES = r"[ACGTN]{8,}(?:[-_+.][ACGTN]{8,})*"
HEADERS = ("barcode", "barcodes", "cell", "cells", "cell_id", "cellid", "cell.id", "cell_barcode")
MIN_FOUND = 0.5  # of the listed barcodes; the list of another channel shares few. Ours
UNNAMED = ("", "x", "v1", "index", "rownames")  # what R and pandas call a column without a name


def read_barcodes(path: str | Path) -> np.ndarray:
    """Read a list of barcodes.

    Parameters
    ----------
    path
        Text, plain or compressed by gzip: a barcode per line, or a table with a header and a column
        `barcode` or `cell`, or a table whose first column they are.

    Returns
    -------
    ndarray of str
        The barcodes in the order of the file, each once.

    Raises
    ------
    ValueError
        If the file cannot be read, lists nothing or repeats a barcode. One line that names it.
    """
    path = Path(path)
    with named_errors(path):
        rows = _rows(text_lines(path))
        column = _column_of_header(rows)
        if column is not None:
            rows = rows[1:]
        listed = [row[column or 0].strip() for row in rows if len(row) > (column or 0)]
        listed = [name for name in listed if name]
        looks = [bool(re.search(NUCLEOTIDES, name)) for name in listed]
        if len(listed) > 1 and not looks[0] and all(looks[1:]):
            listed = listed[1:]  # a header of its own kind
        if not listed:
            raise ValueError("lists no barcode; give one per line, or leave the field empty")
        names = pd.Index(listed)
        if names.has_duplicates:
            repeated = names[names.duplicated()][0]
            raise ValueError(f"lists {repeated} twice; give each barcode once, of one sample only")
        return np.array(listed, dtype=str)


def own_positions(listed: str | Sequence[str], present: np.ndarray) -> np.ndarray:
    """Positions of a sample's own barcodes in its matrix.

    Parameters
    ----------
    listed
        The file that lists them, as for `read_barcodes`; empty where the whole matrix is the
        sample's.
    present
        Barcodes of the matrix.
    """
    if not listed:
        return np.arange(len(present), dtype=np.int64)
    path = listed if isinstance(listed, str) else listed[0]
    return match_barcodes(read_barcodes(path), present, path=path)


def match_barcodes(listed: np.ndarray, present: np.ndarray, *, path: str | Path) -> np.ndarray:
    """Find listed barcodes among those of a matrix.

    Names are compared as they stand. If fewer than half of them are found, their nucleotides are:
    a prefix such as `sample_` and a suffix such as `-1` are then no difference.

    Parameters
    ----------
    listed
        Barcodes from `read_barcodes`.
    present
        Barcodes of the matrix, unique.
    path
        The list, for messages.

    Returns
    -------
    ndarray of int64
        Positions in `present`, ascending. How many listed barcodes are absent is logged.

    Raises
    ------
    ValueError
        If fewer than half of the listed barcodes are found, or if one could be several.
    """
    found = np.flatnonzero(pd.Index(present).isin(listed))
    if len(found) < MIN_FOUND * len(listed):
        cores, present_cores = _core(listed), _core(present)
        by_core = np.flatnonzero(present_cores.isin(cores))
        if len(by_core) >= MIN_FOUND * len(listed):
            _refuse_ambiguous(cores[cores.isin(present_cores)], path=path, where="the list")
            _refuse_ambiguous(present_cores[by_core], path=path, where="the matrix")
            found = by_core
    if len(found) < MIN_FOUND * len(listed):
        raise ValueError(
            f"{path}: only {len(found)} of {len(listed)} barcodes are in the matrix (the list has "
            f"{_example(listed)}, the matrix {_example(present)}); is it the list of another "
            "channel?"
        )
    n_unmatched = len(listed) - len(found)
    if n_unmatched:
        logger.warning(
            "%s: %d of %d barcodes are not in the matrix", path, n_unmatched, len(listed)
        )
    return found.astype(np.int64)


def _rows(lines: list[str]) -> list[list[str]]:
    """Fields of a list or table, by the first separator that its last line has."""
    separator = next((s for s in "\t,; " if lines and s in lines[-1]), "\t")
    rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    if len(rows) > 1 and len(rows[0]) == len(rows[1]) - 1:  # R does not name row names
        rows[0] = ["", *rows[0]]
    return rows


def _column_of_header(rows: list[list[str]]) -> int | None:
    """Place of the barcodes if the first row is a header: a named column wins over an unnamed."""
    if not rows or any(re.search(NUCLEOTIDES, field) for field in rows[0]):
        return None
    header = [field.strip().lower() for field in rows[0]]
    for names in (HEADERS, UNNAMED[1:], UNNAMED):
        for place, field in enumerate(header):
            if field in names:
                return place
    return None


def _core(names: np.ndarray) -> pd.Index:
    """The nucleotides of each barcode, or the whole name without affixes where it has none."""
    text = pd.Series(names, dtype=str)
    core = text.str.extract(rf"(?:^|[^A-Za-z])({NUCLEOTIDES})(?![A-Za-z])", expand=False)
    other = text.str.replace(r"^.*[_:]|[-.]\d+$", "", regex=True)
    found: pd.Index = pd.Index(core.fillna(other))
    return found


def _refuse_ambiguous(cores: pd.Index, *, path: str | Path, where: str) -> None:
    if cores.has_duplicates:
        raise ValueError(
            f"{path}: {cores[cores.duplicated()][0]} stands in {where} with several prefixes or "
            "suffixes; list the barcodes as the matrix names them"
        )


def _example(names: np.ndarray) -> str:
    return str(names[0]) if len(names) else "none"
