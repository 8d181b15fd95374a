"""AnnData as a zarr store: a folder with a file per chunk of each array."""

from collections.abc import Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

import pandas as pd

from lammscope.core.files import AGAIN
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.h5ad import inspect_store, read_store
from lammscope.ingest.matrices.layers import choose_matrix
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.stored import Group, is_annotated

ROOTS = (".zgroup", "zarr.json")  # the metadata of a group in formats 2 and 3


def root_in(folder: Path) -> list[Path]:
    """Return the metadata file of a zarr store, which stands for the store."""
    return [folder / name for name in ROOTS if (folder / name).is_file()][:1]


def _recognizes(content: Content) -> bool:
    return content.path.name in ROOTS and content.is_text


def _finds(path: Path) -> bool:
    """Return False: `root_in` finds stores."""
    return False


def read_zarr(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of an AnnData store in zarr.

    Parameters
    ----------
    path
        The metadata file of its root.
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
        return read_store(store, path=path.parent, genome=genome, layer=layer)


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


@contextmanager
def _opened(path: Path) -> Iterator[Group]:
    """Open a store; zarr has errors of its own, of the codecs and of JSON for damaged ones."""
    import zarr
    from zarr.errors import BaseZarrError

    damage = (BaseZarrError, JSONDecodeError, RuntimeError, KeyError, TypeError, AttributeError)
    try:
        store = zarr.open_group(path.parent, mode="r", use_consolidated=False)
        if not is_annotated(store):
            some = ", ".join(sorted(store)[:5]) or "nothing"
            raise ValueError(
                f"a zarr store, but not of AnnData (it holds {some}); give the store that has X, "
                "obs and var"
            )
        yield store
    except damage as error:
        text = " ".join(str(error).split())
        raise ValueError(f"zarr cannot read it ({text}): {AGAIN}") from error


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
