"""Every supported format gives the same counts; anything else gives one line that helps."""

import gzip
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anndata
import h5py
import numpy as np
import pandas as pd
import pytest
from anndata.utils import make_index_unique
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import inspect_matrix, lacks_symbols, read_matrix
from tests.matrices import (
    find_matrices,
    small_shard,
    write_alevin,
    write_dense,
    write_folder,
    write_h5ad,
    write_kallisto,
    write_lines,
    write_mtx,
    write_tenx_v2,
    write_tenx_v3,
)

SHARD = small_shard()
GENES = SHARD.genes


def inner_mtx(folder: Path, prefix: str) -> Path:
    write_folder(SHARD, folder / "x", version=2, prefix=prefix)
    return folder / "x" / f"{prefix}matrix.mtx"


def starsolo(folder: Path) -> Path:
    for kind in ("filtered", "raw"):
        where = write_folder(SHARD, folder / "Solo.out" / "Gene" / kind, version=2)
        (where / "genes.tsv").rename(where / "features.tsv")
    write_mtx(SHARD.counts.T * 0.5, folder / "Solo.out" / "Gene" / "raw" / "UniqueAndMult-EM.mtx")
    write_folder(SHARD, folder / "Solo.out" / "SJ" / "raw", version=2)
    return folder / "Solo.out"


def transposed(folder: Path) -> Path:
    where = write_folder(SHARD, folder / "x", version=2)
    write_mtx(SHARD.counts, where / "matrix.mtx")
    return where


def described(folder: Path) -> Path:
    """Lists as R writes and users edit them: quotes, Windows line ends, more columns, a mark."""
    where = write_folder(SHARD, folder / "x", version=2)
    rows = GENES[["gene", "symbol"]].values
    text = "".join(f'"{g}"\t"{s}"\tGene Expression\tchr1\t1\t2\r\n' for g, s in rows)
    (where / "genes.tsv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    text = "".join(f'"{barcode}"\tA\t3\r\n' for barcode in SHARD.barcodes)
    (where / "barcodes.tsv").write_bytes(text.encode())
    return where


def categories(folder: Path) -> Path:
    var = {"feature_name": pd.Categorical(GENES["symbol"]), "feature_types": "Gene Expression"}
    return write_h5ad(SHARD, folder / "x.h5ad", var=var)


FORMATS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "h5 v3": (lambda f: write_tenx_v3(SHARD, f / "x.h5"), "10x h5 v3"),
    "h5 v2": (lambda f: write_tenx_v2(SHARD, f / "x.h5"), "10x h5 v2"),
    "folder v2": (lambda f: write_folder(SHARD, f / "x", version=2), "10x folder"),
    "folder v3": (lambda f: write_folder(SHARD, f / "x", version=3), "10x folder"),
    "prefixed": (
        lambda f: write_folder(SHARD, f / "x", version=3, prefix="GSM1_P1_"),
        "10x folder",
    ),
    "prefixed file": (lambda f: inner_mtx(f, "ac01_"), "10x folder"),
    "dotted file": (lambda f: inner_mtx(f, "P1."), "10x folder"),
    "cells x genes": (transposed, "10x folder"),
    "described": (described, "10x folder"),
    "above folders": (
        lambda f: write_folder(SHARD, f / "x/outs/filtered_x/GRCh38", version=2) and f / "x",
        "10x folder",
    ),
    "STARsolo": (starsolo, "10x folder"),
    "kallisto": (lambda f: write_kallisto(SHARD, f / "x"), "kallisto folder"),
    "kallisto prefix": (lambda f: write_kallisto(SHARD, f / "x", stem="output"), "kallisto folder"),
    "h5ad": (lambda f: write_h5ad(SHARD, f / "x.h5ad"), "h5ad"),
    "h5ad symbols": (lambda f: write_h5ad(SHARD, f / "x.h5ad", index="symbol"), "h5ad"),
    "h5ad layer": (lambda f: write_h5ad(SHARD, f / "x.h5ad", where="counts"), "h5ad"),
    "h5ad other layer": (lambda f: write_h5ad(SHARD, f / "x.h5ad", where="umis"), "h5ad"),
    "h5ad raw": (lambda f: write_h5ad(SHARD, f / "x.h5ad", where="raw"), "h5ad"),
    "h5ad by column": (lambda f: write_h5ad(SHARD, f / "x.h5ad", form=sparse.csc_matrix), "h5ad"),
    "h5ad dense": (
        lambda f: write_h5ad(SHARD, f / "x.h5ad", form=lambda counts: counts.toarray()),
        "h5ad",
    ),
    "h5ad categories": (categories, "h5ad"),
    "csv": (lambda f: write_dense(SHARD, f / "x.csv", names=("gene", "symbol")), "dense text"),
    "csv, symbol first": (
        lambda f: write_dense(SHARD, f / "x.csv", names=("symbol", "gene")),
        "dense text",
    ),
}


def same_counts(read: Shard) -> None:
    assert read.counts.shape == SHARD.counts.shape
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.counts.dtype == np.int32
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == GENES["gene"].tolist()


