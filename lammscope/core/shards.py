"""Per-sample count files (shards): the count matrix of one sample as an `.h5ad` file of integers.

They are written and read with h5py in AnnData's on-disk format 0.1.0 [1]_, because importing
anndata takes longer than the work of many small jobs. `anndata.read_h5ad` can open them, after
`import hdf5plugin` if they are compressed by LZ4, the default. A checksum follows the end of the
HDF5 file (`core.damage`).

References
----------
.. [1] https://anndata.readthedocs.io/en/stable/fileformat-prose.html
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.damage import add_checksum, check_whole, named_damage
from lammscope.core.runtime import whole_file

# Importing hdf5plugin also lets h5py decompress the files of users.
# Values compressed at a time. On 3.3 million counts of 2,600 cells, LZ4 takes a quarter of the time
# of gzip to write, 0.4 to read, and 1.2 times the disk (`python -m benchmarks.count_files`).
CHUNK = 2**18
COMPRESSION: dict[str, dict[str, Any]] = {
    "lz4": dict(hdf5plugin.Blosc(cname="lz4", clevel=5)),
    "gzip": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "none": {},
}

CHECKSUM = "checksum"  # a way to compare inputs with those of the last run
ORIGIN = "lammscope_input"  # where the `InputRecord` is, in `uns`
DIGEST = "lammscope_digest"  # attribute of text
TEXTS = 16  # columns of text that are kept: most samples of a job have the same genes
_texts: dict[str, np.ndarray] = {}
NOTHING_SHARED = (
    "the samples have no gene in common: were they counted against different references, or do "
    "some have Ensembl ids and others symbols?"
)


@dataclass(frozen=True)
class Shard:
    """Counts of one sample.

    Attributes
    ----------
    counts
        Cells x genes, integers.
    barcodes
        The cells' barcodes, without a sample prefix.
    genes
        Columns `gene` (Ensembl id without version, or the symbol if there are no ids; unique) and
        `symbol`; optionally `ambient_counts`, the sums over barcodes with too few UMIs to be kept,
        and `ambient_profile`, the share of each gene in ambient RNA.
    """

    counts: sparse.csr_array
    barcodes: np.ndarray
    genes: pd.DataFrame


@dataclass(frozen=True)
class InputRecord:
    """What a per-sample count file was made from.

    Attributes
    ----------
    compared
        How the input is compared at the start of a run: by `size` or by `checksum`.
    size
        Of all its files together, in bytes.
    checksum
        A digest of their content.
    cells
        A digest of the sample's barcodes and their UMIs, in any order; empty without barcodes.
    remote
        The state of a matrix on a server when it was fetched; empty for one with a path.
    """

    compared: str
    size: int
    checksum: str
    cells: str
    remote: str = ""

    @property
    def state(self) -> str:
        """The state of the input, as Snakemake compares it."""
        if self.remote:
            return self.remote
        return self.checksum if self.compared == CHECKSUM else f"{self.size} bytes"


def write_shard(
    shard: Shard, path: str | Path, *, compression: str = "lz4", record: InputRecord | None = None
) -> None:
    """Write a per-sample count file atomically, with a record of its input in `uns`.

    Parameters
    ----------
    shard
        Counts of the sample.
    path
        The file to write.
    compression
        A name in `COMPRESSION`. Programs other than this one read `lz4` once they have imported
        hdf5plugin.
    record
        What the counts were made from.
    """
    with whole_file(path) as temporary:
        with h5py.File(temporary, "w") as file:
            _write(file, shard, packed=COMPRESSION[compression])
            if record is not None:
                text = json.dumps(asdict(record))
                file["uns"][ORIGIN] = text
                _encode(file["uns"][ORIGIN], "string", "0.2.0")
                file["uns"][ORIGIN].attrs[DIGEST] = _digest(text)
        add_checksum(temporary)


def _write(file: h5py.File, shard: Shard, *, packed: dict[str, Any]) -> None:
    """Write the counts of a sample, with the groups that AnnData expects."""
    _encode(file, "anndata")
    matrix = file.create_group("X")
    _encode(matrix, "csr_matrix")
    matrix.attrs["shape"] = shard.counts.shape
    for name in ("data", "indices", "indptr"):
        values = getattr(shard.counts, name)
        kind = np.int64 if name == "indptr" else np.int32
        chunks = (min(CHUNK, len(values)),) if len(values) else None
        matrix.create_dataset(
            name, data=values.astype(kind), chunks=chunks, **(packed if chunks else {})
        )
    _write_frame(file, "obs", pd.DataFrame({"barcode": shard.barcodes}))
    _write_frame(file, "var", shard.genes)
    for name in ("layers", "obsm", "varm", "obsp", "varp", "uns"):
        _encode(file.create_group(name), "dict")


def read_shard(path: str | Path) -> Shard:
    """Read a per-sample count file of `write_shard`; raises `ValueError` if it is damaged."""
    check_whole(path)
    with h5py.File(path, "r") as file:
        matrix = file["X"]
        data, indices, indptr = (matrix[name][:] for name in ("data", "indices", "indptr"))
        if indptr[-1] <= np.iinfo(indices.dtype).max:  # else scipy widens both arrays
            indptr = indptr.astype(indices.dtype)
        counts = sparse.csr_array((data, indices, indptr), shape=tuple(matrix.attrs["shape"]))
        return Shard(counts, _column(file["obs"], "barcode"), _read_frame(file["var"]))


def read_genes(path: str | Path) -> pd.DataFrame:
    """Read the genes of a per-sample count file; raises `ValueError` if it is damaged."""
    check_whole(path)
    with h5py.File(path, "r") as file:
        return _read_frame(file["var"])


def read_record(path: str | Path) -> InputRecord | None:
    """Read what a per-sample count file was made from; None if that is not recorded.

    The counts are not checked, since the records of all samples are read at each start.

    Raises
    ------
    ValueError
        If the file is missing, or the record damaged.
    """
    unreadable = (KeyError, RuntimeError, TypeError, AttributeError)  # of h5py
    with named_damage(path, also=unreadable), h5py.File(path, "r") as file:
        if ORIGIN not in file["uns"]:
            return None
        text = file["uns"][ORIGIN].asstr()[()]
        if file["uns"][ORIGIN].attrs[DIGEST] != _digest(text):
            raise ValueError("its checksum does not match")
        return InputRecord(**json.loads(text))


def _encode(group: h5py.Group | h5py.Dataset, kind: str, version: str = "0.1.0") -> None:
    group.attrs["encoding-type"] = kind
    group.attrs["encoding-version"] = version


def _write_frame(file: h5py.File, name: str, frame: pd.DataFrame) -> None:
    group = file.create_group(name)
    _encode(group, "dataframe", "0.2.0")
    first, *others = frame.columns
    group.attrs["_index"] = first
    group.attrs.create("column-order", others, dtype=h5py.string_dtype())
    for column in frame.columns:
        values = frame[column].to_numpy()
        if values.dtype.kind in "iuf":
            dataset = group.create_dataset(column, data=values)
            _encode(dataset, "array", "0.2.0")
        else:
            dataset = group.create_dataset(
                column, data=values.astype(object), dtype=h5py.string_dtype()
            )
            _encode(dataset, "string-array", "0.2.0")
            dataset.attrs[DIGEST] = _digest(json.dumps(values.tolist()))


def _read_frame(group: h5py.Group) -> pd.DataFrame:
    names = [group.attrs["_index"], *group.attrs["column-order"]]
    return pd.DataFrame({name: _column(group, name) for name in names})


def _column(group: h5py.Group, name: str) -> np.ndarray:
    dataset = group[name]
    if not h5py.check_string_dtype(dataset.dtype):
        return np.asarray(dataset[:])
    if DIGEST not in dataset.attrs:
        return np.asarray(dataset.asstr()[:])
    digest = dataset.attrs[DIGEST]
    if digest not in _texts:
        while len(_texts) >= TEXTS:
            del _texts[next(iter(_texts))]
        _texts[digest] = dataset.asstr()[:]
        _texts[digest].flags.writeable = False
    return np.asarray(_texts[digest])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def shared_ids(ids: list[pd.Series]) -> pd.Index:
    """Return the gene ids that all samples have, in the order of the first sample."""
    shared: pd.Index = pd.Index(ids[0])
    for other in ids[1:]:
        shared = shared.intersection(pd.Index(other), sort=False)
    if shared.empty:
        raise ValueError(NOTHING_SHARED)
    return shared


def gene_columns(shard: Shard, genes: pd.Series | pd.Index) -> np.ndarray:
    """Return the columns of the given gene ids, all of which must be present."""
    return np.asarray(pd.Index(shard.genes["gene"]).get_indexer(genes))
