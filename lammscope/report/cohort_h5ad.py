"""One AnnData file of all kept cells and all genes, for further analysis.

It is written sample by sample, so memory depends on the largest sample and the labels.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
from anndata.io import sparse_dataset, write_elem
from scipy import sparse

from lammscope.core.rates import normalize
from lammscope.core.shards import Shard
from lammscope.joint.gene_names import rows_of
from lammscope.report.ambient_counts import LAYER, Correction

LABELS = [
    *("cluster", "lineage", "cell_type", "cell_type_margin", "population"),
    *(
        "lamm_score",
        "lamm_positive",
        "lamm_macrophage_like",
        "lamm_call",
        "lamm_veto",
        "car",
        "car_probability",
    ),
]
# columns of the sample table; paths of one machine do not belong in a shared file
LEFT_OUT = ["counts", "barcodes", "patient"]
UNCORRECTED = "ambient_uncorrected"  # samples in `uns`
ALIAS = "X_joint"  # of the embedding in use in `obsm`, whatever the method; `uns` has its name
FILTERED = "feature_is_filtered"
# gzip is the one compression that every reader of HDF5 has, R's among them
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "chunks": (1 << 17,)}


def describe_cohort(
    cells: pd.DataFrame,
    labels: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    reference: pd.DataFrame,
    variable: pd.Series,
    spaces: Mapping[str, np.ndarray],
    in_use: str,
) -> anndata.AnnData:
    """Combine cells, labels, sheets, genes and embeddings, without the counts.

    Parameters
    ----------
    cells
        The cells of the index with their metrics, including `total_counts` and `n_genes`.
    labels
        `annotation/cells.parquet`, with rows as in the index.
    samples
        The sample table; its columns are repeated for each cell.
    reference
        The cohort's genes: `gene`, `symbol`, `n_samples`.
    variable
        Ids of the highly variable genes.
    spaces
        Cells x dimensions by name, for `obsm`.
    in_use
        The name in `spaces` of the embedding that neighbors and clusters were computed from. It is
        kept in `uns["X_joint"]`.

    Returns
    -------
    AnnData
        `var` is named by gene id and has `feature_name` (symbol, with the id if several genes share
        it), `feature_is_filtered` (false, because no gene was removed from `X`), `highly_variable`
        and `n_samples` (samples whose matrix has the gene), named as in the CELLxGENE schema [1]_.

    References
    ----------
    .. [1] https://github.com/chanzuckerberg/single-cell-curation
    """
    sheet = samples.drop(columns=LEFT_OUT, errors="ignore")
    obs = pd.concat([cells, labels[LABELS]], axis=1).merge(
        sheet, on="sample", how="left", validate="many_to_one", suffixes=("", "_sheet")
    )
    obs = obs.set_index("cell").drop(columns="position")
    for name in obs.select_dtypes(exclude="number").columns.drop("barcode"):
        obs[name] = obs[name].astype("str").astype("category")
    var = reference[["gene", "n_samples"]].set_index("gene")
    var.insert(0, "feature_name", _unique_names(reference).to_numpy())
    var.insert(1, FILTERED, False)
    var.insert(2, "highly_variable", var.index.isin(variable))
    arrays: dict[str, Any] = {name: np.asarray(space) for name, space in spaces.items()}
    return anndata.AnnData(obs=obs, var=var, obsm=arrays, uns={ALIAS: in_use})


def _unique_names(reference: pd.DataFrame) -> pd.Series:
    """Return each gene's symbol, or `symbol_id` where several share it, as CELLxGENE does."""
    shared = reference["symbol"].duplicated(keep=False)
    return reference["symbol"].mask(shared, reference["symbol"] + "_" + reference["gene"])


