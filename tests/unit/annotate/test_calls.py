"""Calls of cells put together: neighbors of the patient alone, populations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.calls import call_cells, lineage_neighbors
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.core.pooling import neighbor_pooling
from lammscope.joint.gene_names import check_definers
from lammscope.joint.neighbors import find_neighbors_within
from tests.unit.annotate.test_lamm import ORDINARY, STATE, SYMBOLS, make_settings, plant


def test_neighbors_within_a_group_stay_there_and_are_the_nearest() -> None:
    space = np.array([[0.0], [1.0], [2.5], [2.6], [9.0], [9.1]])
    groups = np.array(["a", "b", "a", "a", "", "b"])
    found = find_neighbors_within(space, groups=groups, n_neighbors=3, seed=1, threads=1)
    assert found.tolist() == [
        [2, 3, -1],
        [5, -1, -1],
        [3, 0, -1],
        [2, 0, -1],
        [-1, -1, -1],
        [1, -1, -1],
    ]


@pytest.mark.parametrize(
    ("lineage", "within", "expected"),
    [
        ("monocytic", "patient", [[3, -1], [-1, -1], [4, -1], [0, -1], [2, -1]]),
        ("monocytic", "sample", [[-1, -1], [-1, -1], [4, -1], [-1, -1], [2, -1]]),
        ("T", "patient", [[-1, -1]] * 5),
    ],
)
def test_neighbors_of_a_lineage_stay_in_their_patient_or_sample(
    lineage: str, within: str, expected: list[list[int]]
) -> None:
    space = np.array([[0.0], [0.1], [0.2], [0.3], [0.4]])
    cells = pd.DataFrame({"patient": ["P1", "P1", "P2", "P1", "P2"]})
    cells["sample"] = ["P1_pre", "P1_pre", "P2_pre", "P1_post", "P2_pre"]
    cells["lineage"] = ["monocytic", "T", "monocytic", "monocytic", "monocytic"]
    found = lineage_neighbors(
        space, cells=cells, lineage=lineage, within=within, n_neighbors=2, seed=1, threads=1
    )
    assert found.tolist() == expected


def test_no_neighbor_adds_nothing() -> None:
    pooling = neighbor_pooling(np.array([[1, -1], [-1, -1], [0, 1]], dtype=np.int32))
    assert pooling.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [1, 1, 1]]


def call_planted(
    data: dict[str, Any],
    *,
    own_neighbors: np.ndarray | None = None,
    car: Any = None,
    **settings: Any,
) -> pd.DataFrame:
    if car is None:
        car = {"car": "negative", "car_probability": 0.0}
    arguments = dict(data)
    cells = arguments.pop("cells")
    return call_cells(
        cells,
        arguments.pop("counts"),
        own_neighbors=data["neighbors"] if own_neighbors is None else own_neighbors,
        settings=make_settings(**settings),
        car=pd.DataFrame(car, index=cells.index),
        **arguments,
    )


@pytest.mark.parametrize("alone", [False, True])
def test_a_call_says_whether_the_patient_alone_bears_it(alone: bool) -> None:
    """A cell without transcripts of its own is positive only for the sake of its neighbors."""
    roles, data = plant({**ORDINARY, "macrophage": 200, "no_signal": 40}, depth=4000)
    planted = roles == "macrophage"
    patient = np.where(np.arange(len(roles)) % 2, "P1", "P2")
    first = int(np.flatnonzero(planted)[0])
    if alone:  # patient P3 has one such cell, near those of others, and monocytes without signal
        patient[first] = "P3"
        patient[roles == "no_signal"] = "P3"
        counts = data["counts"].matrix.tolil()
        counts[first, :3] = 0
        data["counts"] = replace(data["counts"], matrix=sparse.csr_array(counts))
    cells = data["cells"].assign(patient=patient)
    space = np.where(planted, 10.0, 0.0) + np.random.default_rng(0).random(len(roles))
    own_neighbors = lineage_neighbors(
        space[:, None],
        cells=cells,
        lineage="monocytic",
        within="patient",
        n_neighbors=20,
        seed=1,
        threads=1,
    )
    result = call_planted({**data, "cells": cells}, own_neighbors=own_neighbors, level="positive")
    called = (result["lamm_call"] == "LAMM").to_numpy()
    assert called[planted].mean() > 0.9
    own = result["lamm_own_patient"].to_numpy()
    assert (own[called & (patient != "P3")] >= 0.5).mean() > 0.95
    if alone:
        assert called[first]
        assert own[first] < 0.5


def test_populations_are_cell_types_whatever_the_lamm_call() -> None:
    roles, data = plant({**ORDINARY, "macrophage": 60}, depth=4000)
    for level in ("positive", "macrophage_like"):
        result = call_planted(data, level=level)
        called = result["lamm_call"] == "LAMM"
        assert called.any()
        assert result["population"].tolist() == data["cells"]["cell_type"].tolist()
        assert "group" not in result
        of_level = result[f"lamm_{level}"] >= 0.9
        assert called.tolist() == of_level.tolist()
        own = result["lamm_own_patient"]
        assert (own[called] >= 0.5).mean() > 0.95
        supported = (own[roles == "monocyte"] >= 0.5).mean()
        assert supported > 0.95 if level == "positive" else supported < 0.05


def test_samples_without_the_genes_of_the_state_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    roles, data = plant(ORDINARY)
    call_planted(data)
    assert not caplog.records
    symbols = [f"NO_{name}" if name in STATE.symbols else name for name in SYMBOLS]
    result = call_planted({**data, "counts": replace(data["counts"], symbols=symbols)})
    (warning,) = caplog.messages
    assert warning.startswith("samples a, b: too few genes of `lamm.state_genes` (at least 5")
    n_genes = len(STATE.symbols)
    assert f"no matrix has {n_genes} of its {n_genes}, e.g. {STATE.symbols[0]})" in warning
    listed = [*symbols, *STATE.symbols]  # in another sample
    counts = data["counts"]
    empty = sparse.csr_array((len(roles), len(STATE.symbols)), dtype=counts.matrix.dtype)
    matrix = sparse.csr_array(sparse.hstack([counts.matrix, empty]))
    absent = {"a": STATE.symbols}
    call_planted({**data, "counts": replace(counts, matrix=matrix, symbols=listed, absent=absent)})
    assert caplog.messages[1].startswith("sample a: too few genes")
    assert "no matrix" not in caplog.messages[1]
    monocytic = roles != "t_cell"
    assert (result.loc[monocytic, "lamm_call"] == "uncertain").mean() > 0.9
    assert (result["lamm_call"] != "LAMM").all()


def test_t_cells_that_may_be_car_t_cells_are_a_population_of_their_own() -> None:
    roles, data = plant({"t_cell": 30, "monocyte": 60})
    cells = data["cells"]
    car: Any = pd.DataFrame({"car": "negative", "car_probability": 0.0}, index=cells.index)
    of_t = np.flatnonzero(roles == "t_cell")
    car.loc[of_t[0], :] = ["positive", 0.95]
    car.loc[of_t[1], :] = ["unknown", 0.5]
    car.loc[of_t[2], :] = ["unknown", np.nan]  # a matrix without a CAR feature
    result = call_planted(data, car=car)
    own = cells.loc[of_t[0], "cell_type"]
    assert result.loc[of_t[:4], "population"].tolist() == ["CAR_T", UNKNOWN_CAR_T, own, own]
    assert result.loc[of_t[:4], "cell_type"].tolist() == ["CAR_T", own, own, own]
    assert set(result.loc[of_t, "lineage"]) == {"T"}


def test_a_definer_that_no_sample_has_is_refused_with_near_names() -> None:
    check_definers(["CSF1R"], symbols=["CSF1R", "CD14"])
    with pytest.raises(
        ValueError, match=r"CSFR1 is not a gene of any sample \(similar names: CSF1R"
    ):
        check_definers(["CD14", "CSFR1"], symbols=["CD14", "CSF1R"])
