"""Seurat and SingleCellExperiment objects, and matrices, that R's `saveRDS` wrote (`.rds`).

Such a file has no index: an inspection sees its start only, and a job reads all of it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.content import Content
from lammscope.ingest.matrices.counts import check_sizes
from lammscope.ingest.matrices.h5ad import read_store
from lammscope.ingest.matrices.in_memory import Group, Values, sparse_item, store_of, table_of
from lammscope.ingest.matrices.layers import WHOLE
from lammscope.ingest.matrices.r_objects import (
    INTEGER,
    REAL,
    S4,
    RObject,
    class_of,
    elements,
    is_list,
    is_null,
    is_numeric,
    is_serialized,
    is_text,
    names_of,
    numbers,
    parse,
    root_of,
    slots,
    texts,
)
from lammscope.ingest.matrices.reader import Reader
from lammscope.ingest.matrices.stored import Item
from lammscope.ingest.matrices.table_head import count_gene_like

SUFFIX = ".rds"
# The first slot of a class, which shows what an object is before it is read
SEURAT, OLD_SEURAT, EXPERIMENT, MATRIX = (
    *("Seurat", "Seurat of version 2", "SummarizedExperiment", "sparse matrix"),
)
FIRST_SLOTS = {
    "assays": SEURAT,
    "raw.data": OLD_SEURAT,
    "int_metadata": "SingleCellExperiment",
    "int_elementMetadata": "SingleCellExperiment",
    "int_colData": "SingleCellExperiment",
    "rowRanges": EXPERIMENT,
    "colData": EXPERIMENT,
    "i": MATRIX,
    "p": MATRIX,
}
KINDS = {3: "a function", 4: "an environment", 16: "text", 19: "a list or data frame"}
SPARSE = ("dgCMatrix", "dgRMatrix", "dgTMatrix")
ASSAY = "RNA"
NOT_RAW = ("SCT", "integrated")  # assays of Seurat whose `counts` are corrected or missing
# What DropletUtils calls the columns of ids, symbols and types; `h5ad` has the names on the right
COLUMNS = {"ID": "gene_ids", "Symbol": "gene_symbols", "Type": "feature_types"}
CELLS = ("Barcode", "barcode", "barcodes", "cell", "cell_id", "CellID")  # of cells without names

WRITE = (
    'm <- as(m, "CsparseMatrix"); DropletUtils::write10xCounts("counts.h5", m); and give counts.h5'
)
UPDATE = "a Seurat object of version 2: in R, x <- Seurat::UpdateSeuratObject(x), and save it again"
EXPORT_SEURAT = f'in R, m <- Seurat::GetAssayData(x, "counts", assay = "RNA"); {WRITE}'
EXPORT_EXPERIMENT = f'in R, m <- SummarizedExperiment::assay(x, "counts"); {WRITE}'
EXPORT = f"in R, take the raw counts as a matrix m, genes x cells; {WRITE}"


def _recognizes(content: Content) -> bool:
    return content.hdf5 is None and is_serialized(content.path)


def _finds(path: Path) -> bool:
    """Test whether a file named `.rds` is of a class with counts, or damaged."""
    if path.suffix.lower() != SUFFIX:
        return False
    try:
        root = root_of(path)
    except (ValueError, OSError):
        return True
    return root is not None and root.first_slot in FIRST_SLOTS


def inspect_rds(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Return what an R object is, by its start; whether it holds counts shows when it is read."""
    root = root_of(path)
    if root is None:
        return "R object"
    if root.type == S4:
        kind = FIRST_SLOTS.get(root.first_slot, "R object")
        if kind == OLD_SEURAT:
            raise ValueError(UPDATE)
        return f"{kind} .rds"
    if root.type in (INTEGER, REAL) and root.has_attributes:
        return "matrix .rds"
    kind = KINDS.get(root.type, f"of R's type {root.type}")
    raise ValueError(f"holds no Seurat or SingleCellExperiment object but {kind}: {EXPORT}")


def describe_rds(path: Path, *, genome: str | None, layer: str | None) -> str:
    """Say that the counts are chosen when the file is read."""
    return "" if layer else "the counts of an R object, which are found when it is read"


