"""Reading of input files, plain or compressed, with error messages that name the remedy."""

import csv
import gzip
import io
import re
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py

from lammscope.core.bounded import FREE, FREE_OF_LISTS, MOST_OF_LISTS, MOST_TIMES, Bounded, buffered
from lammscope.core.hdf5_parts import check_parts
from lammscope.core.plain_text import check_regular

AGAIN = "the file is damaged or incomplete; copy or download it again"
GZIP = b"\x1f\x8b"
NUL = "\0"
HOLDS_NUL = f"holds NUL characters, as after an interrupted copy: {AGAIN}"
# the beginning of a file that Git LFS has not fetched, https://git-lfs.com/spec/v1
POINTER = b"version https://git-lfs"
A_POINTER = "a pointer of Git LFS, not the file itself: fetch it with `git lfs pull`"
LIKE_TEXT = re.compile(rb"[^<\0-\x08\x0b\x0c\x0e-\x1f][^\0-\x08\x0b\x0c\x0e-\x1f]*")  # not HTML
BYTES_AT_A_TIME = 2**20
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


def open_bytes(path: Path, *, most: int = MOST_TIMES, free: int = FREE) -> io.BufferedReader:
    """Open a file that may be compressed by gzip, which its content decides and not its name.

    Raises
    ------
    ValueError
        Also while it is read, if it decompresses to far more than real data (see `Bounded`).
    """
    if not path.is_file():
        check_regular(path)
    with path.open("rb") as handle:
        start = handle.read(len(POINTER))
    if start.startswith(GZIP):
        with gzip.open(path, "rb") as unpacked:
            if unpacked.peek(len(GZIP)).startswith(GZIP):
                raise ValueError(f"{path.name} is compressed twice: decompress it once (gunzip)")
        packed = path.open("rb")
        unpacking = gzip.GzipFile(fileobj=packed, mode="rb")
        return buffered(Bounded(unpacking, packed=packed, most=most, free=free))
    if start == POINTER:
        raise ValueError(f"{path.name} is {A_POINTER}")
    if path.suffix == ".gz" and start and not LIKE_TEXT.fullmatch(start):
        raise ValueError(
            f"{path.name} ends in .gz but is not compressed, nor text; download it again"
        )
    return buffered(Bounded(path.open("rb", buffering=0)))


def is_gzipped(path: Path) -> bool:
    """Test by its content whether a file is compressed by gzip."""
    with path.open("rb") as handle:
        return handle.read(len(GZIP)) == GZIP


def holds_nul(path: Path) -> bool:
    """Test whether a text file, plain or compressed, has NUL characters."""
    with open_bytes(path) as opened:
        return any(b"\0" in part for part in iter(lambda: opened.read(BYTES_AT_A_TIME), b""))


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file for reading; errors of h5py on damaged files become an `OSError`.

    File systems without locks are accepted. A ValueError says if the file refers to other files, or
    declares arrays that it cannot hold (see `check_parts`).
    """
    check_regular(path)
    with h5py.File(path, "r", locking="best-effort") as file:
        try:
            check_parts(file, path)
            yield file
        except (RuntimeError, KeyError, TypeError, UnicodeDecodeError) as error:
            raise OSError(str(error)) from error


def text_lines(path: Path) -> list[str]:
    """Return the lines of a text file that are not blank."""
    lines = []
    opened = open_bytes(path, most=MOST_OF_LISTS, free=FREE_OF_LISTS)
    with io.TextIOWrapper(opened, encoding="utf-8-sig") as handle:
        for line in handle:
            if NUL in line:
                raise ValueError(f"{path.name} {HOLDS_NUL}")
            if line.strip():
                lines.append(line.removesuffix("\n"))
    return lines


def _reason(error: Exception) -> str:
    """Describe in one line what an exception means for the file."""
    text = " ".join(str(error).split())
    match error:
        case UnicodeDecodeError():
            return "is not UTF-8 text; save it as UTF-8 (plain text, not a workbook)"
        case gzip.BadGzipFile() | EOFError() | zlib.error() | struct.error():
            return f"the compressed data end early or are corrupt ({text}): {AGAIN}"
        case BlockingIOError():
            return (
                "is open for writing in another program, such as a notebook: close it there, and "
                "start again"
            )
        case OSError() if "consistency flags" in text:
            return (
                "is open for writing in another program, or that program stopped before it closed "
                "the file: close it there, or write the file again"
            )
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
