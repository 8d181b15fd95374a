"""What a file contains, judged by its start, and what to do if it is not a count matrix."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import h5py

from lammscope.core.files import AGAIN, HOLDS_NUL, open_bytes, open_hdf5

# First bytes, name and remedy of files that are not count matrices. Without a remedy, the known
# formats are listed.
FOREIGN = (
    (rb"\s*(?i:<!doctype|<html)", "a web page", "download the file again"),
    (rb"PK\x03\x04", "a zip archive or an Excel workbook", "unpack it, or save the sheet as .csv"),
    (
        rb"RD[ABX]\d\n",
        "an R workspace (.RData)",
        "in R, load it, and save the object with the counts by saveRDS as .rds",
    ),
    (rb"(?s:.{257}ustar)", "a tar archive", "unpack it and give the matrix in it"),
    (rb"BZh\d|\xfd7zXZ|\x28\xb5\x2f\xfd", "a bzip2, xz or zstd file", "decompress it"),
    (rb"PAR1\x15", "a Parquet file", ""),
    (
        rb"version https://git-lfs",
        "a pointer of Git LFS, not the file itself",
        "fetch it with `git lfs pull`",
    ),
    (
        rb"(?:/annex/objects/|(?:\.\./)*\.git/annex/)",
        "a pointer of git-annex",
        "fetch it with `git annex get`",
    ),
    (rb"\s*<\?xml", "an XML page, such as the error of a download", "download the file again"),
    (rb"\xff\xfe|\xfe\xff", "text in UTF-16", "save it as UTF-8"),
)

HDF5 = b"\x89HDF\r\n\x1a\n"  # the signature, HDF5 File Format Specification, section II.A
HDF5_NAMES = re.compile(r"\.(h5|hdf5|h5ad|loom)$")
TEXT_NAMES = re.compile(r"\.(mtx|csv|tsv|txt)(\.gz)?$")
N_BYTES = 512  # the first header block of a tar archive; the signatures above lie within it


@dataclass(frozen=True)
class Content:
    """The start of a file, by which a `Reader` recognizes its format.

    Attributes
    ----------
    path
        The file.
    start
        Its first bytes on disk.
    hdf5
        The open file if it is HDF5, else None.
    """

    path: Path
    start: bytes
    hdf5: h5py.File | None

    @cached_property
    def unpacked(self) -> bytes:
        """Its first bytes, decompressed if the file is gzipped."""
        with open_bytes(self.path) as opened:
            return opened.read(N_BYTES)

    @cached_property
    def is_text(self) -> bool:
        """Whether it looks like text, plain or gzipped, and is not named as HDF5."""
        if self.hdf5 is not None or _foreign(self.start) or HDF5_NAMES.search(self.path.name):
            return False
        inner = self.unpacked
        return not (_foreign(inner) or inner.startswith(HDF5) or b"\x00" in inner)


@contextmanager
def opened_content(path: Path) -> Iterator[Content]:
    """Read the start of a file; an HDF5 file is open within the context.

    Raises
    ------
    ValueError, OSError
        If the file is empty or cannot be read.
    """
    if not path.stat().st_size:
        raise ValueError("the file is empty (0 bytes); copy or download it again")
    with path.open("rb") as handle:
        start = handle.read(N_BYTES)
    if start.startswith(HDF5) or h5py.is_hdf5(path):
        with open_hdf5(path) as file:
            yield Content(path, start, file)
    else:
        yield Content(path, start, None)


def refusal(content: Content, *, formats: str) -> str:
    """Return a message on a file that no reader recognizes: what it is, and what to do.

    Parameters
    ----------
    content
        The start of the file.
    formats
        The known formats in words, listed if there is no better advice.
    """
    if content.hdf5 is not None:
        return _hdf5_refusal(set(content.hdf5), formats=formats)
    if found := _foreign(content.start):
        return _foreign_refusal(*found, formats=formats)
    if not content.start.strip(b"\0") or _ends_in_nul(content):
        return HOLDS_NUL
    if HDF5_NAMES.search(content.path.name):
        return f"named {content.path.suffix}, but it is not HDF5 and not a count matrix: {AGAIN}"
    if found := _foreign(content.unpacked):
        return _foreign_refusal(*found, formats=formats)
    if content.unpacked.startswith(HDF5):
        return "a compressed HDF5 file: decompress it (gunzip)"
    return f"not a count matrix in a known format; give {formats}"


def _ends_in_nul(content: Content) -> bool:
    """Test whether a file that is named as text has nothing but NUL from some place on."""
    text = content.unpacked.rstrip(b"\0")
    return (
        bool(TEXT_NAMES.search(content.path.name))
        and text != content.unpacked
        and (b"\0" not in text)
    )


def named_hdf5_holds(
    path: Path,
    is_matrix: Callable[[h5py.File], bool],
    *,
    suffixes: tuple[str, ...] = (".h5", ".h5ad"),
) -> bool:
    """Test whether a file with one of these endings is a matrix, or damaged (see its reading)."""
    if path.suffix not in suffixes:
        return False
    try:
        with open_hdf5(path) as file:
            return is_matrix(file)
    except OSError:
        return True
    except ValueError:
        return False


def _foreign(start: bytes) -> tuple[str, str] | None:
    """Return kind and remedy if the file is known not to be a matrix."""
    return next(
        ((kind, remedy) for pattern, kind, remedy in FOREIGN if re.match(pattern, start)), None
    )


def _foreign_refusal(kind: str, remedy: str, *, formats: str) -> str:
    return f"{kind}, not a count matrix: {remedy or f'give {formats}'}"


def _hdf5_refusal(keys: set[str], *, formats: str) -> str:
    """Return what an HDF5 file is, by the names of its groups and datasets."""
    if {"barcode_idx", "umi"} <= keys or {"barcode", "umi", "gene"} <= keys:
        return (
            "a molecule_info.h5, which lists molecules; give the filtered_feature_bc_matrix.h5 "
            "in the same folder"
        )
    if "mod" in keys:
        return "a MuData file: write its gene expression modality as .h5ad"
    if "assays" in keys:
        return "a Seurat file: in R, export it with DropletUtils::write10xCounts"
    some = ", ".join(sorted(keys)[:5]) or "nothing"
    return f"HDF5, but not a count matrix (it holds {some}); give {formats}"
