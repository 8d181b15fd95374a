"""R objects in files that `saveRDS` wrote: their class, slots and values.

The package `rdata` parses the file; no code of the object is run. Only what is asked for is
converted.
"""

import bz2
import gzip
import lzma
import math
import re
import struct
import sys
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from lammscope.core.bounded import MOST_OF_OBJECTS, MOST_TIMES, Bounded, buffered
from lammscope.core.files import AGAIN
from lammscope.core.plain_text import check_regular

RObject = Any  # an rdata.parser.RObject

# The start of a file of `saveRDS`: its form (binary, native or text) and version
SERIALIZED = re.compile(
    rb"X\n\0\0\0[\2\3]|B\n(?:[\2\3]\0\0\0|\0\0\0[\2\3])|A\r?\n[23]\r?\n\d+\r?\n"
)
OPENERS: dict[bytes, Callable[[Any], Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
CORRUPT = (OSError, EOFError, lzma.LZMAError, zlib.error, struct.error)
N_BYTES = 512
SEQUENCES = (b"compact_intseq", b"compact_realseq")  # kept as their first and last numbers
FREE_NUMBERS = 1_000_000  # that compact sequences of any file may stand for
LONGEST_RUNS = 50_000_000  # values of an `Rle`: more than any genome or library has names
# R Internals, section 1.8: numbers of types, and flags of an item in a file
S4, PAIRS, INTEGER, REAL = 25, 2, 13, 14
WITH_ATTRIBUTES = 1 << 9
NESTED = 20_000  # levels that rdata descends: one per element of a pairlist
# What rdata raises on data that end early, or on parts that it does not know
UNPARSED = (
    *(AssertionError, AttributeError, IndexError, KeyError, NotImplementedError),
    *(OverflowError, RecursionError, TypeError, UnicodeDecodeError, ValueError),
)


@dataclass(frozen=True)
class Root:
    """What the start of a file shows: type of the object, and its first slot or empty text."""

    type: int
    has_attributes: bool
    first_slot: str = ""


def start_of(path: Path) -> bytes:
    """Return the first bytes of a file, decompressed; empty if they cannot be."""
    try:
        with _unpacked(path) as opened:
            return opened.read(N_BYTES)
    except CORRUPT:
        return b""


def is_serialized(path: Path) -> bool:
    """Test whether `saveRDS` wrote a file, compressed or not."""
    return bool(SERIALIZED.match(start_of(path)))


def root_of(path: Path) -> Root | None:
    """Return what the start of a file shows; None for the rare forms that are not binary."""
    start = start_of(path)
    if not start.startswith(b"X\n"):
        return None

    try:
        version, _, _, length = struct.unpack_from(">4i", start, len(b"X\n"))
        # version 3 names the encoding; version 2 has the flags there
        place = len(b"X\n") + (16 + length if version > 2 else 12)
        (flags,) = struct.unpack_from(">i", start, place)
        kind, has_attributes = flags & 255, bool(flags & WITH_ATTRIBUTES)
        if kind != S4:
            return Root(kind, has_attributes)
        pairs, _, _, length = struct.unpack_from(">4i", start, place + 4)
        name = start[place + 20 : place + 20 + length] if pairs & 255 == PAIRS else b""
        return Root(kind, has_attributes, name.decode("latin-1"))
    except struct.error as error:
        raise ValueError(f"the R object ends early: {AGAIN}") from error


def parse(path: Path) -> RObject:
    """Parse a whole file.

    Raises
    ------
    ValueError
        If it is damaged, or has parts that rdata does not know.
    """
    from rdata.parser import parse_data

    try:
        with _unpacked(path) as opened:
            data = opened.read()
    except EOFError:
        raise
    except CORRUPT as error:
        raise ValueError(f"the compressed data are corrupt ({error}): {AGAIN}") from error
    try:
        with warnings.catch_warnings(), _nested():
            warnings.simplefilter("ignore")  # on tags that it skips
            known = _constructors(len(data))
            return parse_data(data, extension=".rds", altrep_constructor_dict=known).object
    except UNPARSED as error:
        text = " ".join(f"{type(error).__name__} {error}".split())
        raise ValueError(f"rdata cannot parse it ({text})") from error


def slots(item: RObject) -> dict[str, RObject]:
    """Return the slots or attributes of an object by name."""
    return dict(_pairs(item.attributes)) if item.attributes is not None else {}


def class_of(item: RObject) -> str:
    """Return the first class of an object, empty if it has none."""
    known = slots(item).get("class")
    return _text(known.value[0]) if known is not None else ""


def is_null(item: RObject | None) -> bool:
    """Test whether this is NULL; S4 objects have a symbol for it."""
    if item is None:
        return True
    return _kind(item) in ("NIL", "NILVALUE") or (
        _kind(item) == "SYM" and item.value.value == b"\x01NULL\x01"
    )


def is_list(item: RObject) -> bool:
    """Test whether this is a list or data frame."""
    return _kind(item) == "VEC"


def elements(item: RObject) -> dict[str, RObject]:
    """Return the elements of a list, or of a `SimpleList` or `DataFrame` of Bioconductor.

    Those without a name are numbered from 1.
    """
    known = slots(item)
    if "listData" in known:
        return elements(known["listData"])
    if not is_list(item):
        return {}
    names = texts(known["names"]) if "names" in known else [""] * len(item.value)
    named = zip(names, item.value, strict=True)
    return {name or str(place): _resolved(value) for place, (name, value) in enumerate(named, 1)}


def is_text(item: RObject) -> bool:
    """Test whether this is a vector of text or a factor, or an `Rle` of one."""
    if class_of(item) == "Rle":
        return is_text(slots(item)["values"])
    return _kind(item) == "STR" or (_kind(item) == "INT" and "levels" in slots(item))


def texts(item: RObject) -> list[str]:
    """Return a vector of text or a factor; missing values are empty text."""
    if class_of(item) == "Rle":  # each value with the length of its run
        runs = slots(item)
        if np.ma.filled(runs["lengths"].value, 0).astype(float).sum() > LONGEST_RUNS:
            raise ValueError(f"names of over {LONGEST_RUNS:,} rows or columns: {AGAIN}")
        repeated = zip(texts(runs["values"]), runs["lengths"].value.tolist(), strict=True)
        return [value for value, length in repeated for _ in range(length)]
    if _kind(item) == "INT":
        levels = ["", *texts(slots(item)["levels"])]
        return [levels[code] for code in np.ma.filled(item.value, 0).tolist()]
    return [_text(value) for value in item.value]


def is_numeric(item: RObject) -> bool:
    """Test whether this is a vector or matrix of numbers."""
    return _kind(item) in ("INT", "REAL")


def numbers(item: RObject) -> np.ndarray:
    """Return a vector of numbers; missing whole numbers are not a number."""
    if not is_numeric(item):
        raise ValueError(f"the matrix has values that are not numbers: {AGAIN}")
    if isinstance(item.value, np.ma.MaskedArray):
        return np.asarray(np.ma.filled(item.value.astype(float), np.nan))
    return np.asarray(item.value)


def names_of(item: RObject | None) -> list[list[str]]:
    """Return names of rows and of columns of a `dimnames`; empty lists for NULL."""
    if item is None or not is_list(item):
        return [[], []]
    return [[] if is_null(_resolved(part)) else texts(_resolved(part)) for part in item.value]


def _pairs(chain: RObject) -> Iterator[tuple[str, RObject]]:
    """Yield names and values of a pairlist."""
    while isinstance(chain.value, tuple):
        value, rest = chain.value
        if chain.tag is not None:
            yield _text(_resolved(chain.tag).value), _resolved(value)
        chain = rest


def _resolved(item: RObject) -> RObject:
    """Return the object that a reference stands for."""
    while item.referenced_object is not None:
        item = item.referenced_object
    return item


def _kind(item: RObject) -> str:
    return str(item.info.type.name)


def _text(char: RObject) -> str:
    """Decode a text; R marks those in Latin-1, and others are UTF-8."""
    value = _resolved(char).value
    if value is None:
        return ""
    try:
        return str(value.decode())
    except UnicodeDecodeError:
        return str(value.decode("latin-1"))


def _unpacked(path: Path) -> BinaryIO:
    """Open a file, decompressed; a ValueError if that makes far more of it than of real data."""
    check_regular(path)
    with path.open("rb") as handle:
        start = handle.read(8)
    opener = next((opener for mark, opener in OPENERS.items() if start.startswith(mark)), None)
    if opener is None:
        return path.open("rb")
    most = MOST_TIMES if opener is gzip.open else MOST_OF_OBJECTS
    packed = path.open("rb")
    return cast(BinaryIO, buffered(Bounded(opener(packed), packed=packed, lines=False, most=most)))


def _constructors(size: int) -> dict[bytes, Any]:
    """Return rdata's constructors of compact objects, of which `1:n` is bounded.

    A few bytes can stand for any n; all of them together may have about what the file could hold.
    """
    from rdata.parser import DEFAULT_ALTREP_MAP

    known: dict[bytes, Any] = dict(DEFAULT_ALTREP_MAP)
    left: float = FREE_NUMBERS + size // 4

    def bounded(constructor: Callable[[RObject], tuple[Any, Any]], state: RObject) -> Any:
        nonlocal left
        length = float(state.value[0])
        left -= length if length >= 0 else math.inf
        if not left >= 0:
            raise ValueError(f"a sequence of {length:.0f} numbers, more than the file could hold")
        return constructor(state)

    return known | {name: partial(bounded, known[name]) for name in SEQUENCES}


@contextmanager
def _nested() -> Iterator[None]:
    """Allow deep recursion, as long pairlists need it in rdata."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, NESTED))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