@pytest.mark.parametrize("name", FORMATS)
def test_each_format_gives_the_same_counts_and_genes(tmp_path: Path, name: str) -> None:
    write, kind = FORMATS[name]
    path = write(tmp_path)
    assert inspect_matrix(path) == kind
    read = read_matrix(path)
    same_counts(read)
    assert read.genes["symbol"].tolist() == GENES["symbol"].tolist()


@pytest.mark.parametrize("unspliced", [False, True])
def test_alevin_fry_counts_spliced_and_ambiguous_molecules(tmp_path: Path, unspliced: bool) -> None:
    path = write_alevin(SHARD, tmp_path / "alevin", unspliced=unspliced)
    assert inspect_matrix(path) == "alevin-fry folder"
    same_counts(read_matrix(path))


def test_a_square_matrix_is_turned_by_the_convention_of_its_layout(tmp_path: Path) -> None:
    square = small_shard(30, 30)
    for path in (
        write_folder(square, tmp_path / "x", version=2),
        write_kallisto(square, tmp_path / "k"),
    ):
        assert (read_matrix(path).counts != square.counts).nnz == 0


def test_tables_of_older_anndata_are_read(tmp_path: Path) -> None:
    """Before 0.7 a table was one compound dataset, and raw lay beside the rest."""
    path = write_tenx_v3(SHARD, tmp_path / "x.h5")
    with h5py.File(path, "w") as file:
        table = np.array(
            [(gene.encode(), symbol.encode()) for gene, symbol in GENES[["gene", "symbol"]].values],
            dtype=[("index", "S20"), ("symbol", "S20")],
        )
        file["raw.var"] = file["var"] = table
        file["obs"] = np.array(
            [(name.encode(),) for name in SHARD.barcodes], dtype=[("index", "S20")]
        )
        file["X"] = np.log1p(SHARD.counts.toarray())
        matrix = file.create_group("raw.X")
        matrix.attrs["h5sparse_format"] = "csr"
        matrix.attrs["h5sparse_shape"] = SHARD.counts.shape
        for name in ("data", "indices", "indptr"):
            matrix[name] = getattr(SHARD.counts, name)
    same_counts(read_matrix(path))


def test_version_suffixes_are_dropped_and_repeated_symbols_stay_apart(tmp_path: Path) -> None:
    def ids(genes: pd.Series | list[str]) -> list[str]:
        shard = Shard(SHARD.counts, SHARD.barcodes, GENES.assign(gene=genes))
        return read_matrix(write_tenx_v2(shard, tmp_path / "x.h5")).genes["gene"].tolist()

    assert ids(GENES["gene"] + ".7") == GENES["gene"].tolist()
    assert ids([*GENES["gene"][:-1], "ENSG00000182378.15_PAR_Y"])[-1] == "ENSG00000182378_PAR_Y"
    assert ids(["A", "A", "A-1", "A", *GENES["gene"][4:]])[:4] == ["A", "A-2", "A-1", "A-3"]


def test_one_of_several_genomes_is_read_without_its_prefix(tmp_path: Path) -> None:
    genomes = ["GRCh38"] * 40 + ["mm10"] * 20
    h5 = write_tenx_v3(SHARD, tmp_path / "x.h5", genomes=genomes)
    prefixed = GENES.assign(
        gene=[f"{a}_____{b}" for a, b in zip(genomes, GENES["gene"], strict=True)],
        symbol=[f"{a}_____{b}" for a, b in zip(genomes, GENES["symbol"], strict=True)],
    )
    folder = write_folder(Shard(SHARD.counts, SHARD.barcodes, prefixed), tmp_path / "x", version=3)
    old = tmp_path / "filtered_gene_bc_matrices"
    for genome, part in {"GRCh38": slice(40), "mm10": slice(40, 60)}.items():
        write_folder(
            Shard(SHARD.counts[:, part], SHARD.barcodes, GENES[part]), old / genome, version=2
        )
    for path in (h5, folder, old):
        read = read_matrix(path, genome="mm10")
        assert (read.counts != SHARD.counts[:, 40:]).nnz == 0
        assert read.genes["gene"].tolist() == GENES["gene"][40:].tolist()
        assert read.genes["symbol"].tolist() == GENES["symbol"][40:].tolist()
        for use in (read_matrix, inspect_matrix):
            with pytest.raises(ValueError, match=r"several genomes \(GRCh38, mm10\).*`genome`"):
                use(path)
    with pytest.raises(ValueError, match="not hg19"):
        read_matrix(h5, genome="hg19")
    assert find_matrices(tmp_path) == [old, h5]


def test_a_genome_is_ignored_where_there_is_one(tmp_path: Path) -> None:
    same_counts(read_matrix(write_tenx_v2(SHARD, tmp_path / "x.h5"), genome="hg19"))
    same_counts(read_matrix(write_tenx_v3(SHARD, tmp_path / "y.h5"), genome="hg19"))


