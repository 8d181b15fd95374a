"""The `Reader` that each module of a file format defines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content


class Inspect(Protocol):
    """A function that inspects a file."""

    def __call__(self, path: Path, *, genome: str | None) -> str:
        """Check the start of a file, in milliseconds, and return a short name of its format."""


class Read(Protocol):
    """A function that reads a file."""

    def __call__(self, path: Path, *, genome: str | None) -> Shard:
        """Read the counts of a file, cells x genes, and the names of both."""


def nothing_in(folder: Path) -> list[Path]:
    """Return no files: the `in_folder` of a format whose matrices are single files."""
    return []


def only_itself(path: Path) -> list[Path]:
    """Return the file itself: the `files` of a format whose matrices are single files."""
    return [path]


@dataclass(frozen=True)
class Reader:
    """A file format: how its files are recognized, found, inspected and read.

    Errors are `ValueError`s of one line; the caller puts the path in front of it. The caller of
    `read` checks what holds for every format: values are counts, barcodes and gene ids are unique.

    Attributes
    ----------
    words
        The format in words, with its article.
    suffixes
        Endings of its file names, without dots and without `gz`.
    recognizes
        Tests by the start of a file whether it has this format.
    finds
        Tests whether a file in a folder of results or downloads is a matrix of this format. It is
        called with any file. A damaged matrix is one, too, so that its inspection reports it.
    inspect, read
        See `Inspect` and `Read`. `genome` is the one to read if a file has several.
    in_folder
        For matrices of several files: lists the main files in a folder, one per matrix.
    files
        For matrices of several files: lists the files of one matrix, given its main file.
    """

    words: str
    suffixes: tuple[str, ...]
    recognizes: Callable[[Content], bool]
    finds: Callable[[Path], bool]
    inspect: Inspect
    read: Read
    in_folder: Callable[[Path], list[Path]] = nothing_in
    files: Callable[[Path], list[Path]] = only_itself
