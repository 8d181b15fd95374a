"""Matrix Market folders as they are handed over: headers, other numbering, Parse, BD, damage."""

import gzip
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import inspect_matrix, read_matrix
from tests.matrices import find_matrices, small_shard, write_folder, write_lines, write_mtx

SHARD = small_shard(40, 60, seed=1, rate=4)
GENES = SHARD.genes
ROWS = [f"{gene}\t{symbol}" for gene, symbol in GENES[["gene", "symbol"]].values]
HEADER = "%%MatrixMarket matrix coordinate integer general"


def same(path: Path) -> None:
    inspect_matrix(path)
    read = read_matrix(path)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.barcodes.tolist() == SHARD.barcodes.tolist()
    assert read.genes["gene"].tolist() == GENES["gene"].tolist()
    assert read.genes["symbol"].tolist() == GENES["symbol"].tolist()


GENE_LISTS = {
    "names of R": ["ENSEMBL\tSYMBOL\tCHR", *(f"{row}\t1" for row in ROWS)],
    "gene_id": ["gene_id\tgene_name", *ROWS],
    "unnamed": ["x\ty", *ROWS],
    "unknown words": ["Accession\tLabel", *ROWS],
    "numbered": [f"{i}\t{row}" for i, row in enumerate(ROWS, 1)],
    "numbered, header": ["\tgene_ids\tsymbol", *(f"{i}\t{row}" for i, row in enumerate(ROWS))],
    "pandas": ["0\t1", *ROWS],
    "quoted": ['"Gene.ID"\t"Symbol"', *('"' + row.replace("\t", '"\t"') + '"' for row in ROWS)],
    "none": ROWS,
}
BARCODES = SHARD.barcodes.tolist()
BARCODE_LISTS = {
    "barcode": ["barcode", *BARCODES],
    "x": ["x", *BARCODES],
    "unknown word": ["Tag", *BARCODES],
    "numbered": [f"{i}\t{name}" for i, name in enumerate(BARCODES, 1)],
    "quoted": ['"cell.id"\t"n"', *(f'"{name}"\t3' for name in BARCODES)],
}


@pytest.mark.parametrize("name", GENE_LISTS)
def test_a_list_of_genes_may_have_a_header_or_numbers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    caplog.set_level(logging.INFO)
    path = write_folder(SHARD, tmp_path / "x", version=2)
    write_lines(GENE_LISTS[name], path / "genes.tsv")
    same(path)
    has_header = len(GENE_LISTS[name]) > len(ROWS)
    assert ("genes.tsv: the first line is a header" in caplog.text) == has_header


@pytest.mark.parametrize("name", BARCODE_LISTS)
def test_a_list_of_barcodes_may_have_a_header_or_numbers(tmp_path: Path, name: str) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=3)
    write_lines(BARCODE_LISTS[name], path / "barcodes.tsv.gz")
    same(path)


def test_both_lists_may_have_headers_in_a_nearly_square_matrix(tmp_path: Path) -> None:
    square = small_shard(60, 61, seed=1, rate=4)
    path = write_folder(square, tmp_path / "x", version=2)
    for name, header in (("genes.tsv", "gene_id\tsymbol"), ("barcodes.tsv", "barcodes")):
        write_lines([header, *(path / name).read_text().splitlines()], path / name)
    read = read_matrix(path)
    assert (read.counts != square.counts).nnz == 0
    assert read.genes["symbol"].tolist() == square.genes["symbol"].tolist()


