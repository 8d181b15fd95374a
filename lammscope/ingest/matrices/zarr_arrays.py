"""What a zarr store from elsewhere may hold: codecs that run no code, arrays that have data."""

import os
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

from lammscope.core.hdf5_parts import FREE, MOST_PARTS, MOST_TIMES, UNREAD
from lammscope.ingest.matrices.stored import Group, is_group

# Codecs of formats 2 and 3 that anndata and its peers write. `pickle`, which runs code, is not one.
CODECS = {
    *("blosc", "zstd", "gzip", "zlib", "lz4", "bz2", "lzma", "shuffle", "delta", "bitround"),
    *("fixedscaleoffset", "packbits", "quantize", "vlen-utf8", "vlen-bytes", "bytes", "transpose"),
    *("sharding_indexed", "crc32", "crc32c", "adler32", "fletcher32", "bool", "endian"),
}
MOST_CHUNKS = 10_000_000


def check_arrays(store: Group, path: Path) -> None:
    """Refuse a store with codecs that may run code, or with arrays larger than its data.

    Only metadata is read here.

    Parameters
    ----------
    store
        The open root.
    path
        Its folder or zip file.

    Raises
    ------
    ValueError
        The array, and the codec or the size.
    """
    for name, array in _arrays(store):
        other = next((codec for codec in _codecs(array) if codec not in CODECS), None)
        if other is not None:
            raise ValueError(
                f"{name} is stored with the codec `{other}`, which is not known to be safe; write "
                "the store again with zstd or gzip"
            )
        n_bytes = array.dtype.itemsize * max(prod(array.shape), prod(array.chunks))
        n_chunks = prod(-(-n // max(1, m)) for n, m in zip(array.shape, array.chunks, strict=True))
        if n_bytes <= FREE and n_chunks <= MOST_CHUNKS // 10:
            continue
        stored = _stored_bytes(path, name)
        if n_bytes > FREE + MOST_TIMES * stored or n_chunks > MOST_CHUNKS:
            shape = " x ".join(map(str, array.shape))
            raise ValueError(
                f"{name} has the shape {shape}, for which {stored:,} stored bytes are too few; "
                "copy or download the store again"
            )


def _arrays(group: Group, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the arrays of a group by their paths, without those that are never read."""
    for n, (name, item) in enumerate(group.members()):
        if n > MOST_PARTS:
            raise ValueError(f"{prefix or 'the store'} has over {MOST_PARTS:,} parts")
        if not prefix and name in UNREAD:
            continue
        if is_group(item):
            yield from _arrays(item, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", item


def _codecs(array: Any) -> Iterator[str]:
    """Yield the names of the codecs of an array, also of those within shards."""
    known = array.metadata.to_dict()
    parts = [*(known.get("codecs") or ()), *(known.get("filters") or ()), known.get("compressor")]
    while parts:
        part = parts.pop()
        if hasattr(part, "get_config"):
            part = part.get_config()
        elif hasattr(part, "to_dict"):
            part = part.to_dict()
        if not isinstance(part, dict):
            if part is not None:
                yield str(part)
            continue
        yield str(part.get("id", part.get("name"))).removeprefix("numcodecs.")
        settings = part.get("configuration") or {}
        parts += [*(settings.get("codecs") or ()), *(settings.get("index_codecs") or ())]


def _stored_bytes(path: Path, name: str) -> int:
    """Return the bytes of an array's files, or of the whole zip file."""
    if path.is_file():
        return path.stat().st_size
    folders = os.walk(path / name, followlinks=True)
    return sum(Path(folder, file).stat().st_size for folder, _, files in folders for file in files)
