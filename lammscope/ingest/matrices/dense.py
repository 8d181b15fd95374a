"""Dense tables of counts (CSV, TSV and similar), with genes in rows or in columns."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.barcodes import NUCLEOTIDES
from lammscope.core.files import named_errors, open_text
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import MAJORITY, name_genes
from lammscope.ingest.gene_names.not_genes import is_no_gene_or_cell
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.counts import (
    choose_genes,
    csr_of,
    first_non_count,
    gene_shard,
    not_counts,
)
from lammscope.ingest.matrices.reader import Reader, refuse_layer
from lammscope.ingest.matrices.table_head import (
    Head,
    count_gene_like,
    is_word,
    read_head,
    split_fields,
)

SUFFIXES = ("csv", "tsv", "txt")
TABLES = re.compile(rf"\.({'|'.join(SUFFIXES)})(\.gz)?$")
MIN_GENE_LIKE = 2  # gene names needed in a table of counts; one may be the header of another column


def read_dense(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read a dense table line by line, keeping nonzero values only.

    Rows and columns that are neither genes nor cells, such as HTSeq's `__no_feature`, positions of
    genes, and clusters and totals of cells, are left out with a warning that names them.

    Parameters
    ----------
    path
        Text, plain or gzipped. After comments, the first line names the columns; the first column,
        or the first few, name the rows.
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
    head = read_head(path)
    names, indices, data, no_rows = [], [], [], []
    with open_text(path) as handle:
        for number, line in enumerate(handle, 1):
            if number <= head.line or line.isspace():
                continue
            fields = _fields_of(line, head=head, number=number)
            if _is_no_row(fields, head=head):
                no_rows.append(fields[head.names[0]])
                continue
            at, values = _counts_in(fields, head=head)
            names.append(fields[: head.n_names])
            indices.append(at)
            data.append(values)
    counts = csr_of(
        np.concatenate([np.empty(0, dtype=np.int32), *data]),
        np.concatenate([np.empty(0, dtype=np.int32), *indices]),
        np.cumsum([0, *map(len, indices)]),
        shape=(len(names), len(head.columns)),
    )
    table = pd.DataFrame(names, columns=range(head.n_names)).astype(str)
    row_names = [table[place].str.strip() for place in head.names]
    if _genes_in_rows(row_names, head.columns):
        _log_left_out(path, no_rows, head=head, used=head.names)
        features = name_genes(row_names[:1], row_names[1:])
        return gene_shard(
            sparse.csr_array(counts.T), np.array(head.columns), features, genome=genome
        )
    naming = [*head.names, *table]
    place = next((place for place in naming if table[place].is_unique), naming[0])
    _log_left_out(path, no_rows, head=head, used=[place])
    features = name_genes([pd.Series(head.columns)], [])
    return gene_shard(counts, table[place].str.strip().to_numpy(), features, genome=genome)


def inspect_dense(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the format of a table that starts with counts of human genes."""
    refuse_layer(layer)
    head = read_head(path)
    _check_first_values(head)
    _inspected_genes(head, genome=genome)
    return "dense text"


def genes_of_dense(path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame | None:
    """Return the genes in the columns or the first rows of a table; None if neither are genes."""
    return _inspected_genes(read_head(path), genome=genome)


def _inspected_genes(head: Head, *, genome: str | None) -> pd.DataFrame | None:
    columns = pd.Series(head.columns, dtype=str)
    across, rows = count_gene_like(columns), max(map(count_gene_like, head.row_names))
    if across > rows:
        return choose_genes(name_genes([columns], []), genome=genome)
    if rows > across and genome is None:  # the first rows may be of another genome
        return choose_genes(name_genes(head.row_names[:1], head.row_names[1:]), genome=genome)
    return None


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
    head = read_head(path)
    _check_first_values(head)
    rows = max(map(count_gene_like, head.row_names))
    n_gene_like = max(rows, count_gene_like(pd.Series(head.columns)))
    return n_gene_like >= MIN_GENE_LIKE and len(head.columns) > 1


def _check_first_values(head: Head) -> None:
    for fields in head.rows:
        if not _is_no_row(fields, head=head):
            _counts_in(fields, head=head)


def _fields_of(line: str, *, head: Head, number: int) -> list[str]:
    """Return the fields of a row, as many as in the rows before."""
    text = line.strip("\n ")
    if head.trailing and head.separator:
        text = text.removesuffix(head.separator)
    fields = split_fields(text, head.separator)
    width = len(head.header)
    if len(fields) != width:
        raise ValueError(f"line {number} has {len(fields)} fields, the lines before have {width}")
    return fields


def _is_no_row(fields: list[str], *, head: Head) -> bool:
    """Test whether a row is neither a gene nor a cell: by its name, or if it has words only."""
    if is_no_gene_or_cell(fields[head.names[0]]) and not head.numbered:
        return True
    return all(map(is_word, fields[head.n_names :]))  # stops at the first number


def _counts_in(fields: list[str], *, head: Head) -> tuple[np.ndarray, np.ndarray]:
    """Return positions and values of the nonzero counts after a row's names."""
    texts = fields[head.n_names :]
    if head.places is not None:
        texts = [fields[place] for place in head.places]
    at = [place for place, text in enumerate(texts) if text != "0"]
    values = [_number(texts[place]) for place in at]
    counts = np.array(values, dtype=float)
    bad = first_non_count(counts)
    if bad is not None:
        value = texts[at[bad]]
        where = f"row {fields[head.names[0]]}, column {head.columns[at[bad]]}"
        if np.isnan(counts[bad]):
            remedy = (
                "write whole counts without commas"
                if re.fullmatch(r"[\d.]*\d,\d+(?:,\d+)*", value)
                else "give counts, 0 where there are none"
            )
            raise ValueError(f"{where}: `{value}` is not a number; {remedy}")
        raise ValueError(f"{where}: {not_counts(counts[bad])}")
    filled = counts != 0  # zeros may be written as 0.0
    return np.array(at, dtype=np.int32)[filled], counts[filled].astype(np.int32)


def _log_left_out(path: Path, rows: list[str], *, head: Head, used: list[int]) -> None:
    """Log rows and named columns that are neither counts nor names of the counts."""
    values = set(head.places or range(head.n_names, len(head.header)))
    columns = [
        name for place, name in enumerate(head.header) if name and place not in {*values, *used}
    ]
    parts = [f"{kind} {', '.join(names)}" for kind, names in (("columns", columns), ("rows", rows))
             if names]  # fmt: skip
    if parts:
        logger.warning("%s: left out, not genes or cells: %s", path, "; ".join(parts))


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan


def _genes_in_rows(row_names: list[pd.Series], columns: list[str]) -> bool:
    """Test whether genes are in rows, by the names of rows and columns."""
    names = pd.Series(columns)
    rows, across = max(map(count_gene_like, row_names)), count_gene_like(names)
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


def _mostly_barcodes(names: pd.Series) -> bool:
    return bool(names.str.contains(NUCLEOTIDES).mean() > MAJORITY)


READER = Reader(
    words="a table of counts (.csv, .tsv)",
    suffixes=SUFFIXES,
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_dense,
    genes=genes_of_dense,
    read=read_dense,
)
