"""Tables and matrices as anndata stores them, in HDF5 or zarr.

The on-disk formats of anndata 0.7 and later are read [1]_, and the older ones of sparse matrices
and tables. h5py and zarr name their groups and arrays alike, so one code reads both.

References
----------
.. [1] https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

from typing import Any

import numpy as np
from scipy import sparse

from lammscope.core.files import AGAIN
from lammscope.ingest.matrices.counts import check_sizes, csr_of, first_non_count

Group = Any  # an h5py.Group, a zarr.Group or one of `in_memory`
Item = Any  # a Group, or an array in it

VALUES_AT_A_TIME = 10_000_000  # of a dense matrix: 80 MB
VALUES_LOOKED_AT = 1000  # the first ones of a sparse matrix, about one cell; our choice
FEW = 10  # categories, of which one may fill a chunk; our choice
ROWS_LOOKED_AT = 2  # of a dense matrix
TEXT = "OSTU"  # kinds of numpy; zarr reads text as T, h5py as O


def is_annotated(store: Group) -> bool:
    """Test whether an open file has the parts of an AnnData object."""
    return "obs" in store and "var" in store


def is_group(item: Item) -> bool:
    """Test whether this is a group, not an array."""
    return not hasattr(item, "shape")


def array_in(group: Group, name: str, *, may_have_gaps: bool = False) -> np.ndarray:
    """Read an array whole.

    Parameters
    ----------
    group, name
        The group, and the name of the array in it.
    may_have_gaps
        Whether an array in zarr may lack chunks, which stand for zeros.

    Raises
    ------
    ValueError
        If it is missing, or if it lacks chunks and must not.
    """
    found = group.get(name)
    whole = f"{group.name}/{name}".lstrip("/")
    if found is None or is_group(found):
        raise ValueError(f"lacks the dataset {whole}: {AGAIN}")
    if not may_have_gaps:
        _refuse_gaps(found, whole)
    return np.asarray(found[:])


def _refuse_gaps(item: Item, name: str) -> None:
    if not hasattr(item, "nchunks") or item.nchunks_initialized >= item.nchunks:
        return  # HDF5 and arrays in memory have no gaps
    raise ValueError(
        f"{item.nchunks - item.nchunks_initialized} of {item.nchunks} chunks of {name} are "
        f"missing: {AGAIN}"
    )


def holds_values(item: Item) -> bool:
    """Test whether this is a matrix; newer files without `X` have a null in its place."""
    return is_group(item) or len(item.shape or ()) == 2


def shape_of(item: Item) -> tuple[int, int]:
    """Return the numbers of cells and genes of a matrix."""
    if not is_group(item):
        return int(item.shape[0]), int(item.shape[1])
    shape = item.attrs.get("shape", item.attrs.get("h5sparse_shape"))
    if _kind(item) not in ("csr", "csc") or shape is None:
        raise ValueError(f"{item.name.strip('/')} is not a matrix written by anndata: {AGAIN}")
    n_cells, n_genes = map(int, shape)
    return n_cells, n_genes


def starts_with_counts(item: Item) -> bool:
    """Test whether the first values of a matrix are counts."""
    if not is_group(item):
        return first_non_count(item[:ROWS_LOOKED_AT].ravel()) is None
    values = item.get("data")
    if values is None or is_group(values):
        raise ValueError(f"lacks the dataset {item.name.strip('/')}/data: {AGAIN}")
    return first_non_count(values[:VALUES_LOOKED_AT]) is None


def is_empty(item: Item) -> bool:
    """Test whether a sparse matrix stores no value, or a dense one starts with zeros only."""
    if is_group(item):
        return not item["data"].shape[0]
    n_rows = max(1, VALUES_LOOKED_AT**2 // max(1, item.shape[1]))
    return not item[:n_rows].any()


def matrix_of(item: Item) -> sparse.csr_array:
    """Read a matrix, cells x genes, stored dense, by row or by column."""
    n_cells, n_genes = shape_of(item)
    check_sizes((n_cells, n_genes))
    if not is_group(item):
        _refuse_gaps(item, item.name.strip("/"))
        step = max(1, VALUES_AT_A_TIME // max(1, n_genes))
        blocks = [sparse.csr_array(item[i : i + step]) for i in range(0, n_cells, step)]
        return sparse.csr_array(sparse.vstack(blocks)) if blocks else sparse.csr_array(item.shape)
    data, indices, indptr = (array_in(item, name) for name in ("data", "indices", "indptr"))
    if _kind(item) == "csc":
        return sparse.csr_array(csr_of(data, indices, indptr, shape=(n_genes, n_cells)).T)
    return csr_of(data, indices, indptr, shape=(n_cells, n_genes))


def first_rows(item: Item, n_rows: int) -> sparse.csr_array:
    """Read the first cells of a matrix; one that is stored by column is read whole."""
    n_cells, n_genes = shape_of(item)
    n_rows = min(n_rows, n_cells)
    if not is_group(item):
        return sparse.csr_array(item[:n_rows])
    if _kind(item) == "csc" or not all(name in item for name in ("indices", "indptr")):
        return matrix_of(item)[:n_rows]
    indptr = item["indptr"][: n_rows + 1]
    end = max(0, int(indptr[-1]))
    return csr_of(item["data"][:end], item["indices"][:end], indptr, shape=(n_rows, n_genes))


def index_of(table: Item) -> np.ndarray:
    """Read the names of the rows of a table."""
    return column_of(table, index_name(table))


def index_name(table: Item) -> str:
    """Return the column that names the rows of a table."""
    name = table.attrs.get("_index", "index")
    return name.decode() if isinstance(name, bytes) else str(name)


def columns_of(table: Item) -> set[str]:
    """Return the names of the columns of a table, with its index."""
    return set(table) if is_group(table) else set(table.dtype.names or ())


def is_text(table: Item, name: str) -> bool:
    """Test whether a column of a table is text, plain, nullable or categorical."""
    if not is_group(table):
        return table.dtype[name].kind in TEXT
    column = table[name]
    if is_group(column):
        column = column.get("categories", column.get("values"))
    elif "categories" in column.attrs:
        column = table.get(_place_of_categories(table, name))
    if column is None or is_group(column):
        return False
    return len(column.shape) == 1 and column.dtype.kind in TEXT


def column_of(table: Item, name: str) -> np.ndarray:
    """Read a column of a table as text: categorical, nullable or plain."""
    if not is_group(table):  # one compound dataset, before anndata 0.7
        if name not in (table.dtype.names or ()):
            raise ValueError(f"the HDF5 file lacks {table.name.strip('/')}.{name}: {AGAIN}")
        return _texts(table[name])
    column = table.get(name)
    if column is not None and is_group(column):
        if "codes" in column:
            few = column["categories"].shape[0] <= FEW if "categories" in column else True
            codes = array_in(column, "codes", may_have_gaps=few)
            return _categories(codes, column, "categories")
        values = _texts(array_in(column, "values"))
        if "mask" not in column:
            return values
        return np.where(array_in(column, "mask", may_have_gaps=True), "", values)
    values = array_in(table, name)
    if "categories" in table[name].attrs:
        return _categories(values, table, _place_of_categories(table, name))
    return _texts(values)


def _place_of_categories(table: Group, name: str) -> str:
    """Return where a table has the categories of a column, as written before anndata 0.8."""
    known = table[name].attrs["categories"]  # a reference in HDF5, a name in zarr
    where = known if isinstance(known, str) else table.file[known].name.rpartition("/")[2]
    return where if where in table else f"__categories/{where}"


def _kind(item: Group) -> str:
    kind = item.attrs.get("encoding-type", item.attrs.get("h5sparse_format", ""))
    return str(kind).removesuffix("_matrix")


def _categories(codes: np.ndarray, group: Group, name: str) -> np.ndarray:
    """Return the category of each code; code -1 is a missing value, returned as empty text."""
    known = _texts(array_in(group, name))
    if codes.dtype.kind != "i" or (codes < -1).any() or (codes >= len(known)).any():
        where = f"{group.name}/{name}".strip("/")
        raise ValueError(f"{where} lacks categories that are used: {AGAIN}")
    return np.asarray(np.append(known, "")[codes])


def _texts(values: np.ndarray) -> np.ndarray:
    texts = [v.decode() if isinstance(v, bytes) else str(v) for v in values]
    return np.array(texts, dtype=object)
