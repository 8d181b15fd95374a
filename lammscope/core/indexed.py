"""The small files between steps: tables, arrays and sparse counts that belong to one cell index.

Every sidecar of the joint space carries the checksum of the cell index it was made for. A reader
that is given another index refuses the file instead of labelling the wrong cells.
"""

import gzip
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from lammscope.core.runtime import whole_file

INDEX_KEY = b"lammscope_index"

ROW_GROUP = 20_000  # rows: a job that wants one sample reads a piece of a million cells, not all


def index_checksum(cells: pd.Series) -> str:
    """Checksum of an ordered sequence of cell names."""
    digest = hashlib.sha256()
    digest.update("\n".join(cells.astype(str)).encode())
    return digest.hexdigest()[:16]


def write_table(frame: pd.DataFrame, path: str | Path, *, index: str | None = None) -> None:
    """Write a table as parquet, or as (gzipped) TSV by its suffix, whole or not at all."""
    with whole_file(path) as temporary:
        if temporary.suffix == ".parquet":
            table = pa.Table.from_pandas(frame, preserve_index=False)
            if index is not None:
                table = table.replace_schema_metadata(
                    {**(table.schema.metadata or {}), INDEX_KEY: index.encode()}
                )
            pq.write_table(table, temporary, row_group_size=ROW_GROUP)
        elif temporary.suffix == ".gz":
            # no name and no time in the header: the same table gives the same bytes
            with (
                temporary.open("wb") as handle,
                gzip.GzipFile(filename="", mode="wb", fileobj=handle, mtime=0) as packed,
            ):
                packed.write(_as_tsv(frame).encode())
        else:
            temporary.write_text(_as_tsv(frame), encoding="utf-8")


def read_table(
    path: str | Path,
    *,
    columns: list[str] | None = None,
    index: str | None = None,
    samples: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Read what `write_table` wrote; with `index`, refuse a table of another cell index.

    With `samples`, only their rows of a table of cells (parquet).

    Raises
    ------
    ValueError
        If the parquet file was made for other cells than `index` says.
    """
    if Path(path).suffix != ".parquet":
        return pd.read_csv(path, sep="\t", usecols=columns)
    table = pq.read_table(path, columns=columns, filters=_of_samples(samples))
    if index is not None:
        _check_index(path, (table.schema.metadata or {}).get(INDEX_KEY, b"").decode(), index)
    return table.to_pandas()


def read_cells(
    path: str | Path, *, samples: Sequence[str] | None = None
) -> tuple[pd.DataFrame, str]:
    """Read the cell index, or some samples' part of it, and its checksum.

    Returns
    -------
    cells
        One row per kept cell, sorted by sample and barcode.
    index
        The checksum that sidecars of this index carry.
    """
    table = pq.read_table(path, filters=_of_samples(samples))
    return table.to_pandas(), pq.read_schema(path).metadata[INDEX_KEY].decode()


def write_arrays(path: str | Path, *, index: str, **arrays: np.ndarray) -> None:
    """Write named arrays that belong to a cell index."""
    with whole_file(path) as temporary, temporary.open("wb") as handle:
        np.savez(handle, allow_pickle=False, index=np.array(index), **arrays)


def read_arrays(path: str | Path, *, index: str) -> dict[str, np.ndarray]:
    """Read named arrays and refuse those of another cell index."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    _check_index(path, str(arrays.pop("index")), index)
    return arrays


def write_counts(
    path: str | Path,
    counts: sparse.csr_matrix | sparse.csr_array,
    *,
    genes: pd.DataFrame,
    index: str,
    **arrays: np.ndarray,
) -> None:
    """Write counts of cells x genes with the genes' columns `gene` and `symbol`."""
    write_arrays(
        path,
        index=index,
        data=counts.data.astype(np.int32),
        indices=counts.indices.astype(np.int32),
        indptr=counts.indptr.astype(np.int64),
        shape=np.array(counts.shape),
        gene=genes["gene"].to_numpy(dtype=str),
        symbol=genes["symbol"].to_numpy(dtype=str),
        **arrays,
    )


def read_counts(
    path: str | Path, *, index: str
) -> tuple[sparse.csr_array, pd.DataFrame, dict[str, np.ndarray]]:
    """Read counts (cells x genes), their genes, and the further arrays of the file."""
    arrays = read_arrays(path, index=index)
    parts = (arrays.pop("data"), arrays.pop("indices"), arrays.pop("indptr"))
    counts = sparse.csr_array(parts, shape=tuple(arrays.pop("shape")))
    genes = pd.DataFrame({"gene": arrays.pop("gene"), "symbol": arrays.pop("symbol")})
    return counts, genes, arrays


def _as_tsv(frame: pd.DataFrame) -> str:
    return frame.to_csv(sep="\t", index=False, lineterminator="\n")


def stack_counts(
    paths: Iterable[str | Path], *, index: str
) -> tuple[sparse.csr_array, pd.DataFrame, dict[str, np.ndarray]]:
    """Stack the extracted counts of all samples, in the order of the cell index.

    Returns
    -------
    counts
        Cells x genes.
    genes
        `gene` and `symbol` of the first sample; all samples have the same symbols.
    arrays
        Further arrays of the files, stacked: of the panel `n_cells` per sample and `present`
        (samples x genes), which says what genes a matrix has.
    """
    parts = [read_counts(path, index=index) for path in paths]
    arrays = {name: np.concatenate([more[name] for _, _, more in parts]) for name in parts[0][2]}
    stacked = sparse.vstack([counts for counts, _, _ in parts], format="csr")
    return sparse.csr_array(stacked), parts[0][1], arrays


def _of_samples(samples: Sequence[str] | None) -> list[tuple[str, str, Sequence[str]]] | None:
    return None if samples is None else [("sample", "in", samples)]


def _check_index(path: str | Path, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(
            f"{path} was made for another set of cells ({found} instead of {expected}): "
            "delete it and run again"
        )
