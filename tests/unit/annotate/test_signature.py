"""A user's signature: levels from the data, scores, and calls without reference data."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.lamm import MONOCYTIC, call_lamm
from lammscope.annotate.lamm_settings import CallSettings
from lammscope.annotate.macrophage_state import (
    MIN_ORDINARY,
    N_NEIGHBORS,
    OWN,
    TOO_FEW_GENES,
    StateGenes,
    load_state_genes,
    state_probabilities,
)
from lammscope.annotate.signature import (
    LEAST_LEVEL,
    NO_REFERENCE,
    NO_SUCH_STATE,
    QUANTILE,
    Signature,
    check_listed,
    estimate_levels,
    judge_cells,
    list_genes,
    load_state,
    score_cells,
)
from lammscope.core.rates import activity
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts
from tests.unit.annotate.test_lamm import ORDINARY, REFERENCES, SETTINGS, STATE, plant
from tests.unit.annotate.test_score_kinds import draw
from tests.unit.real_cohorts import INTERFERON, STATE_GENES

UP, DOWN = [f"U{n}" for n in range(5)], [f"D{n}" for n in range(5)]
CALLED = 0.9


def signature(up: Sequence[str] = UP, down: Sequence[str] = ()) -> Signature:
    return Signature(
        symbols=(*up, *down),
        of_macrophages=np.arange(len(up) + len(down)) < len(up),
        levels=np.full(len(up) + len(down), np.nan),
        name="MINE",
        path="mine.gmt",
        set_names=("MINE_UP", "MINE_DN") if down else ("MINE_UP",),
    )


def write_gmt(folder: Path, **sets: Sequence[str]) -> Path:
    path = folder / "mine.gmt"
    path.write_text("".join("\t".join([name, "", *genes]) + "\n" for name, genes in sets.items()))
    return path


def score(rows: np.ndarray, genes: Signature, **absent: list[str]) -> np.ndarray:
    """Score single cells of sample `a`, of 10,000 UMIs."""
    n_cells = len(rows)
    matrix = sparse.csr_array(rows.astype(np.int32))
    return score_cells(
        PanelCounts(matrix, list(genes.symbols), np.full(n_cells, 10_000), absent),
        neighbors=np.full((n_cells, N_NEIGHBORS), -1),
        samples=np.full(n_cells, "a"),
        scored=np.full(n_cells, True),
        background=np.full(n_cells, False),
        genes=genes,
    )


def test_a_table_is_read_and_judged_as_before() -> None:
    found, same = load_state(STATE_GENES), load_state_genes(STATE_GENES)
    assert found.symbols == same.symbols
    assert not isinstance(found, Signature)
    scores, groups = np.random.default_rng(0).normal(-0.5, 0.2, 200), np.full(200, "a")
    table = judge_cells(scores, groups=groups, genes=found)
    pd.testing.assert_frame_equal(table, state_probabilities(scores, groups=groups))


def test_a_gene_set_file_is_a_signature(tmp_path: Path) -> None:
    found = load_state(write_gmt(tmp_path, MINE_DN=DOWN, MINE_UP=UP))
    assert isinstance(found, Signature)
    assert found.symbols == (*UP, *DOWN)
    assert found.name == "MINE"
    assert found.set_names == ("MINE_UP", "MINE_DN")
    assert [side.sum() for side in found.sides] == [5, 5]
    (alone,) = load_state(write_gmt(tmp_path, MINE=UP)).sides
    assert alone.sum() == 5


def test_levels_are_a_high_quantile_of_known_rates_and_not_below_stray_umis() -> None:
    rates = np.random.default_rng(0).gamma(2, [5, 0.01, 5], (500, 3))
    rates[:400, 2] = np.nan
    levels = estimate_levels(rates)
    assert levels[0] == np.quantile(rates[:, 0], QUANTILE)
    assert levels[1] == LEAST_LEVEL
    assert levels[2] == np.quantile(rates[400:, 2], QUANTILE)
    assert estimate_levels(np.full((3, 1), np.nan)) == LEAST_LEVEL


def test_the_score_is_the_activity_of_the_up_set_less_that_of_the_down_set() -> None:
    rows = np.random.default_rng(0).poisson(20, (300, 10))
    with_down, up_alone = signature(down=DOWN), signature()
    active = activity(rows.astype(float), np.quantile(rows, QUANTILE, axis=0))
    up, down = active[:, :5].mean(axis=1), active[:, 5:].mean(axis=1)
    assert score(rows, with_down) == pytest.approx(up - down, rel=1e-4)
    assert score(rows[:, :5], up_alone) == pytest.approx(up, rel=1e-4)
    assert np.isnan(score(rows, with_down, a=["D0"])).all()  # four genes of the down set


def test_cells_in_the_state_are_called_beside_ordinary_ones_of_their_group() -> None:
    scores, groups, truth = draw({"a": (500, 60), "b": (400, 0), "c": (100, 30)})
    found = judge_cells(scores, groups=groups, genes=signature())
    assert set(found["reference"]) == {OWN}
    called = found["probability"] >= CALLED
    assert called[truth].mean() > 0.95
    assert called[~truth].mean() < 0.005


def test_a_group_without_ordinary_cells_is_uncertain() -> None:
    few = MIN_ORDINARY - 10
    scores, groups, _ = draw({"a": (500, 80), "tumor": (0, 100), "small": (few, 3)})
    found = judge_cells(scores, groups=groups, genes=signature())
    for name in ("tumor", "small"):
        assert set(found["reference"][groups == name]) == {NO_REFERENCE}
        assert set(found["probability"][groups == name]) == {0.5}
    assert set(found["reference"][groups == "a"]) == {OWN}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_called_where_all_cells_are_of_one_kind(seed: int) -> None:
    scores, groups, _ = draw({"a": (500, 0), "b": (300, 0)}, seed=seed)
    found = judge_cells(scores, groups=groups, genes=signature())
    assert set(found["reference"]) == {NO_SUCH_STATE}
    assert set(found["probability"]) == {0.0}


def test_a_group_far_above_the_others_has_no_reference_although_nothing_is_separate() -> None:
    # Blood and a tumor of macrophages alone: is it the state, or another chemistry?
    scores, groups, _ = draw({"blood": (400, 0), "tumor": (0, 200)})
    found = judge_cells(scores, groups=groups, genes=signature())
    assert set(found["reference"][groups == "blood"]) == {NO_SUCH_STATE}
    assert set(found["reference"][groups == "tumor"]) == {NO_REFERENCE}
    assert set(found["probability"][groups == "tumor"]) == {0.5}


def test_cells_without_a_score_are_uncertain() -> None:
    found = judge_cells(np.full(3, np.nan), groups=["a"] * 3, genes=signature())
    assert set(found["reference"]) == {TOO_FEW_GENES}
    assert set(found["probability"]) == {0.5}


def listing(**genes: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Which symbols each sample has, as `panel_counts` says it."""
    return {
        sample: pd.DataFrame({"symbol": [*UP, *DOWN], "present": np.isin([*UP, *DOWN], known)})
        for sample, known in genes.items()
    }


