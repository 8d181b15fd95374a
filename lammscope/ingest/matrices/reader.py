"""What a module of a file format has to define: its `Reader`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content


class Inspect(Protocol):
    """Look whether a file starts as it should, in milliseconds, and name its form."""

    def __call__(self, path: Path, *, genome: str | None) -> str: ...


class Read(Protocol):
    """Read a file's counts of cells x genes, and the names of both."""

    def __call__(self, path: Path, *, genome: str | None) -> Shard: ...


def nothing_in(folder: Path) -> list[Path]:
    """The `in_folder` of a format whose matrices are single files."""
    return []


@dataclass(frozen=True)
class Reader:
    """A file format: how its files are recognized, found, inspected and read.

    Errors are `ValueError`s of one line; the caller puts the path in front of it. `read` may leave
    to its caller what holds for every format: that values are counts, that barcodes and gene ids
    are unique.

    Attributes
    ----------
    words
        The format in a list of formats, with its article.
    suffixes
        What the names of its files end in, without points and without `gz`.
    recognizes
        Whether a file that a user names is of this format; from its start.
    finds
        Whether a file that nobody names, in a folder of results or downloads, is a matrix of this
        format. It may be asked about any file. A damaged matrix counts, so that its inspection
        tells.
    inspect, read
        See `Inspect` and `Read`. `genome` is the one to choose where a file holds several.
    in_folder
        For matrices of several files: the main files in a folder, one per matrix. The folder of a
        single one stands for it.
    """

    words: str
    suffixes: tuple[str, ...]
    recognizes: Callable[[Content], bool]
    finds: Callable[[Path], bool]
    inspect: Inspect
    read: Read
    in_folder: Callable[[Path], list[Path]] = nothing_in
