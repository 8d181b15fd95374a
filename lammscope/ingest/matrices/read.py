"""Count matrices as users have them, read into one form; what each format is, its module knows."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.files import AGAIN, named_errors, open_bytes, open_hdf5
from lammscope.core.runtime import logger
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.counts import first_non_count, not_counts
from lammscope.ingest.matrices.dense import inspect_dense, read_dense
from lammscope.ingest.matrices.find import candidates, of_one_genome
from lammscope.ingest.matrices.h5ad import inspect_annotated, is_annotated, read_annotated
from lammscope.ingest.matrices.mtx import MTX, inspect_mtx, matrices_in, read_mtx
from lammscope.ingest.matrices.tenx import inspect_tenx, is_tenx, read_tenx

FORMATS = (
    "a 10x .h5, a folder with matrix.mtx, barcodes.tsv and features.tsv, an .h5ad, "
    "or a table of counts (.csv, .tsv)"
)

# what a file of another kind starts with, what it is, and what to do
FOREIGN = (
    (rb"\s*(?i:<!doctype|<html)", "a web page", "download the file again"),
    (rb"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as .csv"),
    (rb"X\n\x00\x00|RD[AX]\d\n", "an R object", "in R, export it by DropletUtils::write10xCounts"),
    (rb"(?s:.{257}ustar)", "a tar archive", "unpack it and name the matrix in it"),
    (rb"BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd", "compressed in another way than gzip", "decompress it"),
    (rb"PAR1\x15", "a Parquet file", f"give {FORMATS}"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16", "save it as UTF-8"),
)

HDF5 = b"\x89HDF\r\n\x1a\n"
MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec"
DATE = rf"(?i:\d{{1,2}}-(?:{MONTHS})|(?:{MONTHS})-\d{{1,2}})"


@dataclass(frozen=True)
class Reader:
    """How to look at the files of a format, and how to read them."""

    inspect: Callable[..., str]
    read: Callable[..., Shard]


TENX = Reader(inspect_tenx, read_tenx)
MARKET = Reader(inspect_mtx, read_mtx)
ANNOTATED = Reader(inspect_annotated, read_annotated)
TABLE = Reader(inspect_dense, read_dense)


def read_matrix(path: str | Path, *, genome: str | None = None) -> Shard:
    """Read the count matrix of one sample, whatever its format.

    Parameters
    ----------
    path
        A 10x `.h5`; an `.mtx` with its lists of barcodes and genes (10x, STARsolo, kallisto,
        alevin-fry), or their folder or one above; an `.h5ad`; or a dense table as text. Of
        multimodal files only `Gene Expression` is read.
    genome
        The genome to read where the file holds several; ignored otherwise.

    Returns
    -------
    Shard
        Cells x genes (int32) with unique gene ids: Ensembl version suffixes are dropped, and a
        repeated id is kept apart by a suffix -1, -2, ...

    Raises
    ------
    ValueError
        If the file is none of these, is damaged, or its values are not counts. One line that starts
        with the path.
    """
    path = Path(path)
    with named_errors(path):
        source = _matrix_of(path, genome=genome)
        return _checked(_reader(source).read(source, genome=genome), path)


def inspect_matrix(path: str | Path, *, genome: str | None = None) -> str:
    """Look whether a matrix starts as it should, in milliseconds.

    Parameters
    ----------
    path, genome
        As for `read_matrix`.

    Returns
    -------
    str
        A short name of the format, such as `10x h5 v3`.

    Raises
    ------
    ValueError
        As `read_matrix` does, as far as names, sizes and the first values show it.
    """
    path = Path(path)
    with named_errors(path):
        source = _matrix_of(path, genome=genome)
        return _reader(source).inspect(source, genome=genome)


def _matrix_of(path: Path, *, genome: str | None) -> Path:
    """The file to read: `path`, or the one in it or below it if it is a folder."""
    if not path.exists():
        broken = " (a link that points nowhere)" if path.is_symlink() else ""
        raise ValueError(f"no such file{broken}; correct the column `counts` of the sample sheet")
    if not path.is_dir():
        return path
    found = matrices_in(path) or candidates(path)
    found = [candidate for candidate in found if candidate.name == genome] or found
    if not found:
        raise ValueError(f"the folder has no matrix.mtx or other count matrix; give {FORMATS}")
    if len(found) == 1:
        return _matrix_of(found[0], genome=genome)
    names = [str(candidate.relative_to(path)) for candidate in found]
    if all(of_one_genome(candidate) for candidate in found):
        raise ValueError(
            f"holds several genomes ({', '.join(candidate.name for candidate in found)}); "
            "write one of them into the column `genome` of the sample sheet"
        )
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    raise ValueError(
        f"the folder has several matrices ({', '.join(names[:5])}{more}); name one of them"
    )


def _reader(path: Path) -> Reader:
    """Choose by what the file holds, not by its name."""
    if not path.stat().st_size:
        raise ValueError("the file is empty (0 bytes); copy or download it again")
    with path.open("rb") as handle:
        start = handle.read(512)
    if start.startswith(HDF5) or h5py.is_hdf5(path):
        return _hdf5_reader(path)
    _refuse_foreign(start)
    if re.search(r"\.(h5|hdf5|h5ad|loom)$", path.name):
        raise ValueError(f"named {path.suffix}, but it is not HDF5 and not a count matrix: {AGAIN}")
    with open_bytes(path) as opened:
        inner = opened.read(512)
    _refuse_foreign(inner)
    if inner.startswith(HDF5):
        raise ValueError("a compressed HDF5 file: decompress it (gunzip)")
    if b"\x00" in inner:
        raise ValueError(f"not a count matrix, and of no known kind; give {FORMATS}")
    return MARKET if MTX.search(path.name) else TABLE


def _refuse_foreign(start: bytes) -> None:
    for pattern, kind, remedy in FOREIGN:
        if re.match(pattern, start):
            raise ValueError(f"{kind}, not a count matrix: {remedy}")


def _hdf5_reader(path: Path) -> Reader:
    with open_hdf5(path) as file:
        if is_tenx(file):
            return TENX
        if is_annotated(file) and "mod" not in file:
            return ANNOTATED
        keys = set(file)
    if {"barcode_idx", "umi"} <= keys or {"barcode", "umi", "gene"} <= keys:
        raise ValueError(
            "a molecule_info.h5, which lists molecules; give the filtered_feature_bc_matrix.h5 "
            "that lies beside it"
        )
    if {"row_attrs", "col_attrs"} <= keys:
        raise ValueError("a loom file: write it as .h5ad, e.g. by anndata.io.read_loom")
    if "mod" in keys:
        raise ValueError("a MuData file: write its modality of gene expression as .h5ad")
    if "assays" in keys:
        raise ValueError("a Seurat file: in R, export it by DropletUtils::write10xCounts")
    some = ", ".join(sorted(keys)[:5]) or "nothing"
    raise ValueError(f"HDF5, but not a count matrix (it holds {some}); give {FORMATS}")


def _checked(shard: Shard, path: Path) -> Shard:
    """The shard with integer counts and unique names, or an error that says what is wrong."""
    counts = _summed(shard.counts)
    barcodes = pd.Index(shard.barcodes)
    if barcodes.has_duplicates:
        raise ValueError(
            f"barcode {barcodes[barcodes.duplicated()][0]} stands there twice; "
            "give one matrix per sample"
        )
    genes = shard.genes.reset_index(drop=True)
    dates = genes["symbol"][genes["symbol"].str.fullmatch(DATE)]
    if len(dates):
        logger.warning(
            "%s: %d gene symbols are dates (e.g. %s), as Excel makes them of genes like MARCHF1",
            *(path, len(dates), dates.iloc[0]),
        )
    ids = genes["gene"].str.replace(r"^(ENS[A-Z]*G\d+)\.\d+(_PAR_Y)?$", r"\1\2", regex=True)
    genes["gene"] = _kept_apart(ids)
    return Shard(counts, barcodes.to_numpy(dtype=str), genes)


def _summed(counts: sparse.csr_array) -> sparse.csr_array:
    """The counts as int32, each place once; what a file lists twice is added up."""
    _refuse_non_counts(counts.data)
    if not counts.has_canonical_format:
        counts = counts.astype(np.int64)  # sums may exceed what the file's type holds
        counts.sum_duplicates()
        _refuse_non_counts(counts.data)
    counts = sparse.csr_array(counts, dtype=np.int32)
    counts.eliminate_zeros()
    return counts


def _refuse_non_counts(values: np.ndarray) -> None:
    bad = first_non_count(values)
    if bad is not None:
        raise ValueError(not_counts(values[bad]))


def _kept_apart(names: pd.Series) -> pd.Series:
    """Repeated names with a number that makes none of them equal to another name."""
    repeated = np.flatnonzero(names.duplicated()).tolist()
    if not repeated:
        return names
    taken = set(names)
    unique = names.tolist()
    numbers: dict[str, int] = {}
    for place in repeated:
        name = candidate = unique[place]
        while candidate in taken:
            numbers[name] = numbers.get(name, 0) + 1
            candidate = f"{name}-{numbers[name]}"
        taken.add(candidate)
        unique[place] = candidate
    return pd.Series(unique, dtype=str)
