"""The file formats of count matrices. To add one, write its module and add its reader here."""

import re
from functools import lru_cache
from pathlib import Path

from lammscope.ingest.matrices import dense, h5ad, loom, mtx, rds, tenx, zarr_store
from lammscope.ingest.matrices.content import opened_content, refusal
from lammscope.ingest.matrices.reader import Reader

# tried in this order: the last one accepts any text
READERS: tuple[Reader, ...] = (
    *(tenx.READER, mtx.READER, h5ad.READER, loom.READER, zarr_store.READER, zarr_store.ZIPPED),
    *(rds.READER,),
    dense.READER,
)


def choose_reader(path: Path) -> Reader:
    """Return the reader of a file, by its content.

    Raises
    ------
    ValueError, OSError
        If no reader recognizes the file, or if it cannot be read.
    """
    status = path.stat()
    return _choose_reader(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=4096)  # of a matrix, the checks before a run and reading it ask
def _choose_reader(path: Path, size: int, changed: int) -> Reader:
    with opened_content(path) as content:
        for reader in READERS:
            if reader.recognizes(content):
                return reader
        raise ValueError(refusal(content, formats=list_formats()))


def matrices_in(folder: Path) -> list[Path]:
    """List the matrices in a folder that consist of several files each, by their main files."""
    return [path for reader in READERS for path in reader.in_folder(folder)]


def is_one_matrix(folder: Path) -> bool:
    """Test whether a folder with all that is below it is one matrix, as in zarr."""
    return any(reader.fills_folder and reader.in_folder(folder) for reader in READERS)


def seems_a_matrix(path: Path) -> bool:
    """Test whether a file found in a folder is a matrix, intact or damaged."""
    return any(reader.finds(path) for reader in READERS)


def list_formats() -> str:
    """Return the formats in words, for messages."""
    *others, last = (reader.words for reader in READERS)
    return f"{', '.join(others)}, or {last}"


def without_suffixes(name: str) -> str:
    """Return a file name without the suffixes of format and compression."""
    known = "|".join(re.escape(suffix) for reader in READERS for suffix in reader.suffixes)
    return re.sub(rf"(\.(gz|{known}))+$", "", name, flags=re.IGNORECASE)
