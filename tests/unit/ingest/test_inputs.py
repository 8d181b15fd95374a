"""The files of a sample, and the record of what they held."""

import warnings
from pathlib import Path
from typing import Any

import anndata
import pytest

from lammscope.core.shards import InputRecord, Shard, read_record, write_shard
from lammscope.ingest.inputs import cells_digest, count_files, input_files, record_input
from tests.matrices import small_shard, write_folder, write_h5ad, write_kallisto, write_tenx_v3

SHARD = small_shard()


def names(paths: Any) -> Any:
    return [path.name for path in paths]


def test_all_files_of_a_matrix_are_listed_and_no_others(tmp_path: Path) -> None:
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


def test_files_of_a_zarr_store_are_all_below_it(tmp_path: Path) -> None:
    path = tmp_path / "x.zarr"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        anndata.read_h5ad(write_h5ad(SHARD, tmp_path / "x.h5ad")).write_zarr(path)
    wanted = sorted(file for file in path.rglob("*") if file.is_file())
    assert input_files(path) == count_files(path) == wanted
    assert len(wanted) > 10
    before = record_input(path, shard=SHARD, compared="size")
    with max(wanted, key=lambda file: file.stat().st_size).open("ab") as handle:
        handle.write(b"1")
    assert record_input(path, shard=SHARD, compared="size").size == before.size + 1


def test_files_of_a_genome_and_of_small_ones_are_listed(tmp_path: Path) -> None:
    for genome, n_genes in {"GRCh38": 60, "mm10": 50, "virus": 2}.items():
        part = Shard(SHARD.counts[:, :n_genes], SHARD.barcodes, SHARD.genes[:n_genes])
        write_folder(part, tmp_path / "raw_gene_bc_matrices" / genome, version=2)
    files = input_files(tmp_path, genome="mm10")
    assert [path.parent.name for path in files] == ["mm10"] * 3 + ["virus"] * 3
    assert names(count_files(tmp_path, genome="mm10")) == ["matrix.mtx"] * 2
    folder = tmp_path / "raw_gene_bc_matrices"
    assert len(input_files(tmp_path)) == len(list(folder.rglob("*.*")))  # no genome is chosen
    record = record_input(tmp_path, genome="mm10", shard=SHARD, compared="size")
    assert record.size == sum(path.stat().st_size for path in files)


def test_files_of_all_molecules_that_are_summed_are_listed(tmp_path: Path) -> None:
    folder = tmp_path / "counts"
    write_kallisto(SHARD, folder)
    whole = folder / "cells_x_genes.mtx"
    for kind in ("mature", "nascent", "ambiguous"):
        (folder / f"cells_x_genes.{kind}.mtx").write_bytes(whole.read_bytes())
    whole.unlink()

    def kinds(**options: str) -> list[str]:
        return [name for name in names(input_files(folder, **options)) if name.endswith(".mtx")]

    assert kinds() == ["cells_x_genes.mature.mtx", "cells_x_genes.ambiguous.mtx"]
    assert kinds(layer="nascent") == ["cells_x_genes.nascent.mtx"]
    both = input_files(folder, layer="mature+nascent")
    assert len(both) == len(set(both)) == len(input_files(folder, layer="nascent")) + 1
    assert kinds(layer="none_such") == ["cells_x_genes.mature.mtx"]


def test_what_cannot_be_read_stands_for_itself(tmp_path: Path) -> None:
    (tmp_path / "store" / "X").mkdir(parents=True)
    (tmp_path / "store" / "X" / "0").write_text("1")
    (tmp_path / "x.png").write_bytes(b"\x89PNG")
    assert names(input_files(tmp_path / "store")) == ["0"]
    assert names(input_files(tmp_path / "x.png")) == ["x.png"]
    assert names(input_files(tmp_path / "none.h5")) == ["none.h5"]


def test_a_digest_of_cells_depends_on_barcodes_and_totals_alone() -> None:
    reverse = Shard(SHARD.counts[::-1], SHARD.barcodes[::-1], SHARD.genes)
    assert cells_digest(reverse) == cells_digest(SHARD)
    more = SHARD.counts.copy()
    more.data[0] += 1
    renamed = Shard(SHARD.counts, SHARD.barcodes[::-1], SHARD.genes)
    for other in (Shard(more, SHARD.barcodes, SHARD.genes), renamed):
        assert cells_digest(other) != cells_digest(SHARD)
    assert cells_digest(Shard(SHARD.counts[:0], SHARD.barcodes[:0], SHARD.genes)) == ""


@pytest.mark.parametrize("compared", ["size", "checksum"])
def test_the_record_is_kept_in_the_count_file_and_anndata_reads_it(
    tmp_path: Path, compared: Any
) -> None:
    h5 = write_tenx_v3(SHARD, tmp_path / "x.h5")
    record = record_input(h5, shard=SHARD, compared=compared)
    write_shard(SHARD, tmp_path / "s.h5ad", record=record)
    assert read_record(tmp_path / "s.h5ad") == record
    assert record.size == h5.stat().st_size
    assert record.state == (f"{record.size} bytes" if compared == "size" else record.checksum)
    data = anndata.read_h5ad(tmp_path / "s.h5ad")
    assert record.checksum in data.uns["lammscope_input"]


def test_a_count_file_without_a_record_has_none(tmp_path: Path) -> None:
    write_shard(SHARD, tmp_path / "s.h5ad")
    assert read_record(tmp_path / "s.h5ad") is None


def test_a_damaged_record_of_a_count_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.h5ad"
    write_shard(SHARD, path, record=InputRecord("size", 77, "", ""))
    path.write_bytes(path.read_bytes().replace(b'"size": 77', b'"size": 76'))
    (tmp_path / "t.h5ad").write_text("x")
    for name in ("s.h5ad", "t.h5ad"):
        with pytest.raises(ValueError, match=f"{name} is damaged .*: delete it and run again"):
            read_record(tmp_path / name)
    with pytest.raises(ValueError, match=r"u.h5ad is missing: run again"):
        read_record(tmp_path / "u.h5ad")


def test_a_changed_byte_changes_the_checksum_and_not_the_size(tmp_path: Path) -> None:
    path = Path(write_tenx_v3(SHARD, tmp_path / "x.h5"))
    before = record_input(path, shard=SHARD, compared="checksum")
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    after = record_input(path, shard=SHARD, compared="checksum")
    assert (after.size, after.cells) == (before.size, before.cells)
    assert after.checksum != before.checksum
    assert isinstance(after, InputRecord)