def write_cohort(
    cohort: anndata.AnnData,
    shards: Iterable[tuple[Shard, np.ndarray]],
    path: str | Path,
    *,
    log_normalised: bool,
    correction: Correction | None = None,
) -> None:
    """Write the cohort with its counts, sample by sample.

    Parameters
    ----------
    cohort
        From `describe_cohort`.
    shards
        For each sample, in the order of the cells: its counts with the cohort's gene names, and the
        rows of the kept cells.
    path
        The file to write.
    log_normalised
        Whether `X` holds log(1 + UMIs per 10,000) and `raw` the counts; else `X` holds the counts,
        without `raw`.
    correction
        What to subtract as ambient RNA: gives the layer `ambient_corrected` (float) of the counts.
    """
    with anndata.settings.override(allow_write_nullable_strings=False):  # R cannot read these
        cohort.write_h5ad(path, compression="gzip")
    genes = pd.Index(cohort.var_names)
    totals = cohort.obs["total_counts"].to_numpy()
    labels = [np.asarray(cohort.obs[name], dtype=str) for name in ("sample", "population")]
    # scipy needs one type for both kinds of index, and AnnData passes on the type in the file
    n_values = int(cohort.obs["n_genes"].sum())
    index_type = np.int32 if n_values < np.iinfo(np.int32).max else np.int64
    with h5py.File(path, "r+") as file:
        for name in {"X", "raw"} & set(file):
            del file[name]
        file["obsm"][ALIAS] = file["obsm"][cohort.uns[ALIAS]]  # a hard link: stored once
        counted, start = _raw_counts(file) if log_normalised else None, 0
        corrected = None if correction is None else _values(file["layers"], LAYER)
        for shard, rows in shards:
            counts = _in_order(shard, rows, genes)
            own = totals[start : start + len(rows)]
            _append(file, normalize(counts, own) if log_normalised else counts, index_type)
            if counted is not None:
                _extend(counted["data"], counts.data)
            if corrected is not None and correction is not None:
                of_cells = [label[start : start + len(rows)] for label in labels]
                _extend(corrected["data"], correction.apply(counts, *of_cells))
            start += len(rows)
        if start != len(totals):
            raise ValueError(
                f"{path}: {len(totals)} cells, but the per-sample count files hold {start}"
            )
        if correction is not None:
            write_elem(file["uns"], UNCORRECTED, np.array(correction.uncorrected, dtype=object))
        for group in (counted, corrected):
            if group is not None:
                _link(group, file["X"])


def _in_order(shard: Shard, rows: np.ndarray, genes: pd.Index) -> sparse.csr_array:
    """Return the kept cells of a sample with all genes of the cohort."""
    counts = shard.counts[rows]
    columns = rows_of(shard.genes["gene"], genes).astype(np.int32)
    parts = (counts.data, columns[counts.indices], counts.indptr)
    ordered = sparse.csr_array(parts, shape=(len(rows), len(genes)))
    ordered.sort_indices()
    return ordered


def _append(file: h5py.File, rows: sparse.csr_array, index_type: type) -> None:
    """Append rows to `X`, which the first call creates."""
    block = sparse.csr_matrix(rows, dtype=np.float32)
    block.indices, block.indptr = (
        part.astype(index_type) for part in (block.indices, block.indptr)
    )
    if "X" in file:
        stored: Any = sparse_dataset(file["X"])
        stored.append(block)
    else:
        write_elem(file, "X", block, dataset_kwargs=PACKED)


def _raw_counts(file: h5py.File) -> h5py.Group:
    """Create `raw.X` without values, and with the genes of `X`."""
    raw = file.create_group("raw")
    raw.attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
    file.copy("var", raw)
    file.copy("varm", raw)
    genes = raw["var"]  # the schema of CELLxGENE wants no `feature_is_filtered` here
    del genes[FILTERED]
    genes.attrs["column-order"] = [name for name in genes.attrs["column-order"] if name != FILTERED]
    return _values(raw, "X")


def _values(parent: h5py.Group, name: str) -> h5py.Group:
    """Create a matrix without values, whose rows and columns will be those of `X`."""
    matrix = parent.create_group(name)
    matrix.create_dataset("data", shape=(0,), maxshape=(None,), dtype=np.float32, **PACKED)
    return matrix


def _link(group: h5py.Group, stored: h5py.Group) -> None:
    """Complete a matrix by the rows and columns of `X`, stored once."""
    group.attrs.update(stored.attrs)
    for part in ("indices", "indptr"):
        group[part] = stored[part]


def _extend(dataset: h5py.Dataset, values: np.ndarray) -> None:
    start = len(dataset)
    dataset.resize((start + len(values),))
    dataset[start:] = values