def test_a_library_that_lists_few_genes_of_a_set_is_named(caplog: pytest.LogCaptureFixture) -> None:
    genes = listing(P1=[*UP, *DOWN], P2=[*UP[:4], *DOWN], P3=[])
    check_listed(signature(down=DOWN), genes=genes, n_cells=[9, 9, 9])
    assert (
        "mine.gmt: set `MINE_UP` has 5 genes (U0, U1, U2, U3, U4); fewer than 5 of them are in the "
        "matrix of P2 (4), P3 (0), whose cells are not scored"
    ) in caplog.text
    caplog.clear()
    check_listed(signature(down=DOWN), genes=genes, n_cells=[9, 0, 0])  # they have no cells
    assert not caplog.text


def test_a_signature_that_no_library_lists_is_refused() -> None:
    genes = listing(P1=[*UP, "D1"], P2=UP)
    with pytest.raises(ValueError, match="`MINE_DN` has 5 genes") as caught:
        check_listed(signature(down=DOWN), genes=genes, n_cells=[1, 1])
    assert str(caught.value).endswith("matrix of P1 (1), P2 (0); give symbols as in the matrices")


def test_a_table_is_not_checked_for_listed_genes() -> None:
    check_listed(STATE, genes=listing(P1=[]), n_cells=[5])


