"""Input files as users have them: plain or compressed text, and errors that say what to do."""

import csv
import gzip
import io
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

AGAIN = "the file is damaged or incomplete; copy or download it again"
GZIP = b"\x1f\x8b"
CORRUPT = (zlib.error, struct.error, csv.Error)


@contextmanager
def named_errors(path: str | Path) -> Iterator[None]:
    """Turn whatever goes wrong while `path` is read into one line that starts with it.

    Parameters
    ----------
    path
        The input as the user named it.

    Raises
    ------
    ValueError
        Instead of the errors of the file system, gzip, the text codec and HDF5, of a lack of
        memory, and of any `ValueError`, whose message is kept and put behind the name.
    """
    try:
        yield
    except (ValueError, OSError, EOFError, OverflowError, MemoryError, *CORRUPT) as error:
        raise ValueError(f"{path}: {_reason(error)}") from error


def open_text(path: Path) -> io.TextIOWrapper:
    """Open UTF-8 text, with or without a byte order mark, plain or compressed by gzip."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig")


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open a file that may be compressed by gzip: what it is decides, not what it is called."""
    with path.open("rb") as handle:
        start = handle.read(2)
    if start == GZIP:
        return gzip.open(path, "rb")
    if path.suffix == ".gz" and start:
        raise ValueError(f"{path.name} ends in .gz but is not compressed; rename or download it")
    return path.open("rb")


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file to read; what h5py raises on damaged ones becomes an `OSError`."""
    with h5py.File(path, "r") as file:
        try:
            yield file
        except (RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise OSError(str(error)) from error


def text_lines(path: Path) -> list[str]:
    """The lines of a text file that are not blank."""
    with open_text(path) as handle:
        return [line for line in handle.read().split("\n") if line.strip()]


def _reason(error: Exception) -> str:
    """One line on what an exception means for the file."""
    text = " ".join(str(error).split())
    match error:
        case UnicodeDecodeError():
            return (
                "holds bytes that are no UTF-8 text; save it as UTF-8 (plain text, not a workbook)"
            )
        case gzip.BadGzipFile() | EOFError() | zlib.error() | struct.error():
            return f"the compressed data end early or are corrupt ({text}): {AGAIN}"
        case PermissionError():
            return f"no permission to read {error.filename}; ask its owner, or use chmod"
        case OSError(strerror=str(strerror), filename=str() | Path() as name):
            return f"cannot be read ({strerror}: {name})"
        case OSError():  # what h5py raises names no file
            return f"HDF5 cannot read it ({text}): {AGAIN}"
        case MemoryError():
            return f"needs more memory than there is ({text}); give the job more, or {AGAIN}"
        case OverflowError():
            return f"a number is too large for a count ({text}); give the raw UMI counts"
        case _:
            return text