def test_a_third_column_that_is_no_feature_type_selects_nothing(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    write_lines((f"{gene}\t{gene}\tprotein_coding" for gene in GENES["gene"]), path / "genes.tsv")
    same_counts(read_matrix(path))


def test_whole_numbers_in_float_and_repeated_entries_are_counts(tmp_path: Path) -> None:
    path = write_tenx_v3(SHARD, tmp_path / "x.h5", data=SHARD.counts.data.astype(np.float64))
    same_counts(read_matrix(path))
    folder = write_folder(SHARD, tmp_path / "x", version=2)
    entries = (folder / "matrix.mtx").read_text().splitlines()
    at = next(i for i, line in enumerate(entries) if not line.startswith("%"))
    entries[at] = f"60 40 {int(entries[at].split()[-1]) + 1}"
    write_lines([*entries, "1 1 5"], folder / "matrix.mtx")
    assert read_matrix(folder).counts[0, 0] == SHARD.counts[0, 0] + 5


@pytest.mark.parametrize("blank", ["\t", "  "])
def test_entries_may_be_separated_by_any_white_space(tmp_path: Path, blank: str) -> None:
    folder = write_folder(SHARD, tmp_path / "x", version=2)
    text = (folder / "matrix.mtx").read_text()
    (folder / "matrix.mtx").write_text(
        text.replace(" ", blank).replace(f"{blank}matrix", " matrix")
    )
    same_counts(read_matrix(folder))


def test_a_matrix_without_entries_has_zeros(tmp_path: Path) -> None:
    folder = write_folder(SHARD, tmp_path / "x", version=2)
    write_lines([HEADER, "60 40 0"], folder / "matrix.mtx")
    assert inspect_matrix(folder) == "10x folder"
    read = read_matrix(folder)
    assert read.counts.shape == (40, 60)
    assert read.counts.nnz == 0


@pytest.mark.parametrize("genes", ["ids", "numbers", "quoted"])
def test_a_list_of_genes_may_have_one_column(tmp_path: Path, genes: str) -> None:
    folder = write_folder(SHARD, tmp_path / "x", version=3)
    names = [str(100 + i) for i in range(60)] if genes == "numbers" else GENES["gene"].tolist()
    quote = '"' if genes == "quoted" else ""
    (folder / "features.tsv.gz").unlink()
    write_lines((f"{quote}{name}{quote}" for name in names), folder / "features.tsv")
    read = read_matrix(folder)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.genes["gene"].tolist() == read.genes["symbol"].tolist() == names


def test_symbols_that_a_spreadsheet_made_dates_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    symbols = ["1-Mar", "SEP-02", "MARCO", *GENES["symbol"][3:]]
    shard = Shard(SHARD.counts, SHARD.barcodes, GENES.assign(symbol=symbols))
    read = read_matrix(write_dense(shard, tmp_path / "x.csv", names=("gene", "symbol")))
    assert (read.counts != SHARD.counts).nnz == 0
    (record,) = caplog.records
    assert "2 gene symbols are dates (e.g. 1-Mar)" in record.getMessage()


def changed(folder: Path, name: str, lines: list[str]) -> None:
    """A 10x folder, one file of which has other lines."""
    write_lines(lines, write_folder(SHARD, folder, version=2) / name)


def cut(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def without(folder: Path, *names: str) -> Any:
    for name in names:
        (folder / name).unlink()


def broken_link(path: Path) -> None:
    path.symlink_to("nowhere")


def hdf5_with(path: Path, *keys: str) -> None:
    with h5py.File(path, "w") as file:
        for key in keys:
            file[key] = np.arange(3)


def foreign_features(path: Path) -> None:
    with h5py.File(write_tenx_v3(SHARD, path), "r+") as file:
        del file["matrix/features/feature_type"]
        kinds = np.array(["Antibody Capture"] * 61, dtype=object)
        file["matrix/features"].create_dataset("feature_type", data=kinds)


def zipped(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x", "y")


def compressed(path: Path, content: bytes) -> None:
    path.write_bytes(gzip.compress(content))


def removed(path: Path, name: str) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]


def replaced(path: Path, name: str, **options: Any) -> None:
    """A 10x h5 in which a dataset is another one."""
    with h5py.File(path, "r+") as file:
        del file[name]
        file.create_dataset(name, **options)


def vast(path: Path) -> None:
    replaced(path, "matrix/data", shape=(10**15,), chunks=(1000,), dtype=np.int32)


def latin(path: Path) -> None:
    replaced(path, "matrix/barcodes", data=np.array([b"\xe4"] * 40))


HEADER = "%%MatrixMarket matrix coordinate integer general"
INDPTR = SHARD.counts.indptr
INDICES = SHARD.counts.indices
DATA = SHARD.counts.data
# by name: how to make it, and what both the look at the start and the reading say
BAD_AT_ONCE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "absent.h5": (lambda p: None, "no such file"),
    "link.h5": (broken_link, "a broken link"),
    "empty.h5": (lambda p: p.touch(), "empty (0 bytes)"),
    "empty.mtx": (lambda p: p.touch(), "empty (0 bytes)"),
    "folder": (lambda p: p.mkdir(), "has no matrix.mtx"),
    "page.h5": (lambda p: p.write_text("\n<!DOCTYPE html>404"), "a web page, not a count matrix"),
    "page.csv.gz": (lambda p: p.write_text("<html>404</html>"), "a web page"),
    "page2.csv.gz": (lambda p: compressed(p, b"<html>404"), "a web page"),
    "text.h5": (lambda p: p.write_text("x"), "not HDF5 and not a count matrix"),
    "truncated.h5": (lambda p: cut(write_tenx_v3(SHARD, p)), "truncated"),
    "truncated.h5ad": (lambda p: cut(write_h5ad(SHARD, p)), "damaged or incomplete"),
    "keras.h5": (lambda p: hdf5_with(p, "model_weights"), "it holds model_weights"),
    "none.h5": (lambda p: hdf5_with(p), "it holds nothing"),
    "molecules.h5": (lambda p: hdf5_with(p, "barcode_idx", "umi", "count"), "lists molecules"),
    "x.loom": (
        lambda p: hdf5_with(p, "matrix", "row_attrs", "col_attrs"),
        "lacks the group col_attrs",
    ),
    "x.h5mu": (lambda p: hdf5_with(p, "mod", "obs", "var"), "a MuData file"),
    "x.h5seurat": (lambda p: hdf5_with(p, "assays"), "a Seurat file"),
    "x.h5.gz": (lambda p: compressed(p, b"\x89HDF\r\n\x1a\n"), "a compressed HDF5 file"),
    "x.rds": (lambda p: compressed(p, b"X\n\x00\x00\x00\x03"), "the R object ends early"),
    "x.RData": (
        lambda p: compressed(p, b"RDX3\nX\n"),
        "save the object with the counts by saveRDS",
    ),
    "x.tar": (lambda p: p.write_bytes(b"a" * 257 + b"ustar"), "a tar archive"),
    "x.tar.gz": (lambda p: compressed(p, b"a" * 257 + b"ustar"), "unpack it"),
    "x.xlsx": (zipped, "save the sheet as .csv"),
    "x.bz2": (lambda p: p.write_bytes(b"BZh9"), "decompress it"),
    "utf16.txt": (lambda p: p.write_bytes("a\tb".encode("utf-16")), "UTF-16"),
    "image.png": (lambda p: p.write_bytes(b"\x89PNG\x00"), "not a count matrix in a known format"),
    "latin.csv": (lambda p: p.write_bytes(b"g,\xe4\nA,1\n"), "is not UTF-8 text"),
    "plain.csv.gz": (lambda p: p.write_bytes(b"g,a\nA,\x01\n"), "is not compressed, nor text"),
    "short.csv.gz": (lambda p: p.write_bytes(gzip.compress(b"g,a\nA,1\n")[:15]), "end early"),
    "mixed.csv.gz": (lambda p: p.write_bytes(b"\x1f\x8b" + b"x" * 40), "corrupt"),
    "genomes.h5": (
        lambda p: write_tenx_v2(SHARD, p, ("hg19", "mm10")),
        "several genomes (hg19, mm10); write one of them into the column `genome`",
    ),
    "no_indices.h5": (lambda p: write_tenx_v3(SHARD, p, indices=None), "dataset matrix/indices"),
    "no_genes.h5": (
        lambda p: removed(write_tenx_v3(SHARD, p), "matrix/features"),
        "lacks the dataset matrix/features/id",
    ),
    "no_barcodes.h5": (
        lambda p: removed(write_tenx_v3(SHARD, p), "matrix/barcodes"),
        "lacks the dataset matrix/barcodes",
    ),
    "old_indptr.h5": (
        lambda p: removed(write_tenx_v2(SHARD, p), "GRCh38/indptr"),
        "lacks the dataset GRCh38/indptr",
    ),
    "codes.h5ad": (
        lambda p: replaced(
            categories(p.parent).rename(p), "var/feature_name/codes", data=[99] * 60
        ),
        "var/feature_name/categories lacks categories that are used",
    ),
    "no_cells.h5": (lambda p: write_tenx_v3(small_shard(0, 5), p), "0 cells"),
    "antibodies.h5": (foreign_features, "holds Antibody Capture only"),
    "lognormal.h5ad": (
        lambda p: write_h5ad(SHARD, p, form=lambda c: sparse.csr_matrix(c * 0.3)),
        "no integer counts in X",
    ),
    "no_matrix.h5ad": (
        lambda p: anndata.AnnData(obs=pd.DataFrame(index=["a"])).write_h5ad(p),
        "holds no matrix",
    ),
    "lone.mtx": (
        lambda p: write_mtx(SHARD.counts, p),
        "no barcodes.tsv, plain or .gz, next to lone",
    ),
    "no_genes": (
        lambda p: without(write_folder(SHARD, p, version=2), "genes.tsv"),
        "no features.tsv (or genes), plain or .gz, next to matrix.mtx",
    ),
    "header": (
        lambda p: changed(p, "matrix.mtx", ["60 40 1", "1 1 1"]),
        "does not start with `%%MatrixMarket matrix coordinate`",
    ),
    "array": (
        lambda p: changed(p, "matrix.mtx", ["%%MatrixMarket matrix array"]),
        "it is not a count matrix",
    ),
    "pattern": (
        lambda p: changed(p, "matrix.mtx", [HEADER.replace("integer", "pattern"), "60 40 0"]),
        "holds pattern values",
    ),
    "symmetric": (
        lambda p: changed(p, "matrix.mtx", [HEADER.replace("general", "symmetric"), "60 40 0"]),
        "matrix.mtx is symmetric, not general",
    ),
    "no_size": (lambda p: changed(p, "matrix.mtx", [HEADER]), "does not state its size"),
    "no_rows": (lambda p: changed(p, "matrix.mtx", [HEADER, "0 40 0"]), "no cells or no genes"),
    "long": (lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 999999", "1 1 1"]), "truncated"),
    "integer": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", "1 1 1.5"]),
        "values are not counts, e.g. 1.5",
    ),
    "no_lines": (lambda p: changed(p, "genes.tsv", []), "genes.tsv is empty"),
    "gz_list": (
        lambda p: (
            without(write_folder(SHARD, p, version=2), "genes.tsv"),
            (p / "features.tsv.gz").write_bytes(b"\x08A\n"),
        ),
        "features.tsv.gz ends in .gz but is not compressed",
    ),
    "several": (
        lambda p: [write_folder(SHARD, p, version=2, prefix=f"P{i}_") for i in range(7)],
        "several matrices (P0_matrix.mtx, P1_matrix.mtx, P2_matrix.mtx, P3_matrix.mtx, "
        "P4_matrix.mtx and 2 more); name one of them",
    ),
    "two_below": (
        lambda p: [write_folder(SHARD, p / name, version=2) for name in "AB"],
        "several matrices (A, B)",
    ),
    "names": (
        lambda p: [
            write_kallisto(SHARD, p),
            write_lines(["A"], p / "cells_x_genes.genes.names.txt"),
        ],
        "has 1 names for 60 genes",
    ),
}
BAD_IN_FULL: dict[str, tuple[Callable[[Path], Any], str]] = {
    "fractions.h5": (
        lambda p: write_tenx_v3(SHARD, p, data=DATA * 0.5),
        "values are not counts, e.g. 0.5 (normalized?)",
    ),
    "negative.h5": (lambda p: write_tenx_v3(SHARD, p, data=-DATA), "not counts, e.g. -"),
    "nan.h5": (lambda p: write_tenx_v3(SHARD, p, data=DATA * np.nan), "not counts, e.g. nan"),
    "inf.h5": (lambda p: write_tenx_v3(SHARD, p, data=DATA * np.inf), "not counts, e.g. inf"),
    "large.h5": (
        lambda p: write_tenx_v3(SHARD, p, data=DATA.astype(np.int64) + 2**31),
        "is too large for a count",
    ),
    "index.h5": (lambda p: write_tenx_v3(SHARD, p, indices=INDICES + 60), "parts of the matrix"),
    "index_below.h5": (lambda p: write_tenx_v3(SHARD, p, indices=INDICES - 9), "do not fit"),
    "unsorted.h5": (lambda p: write_tenx_v3(SHARD, p, indptr=INDPTR[::-1]), "do not fit"),
    "ends_in_zero.h5": (
        lambda p: write_tenx_v3(SHARD, p, indptr=np.append(INDPTR[:-1], 0)),
        "index pointers decrease",
    ),
    "overflows.h5": (
        lambda p: write_tenx_v3(
            SHARD, p, indptr=np.array([0, 2**62, -(2**62), *INDPTR[3:]], dtype=np.int64)
        ),
        "index pointers decrease",
    ),
    "indptr.h5": (lambda p: write_tenx_v3(SHARD, p, indptr=INDPTR[:-3]), "do not fit"),
    "texts.h5": (
        lambda p: write_tenx_v3(SHARD, p, data=DATA.astype("S9")),
        "values that are not numbers",
    ),
    "shape.h5": (
        lambda p: write_tenx_v3(SHARD, p, shape=np.array([70, 40])),
        "40 x 70 counts, but 40 barcodes and 61 features",
    ),
    "twice.h5": (
        lambda p: write_tenx_v3(Shard(SHARD.counts, np.repeat("AAAC-1", 40), GENES), p),
        "barcode AAAC-1 occurs twice",
    ),
    "mixed": (
        lambda p: changed(p, "barcodes.tsv", ["AAAC-1"]),
        "matrix.mtx is 60 x 40, but there are 60 features and 1 barcodes",
    ),
    "short": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 2", "1 1 1"]),
        "matrix.mtx is truncated (1 of 2 entries are there)",
    ),
    "outside": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", "61 1 1"]),
        "matrix.mtx is 60 x 40, but has an entry in row 61, column 1",
    ),
    "below": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", "1 0 1"]),
        "has an entry in row 1, column 0",
    ),
    "more": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", "1 1 1", "1 2 1"]),
        "matrix.mtx is damaged (2 of 1 entries are there)",
    ),
    "four": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", "1 1 1 1"]),
        "has an entry that is not three numbers (4 fields instead of 3)",
    ),
    "two": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 2", "1 1 1", "1 2"]),
        "has an entry that is not three numbers",
    ),
    "late": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 2000", *["1 1 1"] * 1999, "1 2 0.5"]),
        "values are not counts, e.g. 0.5",
    ),
    "sum.h5": (
        lambda p: write_tenx_v3(
            SHARD,
            p,
            data=np.repeat(np.int32(2**31 - 1), 2),
            indices=np.zeros(2, dtype=int),
            indptr=np.array([0, *[2] * 40]),
        ),
        "value 4294967294 is too large for a count",
    ),
    "vast.h5": (
        lambda p: vast(write_tenx_v3(SHARD, p)),
        "/matrix/data has the shape 1000000000000000, for which 0 stored bytes are too few",
    ),
    "latin.h5": (
        lambda p: latin(write_tenx_v3(SHARD, p)),
        "HDF5 cannot read it ('utf-8' codec can't decode",
    ),
    "huge": (
        lambda p: changed(p, "matrix.mtx", [HEADER, "60 40 1", f"1 1 {10**30}"]),
        "too large for a count",
    ),
    "cut_mtx": (
        lambda p: cut(write_folder(SHARD, p, version=3) / "matrix.mtx.gz"),
        "the compressed data end early",
    ),
}


