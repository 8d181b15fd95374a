"""The file formats of count matrices: to add one, write its module and add its reader here."""

import re
from pathlib import Path

from lammscope.ingest.matrices import dense, h5ad, mtx, tenx
from lammscope.ingest.matrices.content import opened_content, refusal
from lammscope.ingest.matrices.reader import Reader

# asked in this order: the last one takes any text
READERS: tuple[Reader, ...] = (tenx.READER, mtx.READER, h5ad.READER, dense.READER)


def choose_reader(path: Path) -> Reader:
    """The reader of a file, by what the file holds.

    Raises
    ------
    ValueError, OSError
        If no reader recognizes the file, or if it cannot be read.
    """
    with opened_content(path) as content:
        for reader in READERS:
            if reader.recognizes(content):
                return reader
        raise ValueError(refusal(content, formats=list_formats()))


def matrices_in(folder: Path) -> list[Path]:
    """Matrices in a folder that consist of several of its files, by their main files."""
    return [path for reader in READERS for path in reader.in_folder(folder)]


def seems_a_matrix(path: Path) -> bool:
    """Whether a file that nobody names is a matrix, be it a damaged one."""
    return any(reader.finds(path) for reader in READERS)


def list_formats() -> str:
    """The formats in words, for messages."""
    *others, last = (reader.words for reader in READERS)
    return f"{', '.join(others)}, or {last}"


def without_suffixes(name: str) -> str:
    """A file's name without what tells its format and compression."""
    known = "|".join(re.escape(suffix) for reader in READERS for suffix in reader.suffixes)
    return re.sub(rf"(\.(gz|{known}))+$", "", name, flags=re.IGNORECASE)
