"""The HDF5 files of Cell Ranger 2 (one group per genome) and of 3 and later (`matrix`)."""

from collections.abc import Callable, Hashable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd

from lammscope.core.files import AGAIN, open_hdf5
from lammscope.core.shards import Shard
from lammscope.ingest.gene_names.columns import name_genes
from lammscope.ingest.gene_names.memory import LISTS
from lammscope.ingest.matrices.content import Content, named_hdf5_holds
from lammscope.ingest.matrices.counts import (
    EXPRESSION,
    checked_genome,
    choose_genes,
    csr_of,
    gene_shard,
    inspected_genes,
)
from lammscope.ingest.matrices.reader import Reader, refuse_layer
from lammscope.ingest.matrices.small_genomes import join_genomes, large_genomes

# Datasets of a matrix in Cell Ranger's HDF5 format. A group of version 2 has any name (its
# genome's), so it is recognized by `genes` and three of these five, and the missing ones are
# reported. Our choice.
PARTS = {"data", "indices", "indptr", "shape", "barcodes"}
MIN_PARTS = 3
# Datasets that describe the features, in version 2 and from version 3 on
COLUMNS = (
    *("genes", "gene_names"),
    *(f"features/{name}" for name in ("id", "name", "feature_type", "genome")),
)
TABLES: dict[Hashable, pd.DataFrame] = {}  # of the last lists of features, at most `LISTS`


def is_tenx(file: h5py.File) -> bool:
    """Test whether an open HDF5 file has the layout of a 10x count matrix."""
    return isinstance(file.get("matrix"), h5py.Group) or bool(_genomes(file))


def _recognizes(content: Content) -> bool:
    return content.hdf5 is not None and is_tenx(content.hdf5)


def _finds(path: Path) -> bool:
    return named_hdf5_holds(path, is_tenx)


