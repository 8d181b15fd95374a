"""Space for the results."""

from pathlib import Path

import pytest

from lammscope.cohort.config import read_schema
from lammscope.cohort.disk_space import OF_MATRIX, lack_of_space
from lammscope.core.shards import COMPRESSION

SIZES = {"a": 2**30, "b": 3 * 2**30}


@pytest.mark.parametrize(("compression", "fits"), [("lz4", True), ("gzip", True), ("none", False)])
def test_uncompressed_count_files_need_more_space(
    tmp_path: Path, compression: str, fits: bool
) -> None:
    note = lack_of_space(
        tmp_path / "new", samples="ab", sizes=SIZES, compression=compression, free=10 * 2**30
    )
    assert (note is None) == fits
    if note:
        assert "need about 23.2 GiB, but 10.0 GiB are free" in note
        assert "compression: lz4" in note


def test_each_compression_of_the_config_has_a_size() -> None:
    known = read_schema("config")["properties"]["inputs"]["properties"]["compression"]["enum"]
    assert set(OF_MATRIX) == set(COMPRESSION) == set(known)


def test_samples_that_are_read_in_already_need_none(tmp_path: Path) -> None:
    free = 3 * 2**30
    assert lack_of_space(tmp_path, samples="a", sizes=SIZES, compression="lz4", free=free) is None
    assert lack_of_space(tmp_path, samples="ab", sizes=SIZES, compression="lz4", free=free)
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "b.h5ad").touch()
    assert lack_of_space(tmp_path, samples="ab", sizes=SIZES, compression="lz4", free=free) is None


def test_small_matrices_need_space_for_the_other_results(tmp_path: Path) -> None:
    few = {"a": 1000, "b": 1000}
    note = lack_of_space(tmp_path, samples="ab", sizes=few, compression="lz4", free=20 * 2**20)
    assert note is not None


def test_the_free_space_is_that_of_the_disk(tmp_path: Path) -> None:
    huge = {"a": 10**18}
    note = lack_of_space(tmp_path / "no" / "folder", samples="a", sizes=huge, compression="gzip")
    assert note is not None
    assert str(tmp_path) in note