def test_listed_genes_are_counted_by_sample_and_set() -> None:
    counts = PanelCounts(
        sparse.csr_array((2, 9)), [*UP, *DOWN[:4]], np.ones(2), {"P1": [], "P2": ["U1", "U3"]}
    )
    found = list_genes(signature(down=DOWN), counts)
    assert found.to_numpy().tolist() == [
        ["P1", "MINE_UP", 5, 5, ""],
        ["P1", "MINE_DN", 5, 4, "D4"],
        ["P2", "MINE_UP", 5, 3, "U1, U3"],
        ["P2", "MINE_DN", 5, 4, "D4"],
    ]
    of_table = list_genes(StateGenes(("U0", "D0"), np.array([True, False]), np.ones(2)), counts)
    assert of_table["set"].tolist() == ["macrophage", "monocyte"] * 2


def call(data: dict[str, Any], state: StateGenes) -> pd.DataFrame:
    settings = CallSettings.read(SETTINGS, references=REFERENCES, state_genes=STATE_GENES)
    arguments = dict(data)
    return call_lamm(arguments.pop("counts"), settings=replace(settings, state=state), **arguments)


@pytest.mark.parametrize("with_down", [True, False])
def test_genes_of_macrophages_without_levels_find_macrophages(with_down: bool) -> None:
    genes = np.array(STATE.symbols)
    of_state = genes[STATE.of_macrophages].tolist()
    others = genes[~STATE.of_macrophages].tolist() if with_down else []
    roles, data = plant({**ORDINARY, "macrophage": 60}, depth=2500)
    found = call(data, signature(of_state, others))
    like = found["lamm_macrophage_like"] >= CALLED
    assert like[roles == "macrophage"].mean() > 0.8
    assert like[roles != "macrophage"].mean() < 0.01
    # The published definition does not read the state.
    pd.testing.assert_series_equal(found["lamm_positive"], call(data, STATE)["lamm_positive"])
    assert found["lamm_score"].isna().equals(call(data, STATE)["lamm_score"].isna())


def test_without_cells_in_the_state_none_is_called() -> None:
    _, data = plant(ORDINARY, depth=2500)
    genes = np.array(STATE.symbols)
    found = call(data, signature(genes[STATE.of_macrophages].tolist()))
    assert found["lamm_macrophage_like"].max() == 0
    assert set(found["lamm_reference"]) == {NO_SUCH_STATE, ""}


def real_data_of(cohort: real_cohorts.Cohort, groups: np.ndarray | pd.Series) -> dict[str, Any]:
    """What calls of a real cohort take, with these groups of libraries."""
    near = lineage_neighbors(
        cohort.space,
        cells=cohort.cells,
        lineage=MONOCYTIC,
        within="sample",
        n_neighbors=20,
        seed=1,
        threads=2,
    )
    return {
        "counts": cohort.counts,
        "neighbors": cohort.neighbors,
        "sample_neighbors": near,
        "cells": cohort.cells.assign(group=groups),
    }


@pytest.mark.real_data
@pytest.mark.parametrize("with_down", [True, False])
def test_genes_of_macrophages_call_no_monocyte_of_car_t_patients(
    real_data: Callable[[str], Path], with_down: bool
) -> None:
    cohort = real_cohorts.carpall(real_data("carpall"))
    genes = np.array(STATE.symbols)
    down = genes[~STATE.of_macrophages].tolist() if with_down else []
    mine = signature(genes[STATE.of_macrophages].tolist(), down)
    found = call(real_data_of(cohort, cohort.cells["sample"]), mine)
    monocytic = cohort.cells["lineage"] == MONOCYTIC
    assert monocytic.sum() > 900
    assert (found["lamm_macrophage_like"][monocytic] >= CALLED).mean() <= 0.01


@pytest.mark.real_data
def test_interferon_genes_find_stimulated_monocytes_of_lupus_blood(
    real_data: Callable[[str], Path],
) -> None:
    cohort = real_cohorts.kang_ifnb(real_data("kang_ifnb"))
    stimulated = (cohort.cells["stim"] == "stim").to_numpy()
    classical = (cohort.cells["seurat_annotations"] == "CD14 Mono").to_numpy()
    for group, n_states in ((np.full(len(stimulated), "both"), 2), (cohort.cells["stim"], 1)):
        found = call(real_data_of(cohort, group), signature(INTERFERON))
        like = found["lamm_macrophage_like"] >= CALLED
        assert like[classical & ~stimulated].mean() <= 0.05
        # Without ordinary cells in their group, stimulated ones are uncertain.
        assert (like[classical & stimulated].mean() > 0.8) == (n_states == 2)
