"""Dense Matrix Market files, and text that is named .gz but not compressed."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import io

from lammscope.ingest.matrices import mtx, mtx_array
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from tests.matrices import small_shard, write_dense, write_folder, write_kallisto

SHARD = small_shard(30, 50, seed=6)
DENSE = SHARD.counts.toarray()


def same(read: Any) -> None:
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == SHARD.genes["gene"].tolist()


def folder_with(path: Path, values: np.ndarray, **options: Any) -> Path:
    write_folder(SHARD, path, version=2)
    io.mmwrite(path / "matrix.mtx", values, **options)
    assert (path / "matrix.mtx").read_text().startswith("%%MatrixMarket matrix array")
    return path


@pytest.mark.parametrize("values", [DENSE.T, DENSE, DENSE.T.astype(float), DENSE.astype(float)])
@pytest.mark.parametrize("at_a_time", [1, 700, 10**6])
def test_a_dense_file_is_read_in_either_orientation(
    tmp_path: Path, values: np.ndarray, at_a_time: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mtx_array, "CHARACTERS_AT_A_TIME", at_a_time)
    path = folder_with(tmp_path / "x", values, comment="made by R")
    assert inspect_matrix(path) == "10x folder"
    same(read_matrix(path))


def test_a_dense_file_may_be_compressed_and_of_another_pipeline(tmp_path: Path) -> None:
    path = folder_with(tmp_path / "x", DENSE.T) / "matrix.mtx"
    path.with_name("matrix.mtx.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    same(read_matrix(path.parent))
    kallisto = write_kallisto(SHARD, tmp_path / "k") / "cells_x_genes.mtx"
    io.mmwrite(kallisto, DENSE)
    same(read_matrix(kallisto))


BAD: dict[str, tuple[Any, str]] = {
    "logarithms": (lambda text: text.replace("\n1\n", "\n0.69\n"), "values are not counts, e.g."),
    "a word": (lambda text: text.replace("\n1\n", "\none\n"), "values are not counts, e.g. nan"),
    "cut short": (lambda text: text[:1200], "matrix.mtx is truncated"),
    "much too short": (lambda text: text[:200], "truncated (its header states 1500 entries)"),
    "one more": (lambda text: text + "5\n", "matrix.mtx is damaged (1501 of 1500 values"),
    "three sizes": (lambda text: text.replace("50 30", "50 30 1500"), "does not state its size"),
    "NUL": (lambda text: text[:2500] + "\0" * 500, "holds NUL characters"),
    "symmetric": (lambda text: text.replace("general", "symmetric"), "symmetric, not general"),
    "complex": (lambda text: text.replace("integer", "complex"), "holds complex values"),
    "a word at the end": (lambda text: text[:-2] + "x\n", "has a value that is no number"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_dense_file_is_one_line(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mtx, "BYTES_LOOKED_AT", 10)  # what is wrong may be beyond the start
    damage, words = BAD[name]
    path = folder_with(tmp_path / "x", DENSE.T)
    (path / "matrix.mtx").write_text(damage((path / "matrix.mtx").read_text()))
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def named_gz(folder: Path, *names: str) -> Path:
    """Make a 10x folder in which files are named .gz but are not compressed."""
    for name in names:
        (folder / name).rename(folder / f"{name}.gz")
    return folder


@pytest.mark.parametrize(
    "names",
    [("matrix.mtx",), ("barcodes.tsv",), ("genes.tsv",), ("matrix.mtx", "barcodes.tsv")],
)
def test_text_named_gz_is_read_as_what_it_is(tmp_path: Path, names: tuple[str, ...]) -> None:
    path = named_gz(write_folder(SHARD, tmp_path / "x", version=2), *names)
    assert inspect_matrix(path) == "10x folder"
    same(read_matrix(path))


def test_a_table_named_gz_is_read_as_what_it_is(tmp_path: Path) -> None:
    write_dense(SHARD, tmp_path / "x.csv").rename(tmp_path / "x.csv.gz")
    same(read_matrix(tmp_path / "x.csv.gz"))


@pytest.mark.parametrize("start", [b"BZh91AY&SY\0", b"<html>", b"\xfd7zXZ\0", b"\x1f\x8c\x08"])
def test_other_content_named_gz_is_not_read(tmp_path: Path, start: bytes) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    (path / "genes.tsv").unlink()
    (path / "genes.tsv.gz").write_bytes(start + b" and more of it")
    with pytest.raises(ValueError, match=r"genes\.tsv\.gz ends in \.gz but is not compressed, nor"):
        read_matrix(path)
