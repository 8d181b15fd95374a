"""Files between steps: complete or absent, and never matched to the wrong cells."""

import hashlib
import re
from pathlib import Path
from unittest.mock import Mock

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from lammscope.core.indexed import CellIndex, read_table, write_table
from lammscope.core.runtime import whole_file
from lammscope.core.shards import read_shard, write_shard
from tests.matrices import small_shard
from tests.unit.example_indexes import make_index


def test_a_shard_comes_back_as_it_was_and_opens_in_anndata(tmp_path: Path) -> None:
    shard = small_shard()
    write_shard(shard, tmp_path / "s.h5ad")
    read = read_shard(tmp_path / "s.h5ad")
    assert (read.counts != shard.counts).nnz == 0
    assert read.genes.equals(shard.genes)
    assert read.barcodes.tolist() == shard.barcodes.tolist()
    opened = anndata.read_h5ad(tmp_path / "s.h5ad")
    assert opened.obs_names.tolist() == shard.barcodes.tolist()
    assert opened.var_names.tolist() == shard.genes["gene"].tolist()
    assert (opened.X.toarray() == shard.counts.toarray()).all()


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path: Path) -> None:
    path = tmp_path / "table.tsv.gz"
    write_table(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()

    def fail() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["table.tsv.gz"]


def test_tables_are_written_the_same_way_each_time(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    for name in ("t.tsv", "t.tsv.gz", "t.parquet"):
        write_table(frame, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write_table(frame, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
        assert read_table(tmp_path / name).equals(frame)


def test_the_checksum_is_that_of_the_names_in_their_order(tmp_path: Path) -> None:
    index = make_index(tmp_path, cells=["s_a", "s_b"])
    assert index.checksum == hashlib.sha256(b"s_a\ns_b").hexdigest()[:16]
    assert make_index(tmp_path, cells=["s_b", "s_a"]).checksum != index.checksum


def test_the_checksum_is_read_without_the_table_which_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_index(tmp_path).path
    read = Mock(wraps=pq.read_table)
    monkeypatch.setattr(pq, "read_table", read)
    index = CellIndex(path)
    assert index.checksum
    read.assert_not_called()
    assert index.cells["cell"].tolist() == ["a_1", "b_1", "c_1"]
    assert index.cells is index.cells
    read.assert_called_once()


def test_a_table_without_a_checksum_is_not_a_cell_index(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"cell": ["s_a"]}), tmp_path / "cells.parquet")
    with pytest.raises(ValueError, match="is not a cell index"):
        CellIndex(tmp_path / "cells.parquet")


def test_files_of_another_cell_index_are_refused(tmp_path: Path) -> None:
    index, other = (make_index(tmp_path, cells=names) for names in (["s_a", "s_b"], ["s_a"]))
    shard = small_shard()
    index.write_arrays(tmp_path / "a.npz", x=np.arange(2))
    index.write_counts(tmp_path / "c.npz", shard.counts, genes=shard.genes)
    index.write_table(index.cells.assign(x=[1, 2]), tmp_path / "t.parquet")
    write_table(index.cells, tmp_path / "plain.parquet")
    assert index.read_arrays(tmp_path / "a.npz")["x"].tolist() == [0, 1]
    assert index.read_table(tmp_path / "t.parquet", columns=["x"])["x"].tolist() == [1, 2]
    for read, name in (
        (other.read_arrays, "a.npz"),
        (other.read_counts, "c.npz"),
        (other.read_table, "t.parquet"),
    ):
        message = (
            f"{tmp_path / name} was made for another set of cells "
            f"({index.checksum} instead of {other.checksum}): delete it and run again"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            read(tmp_path / name)
    with pytest.raises(ValueError, match="another set of cells"):
        index.read_table(tmp_path / "plain.parquet")


def test_counts_come_back_with_their_genes(tmp_path: Path) -> None:
    shard, index = small_shard(), make_index(tmp_path)
    present = np.ones(60, dtype=bool)
    index.write_counts(tmp_path / "c.npz", shard.counts, genes=shard.genes, present=present)
    counts, genes, more = index.read_counts(tmp_path / "c.npz")
    assert (counts != shard.counts).nnz == 0
    assert genes["symbol"].tolist() == shard.genes["symbol"].tolist()
    assert more["present"].all()


def test_an_index_of_some_samples_reads_their_rows_alone(tmp_path: Path) -> None:
    whole = make_index(tmp_path, cells=["a_1", "b_1", "c_1"])
    whole.write_table(whole.cells.assign(x=[1, 2, 3]), tmp_path / "t.parquet")
    part = CellIndex(whole.path, samples=["b", "c"])
    assert part.checksum == whole.checksum
    assert part.cells["cell"].tolist() == ["b_1", "c_1"]
    assert part.read_table(tmp_path / "t.parquet")["x"].tolist() == [2, 3]
    assert part.read_table(tmp_path / "t.parquet", columns=["x"])["x"].tolist() == [2, 3]
