"""Each library below a folder is found once, whatever forms of it a pipeline wrote."""

import os
import shutil
from pathlib import Path

import pytest

from lammscope.ingest.matrices.find import find_libraries
from lammscope.ingest.matrices.read import read_matrix
from tests.matrices import (
    find_matrices,
    small_shard,
    write_dense,
    write_folder,
    write_h5ad,
    write_tenx_v3,
)

SHARD = small_shard(8, 30)
RAW = "raw_feature_bc_matrix"
FILTERED = "filtered_feature_bc_matrix"
# what lies in a folder (`/`: a 10x folder), and what is found: first what is taken, then the rest
LIBRARIES = {
    "cellranger": [
        [f"P1/outs/{FILTERED}.h5", f"P1/outs/{FILTERED}/", f"P1/outs/{RAW}.h5", f"P1/outs/{RAW}/"]
    ],
    "cellranger 2": [
        [
            "outs/filtered_gene_bc_matrices_h5.h5",
            *("outs/filtered_gene_bc_matrices/GRCh38/", "outs/raw_gene_bc_matrices/GRCh38/"),
        ],
    ],
    "cellranger multi": [
        [f"c/per_sample_outs/S1/count/sample_{kind}.h5" for kind in (FILTERED, RAW)],
        [f"c/per_sample_outs/S2/count/sample_{kind}.h5" for kind in (FILTERED, RAW)],
    ],
    "starsolo": [
        [
            *("P1.Solo.out/Gene/filtered/", "P1.Solo.out/Gene/raw/"),
            *("P1.Solo.out/GeneFull/filtered/", "P1.Solo.out/GeneFull_Ex50pAS/filtered/"),
        ],
        ["P2.Solo.out/Gene/raw/", "P2.Solo.out/GeneFull/filtered/"],
        ["P3.Solo.out/GeneFull/filtered/"],
    ],
    "h5ad beside its folder": [
        ["k/P1/counts_unfiltered/", "k/P1/counts_unfiltered/adata.h5ad"],
        ["k/P2/counts_filtered/", "k/P2/counts_unfiltered/", "k/P2/counts_filtered/adata.h5ad"],
        ["x/P3/", "x/P3.h5ad"],
        ["x/P4.h5", "x/P4.csv.gz", "x/P4.h5ad"],
    ],
    "nf-core": [
        [
            f"cellranger/count/P1/outs/{FILTERED}.h5",
            *(f"cellranger/mtx_conversions/P1/P1_{k}_matrix.h5ad" for k in ("filtered", "raw")),
            "cellranger/mtx_conversions/P1/P1_cellbender_filter_matrix.h5ad",
        ],
        [
            f"cellranger/count/P2/outs/{RAW}.h5",
            "cellranger/mtx_conversions/P2/P2_raw_matrix.h5ad",
        ],
        ["star/P1/P1.Solo.out/Gene/filtered/", "star/mtx_conversions/P1/P1_raw_matrix.h5ad"],
    ],
    "kinds in folders of their own": [
        ["filtered/P1.h5", "raw/P1.h5", "CellBender/P1.h5"],
        ["filtered/P2.h5", "raw/P2.h5"],
    ],
    "raw in the name of the data": [
        [f"raw_data/P1/{FILTERED}.h5", f"raw_data/P1/{RAW}.h5"],
        [f"raw_data/P2/{FILTERED}.h5"],
    ],
    "different libraries": [
        *(["a/P1.h5"], ["b/P1.h5"], ["a/P1-2.h5"], ["a/P1_2.h5ad"], ["a/P1/2.h5ad"]),
        *(["a/Genet_1.h5"], ["a/strawberry.h5"], ["a/all_P1.h5"], ["a/P1_merged.h5ad"]),
    ],
}
POOLED = (
    "mtx_conversions/combined_filtered_matrix.h5ad",
    f"aggr/outs/count/{FILTERED}.h5",
    "merged.h5ad",
    "all_samples.h5ad",
    "all_samples_raw.h5ad",
)


def write(name: str, place: Path) -> None:
    """Write a small matrix in the format that its path says."""
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".h5ad":
        write_h5ad(SHARD, path)
    elif path.suffix == ".h5":
        write_tenx_v3(SHARD, path)
    elif path.suffix == ".gz":
        write_dense(SHARD, path)
    else:
        write_folder(SHARD, path, version=3)


@pytest.mark.parametrize("name", LIBRARIES)
def test_of_several_forms_of_a_library_one_is_taken_and_the_others_are_named(
    tmp_path: Path, name: str
) -> None:
    for forms in LIBRARIES[name]:
        for path in sorted(forms):
            write(path, tmp_path)
    libraries, pooled = find_libraries(tmp_path)
    found = {
        library.path.relative_to(tmp_path): [p.relative_to(tmp_path) for p in library.others]
        for library in libraries
    }
    wanted = {
        tmp_path / forms[0]: sorted(
            # the folder of all genomes stands for that of one
            path.parent if path.name == "GRCh38" else path
            for path in (tmp_path / form for form in forms[1:])
        )
        for forms in LIBRARIES[name]
    }
    assert found == {
        path.relative_to(tmp_path): [p.relative_to(tmp_path) for p in others]
        for path, others in wanted.items()
    }
    assert pooled == []
    assert find_matrices(tmp_path) == sorted(wanted)


@pytest.mark.parametrize("path", POOLED)
def test_files_that_combine_libraries_are_left_out_unless_there_is_nothing_else(
    tmp_path: Path, path: str
) -> None:
    write(path, tmp_path)
    assert find_libraries(tmp_path)[1] == []
    assert len(find_matrices(tmp_path)) == 1
    for patient in ("P1", "P2"):
        write(f"count/{patient}/outs/{FILTERED}.h5", tmp_path)
    libraries, pooled = find_libraries(tmp_path)
    assert [library.path.parts[-3] for library in libraries] == ["P1", "P2"]
    assert pooled == [tmp_path / path]


def test_links_to_a_matrix_are_no_further_library(tmp_path: Path) -> None:
    write("runs/AB1/outs/x.h5", tmp_path)
    write("runs/AB2/", tmp_path)
    (tmp_path / "named").mkdir()
    os.symlink(tmp_path / "runs/AB1/outs/x.h5", tmp_path / "named/P1.h5")
    os.link(tmp_path / "runs/AB1/outs/x.h5", tmp_path / "named/P2.h5")
    os.symlink(tmp_path / "runs/AB2", tmp_path / "named/P3")
    shutil.copytree(tmp_path / "runs/AB2", tmp_path / "named/P4", copy_function=os.symlink)
    paths = [path.relative_to(tmp_path) for path in find_matrices(tmp_path)]
    assert [str(path) for path in paths] == ["named/P2.h5", "named/P4"]


def test_a_folder_of_several_forms_is_read_as_its_best_one(tmp_path: Path) -> None:
    for path in LIBRARIES["starsolo"][0]:
        write(path, tmp_path)
    assert read_matrix(tmp_path / "P1.Solo.out").counts.shape == SHARD.counts.shape
