"""Dense tables of counts (CSV, TSV and similar), with genes in rows or in columns."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.barcodes import NUCLEOTIDES
from lammscope.core.files import named_errors, open_text
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.counts import (
    MAJORITY,
    csr_of,
    first_non_count,
    gene_shard,
    mostly_ensembl,
    name_genes,
    not_counts,
)
from lammscope.ingest.matrices.reader import Reader, refuse_layer

# Genes expressed in nearly every library, whose names tell genes from cells: housekeeping,
# mitochondrial, ribosomal, HLA and pan-leukocyte genes. The list is our choice.
UBIQUITOUS = (
    r"(?i:ACTB|B2M|MALAT1|GAPDH|CD74|TMSB4X|EEF1A1|FTL|FTH1|VIM|PTPRC|NEAT1"
    r"|MT-(?:CO|ND|ATP|CYB|RNR)\w*|RP[LS]\d+\w*|HLA-[A-Z]\w*)$"
)
SUFFIXES = ("csv", "tsv", "txt")
TABLES = re.compile(rf"\.({'|'.join(SUFFIXES)})(\.gz)?$")
SEPARATORS = ("\t", ",", ";", None)  # tabs first: names rarely contain tabs
# The start of a table that is inspected; our choice. The header and a few rows show its layout and
# bad values, and the names in a further 1 MiB tell genes from cells. A row of 10,000 cells takes
# about 20 kB.
N_LINES_LOOKED_AT = 6
BYTES_LOOKED_AT = 2**20
MIN_GENE_LIKE = 2  # gene names needed in a table of counts; one may be the header of another column


@dataclass(frozen=True)
class Head:
    """The start of a table.

    Attributes
    ----------
    separator
        Separator of fields; None for any white space.
    columns
        Names of the columns of values.
    n_names
        Number of leading columns with row names.
    rows
        Fields of the first rows.
    row_names
        Per leading column, the names in all rows read at the start.
    """

    separator: str | None
    columns: list[str]
    n_names: int
    rows: list[list[str]]
    row_names: list[pd.Series]


def read_dense(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read a dense table line by line, keeping nonzero values only.

    Parameters
    ----------
    path
        Text, plain or gzipped. The first line names the columns; the first column, or the first
        two, name the rows.
    genome
        As in `choose_genes`.
    layer
        As in `refuse_layer`.

    Raises
    ------
    ValueError
        If a value is not a count, if rows differ in length, or if genes and cells cannot be told
        apart by name.
    """
    refuse_layer(layer)
    head = _head(path)
    names, indices, data = [], [], []
    with open_text(path) as handle:
        lines = ((number, line) for number, line in enumerate(handle, 1) if not line.isspace())
        next(lines)
        for number, line in lines:
            name, at, values = _row(line, head=head, number=number)
            names.append(name)
            indices.append(at)
            data.append(values)
    counts = csr_of(
        np.concatenate(data),
        np.concatenate(indices),
        np.cumsum([0, *map(len, indices)]),
        shape=(len(names), len(head.columns)),
    )
    row_names = _name_columns(pd.DataFrame(names))
    if _genes_in_rows(row_names, head.columns):
        features = name_genes(row_names[:1], row_names[1:])
        return gene_shard(
            sparse.csr_array(counts.T), np.array(head.columns), features, genome=genome
        )
    features = name_genes([pd.Series(head.columns)], [])
    return gene_shard(counts, row_names[0].to_numpy(dtype=str), features, genome=genome)


