"""Damaged results: a checksum within each binary file, and messages that name file and remedy.

A flipped bit is silent in most formats: Parquet and HDF5 do not protect their metadata, and NumPy
stops reading before the checksum of a zip member if the shape is wrong. So Parquet, `.npz` and
`.h5ad` files between steps hold a CRC-32 of all their other bytes. It takes 0.25 s per GB to check,
and does not keep other programs from reading the files: it is an entry of Parquet's metadata, the
comment of a zip archive, or follows the end of an HDF5 file.
"""

import json
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

KEY = "lammscope"  # of the checksum in Parquet's metadata
MARK = b"lammscope-crc32:"
DIGITS = 8
NO_CHECKSUM = MARK.decode() + DIGITS * "0"  # keeps the place until the file is complete
REMEDY = "delete it and run again"
BYTES_AT_A_TIME = 2**20
PARQUET_END = 8  # bytes: the length of the metadata, and "PAR1"


def add_checksum(path: Path) -> None:
    """Write the checksum of a complete file into it: where its place is kept, else at its end."""
    with path.open("r+b") as file:
        place = _place(file)
        if place is None:
            file.seek(0, os.SEEK_END)
            file.write(NO_CHECKSUM.encode())
            place = file.tell() - DIGITS
        digits = _crc32(file, place)
        file.seek(place)
        file.write(digits)


def check_whole(path: str | Path) -> None:
    """Compare a file with the checksum within it.

    Raises
    ------
    ValueError
        If the file is missing, damaged or incomplete; the message names it and the remedy.
    """
    with named_damage(path), Path(path).open("rb") as file:
        place = _place(file)
        if place is None:
            is_empty = file.seek(0, os.SEEK_END) == 0
            raise ValueError("the file is empty" if is_empty else "the file has no checksum")
        digits = _crc32(file, place)
        if _read_at(file, place)[:DIGITS] != digits:
            raise ValueError("its checksum does not match")


@contextmanager
def named_damage(path: str | Path, *, also: tuple[type[Exception], ...] = ()) -> Iterator[None]:
    """Turn any error while a result is read into one line: its path, what is wrong, the remedy.

    Parameters
    ----------
    path
        The file, written by this workflow. For files of the user see `core.files.named_errors`.
    also
        Errors of a parser that are neither a `ValueError` nor an `OSError`.

    Raises
    ------
    ValueError
        With this line.
    """
    damaged: tuple[type[Exception], ...] = (ValueError, EOFError, zlib.error, struct.error, OSError)
    try:
        yield
    except FileNotFoundError as error:
        raise ValueError(f"{path} is missing: run again") from error
    except (*damaged, *also) as error:
        if isinstance(error, OSError) and error.errno:  # errors of formats have no number
            reason = error.strerror or str(error)
            raise ValueError(
                f"{path} cannot be read ({reason}): check the disk and permissions, and run again"
            ) from error
        reason = " ".join(str(error).split())[:150]
        raise ValueError(f"{path} is damaged or incomplete ({reason}): {REMEDY}") from error


def read_text(path: str | Path) -> str:
    """Read a text of the results that ends with a line break; else its end is missing."""
    with named_damage(path):
        check_end(path)
        return Path(path).read_text(encoding="utf-8")


def read_json(path: str | Path) -> Any:
    """Read a JSON file of the results."""
    with named_damage(path):
        return json.loads(Path(path).read_text(encoding="utf-8"))


def check_end(path: str | Path) -> None:
    """Raise a `ValueError` if the last line of a text has no end: the rest is missing."""
    with Path(path).open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        if file.read() != b"\n":
            raise ValueError("the last line has no end" if size else "the file is empty")


def _place(file: BinaryIO) -> int | None:
    """Return where the digits of the checksum are: at the end, or in the metadata of Parquet."""
    size = file.seek(0, os.SEEK_END)
    end = _read_at(file, max(size - len(NO_CHECKSUM), 0))
    if end.startswith(MARK):
        return size - DIGITS
    if not end.endswith(b"PAR1"):
        return None
    start = max(size - PARQUET_END - int.from_bytes(end[-PARQUET_END:-4], "little"), 0)
    found = _read_at(file, start).rfind(MARK)
    return None if found < 0 else start + found + len(MARK)


def _read_at(file: BinaryIO, place: int) -> bytes:
    file.seek(place)
    return file.read()


def _crc32(file: BinaryIO, place: int) -> bytes:
    """Return the CRC-32 of all bytes but its own digits, as text."""
    file.seek(0)
    left, crc = place, 0
    while left and (part := file.read(min(BYTES_AT_A_TIME, left))):
        crc, left = zlib.crc32(part, crc), left - len(part)
    file.seek(place + DIGITS)
    while part := file.read(BYTES_AT_A_TIME):
        crc = zlib.crc32(part, crc)
    return f"{crc:0{DIGITS}x}".encode()
