"""The `Reader` that each module of a file format defines."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pandas as pd

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content


class Inspect(Protocol):
    """A function that inspects a file."""

    def __call__(self, path: Path, *, genome: str | None, layer: str | None) -> str:
        """Check the start of a file, in milliseconds, and return a short name of its format."""


class Describe(Protocol):
    """A function that says which of several matrices is read."""

    def __call__(self, path: Path, *, genome: str | None, layer: str | None) -> str:
        """Return in words what is read and what is left out; empty if there was no choice."""


class Genes(Protocol):
    """A function that reads the names of some genes."""

    def __call__(self, path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame | None:
        """Return `gene` and `symbol` of the genes that are inspected; None if that is not known."""


class Files(Protocol):
    """A function that lists the files of a matrix."""

    def __call__(self, path: Path, *, layer: str | None) -> list[Path]:
        """List the files and folders that are read, given the main file."""


class Read(Protocol):
    """A function that reads a file."""

    def __call__(self, path: Path, *, genome: str | None, layer: str | None) -> Shard:
        """Read the counts of a file, cells x genes, and the names of both."""


def nothing_in(folder: Path) -> list[Path]:
    """Return no files: the `in_folder` of a format whose matrices are single files."""
    return []


def nothing_chosen(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return empty text: the `describe` of a format with one matrix per file."""
    return ""


def no_genes_known(path: Path, *, genome: str | None, layer: str | None) -> None:
    """Return None: the `genes` of a format whose names are known only when it is read."""


def only_itself(path: Path, *, layer: str | None) -> list[Path]:
    """Return the file itself: the `files` of a format whose matrices are single files."""
    return [path]


def refuse_layer(layer: str | None) -> None:
    """Refuse a user's `layer` for a format without layers."""
    if layer:
        raise ValueError(
            f"has no layers, but the column `layer` of the sample sheet says `{layer}`; "
            "leave it empty for this sample"
        )


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
        See `Inspect` and `Read`. `genome` is the one to read if a file has several; `layer` is the
        matrix that the user chose, else None (`refuse_layer` if the format has no layers).
    in_folder
        For matrices of several files: lists the main files in a folder, one per matrix.
    fills_folder
        Whether all that is below the folder of a main file belongs to its matrix.
    describe
        For files with several matrices: see `Describe`.
    files
        For matrices of several files: see `Files`.
    genes
        Reads the names of some genes, in milliseconds: see `Genes`.
    """

    words: str
    suffixes: tuple[str, ...]
    recognizes: Callable[[Content], bool]
    finds: Callable[[Path], bool]
    inspect: Inspect
    read: Read
    in_folder: Callable[[Path], list[Path]] = nothing_in
    fills_folder: bool = False
    describe: Describe = nothing_chosen
    files: Files = only_itself
    genes: Genes = no_genes_known
