"""The files that a sample is read from: which they are, and what they held when it was read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lammscope.core.digests import file_digest
from lammscope.core.rates import cell_totals
from lammscope.core.shards import InputRecord, Shard
from lammscope.ingest.matrices.formats import choose_reader, is_one_matrix
from lammscope.ingest.matrices.read import matrices_of


def input_files(
    counts: str | Path,
    *,
    barcodes: str | Sequence[str] = (),
    genome: str | None = None,
    layer: str | None = None,
) -> list[Path]:
    """List the files that a sample is read from, the matrix first.

    Parameters
    ----------
    counts, genome, layer
        As for `read_matrix`. If it cannot be read, the file or folder itself is listed.
    barcodes
        The list of the sample's barcodes, if there is one.
    """
    mains = main_files(counts, genome=genome)
    files = [file for main in mains for file in _files_of(main, layer=layer)]
    lists = [barcodes] if isinstance(barcodes, str) and barcodes else list(barcodes)
    return [file for path in [*files, *map(Path, lists)] for file in _files_below(path)]


def main_files(counts: str | Path, *, genome: str | None = None) -> list[Path]:
    """Return the main file of each matrix to read, or the given path if it cannot be read.

    There are several only for folders of Cell Ranger 2 with a small genome, such as a virus.
    """
    try:
        return matrices_of(Path(counts), genome=genome)
    except (ValueError, OSError):
        return [Path(counts)]


def count_files(counts: str | Path, *, genome: str | None = None) -> list[Path]:
    """List the files that hold the counts of a sample, without lists of barcodes and genes."""
    files = []
    for main in main_files(counts, genome=genome):
        # the main file of a zarr store is the same in all stores
        files += _files_below(main.parent) if is_one_matrix(main.parent) else [main]
    return files


def total_size(files: Sequence[Path]) -> int:
    """Return the size of files together, in bytes."""
    return sum(path.stat().st_size for path in files)


def record_input(
    counts: str | Path,
    *,
    barcodes: str | Sequence[str] = (),
    genome: str | None = None,
    layer: str | None = None,
    shard: Shard,
    compared: str,
    remote: str = "",
) -> InputRecord:
    """Record what a per-sample count file is made from.

    Parameters
    ----------
    counts, barcodes, genome, layer
        As for `input_files`.
    shard
        The counts of the sample.
    compared
        How the input is compared at the start of a run: `size` or `checksum`.
    remote
        The state of the matrix on its server, if `counts` is a copy of such.
    """
    files = input_files(counts, barcodes=barcodes, genome=genome, layer=layer)
    return InputRecord(
        compared, total_size(files), file_digest(*files), cells_digest(shard), remote
    )


def cells_digest(shard: Shard) -> str:
    """Compute a digest of barcodes and their UMIs, in any order; empty if there is no barcode."""
    if not len(shard.barcodes):
        return ""
    totals = cell_totals(shard.counts).tolist()
    pairs = sorted(zip(shard.barcodes.tolist(), totals, strict=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


def _files_of(main: Path, *, layer: str | None) -> list[Path]:
    """List the files of a matrix; if it cannot be read, its main file."""
    try:
        return choose_reader(main).files(main, layer=layer)
    except (ValueError, OSError):
        return [main]


def _files_below(path: Path) -> list[Path]:
    """Return the file itself, or all files in a folder and its subfolders."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())
