"""The end product for further work: one AnnData file of all kept cells and all genes.

Written sample by sample, so memory follows the largest sample and the labels, not the counts.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.rates import normalize
from lammscope.core.shards import Shard
from lammscope.joint.gene_names import rows_of

LABELS = [
    *("cluster", "lineage", "cell_type", "cell_type_margin", "population"),
    *("lamm_score", "lamm_positive", "lamm_elevated", "lamm_call", "lamm_veto", "car"),
]
# of the sample table; paths of one machine have no place in a shared object
LEFT_OUT = ["counts", "barcodes", "patient"]
# gzip is the one compression that every reader of HDF5 has, R's among them
PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True, "chunks": (1 << 17,)}


def describe_cohort(
    index: pd.DataFrame,
    labels: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    reference: pd.DataFrame,
    variable: pd.Series,
    spaces: Mapping[str, np.ndarray],
) -> anndata.AnnData:
    """Put cells, labels, sheets, genes and joint spaces together, still without counts.

    Parameters
    ----------
    index
        The cell index with its metrics, `total_counts` and `n_genes` among them.
    labels
        `annotation/cells.parquet`, rows as in the index.
    samples
        The sample table; its columns are repeated for each cell.
    reference
        The cohort's genes: `gene`, `symbol`, `n_samples`.
    variable
        Ids of the highly variable genes.
    spaces
        Cells x dimensions by name, for `obsm`.

    Returns
    -------
    AnnData
        `var` is named by gene id and has `feature_name` (symbol), `feature_is_filtered` (false:
        no gene was taken out of `X`), `highly_variable`, `n_samples` (whose matrices have the
        gene), as the CELLxGENE schema names them [1]_.

    References
    ----------
    .. [1] https://github.com/chanzuckerberg/single-cell-curation
    """
    sheet = samples.drop(columns=LEFT_OUT, errors="ignore")
    obs = pd.concat([index, labels[LABELS]], axis=1).merge(
        sheet, on="sample", how="left", validate="many_to_one", suffixes=("", "_sheet")
    )
    obs = obs.set_index("cell").drop(columns="position")
    for name in obs.select_dtypes(exclude="number").columns.drop("barcode"):
        obs[name] = obs[name].astype("str").astype("category")
    var = (
        reference[["gene", "symbol", "n_samples"]]
        .set_index("gene")
        .rename(columns={"symbol": "feature_name"})
    )
    var.insert(1, "feature_is_filtered", False)
    var.insert(2, "highly_variable", var.index.isin(variable))
    arrays: dict[str, Any] = {name: np.asarray(space) for name, space in spaces.items()}
    return anndata.AnnData(obs=obs, var=var, obsm=arrays)


def write_cohort(
    cohort: anndata.AnnData,
    shards: Iterable[tuple[Shard, np.ndarray]],
    path: str | Path,
    *,
    log_normalised: bool,
) -> None:
    """Write the cohort with its counts, one sample after the other.

    Parameters
    ----------
    cohort
        From `describe_cohort`.
    shards
        Per sample in the order of the cells, its shard with the cohort's gene names, and the rows
        that are kept cells.
    path
        The file to write.
    log_normalised
        Whether `X` holds log(1 + UMIs per 10,000), and `raw` the counts; else `X` holds the counts
        and there is no `raw`.
    """
    cohort.write_h5ad(path, compression="gzip")
    genes = pd.Index(cohort.var_names)
    totals = cohort.obs["total_counts"].to_numpy()
    # scipy wants one type for both kinds of index, and AnnData gives it what the file holds
    n_values = int(cohort.obs["n_genes"].sum())
    index_type = np.int32 if n_values < np.iinfo(np.int32).max else np.int64
    with h5py.File(path, "r+") as file:
        if "X" in file:
            del file["X"]
        matrix = _Stack(file, "X", n_columns=len(genes), index_type=index_type)
        raw = None
        if log_normalised:
            if "raw" in file:
                del file["raw"]
            group = file.create_group("raw")
            group.attrs.update({"encoding-type": "raw", "encoding-version": "0.1.0"})
            file.copy("var", group)
            file.copy("varm", group)
            raw = _Stack(group, "X", n_columns=len(genes), index_type=index_type, like=matrix)
        for shard, rows in shards:
            counts = _in_order(shard, rows, genes)
            start = matrix.n_rows
            matrix.append(
                normalize(counts, totals[start : start + len(rows)]) if log_normalised else counts
            )
            if raw is not None:
                raw.append(counts)
        if matrix.n_rows != len(totals):
            raise ValueError(
                f"{path}: {len(totals)} cells, but the shards hold {matrix.n_rows} of them"
            )


def _in_order(shard: Shard, rows: np.ndarray, genes: pd.Index) -> sparse.csr_array:
    """Kept cells of a sample over all genes of the cohort, which its matrix may lack."""
    counts = shard.counts[rows]
    columns = rows_of(shard.genes["gene"], genes).astype(np.int32)
    parts = (counts.data, columns[counts.indices], counts.indptr)
    ordered = sparse.csr_array(parts, shape=(len(rows), len(genes)))
    ordered.sort_indices()
    return ordered


class _Stack:
    """A sparse matrix in a file, to which rows are added; in AnnData's on-disk format 0.1.0.

    With `like`, only values are written: rows and columns are those of the other matrix, linked.
    """

    def __init__(
        self,
        parent: h5py.Group,
        name: str,
        *,
        n_columns: int,
        index_type: type,
        like: "_Stack | None" = None,
    ) -> None:
        self.group = parent.create_group(name)
        self.group.attrs.update({"encoding-type": "csr_matrix", "encoding-version": "0.1.0"})
        self.linked = like is not None
        self.n_columns, self.n_rows = n_columns, 0
        self._make("data", np.float32)
        if like is not None:
            for part in ("indices", "indptr"):
                self.group[part] = like.group[part]
        else:
            self._make("indices", index_type)
            self._make("indptr", index_type)
            self._extend("indptr", np.zeros(1, dtype=index_type))

    def append(self, rows: sparse.csr_array) -> None:
        """Add rows at the end."""
        before = len(self.group["data"])
        self._extend("data", rows.data.astype(np.float32))
        if not self.linked:
            self._extend("indices", rows.indices)
            self._extend("indptr", before + rows.indptr[1:].astype(np.int64))  # the file's type
        self.n_rows += rows.shape[0]
        self.group.attrs["shape"] = (self.n_rows, self.n_columns)

    def _make(self, name: str, kind: Any) -> None:
        self.group.create_dataset(name, shape=(0,), maxshape=(None,), dtype=kind, **PACKED)

    def _extend(self, name: str, values: np.ndarray) -> None:
        dataset = self.group[name]
        start = len(dataset)
        dataset.resize((start + len(values),))
        dataset[start:] = values
