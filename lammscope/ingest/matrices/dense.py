"""Dense tables of counts: CSV, TSV and the like, genes in rows or in columns."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import named_errors, open_text
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.barcodes import NUCLEOTIDES
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
from lammscope.ingest.matrices.reader import Reader

# Expressed in nearly every library: their names tell genes from cells. Housekeeping,
# mitochondrial, ribosomal and HLA genes, and those common to all leukocytes; the list is ours.
UBIQUITOUS = (
    r"(?i:ACTB|B2M|MALAT1|GAPDH|CD74|TMSB4X|EEF1A1|FTL|FTH1|VIM|PTPRC|NEAT1"
    r"|MT-(?:CO|ND|ATP|CYB|RNR)\w*|RP[LS]\d+\w*|HLA-[A-Z]\w*)$"
)
SUFFIXES = ("csv", "tsv", "txt")
TABLES = re.compile(rf"\.({'|'.join(SUFFIXES)})(\.gz)?$")
SEPARATORS = ("\t", ",", ";", None)  # a tab first: names hold tabs least
# The start of a table, ours: the header and a few rows tell its form and show bad values, and the
# names in a further 1 MiB tell genes from cells. A row of 10,000 cells takes about 20 kB.
N_LINES_LOOKED_AT = 6
BYTES_LOOKED_AT = 2**20
MIN_GENE_LIKE = 2  # names like genes' in a table of counts; one may head a column of other values


@dataclass(frozen=True)
class Head:
    """The start of a table.

    Attributes
    ----------
    separator
        Between fields; None is any white space.
    columns
        Names of the columns of values.
    n_names
        Leading columns that name a row.
    rows
        Fields of the first rows.
    row_names
        Per leading column, the names in as many rows as are read at the start.
    """

    separator: str | None
    columns: list[str]
    n_names: int
    rows: list[list[str]]
    row_names: list[pd.Series]


def read_dense(path: Path, *, genome: str | None) -> Shard:
    """Read a dense table line by line, of which only what is not zero is kept.

    Parameters
    ----------
    path
        Text, plain or compressed by gzip. The first line names the columns; the first column, or
        the first two, name the rows.
    genome
        As in `choose_genes`.

    Raises
    ------
    ValueError
        If a value is no count, if rows differ in length, or if names do not tell genes from cells.
    """
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


def inspect_dense(path: Path, *, genome: str | None) -> str:
    """Name the format of a table that starts as dense counts do. `genome` shows in reading only."""
    _check_first_values(_head(path))
    return "dense text"


def _recognizes(content: Content) -> bool:
    """Whether it is text at all: what is wrong with a table, its inspection tells."""
    return content.is_text


def _finds(path: Path) -> bool:
    """Whether a file is named as a table and starts as one of counts."""
    if not TABLES.search(path.name):
        return False
    try:
        with named_errors(path):
            return _has_counts_of_genes(path)
    except ValueError:
        return False


def _has_counts_of_genes(path: Path) -> bool:
    """Whether a text file starts as a table of counts in which genes can be told from cells."""
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
        raise ValueError("has no second line; a table of counts names its columns in the first")
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
            raise ValueError(f"line {number} has {len(row)} fields, the one before has {width}")
    # by most of the rows: one bad value does not make a column one of names
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
    """The first separator that makes a table; else the first that splits every row at all."""
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
    """Fields of a line, without quotes; of a long line maybe only the first few."""
    if '"' not in line:
        return line.split(separator, at_most)
    return next(csv.reader([line], delimiter=separator or " ", skipinitialspace=True))


def _name_columns(names: pd.DataFrame) -> list[pd.Series]:
    """Columns that name the rows; mere row numbers before a column of names are left out."""
    columns = [names[place].astype(str).str.strip() for place in names]
    texts = [column for column in columns if not column.str.fullmatch(r"\d+").all()]
    return texts or columns[:1]


def _check_first_values(head: Head) -> None:
    for fields in head.rows:
        _counts_in(fields, head=head)


def _row(line: str, *, head: Head, number: int) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The names of a row, and places and values of what is not zero in it."""
    fields = _fields(line.strip("\n "), head.separator)
    width = head.n_names + len(head.columns)
    if len(fields) != width:
        raise ValueError(f"line {number} has {len(fields)} fields, the lines before have {width}")
    return fields[: head.n_names], *_counts_in(fields, head=head)


def _counts_in(fields: list[str], *, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Places and counts, without zeros, of the fields behind a row's names."""
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
                f"{where}: `{value}` is no number; give counts, 0 where there are none"
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
    """Tell genes from cells by their names."""
    names = pd.Series(columns)
    rows, across = max(map(_n_gene_like, row_names)), _n_gene_like(names)
    if rows != across:
        return rows > across
    barcodes_down, barcodes_across = _mostly_barcodes(row_names[0]), _mostly_barcodes(names)
    if barcodes_down != barcodes_across:
        return barcodes_across
    raise ValueError(
        "cannot tell genes from cells: neither rows "
        f"(e.g. {row_names[0].iloc[0]}) nor columns (e.g. {columns[0]}) have names like genes; "
        "name genes by symbols or Ensembl ids"
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