def message_of(use: Callable[..., Any], path: Path, **options: Any) -> str:
    with pytest.raises(ValueError, match=r".") as caught:
        use(path, **options)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("use", [inspect_matrix, read_matrix])
@pytest.mark.parametrize("name", BAD_AT_ONCE)
def test_what_shows_at_the_start_is_one_line_that_names_the_file(
    tmp_path: Path, name: str, use: Callable[..., Any]
) -> None:
    make, message = BAD_AT_ONCE[name]
    make(tmp_path / name)
    assert message in message_of(use, tmp_path / name)


@pytest.mark.parametrize("name", BAD_IN_FULL)
def test_what_shows_in_reading_is_one_line_that_names_the_file(tmp_path: Path, name: str) -> None:
    make, message = BAD_IN_FULL[name]
    make(tmp_path / name)
    assert message in message_of(read_matrix, tmp_path / name)


@pytest.mark.parametrize("part", ["x", "matrix.mtx", "genes.tsv"])
def test_a_file_without_permission_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    opened = type(path).open
    listed = type(path).iterdir

    def refuse(self: Path, *arguments: Any, **options: Any) -> Any:
        if self.name == part:
            raise PermissionError(13, "Permission denied", str(self))
        return (listed if self.is_dir() else opened)(self, *arguments, **options)

    monkeypatch.setattr(type(path), "iterdir", refuse)
    monkeypatch.setattr(type(path), "open", refuse)
    text = message_of(inspect_matrix, path)
    assert "no permission to read" in text
    assert part in text


