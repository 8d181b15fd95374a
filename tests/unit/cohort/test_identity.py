"""One library under several names is refused before the run: links, spellings, copies."""

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import pandas as pd
import pytest

from lammscope.cohort.identity import copied_matrices, samples_of_same_cells
from lammscope.cohort.sheets import check_sheets
from lammscope.core.shards import InputRecord, Shard
from tests.matrices import small_shard, write_folder, write_h5ad, write_tenx_v3

SHARD, OTHER = small_shard(seed=1), small_shard(seed=2)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A folder with two matrices."""
    monkeypatch.chdir(tmp_path)
    write_tenx_v3(SHARD, Path("a.h5"))
    write_tenx_v3(OTHER, Path("b.h5"))
    write_folder(SHARD, Path("mtx"), version=2)
    Path("sub").mkdir()
    return tmp_path


def mistakes_of(*counts: Any, barcodes: Any = None) -> Any:
    """Mistakes of a sample sheet with these matrices."""
    rows = [
        f"S{i}\tP{i}\tpre\t{path}\t{'' if barcodes is None else barcodes[i]}"
        for i, path in enumerate(counts)
    ]
    header = "sample\tpatient\ttimepoint\tcounts\tbarcodes"
    Path("samples.tsv").write_text("\n".join([header, *rows]) + "\n")
    patients = [f"P{i}\tCR" for i in range(len(counts))]
    Path("patients.tsv").write_text("\n".join(["patient\tresponse", *patients]) + "\n")
    labels = {"column": "response", "responder": ["CR"], "non_responder": ["PD"]}
    times = {"pre": ["pre"], "post": []}
    config: dict[str, Any] = {
        "samples": "samples.tsv",
        "patients": "patients.tsv",
        "sorts": {},
        "categories": [],
    }
    config |= {"survival": {"endpoints": {}, "adjust": [], "where": {}}}
    return check_sheets({**config, "response": labels, "timepoints": times}).mistakes


def linked(target: Any, link: str) -> str:
    os.symlink(target, link)
    return link


def hard_linked(target: str, link: str) -> str:
    os.link(target, link)
    return link


SAME_FILE: dict[str, Callable[[Path], Any]] = {
    "an absolute path": lambda place: place / "a.h5",
    "a way round": lambda place: "sub/../a.h5",
    "a link": lambda place: linked("a.h5", "link.h5"),
    "a link in another folder": lambda place: linked(place / "a.h5", "sub/P2.h5"),
    "a link to a link": lambda place: linked(linked("a.h5", "one.h5"), "two.h5"),
    "a hard link": lambda place: hard_linked("a.h5", "hard.h5"),
    "a path through a linked folder": lambda place: f"{linked('.', 'here')}/a.h5",
}
SAME_MTX: dict[str, Callable[[Path], Any]] = {
    "the matrix in the folder": lambda place: "mtx/matrix.mtx",
    "a link to the folder": lambda place: linked("mtx", "P2"),
    "links to its files": lambda place: shutil.copytree(
        place / "mtx", "links", copy_function=os.symlink
    ),
}


@pytest.mark.parametrize("name", [*SAME_FILE, *SAME_MTX])
def test_one_file_under_several_paths_is_refused(place: Any, name: str) -> None:
    first = "a.h5" if name in SAME_FILE else "mtx"
    second = (SAME_FILE | SAME_MTX)[name](place)
    (text,) = mistakes_of(first, "b.h5", second)
    assert f"rows 2, 4: several samples have the same matrix `{first}`" in text
    assert f"(`{second}` is the same file)" in text
    Path("c1.txt").touch()
    Path("c2.txt").touch()
    (text,) = mistakes_of(first, second, barcodes=["c1.txt", "c2.txt"])
    assert f"rows 2, 3: several paths to one matrix (`{first}`, `{second}`); write the same" in text


def test_cells_of_one_matrix_may_be_listed_for_several_samples(place: Any) -> None:
    Path("c1.txt").touch()
    Path("c2.txt").touch()
    assert mistakes_of("a.h5", "./a.h5", barcodes=["c1.txt", "c2.txt"]) == []
    assert mistakes_of("a.h5", "b.h5") == []


def copies(*counts: Any, genome: str | None = None) -> list[str]:
    """Messages on copies among matrices."""
    table = pd.DataFrame({"sample": [f"S{i}" for i in range(len(counts))], "genome": genome})
    return list(copied_matrices(table.assign(counts=[str(path) for path in counts])))


def test_copies_of_a_file_are_refused(place: Any) -> None:
    shutil.copy("a.h5", "sub/c.h5")
    shutil.copytree("mtx", "sub/mtx")
    (text,) = copies("a.h5", "b.h5", "sub/c.h5")
    assert text.startswith("samples `S0`, `S2`: their matrices are copies of one file (e.g. a.h5")
    (text,) = copies("mtx", "b.h5", "sub/mtx/matrix.mtx")
    assert "samples `S0`, `S2`" in text
    assert copies("a.h5", "b.h5", "mtx") == []


def store(shard: Shard, path: str) -> Path:
    """Write a zarr store of AnnData."""
    h5ad = write_h5ad(shard, Path("x.h5ad"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        anndata.read_h5ad(h5ad).write_zarr(path)
    return Path(path)


def files_in(folder: str) -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def test_zarr_stores_are_compared_by_all_their_files(place: Path) -> None:
    """The main file of a store, the metadata of its root, is the same in all."""
    store(SHARD, "s.zarr")
    store(OTHER, "t.zarr")
    shutil.copytree("s.zarr", "changed.zarr")
    chunk = max(files_in("changed.zarr/X"), key=lambda path: path.stat().st_size)
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(content)
    assert copies("s.zarr", "t.zarr", "changed.zarr") == []
    shutil.copytree("s.zarr", "sub/u.zarr")
    (text,) = copies("s.zarr", "t.zarr", "sub/u.zarr")
    assert text.startswith("samples `S0`, `S2`: their matrices are copies of one file")
    (text,) = mistakes_of("s.zarr", "t.zarr", linked("s.zarr", "v.zarr"))
    assert "(`v.zarr` is the same file)" in text


def test_folders_of_a_small_genome_and_of_a_chosen_one_are_compared(place: Path) -> None:
    tiny = Shard(SHARD.counts[:, :2], SHARD.barcodes, SHARD.genes[:2])
    for folder in ("p", "q"):
        for genome, shard in {"GRCh38": SHARD, "mm10": OTHER}.items():
            write_folder(shard, place / folder / "filtered_gene_bc_matrices" / genome, version=2)
    shutil.copytree("p/filtered_gene_bc_matrices/GRCh38", "r/filtered_gene_bc_matrices/GRCh38")
    write_folder(tiny, place / "r/filtered_gene_bc_matrices/virus", version=2)
    shutil.copytree("r", "s")
    (text,) = copies("p", "q", genome="GRCh38")
    assert "samples `S0`, `S1`" in text
    (text,) = copies("r", "b.h5", "s")
    assert "samples `S0`, `S2`" in text


def test_files_of_one_size_with_other_content_are_no_copies(place: Any) -> None:
    content = bytearray(Path("a.h5").read_bytes() + bytes(3 * 2**20))
    for name, at in {"start": 10, "end": -1, "middle": 2 * 2**20}.items():
        changed = content.copy()
        changed[at] ^= 1
        Path(f"{name}.h5").write_bytes(changed)
    Path("whole.h5").write_bytes(content)
    assert copies("whole.h5", "start.h5", "end.h5", "middle.h5") == []


def test_what_is_missing_empty_or_a_folder_is_left_to_other_checks(place: Any) -> None:
    Path("e1.h5").touch()
    Path("e2.h5").touch()
    Path("x.zarr").mkdir()
    Path("y.zarr").mkdir()
    assert copies("e1.h5", "e2.h5", "none.h5", "nowhere.h5", "x.zarr", "y.zarr") == []
    assert len(mistakes_of("none.h5", "nowhere.h5")) == 2


def test_samples_that_a_run_has_read_in_are_compared_by_their_cells() -> None:
    records = {
        name: InputRecord("size", 1, "", cells)
        for name, cells in {"A": "x", "B": "y", "C": "x", "D": "", "E": ""}.items()
    }
    (text,) = samples_of_same_cells(["A", "B", "C", "D", "E", "new"], records)
    assert text.startswith("samples `A`, `C`: the same barcodes with the same UMIs")
    assert list(samples_of_same_cells(["A", "B"], records)) == []
