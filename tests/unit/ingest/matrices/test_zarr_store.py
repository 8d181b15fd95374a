"""AnnData in zarr is read as from `.h5ad`; a store without some of its chunks is refused."""

import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import zarr
from scipy import sparse

from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, read_matrix
from lammscope.new_cohort import sample_names
from tests.matrices import find_matrices, small_shard, write_h5ad, write_tenx_v3

SHARD = small_shard(200, 60, seed=3)
GENES = SHARD.genes


def store_of(h5ad: Any, path: Path, *, zarr_format: Any = 2, chunks: Any = None) -> Any:
    with warnings.catch_warnings():  # zarr's, on texts in format 3 and on options of anndata
        warnings.simplefilter("ignore")
        with anndata.settings.override(zarr_write_format=zarr_format):
            anndata.read_h5ad(h5ad).write_zarr(path, chunks=chunks)
    return path


def same(read: Any) -> None:
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.counts.dtype == np.int32
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == GENES["gene"].tolist()
    assert read.genes["symbol"].tolist() == GENES["symbol"].tolist()


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_matrix, lambda c: c.toarray()])
@pytest.mark.parametrize("where", ["X", "counts", "raw"])
def test_stores_are_read_like_files(
    tmp_path: Path, zarr_format: Any, form: Any, where: Any
) -> None:
    h5ad = write_h5ad(SHARD, tmp_path / "x.h5ad", where=where, index="symbol", form=form)
    path = store_of(h5ad, tmp_path / "x.zarr", zarr_format=zarr_format)
    assert inspect_matrix(path) == "zarr"
    assert describe_matrix(path) == describe_matrix(h5ad)
    same(read_matrix(path))


def test_categories_and_missing_values_are_read(tmp_path: Path) -> None:
    var = {"feature_name": pd.Categorical(GENES["symbol"]), "feature_types": "Gene Expression"}
    path = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad", var=var), tmp_path / "x.zarr")
    same(read_matrix(path))


def test_stores_are_found_and_a_layer_may_be_named(tmp_path: Path) -> None:
    h5ad = write_h5ad(SHARD, tmp_path / "x.h5ad", where="counts")
    (tmp_path / "A").mkdir()
    path = store_of(h5ad, tmp_path / "A" / "P1.zarr")
    h5ad.unlink()
    write_tenx_v3(SHARD, tmp_path / "B.h5")
    assert find_matrices(tmp_path) == [path, tmp_path / "B.h5"]
    same(read_matrix(tmp_path / "A"))
    same(read_matrix(path, layer="counts"))
    with pytest.raises(ValueError, match="no layer `count` \\(did you mean `counts`"):
        inspect_matrix(path, layer="count")


@pytest.mark.parametrize("part", ["X/data", "X/indices", "X/indptr", "var/symbol"])
def test_a_missing_chunk_is_no_zero(tmp_path: Path, part: Any) -> None:
    path = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad"), tmp_path / "x.zarr")
    chunks = [file for file in (path / part).rglob("*") if file.name not in (".zarray", ".zattrs")]
    chunks[-1].unlink()
    with pytest.raises(ValueError, match=r"1 of \d+ chunks of .* are missing: the file is damaged"):
        read_matrix(path)


def test_a_missing_chunk_of_a_dense_matrix_is_no_zero(tmp_path: Path) -> None:
    form = sparse.csr_matrix.toarray
    path = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad", form=form), tmp_path / "x.zarr")
    next(file for file in (path / "X").iterdir() if file.name[0] != ".").unlink()
    with pytest.raises(ValueError, match=r"chunks of X are missing"):
        read_matrix(path)


def without(path: Path, *parts: Any) -> None:
    for part in parts:
        shutil.rmtree(path / part)


def other_store(path: Path) -> None:
    shutil.rmtree(path)
    zarr.create_group(path, zarr_format=2).create_group("images")