def read_rds(path: Path, *, genome: str | None, layer: str | None) -> Shard:
    """Read the counts of an R object.

    Parameters
    ----------
    path
        A file of `saveRDS`, plain or compressed by gzip, bzip2 or xz. It holds a `Seurat` object
        (its assay RNA), a `SingleCellExperiment` or other `SummarizedExperiment`, or a matrix,
        sparse or dense. About three times the size of the decompressed file is needed in memory.
    genome
        As in `choose_genes`.
    layer
        As in `choose_matrix`; the layers are those of the assay in Seurat, and the assays of a
        `SingleCellExperiment`.

    Raises
    ------
    ValueError
        If the object is of another class, if it has no counts in memory, or if it is damaged.
    """
    inspect_rds(path, genome=genome, layer=layer)
    try:
        item = parse(path)
    except ValueError as error:
        raise ValueError(f"{error}; if R can read it: {EXPORT}") from error
    known = slots(item)
    if "raw.data" in known:
        raise ValueError(UPDATE)
    if "assays" in known and is_list(known["assays"]):
        store = _of_seurat(known, path)
    elif "assays" in known and "colData" in known:
        store = _of_experiment(known)
    elif _is_matrix(item):
        store = _of_matrix(item)
    else:
        kind = class_of(item) or "unknown"
        raise ValueError(
            f"holds an object of the class {kind}, whose counts are not read: {EXPORT}"
        )
    return read_store(store, path=path, genome=genome, layer=layer)


def _of_seurat(known: Mapping[str, RObject], path: Path) -> Group:
    """Return the assay RNA of a Seurat object, or its only one."""
    assays = elements(known["assays"])
    usable = [name for name in assays if name not in NOT_RAW]
    if ASSAY not in assays and len(usable) != 1:
        there = ", ".join(assays) or "none"
        raise ValueError(
            f"a Seurat object without an assay RNA (its assays: {there}); in R, give the raw "
            'counts this name, e.g. x[["RNA"]] <- x[["NAME"]], and save it again'
        )
    name = ASSAY if ASSAY in assays else usable[0]
    others = ", ".join(other for other in assays if other != name)
    logger.info(
        "%s: assay %s of a Seurat object%s", path, name, f"; left out: {others}" if others else ""
    )
    parts = slots(assays[name])
    if "layers" in parts:
        return _of_version_5(parts)
    layers = {}
    genes: list[str] = []
    cells: list[str] = []
    for layer in ("counts", "data"):
        matrix = parts.get(layer)
        if matrix is not None and 0 not in _size_of(matrix):
            layers[layer] = matrix
            genes, cells = _dimnames(matrix)
    return _store(layers, genes, cells, parts.get("meta.features"), remedy=EXPORT_SEURAT)


def _of_version_5(parts: Mapping[str, RObject]) -> Group:
    """Return the layers of an assay of Seurat 5 that have all its genes and cells."""
    genes, cells = (_dimnames(parts[name])[0] for name in ("features", "cells"))
    layers = elements(parts["layers"])
    whole = {
        name: matrix
        for name, matrix in layers.items()
        if not _is_matrix(matrix) or _size_of(matrix) == (len(genes), len(cells))
    }
    if not whole:
        there = ", ".join(layers) or "none"
        raise ValueError(
            f"no layer of the assay has all cells (its layers: {there}): in R, join them with "
            'x[["RNA"]] <- SeuratObject::JoinLayers(x[["RNA"]]), and save it again'
        )
    return _store(whole, genes, cells, parts.get("meta.data"), remedy=EXPORT_SEURAT)


def _of_experiment(known: Mapping[str, RObject]) -> Group:
    """Return the assays of a `SummarizedExperiment`, with the names of its genes and cells."""
    parts = slots(known["assays"])
    if "data" not in parts:
        raise ValueError(
            "its assays are kept as before Bioconductor 3.11: in R, x <- updateObject(x), and save "
            "it again"
        )
    rows = known.get("rowRanges")
    names, table = known.get("NAMES"), known.get("elementMetadata")
    if rows is not None:
        inner = slots(rows)
        names = slots(inner["partitioning" if "partitioning" in inner else "ranges"]).get("NAMES")
        table = inner.get("elementMetadata")
    genes = [] if names is None or is_null(names) else texts(names)
    return _store(
        elements(parts["data"]), genes, _cells_of(known["colData"]), table, remedy=EXPORT_EXPERIMENT
    )


def _cells_of(table: RObject) -> list[str]:
    """Return the names of the cells, or their barcodes if they have none."""
    names = slots(table).get("rownames")
    if names is not None and not is_null(names):
        return texts(names)
    columns = _text_columns(table)
    return next((columns[name] for name in CELLS if name in columns), [])


