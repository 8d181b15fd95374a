"""The files that a sample is read from: which they are, and what they held when it was read."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from lammscope.core.digests import file_digest
from lammscope.core.shards import InputRecord, Shard
from lammscope.ingest.matrices.formats import choose_reader
from lammscope.ingest.matrices.read import matrix_file


def input_files(
    counts: str | Path, *, barcodes: str | Sequence[str] = (), genome: str | None = None
) -> list[Path]:
    """List the files that a sample is read from, the matrix first.

    Parameters
    ----------
    counts, genome
        As for `read_matrix`. If it cannot be read, the file or folder itself is listed.
    barcodes
        The list of the sample's barcodes, if there is one.
    """
    main = main_file(counts, genome=genome)
    try:
        files = choose_reader(main).files(main)
    except (ValueError, OSError):
        files = [main]
    lists = [barcodes] if isinstance(barcodes, str) and barcodes else list(barcodes)
    return [file for path in [*files, *map(Path, lists)] for file in _files_below(path)]


def main_file(counts: str | Path, *, genome: str | None = None) -> Path:
    """Return the file of a matrix, or the given path if it names no single matrix."""
    try:
        return matrix_file(Path(counts), genome=genome)
    except (ValueError, OSError):
        return Path(counts)


def total_size(files: Sequence[Path]) -> int:
    """Return the size of files together, in bytes."""
    return sum(path.stat().st_size for path in files)


def record_input(
    counts: str | Path,
    *,
    barcodes: str | Sequence[str] = (),
    genome: str | None = None,
    shard: Shard,
    compared: str,
) -> InputRecord:
    """Record what a per-sample count file is made from.

    Parameters
    ----------
    counts, barcodes, genome
        As for `input_files`.
    shard
        The counts of the sample.
    compared
        How the input is compared at the start of a run: `size` or `checksum`.
    """
    files = input_files(counts, barcodes=barcodes, genome=genome)
    return InputRecord(compared, total_size(files), file_digest(*files), cells_digest(shard))


def cells_digest(shard: Shard) -> str:
    """Compute a digest of barcodes and their UMIs, in any order; empty if there is no barcode."""
    if not len(shard.barcodes):
        return ""
    totals = np.asarray(shard.counts.sum(axis=1)).ravel().tolist()
    pairs = sorted(zip(shard.barcodes.tolist(), totals, strict=True))
    return hashlib.sha256(repr(pairs).encode()).hexdigest()


def _files_below(path: Path) -> list[Path]:
    """Return the file itself, or all files in a folder and its subfolders."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())
