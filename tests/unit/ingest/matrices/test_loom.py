"""Loom files of each tool are read by the rules of AnnData files."""

import logging
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, read_matrix
from lammscope.new_cohort import sample_names
from tests.matrices import find_matrices, mouse_symbols, small_shard, write_loom, write_tenx_v3

SHARD = small_shard(200, 60, seed=5)
COUNTS = SHARD.counts.toarray()
IDS, SYMBOLS = SHARD.genes["gene"], SHARD.genes["symbol"]
ONE = (COUNTS > 0).astype(int)

FORMS: dict[str, dict[str, Any]] = {
    "velocyto": {},
    "scanpy": {"cells": "obs_names", "genes": {"var_names": SYMBOLS, "gene_ids": IDS}},
    "Optimus": {"cells": "cell_names", "genes": {"ensembl_ids": IDS, "gene_names": SYMBOLS}},
    "ids last": {"genes": {"Gene": SYMBOLS, "Chromosome": ["1"] * 60, "Accession": IDS}},
    "as floats": {"data": COUNTS.T.astype(np.float32)},
    "in chunks": {"chunks": (16, 16), "compression": "gzip"},
}


def same(read: Shard) -> None:
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.counts.dtype == np.int32
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == IDS.tolist()
    assert read.genes["symbol"].tolist() == SYMBOLS.tolist()


@pytest.mark.parametrize("name", FORMS)
def test_files_of_each_tool_are_read(tmp_path: Path, name: str) -> None:
    path = write_loom(SHARD, tmp_path / "x.loom", **FORMS[name])
    assert inspect_matrix(path) == "loom"
    assert describe_matrix(path) == "layer `matrix` (60 genes)"
    same(read_matrix(path))


def test_the_sum_of_velocyto_is_read_and_not_its_parts(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    parts = {"spliced": COUNTS - ONE, "unspliced": ONE, "ambiguous": ONE * 0}
    path = write_loom(SHARD, tmp_path / "x.loom", layers=parts)
    same(read_matrix(path))
    assert "read layer `matrix` (60 genes); left out: layer `ambiguous` (a part of" in caplog.text
    read = read_matrix(path, layer="spliced")
    assert (read.counts.toarray() == COUNTS - ONE).all()


def test_spliced_and_ambiguous_are_summed_if_the_matrix_is_a_part(tmp_path: Path) -> None:
    parts = {"spliced": COUNTS - ONE, "unspliced": ONE * 3, "ambiguous": ONE}
    spliced = Shard(type(SHARD.counts)(COUNTS - ONE), SHARD.barcodes, SHARD.genes)
    same(read_matrix(write_loom(spliced, tmp_path / "x.loom", layers=parts)))


def test_counts_in_a_layer_are_read_if_the_matrix_is_normalized(tmp_path: Path) -> None:
    data = np.log1p(COUNTS.T)
    path = write_loom(SHARD, tmp_path / "x.loom", layers={"counts": COUNTS}, data=data)
    assert describe_matrix(path).startswith("layer `counts` (60 genes); left out: layer `matrix`")
    same(read_matrix(path))


def test_files_are_found(tmp_path: Path) -> None:
    path = write_loom(SHARD, tmp_path / "P1.loom")
    (tmp_path / "cut.loom").write_bytes(path.read_bytes()[:3000])
    write_tenx_v3(SHARD, tmp_path / "B.h5")
    found = find_matrices(tmp_path)
    assert sample_names(found, tmp_path) == ["B", "P1", "cut"]


def change(path: Path, name: str, data: Any = None) -> Any:
    with h5py.File(path, "r+") as file:
        del file[name]
        if data is not None:
            file[name] = data


BAD: dict[str, tuple[Any, str]] = {
    "no matrix": (lambda p: change(p, "matrix"), "lacks the dataset matrix: the file is damaged"),
    "no cells": (lambda p: change(p, "col_attrs/CellID"), "col_attrs has no names (it has total)"),
    "no genes": (
        lambda p: [change(p, f"row_attrs/{name}") for name in ("Gene", "Accession")],
        "row_attrs has no names (it has none); save them there as var_names or Gene",
    ),
    "logarithms": (lambda p: change(p, "matrix", np.log1p(COUNTS.T)), "no integer counts in"),
    "a smaller layer": (
        lambda p: change(p, "layers/counts", COUNTS[:5]),
        "the layer counts is not as large as the matrix",
    ),
    "fewer cells": (
        lambda p: change(p, "col_attrs/CellID", np.array([b"A", b"B"])),
        "200 x 60 counts, but 2 barcodes",
    ),
    "another species": (
        lambda p: [
            change(p, "row_attrs/Accession", [f"ENSMUSG{i:011d}" for i in range(60)]),
            change(p, "row_attrs/Gene", mouse_symbols(60)),
        ],
        "genes are those of mouse (e.g. ENSMUSG00000000000",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_one_line(tmp_path: Path, name: str) -> None:
    damage, words = BAD[name]
    path = write_loom(SHARD, tmp_path / "x.loom", layers={"counts": COUNTS})
    if name == "logarithms":
        change(path, "layers/counts", np.log1p(COUNTS.T))
    damage(path)
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
