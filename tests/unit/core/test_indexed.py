"""Files between steps: whole or absent, and never taken for other cells."""

import logging
import os

import anndata
import numpy as np
import pandas as pd
import pytest

from lammscope.core.indexed import (
    index_checksum,
    read_arrays,
    read_cells,
    read_counts,
    read_table,
    write_arrays,
    write_counts,
    write_table,
)
from lammscope.core.runtime import job_log, whole_file
from lammscope.core.shards import read_shard, write_shard
from tests.matrices import small_shard


def test_a_shard_comes_back_as_it_was_and_opens_in_anndata(tmp_path):
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


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "table.tsv.gz"
    write_table(pd.DataFrame({"a": [1]}), path)
    before = path.read_bytes()

    def fail():
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["table.tsv.gz"]


def test_tables_are_written_the_same_way_each_time(tmp_path):
    frame = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "y"]})
    for name in ("t.tsv", "t.tsv.gz", "t.parquet"):
        write_table(frame, tmp_path / name)
        first = (tmp_path / name).read_bytes()
        write_table(frame, tmp_path / name)
        assert (tmp_path / name).read_bytes() == first
        assert read_table(tmp_path / name).equals(frame)


def test_sidecars_of_another_cell_index_are_refused(tmp_path):
    cells = pd.DataFrame({"cell": ["s_a", "s_b"], "sample": ["s", "s"]})
    index = index_checksum(cells["cell"])
    write_table(cells, tmp_path / "cells.parquet", index=index)
    assert read_cells(tmp_path / "cells.parquet")[1] == index
    write_arrays(tmp_path / "a.npz", index=index, x=np.arange(2))
    assert read_arrays(tmp_path / "a.npz", index=index)["x"].tolist() == [0, 1]
    with pytest.raises(ValueError, match="another set of cells"):
        read_arrays(tmp_path / "a.npz", index="other")
    with pytest.raises(ValueError, match="another set of cells"):
        read_table(tmp_path / "cells.parquet", index="other")
    assert index_checksum(cells["cell"][::-1]) != index


def test_counts_come_back_with_their_genes(tmp_path):
    shard = small_shard()
    present = np.ones(60, dtype=bool)
    write_counts(tmp_path / "c.npz", shard.counts, genes=shard.genes, index="i", present=present)
    counts, genes, more = read_counts(tmp_path / "c.npz", index="i")
    assert (counts != shard.counts).nnz == 0
    assert genes["symbol"].tolist() == shard.genes["symbol"].tolist()
    assert more["present"].all()


def test_some_samples_of_the_index_are_read_alone(tmp_path):
    cells = pd.DataFrame({"cell": ["a_1", "b_1", "c_1"], "sample": ["a", "b", "c"]})
    write_table(cells, tmp_path / "cells.parquet", index="whole")
    part, index = read_cells(tmp_path / "cells.parquet", samples=["b", "c"])
    assert part["cell"].tolist() == ["b_1", "c_1"]
    assert index == "whole"


def test_a_mistake_of_the_user_ends_a_job_with_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as ended, job_log(tmp_path / "job.log"):
        raise ValueError("x.h5: not a count matrix")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "lammscope: x.h5: not a count matrix\n"
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_a_fault_of_the_program_names_the_log(tmp_path, capsys):
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        raise ZeroDivisionError("division by zero")
    assert "job.log" in capsys.readouterr().err


def test_libraries_loaded_within_a_job_get_its_threads(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with job_log(tmp_path / "job.log", threads=2):
        assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "2"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_warnings_and_messages_go_to_the_log(tmp_path):
    with job_log(tmp_path / "job.log") as logger:
        logger.info("%d cells", 5)
        logging.getLogger("other").warning("mind this")
    text = (tmp_path / "job.log").read_text()
    assert "5 cells" in text
    assert "mind this" in text