def test_a_line_too_many_that_is_no_header_is_refused(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    write_lines(["ENSG00000999999\tEXTRA", *ROWS], path / "genes.tsv")
    with pytest.raises(ValueError, match="there are 61 features and 40 barcodes"):
        read_matrix(path)


def test_feature_types_behind_row_numbers_count(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    kinds = ["Gene Expression"] * 59 + ["Antibody Capture"]
    rows = [f"{i}\t{row}\t{kind}" for i, (row, kind) in enumerate(zip(ROWS, kinds, strict=True))]
    write_lines(rows, path / "genes.tsv")
    assert len(read_matrix(path).genes) == 59


def renumbered(path: Path, change: Any) -> None:
    """Change the row and column of each entry of an `.mtx` file."""
    head: list[str] = []
    entries: list[str] = []
    for line in path.read_text().splitlines():
        (head if line.startswith("%") or (not entries and len(head) < 3) else entries).append(line)
    head = [line for line in head if line.strip("% ")]
    numbers = np.array([line.split() for line in entries]).astype(int)
    numbers[:, :2] = change(numbers[:, :2])
    write_lines([*head, *(" ".join(map(str, row)) for row in numbers)], path)


def test_entries_may_be_numbered_from_zero(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    renumbered(path / "matrix.mtx", lambda places: places - 1)
    same(path)
    assert "matrix.mtx: rows and columns are numbered from 0, not from 1" in caplog.text


@pytest.mark.parametrize("changed", ["one row", "one column", "beyond"])
def test_single_places_outside_are_damage(tmp_path: Path, changed: Any) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)

    def damage(places: Any) -> Any:
        places = places.copy()
        if changed == "beyond":
            return places + 1
        places[5, int(changed == "one column")] = 0
        return places

    renumbered(path / "matrix.mtx", damage)
    with pytest.raises(ValueError, match=r"matrix\.mtx is 60 x 40, but has an entry in row"):
        read_matrix(path)


def parse(
    folder: Path,
    *,
    genomes: Any = None,
    samples: Any = None,
    names: Any = ("count_matrix.mtx", "all_genes.csv"),
) -> Any:
    folder.mkdir()
    write_mtx(SHARD.counts, folder / names[0])
    origin = genomes or ["hg38"] * 60
    rows = zip(GENES["gene"], GENES["symbol"], origin, strict=True)
    write_lines(["gene_id,gene_name,genome", *map(",".join, rows)], folder / names[1])
    wells = samples or ["s1"] * 40
    cells = [f"{i:02d}_{i:02d}_01,{sample},7" for i, sample in enumerate(wells)]
    write_lines(["bc_wells,sample,gene_count", *cells], folder / "cell_metadata.csv")
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("count_matrix.mtx", "all_genes.csv"),
        ("DGE.mtx", "genes.csv"),
        ("count_matrix.mtx.gz", "all_genes.csv.gz"),
    ],
)
def test_parse_folders_are_read(tmp_path: Path, names: Any) -> None:
    path = parse(tmp_path / "DGE_filtered", names=names)
    assert find_matrices(tmp_path) == [path]
    assert inspect_matrix(path) == "Parse folder"
    read = read_matrix(path)
    assert (read.counts != SHARD.counts).nnz == 0
    assert read.barcodes[:2].tolist() == ["00_00_01", "01_01_01"]
    assert read.genes["symbol"].tolist() == GENES["symbol"].tolist()


def test_samples_and_genomes_of_parse_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = parse(tmp_path / "a", samples=["P1"] * 20 + ["P2"] * 20)
    read_matrix(path)
    assert "holds 2 samples (P1, P2); if this run has them" in caplog.text
    mixed = parse(tmp_path / "b", genomes=["hg38"] * 40 + ["mm10"] * 20)
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r"several genomes \(hg38, mm10\)"):
            use(mixed)
    assert len(read_matrix(mixed, genome="hg38").genes) == 40
    (path / "all_genes.csv").unlink()
    with pytest.raises(ValueError, match=r"no all_genes\.csv next to count_matrix\.mtx"):
        inspect_matrix(path)


def test_folders_of_bd_are_read(tmp_path: Path) -> None:
    """BD Rhapsody names cells by number and genes by symbol."""
    symbols = GENES["symbol"].tolist()
    genes = GENES.assign(gene=symbols)
    numbered = Shard(SHARD.counts, np.array([f"{1000 + i}" for i in range(40)]), genes)
    read = read_matrix(write_folder(numbered, tmp_path / "x", version=3))
    assert read.barcodes.tolist() == numbered.barcodes.tolist()
    assert read.genes["gene"].tolist() == symbols


def test_gzip_is_seen_by_content(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    for file in path.iterdir():
        file.write_bytes(gzip.compress(file.read_bytes()))
    same(path)


def test_whole_numbers_may_be_named_float(tmp_path: Path) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    text = (path / "matrix.mtx").read_text()
    (path / "matrix.mtx").write_text(text.replace("integer", "float"))
    same(path)


def nuls_late(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-9] + b"\0" * 9)


def nuls_early(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300] + b"\0" * 3000)


def twice(path: Path) -> None:
    path.write_bytes(gzip.compress(gzip.compress(path.read_bytes())))


def pointer(path: Path) -> None:
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:abc\nsize 12345\n")


@pytest.mark.parametrize("part", ["matrix.mtx", "genes.tsv", "barcodes.tsv"])
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (nuls_late, "holds NUL characters, as after an interrupted copy"),
        (nuls_early, "holds NUL characters, as after an interrupted copy"),
        (twice, "is compressed twice: decompress it once (gunzip)"),
        (pointer, "a pointer of Git LFS, not the file itself"),
    ],
)
def test_the_kind_of_damage_is_named(tmp_path: Path, part: Any, damage: Any, words: Any) -> None:
    path = write_folder(SHARD, tmp_path / "x", version=2)
    damage(path / part)
    with pytest.raises(ValueError, match=r".") as caught:
        read_matrix(path)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
