"""Reading of input files, plain or compressed, with error messages that name the remedy."""

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
    """Turn any error while `path` is read into a one-line message that starts with the path.

    Parameters
    ----------
    path
        The input file as the user named it.

    Raises
    ------
    ValueError
        Replaces errors of the file system, gzip, text decoding and HDF5, a lack of memory, and
        any `ValueError`, whose message is kept after the path.
    """
    try:
        yield
    except (ValueError, OSError, EOFError, OverflowError, MemoryError, *CORRUPT) as error:
        raise ValueError(f"{path}: {_reason(error)}") from error


def open_text(path: Path) -> io.TextIOWrapper:
    """Open UTF-8 text, with or without a byte order mark, plain or compressed by gzip."""
    return io.TextIOWrapper(open_bytes(path), encoding="utf-8-sig")


def open_bytes(path: Path) -> gzip.GzipFile | io.BufferedReader:
    """Open a file that may be compressed by gzip, which its content decides and not its name."""
    with path.open("rb") as handle:
        start = handle.read(2)
    if start == GZIP:
        return gzip.open(path, "rb")
    if path.suffix == ".gz" and start:
        raise ValueError(
            f"{path.name} ends in .gz but is not compressed; rename it or download it again"
        )
    return path.open("rb")


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; errors of h5py on damaged files become an `OSError`."""
    with h5py.File(path, "r") as file:
        try:
            yield file
        except (RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise OSError(str(error)) from error


def text_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank."""
    with open_text(path) as handle:
        return [line for line in handle.read().split("\n") if line.strip()]


def _reason(error: Exception) -> str:
    """Describe in one line what an exception means for the file."""
    text = " ".join(str(error).split())
    match error:
        case UnicodeDecodeError():
            return "is not UTF-8 text; save it as UTF-8 (plain text, not a workbook)"
        case gzip.BadGzipFile() | EOFError() | zlib.error() | struct.error():
            return f"the compressed data end early or are corrupt ({text}): {AGAIN}"
        case PermissionError():
            return f"no permission to read {error.filename}; ask its owner, or use chmod"
        case OSError(strerror=str(strerror), filename=str() | Path() as name):
            return f"cannot be read ({strerror}: {name})"
        case OSError():  # errors of h5py have no file name
            return f"HDF5 cannot read it ({text}): {AGAIN}"
        case MemoryError():
            return (
                f"needs more memory than is available ({text}); give the job more memory. "
                f"If that does not help, {AGAIN}"
            )
        case OverflowError():
            return f"a number is too large for a count ({text}); use the raw UMI counts"
        case _:
            return text
