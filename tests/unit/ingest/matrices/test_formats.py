"""A file format is one module: its reader and a line in the registry make it known everywhere."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices import formats
from lammscope.ingest.matrices.content import opened_content
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from lammscope.ingest.matrices.reader import Reader
from lammscope.new_cohort import sample_names
from tests.matrices import (
    find_matrices,
    small_shard,
    write_alevin,
    write_dense,
    write_folder,
    write_h5ad,
    write_kallisto,
    write_loom,
    write_tenx_v2,
    write_tenx_v3,
)

SHARD = small_shard()
TOY = b"TOY\x00"
RDS = Path(__file__).parent / "rds"


def same_counts(read: Shard) -> None:
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == SHARD.genes["gene"].tolist()


def write_toy(path: Path) -> Path:
    """A format that nobody has: a signature, then everything as JSON."""
    content = {
        "counts": SHARD.counts.toarray().tolist(),
        "barcodes": SHARD.barcodes.tolist(),
        "genes": SHARD.genes[["gene", "symbol"]].to_dict("list"),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(TOY + json.dumps(content).encode())
    return path


def read_toy(path: Path, *, genome: Any, layer: Any = None) -> Any:
    content = json.loads(path.read_bytes().removeprefix(TOY))
    counts = sparse.csr_array(np.array(content["counts"]))
    return Shard(counts, np.array(content["barcodes"]), pd.DataFrame(content["genes"]))


def inspect_toy(path: Path, *, genome: Any, layer: Any) -> Any:
    if not path.read_bytes().endswith(b"}"):
        raise ValueError("the toy is broken; get another")
    return "toy v1"


TOYS = Reader(
    words="a .toy",
    suffixes=("toy",),
    recognizes=lambda content: content.start.startswith(TOY),
    finds=lambda path: path.suffix == ".toy",
    inspect=inspect_toy,
    read=read_toy,
)


@pytest.fixture
def with_toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "READERS", (TOYS, *formats.READERS))


def test_an_unknown_format_is_refused_by_the_list_of_the_known_ones(tmp_path: Path) -> None:
    path = write_toy(tmp_path / "x.toy")
    message = (
        "x.toy: not a count matrix in a known format; give a 10x .h5, a folder with "
        "matrix.mtx, barcodes.tsv and features.tsv, an .h5ad, a .loom, a zarr store of AnnData, "
        "a zip file of such a store, an .rds of Seurat or SingleCellExperiment, "
        "or a table of counts (.csv, .tsv)"
    )
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r".") as caught:
            use(path)
        assert str(caught.value).endswith(message)
    assert find_matrices(tmp_path) == []


@pytest.mark.usefixtures("with_toys")
def test_a_new_format_is_found_inspected_and_read(tmp_path: Path) -> None:
    paths = [write_toy(tmp_path / "A" / "outs" / "x.toy"), write_toy(tmp_path / "B.toy")]
    write_tenx_v3(SHARD, tmp_path / "C.h5")
    found = find_matrices(tmp_path)
    assert found == [*paths, tmp_path / "C.h5"]
    assert sample_names(found, tmp_path) == ["A_x", "B", "C"]
    for path in paths:
        assert inspect_matrix(path) == "toy v1"
        same_counts(read_matrix(path))
    same_counts(read_matrix(tmp_path / "A"))  # the only matrix below a folder
    assert inspect_matrix(tmp_path / "C.h5") == "10x h5 v3"


@pytest.mark.usefixtures("with_toys")
def test_a_new_format_is_recognized_by_content_listed_and_refused_in_one_line(
    tmp_path: Path,
) -> None:
    same_counts(read_matrix(write_toy(tmp_path / "named_otherwise.csv")))
    (tmp_path / "other.toy").write_bytes(b"\x89PNG\x00")
    with pytest.raises(ValueError, match=r"in a known format; give a \.toy, a 10x \.h5, "):
        read_matrix(tmp_path / "other.toy")
    broken = write_toy(tmp_path / "broken.toy")
    broken.write_bytes(broken.read_bytes()[:-5])
    with pytest.raises(ValueError, match=r"broken\.toy: the toy is broken; get another$"):
        inspect_matrix(broken)
    assert broken in find_matrices(tmp_path)


def test_a_format_of_several_files_is_named_by_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The main file in a folder stands for the others."""
    reader = Reader(
        words="a toy box",
        suffixes=(),
        recognizes=lambda content: content.path.name == "main.box",
        finds=lambda path: False,
        inspect=lambda path, *, genome, layer: "toy box",
        read=lambda path, *, genome, layer: read_toy(path.with_name("rest.box"), genome=genome),
        in_folder=lambda folder: [path for path in [folder / "main.box"] if path.exists()],
    )
    monkeypatch.setattr(formats, "READERS", (*formats.READERS[:-1], reader, formats.READERS[-1]))
    write_toy(tmp_path / "box" / "rest.box")
    (tmp_path / "box" / "main.box").write_text("see rest.box")
    assert find_matrices(tmp_path) == [tmp_path / "box"]
    for path in (tmp_path, tmp_path / "box", tmp_path / "box" / "main.box"):
        assert inspect_matrix(path) == "toy box"
        same_counts(read_matrix(path))


@pytest.mark.parametrize(
    "write",
    [
        lambda f: write_tenx_v2(SHARD, f / "x.h5"),
        lambda f: write_tenx_v3(SHARD, f / "x.h5"),
        lambda f: write_h5ad(SHARD, f / "x.h5ad"),
        lambda f: write_folder(SHARD, f / "x", version=2) / "matrix.mtx",
        lambda f: write_folder(SHARD, f / "x", version=3) / "matrix.mtx.gz",
        lambda f: write_kallisto(SHARD, f / "x") / "cells_x_genes.mtx",
        lambda f: write_alevin(SHARD, f / "x") / "quants_mat.mtx",
        lambda f: write_dense(SHARD, f / "x.csv"),
        lambda f: write_loom(SHARD, f / "x.loom"),
        lambda f: RDS / "sce.rds",
        lambda f: RDS / "sce_dense.rds",  # in ASCII
    ],
)
def test_no_two_readers_but_that_of_any_text_recognize_a_file(
    tmp_path: Path, write: Callable[..., Any]
) -> None:
    with opened_content(write(tmp_path)) as content:
        recognized = [reader.recognizes(content) for reader in formats.READERS]
    assert sum(recognized[:-1]) <= 1
    assert any(recognized)
    assert recognized[-1] == content.is_text


def test_suffixes_of_formats_and_gzip_are_dropped_from_names() -> None:
    names = ("a.h5", "a.h5ad", "a.mtx.gz", "a.CSV.gz", "a.tsv", "a.txt", "a", "a.loom", "a.RDS")
    assert {formats.without_suffixes(name) for name in (*names, "a.zarr.zip")} == {"a"}
    assert formats.without_suffixes("a.pickle") == "a.pickle"
