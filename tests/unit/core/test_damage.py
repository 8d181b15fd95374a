"""Damaged results are refused by the jobs that read them, with file and remedy."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from PIL import Image, PngImagePlugin
from scipy import sparse

from lammscope.annotate.sums import all_genes
from lammscope.cohort.sample_table import read_sample_table, sample_table_text
from lammscope.core.damage import read_json
from lammscope.core.indexed import CellIndex, read_table, write_table
from lammscope.core.shards import InputRecord, read_genes, read_shard, write_shard
from lammscope.expression.pseudobulk import read_counts, read_pseudobulk, write_pseudobulk
from lammscope.report.point_names import KEY, read_points
from tests.matrices import small_shard
from tests.unit.example_indexes import make_index

N_PLACES = 100  # spread over a file, with its first and last bytes
END_MARK = 13  # bytes from the end of a PNG file: its last chunk is empty
REFUSED = r"damaged or incomplete \(.*\): delete it and run again"
Read = Callable[[Path], Any]


def save_table(folder: Path) -> tuple[Path, list[Read]]:
    names = [f"a_{number}" for number in range(300)]
    frame = pd.DataFrame({"cell": names, "x": np.linspace(0, 1, 300)})
    write_table(frame, folder / "table.parquet")
    return folder / "table.parquet", [read_table]


def save_packed_table(folder: Path) -> tuple[Path, list[Read]]:
    frame = pd.DataFrame({"gene": [f"G{number}" for number in range(300)]})
    write_table(frame, folder / "table.tsv.gz")
    return folder / "table.tsv.gz", [read_table]


def save_index(folder: Path) -> tuple[Path, list[Read]]:
    index = make_index(folder)
    return Path(index.path), [CellIndex, index.read_table]


def save_arrays(folder: Path) -> tuple[Path, list[Read]]:
    index = make_index(folder)
    index.write_arrays(folder / "arrays.npz", space=np.arange(9000), samples=np.array(["a"]))
    return folder / "arrays.npz", [index.read_arrays, lambda path: all_genes([path])]


def save_counts(folder: Path) -> tuple[Path, list[Read]]:
    record = InputRecord("size", 77, "", "")
    write_shard(small_shard(), folder / "counts.h5ad", record=record)
    return folder / "counts.h5ad", [read_shard, read_genes]


def save_pseudobulk(folder: Path) -> tuple[Path, list[Read]]:
    obs = pd.DataFrame({"sample": ["a", "b"]}, index=["a|T", "b|T"])
    sums = sparse.csr_matrix(np.arange(40).reshape(2, 20))
    write_pseudobulk(anndata.AnnData(sums, obs=obs), folder / "pseudobulk.h5ad")
    return folder / "pseudobulk.h5ad", [read_pseudobulk, read_counts]


WRITTEN = [save_table, save_index, save_arrays, save_counts, save_pseudobulk]


@pytest.mark.parametrize("save", WRITTEN)
def test_a_flipped_bit_in_any_part_of_a_file_is_refused_with_its_remedy(
    tmp_path: Path, save: Callable[[Path], tuple[Path, list[Read]]]
) -> None:
    path, readers = save(tmp_path)
    content = path.read_bytes()
    ends = [*range(10), *range(len(content) - 40, len(content))]
    for place in {*np.linspace(0, len(content) - 1, N_PLACES).astype(int), *ends}:
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        for read in readers:
            with pytest.raises(ValueError, match=REFUSED):
                read(path)
    path.write_bytes(content)
    readers[0](path)


@pytest.mark.parametrize("save", [*WRITTEN, save_packed_table])
def test_a_file_that_is_cut_or_empty_or_missing_is_refused_with_its_remedy(
    tmp_path: Path, save: Callable[[Path], tuple[Path, list[Read]]]
) -> None:
    path, readers = save(tmp_path)
    content = path.read_bytes()
    for size in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        for read in readers:
            with pytest.raises(ValueError, match=f"{path.name} is damaged .* and run again"):
                read(path)
    path.unlink()
    for read in readers:
        with pytest.raises(ValueError, match=f"{path.name} is missing: run again"):
            read(path)


def test_a_packed_table_is_refused_or_read_as_it_was(tmp_path: Path) -> None:
    path, _ = save_packed_table(tmp_path)
    content, table = path.read_bytes(), read_table(path)
    outcomes: list[bool | str] = []
    for place in range(0, len(content), 5):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        path.write_bytes(damaged)
        try:
            outcomes.append(read_table(path).equals(table))
        except ValueError as error:
            outcomes.append(str(error))
    refused = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert all(text.endswith("delete it and run again") for text in refused)
    assert False not in outcomes
    assert len(outcomes) - len(refused) <= 2  # the time and the system in the header


def test_a_text_without_its_end_is_refused(tmp_path: Path) -> None:
    write_table(pd.DataFrame({"gene": ["A", "B"], "n": [10, 20]}), tmp_path / "t.tsv")
    samples = pd.DataFrame({"sample": ["a", "b"]}, dtype="str")
    (tmp_path / "s.tsv").write_text(sample_table_text(samples))
    for path, read in ((tmp_path / "t.tsv", read_table), (tmp_path / "s.tsv", read_sample_table)):
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(ValueError, match="the last line has no end"):
            read(path)
    (tmp_path / "map.json").write_text('{"a": 1')
    with pytest.raises(ValueError, match=r"map.json is damaged .*: delete it and run again"):
        read_json(tmp_path / "map.json")


def test_a_damaged_image_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "figure.png"
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, '[[0.5, 0.5, "gene"]]')
    noise = np.random.default_rng(0).integers(0, 255, (40, 40), dtype=np.uint8)
    Image.fromarray(noise).save(path, pnginfo=text)
    content = path.read_bytes()
    assert read_points(path) == [(0.5, 0.5, "gene")]
    for place in np.linspace(0, len(content) - END_MARK, N_PLACES).astype(int):
        damaged = bytearray(content)
        damaged[place] ^= 1 << (place % 8)
        for changed in (bytes(damaged), content[:place]):
            path.write_bytes(changed)
            with pytest.raises(ValueError, match=REFUSED):
                read_points(path)


def test_other_programs_read_files_with_a_checksum(tmp_path: Path) -> None:
    table, _ = save_table(tmp_path)
    assert pd.read_parquet(table)["cell"].tolist()[0] == "a_0"
    assert pq.read_metadata(table).metadata[b"lammscope"].startswith(b"lammscope-crc32:")
    arrays, _ = save_arrays(tmp_path)
    assert np.load(arrays)["space"].sum() == sum(range(9000))
    pseudobulk, _ = save_pseudobulk(tmp_path)
    assert anndata.read_h5ad(pseudobulk).X.sum() == sum(range(40))
