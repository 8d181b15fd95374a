"""The files of a sample, and the record of what they held."""

from pathlib import Path

import anndata
import pytest

from lammscope.core.shards import InputRecord, Shard, read_record, write_shard
from lammscope.ingest.inputs import cells_digest, input_files, record_input
from tests.matrices import small_shard, write_folder, write_kallisto, write_tenx_v3

SHARD = small_shard()


def names(paths):
    return [path.name for path in paths]


def test_all_files_of_a_matrix_are_listed_and_no_others(tmp_path):
    (tmp_path / "outs").mkdir()
    h5 = write_tenx_v3(SHARD, tmp_path / "outs" / "filtered.h5")
    (tmp_path / "outs" / "possorted.bam").write_bytes(b"x" * 1000)
    assert input_files(h5) == input_files(tmp_path / "outs") == [h5]
    mtx = write_folder(SHARD, tmp_path / "mtx", version=3)
    (mtx / "notes.txt").write_text("x")
    wanted = ["matrix.mtx.gz", "barcodes.tsv.gz", "features.tsv.gz"]
    assert names(input_files(mtx)) == names(input_files(mtx / wanted[0])) == wanted
    kallisto = tmp_path / "k"
    write_kallisto(SHARD, kallisto)
    assert len(input_files(kallisto)) >= 3
    (tmp_path / "list.txt").write_text("A\n")
    listed = str(tmp_path / "list.txt")
    assert input_files(h5, barcodes=listed) == input_files(h5, barcodes=[listed])
    assert names(input_files(h5, barcodes=listed)) == ["filtered.h5", "list.txt"]


def test_what_cannot_be_read_stands_for_itself(tmp_path):
    (tmp_path / "store" / "X").mkdir(parents=True)
    (tmp_path / "store" / "X" / "0").write_text("1")
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    assert names(input_files(tmp_path / "store")) == ["0"]
    assert names(input_files(tmp_path / "x.png")) == ["x.png"]
    assert names(input_files(tmp_path / "none.h5")) == ["none.h5"]


def test_a_digest_of_cells_depends_on_barcodes_and_totals_alone():
    reverse = Shard(SHARD.counts[::-1], SHARD.barcodes[::-1], SHARD.genes)
    assert cells_digest(reverse) == cells_digest(SHARD)
    more = SHARD.counts.copy()
    more.data[0] += 1
    renamed = Shard(SHARD.counts, SHARD.barcodes[::-1], SHARD.genes)
    for other in (Shard(more, SHARD.barcodes, SHARD.genes), renamed):
        assert cells_digest(other) != cells_digest(SHARD)
    assert cells_digest(Shard(SHARD.counts[:0], SHARD.barcodes[:0], SHARD.genes)) == ""


@pytest.mark.parametrize("compared", ["size", "checksum"])
def test_the_record_is_kept_in_the_count_file_and_anndata_reads_it(tmp_path, compared):
    h5 = write_tenx_v3(SHARD, tmp_path / "x.h5")
    record = record_input(h5, shard=SHARD, compared=compared)
    write_shard(SHARD, tmp_path / "s.h5ad", record=record)
    assert read_record(tmp_path / "s.h5ad") == record
    assert record.size == h5.stat().st_size
    assert record.state == (f"{record.size} bytes" if compared == "size" else record.checksum)
    data = anndata.read_h5ad(tmp_path / "s.h5ad")
    assert record.checksum in data.uns["lammscope_input"]


def test_a_count_file_without_a_record_has_none(tmp_path):
    write_shard(SHARD, tmp_path / "s.h5ad")
    (tmp_path / "t.h5ad").write_text("x")
    for name in ("s.h5ad", "t.h5ad", "u.h5ad"):
        assert read_record(tmp_path / name) is None


def test_a_changed_byte_changes_the_checksum_and_not_the_size(tmp_path):
    path = Path(write_tenx_v3(SHARD, tmp_path / "x.h5"))
    before = record_input(path, shard=SHARD, compared="checksum")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    after = record_input(path, shard=SHARD, compared="checksum")
    assert (after.size, after.cells) == (before.size, before.cells)
    assert after.checksum != before.checksum
    assert isinstance(after, InputRecord)
