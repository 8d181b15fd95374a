"""AnnData files (`.h5ad`), read with h5py, since importing anndata would take longer than reading.

The on-disk formats of anndata 0.7 and later are read [1]_, and the older ones of sparse matrices,
`raw` and tables.

References
----------
.. [1] https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import AGAIN, open_hdf5
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import name_genes
from lammscope.ingest.matrices.content import Content, named_hdf5_holds
from lammscope.ingest.matrices.counts import (
    choose_genes,
    csr_of,
    first_non_count,
    gene_shard,
)
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.tenx import dataset

# Usual names of layers and columns, most frequent first: those of scanpy, scvi-tools and CELLxGENE
# (`feature_name`). The content of a matrix or column decides, not its name alone.
LAYERS = ("counts", "raw_counts", "raw")
ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensemblid", "ensembl")
SYMBOL_COLUMNS = (
    *("feature_name", "symbol", "gene_symbols", "gene_symbol", "gene_name", "name", "features"),
)
FEATURE_COLUMNS = ("feature_types", "feature_type", "genome")
VALUES_AT_A_TIME = 10_000_000  # of a dense matrix: 80 MB
VALUES_LOOKED_AT = 1000  # the first ones of a sparse matrix, about one cell; our choice
ROWS_LOOKED_AT = 2  # of a dense matrix


def is_annotated(file: h5py.File) -> bool:
    """Test whether an open HDF5 file has the parts of an AnnData object."""
    return "obs" in file and "var" in file


def _recognizes(content: Content) -> bool:
    """Test whether it is an AnnData object; MuData has the same parts, and `mod`."""
    return content.hdf5 is not None and is_annotated(content.hdf5) and "mod" not in content.hdf5


def _finds(path: Path) -> bool:
    return named_hdf5_holds(path, is_annotated)


def read_annotated(path: Path, *, genome: str | None) -> Shard:
    """Read the first of `X`, the layers and `raw.X` that contains counts.

    Parameters
    ----------
    path
        The `.h5ad` file; its matrices may be dense, or sparse by row or by column.
    genome
        As in `choose_genes`.

    Raises
    ------
    ValueError
        If no matrix contains counts, or if a part is missing.
    """
    with _opened(path) as file:
        for where, var in _candidates(file):
            if not _starts_with_counts(file[where]):
                continue
            counts = _matrix(file[where])
            if first_non_count(counts.data) is None:
                barcodes = _column(file["obs"], _index_name(file["obs"]))
                return gene_shard(counts, barcodes, _features(file[var]), genome=genome)
        raise ValueError(_no_counts(file))


def inspect_annotated(path: Path, *, genome: str | None) -> str:
    """Return the format of a file in which a matrix starts with counts."""
    with _opened(path) as file:
        for where, var in _candidates(file):
            if _starts_with_counts(file[where]):
                choose_genes(_features(file[var]), genome=genome)
                return "h5ad"
        raise ValueError(_no_counts(file))


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    import hdf5plugin  # noqa: F401  # only here: its filters decompress

    with open_hdf5(path) as file:
        yield file


def _candidates(file: h5py.File) -> list[tuple[str, str]]:
    """List the paths of matrices, likely counts first, each with the path of its genes."""
    layers = list(file["layers"]) if "layers" in file else []
    ranked = [name for name in LAYERS if name in layers]
    ranked += [name for name in layers if name not in LAYERS]
    places = [("X", "var"), *((f"layers/{name}", "var") for name in ranked)]
    places += [("raw/X", "raw/var"), ("raw.X", "raw.var")]  # the latter before anndata 0.7
    return [(where, var) for where, var in places if where in file and _holds_values(file[where])]


def _holds_values(item: h5py.Group | h5py.Dataset) -> bool:
    """Test whether this is a matrix; newer files without `X` have a null in its place."""
    return isinstance(item, h5py.Group) or len(item.shape or ()) == 2


def _starts_with_counts(item: h5py.Group | h5py.Dataset) -> bool:
    if isinstance(item, h5py.Group):
        return first_non_count(dataset(item, "data")[:VALUES_LOOKED_AT]) is None
    return first_non_count(item[:ROWS_LOOKED_AT].ravel()) is None


def _no_counts(file: h5py.File) -> str:
    names = [where.replace("/", ".") for where, _ in _candidates(file)]
    if not names:
        return "holds no matrix (no X, layer or raw.X); save it with the raw UMI counts"
    return f"no integer counts in {', '.join(names)} (normalized?); give the raw UMI counts"


def _matrix(item: h5py.Group | h5py.Dataset) -> sparse.csr_array:
    if isinstance(item, h5py.Dataset):
        step = max(1, VALUES_AT_A_TIME // max(1, item.shape[1]))
        blocks = [sparse.csr_array(item[i : i + step]) for i in range(0, item.shape[0], step)]
        return sparse.csr_array(sparse.vstack(blocks)) if blocks else sparse.csr_array(item.shape)
    kind = item.attrs.get("encoding-type", item.attrs.get("h5sparse_format"))
    shape = item.attrs.get("shape", item.attrs.get("h5sparse_shape"))
    if kind not in ("csr_matrix", "csc_matrix", "csr", "csc") or shape is None:
        raise ValueError(f"{item.name.strip('/')} is not a matrix written by anndata: {AGAIN}")
    n_cells, n_genes = map(int, shape)
    parts = [dataset(item, name)[:] for name in ("data", "indices", "indptr")]
    if kind.startswith("csc"):
        return sparse.csr_array(csr_of(*parts, shape=(n_genes, n_cells)).T)
    return csr_of(*parts, shape=(n_cells, n_genes))


def _features(var: h5py.Group | h5py.Dataset) -> pd.DataFrame:
    """Read names of the genes, and type and genome if the file has them."""
    columns = var.dtype.names if isinstance(var, h5py.Dataset) else list(var)
    known = {*ID_COLUMNS, *SYMBOL_COLUMNS, _index_name(var), *FEATURE_COLUMNS}
    others = [name for name in columns if name not in known and _is_text(var, name)]

    def named(*names: str) -> list[pd.Series]:
        return [pd.Series(_column(var, name)) for name in names if name in columns]

    index = pd.Series(_column(var, _index_name(var)))
    features = name_genes(
        [*named(*ID_COLUMNS), index], [*named(*SYMBOL_COLUMNS), index], named(*others)
    )
    for name, found in {
        "feature_type": named("feature_types", "feature_type"),
        "genome": named("genome"),
    }.items():
        if found:
            features[name] = found[0].astype(str)
    return features


def _is_text(table: h5py.Group | h5py.Dataset, name: str) -> bool:
    """Test whether a column of a table is text, plain or categorical."""
    if isinstance(table, h5py.Dataset):
        return table.dtype[name].kind in "OSU"
    column = table[name]
    if isinstance(column, h5py.Group):
        column = column.get("categories", column.get("values"))
    elif "categories" in column.attrs:
        column = table.file[column.attrs["categories"]]
    is_column = isinstance(column, h5py.Dataset) and len(column.shape) == 1
    return is_column and column.dtype.kind in "OSU"


def _index_name(table: h5py.Group | h5py.Dataset) -> str:
    name = table.attrs.get("_index", "index")
    return name.decode() if isinstance(name, bytes) else str(name)


def _column(table: h5py.Group | h5py.Dataset, name: str) -> np.ndarray:
    """Read a column of a table as text: categorical, nullable or plain."""
    if isinstance(table, h5py.Group) and isinstance(table.get(name), h5py.Group):
        column = table[name]
        if "codes" in column:
            return _categories(dataset(column, "codes")[:], dataset(column, "categories"))
        values = _texts(dataset(column, "values")[:])
        return np.where(dataset(column, "mask")[:], "", values) if "mask" in column else values
    if isinstance(table, h5py.Group):
        values = dataset(table, name)
        if "categories" in values.attrs:  # a reference, before anndata 0.8
            return _categories(values[:], table.file[values.attrs["categories"]])
        return _texts(values[:])
    if name not in table.dtype.names:
        raise ValueError(f"the HDF5 file lacks {table.name.strip('/')}.{name}: {AGAIN}")
    return _texts(table[name])  # one compound dataset, before anndata 0.7


def _categories(codes: np.ndarray, categories: h5py.Dataset) -> np.ndarray:
    """Return the category of each code; code -1 is a missing value, returned as empty text."""
    known = _texts(categories[:])
    if codes.dtype.kind != "i" or (codes < -1).any() or (codes >= len(known)).any():
        raise ValueError(f"{categories.name.strip('/')} lacks categories that are used: {AGAIN}")
    return np.append(known, "")[codes]


def _texts(values: np.ndarray) -> np.ndarray:
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
    return np.array(texts, dtype=object)


READER = Reader(
    words="an .h5ad",
    suffixes=("h5ad",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_annotated,
    read=read_annotated,
)
