"""Support of LAMM calls by the patient's own cells: no cell of another patient has a say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.special import gammaincc, gammaincinv

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC, call_lamm
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts
from tests.unit.annotate.test_lamm import ORDINARY, ROLES, SYMBOLS, make_settings, plant
from tests.unit.real_cohorts import DEFINERS


def without_definers(counts: PanelCounts, rows: np.ndarray) -> PanelCounts:
    """Remove all UMIs of the defining markers from some cells."""
    matrix = sparse.lil_array(counts.matrix)
    columns = np.flatnonzero(np.isin(counts.symbols, DEFINERS))
    matrix[np.ix_(np.flatnonzero(rows), columns)] = 0
    return replace(counts, matrix=sparse.csr_array(matrix))


def support(
    data: dict[str, Any], patients: np.ndarray, *, level: str = "positive"
) -> tuple[np.ndarray, np.ndarray]:
    """Call cells of some patients; return what is called, and the probability from own cells."""
    cells = data["cells"].assign(patient=patients)
    space = data.get("space")
    if space is None:  # cells of a kind lie together
        kinds = np.unique(cells["cell_type"], return_inverse=True)[1]
        space = (10.0 * kinds + np.random.default_rng(0).random(len(cells)))[:, None]
    own = lineage_neighbors(
        space,
        cells=cells,
        lineage=MONOCYTIC,
        within="patient",
        n_neighbors=20,
        seed=1,
        threads=1,
    )
    found = call_lamm(
        data["counts"],
        neighbors=data["neighbors"],
        sample_neighbors=data["sample_neighbors"],
        own_neighbors=own,
        cells=cells,
        settings=make_settings(level=level),
    )
    return (found["lamm_call"] == "LAMM").to_numpy(), found["lamm_own_patient"].to_numpy()


def few_of_one_patient(roles: np.ndarray, n_cells: int) -> np.ndarray:
    """Give a patient of its own some monocytes, and a share of the T cells."""
    patients = np.full(len(roles), "many")
    patients[np.flatnonzero(roles == "monocyte")[:n_cells]] = "few"
    patients[np.flatnonzero(roles == "t_cell")[:100]] = "few"
    return patients


@pytest.mark.parametrize("level", ["positive", "macrophage_like"])
@pytest.mark.parametrize("n_cells", [1, 3, 10])
def test_cells_without_definers_have_no_support_however_many_others_have(
    n_cells: int, level: str
) -> None:
    roles, data = plant({**ORDINARY, "macrophage": 100}, depth=4000)
    role = "monocyte" if level == "positive" else "macrophage"
    patients = few_of_one_patient(np.where(roles == role, "monocyte", roles), n_cells)
    few = (patients == "few") & (roles == role)
    bare = {**data, "counts": without_definers(data["counts"], few)}
    called, own = support(bare, patients, level=level)
    assert called[few].all()
    assert (own[few] < 0.5).all()
    others = called & (patients == "many")
    assert others.sum() > 50
    assert (own[others] >= 0.5).mean() > 0.98


def test_many_cells_without_definers_contradict_the_call() -> None:
    roles, data = plant(ORDINARY, depth=4000)
    patients = few_of_one_patient(roles, 10)
    few = (patients == "few") & (roles == "monocyte")
    called, own = support({**data, "counts": without_definers(data["counts"], few)}, patients)
    assert (own[called & few] <= 0.1).all()


def test_a_few_real_positive_cells_are_supported() -> None:
    roles, data = plant(ORDINARY, depth=4000)
    patients = few_of_one_patient(roles, 5)
    few = (patients == "few") & (roles == "monocyte")
    called, own = support(data, patients)
    assert called[few].all()
    assert (own[few] >= 0.5).all()


def test_cells_of_other_patients_change_nothing() -> None:
    """Neither their counts, nor their types, nor their ambient RNA."""
    roles, data = plant(ORDINARY, depth=2000)
    patients = few_of_one_patient(roles, 6)
    few = patients == "few"
    data["cells"]["sample"] = np.where(few, "a", "b")
    _, before = support(data, patients)
    counts = data["counts"]
    noise = np.random.default_rng(1).poisson(2, counts.matrix.shape) * ~few[:, None]
    other = replace(counts, matrix=sparse.csr_array(counts.matrix + noise))
    _, after = support({**data, "counts": other}, patients)
    assert (before[few & (roles == "monocyte")] > 0).all()
    assert before[few].tolist() == after[few].tolist()
    assert before[~few].tolist() != after[~few].tolist()


def test_support_of_cells_alone_is_the_posterior_from_even_odds() -> None:
    """Three cells of one kind are all the evidence: there is no prior from others of it."""
    depth, umis = 2000, np.array([0, 2, 5])  # of the three together
    counts = np.zeros((4, len(SYMBOLS)))
    counts[0, :3] = umis
    cells = pd.DataFrame(
        {
            "lineage": [*[MONOCYTIC] * 3, "T"],
            "cell_type": [*["Classical_monocyte"] * 3, "CD8_T"],
            "sample": "a",
            "group": "batch",
        }
    )
    neighbors = np.array([[1, 2], [0, 2], [0, 1], [-1, -1]], dtype=np.int32)
    panel = PanelCounts(sparse.csr_array(counts), SYMBOLS, np.full(4, depth))
    data = {"counts": panel, "neighbors": neighbors, "sample_neighbors": neighbors, "cells": cells}
    _, own = support({**data, "space": np.arange(4.0)[:, None]}, np.full(4, "P1"))
    limit = 2 * np.array([0.01, 0.01, 0.06])  # the least that counts as background
    pooled = 3 * depth / 1e4
    weight = 1 / (1 + 0.02 * np.maximum(umis, limit * pooled))
    rate = gammaincinv(0.5, 0.5) + weight * pooled * limit
    expected = gammaincc(0.5 + weight * umis, rate).prod()
    assert own[:3].tolist() == pytest.approx([expected] * 3)
    assert own[3] == 0


def test_other_cells_of_the_type_count_for_at_most_the_prior_counts() -> None:
    """Whether ten or a thousand of them lack the markers, a positive neighborhood is believed."""
    bare = {**ROLES["monocyte"][0], **dict.fromkeys(DEFINERS, 0.0)}
    for n_cells in (60, 1000):
        roles, data = plant(
            {"t_cell": 200, "monocyte": 25, "bare": n_cells}, depth=4000, rates={"bare": bare}
        )
        space = 50.0 * (roles == "monocyte") + np.random.default_rng(0).random(len(roles))
        _, own = support({**data, "space": space[:, None]}, np.full(len(roles), "P1"))
        assert (own[roles == "monocyte"] >= 0.5).mean() > 0.95
        assert (own[roles == "bare"] <= 0.1).all()


def test_a_few_macrophages_among_lymphocytes_are_no_background() -> None:
    """With only macrophages, those that are typed as T cells are all the background there is."""
    shares = []
    for seed in range(5):
        roles, data = plant({"macrophage": 100}, depth=1500, seed=seed)
        lineage = np.where(np.arange(len(roles)) < 3, "T", MONOCYTIC)
        data["cells"]["lineage"] = lineage
        called, own = support(data, np.full(len(roles), "P1"))
        assert not called[lineage == "T"].any()
        shares.append([called[3:].mean(), (own[3:] >= 0.5).mean()])
    assert np.mean(shares, axis=0).min() > 0.9


@pytest.mark.real_data
def test_real_monocytes_lose_support_only_where_their_definers_are_gone(
    real_data: Callable[[str], Path],
) -> None:
    cohort = real_cohorts.pbmc_facs(real_data("pbmc_facs"))
    cells = cohort.cells.assign(group="beads", sample="beads")
    patients = np.where(np.arange(len(cells)) % 2, "odd", "even")
    monocytic = (cells["lineage"] == MONOCYTIC).to_numpy()
    near = lineage_neighbors(
        cohort.space,
        cells=cells,
        lineage=MONOCYTIC,
        within="sample",
        n_neighbors=20,
        seed=1,
        threads=1,
    )
    data = {"neighbors": cohort.neighbors, "sample_neighbors": near, "cells": cells}
    data["space"], odd = cohort.space, patients == "odd"
    called, own = support({**data, "counts": cohort.counts}, patients)
    assert (own[called] >= 0.5).mean() > 0.9
    bare = without_definers(cohort.counts, odd & monocytic)
    called, own = support({**data, "counts": bare}, patients)
    assert called[odd & monocytic].mean() > 0.5  # by the other patient's cells
    assert (own[called & odd] <= 0.1).all()
    assert (own[called & ~odd] >= 0.5).mean() > 0.9
