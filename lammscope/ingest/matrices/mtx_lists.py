"""Lists of barcodes and genes beside a Matrix Market file, with or without a header line."""

import csv
import re
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.barcodes import NUCLEOTIDES
from lammscope.core.files import text_lines
from lammscope.core.names import ENSEMBL
from lammscope.core.runtime import logger
from lammscope.ingest.matrices.barcodes import HEADERS, UNNAMED

# What pipelines, R and pandas call the first column of a list; compared in small letters, without
# points, dashes and underscores
GENE_HEADERS = {
    *("gene", "genes", "geneid", "geneids", "genename", "genenames", "genesymbol", "symbol"),
    *("symbols", "genesymbols", "ensembl", "ensemblid", "ensemblgeneid", "ensgid", "hgncsymbol"),
    *("feature", "features", "featureid", "featurename", "geneshortname", "id", "name"),
}
BARCODE_HEADERS = {re.sub("[._-]", "", name) for name in HEADERS} | {"cellbarcodes", "bcwells"}
UNNAMED_HEADERS = {*UNNAMED, "0", "1"}
ROWS_COMPARED = 50  # the first rows, whose names show whether the first line is one of them
HALF = 0.5


def gene_lines(path: Path, *, sizes: Collection[int]) -> list[str]:
    """Return the lines of a list of genes, without a header line.

    Parameters
    ----------
    path
        The list, plain or gzipped.
    sizes
        The numbers of rows and columns of the matrix.

    Raises
    ------
    ValueError
        If the list is empty.
    """
    lines = _lines(path)
    return _without_header(lines, path, sizes=sizes, headers=GENE_HEADERS, like=ENSEMBL)


def read_cells(path: Path, *, sizes: Collection[int]) -> np.ndarray:
    """Return the barcodes in the first column of a list, without a header line or row numbers.

    Parameters
    ----------
    path, sizes
        As for `gene_lines`.

    Raises
    ------
    ValueError
        If the list is empty.
    """
    lines = _without_header(
        _lines(path), path, sizes=sizes, headers=BARCODE_HEADERS, like=NUCLEOTIDES
    )
    rows = without_numbers([fields_of(line) for line in lines], range(len(lines)))
    return np.array(_first_fields([row[0] for row in rows]), dtype=str)


def _first_fields(names: list[str]) -> list[str]:
    """Return names without what follows a comma or semicolon, if they are the same in all."""
    for mark in (",", ";"):
        if all(mark in name for name in names):
            first = [name.split(mark)[0].strip(' "') for name in names]
            return first if len(set(first)) == len(set(names)) else names
    return names


def fields_of(line: str) -> list[str]:
    """Return the first four fields of a line, without quotes."""
    return [field.strip(' "\r\n') for field in line.split("\t", 4)[:4]]


def without_numbers(rows: list[list[str]], places: Sequence[int]) -> list[list[str]]:
    """Return three fields of each line, without row numbers, from 0 or 1, in front of the names.

    Parameters
    ----------
    rows
        Fields of some lines.
    places
        The positions of these lines in the list.
    """
    for start in (0, 1):
        if all(
            len(row) > 1 and row[0] == str(at + start) for row, at in zip(rows, places, strict=True)
        ):
            return [row[1:] for row in rows]
    return [row[:3] for row in rows]


def read_csv_list(path: Path) -> pd.DataFrame:
    """Read a list with a header line and commas between columns, all of it as text."""
    header, *rows = csv.reader(text_lines(path))
    short = next((row for row in rows if len(row) < len(header)), None)
    if short is not None:
        raise ValueError(f"{path.name} has {len(short)} fields in a row for {len(header)} columns")
    return pd.DataFrame([row[: len(header)] for row in rows], columns=header, dtype=str)


def _lines(path: Path) -> list[str]:
    lines = text_lines(path)
    if not lines:
        raise ValueError(f"{path.name} is empty; copy or download it again")
    return lines


def _without_header(
    lines: list[str], path: Path, *, sizes: Collection[int], headers: Collection[str], like: str
) -> list[str]:
    """Remove the first line if it is a header, by its words or its unlikeness to the others."""
    first, *others = (fields_of(line)[0] for line in lines[: ROWS_COMPARED + 1])
    word = re.sub(r"[._\s-]", "", first.lower())
    one_more = len(lines) not in sizes and len(lines) - 1 in sizes
    named = sum(bool(re.search(like, name)) for name in others) > HALF * len(others)
    unlike = bool(others) and named and not re.search(like, first)
    if word in headers or (one_more and (unlike or word in UNNAMED_HEADERS)):
        logger.info(
            "%s: the first line is a header, left out: %s", path, " ".join(lines[0].split())
        )
        return lines[1:]
    return lines
