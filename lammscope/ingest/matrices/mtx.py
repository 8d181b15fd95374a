"""Matrix Market files with their lists of barcodes and genes, as each pipeline names them."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import AGAIN, open_text, text_lines
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import name_genes
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.counts import (
    choose_genes,
    first_non_count,
    gene_shard,
    not_counts,
)
from lammscope.ingest.matrices.reader import Reader

MTX = re.compile(r"\.mtx(\.gz)?$")
# other matrices of STARsolo and kallisto|bustools, in addition to or instead of the gene matrix
OTHERS = re.compile(r"^(UniqueAndMult.*|(.*\.)?(un)?spliced|(.*\.)?(ambiguous|nascent|mature))$")

ENTRIES_AT_A_TIME = 1_000_000  # 24 MB as numbers
BYTES_LOOKED_AT = 4096  # about 300 entries, whose values show whether they are counts
FEATURES_LOOKED_AT = 500  # evenly spaced; smaller groups of genes show only on reading
SHORTEST_ENTRY = 6  # bytes of `1 1 1` with its line end; the last line may lack it
GZIP_BEST_RATE = 1032  # deflate's limit (zlib Technical Details, "Maximum Compression Factor")


@dataclass(frozen=True)
class Layout:
    """The files of one matrix; `cells_first`: its rows are cells if the sizes do not decide."""

    name: str
    matrix: Path
    barcodes: Path
    features: Path
    symbols: Path | None = None
    cells_first: bool = False


def mtx_in(folder: Path) -> list[Path]:
    """List the count matrices among the `.mtx` files of a folder, sorted; plain before .gz.

    Files named like a 10x matrix are listed even if their lists are missing, so that this is
    reported.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        stem = MTX.sub("", path.name)
        if stem == path.name or OTHERS.match(stem) or not path.is_file():
            continue
        if stem.endswith("matrix") or not isinstance(_layout(path), str):
            found.setdefault(stem, path)
    return list(found.values())


def _recognizes(content: Content) -> bool:
    """Test whether it is text named `.mtx`, with or without the right header."""
    return bool(MTX.search(content.path.name)) and content.is_text


def _finds(path: Path) -> bool:
    """Return False: `mtx_in` finds these files together with their lists."""
    return False


def read_mtx(path: Path, *, genome: str | None) -> Shard:
    """Read a Matrix Market file with its lists, in either orientation.

    Parameters
    ----------
    path
        The `.mtx` file.
    genome
        As in `choose_genes`.

    Raises
    ------
    ValueError
        If a file is missing or damaged, or if the sizes do not fit.
    """
    layout = _checked_layout(path)
    with open_text(layout.barcodes) as handle:
        barcodes = np.array([_fields(line)[0] for line in handle if line.strip()], dtype=str)
    features = _features(layout)
    wanted = (len(barcodes), len(features))
    with open_text(layout.matrix) as handle:
        *shape, n_entries = _size(handle, matrix=layout.matrix)
        fits = [size == wanted for size in (tuple(shape), tuple(reversed(shape)))]
        if not any(fits):
            raise ValueError(
                f"{layout.matrix.name} is {shape[0]} x {shape[1]}, but there are {wanted[1]} "
                f"features and {wanted[0]} barcodes; do the files belong to one run?"
            )
        entries = _entries(handle, matrix=layout.matrix, shape=tuple(shape), n_entries=n_entries)
    cells_first = layout.cells_first if all(fits) else fits[0]
    counts, features = _without_unspliced(
        sparse.csr_array(entries if cells_first else entries.T), features
    )
    return gene_shard(counts, barcodes, features, genome=genome)


def inspect_mtx(path: Path, *, genome: str | None) -> str:
    """Return the layout of a Matrix Market file, after checking its lists and its start."""
    layout = _checked_layout(path)
    for part in filter(None, (layout.barcodes, layout.symbols)):
        with open_text(part) as handle:
            if not handle.readline():
                raise ValueError(f"{part.name} is empty; copy or download it again")
    # features are grouped by kind: a few of them show all kinds
    choose_genes(_features(layout, at_most=FEATURES_LOOKED_AT), genome=genome)
    return layout.name


def _checked_layout(path: Path) -> Layout:
    layout = _layout(path)
    if isinstance(layout, str):
        raise ValueError(layout)
    _check_start(layout.matrix)
    return layout


def _layout(matrix: Path) -> Layout | str:
    """Find the files that belong to a matrix, or return a message on what is missing."""
    stem = MTX.sub("", matrix.name)
    folder = matrix.parent
    if stem.endswith("quants_mat"):
        lists = [_first(folder, [f"{stem}_{part}.txt"]) for part in ("rows", "cols")]
        if lists[0] and lists[1]:
            return Layout("alevin-fry folder", matrix, lists[0], lists[1], cells_first=True)
        return f"no {stem}_rows.txt or no {stem}_cols.txt next to {matrix.name}"
    for base in (stem, stem.rpartition(".")[0]):  # kb writes `cells_x_genes.total.mtx`
        barcodes = _first(folder, [f"{base}.barcodes.txt"])
        genes = _first(folder, [f"{base}.genes.txt"])
        if barcodes and genes:
            symbols = _first(folder, [f"{base}.genes.names.txt"])
            return Layout("kallisto folder", matrix, barcodes, genes, symbols, cells_first=True)
    for start, end in _affixes(stem):
        barcodes = _first(folder, [f"{start}barcodes{end}.tsv"])
        features = _first(folder, [f"{start}{part}{end}.tsv" for part in ("features", "genes")])
        if barcodes and features:
            return Layout("10x folder", matrix, barcodes, features)
    start, end = next(_affixes(stem))
    wanted = f"{start}features{end}.tsv (or genes)" if barcodes else f"{start}barcodes{end}.tsv"
    return (
        f"no {wanted}, plain or .gz, next to {matrix.name}; put the files of a run into one folder"
    )


