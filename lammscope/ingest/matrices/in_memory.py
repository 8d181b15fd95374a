"""Matrices and tables in memory, in the form in which `stored` reads them from HDF5 and zarr.

Formats that store several matrices in their own way (loom, R objects) are read by the code for
AnnData, so that the same rules choose the counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lammscope.ingest.matrices.stored import Item

INDEX = "_index"


class Values:
    """An array; or, if transposed, a matrix in a file of which only the part asked for is read."""

    def __init__(self, values: Any, name: str, *, transposed: bool = False) -> None:
        """Wrap `values`, genes x cells if `transposed`."""
        self.values = values
        self.name = name
        self.transposed = transposed
        self.attrs: dict[str, str] = {}
        self.dtype = values.dtype
        self.shape = tuple(reversed(values.shape)) if transposed else values.shape

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Read some rows."""
        return np.asarray(self.values[:, rows].T if self.transposed else self.values[rows])


class Group(dict[str, Any]):
    """Arrays and groups by name; those in a group are found by their path, too."""

    def __init__(
        self, items: Mapping[str, Any], name: str = "", attrs: Mapping[str, Any] | None = None
    ) -> None:
        """Hold `items` under their names."""
        super().__init__(items)
        self.name = name
        self.attrs = dict(attrs or {})


def sparse_item(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    *,
    shape: tuple[int, int],
    by: str,
    name: str,
) -> Group:
    """Return a sparse matrix, cells x genes, whose parts are kept by row (`csr`) or by column."""
    parts = {"data": data, "indices": indices, "indptr": indptr}
    items = {part: Values(values, f"{name}/{part}") for part, values in parts.items()}
    return Group(items, name, {"encoding-type": f"{by}_matrix", "shape": shape})


def table_of(names: Sequence[str], columns: Mapping[str, Sequence[str]], name: str) -> Group:
    """Return a table of text whose rows are named."""
    texts = {INDEX: names, **columns}
    items = {
        column: Values(np.array(values, dtype=object), f"{name}/{column}")
        for column, values in texts.items()
    }
    return Group(items, name, {"_index": INDEX})


def store_of(layers: Mapping[str, Item], *, obs: Group, var: Group, x: Item | None = None) -> Group:
    """Return matrices with their tables of cells and genes, as an AnnData file holds them."""
    items = {"obs": obs, "var": var, "layers": Group(layers, "layers")}
    items |= {f"layers/{name}": item for name, item in layers.items()}
    return Group(items if x is None else items | {"X": x})
