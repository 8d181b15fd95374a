"""Calls of cells put together: neighbours of the patient alone, populations."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.annotate.calls import call_cells, neighbors_within_patients
from lammscope.annotate.lamm_settings import CallSettings, load_references
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.core.pooling import neighbor_pooling
from lammscope.joint.gene_names import check_definers
from lammscope.joint.neighbors import find_neighbors_within
from tests.unit.annotate.test_lamm import ORDINARY, REFERENCES, SETTINGS, plant


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


def test_neighbors_within_patients_are_monocytic_cells_of_the_same_patient() -> None:
    space = np.array([[0.0], [0.1], [0.2], [0.3], [0.4]])
    cells = pd.DataFrame({"patient": ["P1", "P1", "P2", "P1", "P2"]})
    cells["lineage"] = ["monocytic", "T", "monocytic", "monocytic", "monocytic"]
    found = neighbors_within_patients(space, cells=cells, n_neighbors=2, seed=1, threads=1)
    assert found.tolist() == [[3, -1], [-1, -1], [4, -1], [0, -1], [2, -1]]


def test_no_neighbor_adds_nothing() -> None:
    pooling = neighbor_pooling(np.array([[1, -1], [-1, -1], [0, 1]], dtype=np.int32))
    assert pooling.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [1, 1, 1]]


@pytest.mark.parametrize("alone", [False, True])
def test_a_call_says_whether_the_patient_alone_bears_it(alone: bool) -> None:
    roles, data = plant({**ORDINARY, "strong": 200}, depth=4000)
    planted = roles == "strong"
    space = np.where(planted, 10.0, 0.0) + np.random.default_rng(0).random(len(roles))
    patient = np.where(np.arange(len(roles)) % 2, "P1", "P2")
    if alone:  # patient P3 has one such cell, near those of the others
        patient[np.flatnonzero(planted)[0]] = "P3"
        patient[np.flatnonzero(roles == "monocyte")[:40]] = "P3"
    cells: Any = {"sample": patient, "patient": patient}
    cells = pd.DataFrame(cells | {name: data[name] for name in ("lineage", "cell_type")})
    result = call_cells(
        cells,
        data["counts"],
        neighbors=data["neighbors"],
        own_neighbors=neighbors_within_patients(
            space[:, None], cells=cells, n_neighbors=20, seed=1, threads=1
        ),
        settings=CallSettings.from_config(SETTINGS, references=load_references(REFERENCES)),
        car=pd.DataFrame({"car": "negative", "car_probability": 0.0}, index=cells.index),
    )
    called = (result["lamm_call"] == "LAMM").to_numpy()
    assert called[planted].mean() > 0.9
    assert (result.loc[called, "population"] == "LAMM").all()
    own = result["lamm_own_patient"].to_numpy()
    assert (own[called & (patient != "P3")] >= 0.5).mean() > 0.95
    if alone:
        assert own[np.flatnonzero(planted)[0]] < 0.5


def test_t_cells_that_may_be_car_t_cells_are_a_population_of_their_own() -> None:
    roles, data = plant({"t_cell": 30, "monocyte": 60})
    cells: Any = {"sample": "P1", "patient": "P1"}
    cells = pd.DataFrame(cells | {name: data[name] for name in ("lineage", "cell_type")})
    of_t = np.flatnonzero(roles == "t_cell")
    car = pd.DataFrame({"car": "negative", "car_probability": 0.0}, index=cells.index)
    car.loc[of_t[:3], "car"] = ["positive", "unknown", "unknown"]
    car.loc[of_t[:3], "car_probability"] = [0.95, 0.5, np.nan]  # NaN: there is no CAR feature
    result = call_cells(
        cells,
        data["counts"],
        neighbors=data["neighbors"],
        own_neighbors=data["neighbors"],
        settings=CallSettings.from_config(SETTINGS, references=load_references(REFERENCES)),
        car=car,
    )
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
