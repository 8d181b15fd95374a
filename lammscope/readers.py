"""Count matrices as users have them, read into one form: 10x h5 and folders, h5ad."""

import gzip
from io import BufferedReader
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from lammscope.shards import Shard

FORMATS = "10x .h5 (v2, v3), a 10x folder with matrix.mtx (v2, v3), or .h5ad with integer counts"


def read_matrix(path: str | Path) -> Shard:
    """Read the count matrix of one sample, whatever its format.

    Parameters
    ----------
    path
        A 10x `.h5` file, a folder with `matrix.mtx`, or an `.h5ad` file with counts in `X`,
        `layers["counts"]` or `raw.X`. Of multimodal files only `Gene Expression` is read.

    Returns
    -------
    Shard
        Cells x genes with unique gene ids; Ensembl version suffixes are dropped.

    Raises
    ------
    ValueError
        If the file is none of these, or its values are not counts. One line that names the file.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file; correct the column `counts` of the sample sheet")
    try:
        if path.is_dir():
            shard = _read_folder(path)
        elif h5py.is_hdf5(path):
            shard = _read_hdf5(path)
        else:
            raise ValueError(f"not a count matrix; give {FORMATS}")
    except (ValueError, KeyError, OSError, EOFError) as error:
        reason = str(error).strip("'\"").splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path}: {reason}") from error
    return _checked(shard, path)


def _read_hdf5(path: Path) -> Shard:
    with h5py.File(path, "r") as file:
        if "matrix" in file:
            return _read_tenx_v3(file["matrix"])
        genomes = [name for name in file if isinstance(file[name], h5py.Group)]
        if genomes and all("genes" in file[name] for name in genomes):
            return _read_tenx_v2(file, genomes)
        if "X" not in file and "raw" not in file:
            raise ValueError(f"an HDF5 file, but not a count matrix; give {FORMATS}")
    return _read_h5ad(path)


def _read_tenx_v3(group: h5py.Group) -> Shard:
    features = group["features"]
    frame = pd.DataFrame({"gene": features["id"].asstr()[:], "symbol": features["name"].asstr()[:]})
    counts = _tenx_counts(group)
    expression = features["feature_type"].asstr()[:] == "Gene Expression"
    return Shard(
        counts[:, np.flatnonzero(expression)], group["barcodes"].asstr()[:], frame[expression]
    )


def _read_tenx_v2(file: h5py.File, genomes: list[str]) -> Shard:
    if len(genomes) > 1:
        raise ValueError(
            f"holds several genomes ({', '.join(genomes)}); write one of them to its own file"
        )
    group = file[genomes[0]]
    frame = pd.DataFrame(
        {"gene": group["genes"].asstr()[:], "symbol": group["gene_names"].asstr()[:]}
    )
    return Shard(_tenx_counts(group), group["barcodes"].asstr()[:], frame)


def _tenx_counts(group: h5py.Group) -> sparse.csr_array:
    """10x stores genes x cells by column, which is cells x genes by row."""
    n_genes, n_cells = group["shape"][:]
    parts = (group["data"][:], group["indices"][:], group["indptr"][:])
    return sparse.csr_array(parts, shape=(n_cells, n_genes))


def _read_folder(folder: Path) -> Shard:
    matrix = _one_of(folder, "matrix.mtx")
    barcodes = _lines(_one_of(folder, "barcodes.tsv"))
    features = [line.split("\t") for line in _lines(_one_of(folder, "features.tsv", "genes.tsv"))]
    with _opened(matrix) as handle:
        counts = sparse.csr_array(mmread(handle, spmatrix=False).T)
    if counts.shape != (len(barcodes), len(features)):
        raise ValueError(
            f"{matrix.name} is {counts.shape[1]} x {counts.shape[0]}, but there are "
            f"{len(features)} features and {len(barcodes)} barcodes; are the files of one run?"
        )
    frame = pd.DataFrame(
        {
            "gene": [row[0] for row in features],
            "symbol": [row[min(1, len(row) - 1)] for row in features],
        }
    )
    expression = np.array([len(row) < 3 or row[2] == "Gene Expression" for row in features])
    return Shard(
        counts[:, np.flatnonzero(expression)],
        np.array([row.split("\t")[0] for row in barcodes]),
        frame[expression],
    )


def _one_of(folder: Path, *names: str) -> Path:
    for name in names:
        for candidate in (folder / name, folder / f"{name}.gz"):
            if candidate.is_file():
                return candidate
    raise ValueError(f"the folder has no {' or '.join(names)} (plain or .gz); give {FORMATS}")


def _opened(path: Path) -> gzip.GzipFile | BufferedReader:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


def _lines(path: Path) -> list[str]:
    with _opened(path) as handle:
        return handle.read().decode().splitlines()


def _read_h5ad(path: Path) -> Shard:
    # only here: h5ad input is the exception, and these imports cost a second
    import anndata
    import hdf5plugin  # noqa: F401  # its filters open files that were compressed with them

    data = anndata.read_h5ad(path)
    layers: dict[Any, Any] = dict(data.layers.items())
    candidates = [("X", data.X, data.var)]
    candidates += [
        (f"layers[{name!r}]", layers[name], data.var)
        for name in ("counts", "raw_counts")
        if name in layers
    ]
    if data.raw is not None:
        candidates.append(("raw.X", data.raw.X, data.raw.var))
    for _, values, var in candidates:
        if values is None:
            continue
        counts = sparse.csr_array(values)
        if _are_counts(counts.data):
            return Shard(counts, data.obs_names.to_numpy(dtype=str), _gene_columns(var))
    looked_at = ", ".join(name for name, _, _ in candidates)
    raise ValueError(
        f"no integer counts in {looked_at}: values look normalised; give the raw UMI counts"
    )


def _gene_columns(var: Any) -> pd.DataFrame:
    """Ensembl ids and symbols from the index and the usual columns of an AnnData object."""
    index = var.index.to_series().astype(str).reset_index(drop=True)
    columns = {
        name: var[name].astype(str).reset_index(drop=True)
        for name in (
            "gene_ids",
            "gene_id",
            "ensembl_id",
            "feature_name",
            "symbol",
            "gene_symbols",
            "gene_name",
        )
        if name in var
    }
    ids = next((values for values in [*columns.values(), index] if _mostly_ensembl(values)), index)
    symbols = next(
        (values for values in [*columns.values(), index] if not _mostly_ensembl(values)), index
    )
    return pd.DataFrame({"gene": ids, "symbol": symbols})


def _mostly_ensembl(values: pd.Series) -> bool:
    return bool(values.str.match(r"ENS[A-Z]*G\d{6,}").mean() > 0.5)


def _are_counts(values: np.ndarray) -> bool:
    return bool(
        np.issubdtype(values.dtype, np.integer)
        or (np.isfinite(values).all() and (values == np.rint(values)).all())
    ) and not bool((values < 0).any())


def _checked(shard: Shard, path: Path) -> Shard:
    """The shard with integer counts and unique names, or an error that says what is wrong."""
    counts = shard.counts
    if 0 in counts.shape:
        raise ValueError(
            f"{path}: the matrix has {counts.shape[0]} cells and {counts.shape[1]} genes"
        )
    if not _are_counts(counts.data):
        raise ValueError(
            f"{path}: values are not counts (fractions, negative or missing numbers): "
            "give the raw UMI counts, not normalised ones"
        )
    if len(counts.indices) and counts.indices.max() >= counts.shape[1]:
        raise ValueError(f"{path}: a gene index is out of range; the file is damaged")
    barcodes = pd.Index(shard.barcodes)
    if barcodes.has_duplicates:
        raise ValueError(
            f"{path}: barcode {barcodes[barcodes.duplicated()][0]} stands there twice; "
            "give one matrix per sample"
        )
    genes = shard.genes.reset_index(drop=True)
    genes["gene"] = genes["gene"].str.replace(r"^(ENS[A-Z]*G\d+)\.\d+$", r"\1", regex=True)
    repeated = genes["gene"].duplicated()
    number = genes.groupby("gene").cumcount().astype(str)
    genes.loc[repeated, "gene"] = genes["gene"] + "-" + number  # a repeated symbol stays apart
    counts = sparse.csr_array(counts, dtype=np.int32)
    counts.sum_duplicates()
    counts.eliminate_zeros()
    return Shard(counts, barcodes.to_numpy(dtype=str), genes)