def inspect_dense(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the format of a table that starts with counts; `genome` is checked on reading."""
    refuse_layer(layer)
    _check_first_values(_head(path))
    return "dense text"


def _recognizes(content: Content) -> bool:
    """Test whether it is text; the inspection reports what is wrong with a table."""
    return content.is_text


def _finds(path: Path) -> bool:
    """Test whether a file is named like a table and starts like a table of counts."""
    if not TABLES.search(path.name):
        return False
    try:
        with named_errors(path):
            return _has_counts_of_genes(path)
    except ValueError:
        return False


def _has_counts_of_genes(path: Path) -> bool:
    """Test whether a text file starts like a table of counts with names of genes."""
    head = _head(path)
    _check_first_values(head)
    rows = max(map(_n_gene_like, head.row_names))
    n_gene_like = max(rows, _n_gene_like(pd.Series(head.columns)))
    return n_gene_like >= MIN_GENE_LIKE and len(head.columns) > 1


def _head(path: Path) -> Head:
    """Read the start of a table and find how its fields are separated."""
    with open_text(path) as handle:
        lines = [handle.readline() for _ in range(N_LINES_LOOKED_AT)]
        more = handle.readlines(BYTES_LOOKED_AT)
    filled = [number for number, line in enumerate(lines, 1) if line.strip()]
    first, *body = [lines[number - 1].strip("\n ") for number in filled] or [""]
    if not body:
        raise ValueError(
            "has no second line; the first line of a table of counts names its columns"
        )
    separator = _separator(first, body)
    header, *rows = ([*_fields(line, separator)] for line in [first, *body])
    width = len(rows[0])
    if len(header) not in (width, width - 1):
        raise ValueError(
            f"line {filled[0]} has {len(header)} fields and line {filled[1]} has {width}: "
            "not a table"
        )
    for number, row in zip(filled[2:], rows[1:], strict=True):
        if len(row) != width:
            raise ValueError(f"line {number} has {len(row)} fields, the line before has {width}")
    # decided by most rows: a column with one bad value is not one of names
    is_text = (
        np.isnan([[_number(field) for field in row[:3]] for row in rows]).mean(axis=0) > MAJORITY
    )
    n_names = 1 + max(np.flatnonzero(is_text).tolist(), default=0)
    if width - n_names < 1:
        raise ValueError("is a list of names, not a count matrix; give the matrix of counts")
    starts = [_fields(line, separator, n_names)[:n_names] for line in more if line.strip()]
    named = [names for names in starts if len(names) == n_names]
    return Head(
        separator,
        header[len(header) - (width - n_names) :],
        n_names,
        rows,
        _name_columns(pd.DataFrame([row[:n_names] for row in rows] + named)),
    )


def _separator(first: str, body: list[str]) -> str | None:
    """Return the first separator that gives a table, else the first that splits every row."""
    widths = {
        separator: [_width(line, separator) for line in [first, *body]] for separator in SEPARATORS
    }
    for separator, (header, *rows) in widths.items():
        if min(rows) > 1 and len(set(rows)) == 1 and header in (rows[0], rows[0] - 1):
            return separator
    splitting = [separator for separator, counted in widths.items() if min(counted[1:]) > 1]
    if not splitting:
        raise ValueError("has one field per line: a list, not a count matrix; give the matrix")
    return splitting[0]


def _width(line: str, separator: str | None) -> int:
    return len(re.sub(r'"[^"]*"', "q", line).split(separator))


def _fields(line: str, separator: str | None, at_most: int = -1) -> list[str]:
    """Split a line into fields without quotes; of a long line, optionally only the first few."""
    if '"' not in line:
        return line.split(separator, at_most)
    return next(csv.reader([line], delimiter=separator or " ", skipinitialspace=True))


def _name_columns(names: pd.DataFrame) -> list[pd.Series]:
    """Return the columns of row names, without row numbers in front of names."""
    columns = [names[place].astype(str).str.strip() for place in names]
    texts = [column for column in columns if not column.str.fullmatch(r"\d+").all()]
    return texts or columns[:1]


def _check_first_values(head: Head) -> None:
    for fields in head.rows:
        _counts_in(fields, head=head)


def _row(line: str, *, head: Head, number: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return the names of a row, and positions and values of its nonzero counts."""
    fields = _fields(line.strip("\n "), head.separator)
    width = head.n_names + len(head.columns)
    if len(fields) != width:
        raise ValueError(f"line {number} has {len(fields)} fields, the lines before have {width}")
    return fields[: head.n_names], *_counts_in(fields, head=head)


def _counts_in(fields: list[str], *, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and values of the nonzero counts after a row's names."""
    texts = fields[head.n_names :]
    at = [place for place, text in enumerate(texts) if text != "0"]
    values = [_number(texts[place]) for place in at]
    counts = np.array(values, dtype=float)
    bad = first_non_count(counts)
    if bad is not None:
        value = texts[at[bad]]
        where = f"row {fields[0]}, column {head.columns[at[bad]]}"
        if np.isnan(counts[bad]):
            raise ValueError(
                f"{where}: `{value}` is not a number; give counts, 0 where there are none"
            )
        raise ValueError(f"{where}: {not_counts(counts[bad])}")
    filled = counts != 0  # zeros may be written as 0.0
    return np.array(at, dtype=np.int32)[filled], counts[filled].astype(np.int32)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _genes_in_rows(row_names: list[pd.Series], columns: list[str]) -> bool:
    """Test whether genes are in rows, by the names of rows and columns."""
    names = pd.Series(columns)
    rows, across = max(map(_n_gene_like, row_names)), _n_gene_like(names)
    if rows != across:
        return rows > across
    barcodes_down, barcodes_across = _mostly_barcodes(row_names[0]), _mostly_barcodes(names)
    if barcodes_down != barcodes_across:
        return barcodes_across
    raise ValueError(
        "cannot tell genes from cells: neither rows "
        f"(e.g. {row_names[0].iloc[0]}) nor columns (e.g. {columns[0]}) are named like genes; "
        "name genes by symbol or Ensembl id"
    )


def _n_gene_like(names: pd.Series) -> int:
    if mostly_ensembl(names):
        return len(names)
    return int(names.str.match(UBIQUITOUS).sum())


def _mostly_barcodes(names: pd.Series) -> bool:
    return bool(names.str.contains(NUCLEOTIDES).mean() > MAJORITY)


READER = Reader(
    words="a table of counts (.csv, .tsv)",
    suffixes=SUFFIXES,
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_dense,
    read=read_dense,
)
