"""What an HDF5 file from elsewhere may hold: no other files, no arrays larger than its data."""

from collections.abc import Iterator
from math import prod
from pathlib import Path

import h5py
from h5py import h5d, h5g, h5l, h5o

MOST_PARTS = 200_000  # groups and datasets; a file of anndata has about a hundred
MOST_TIMES = 300  # larger than what is stored; deflate reaches 1,032 on zeros only
FREE = 2**26  # bytes that any dataset may have
# Parts of AnnData that are never read; they may hold anything, if not from other files
UNREAD = ("obsm", "obsp", "varm", "varp", "uns", "mod")
CHECKED: dict[tuple[str, int, int, int], None] = {}  # files as they were when they were checked
MOST_CHECKED = 10_000
ONE_FILE = "write the matrix into one file that holds its own data, and give that"


def check_parts(file: h5py.File, path: Path) -> None:
    """Refuse an HDF5 file that would read from other files, or fill the memory.

    External links, external storage and virtual datasets can name any file of the machine, whose
    content would be read as counts or names. A few kB of a compressed dataset can declare
    terabytes. No value is read here. A file that has not changed is looked at once per process.

    Raises
    ------
    ValueError
        The part of the file, the other file or the size, and the remedy.
    """
    status = path.stat()
    key = (str(path.absolute()), status.st_ino, status.st_size, status.st_mtime_ns)
    if key in CHECKED:
        return
    for name, dataset in _datasets(file):
        _check_storage(dataset, name)
        if name.partition("/")[0] not in UNREAD:
            _check_size(dataset, name, size=status.st_size)
    while len(CHECKED) >= MOST_CHECKED:
        CHECKED.pop(next(iter(CHECKED)), None)
    CHECKED[key] = None


def _datasets(file: h5py.File) -> Iterator[tuple[str, h5d.DatasetID]]:
    """Yield the datasets of a file by name; links that leave it are refused."""
    links: list[tuple[str, int]] = []

    def note(name: bytes, info: h5l.LinkInfo) -> bool | None:
        links.append((name.decode("utf-8", "replace"), info.type))
        return True if len(links) > MOST_PARTS else None

    root = h5g.open(file.id, b"/")
    root.links.visit(note, info=True)
    if len(links) > MOST_PARTS:
        raise ValueError(f"has over {MOST_PARTS:,} parts, more than a count matrix; {ONE_FILE}")
    for name, kind in links:
        if kind == h5l.TYPE_EXTERNAL:
            other = root.links.get_val(name.encode())[0].decode("utf-8", "replace")
            raise ValueError(f"/{name} is a link to another file ({other}); {ONE_FILE}")
        if kind not in (h5l.TYPE_HARD, h5l.TYPE_SOFT):
            raise ValueError(f"/{name} is a link of an unknown kind; {ONE_FILE}")
    for name, kind in links:
        if kind == h5l.TYPE_HARD:
            part = h5o.open(root, name.encode())
            if isinstance(part, h5d.DatasetID):
                yield name, part


def _check_storage(dataset: h5d.DatasetID, name: str) -> None:
    """Refuse a dataset whose values lie in other files."""
    made = dataset.get_create_plist()
    if made.get_external_count():
        other = made.get_external(0)[0].decode("utf-8", "replace")
        raise ValueError(f"/{name} keeps its values in another file ({other}); {ONE_FILE}")
    if made.get_layout() == h5d.VIRTUAL:
        other = made.get_virtual_filename(0) if made.get_virtual_count() else "none"
        raise ValueError(f"/{name} is a virtual dataset of other files ({other}); {ONE_FILE}")


def _check_size(dataset: h5d.DatasetID, name: str, *, size: int) -> None:
    """Refuse a dataset, or a chunk of one, that is far larger than what is stored of it."""
    made = dataset.get_create_plist()
    width = dataset.get_type().get_size()
    n_bytes = width * prod(dataset.shape or ())
    chunk = width * prod(made.get_chunk()) if made.get_layout() == h5d.CHUNKED else 0
    limit = FREE + MOST_TIMES * min(dataset.get_storage_size(), size)
    if max(n_bytes, chunk) > limit:
        raise ValueError(
            f"/{name} has the shape {' x '.join(map(str, dataset.shape or ()))}, for which "
            f"{dataset.get_storage_size():,} stored bytes are too few; remove this part from the "
            "file, or copy or download it again"
        )
