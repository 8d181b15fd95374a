"""What is no matrix is named for what it is: pointers, pages, locked and interrupted files."""

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import pytest

from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from tests.matrices import find_matrices, small_shard, write_h5ad, write_tenx_v2, write_tenx_v3

SHARD = small_shard()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n"
ANNEX = b"/annex/objects/MD5E-s123--abc.h5\n"
XML = b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'

FILES = {
    "lfs.h5": (LFS, "a pointer of Git LFS, not the file itself, not a count matrix: fetch it with"),
    "lfs.mtx.gz": (LFS, "a pointer of Git LFS"),
    "lfs.csv": (LFS, "a pointer of Git LFS"),
    "annex.h5ad": (ANNEX, "a pointer of git-annex"),
    "s3.h5": (XML, "an XML page, such as the error of a download, not a count matrix: download"),
    "s3.csv.gz": (gzip.compress(XML), "an XML page"),
    "nul.h5": (b"\0" * 4096, "holds NUL characters, as after an interrupted copy"),
    "nul.csv": (b"gene,A,B\nACTB,1,2\n" + b"\0" * 4096, "holds NUL characters"),
    "nul.tsv.gz": (gzip.compress(b"gene\tA\n" + b"\0" * 999), "holds NUL characters"),
    "twice.csv.gz": (gzip.compress(gzip.compress(b"g,a\nA,1\n")), "is compressed twice"),
    "browser.cloupe": (b'{"version":"4"}' + b"\0" * 999, "not a count matrix in a known format"),
}


@pytest.mark.parametrize("name", FILES)
def test_other_files_are_named(tmp_path: Path, name: str) -> None:
    content, words = FILES[name]
    (tmp_path / name).write_bytes(content)
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r".") as caught:
            use(tmp_path / name)
        text = str(caught.value)
        assert text.startswith(f"{tmp_path / name}: ")
        assert words in text
        assert "\n" not in text


@pytest.mark.parametrize("write", [write_tenx_v2, write_tenx_v3, write_h5ad])
@pytest.mark.parametrize("mode", ["r+", "a"])
def test_a_file_that_is_open_for_writing_is_not_called_damaged(
    tmp_path: Path, write: Any, mode: Any
) -> None:
    path = write(SHARD, tmp_path / ("x.h5ad" if write is write_h5ad else "x.h5"))
    code = f"import h5py; f = h5py.File({str(path)!r}, {mode!r}); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == "1\n"
        for use in (inspect_matrix, read_matrix):
            with pytest.raises(
                ValueError, match="is open for writing in another program"
            ) as caught:
                use(path)
            assert "damaged" not in str(caught.value)
        assert find_matrices(tmp_path) == [path]
        other.communicate("\n")
    assert (read_matrix(path).counts != SHARD.counts).nnz == 0


def test_a_file_that_others_read_is_read(tmp_path: Path) -> None:
    path = write_tenx_v3(SHARD, tmp_path / "x.h5")
    with h5py.File(path, "r"):
        assert (read_matrix(path).counts != SHARD.counts).nnz == 0


def test_a_file_that_was_never_closed_is_not_called_damaged(tmp_path: Path) -> None:
    """With the newest layout, HDF5 marks files that are being written."""
    path = tmp_path / "x.h5"
    code = (
        "import h5py, os; "
        f"f = h5py.File({str(path)!r}, 'w', libver='latest'); f['x'] = 1; f.flush(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(ValueError, match="stopped before it closed the file"):
        read_matrix(path)


def test_a_link_of_git_annex_says_how_to_fetch(tmp_path: Path) -> None:
    (tmp_path / "x.h5").symlink_to("../.git/annex/objects/Xq/1/MD5E-s1--a.h5/MD5E-s1--a.h5")
    with pytest.raises(ValueError, match=r"no such file \(a broken link: fetch it with `git annex"):
        inspect_matrix(tmp_path / "x.h5")
