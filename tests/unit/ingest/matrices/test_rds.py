"""Counts of R objects are read as R has them; other objects are refused with what to do in R.

`rds/make_rds.R` writes the files.
"""

import bz2
import gzip
import logging
import lzma
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rdata
from rdata.parser import RObject, parse_file
from rdata.unparser import unparse_file

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.r_objects import parse, slots
from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, read_matrix
from lammscope.new_cohort import sample_names
from tests.matrices import find_matrices, small_shard, write_tenx_v3

FILES = Path(__file__).parent / "rds"
# the formula of make_rds.R, cells x genes
COUNTS = np.array([[max((3 * i + 5 * j) % 7 - 3, 0) for i in range(1, 11)] for j in range(1, 7)])
CELLS = [f"{start}GATTACAGATTA-1" for start in ("AAAC", "CCCA", "GGGA", "TTTA", "ACGT", "TGCA")]
IDS = [f"ENSG{i:011d}" for i in range(1, 11)]
SYMBOLS = ["ACTB", "B2M", "CD14", "CD68", "CSF1R", "MT-CO1", "GAPDH", "VIM", "CD74", "MALAT1"]
BY_ID, BY_SYMBOL, BOTH = (IDS, IDS), (SYMBOLS, SYMBOLS), (IDS, SYMBOLS)

GOOD: dict[str, tuple[str, tuple[list[str], list[str]]]] = {
    "seurat": ("Seurat .rds", BY_SYMBOL),
    "seurat_normalized": ("Seurat .rds", BY_SYMBOL),  # xz
    "seurat_two_assays": ("Seurat .rds", BY_SYMBOL),  # bzip2
    "seurat_ids": ("Seurat .rds", BY_ID),  # not compressed
    "seurat5": ("Seurat .rds", BOTH),
    "sce": ("SingleCellExperiment .rds", BOTH),
    "sce_dense": ("R object", BOTH),  # in ASCII
    "sce_unnamed": ("SingleCellExperiment .rds", BOTH),
    "sce_parts": ("SingleCellExperiment .rds", BY_SYMBOL),
    "se": ("R object", BOTH),  # in native binary form
    "rse": ("SummarizedExperiment .rds", BOTH),
    "se_by_row": ("SummarizedExperiment .rds", BY_SYMBOL),
    "se_triplets": ("SummarizedExperiment .rds", BY_SYMBOL),
    "matrix_sparse": ("sparse matrix .rds", BY_SYMBOL),
    "matrix_dense": ("matrix .rds", BY_SYMBOL),
}

BAD = {
    "seurat_no_counts": "no integer counts in layers.data (normalized?)",
    "seurat_no_rna": "a Seurat object without an assay RNA (its assays: ADT, SPLICED)",
    "seurat5_split": '(its layers: counts.1, counts.2): in R, join them with x[["RNA"]] <- Seu',
    "seurat2": "in R, x <- Seurat::UpdateSeuratObject(x), and save it again",
    "sce_logs": "no integer counts in layers.logcounts (normalized?)",
    "se_old": "kept as before Bioconductor 3.11: in R, x <- updateObject(x), and save it again",
    "se_delayed": "the values of `counts` are not in this file or not a plain matrix (class De",
    "matrix_cells_in_rows": "genes in its columns (e.g. ACTB): in R, save it as t(m), genes",
    "matrix_na": "no integer counts in X",
    "matrix_logical": "an object of the class lgCMatrix, whose counts are not read: in R, take",
    "data_frame": "no Seurat or SingleCellExperiment object but a list or data frame: in R, take",
    "function": "no Seurat or SingleCellExperiment object but a function: in R, take",
}


def same(read: Shard, names: tuple[list[str], list[str]]) -> None:
    assert (read.counts.toarray() == COUNTS).all()
    assert read.counts.dtype == np.int32
    assert read.barcodes.tolist() == CELLS
    assert (read.genes["gene"].tolist(), read.genes["symbol"].tolist()) == names


def test_every_file_of_the_folder_is_tested() -> None:
    assert {path.stem for path in FILES.glob("*.rds")} == {*GOOD, *BAD}


@pytest.mark.parametrize("name", GOOD)
def test_counts_and_names_are_those_in_r(name: str) -> None:
    kind, names = GOOD[name]
    path = FILES / f"{name}.rds"
    assert inspect_matrix(path) == kind
    same(read_matrix(path), names)


@pytest.mark.parametrize("name", BAD)
def test_other_objects_are_refused_with_what_to_do(name: str) -> None:
    path = FILES / f"{name}.rds"
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert BAD[name] in text
    assert "\n" not in text