def refusal(use: Callable[..., Any], path: Path) -> str:
    try:
        use(path)
    except ValueError as error:
        return str(error)
    return ""


def raw_numbers(path: Path) -> list[int]:
    """Where the numbers of an HDF5 file lie; damage elsewhere can end libhdf5 2.0 itself."""
    places: list[int] = []

    def note(name: str, item: Any) -> None:
        if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "iuf":
            return
        if item.chunks:
            chunks = map(item.id.get_chunk_info, range(item.id.get_num_chunks()))
            pieces = [(chunk.byte_offset, chunk.size) for chunk in chunks]
        else:
            pieces = [(item.id.get_offset(), item.id.get_storage_size())]
        for start, size in pieces:
            if start is not None:
                places.extend(range(start, start + size))

    with h5py.File(path) as file:
        file.visititems(note)
    return places


@pytest.fixture(scope="module")
def whole_files(
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, tuple[Path, Path, list[int] | None]]:
    """By name: what is read, the file of it to damage, and where bytes may be overwritten."""
    folder = tmp_path_factory.mktemp("whole")
    shard = small_shard(6, 8)
    alone = [
        write_tenx_v3(shard, folder / "v3.h5"),
        write_tenx_v3(shard, folder / "genomes.h5", genomes=["hg19"] * 5 + ["mm10"] * 3),
        write_tenx_v2(shard, folder / "v2.h5"),
        write_h5ad(shard, folder / "X.h5ad"),
        write_h5ad(shard, folder / "raw.h5ad", where="raw", index="symbol"),
        write_h5ad(shard, folder / "csc.h5ad", form=sparse.csc_matrix),
        write_h5ad(
            shard,
            folder / "categories.h5ad",
            var={"symbol": pd.Categorical(shard.genes["symbol"])},
        ),
        write_dense(shard, folder / "x.csv"),
        write_dense(shard, folder / "x.tsv.gz", separator="\t"),
        write_dense(shard, folder / "x.txt", separator=" ", quote='"', r_header=True),
        write_dense(shard, folder / "names.csv", names=("gene", "symbol")),
        write_dense(shard, folder / "cells.csv", genes_in_rows=False),
    ]
    folders = [
        write_folder(shard, folder / "2", version=2),
        write_folder(shard, folder / "3", version=3),
        write_kallisto(shard, folder / "k"),
        write_alevin(shard, folder / "a", unspliced=True),
    ]
    found = [(path, path) for path in alone]
    found += [(path, part) for path in folders for part in sorted(path.iterdir())]
    return {
        str(part.relative_to(folder)): (
            path,
            part,
            raw_numbers(part) if part.suffix in (".h5", ".h5ad") else None,
        )
        for path, part in found
    }


