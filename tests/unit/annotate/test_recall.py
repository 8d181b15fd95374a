"""Recall by number of cells: as in samples that have so few, and numbers corrected for it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC
from lammscope.annotate.macrophage_state import (
    fit_kinds,
    probability_of_macrophages,
    score_state,
    state_probabilities,
)
from lammscope.annotate.recall import (
    MIN_CALLED,
    CalledCells,
    correct_numbers,
    correct_samples,
    measure_recall,
)
from lammscope.annotate.signature import Signature
from lammscope.joint.panel_counts import PanelCounts
from tests.unit.annotate.test_lamm import MACROPHAGE, MONOCYTE, STATE, SYMBOLS, T_CELL

CALLED, DEPTH = 0.9, 1000
SEARCH: dict[str, Any] = {"n_neighbors": 20, "seed": 1, "threads": 1}
ROLES = {"macrophage": MACROPHAGE, "monocyte": MONOCYTE, "t_cell": T_CELL}
# Neighbors of a cell are of its kind if there are some; the kinds overlap a little.
CENTERS = {"macrophage": 0.0, "monocyte": 1.5, "t_cell": 9.0}


def make_cohort(
    macrophages: list[int], *, seed: int, monocytes: int = 80, group: str = "batch"
) -> CalledCells:
    """Call samples with so many macrophages each; all are positive."""
    rng = np.random.default_rng(seed)
    parts = [
        (f"{group}{at}", role, size)
        for at, number in enumerate(macrophages)
        for role, size in (("macrophage", number), ("monocyte", monocytes), ("t_cell", 100))
    ]
    samples, roles = (np.repeat([p[i] for p in parts], [p[2] for p in parts]) for i in (0, 1))
    means = np.array([[ROLES[role][gene] for gene in SYMBOLS] for role in roles])
    counts = sparse.csr_array(rng.poisson(means * DEPTH / 1e4))
    panel = PanelCounts(counts, SYMBOLS, np.full(len(roles), DEPTH))
    place = np.array([CENTERS[role] for role in roles])
    space = place[:, None] + rng.normal(0, 0.3, (len(roles), 3))
    lineage = np.where(roles == "t_cell", "T", MONOCYTIC)
    cells = pd.DataFrame({"sample": samples, "role": roles, "lineage": lineage, "group": group})
    near = lineage_neighbors(space, cells=cells, lineage=MONOCYTIC, within="sample", **SEARCH)
    score = score_state(
        panel,
        neighbors=near,
        samples=samples,
        scored=lineage == MONOCYTIC,
        background=lineage == "T",
        genes=STATE,
    )
    state = state_probabilities(score, groups=cells["group"].to_numpy())["probability"]
    called = np.where(lineage == MONOCYTIC, state, 0)
    cells = cells.assign(
        lamm_score=score, lamm_positive=lineage == MONOCYTIC, lamm_macrophage_like=called
    )
    return CalledCells(cells, panel, space, STATE)


def measure(called: CalledCells) -> pd.DataFrame:
    return measure_recall(called, probability=CALLED, **SEARCH)


def test_recall_is_that_of_samples_that_have_so_few_cells() -> None:
    called = make_cohort([60] * 6, seed=1)
    curves = measure(called)
    curve = curves[curves["group"] == "batch"].set_index("n_cells")["recall"]
    kinds = fit_kinds(called.cells["lamm_score"].dropna().to_numpy())
    for number in (1, 3, 8, 24):
        few = make_cohort([number] * 60, seed=2).cells
        score = few.loc[few["role"] == "macrophage", "lamm_score"].to_numpy()
        true = (probability_of_macrophages(score, kinds) >= CALLED).mean()
        assert curve[number] == pytest.approx(true, abs=0.08)
    assert curve.is_monotonic_increasing
    assert curve[1] < 0.75 * curve[24]
    assert curve.iloc[-1] == 1


def test_groups_have_curves_of_their_own_and_one_together() -> None:
    one, other = (make_cohort([30, 0, 0], seed=3, group=name) for name in ("one", "other"))
    cells = pd.concat([one.cells, other.cells], ignore_index=True)
    counts = PanelCounts(
        sparse.csr_array(sparse.vstack([one.counts.matrix, other.counts.matrix])),
        SYMBOLS,
        np.full(len(cells), DEPTH),
    )
    both = CalledCells(cells, counts, np.vstack([one.space, other.space]), STATE)
    curves = measure(both).groupby("group")
    assert list(curves.groups) == ["all", "one", "other"]
    tried = curves["n_tried"].sum()
    assert tried["all"] == tried["one"] + tried["other"]
    pd.testing.assert_frame_equal(measure(both), measure(both))


def test_samples_that_are_groups_of_their_own_share_the_curve_of_the_largest() -> None:
    called = make_cohort([60, 10, 2], seed=5)
    called.cells["group"] = called.cells["sample"]
    curves = measure(called)
    assert set(curves["group"]) == {"all"}
    assert curves["n_cells"].max() > 50
    assert not curves["n_cells"].between(9, 11).any()  # ten called cells are not all there are
    samples = called.cells["sample"].unique()
    groups = pd.Series(samples, index=samples)
    table = correct_samples(called.cells, curves, samples=groups, probability=CALLED)
    assert (table["n_corrected"] > table["n_called"]).iloc[2]


def test_recall_is_not_measured_for_a_signature() -> None:
    called = make_cohort([30, 30, 30], seed=1)
    genes = Signature(**vars(called.genes), name="MINE", path="mine.gmt", set_names=("MINE_UP",))
    assert measure_recall(replace(called, genes=genes), probability=CALLED, **SEARCH).empty
    assert not measure_recall(called, probability=CALLED, **SEARCH).empty


def test_without_a_sample_with_enough_cells_numbers_stay_as_called() -> None:
    called = make_cohort([MIN_CALLED - 1, 2], seed=4)
    curves = measure(called)
    assert curves.empty
    assert list(curves) == ["group", "n_cells", "recall", "n_tried"]
    groups = pd.Series("batch", index=["batch0", "batch1", "empty"])
    table = correct_samples(called.cells, curves, samples=groups, probability=CALLED)
    assert table["sample"].tolist() == ["batch0", "batch1", "empty"]
    assert table["n_corrected"].tolist() == table["n_called"].tolist()
    assert table["n_called"].iloc[2] == 0
    assert np.isnan(table["recall"].iloc[2])


NUMBERS = np.array([1.0, 2, 4, 8, 16, 32])
RECALL = 1 - np.exp(-NUMBERS / 5)


@given(st.floats(1.5, 60))
def test_the_corrected_number_is_the_one_that_is_expected_to_be_called(number: float) -> None:
    share = float(np.interp(np.log(number), np.log(NUMBERS), RECALL))
    called = number * share - 0.5  # half a cell is added to both
    (found,) = correct_numbers(np.array([called]), n_cells=NUMBERS, recall=RECALL)
    assert found + 0.5 == pytest.approx(number, rel=0.01)


def test_more_called_cells_are_never_fewer_corrected_ones() -> None:
    called = np.arange(0, 60, dtype=float)
    steps = [0.0, 0.0, 0.2, 0.9, 0.9, 1.0]  # a few cells are never found
    found = correct_numbers(called, n_cells=NUMBERS, recall=np.array(steps))
    # Of 3.37 cells 0.2 log2(3.37 / 2) are called, half a cell.
    assert found[0] + 0.5 == pytest.approx(3.37, abs=0.05)
    assert (np.diff(found) > 0).all()
    assert (found >= called).all()
    assert found[40] == 40  # recall of 1 from 32 cells on
    never = correct_numbers(called, n_cells=NUMBERS, recall=np.zeros(6))
    assert never.tolist() == called.tolist()


def test_a_sample_uses_the_curve_of_its_group_or_of_all_and_has_no_more_than_its_cells() -> None:
    curves = pd.DataFrame(
        {"group": ["a", "all"], "n_cells": [5, 5], "recall": [0.5, 0.25], "n_tried": [9, 9]}
    )
    called = {"a1": 4, "b1": 4, "b2": 4}
    cells = pd.DataFrame(
        {
            "sample": np.repeat(list(called), [20, 20, 6]),
            "lineage": MONOCYTIC,
            "lamm_macrophage_like": np.repeat([0.95, 0, 0.95, 0, 0.9, 0], [4, 16, 4, 16, 4, 2]),
        }
    )
    groups = pd.Series({"b2": "b", "a1": "a", "b1": "b"})
    table = correct_samples(cells, curves, samples=groups, probability=CALLED)
    table = table.set_index("sample")
    assert table["n_called"].to_dict() == called
    np.testing.assert_allclose(table["n_corrected"], [8.5, 17.5, 6])
    np.testing.assert_allclose(table["recall"], [4 / 8.5, 4 / 17.5, 4 / 6])