@pytest.mark.parametrize("name", ["seurat2", "data_frame", "function"])
def test_what_the_start_shows_is_refused_before_a_run(name: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        inspect_matrix(FILES / f"{name}.rds")
    assert BAD[name] in str(caught.value)


def test_an_inspection_does_not_load_the_parser() -> None:
    code = (
        "import sys; from lammscope.ingest.matrices.read import *; "
        f"inspect_matrix({str(FILES / 'sce.rds')!r}); sys.exit('rdata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["x", "x.rds", "x.csv", "x.gz"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_the_content_decides_not_the_name(
    tmp_path: Path, name: str, pack: Callable[[bytes], bytes]
) -> None:
    plain = gzip.decompress((FILES / "sce.rds").read_bytes())
    (tmp_path / name).write_bytes(pack(plain))
    same(read_matrix(tmp_path / name), BOTH)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_cut_file_is_one_line(
    tmp_path: Path, share: float, pack: Callable[[bytes], bytes]
) -> None:
    whole = pack(gzip.decompress((FILES / "seurat.rds").read_bytes()))
    path = tmp_path / "x.rds"
    path.write_bytes(whole[: int(share * len(whole))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ValueError, match=r".") as caught:
            read_matrix(path)
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text


@pytest.mark.parametrize("at", [20, 100, 400, 900, 1500, 2500])
def test_changed_bytes_give_a_message_or_a_matrix(tmp_path: Path, at: int) -> None:
    plain = bytearray(gzip.decompress((FILES / "seurat.rds").read_bytes()))
    plain[at : at + 3] = b"\xff\xfe\xfd"
    (tmp_path / "x.rds").write_bytes(plain)
    try:
        read_matrix(tmp_path / "x.rds")
    except ValueError as error:
        assert str(error).startswith(f"{tmp_path / 'x.rds'}: ")  # noqa: PT017  # either is right


def test_the_choice_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read_matrix(FILES / "seurat_two_assays.rds")
    assert "assay RNA of a Seurat object; left out: ADT" in caplog.text
    assert "read layer `counts` (10 genes); left out: layer `data` (the same counts)" in caplog.text
    read_matrix(FILES / "sce_parts.rds")
    assert "the sum of the layers `spliced` and `ambiguous`" in caplog.text
    assert describe_matrix(FILES / "sce.rds").startswith("the counts of an R object")


def test_a_layer_may_be_named() -> None:
    spliced = read_matrix(FILES / "sce_parts.rds", layer="spliced")
    assert (spliced.counts.toarray() == np.maximum(COUNTS - 1, 0)).all()
    read = read_matrix(FILES / "sce_parts.rds", layer="unspliced")
    assert (read.counts.toarray() == COUNTS).all()
    with pytest.raises(ValueError, match="no layer `count` \\(did you mean `counts`"):
        read_matrix(FILES / "sce.rds", layer="count")
    with pytest.raises(ValueError, match="no integer counts in logcounts; name another"):
        read_matrix(FILES / "sce.rds", layer="logcounts")


def test_objects_with_counts_are_found_in_a_folder(tmp_path: Path) -> None:
    for name in ("sce", "function", "data_frame", "matrix_sparse"):
        shutil.copy(FILES / f"{name}.rds", tmp_path)
    (tmp_path / "cut.RDS").write_bytes((FILES / "seurat_ids.rds").read_bytes()[:40])
    write_tenx_v3(small_shard(), tmp_path / "B.h5")
    found = find_matrices(tmp_path)
    assert [path.name for path in found] == ["B.h5", "cut.RDS", "matrix_sparse.rds", "sce.rds"]
    assert sample_names(found, tmp_path) == ["B", "cut", "matrix_sparse", "sce"]


def test_an_h5_of_the_same_name_is_preferred(tmp_path: Path) -> None:
    shutil.copy(FILES / "sce.rds", tmp_path / "P1.rds")
    write_tenx_v3(small_shard(), tmp_path / "P1.h5")
    assert find_matrices(tmp_path) == [tmp_path / "P1.h5"]


@pytest.mark.parametrize("value", [["text"], {"a": 1, "b": [1, 2]}, [1.5, 2.5], np.arange(3)])
@pytest.mark.parametrize("form", ["xdr", "ascii", "binary"])
def test_what_is_no_object_with_counts_is_refused(tmp_path: Path, value: Any, form: Any) -> None:
    path = tmp_path / "x.rds"
    rdata.write_rds(path, value, file_format=form)
    with pytest.raises(ValueError, match=r"x\.rds: holds .* in R, take the raw counts as a matrix"):
        read_matrix(path)


def test_long_pairlists_are_parsed(tmp_path: Path) -> None:
    """As those of a call with many arguments, in the history of a Seurat object."""
    whole = parse_file(FILES / "matrix_dense.rds")
    end: Any = whole.object.attributes
    for _ in range(3000):
        end = RObject(end.info, (end.value[0], end), None, end.tag)
    whole.object.attributes = end
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    unparse_file(tmp_path / "x.rds", whole)
    sys.setrecursionlimit(limit)
    assert set(slots(parse(tmp_path / "x.rds"))) == {"dim", "dimnames"}
    assert sys.getrecursionlimit() == limit


def test_r_writes_these_files(tmp_path: Path) -> None:
    """R with the packages gives the same counts as the files here."""
    packages = ["Matrix", "Seurat", "SingleCellExperiment", "DelayedArray"]
    if not shutil.which("Rscript"):
        pytest.skip("needs Rscript")
    there = "; ".join(f"library({name})" for name in packages)
    if subprocess.run(["Rscript", "-e", there], capture_output=True, check=False).returncode:
        pytest.skip(f"needs the R packages {', '.join(packages)}")
    script = FILES / "make_rds.R"
    subprocess.run(["Rscript", script], cwd=tmp_path, capture_output=True, check=True)
    for name, (kind, names) in GOOD.items():
        assert inspect_matrix(tmp_path / f"{name}.rds") == kind
        same(read_matrix(tmp_path / f"{name}.rds"), names)
