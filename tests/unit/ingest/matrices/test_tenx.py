"""10x HDF5 files: lists of genes are compared as they are stored."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from lammscope.ingest.gene_names.memory import LISTS
from lammscope.ingest.matrices import tenx
from lammscope.ingest.matrices.counts import choose_genes
from lammscope.ingest.matrices.read import inspect_matrix, lacks_symbols
from tests.matrices import mouse_symbols, small_shard, write_tenx_v3

COMPRESSED: dict[str, Any] = {"compression": "gzip", "shuffle": True, "chunks": (16,)}
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
def test_stored_lists_are_equal_only_if_their_names_are(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    other = [*NAMES[:-1], "ENSG99999999999"]
    with h5py.File(tmp_path / "lists.h5", "w") as file:
        first, same, changed, shorter = [
            tenx.stored_bytes(
                file.create_dataset(str(i), data=np.array(names, dtype="S15"), **options)
            )
            for i, names in enumerate((NAMES, NAMES, other, NAMES[:-1]))
        ]
    assert first == same
    assert first not in (changed, shorter)


def test_genes_of_files_with_one_list_are_checked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tenx, "TABLES", {})
    paths = [
        _compress(write_tenx_v3(small_shard(seed=seed), tmp_path / f"{seed}.h5"))
        for seed in range(3)
    ]
    calls = []

    def counted(*features: Any, **options: Any) -> Any:
        calls.append(features)
        return choose_genes(*features, **options)

    monkeypatch.setattr(tenx, "choose_genes", counted)
    inspect_matrix(paths[0])
    once = len(calls)
    assert [inspect_matrix(path) for path in paths[1:]] == ["10x h5 v3"] * 2
    assert not any(lacks_symbols(path) for path in paths)
    assert len(calls) == once


def test_another_species_is_refused_after_a_human_file(tmp_path: Path) -> None:
    human = _compress(write_tenx_v3(small_shard(), tmp_path / "human.h5"))
    mouse = _compress(write_tenx_v3(small_shard(), tmp_path / "mouse.h5"), of_mouse=True)
    inspect_matrix(human)
    with pytest.raises(ValueError, match="mouse"):
        inspect_matrix(mouse)


def test_only_the_last_lists_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tenx, "TABLES", {})
    for n_genes in range(40, 50):
        path = write_tenx_v3(small_shard(n_genes=n_genes), tmp_path / f"{n_genes}.h5")
        inspect_matrix(path)
        assert not tenx.TABLES or n_genes > 40  # text of variable length is not compared
        inspect_matrix(_compress(path))
    assert len(tenx.TABLES) == LISTS
