"""10x HDF5 files: lists of genes are compared as they are stored."""

from pathlib import Path

import h5py
import numpy as np
import pytest

from lammscope.ingest.matrices import tenx
from lammscope.ingest.matrices.read import inspect_matrix, lacks_symbols
from tests.matrices import mouse_symbols, small_shard, write_tenx_v3

COMPRESSED = {"compression": "gzip", "shuffle": True, "chunks": (16,)}
NAMES = [f"ENSG{number:011d}" for number in range(60)]


def _compress(path: Path, *, of_mouse: bool = False) -> Path:
    """Write the features as Cell Ranger does: text of fixed length, compressed in chunks."""
    with h5py.File(path, "r+") as file:
        features = file["matrix/features"]
        for name in list(features):
            values = features[name].asstr()[:]
            if of_mouse and name == "name":
                values = np.array(mouse_symbols(len(values)))
            elif of_mouse:
                values = np.char.replace(values.astype(str), "ENSG", "ENSMUSG")
            del features[name]
            features.create_dataset(name, data=values.astype("S"), **COMPRESSED)
    return path


@pytest.mark.parametrize("options", [COMPRESSED, {}], ids=["compressed", "plain"])
@pytest.mark.parametrize("dtype", ["S15", h5py.string_dtype()], ids=["fixed", "any length"])
def test_stored_lists_are_equal_only_if_their_names_are(tmp_path, options, dtype):
    other = [*NAMES[:-1], "ENSG99999999999"]
    with h5py.File(tmp_path / "lists.h5", "w") as file:
        first, same, changed, shorter = [
            tenx.stored_bytes(
                file.create_dataset(str(i), data=np.array(names, dtype), dtype=dtype, **options)
            )
            for i, names in enumerate((NAMES, NAMES, other, NAMES[:-1]))
        ]
    assert first == same
    assert first not in (changed, shorter)


def test_genes_of_files_with_one_list_are_checked_once(tmp_path, monkeypatch):
    monkeypatch.setattr(tenx, "CHECKED", {})
    paths = [
        _compress(write_tenx_v3(small_shard(seed=seed), tmp_path / f"{seed}.h5"))
        for seed in range(3)
    ]
    calls = []
    choose = tenx.choose_genes
    monkeypatch.setattr(tenx, "choose_genes", lambda *a, **k: calls.append(1) or choose(*a, **k))
    inspect_matrix(paths[0])
    once = len(calls)
    assert [inspect_matrix(path) for path in paths[1:]] == ["10x h5 v3"] * 2
    assert not any(lacks_symbols(path) for path in paths)
    assert len(calls) == once


def test_another_species_is_refused_after_a_human_file(tmp_path):
    human = _compress(write_tenx_v3(small_shard(), tmp_path / "human.h5"))
    mouse = _compress(write_tenx_v3(small_shard(), tmp_path / "mouse.h5"), of_mouse=True)
    inspect_matrix(human)
    with pytest.raises(ValueError, match="mouse"):
        inspect_matrix(mouse)


def test_only_the_last_lists_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(tenx, "CHECKED", {})
    for n_genes in range(40, 50):
        inspect_matrix(write_tenx_v3(small_shard(n_genes=n_genes), tmp_path / f"{n_genes}.h5"))
    assert len(tenx.CHECKED) == tenx.LISTS