BAD: dict[str, tuple[Any, str]] = {
    "no table of cells": (lambda p: without(p, "obs"), "not of AnnData (it holds X, layers"),
    "no matrix": (lambda p: without(p, "X"), "holds no matrix"),
    "no values": (lambda p: without(p, "X/data"), "lacks the dataset X/data"),
    "another store": (other_store, "a zarr store, but not of AnnData (it holds images)"),
    "half a file": (lambda p: (p / "X/data/.zarray").write_text("{"), "zarr cannot read it"),
    "no codec": (
        lambda p: (p / "X/data/.zarray").write_text(
            (p / "X/data/.zarray").read_text().replace("blosc", "none_such").replace("zstd", "none")
        ),
        "zarr cannot read it",
    ),
    "a chunk cut short": (lambda p: (p / "X/data/0").write_bytes(b"\x02\x01"), "zarr cannot read"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_store_is_one_line(tmp_path: Path, name: str) -> None:
    damage, words = BAD[name]
    path = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad"), tmp_path / "x.zarr")
    damage(path)
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert words in text
    assert "\n" not in text


@pytest.mark.real_data
def test_a_public_file_is_the_same_in_zarr(real_data: Any, tmp_path: Path) -> None:
    h5ad = real_data("kang_ifnb") / "kang_ifnb_2000.h5ad"
    path = store_of(h5ad, tmp_path / "x.zarr")
    one, other = read_matrix(h5ad), read_matrix(path)
    assert (one.counts != other.counts).nnz == 0
    assert one.barcodes.tolist() == other.barcodes.tolist()
    pd.testing.assert_frame_equal(one.genes, other.genes)


def zip_of(folder: Path, path: Path, *, within: str = "") -> Path:
    """Zip a store, as a whole folder or without it, as zip and 7-Zip do."""
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                packed.write(file, Path(within) / file.relative_to(folder))
    return path


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("within", ["", "x.zarr", "data/P1.zarr"])
@pytest.mark.parametrize("where", ["X", "counts", "raw"])
def test_zipped_stores_are_read(tmp_path: Path, zarr_format: Any, within: Any, where: Any) -> None:
    h5ad = write_h5ad(SHARD, tmp_path / "x.h5ad", where=where, index="symbol")
    store = store_of(h5ad, tmp_path / "x.zarr", zarr_format=zarr_format)
    path = zip_of(store, tmp_path / "x.zip", within=within)
    assert inspect_matrix(path) == "zarr"
    assert describe_matrix(path) == describe_matrix(h5ad)
    same(read_matrix(path))


def test_zipped_stores_are_found(tmp_path: Path) -> None:
    store = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad"), tmp_path / "x.zarr")
    (tmp_path / "A").mkdir()
    path = zip_of(store, tmp_path / "A" / "P1.zarr.zip")
    assert find_matrices(tmp_path / "A") == [path]
    assert sample_names([path], tmp_path / "A") == ["P1"]
    same(read_matrix(tmp_path / "A"))


def no_store(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.csv", "x")


def changed(path: Path, name: str) -> None:
    """Change a byte in the middle of a file in the zip."""
    with zipfile.ZipFile(path) as packed:
        at = packed.getinfo(name).header_offset + 200
    content = bytearray(path.read_bytes())
    content[at] ^= 255
    path.write_bytes(content)


BAD_ZIPS: dict[str, tuple[Any, str]] = {
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:-300]), "not a zip file"),
    "other files": (no_store, "a zip archive or an Excel workbook, not a count matrix: unpack"),
    "a changed chunk": (lambda p: changed(p, "X/data/0"), "Bad CRC-32"),
    "not AnnData": (lambda p: zip_of(p.with_name("x.zarr") / "X", p), "not of AnnData"),
    "a lost chunk": (
        lambda p: ((p.with_name("x.zarr") / "X/data/0").unlink(), zip_of(p.with_name("x.zarr"), p)),
        "1 of 1 chunks of X/data are missing",
    ),
}


@pytest.mark.parametrize("name", BAD_ZIPS)
def test_a_damaged_zip_is_one_line(tmp_path: Path, name: str) -> None:
    damage, words = BAD_ZIPS[name]
    store = store_of(write_h5ad(SHARD, tmp_path / "x.h5ad"), tmp_path / "x.zarr")
    path = zip_of(store, tmp_path / "x.zarr.zip")
    damage(path)
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