WHOLE = [
    *("v3.h5", "genomes.h5", "v2.h5", "X.h5ad", "raw.h5ad", "csc.h5ad"),
    "categories.h5ad",
    *("x.csv", "x.tsv.gz", "x.txt", "names.csv", "cells.csv"),
    *("2/matrix.mtx", "2/genes.tsv", "2/barcodes.tsv"),
    *("3/matrix.mtx.gz", "3/features.tsv.gz", "3/barcodes.tsv.gz"),
    *("k/cells_x_genes.mtx", "k/cells_x_genes.barcodes.txt"),
    *("k/cells_x_genes.genes.txt", "k/cells_x_genes.genes.names.txt"),
    *("a/quants_mat.mtx", "a/quants_mat_cols.txt", "a/quants_mat_rows.txt"),
]


def test_all_parts_of_all_formats_are_damaged(
    whole_files: dict[str, tuple[Path, Path, list[int] | None]],
) -> None:
    assert sorted(whole_files) == sorted(WHOLE)


# the same damage each time: at some rare places HDF5 itself ends the process
@pytest.mark.parametrize("name", WHOLE)
@settings(max_examples=60, derandomize=True)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused_in_one_line(
    whole_files: dict[str, tuple[Path, Path, list[int] | None]], name: str, data: Any
) -> None:
    path, part, places = whole_files[name]
    whole = part.read_bytes()
    content = bytearray(whole)
    if data.draw(st.booleans(), label="truncate"):
        del content[data.draw(st.integers(0, len(content) - 1), label="length") :]
    else:
        place = st.integers(0, len(content) - 1) if places is None else st.sampled_from(places)
        for at, value in data.draw(
            st.lists(st.tuples(place, st.integers(0, 255)), min_size=1, max_size=8), label="bytes"
        ):
            content[at] = value
    part.write_bytes(content)
    try:
        for use in (inspect_matrix, read_matrix):
            text = refusal(use, path) or f"{path}: "
            assert text.startswith(f"{path}: ")
            assert len(text.splitlines()) == 1
    finally:
        part.write_bytes(whole)


