"""Agreement of cells in type: certain cells agree with their own, empty ones with all."""

import numpy as np
import pytest
from scipy import sparse

from lammscope.annotate.agreement import agreement, name_states, type_probabilities
from lammscope.annotate.panel import Panel, load_panel, panel_symbols
from tests.unit import real_cohorts


@pytest.fixture(scope="module")
def panel() -> Panel:
    return load_panel(real_cohorts.PANEL)


def cells(panel: Panel, *genes: dict[str, int]) -> sparse.csr_array:
    symbols = panel_symbols(panel)
    return sparse.csr_array([[own.get(symbol, 0) for symbol in symbols] for own in genes])


T_CELL = {"CD3D": 4, "CD3E": 4, "CD8A": 4, "CD8B": 5, "TRAC": 2, "CCL5": 6, "GZMK": 2}
MACROPHAGE = {"C1QA": 5, "C1QB": 5, "C1QC": 3, "LYZ": 9, "CST3": 9, "CD68": 2, "APOE": 8}
NOTHING: dict[str, int] = {}


def likely(panel: Panel, *genes: dict[str, int], depth: float = 2000) -> np.ndarray:
    counts = cells(panel, *genes)
    totals = np.full(counts.shape[0], depth)
    return type_probabilities(counts, totals, panel=panel, genes=panel_symbols(panel))


def test_probabilities_follow_the_markers_and_add_up_to_one(panel: Panel) -> None:
    found = likely(panel, T_CELL, MACROPHAGE, NOTHING)
    names = [cell_type.name for cell_type in panel.types]
    assert found.shape == (3, len(names) + 1)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert names[found[0].argmax()] == "CD8_T"
    assert names[found[1].argmax()] == "Macrophage"
    assert found[2].argmax() == len(names)


def test_markers_that_the_data_lack_are_ignored(panel: Panel) -> None:
    symbols = [gene for gene in panel_symbols(panel) if gene != "TRAC"]
    keep = [panel_symbols(panel).index(gene) for gene in symbols]
    counts = cells(panel, {**T_CELL, "TRAC": 0}, MACROPHAGE)
    without = type_probabilities(counts[:, keep], np.full(2, 2000.0), panel=panel, genes=symbols)
    names = [cell_type.name for cell_type in panel.types]
    own = names.index("CD8_T")
    assert without[0, own] >= likely(panel, {**T_CELL, "TRAC": 0}, MACROPHAGE)[0, own]


def test_certain_cells_agree_with_their_own_and_shallow_ones_with_all(panel: Panel) -> None:
    probabilities = likely(panel, T_CELL, T_CELL, MACROPHAGE)
    shallow = likely(panel, {"CST3": 1}, depth=100)
    everyone = np.vstack([probabilities, shallow])
    found = agreement(np.array([[1, 2, -1], [0, 1, 2]]), everyone, rows=np.array([0, 3])).toarray()
    assert found.shape == (2, 4)
    assert found[0, 1] > 0.8
    assert found[0, 2] < 0.01
    assert found[0, 0] == 0  # not named as a neighbor
    assert (found[1, :3] > 100 * found[0, 2]).any()


def test_a_state_needs_its_own_markers(panel: Panel) -> None:
    cycling = {**T_CELL, "MKI67": 2, "TOP2A": 3, "CENPF": 2, "NUSAP1": 1, "UBE2C": 1}
    counts = cells(panel, T_CELL, cycling, NOTHING)
    found = name_states(counts, np.full(3, 2000.0), panel=panel, genes=panel_symbols(panel))
    assert found.tolist() == ["", "cycling", ""]


def test_ambient_rna_is_more_of_a_cell_with_few_umis(panel: Panel) -> None:
    monocyte = {"LYZ": 40, "CST3": 30, "S100A8": 60, "S100A9": 80, "FCN1": 10, "TYROBP": 30}
    small = {"FCGR3B": 1, "CSF3R": 2, "S100A8": 8, "S100A9": 9, "LYZ": 5, "CST3": 3, "TYROBP": 3}
    own = [cell_type.name for cell_type in panel.types].index("Neutrophil")
    found = []
    for part in (1, 10):  # the same rates, in cells ten times as large, or as small as this one
        others = {gene: number // part for gene, number in monocyte.items()}
        counts = cells(panel, *[others] * 50, small)
        totals = np.array([*[4000.0 / part] * 50, 400.0])
        likely_types = type_probabilities(counts, totals, panel=panel, genes=panel_symbols(panel))
        found.append(likely_types[-1, own])
    assert found[0] > 2 * found[1]
