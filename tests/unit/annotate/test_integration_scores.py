"""The scores of joint spaces, and the choice between them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.integration_scores import (
    Evidence,
    _apart,
    choose_method,
    draw_cells,
    score_integration,
)
from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.joint.neighbors import find_neighbors_within
from lammscope.joint.panel_counts import PanelCounts
from tests.unit.annotate.test_lamm import MACROPHAGE, MONOCYTE, T_CELL, make_settings
from tests.unit.real_cohorts import PANEL

SEARCH: dict[str, Any] = {"n_neighbors": 15, "resolution": 1.0, "seed": 1, "threads": 1}
ANNOTATION = {"min_score": 0.25, "min_margin": 0.03, "cluster_weight": 2000}
PER_SAMPLE = {"T": 120, "monocyte": 100, "LAMM": 40}
OF_MYELOID = {"LYZ": 80, "CST3": 40, "FCER1G": 15, "TYROBP": 20, "AIF1": 12}
RATES = {
    "T": {**T_CELL, "IL7R": 8, "CD2": 6, "IL32": 12},
    "monocyte": {**MONOCYTE, **OF_MYELOID},
    "LAMM": {**MACROPHAGE, **OF_MYELOID},
}


def two_samples(
    seed: int = 0, depth: int = 1500
) -> tuple[dict[str, np.ndarray], Evidence, np.ndarray]:
    """Cells of three kinds in two samples, and spaces that did this or that to them."""
    rng = np.random.default_rng(seed)
    kinds = np.tile(np.repeat(list(PER_SAMPLE), list(PER_SAMPLE.values())), 2)
    sample = np.repeat(["a", "b"], len(kinds) // 2)
    panel = load_panel(PANEL)
    symbols = sorted(set(panel_symbols(panel)).union(*RATES.values()))
    table = pd.DataFrame(RATES, index=symbols).fillna(0.02)
    counts = rng.poisson(table[kinds].to_numpy().T * depth / 1e4)
    center = pd.DataFrame({"T": [0, 0, 0], "monocyte": [9, 0, 0], "LAMM": [9, 6, 0]})
    right = center[kinds].to_numpy().T + rng.normal(0, 0.6, (len(kinds), 3))
    shifted = right + np.where(sample == "b", 5.0, 0.0)[:, None] * [0, 0, 1]
    merged = np.where(
        (kinds == "LAMM")[:, None], np.array([9.0, 0, 0]) + rng.normal(0, 0.6, right.shape), right
    )
    evidence = Evidence(
        sample=sample,
        batch=sample,
        counts=PanelCounts(sparse.csr_array(counts), symbols, np.full(len(kinds), depth)),
        panel=panel,
        annotation=ANNOTATION,
        lamm=make_settings(),
    )
    spaces = {"none": shifted, "harmony": right, "scvi": merged}
    return {name: space.astype(np.float32) for name, space in spaces.items()}, evidence, kinds


@pytest.fixture(scope="module")
def scored() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    spaces, evidence, _ = two_samples()
    return score_integration(spaces, evidence, **SEARCH)


def test_mixed_batches_score_high_and_a_shift_scores_low(
    scored: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    mixing = scored[0].set_index("method")["mixing"]
    assert mixing["none"] < 0.05
    assert mixing["harmony"] > 0.9


def test_a_population_that_integration_merged_is_named(
    scored: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    scores, lost, _ = scored
    table: Any = scores.set_index("method")
    assert table["n_lost"].tolist() == [0, 0, 2]
    assert set(lost["method"]) == {"scvi"}
    assert lost["sample"].tolist() == ["a", "b"]
    assert lost["n_cells"].between(36, 44).all()
    assert table.loc["scvi", "structure"] < 0.9 * table.loc["none", "structure"]


def test_calls_that_integration_lost_are_counted() -> None:
    """Of 150 UMIs: a cell with more tells its state itself, among whichever neighbors."""
    spaces, evidence, _ = two_samples(depth=150)
    scores, _, lamm = score_integration(spaces, evidence, **SEARCH)
    table: Any = scores.set_index("method")
    assert table.loc["harmony", "lamm_kept"] > 0.9
    assert table.loc["scvi", "lamm_kept"] < 0.7
    assert lamm.groupby("method")["lamm_before"].sum().nunique() == 1
    assert set(lamm.loc[lamm["lost"], "method"]) == {"scvi"}
    n_lost = lamm.groupby("method")["lost"].sum()
    assert table["n_samples_lamm_lost"].to_dict() == n_lost.to_dict()


def test_a_population_smaller_than_the_neighborhood_can_be_apart() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat(["many", "few"], [290, 10])
    space = np.where(labels == "few", 100, 0)[:, None] + rng.normal(size=(300, 3))
    sample = np.full(300, "a")
    within = find_neighbors_within(
        space.astype(np.float32), groups=sample, n_neighbors=20, seed=1, threads=1
    )
    assert _apart(within, labels, sample)["few"] == pytest.approx(1)


def test_auto_takes_the_best_mixed_of_those_that_keep_the_populations(
    scored: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    scores = scored[0].assign(mixing=[0.0, 0.8, 0.99])
    chosen = choose_method(scores, method="auto").set_index("method")
    assert chosen["passes"].tolist() == [True, True, False]
    assert chosen.index[chosen["used"]].tolist() == ["harmony"]
    given = choose_method(scores, method="scvi").set_index("method")
    assert given.index[given["used"]].tolist() == ["scvi"]
    worse = scores.assign(lamm_kept=[0.9, 0.3, 0.3])
    chosen = choose_method(worse, method="auto").set_index("method")
    assert chosen.index[chosen["used"]].tolist() == ["none"]


def test_one_batch_without_lamm_cells_has_no_scores_for_them_and_no_choice() -> None:
    spaces, evidence, kinds = two_samples()
    rows = np.flatnonzero((evidence.sample == "a") & (kinds != "LAMM"))
    values = {name: getattr(evidence, name)[rows] for name in ("sample", "batch")}
    one = replace(evidence, **values, counts=evidence.counts.take(rows))
    scores, lost, _ = score_integration({"none": spaces["none"][rows]}, one, **SEARCH)
    assert scores[["mixing", "lamm_kept"]].isna().all(axis=None)
    assert lost.empty
    assert choose_method(scores, method="auto")["used"].all()


def test_large_samples_are_drawn_from_and_small_ones_taken_whole() -> None:
    sample = np.repeat(["a", "b", "c"], [3000, 20, 1])
    rows = draw_cells(sample, seed=1)
    assert pd.Series(sample[rows]).value_counts().to_dict() == {"a": 1000, "b": 20, "c": 1}
    assert (np.diff(rows) > 0).all()
