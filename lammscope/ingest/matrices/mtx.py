"""Counts in Matrix Market files, with their lists of barcodes and genes."""

import csv
import io
import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import AGAIN, HOLDS_NUL, NUL, holds_nul, is_gzipped, open_text
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import name_genes
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.counts import (
    choose_genes,
    first_non_count,
    gene_shard,
    inspected_genes,
    not_counts,
)
from lammscope.ingest.matrices.mtx_array import array_entries
from lammscope.ingest.matrices.mtx_layout import MTX, Layout, files_of, find_layout, mtx_in
from lammscope.ingest.matrices.mtx_lists import (
    fields_of,
    gene_lines,
    read_cells,
    read_csv_list,
    without_numbers,
)
from lammscope.ingest.matrices.mtx_parts import choose_parts
from lammscope.ingest.matrices.reader import Reader

ENTRIES_AT_A_TIME = 1_000_000  # 24 MB as numbers
BYTES_LOOKED_AT = 4096  # about 300 entries, whose values show whether they are counts
SHORTEST_ENTRY = 6  # bytes of `1 1 1` with its line end; the last line may lack it
SHORTEST_VALUE = 2  # the same for the form `array`, which has values only
FORMS = (["coordinate"], ["array"])
GZIP_BEST_RATE = 1032  # deflate's limit (zlib Technical Details, "Maximum Compression Factor")


@dataclass(frozen=True)
class Size:
    """Numbers of rows and columns, number of entries, and whether zeros are among them."""

    shape: tuple[int, int]
    n_entries: int
    is_dense: bool


def _recognizes(content: Content) -> bool:
    """Test whether it is text named `.mtx`, with or without the right header."""
    return bool(MTX.search(content.path.name)) and content.is_text


def _finds(path: Path) -> bool:
    """Return False: `mtx_in` finds these files together with their lists."""
    return False


