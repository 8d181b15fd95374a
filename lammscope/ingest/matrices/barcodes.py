"""Lists of barcodes that select one sample's cells from a pooled channel."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.barcodes import NUCLEOTIDES, nucleotides_of
from lammscope.core.files import named_errors, text_lines
from lammscope.core.runtime import logger

HEADERS = ("barcode", "barcodes", "cell", "cells", "cell_id", "cellid", "cell.id", "cell_barcode")
MIN_FOUND = 0.5  # of the listed barcodes; other channels share few of them; our choice
UNNAMED = ("", "x", "v1", "index", "rownames")  # what R and pandas call a column without a name


def read_barcodes(path: str | Path) -> np.ndarray:
    """Read a list of barcodes.

    Parameters
    ----------
    path
        Text, plain or gzipped: one barcode per line, or a table with a header and a column
        `barcode` or `cell`, or a table with barcodes in its first column.

    Returns
    -------
    ndarray of str
        The barcodes in the order of the file, each once.

    Raises
    ------
    ValueError
        If the file cannot be read, is empty or repeats a barcode. The message is one line that
        starts with the path.
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
            listed = listed[1:]  # an unknown header
        if not listed:
            raise ValueError("lists no barcode; give one per line, or leave the field empty")
        names = pd.Index(listed)
        if names.has_duplicates:
            repeated = names[names.duplicated()][0]
            raise ValueError(f"lists {repeated} twice; list each barcode once, of one sample only")
        return np.array(listed, dtype=str)


def own_positions(listed: str | Sequence[str], present: np.ndarray) -> np.ndarray:
    """Return the positions of a sample's own barcodes in its matrix.

    Parameters
    ----------
    listed
        The file that lists them, as for `read_barcodes`; empty if all barcodes are the sample's.
    present
        Barcodes of the matrix.
    """
    if not listed:
        return np.arange(len(present), dtype=np.int64)
    path = listed if isinstance(listed, str) else listed[0]
    return match_barcodes(read_barcodes(path), present, path=path)


def match_barcodes(listed: np.ndarray, present: np.ndarray, *, path: str | Path) -> np.ndarray:
    """Find listed barcodes among those of a matrix.

    Whole names are compared first. If fewer than half of them are found, only their nucleotides are
    compared, without prefixes such as `sample_` and suffixes such as `-1`.

    Parameters
    ----------
    listed
        Barcodes from `read_barcodes`.
    present
        Barcodes of the matrix, unique.
    path
        The file of the list, for messages.

    Returns
    -------
    ndarray of int64
        Positions in `present`, ascending. The number of absent barcodes is logged.

    Raises
    ------
    ValueError
        If fewer than half of the listed barcodes are found, or if one is ambiguous.
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
    """Split a list or table into fields, by the first separator found in its last line."""
    separator = next((s for s in "\t,; " if lines and s in lines[-1]), "\t")
    rows = list(csv.reader(lines, delimiter=separator, skipinitialspace=True))
    if len(rows) > 1 and len(rows[0]) == len(rows[1]) - 1:  # R writes no header for row names
        rows[0] = ["", *rows[0]]
    return rows


def _column_of_header(rows: list[list[str]]) -> int | None:
    """Return the column of barcodes if the first row is a header; named columns come first."""
    if not rows or any(re.search(NUCLEOTIDES, field) for field in rows[0]):
        return None
    header = [field.strip().lower() for field in rows[0]]
    for names in (HEADERS, UNNAMED[1:], UNNAMED):
        for place, field in enumerate(header):
            if field in names:
                return place
    return None


def _core(names: np.ndarray) -> pd.Index:
    """Return the nucleotides of each barcode, or its name without affixes if it has none."""
    other = pd.Series(names, dtype=str).str.replace(r"^.*[_:]|[-.]\d+$", "", regex=True)
    found: pd.Index = pd.Index(nucleotides_of(names).fillna(other))
    return found


def _refuse_ambiguous(cores: pd.Index, *, path: str | Path, where: str) -> None:
    if cores.has_duplicates:
        raise ValueError(
            f"{path}: {cores[cores.duplicated()][0]} occurs in {where} with several prefixes or "
            "suffixes; list the barcodes as the matrix names them"
        )


def _example(names: np.ndarray) -> str:
    return str(names[0]) if len(names) else "none"