def _of_matrix(item: RObject) -> Group:
    """Return a matrix; its names decide whether genes are in its rows, as usual in R."""
    rows, columns = _dimnames(item)
    if count_gene_like(pd.Series(columns, dtype=str)) > count_gene_like(pd.Series(rows, dtype=str)):
        raise ValueError(
            f"a matrix with genes in its columns (e.g. {columns[0]}): in R, save it as t(m), genes "
            "in rows"
        )
    return _store({"": item}, rows, columns, None, remedy=EXPORT)


def _store(
    matrices: Mapping[str, RObject],
    genes: list[str],
    cells: list[str],
    table: RObject | None,
    *,
    remedy: str,
) -> Group:
    """Return matrices with the names of genes and cells, as an AnnData file holds them."""
    other = {name: class_of(m) for name, m in matrices.items() if not _is_matrix(m)}
    wrong = next((name for name in other if name in WHOLE or len(other) == len(matrices)), None)
    if wrong is not None:
        raise ValueError(
            f"the values of `{wrong}` are not in this file or not a plain matrix (class "
            f"{other[wrong] or 'unknown'}): {remedy}"
        )
    if not matrices:
        raise ValueError(f"an R object without counts; if it has them elsewhere, {remedy}")
    columns = _text_columns(table)
    columns = {COLUMNS.get(name, name): values for name, values in columns.items()} | {
        name: values for name, values in columns.items() if name not in COLUMNS
    }
    genes = genes or next((columns[n] for n in COLUMNS.values() if n in columns), [])
    for names, what in ((genes, "genes"), (cells, "cells")):
        if not names:
            function = "rownames" if what == "genes" else "colnames"
            raise ValueError(
                f"its {what} have no names: in R, set {function}(x), and save it again"
            )
    items = {
        name: _item(m, f"layers/{name}" if name else "X")
        for name, m in matrices.items()
        if name not in other
    }
    columns = {name: values for name, values in columns.items() if len(values) == len(genes)}
    return store_of(
        {name: item for name, item in items.items() if name},
        obs=table_of(cells, {}, "obs"),
        var=table_of(genes, columns, "var"),
        x=items.get(""),
    )


def _text_columns(table: RObject | None) -> dict[str, list[str]]:
    if table is None or is_null(table):
        return {}
    return {name: texts(values) for name, values in elements(table).items() if is_text(values)}


def _is_matrix(item: RObject) -> bool:
    """Test whether this is a matrix of numbers, sparse or dense, with its values in the file."""
    return class_of(item) in SPARSE or ("dim" in slots(item) and is_numeric(item))


def _size_of(item: RObject) -> tuple[int, ...]:
    """Return the numbers of rows and columns."""
    known = slots(item)
    size = known.get("Dim", known.get("dim"))
    return () if size is None else tuple(map(int, size.value))


def _dimnames(item: RObject) -> list[list[str]]:
    known = slots(item)
    return names_of(known.get("Dimnames", known.get("dimnames")))


def _item(item: RObject, name: str) -> Item:
    """Return a matrix, cells x genes."""
    size = _size_of(item)
    if len(size) != 2:
        raise ValueError(f"{name} has {len(size)} dimensions, not genes and cells: {EXPORT}")
    n_genes, n_cells = size
    known = slots(item)
    if class_of(item) not in SPARSE:
        return Values(numbers(item).reshape(n_cells, n_genes), name)
    data = numbers(known["x"])
    shape = n_cells, n_genes
    # genes x cells by column, which is cells x genes by row
    build: dict[str, Callable[[], Group]] = {
        "dgCMatrix": lambda: sparse_item(
            data, numbers(known["i"]), numbers(known["p"]), shape=shape, by="csr", name=name
        ),
        "dgRMatrix": lambda: sparse_item(
            data, numbers(known["j"]), numbers(known["p"]), shape=shape, by="csc", name=name
        ),
        "dgTMatrix": lambda: _of_triplets(
            data, numbers(known["i"]), numbers(known["j"]), shape=shape, name=name
        ),
    }
    return build[class_of(item)]()


def _of_triplets(
    data: np.ndarray, genes: np.ndarray, cells: np.ndarray, *, shape: tuple[int, int], name: str
) -> Group:
    check_sizes(shape)
    matrix = sparse.coo_array((data, (cells, genes)), shape=shape).tocsr()
    return sparse_item(matrix.data, matrix.indices, matrix.indptr, shape=shape, by="csr", name=name)


READER = Reader(
    words="an .rds of Seurat or SingleCellExperiment",
    suffixes=("rds",),
    recognizes=_recognizes,
    finds=_finds,
    inspect=inspect_rds,
    read=read_rds,
    describe=describe_rds,
)