def read_mtx(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read a Matrix Market file with its lists, in either orientation.

    Parameters
    ----------
    path
        The `.mtx` file.
    genome
        As in `choose_genes`.
    layer
        As in `choose_parts`.

    Raises
    ------
    ValueError
        If a file is missing or damaged, or if the sizes do not fit.
    """
    parts = choose_parts(path, layer=layer)
    if parts.words:
        level = logging.WARNING if parts.doubtful else logging.INFO
        logger.log(level, "%s: read %s", path, parts.words)
    counts, barcodes, features = _read_one(parts.paths[0])
    for other in parts.paths[1:]:
        more, cells, genes = _read_one(other)
        if not (np.array_equal(cells, barcodes) and genes.equals(features)):
            raise ValueError(
                f"{other.name} and {parts.paths[0].name} have other barcodes or genes; they cannot "
                "be summed"
            )
        counts = counts + more
    return gene_shard(sparse.csr_array(counts), barcodes, features, genome=genome)


def _read_one(path: Path) -> tuple[sparse.csr_array, np.ndarray, pd.DataFrame]:
    """Return counts (cells x features), barcodes and features of one file."""
    layout = _checked_layout(path)
    with open_text(layout.matrix) as handle:
        size = _size(handle, matrix=layout.matrix)
        shape = size.shape
        barcodes = _barcodes(layout, sizes=shape)
        features = _features(layout, sizes=shape)
        wanted = (len(barcodes), len(features))
        fits = [shape == wanted, shape[::-1] == wanted]
        if not any(fits):
            raise ValueError(
                f"{layout.matrix.name} is {shape[0]} x {shape[1]}, but there are {wanted[1]} "
                f"features and {wanted[0]} barcodes; do the files belong to one run?"
            )
        if size.is_dense:
            entries = array_entries(handle, matrix=layout.matrix, shape=shape)
        else:
            entries = _entries(handle, matrix=layout.matrix, shape=shape, n_entries=size.n_entries)
    cells_first = layout.cells_first if all(fits) else fits[0]
    counts, features = _without_unspliced(
        sparse.csr_array(entries if cells_first else entries.T), features
    )
    return counts, barcodes, features


def inspect_mtx(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the layout of a Matrix Market file, after checking its lists and its start."""
    layout, *_ = [_checked_layout(part) for part in choose_parts(path, layer=layer).paths]
    for part in filter(None, (layout.barcodes, layout.symbols)):
        with open_text(part) as handle:
            if not handle.readline():
                raise ValueError(f"{part.name} is empty; copy or download it again")
    genes_of_mtx(path, genome=genome, layer=layer)
    return layout.name


def genes_of_mtx(path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame:
    """Return the inspected genes of a Matrix Market file."""
    layout = _checked_layout(choose_parts(path, layer=layer).paths[0])
    with open_text(layout.matrix) as handle:
        sizes = _size(handle, matrix=layout.matrix).shape
    # features are grouped by kind: a few of them show all kinds
    return choose_genes(_features(layout, sizes=sizes, whole=False), genome=genome)


def describe_mtx(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Say which molecules are read, if there are files of several kinds."""
    return choose_parts(path, layer=layer).words


def _checked_layout(path: Path) -> Layout:
    layout = find_layout(path)
    if isinstance(layout, str):
        raise ValueError(layout)
    _check_start(layout.matrix)
    return layout


def _check_start(matrix: Path) -> None:
    """Check header, size and first values."""
    with open_text(matrix) as handle:
        size = _size(handle, matrix=matrix)
        if 0 in size.shape:
            raise ValueError(
                f"{matrix.name} is {size.shape[0]} x {size.shape[1]}; no cells or no genes"
            )
        best_rate = GZIP_BEST_RATE if is_gzipped(matrix) else 1
        shortest = SHORTEST_VALUE if size.is_dense else SHORTEST_ENTRY
        if shortest * size.n_entries - 1 > best_rate * matrix.stat().st_size:
            raise ValueError(
                f"{matrix.name} is truncated (its header states {size.n_entries} entries): {AGAIN}"
            )
        entries = handle.readlines(BYTES_LOOKED_AT)
        if any(NUL in entry for entry in entries):
            raise ValueError(f"{matrix.name} {HOLDS_NUL}")
        values = [entry.split()[-1] for entry in entries if not entry.isspace()]
    numbers = pd.to_numeric(pd.Series(values, dtype=str), errors="coerce").to_numpy(dtype=float)
    bad = first_non_count(numbers)
    if bad is not None:
        raise ValueError(not_counts(numbers[bad]))


def _size(handle: io.TextIOWrapper, *, matrix: Path) -> Size:
    """Read header, comments and the numbers of rows, columns and entries."""
    header = handle.readline().lower().split()
    if header[:2] != ["%%matrixmarket", "matrix"] or header[2:3] not in FORMS or len(header) < 4:
        raise ValueError(
            f"{matrix.name} does not start with `%%MatrixMarket matrix coordinate`: "
            "it is not a count matrix; give the matrix.mtx of the pipeline"
        )
    is_dense = header[2] == "array"
    if header[3] not in ("integer", "unsigned-integer", "real", "double", "float"):  # STARsolo
        raise ValueError(f"{matrix.name} holds {header[3]} values; give the raw UMI counts")
    if header[4:] not in ([], ["general"]):
        raise ValueError(f"{matrix.name} is {header[4]}, not general: not cells and genes")
    line = handle.readline()
    while line.startswith("%") or line.isspace():
        line = handle.readline()
    size = line.split()
    if len(size) != (2 if is_dense else 3) or not all(number.isdecimal() for number in size):
        raise ValueError(f"{matrix.name} does not state its size after the header: {AGAIN}")
    n_rows, n_columns, *n_stored = map(int, size)
    return Size((n_rows, n_columns), n_stored[0] if n_stored else n_rows * n_columns, is_dense)


def _entries(
    handle: io.TextIOWrapper, *, matrix: Path, shape: tuple[int, ...], n_entries: int
) -> sparse.csr_array:
    """Read the entries after the size; scipy's `mmread` may crash on damaged ones."""
    parts = [np.empty((3, 0), dtype=np.int64)]
    for chunk in _chunks(handle, matrix=matrix):
        rows, columns, values = (chunk[place].to_numpy() for place in range(3))
        bad = first_non_count(values)
        if bad is not None:
            raise ValueError(not_counts(values[bad]))
        parts.append(np.stack([rows, columns, values.astype(np.int64)]))
    rows, columns, values = np.concatenate(parts, axis=1)
    first = _first_index(rows, columns, shape=shape)
    if first == 0:
        logger.warning("%s: rows and columns are numbered from 0, not from 1", matrix)
    rows -= first
    columns -= first
    outside = (rows < 0) | (columns < 0) | (rows >= shape[0]) | (columns >= shape[1])
    if outside.any():
        place = outside.argmax()
        raise ValueError(
            f"{matrix.name} is {shape[0]} x {shape[1]}, but has an entry in row "
            f"{rows[place] + 1}, column {columns[place] + 1}: {AGAIN}"
        )
    if len(values) != n_entries:
        more = "truncated" if len(values) < n_entries else "damaged"
        raise ValueError(
            f"{matrix.name} is {more} ({len(values)} of {n_entries} entries are there): {AGAIN}"
        )
    return sparse.csr_array((values, (rows, columns)), shape=shape)


def _first_index(rows: np.ndarray, columns: np.ndarray, *, shape: tuple[int, ...]) -> int:
    """Return 0 if rows and columns are numbered from 0, else 1.

    In a matrix of so many entries the last cell has some, so that its number would occur.
    """
    if len(rows) < max(shape) or min(rows.min(), columns.min()) != 0:
        return 1
    return 0 if rows.max() < shape[0] and columns.max() < shape[1] else 1


def _chunks(handle: io.TextIOWrapper, *, matrix: Path) -> Iterator[pd.DataFrame]:
    """Yield tables of row, column and value, `ENTRIES_AT_A_TIME` to limit memory."""
    first = handle.readline()
    for text in (io.StringIO(first), handle):
        try:
            for chunk in pd.read_csv(
                text,
                # a single space takes a third of the time of any white space
                sep=" " if re.fullmatch(r"\S+ \S+ \S+\n", first) else r"\s+",
                header=None,
                dtype={0: np.int64, 1: np.int64, 2: np.float64},
                chunksize=ENTRIES_AT_A_TIME,
                quoting=csv.QUOTE_NONE,
                na_filter=False,
            ):
                if chunk.shape[1] != 3:
                    raise ValueError(f"{chunk.shape[1]} fields instead of 3")
                yield chunk
        except pd.errors.EmptyDataError:
            continue
        except UnicodeDecodeError:
            raise
        except (ValueError, OverflowError) as error:
            if holds_nul(matrix):
                raise ValueError(f"{matrix.name} {HOLDS_NUL}") from error
            raise ValueError(
                f"{matrix.name} has an entry that is not three numbers ({error}): {AGAIN}"
            ) from error


def _barcodes(layout: Layout, *, sizes: Sequence[int]) -> np.ndarray:
    if layout.is_csv:
        return _parse_cells(layout.barcodes)
    return read_cells(layout.barcodes, sizes=sizes)


def _features(layout: Layout, *, sizes: Sequence[int], whole: bool = True) -> pd.DataFrame:
    """Read the list of genes, of one or more columns; kallisto writes symbols to a second file.

    Without `whole`, only the `inspected_genes` are returned.
    """
    if layout.is_csv:
        return _parse_features(layout.features)
    lines = gene_lines(layout.features, sizes=sizes)
    chosen = range(len(lines)) if whole else inspected_genes(len(lines))
    rows = without_numbers([fields_of(lines[place]) for place in chosen], chosen)
    width = max(map(len, rows))
    columns = [
        pd.Series([row[place] if place < len(row) else "" for row in rows], dtype=str)
        for place in range(width)
    ]
    symbols = columns[1:2]
    if layout.symbols:
        names = gene_lines(layout.symbols, sizes=sizes)
        if len(names) != len(lines):
            raise ValueError(
                f"{layout.symbols.name} has {len(names)} names for {len(lines)} genes; "
                "do the files belong to one run?"
            )
        symbols = [pd.Series([fields_of(names[place])[0] for place in chosen], dtype=str)]
    features = name_genes(columns[:1], symbols, columns[2:])
    return features.assign(feature_type=columns[2]) if width > 2 else features


def _parse_cells(path: Path) -> np.ndarray:
    """Read the names of the cells of Parse; its first column is `bc_wells`."""
    cells = read_csv_list(path)
    samples: list[str] = list(cells["sample"].unique()) if "sample" in cells else []
    if len(samples) > 1:
        logger.warning(
            "%s: holds %d samples (%s); if this run has them as several patients, list the cells "
            "of each in a file and name it in the column `barcodes` of the sample sheet",
            *(path, len(samples), ", ".join(samples[:3])),
        )
    return cells.iloc[:, 0].to_numpy(dtype=str)


def _parse_features(path: Path) -> pd.DataFrame:
    genes = read_csv_list(path)
    features = name_genes([genes.iloc[:, 0]], [genes.iloc[:, 1]] if genes.shape[1] > 1 else [])
    return features.assign(genome=genes["genome"]) if "genome" in genes else features


def _without_unspliced(
    counts: sparse.csr_array, features: pd.DataFrame
) -> tuple[sparse.csr_array, pd.DataFrame]:
    """Sum spliced and ambiguous molecules, if alevin-fry distinguishes three kinds per gene.

    In its USA mode the columns are the genes, then `<gene>-U` (unspliced), then `<gene>-A`
    (ambiguous). The sum is the format `scRNA`, the default of `loadFry` in the R package fishpond.
    """
    n_genes, rest = divmod(len(features), 3)
    names = features["gene"].tolist()
    kinds = [names[:n_genes], names[n_genes : 2 * n_genes], names[2 * n_genes :]]
    if rest or kinds[1:] != [[f"{name}-{kind}" for name in kinds[0]] for kind in "UA"]:
        return counts, features
    return counts[:, :n_genes] + counts[:, 2 * n_genes :], features[:n_genes]


READER = Reader(
    words="a folder with matrix.mtx, barcodes.tsv and features.tsv",
    suffixes=("mtx",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_mtx,
    read=read_mtx,
    in_folder=mtx_in,
    describe=describe_mtx,
    genes=genes_of_mtx,
    files=files_of,
)