def test_each_library_below_a_folder_is_found_once(tmp_path: Path) -> None:
    outs = tmp_path / "A" / "outs"
    for kind in ("filtered", "raw"):
        write_folder(SHARD, outs / f"{kind}_feature_bc_matrix", version=3)
        write_tenx_v3(SHARD, outs / f"{kind}_feature_bc_matrix.h5")
        write_folder(SHARD, tmp_path / "B" / f"{kind}_feature_bc_matrix", version=3)
    hdf5_with(outs / "molecule_info.h5", "barcode_idx", "umi")
    (outs / "cloupe.cloupe").write_text("x")
    write_lines(
        ["Barcode,Cluster", *(f"{name},1" for name in SHARD.barcodes)], outs / "clusters.csv"
    )
    write_lines(
        ["Estimated Number of Cells,Reads", '"1,234","5,678"'], outs / "metrics_summary.csv"
    )
    write_tenx_v3(SHARD, tmp_path / "C_raw_feature_bc_matrix.h5")
    starsolo(tmp_path / "D")
    write_kallisto(SHARD, tmp_path / "E" / "counts_unfiltered")
    for prefix in ("GSM1_P1_", "GSM2_P2_"):
        write_folder(SHARD, tmp_path / "F", version=3, prefix=prefix)
    (tmp_path / "G").mkdir()
    write_dense(SHARD, tmp_path / "G" / "x.csv.gz")
    write_h5ad(SHARD, tmp_path / "G" / "y.h5ad")
    write_folder(SHARD, tmp_path / ".hidden", version=3)
    for sample in ("S1", "S2"):
        counts = tmp_path / "H" / "outs" / "per_sample_outs" / sample / "count"
        counts.mkdir(parents=True)
        write_tenx_v3(SHARD, counts / "sample_filtered_feature_bc_matrix.h5")
    pooled = tmp_path / "H" / "outs" / "multi" / "count"
    write_folder(SHARD, pooled / "raw_feature_bc_matrix", version=3)
    os.symlink(tmp_path, tmp_path / "E" / "loop")
    found = find_matrices(tmp_path)
    assert [str(path.relative_to(tmp_path)) for path in found] == [
        "A/outs/filtered_feature_bc_matrix.h5",
        "B/filtered_feature_bc_matrix",
        "C_raw_feature_bc_matrix.h5",
        "D/Solo.out/Gene/filtered",
        "E/counts_unfiltered",
        "F/GSM1_P1_matrix.mtx.gz",
        "F/GSM2_P2_matrix.mtx.gz",
        "G/x.csv.gz",
        "G/y.h5ad",
        "H/outs/per_sample_outs/S1/count/sample_filtered_feature_bc_matrix.h5",
        "H/outs/per_sample_outs/S2/count/sample_filtered_feature_bc_matrix.h5",
    ]
    for path in found:
        same_counts(read_matrix(path))
    same_counts(read_matrix(outs))


def test_a_damaged_matrix_is_found_so_that_it_is_not_lost(tmp_path: Path) -> None:
    cut(write_tenx_v3(SHARD, tmp_path / "x.h5"))
    without(write_folder(SHARD, tmp_path / "y", version=2), "barcodes.tsv")
    assert find_matrices(tmp_path) == [tmp_path / "x.h5", tmp_path / "y"]
    assert "cannot be read" in message_of(find_matrices, tmp_path / "z")


