"""Panel counts of all samples: which genes each library lists, and rows taken from them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.indexed import CellIndex, write_index
from lammscope.core.shards import Shard
from lammscope.joint.panel_counts import PanelCounts, panel_counts, read_panel

SYMBOLS = ["CD14", "C1QA", "S100A8", "NOWHERE"]
CAR = "CAT-scFv|CAR"


def shard(genes: list[str], rows: list[list[int]]) -> Shard:
    table = pd.DataFrame({"gene": [f"ENSG{n}" for n in range(len(genes))], "symbol": genes})
    barcodes = np.array([str(n) for n in range(len(rows))])
    return Shard(sparse.csr_array(np.array(rows, dtype=np.int32)), barcodes, table)


@pytest.fixture
def written(tmp_path: Path) -> tuple[list[Path], CellIndex]:
    """Two files of three samples; c lists neither C1QA nor a CAR, b no S100A8."""
    shards = {
        "a": shard(["S100A8", "CD14", "C1QA", "CAT-scFv"], [[4, 1, 2, 3], [0, 5, 0, 0]]),
        "b": shard(["CD14", "C1QA", "CAR"], [[6, 7, 1]]),
        "c": shard(["CD14", "S100A8"], [[8, 9]]),
    }
    cells = pd.DataFrame({"cell": ["a_0", "a_1", "b_0", "c_0"], "sample": list("aabc")})
    write_index(cells.assign(total_counts=[100, 200, 300, 400]), tmp_path / "cells.parquet")
    index = CellIndex(tmp_path / "cells.parquet")
    paths = []
    for names in (["a", "b"], ["c"]):
        found = [
            panel_counts(
                shards[name],
                positions=np.arange(len(shards[name].barcodes)),
                symbols=SYMBOLS,
                car_features=CAR,
            )
            for name in names
        ]
        counts, genes = zip(*found, strict=True)
        paths.append(tmp_path / f"{'-'.join(names)}.npz")
        index.write_counts(
            paths[-1],
            sparse.csr_array(sparse.vstack(counts)),
            genes=genes[0],
            n_cells=np.array([part.shape[0] for part in counts]),
            present=np.stack([table["present"] for table in genes]),
        )
    return paths, index


def test_the_panel_has_the_genes_of_any_library_and_knows_those_of_each(
    written: tuple[list[Path], CellIndex],
) -> None:
    panel, has_car = read_panel(*written)
    assert panel.symbols == ["CD14", "C1QA", "S100A8", "CAR"]  # NOWHERE is in none
    assert panel.matrix.toarray().tolist() == [
        [1, 2, 4, 3],
        [5, 0, 0, 0],
        [6, 7, 0, 1],
        [8, 0, 9, 0],
    ]
    assert panel.totals.tolist() == [100, 200, 300, 400]
    assert has_car.tolist() == [True, True, True, False]
    lacking = [set(genes) & set(panel.symbols) for genes in panel.absent.values()]
    assert lacking == [set(), {"S100A8"}, {"C1QA", "CAR"}]


def test_rows_that_are_taken_keep_their_library(written: tuple[list[Path], CellIndex]) -> None:
    panel, _ = read_panel(*written)
    taken = panel.take(np.array([3, 0, 2]))
    assert taken.matrix.toarray()[:, 0].tolist() == [8, 1, 6]
    assert taken.totals.tolist() == [400, 100, 300]
    assert taken.absent == panel.absent
    assert taken.symbols == panel.symbols


def test_without_a_list_no_gene_is_absent() -> None:
    panel = PanelCounts(sparse.csr_array(np.eye(2, dtype=np.int32)), ["A", "B"], np.array([1, 1]))
    assert not panel.absent
    assert not panel.take(np.array([1])).absent