def _affixes(stem: str) -> Iterator[tuple[str, str]]:
    """Yield what may precede and follow `barcodes` and `features` in the names of the lists."""
    start, word, end = stem.rpartition("matrix")
    if word:
        yield start, end
    else:
        yield re.sub(r"[^_.-]*$", "", stem), ""
        yield "", ""


def _first(folder: Path, names: list[str]) -> Path | None:
    paths = (folder / f"{name}{suffix}" for name in names for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


def _check_start(matrix: Path) -> None:
    """Check header, size and first values."""
    with open_text(matrix) as handle:
        n_rows, n_columns, n_entries = _size(handle, matrix=matrix)
        if not n_rows or not n_columns:
            raise ValueError(f"{matrix.name} is {n_rows} x {n_columns}; no cells or no genes")
        best_rate = GZIP_BEST_RATE if matrix.suffix == ".gz" else 1
        if SHORTEST_ENTRY * n_entries - 1 > best_rate * matrix.stat().st_size:
            raise ValueError(
                f"{matrix.name} is truncated (its header states {n_entries} entries): {AGAIN}"
            )
        values = [
            entry.split()[-1] for entry in handle.readlines(BYTES_LOOKED_AT) if not entry.isspace()
        ]
    numbers = pd.to_numeric(pd.Series(values, dtype=str), errors="coerce").to_numpy(dtype=float)
    bad = first_non_count(numbers)
    if bad is not None:
        raise ValueError(not_counts(numbers[bad]))


def _size(handle: io.TextIOWrapper, *, matrix: Path) -> tuple[int, int, int]:
    """Read header, comments and the numbers of rows, columns and entries."""
    header = handle.readline().lower().split()
    if header[:3] != ["%%matrixmarket", "matrix", "coordinate"] or len(header) < 4:
        raise ValueError(
            f"{matrix.name} does not start with `%%MatrixMarket matrix coordinate`: "
            "it is not a sparse count matrix; give the matrix.mtx of the pipeline"
        )
    if header[3] not in ("integer", "unsigned-integer", "real", "double"):
        raise ValueError(f"{matrix.name} holds {header[3]} values; give the raw UMI counts")
    if header[4:] not in ([], ["general"]):
        raise ValueError(f"{matrix.name} is {header[4]}, not general: not cells and genes")
    line = handle.readline()
    while line.startswith("%") or line.isspace():
        line = handle.readline()
    size = line.split()
    if len(size) != 3 or not all(number.isdecimal() for number in size):
        raise ValueError(f"{matrix.name} does not state its size after the header: {AGAIN}")
    n_rows, n_columns, n_entries = map(int, size)
    return n_rows, n_columns, n_entries


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
        outside = (rows < 1) | (columns < 1) | (rows > shape[0]) | (columns > shape[1])
        if outside.any():
            place = outside.argmax()
            raise ValueError(
                f"{matrix.name} is {shape[0]} x {shape[1]}, but has an entry in row {rows[place]}, "
                f"column {columns[place]}: {AGAIN}"
            )
        parts.append(np.stack([rows - 1, columns - 1, values.astype(np.int64)]))
    rows, columns, values = np.concatenate(parts, axis=1)
    if len(values) != n_entries:
        more = "truncated" if len(values) < n_entries else "damaged"
        raise ValueError(
            f"{matrix.name} is {more} ({len(values)} of {n_entries} entries are there): {AGAIN}"
        )
    return sparse.csr_array((values, (rows, columns)), shape=shape)


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
            raise ValueError(
                f"{matrix.name} has an entry that is not three numbers ({error}): {AGAIN}"
            ) from error


def _features(layout: Layout, *, at_most: int | None = None) -> pd.DataFrame:
    """Read the list of genes, of one or more columns; kallisto writes symbols to a second file.

    With `at_most`, only about so many genes, evenly spaced, and the last one are returned.
    """
    lines = text_lines(layout.features)
    if not lines:
        raise ValueError(f"{layout.features.name} is empty; copy or download it again")
    every = max(1, len(lines) // at_most) if at_most else 1
    chosen = sorted({*range(0, len(lines), every), len(lines) - 1})
    rows = [_fields(lines[place]) for place in chosen]
    width = max(map(len, rows))
    columns = [
        pd.Series([row[place] if place < len(row) else "" for row in rows], dtype=str)
        for place in range(width)
    ]
    symbols = columns[1:2]
    if layout.symbols:
        names = text_lines(layout.symbols)
        if len(names) != len(lines):
            raise ValueError(
                f"{layout.symbols.name} has {len(names)} names for {len(lines)} genes; "
                "do the files belong to one run?"
            )
        symbols = [pd.Series([_fields(names[place])[0] for place in chosen], dtype=str)]
    features = name_genes(columns[:1], symbols, columns[2:])
    return features.assign(feature_type=columns[2]) if width > 2 else features


def _fields(line: str) -> list[str]:
    """Return the first three fields of a line, without quotes."""
    return [field.strip(' "\n') for field in line.split("\t", 3)[:3]]


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
)
