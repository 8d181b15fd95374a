"""Matrix Market files of parts of the molecules: summed as for alevin-fry, or named by `layer`."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import describe_matrix, inspect_matrix, read_matrix
from tests.matrices import find_matrices, small_shard, write_folder, write_kallisto, write_mtx

SHARD = small_shard(50, 40, seed=3, rate=4)
ALL = SHARD.counts.toarray()
RNG = np.random.default_rng(5)
AMBIGUOUS = RNG.binomial(ALL, 0.2)
NASCENT = RNG.binomial(ALL - AMBIGUOUS, 0.3)
MATURE = ALL - AMBIGUOUS - NASCENT
KINDS = {
    "mature": MATURE,
    "nascent": NASCENT,
    "ambiguous": AMBIGUOUS,
    "cell": MATURE + AMBIGUOUS,
    "nucleus": NASCENT + AMBIGUOUS,
    "total": ALL,
}


def kb(folder: Path, *kinds: Any) -> Any:
    write_kallisto(SHARD, folder)
    (folder / "cells_x_genes.mtx").unlink()
    for kind in kinds:
        write_mtx(sparse.csr_array(KINDS[kind]), folder / f"cells_x_genes.{kind}.mtx")
    return folder


def velocyto(folder: Path, **kinds: Any) -> Any:
    write_folder(SHARD, folder, version=2)
    (folder / "matrix.mtx").unlink()
    for kind, counts in kinds.items():
        write_mtx(sparse.csr_array(counts.T), folder / f"{kind}.mtx")
    return folder


def counts_of(path: Path, **options: Any) -> Any:
    return read_matrix(path, **options).counts.toarray()


@pytest.mark.parametrize(
    ("kinds", "right", "words"),
    [
        (KINDS, ALL, "total molecules; left out: ambiguous, cell, mature, nascent, nucleus"),
        (["cell", "nucleus", "mature", "nascent"], MATURE + AMBIGUOUS, "cell molecules; left out"),
        (
            ["mature", "nascent", "ambiguous"],
            MATURE + AMBIGUOUS,
            "mature + ambiguous molecules; left out: nascent; if that is wrong, write what to read",
        ),
        (["ambiguous"], AMBIGUOUS, "ambiguous molecules; if that is wrong"),
    ],
)
def test_a_folder_of_parts_is_one_library(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kinds: Any, right: Any, words: Any
) -> None:
    path = kb(tmp_path / "x", *kinds)
    assert find_matrices(tmp_path) == [path]
    assert inspect_matrix(path) == "kallisto folder"
    assert describe_matrix(path).startswith(words)
    assert (counts_of(path) == right).all()
    told = " ".join(
        record.getMessage() for record in caplog.records if record.levelname == "WARNING"
    )
    assert (describe_matrix(path) in told) == ("if that is wrong" in words)


def test_a_matrix_without_a_kind_comes_first(tmp_path: Path) -> None:
    path = kb(tmp_path / "x", "mature", "ambiguous")
    write_mtx(SHARD.counts, path / "cells_x_genes.mtx")
    assert (counts_of(path) == ALL).all()
    assert describe_matrix(path) == ""


def test_starsolo_counts_spliced_and_ambiguous_molecules(tmp_path: Path) -> None:
    parts = {"spliced": MATURE, "unspliced": NASCENT, "ambiguous": AMBIGUOUS}
    path = velocyto(tmp_path / "raw", **parts)
    assert (counts_of(path) == MATURE + AMBIGUOUS).all()
    assert (counts_of(path, layer="spliced+unspliced+ambiguous") == ALL).all()


@pytest.mark.parametrize("kind", ["mature", "nascent", "ambiguous", "cell", "nucleus", "total"])
def test_a_file_or_a_layer_names_what_is_read(tmp_path: Path, kind: Any) -> None:
    folder = kb(tmp_path / "x", *KINDS)
    assert (counts_of(folder, layer=kind) == KINDS[kind]).all()
    alone = MATURE + AMBIGUOUS if kind == "mature" else KINDS[kind]
    assert (counts_of(folder / f"cells_x_genes.{kind}.mtx") == alone).all()


def test_what_cannot_be_summed_is_refused(tmp_path: Path) -> None:
    path = velocyto(tmp_path / "raw", spliced=MATURE, unspliced=NASCENT)
    for use in (inspect_matrix, read_matrix):
        with pytest.raises(ValueError, match=r"spliced molecules only; .* e\.g\. spliced\+unsp"):
            use(path)
        with pytest.raises(ValueError, match=r"no ambigous\.mtx; there are: spliced, unspliced"):
            use(path, layer="ambigous")
    assert (counts_of(path, layer="spliced+unspliced") == MATURE + NASCENT).all()
    own = tmp_path / "lamanno"
    write_kallisto(SHARD, own, stem="spliced")
    other = Shard(SHARD.counts, SHARD.barcodes[::-1], SHARD.genes)
    write_kallisto(other, tmp_path / "y", stem="unspliced")
    for file in (tmp_path / "y").iterdir():
        file.rename(own / file.name)
    with pytest.raises(ValueError, match="other barcodes or genes; they cannot be summed"):
        read_matrix(own, layer="spliced+unspliced")
    with pytest.raises(ValueError, match="has no layers"):
        read_matrix(write_folder(SHARD, tmp_path / "z", version=2), layer="spliced")
