"""AnnData as a zarr store: a folder with a file per chunk of each array, or a zip file of one."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import pandas as pd

from lammscope.core.bounded import check_zip
from lammscope.core.files import AGAIN
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.h5ad import inspect_store, read_store
from lammscope.ingest.matrices.layers import choose_matrix
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.stored import Group, is_annotated
from lammscope.ingest.matrices.zarr_arrays import check_arrays

ROOTS = (".zgroup", "zarr.json")  # the metadata of a group in formats 2 and 3
ZIP = b"PK\x03\x04"
ZIP_NAME = ".zarr.zip"
LARGEST_ZIP = 2**42  # bytes unpacked


def root_in(folder: Path) -> list[Path]:
    """Return the metadata file of a zarr store, which stands for the store."""
    return [folder / name for name in ROOTS if (folder / name).is_file()][:1]


def root_in_zip(path: Path) -> str | None:
    """Return the folder of the store in a zip file, empty if it is not in one; None if none."""
    with ZipFile(path) as packed:
        check_zip(packed, size=path.stat().st_size, most=LARGEST_ZIP)
        names = packed.namelist()
    roots = [name.rpartition("/") for name in names if name.rpartition("/")[2] in ROOTS]
    return min((folder for folder, _, _ in roots), key=len, default=None)


def _recognizes(content: Content) -> bool:
    return content.path.name in ROOTS and content.is_text


def _recognizes_zip(content: Content) -> bool:
    """Test whether it is a zip file with a store, or named so, which is then damaged."""
    if not content.start.startswith(ZIP):
        return False
    try:
        return root_in_zip(content.path) is not None
    except BadZipFile:
        return content.path.name.endswith(ZIP_NAME)


def _finds_zip(path: Path) -> bool:
    return path.name.endswith(ZIP_NAME)


def _finds(path: Path) -> bool:
    """Return False: `root_in` finds stores."""
    return False


def read_zarr(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of an AnnData store in zarr.

    Parameters
    ----------
    path
        The metadata file of its root, or a zip file.
    genome
        As in `choose_genes`.
    layer
        As in `choose_matrix`.

    Raises
    ------
    ValueError
        If it is not an AnnData store, if no matrix contains counts, or if a part is missing.
    """
    with _opened(path) as store:
        return read_store(store, path=_place_of(path), genome=genome, layer=layer)


def inspect_zarr(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the format of a store in which a matrix starts with counts."""
    with _opened(path) as store:
        inspect_store(store, genome=genome, layer=layer)
        return "zarr"


def describe_zarr(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Say which matrix is read, and which are left out."""
    with _opened(path) as store:
        return choose_matrix(store, layer=layer).words


def genes_of_zarr(path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame:
    """Return the inspected genes of the matrix that is read."""
    with _opened(path) as store:
        return inspect_store(store, genome=genome, layer=layer)


def store_of(path: Path, *, layer: str | None) -> list[Path]:
    """Return the folder of a store, given the metadata file of its root."""
    return [path.parent]


def _place_of(path: Path) -> Path:
    """Return the folder of a store, or the zip file."""
    return path.parent if path.name in ROOTS else path


@contextmanager
def _opened(path: Path) -> Iterator[Group]:
    """Open a store; zarr has errors of its own, of the codecs and of JSON for damaged ones."""
    from zarr.errors import BaseZarrError

    damage = (
        *(BaseZarrError, JSONDecodeError, RuntimeError, KeyError, TypeError, AttributeError),
        BadZipFile,
    )
    try:
        with _root(path) as store:
            check_arrays(store, _place_of(path))
            if not is_annotated(store):
                some = ", ".join(sorted(store)[:5]) or "nothing"
                raise ValueError(
                    f"a zarr store, but not of AnnData (it holds {some}); give the store that has "
                    "X, obs and var"
                )
            yield store
    except damage as error:
        text = " ".join(str(error).split())
        raise ValueError(f"zarr cannot read it ({text}): {AGAIN}") from error


@contextmanager
def _root(path: Path) -> Iterator[Group]:
    """Open the root of a store, given its metadata file or a zip file."""
    import zarr
    from zarr.storage import ZipStore

    if path.name in ROOTS:
        yield zarr.open_group(path.parent, mode="r", use_consolidated=False)
        return
    folder = root_in_zip(path)
    store = ZipStore(path, mode="r")
    try:
        yield zarr.open_group(store, path=folder or "", mode="r", use_consolidated=False)
    finally:
        store.close()


READER = Reader(
    words="a zarr store of AnnData",
    suffixes=("zarr",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_zarr,
    read=read_zarr,
    in_folder=root_in,
    fills_folder=True,
    describe=describe_zarr,
    files=store_of,
    genes=genes_of_zarr,
)

ZIPPED = Reader(
    words="a zip file of such a store",
    suffixes=("zip",),
    recognizes=_recognizes_zip,
    finds=_finds_zip,
    inspect=inspect_zarr,
    read=read_zarr,
    describe=describe_zarr,
)
