"""Loom files (`.loom`): HDF5 with genes in rows and cells in columns [1]_.

The names of attributes differ by tool: loompy and velocyto, scanpy, and the pipelines of the Human
Cell Atlas. The matrix and the layers are chosen as in `.h5ad`.

References
----------
.. [1] https://linnarssonlab.org/loompy/format/index.html
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from lammscope.core.files import AGAIN, open_hdf5
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content, named_hdf5_holds
from lammscope.ingest.matrices.h5ad import inspect_store, read_store
from lammscope.ingest.matrices.in_memory import Group, Values, store_of, table_of
from lammscope.ingest.matrices.layers import choose_matrix
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.stored import TEXT

# Attributes that name cells and genes, most frequent first, and what `h5ad` calls the latter
CELLS = ("CellID", "obs_names", "cell_names", "cell_id", "barcode", "Barcode", "barcodes")
GENES = ("var_names", "Gene", "gene_names", "GeneName", "Accession", "ensembl_ids", "gene_id")
COLUMNS = {"Accession": "gene_ids", "ensembl_ids": "ensembl_id", "Gene": "gene_name"}


def is_loom(file: h5py.File) -> bool:
    """Test whether an open HDF5 file has the layout of loom."""
    return "row_attrs" in file and "col_attrs" in file


def _recognizes(content: Content) -> bool:
    return content.hdf5 is not None and is_loom(content.hdf5)


def _finds(path: Path) -> bool:
    return named_hdf5_holds(path, is_loom, suffixes=(".loom",))


def read_loom(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of a `.loom` file.

    Parameters
    ----------
    path
        The `.loom` file; its matrices are genes x cells.
    genome
        As in `choose_genes`.
    layer
        As in `choose_matrix`; the main matrix is called `matrix`, as by anndata.

    Raises
    ------
    ValueError
        If no matrix contains counts, if genes or cells have no names, or if a part is missing.
    """
    with _opened(path) as store:
        return read_store(store, path=path, genome=genome, layer=layer)


def inspect_loom(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the format of a file in which a matrix starts with counts."""
    with _opened(path) as store:
        inspect_store(store, genome=genome, layer=layer)
        return "loom"


def describe_loom(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Say which matrix is read, and which are left out."""
    with _opened(path) as store:
        return choose_matrix(store, layer=layer).words


@contextmanager
def _opened(path: Path) -> Iterator[Group]:
    """Open a file in the form of AnnData, with the main matrix as the layer `matrix`."""
    with open_hdf5(path) as file:
        if not isinstance(file.get("matrix"), h5py.Dataset):
            raise ValueError(f"the loom file lacks the dataset matrix: {AGAIN}")
        layers = {"matrix": file["matrix"], **dict(file.get("layers", {}))}
        size = file["matrix"].shape
        wrong = next((n for n, m in layers.items() if getattr(m, "shape", None) != size), None)
        if wrong is not None:
            raise ValueError(f"the layer {wrong} is not as large as the matrix: {AGAIN}")
        yield store_of(
            {name: Values(m, f"layers/{name}", transposed=True) for name, m in layers.items()},
            obs=_table(file, "col_attrs", CELLS, "obs"),
            var=_table(file, "row_attrs", GENES, "var"),
        )


def _table(file: h5py.File, group: str, names: Sequence[str], table: str) -> Group:
    """Return the attributes that are text, by the first one that names the rows."""
    attributes = file[group]
    if not isinstance(attributes, h5py.Group):
        raise ValueError(f"the loom file lacks the group {group}: {AGAIN}")
    index = next((name for name in names if name in attributes), None)
    if index is None:
        there = ", ".join(sorted(attributes)) or "none"
        raise ValueError(
            f"{group} has no names (it has {there}); save them there as {' or '.join(names[:2])}"
        )
    wanted = [name for name in attributes if table == "var" or name == index]
    columns = {name: _texts(attributes[name]) for name in wanted if _is_text(attributes[name])}
    others = {COLUMNS.get(name, name): texts for name, texts in columns.items() if name != index}
    return table_of(columns.get(index) or _texts(attributes[index]), others, table)


def _is_text(item: h5py.Dataset) -> bool:
    return len(item.shape) == 1 and item.dtype.kind in TEXT


def _texts(item: h5py.Dataset) -> list[str]:
    """Read a vector as text."""
    values = np.asarray(item[:]).ravel()
    return [v.decode() if isinstance(v, bytes) else str(v) for v in values]


READER = Reader(
    words="a .loom",
    suffixes=("loom",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_loom,
    read=read_loom,
    describe=describe_loom,
)
