"""Files between steps: tables, arrays and sparse counts that belong to one cell index.

Every such file holds the checksum of its cell index. It is refused with any other index, so that
rows are never matched to the wrong cells. Parquet and `.npz` files also hold a checksum of their
own content (`core.damage`), gzip has one, and a plain text without its end is refused.
"""

import gzip
import hashlib
import zipfile
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from lammscope.core.damage import (
    KEY,
    NO_CHECKSUM,
    add_checksum,
    check_end,
    check_whole,
    named_damage,
)
from lammscope.core.runtime import whole_file

INDEX_KEY = b"lammscope_index"

GZIP_LEVEL = 4  # files are 3 to 6 % larger than at 9, the default, which takes 3 to 7 times as long
ROW_GROUP = 20_000  # rows; lets a job read the cells of one sample without the whole table


def write_table(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a table atomically as Parquet, TSV or gzipped TSV, depending on the suffix."""
    with whole_file(path) as temporary:
        if temporary.suffix == ".parquet":
            _write_parquet(pa.Table.from_pandas(frame, preserve_index=False), temporary)
        elif temporary.suffix == ".gz":
            # without name and time in the header, the same table gives the same bytes
            with (
                temporary.open("wb") as handle,
                gzip.GzipFile("", "wb", GZIP_LEVEL, fileobj=handle, mtime=0) as packed,
            ):
                packed.write(_as_tsv(frame).encode())
        else:
            temporary.write_text(_as_tsv(frame), encoding="utf-8")


NAMES = {"sample": str, "patient": str}  # columns of names, which may look like numbers: 001


def read_table(path: str | Path, *, columns: list[str] | None = None) -> pd.DataFrame:
    """Read a table of `write_table`. For tables of a cell index, see `CellIndex.read_table`.

    Raises
    ------
    ValueError
        If the file is missing, damaged or incomplete.
    """
    if Path(path).suffix != ".parquet":
        with named_damage(path):
            if Path(path).suffix != ".gz":
                check_end(path)
            return pd.read_csv(path, sep="\t", usecols=columns, dtype=NAMES)
    check_whole(path)
    frame: pd.DataFrame = pq.read_table(path, columns=columns).to_pandas()
    return frame


def write_index(cells: pd.DataFrame, path: str | Path) -> None:
    """Write the table of kept cells as a Parquet file, the cell index of all later steps.

    Parameters
    ----------
    cells
        One row per kept cell in the order of the index, with `cell` and `sample`. The checksum is
        computed from the names of the cells in this order.
    path
        The file to write.
    """
    digest = hashlib.sha256("\n".join(cells["cell"].astype(str)).encode())
    _write_for_index(cells, path, digest.hexdigest()[:16])


class CellIndex:
    """The kept cells in order, with methods to read and write the files that belong to them.

    Parameters
    ----------
    path
        The file that `write_index` wrote.
    samples
        The samples of a job: only the rows of their cells are read from tables. None reads all.

    Attributes
    ----------
    checksum
        The checksum in every file of this index: 16 hexadecimal digits, read from the metadata
        without loading the table.

    Raises
    ------
    ValueError
        If the file has no checksum of cells, or is missing or damaged.
    """

    def __init__(self, path: str | Path, *, samples: Sequence[str] | None = None) -> None:
        self.path = path
        self.samples = samples
        check_whole(path)
        self.checksum = _checksum_of(pq.read_schema(path))
        if not self.checksum:
            raise ValueError(f"{path} is not a cell index: delete it and run again")

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per kept cell, sorted by sample and barcode; loaded on first use."""
        return self.read_table(self.path)

    def write_table(self, frame: pd.DataFrame, path: str | Path) -> None:
        """Write a table of cells of this index as a Parquet file."""
        _write_for_index(frame, path, self.checksum)

    def read_table(self, path: str | Path, *, columns: list[str] | None = None) -> pd.DataFrame:
        """Read a table of cells of this index, only the rows of `samples` if these are given.

        Raises
        ------
        ValueError
            If the table was made for another cell index, or is missing or damaged.
        """
        check_whole(path)
        filters = None if self.samples is None else [("sample", "in", self.samples)]
        table = pq.read_table(path, columns=columns, filters=filters)
        self._check(path, _checksum_of(table.schema))
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def write_arrays(self, path: str | Path, **arrays: np.ndarray) -> None:
        """Write named arrays that belong to this index."""
        with whole_file(path) as temporary:
            with temporary.open("wb") as handle:
                np.savez(handle, allow_pickle=False, index=np.array(self.checksum), **arrays)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.comment = NO_CHECKSUM.encode()
            add_checksum(temporary)

    def read_arrays(self, path: str | Path) -> dict[str, np.ndarray]:
        """Read named arrays; raises `ValueError` if damaged, or of another cell index."""
        check_whole(path)
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        self._check(path, str(arrays.pop("index")))
        return arrays

    def write_counts(
        self,
        path: str | Path,
        counts: sparse.csr_matrix | sparse.csr_array,
        *,
        genes: pd.DataFrame,
        **arrays: np.ndarray,
    ) -> None:
        """Write counts (cells x genes), the columns `gene` and `symbol` of `genes`, and arrays."""
        self.write_arrays(
            path,
            data=counts.data.astype(np.int32),
            indices=counts.indices.astype(np.int32),
            indptr=counts.indptr.astype(np.int64),
            shape=np.array(counts.shape),
            gene=genes["gene"].to_numpy(dtype=str),
            symbol=genes["symbol"].to_numpy(dtype=str),
            **arrays,
        )

    def read_counts(
        self, path: str | Path
    ) -> tuple[sparse.csr_array, pd.DataFrame, dict[str, np.ndarray]]:
        """Read counts (cells x genes), their genes, and all other arrays of the file."""
        arrays = self.read_arrays(path)
        parts = (arrays.pop("data"), arrays.pop("indices"), arrays.pop("indptr"))
        counts = sparse.csr_array(parts, shape=tuple(arrays.pop("shape")))
        genes = pd.DataFrame({"gene": arrays.pop("gene"), "symbol": arrays.pop("symbol")})
        return counts, genes, arrays

    def stack_counts(
        self, paths: Iterable[str | Path]
    ) -> tuple[sparse.csr_array, pd.DataFrame, dict[str, np.ndarray]]:
        """Stack the extracted counts of all samples, in the order of the cell index.

        Returns
        -------
        counts
            Cells x genes.
        genes
            `gene` and `symbol` of the first sample; all samples have the same symbols.
        arrays
            All other arrays of the files, stacked. For the panel: `n_cells` per sample, and
            `present` (samples x genes), the genes that each matrix has.
        """
        parts = [self.read_counts(path) for path in paths]
        names = parts[0][2]
        arrays = {name: np.concatenate([more[name] for _, _, more in parts]) for name in names}
        stacked = sparse.vstack([counts for counts, _, _ in parts], format="csr")
        return sparse.csr_array(stacked), parts[0][1], arrays

    def _check(self, path: str | Path, found: str) -> None:
        if found != self.checksum:
            raise ValueError(
                f"{path} was made for another set of cells ({found} instead of {self.checksum}): "
                "delete it and run again"
            )


def _write_for_index(frame: pd.DataFrame, path: str | Path, checksum: str) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {**(table.schema.metadata or {}), INDEX_KEY: checksum.encode()}
    with whole_file(path) as temporary:
        _write_parquet(table.replace_schema_metadata(metadata), temporary)


def _write_parquet(table: pa.Table, path: Path) -> None:
    with pq.ParquetWriter(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP)
        writer.add_key_value_metadata({KEY: NO_CHECKSUM})
    add_checksum(path)


def _checksum_of(schema: pa.Schema) -> str:
    checksum: bytes = (schema.metadata or {}).get(INDEX_KEY, b"")
    return checksum.decode()


def _as_tsv(frame: pd.DataFrame) -> str:
    return frame.to_csv(sep="\t", index=False, lineterminator="\n")