def test_readers_import_no_anndata(tmp_path: Path) -> None:
    path = write_h5ad(SHARD, tmp_path / "x.h5ad")
    code = (
        "import sys; from lammscope.ingest.matrices.read import read_matrix; "
        f"read_matrix({str(path)!r}); print('anndata' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def equals_scanpy(read: Shard, data: anndata.AnnData) -> None:
    assert (read.counts != sparse.csr_array(data.X)).nnz == 0
    assert read.barcodes.tolist() == data.obs_names.tolist()
    assert read.genes["symbol"].tolist() == data.var_names.tolist()
    unique = make_index_unique(pd.Index(data.var["gene_ids"].astype(str)))
    assert read.genes["gene"].tolist() == unique.tolist()


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_public_10x_files_are_read_as_scanpy_reads_them(real_data: Callable[[str], Path]) -> None:
    import scanpy

    formats, soupx = real_data("tenx_formats"), real_data("soupx_raw_filtered")
    for path in (
        formats / "3.0.0" / "filtered_feature_bc_matrix.h5",
        formats / "1.2.0" / "filtered_gene_bc_matrices_h5.h5",
    ):
        equals_scanpy(read_matrix(path), scanpy.read_10x_h5(path))
    for genome in ("hg19_chr21", "another_genome"):
        path = formats / "1.2.0" / "multiple_genomes.h5"
        equals_scanpy(read_matrix(path, genome=genome), scanpy.read_10x_h5(path, genome=genome))
    for path in (
        formats / "3.0.0" / "filtered_feature_bc_matrix",
        formats / "1.2.0" / "filtered_gene_bc_matrices" / "hg19_chr21",
        soupx / "filtered_gene_bc_matrices" / "GRCh38",
        soupx / "raw_gene_bc_matrices" / "GRCh38",
    ):
        data = scanpy.read_10x_mtx(path, make_unique=False)
        equals_scanpy(read_matrix(path), data)
        equals_scanpy(read_matrix(path.parent), data)
    data = scanpy.read_10x_mtx(formats / "int-ids", make_unique=False, compressed=False)
    equals_scanpy(read_matrix(formats / "int-ids"), data)
    assert [str(path.relative_to(formats)) for path in find_matrices(formats)] == [
        "1.2.0/filtered_gene_bc_matrices_h5.h5",  # the folder beside it is the same library
        "1.2.0/multiple_genomes.h5",
        "3.0.0/filtered_feature_bc_matrix.h5",
        "int-ids",
    ]
    for path in find_matrices(formats):
        assert inspect_matrix(path, genome="hg19_chr21").startswith("10x ")
    assert len(find_matrices(soupx)) == 1


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:Variable names are not unique")
def test_public_libraries_and_h5ad_files_are_read_as_scanpy_reads_them(
    real_data: Callable[[str], Path],
) -> None:
    import scanpy

    path = real_data("carpall") / "CAR-T10310320.filtered_feature_bc_matrix.h5"
    read = read_matrix(path)
    equals_scanpy(read, scanpy.read_10x_h5(path))
    assert read.genes["gene"].iloc[-1] == "CAT_scFv"
    assert len(find_matrices(path.parent)) == 25
    for name in ("pbmc_facs/pbmc_facs.h5ad", "kang_ifnb/kang_ifnb_2000.h5ad"):
        folder, file = name.split("/")
        path = real_data(folder) / file
        data = anndata.read_h5ad(path)
        read = read_matrix(path)
        assert (read.counts != sparse.csr_array(data.X)).nnz == 0
        assert read.barcodes.tolist() == data.obs_names.tolist()
        symbols = data.var.get("symbol", data.var_names)
        assert read.genes["symbol"].tolist() == list(symbols)


def as_zarr(shard: Shard, folder: Path) -> Path:
    anndata.read_h5ad(write_h5ad(shard, folder / "x.h5ad")).write_zarr(folder / "x.zarr")
    return folder / "x.zarr"


NAMES: dict[str, Callable[[Shard, Path], Path]] = {
    "10x h5 v3": lambda shard, folder: write_tenx_v3(shard, folder / "x.h5"),
    "10x h5 v2": lambda shard, folder: write_tenx_v2(shard, folder / "x.h5"),
    "10x folder": lambda shard, folder: write_folder(shard, folder / "x", version=3),
    "kallisto": lambda shard, folder: write_kallisto(shard, folder / "x"),
    "h5ad": lambda shard, folder: write_h5ad(shard, folder / "x.h5ad"),
    "zarr": as_zarr,
    "rows of a table": lambda shard, folder: write_dense(
        shard, folder / "x.csv", names=("gene", "symbol")
    ),
}


@pytest.mark.parametrize("form", NAMES)
def test_matrices_with_ids_alone_are_known_without_reading_them(form: str, tmp_path: Path) -> None:
    (tmp_path / "ids").mkdir()
    versions = replace(SHARD, genes=GENES.assign(gene=GENES["gene"] + ".7", symbol=GENES["gene"]))
    assert lacks_symbols(NAMES[form](SHARD, tmp_path)) is False
    assert lacks_symbols(NAMES[form](versions, tmp_path / "ids")) is True


def test_symbols_alone_are_symbols(tmp_path: Path) -> None:
    assert lacks_symbols(write_h5ad(SHARD, tmp_path / "x.h5ad", index="symbol", var={})) is False
    path = write_dense(SHARD, tmp_path / "x.csv", names=("symbol",), genes_in_rows=False)
    assert lacks_symbols(path) is False