def read_tenx(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the gene expression of one genome from a 10x HDF5 file."""
    refuse_layer(layer)
    with open_hdf5(path) as file:
        groups = _matrices(file, genome=genome)
        return join_genomes(*(_read_group(group, genome=genome) for group in groups))


def _read_group(group: h5py.Group, *, genome: str | None) -> Shard:
    # genes x cells by column, which is cells x genes by row
    n_genes, n_cells = _values(group, "shape")
    parts = (_values(group, "data"), _columns(group), _values(group, "indptr"))
    counts = csr_of(*parts, shape=(int(n_cells), int(n_genes)))
    return gene_shard(counts, texts(group, "barcodes"), _features(group), genome=genome)


def inspect_tenx(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return the version of a 10x HDF5 file, after checking that all parts are there."""
    refuse_layer(layer)
    with open_hdf5(path) as file:
        group, *_ = _matrices(file, genome=genome)
        for name in ("data", "indices", "indptr", "barcodes"):
            dataset(group, name)
        n_genes, n_cells = _values(group, "shape")
        if not n_genes or not n_cells:
            raise ValueError(f"the matrix has {n_cells} cells and {n_genes} genes")
        _checked_genes(group, genome=genome)
        return "10x h5 v2" if "genes" in group else "10x h5 v3"


def genes_of_tenx(path: Path, *, genome: str | None, layer: str | None) -> pd.DataFrame:
    """Return the inspected genes of a 10x HDF5 file."""
    with open_hdf5(path) as file:
        group, *_ = _matrices(file, genome=genome)
        return _checked_genes(group, genome=genome).copy()


def _checked_genes(group: h5py.Group, *, genome: str | None) -> pd.DataFrame:
    """Return the inspected genes, after checking their kinds, genome and species."""

    def check() -> pd.DataFrame:
        kinds = _kinds(group)
        if len(kinds) > 1 or kinds.to_dict("list").get("feature_type") != [EXPRESSION]:
            choose_genes(kinds.assign(gene="", symbol=""), genome=genome)
        return choose_genes(_inspected_features(group, kinds), genome=genome)  # the species

    return _once_per_list(group, ("checked", genome), check)


def _once_per_list(
    group: h5py.Group, what: Hashable, make: Callable[[], pd.DataFrame]
) -> pd.DataFrame:
    """Return a table of the features, which is made once per list of features.

    Lists are compared as they are stored: to decompress those of 500 samples takes seconds. Text of
    variable length is not compared, which would take as long as to read it.
    """
    found = {name: group.get(name) for name in COLUMNS}
    columns = {name: item for name, item in found.items() if isinstance(item, h5py.Dataset)}
    if any(column.shape is None or column.dtype.hasobject for column in columns.values()):
        return make()
    stored = ((name, stored_bytes(column)) for name, column in columns.items())
    key = (what, group.name, *stored)
    if key not in TABLES:
        made = make()
        if len(TABLES) == LISTS:
            TABLES.pop(next(iter(TABLES)))
        TABLES[key] = made
    return TABLES[key]


def stored_bytes(column: h5py.Dataset) -> Hashable:
    """Return what a dataset holds without decompressing it; equal only if the values are.

    Its values have a fixed length.
    """
    if column.chunks is None:
        return column.dtype.str, column.shape, column[()].tobytes()
    made = column.id.get_create_plist()
    filters = tuple(made.get_filter(number) for number in range(made.get_nfilters()))
    chunks: list[h5py.h5d.StoreInfo] = []
    column.id.chunk_iter(chunks.append)
    parts = [column.id.read_direct_chunk(chunk.chunk_offset) for chunk in chunks]
    places = tuple(chunk.chunk_offset for chunk in chunks)
    return column.dtype.str, column.shape, column.chunks, filters, places, tuple(parts)


def dataset(group: h5py.Group, name: str) -> h5py.Dataset:
    """Return a dataset of an open HDF5 file; ValueError if it is missing."""
    found = group.get(name)
    if not isinstance(found, h5py.Dataset):
        whole = f"{group.name}/{name}".lstrip("/")
        raise ValueError(f"the HDF5 file lacks the dataset {whole}: {AGAIN}")
    return found


def texts(group: h5py.Group, name: str) -> np.ndarray:
    """Read a dataset of text (shape n), with strings of fixed or variable length."""
    return _decoded(dataset(group, name)[:])


def _decoded(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8")
    return np.array([_text(value) for value in values], dtype=object)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _genomes(file: h5py.File) -> list[str]:
    """List the groups that Cell Ranger 2 wrote, one per genome."""
    groups = {name: file.get(name) for name in file}
    return [
        name
        for name, group in groups.items()
        if isinstance(group, h5py.Group)
        and "genes" in group
        and len(PARTS & set(group)) >= MIN_PARTS
    ]


def _matrices(file: h5py.File, *, genome: str | None) -> list[h5py.Group]:
    """Return the group to read; in version 2, those of small genomes follow it."""
    if "matrix" in file:
        return [file["matrix"]]
    sizes = {name: len(dataset(file[name], "genes")) for name in _genomes(file)}
    large = large_genomes(sizes)
    chosen = checked_genome(large, genome=genome)
    return [file[name] for name in (chosen, *(name for name in sizes if name not in large))]


def _values(group: h5py.Group, name: str) -> np.ndarray:
    return np.asarray(dataset(group, name)[:])


def _columns(group: h5py.Group) -> np.ndarray:
    """Read column numbers in half their memory on disk; HDF5 clips those that do not fit."""
    indices = dataset(group, "indices")
    return np.asarray(indices.astype(np.int32)[:] if indices.dtype.kind in "iu" else indices[:])


def _kinds(group: h5py.Group) -> pd.DataFrame:
    """Read types and genomes of the features; only of the first if the last is of its kind."""
    if "genes" in group:
        return pd.DataFrame({"feature_type": [EXPRESSION]})
    for name in ("id", "name"):
        dataset(group, f"features/{name}")
    part = group["features"]
    known = [name for name in ("feature_type", "genome") if name in part]
    columns = [dataset(part, name) for name in known]
    # features are grouped by kind: if the first and the last are alike, there is one kind
    alike = all(len(column) and column[0] == column[-1] for column in columns)
    return pd.DataFrame(
        {
            name: pd.Series(column[:1] if alike else column[:]).map(_text)
            for name, column in zip(known, columns, strict=True)
        },
        index=None if known else [0],
    )


def _features(group: h5py.Group) -> pd.DataFrame:
    """Read names of the features, and type and genome if the file has them."""

    def read() -> pd.DataFrame:
        features = _names(group, whole=True)
        if "genes" in group:
            return features.assign(genome=group.name.strip("/"))
        known = [name for name in ("feature_type", "genome") if name in group["features"]]
        kinds = {name: texts(group, f"features/{name}").astype(str) for name in known}
        return features.assign(**kinds)

    return _once_per_list(group, "all", read).copy()


def _inspected_features(group: h5py.Group, kinds: pd.DataFrame) -> pd.DataFrame:
    """Return the `inspected_genes` of the features, given all their kinds or the only one."""
    if "genes" in group:
        return _names(group, whole=False).assign(genome=group.name.strip("/"))
    if len(kinds) > 1:
        features = _features(group)
        return features.iloc[inspected_genes(len(features))].reset_index(drop=True)
    return _names(group, whole=False).assign(**kinds.iloc[0])


def _names(group: h5py.Group, *, whole: bool) -> pd.DataFrame:
    """Read ids and symbols of all features, or of the `inspected_genes`."""

    def column(name: str) -> pd.Series:
        values = dataset(group, name)[:]
        return pd.Series(_decoded(values if whole else values[inspected_genes(len(values))]))

    if "genes" in group:
        symbols = [column(name) for name in ("gene_names",) if name in group]
        return name_genes([column("genes")], symbols)
    return name_genes([column("features/id")], [column("features/name")])


READER = Reader(
    words="a 10x .h5",
    suffixes=("h5",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_tenx,
    read=read_tenx,
    genes=genes_of_tenx,
)
