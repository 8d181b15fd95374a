"""The tissue-macrophage state: scores by hand, and calls relative to a group's own monocytes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from lammscope.annotate.macrophage_state import (
    MEAN,
    MIN_ORDINARY,
    N_NEIGHBORS,
    OWN,
    PRIOR_ONLY,
    SPREAD,
    TOO_FEW_GENES,
    StateGenes,
    fit_kinds,
    load_state_genes,
    probability_of_macrophages,
    score_state,
    state_probabilities,
)
from lammscope.core.signature_file import MIN_GENES
from lammscope.joint.panel_counts import PanelCounts
from tests.unit.annotate.test_lamm import STATE, plant
from tests.unit.real_cohorts import STATE_GENES

CALLED = 0.9
OF_MACROPHAGES, OF_MONOCYTES = [f"M{n}" for n in range(5)], [f"B{n}" for n in range(5)]
TEN = [*OF_MACROPHAGES, *OF_MONOCYTES]
GENES = StateGenes(tuple(TEN), np.arange(10) < 5, np.full(10, 10.0))
ALONE = np.full((1, N_NEIGHBORS), -1)


def score(
    rows: Sequence[Sequence[int]],
    *,
    neighbors: np.ndarray | None = None,
    samples: str | None = None,
    scored: Sequence[bool] | None = None,
    background: Sequence[bool] | None = None,
    totals: int | np.ndarray = 10_000,
    symbols: Sequence[str] = TEN,
    absent: Mapping[str, Sequence[str]] | None = None,
) -> list[float]:
    """Score cells by their counts; by default all of one sample, none with neighbors."""
    n_cells = len(rows)
    sample = np.array(list(samples or "a" * n_cells))
    matrix = sparse.csr_array(np.array(rows, dtype=np.int32))
    found = score_state(
        PanelCounts(matrix, symbols, np.broadcast_to(totals, n_cells), absent or {}),
        neighbors=np.repeat(ALONE, n_cells, axis=0) if neighbors is None else neighbors,
        samples=sample,
        scored=np.ones(n_cells, dtype=bool) if scored is None else np.array(scored),
        background=np.zeros(n_cells, dtype=bool) if background is None else np.array(background),
        genes=GENES,
    )
    return found.tolist()


def active(rate: float) -> float:
    """Activity of a gene whose level is 10, by its definition."""
    return float(min(np.log10(1 + 9 * rate / 10), 1))


def test_a_score_is_the_activity_of_macrophage_less_that_of_monocyte_genes() -> None:
    cells = [
        [10] * 5 + [0] * 5,  # at their levels
        [0] * 5 + [10] * 5,
        [99, 0, 0, 0, 0, 1, 0, 0, 0, 0],  # above a level counts as at it
        [2, 1, 0, 0, 0, 0, 0, 3, 0, 0],
        [0] * 10,
    ]
    by_hand = [
        1.0,
        -1.0,
        (1 - active(1)) / 5,
        (active(2) + active(1) - active(3)) / 5,
        0.0,
    ]
    assert score(cells) == pytest.approx(by_hand)
    half = score([cells[2]], totals=5_000)
    assert half == pytest.approx([(1 - active(2)) / 5])


def test_neighbors_of_the_same_sample_count_and_others_do_not() -> None:
    cells = [[5] * 5 + [0] * 5, [9] * 5 + [0] * 5, [0] * 5 + [9] * 5]
    neighbors = np.array([[1, 2], [-1, -1], [-1, -1]])
    assert score(cells, neighbors=neighbors)[0] == pytest.approx(active(7), rel=1e-3)
    assert score(cells, neighbors=neighbors, samples="aab")[0] == pytest.approx(active(7), rel=1e-3)
    assert score(cells, neighbors=neighbors, samples="abb")[0] == pytest.approx(active(5))


def test_a_cell_does_not_take_the_state_of_others_around_it() -> None:
    """A monocyte and a cell with few genes among macrophages, all with 10,000 UMIs."""
    cells = [[0] * 5 + [9] * 5, [0] * 10, *[[9] * 5 + [0] * 5] * 20]
    neighbors = np.full((22, 20), -1)
    neighbors[:2] = np.arange(2, 22)
    found = score(cells, neighbors=neighbors)
    assert found[:2] == pytest.approx([-active(9), 0], abs=0.01)


def test_a_cell_with_too_few_umis_to_tell_takes_the_state_of_its_neighbors() -> None:
    """It has one UMI, so it agrees with each neighbor by a third: as likely as each kind is."""
    cells = [[0] * 10, [9] * 5 + [0] * 5]
    found = score(cells, neighbors=np.array([[1], [-1]]), totals=np.array([1, 10_000]))
    assert found[0] == pytest.approx(active(9), rel=1e-2)
    cells.append([0] * 5 + [9] * 5)
    found = score(
        cells, neighbors=np.array([[1, 2], [-1, -1], [-1, -1]]), totals=np.array([1, 1e4, 1e4])
    )
    assert found[0] == pytest.approx(0, abs=0.01)


def test_neighbors_that_are_not_scored_do_not_count_and_only_twenty_do() -> None:
    cells = [[5] * 5 + [0] * 5, [9] * 5 + [0] * 5]
    found = score(cells, neighbors=np.array([[1], [-1]]), scored=[True, False])
    assert found[0] == pytest.approx(active(5))
    assert np.isnan(found[1])
    assert N_NEIGHBORS == 20
    own = np.full((N_NEIGHBORS + 2, N_NEIGHBORS + 1), -1)
    own[0] = np.arange(1, N_NEIGHBORS + 2)
    alike, other = [[5] * 5 + [0] * 5] * (N_NEIGHBORS + 1), [26] * 5 + [0] * 5
    assert score([*alike, other], neighbors=own)[0] == pytest.approx(active(5))  # the 21st neighbor
    own[0] = own[0, ::-1]
    assert score([*alike, other], neighbors=own)[0] == pytest.approx(active(6), rel=1e-3)


def test_ambient_rna_that_other_cells_show_is_subtracted() -> None:
    """A hundred other cells have two UMIs of each macrophage gene, those of sample b have none."""
    ambient, none = [2] * 5 + [0] * 5, [0] * 10
    cells = [[5] * 5 + [0] * 5, *[ambient] * 100, [5] * 5 + [0] * 5, *[none] * 100]
    other = [False, *[True] * 100] * 2
    found = score(
        cells, samples="a" * 101 + "b" * 101, scored=[not each for each in other], background=other
    )
    assert found[0] == pytest.approx(active(5 - 200 / 101))
    assert found[101] == pytest.approx(active(5))
    few = score([[5] * 5 + [0] * 5, ambient], scored=[True, False], background=[False, True])
    assert few[0] == pytest.approx(active(5 - 1))  # one cell is half as sure


def test_genes_that_a_library_does_not_list_do_not_count() -> None:
    symbols = [*TEN[:5], "M5", *TEN[5:]]
    genes = StateGenes(tuple(symbols), np.arange(11) < 6, np.full(11, 10.0))
    counts = sparse.csr_array(np.array([[10] * 5 + [0] * 6] * 2, dtype=np.int32))
    panel = PanelCounts(counts, symbols, np.full(2, 10_000), {"b": ["M5"]})
    arguments: dict[str, Any] = {
        "neighbors": np.repeat(ALONE, 2, axis=0),
        "samples": np.array(["a", "b"]),
        "scored": np.ones(2, dtype=bool),
        "background": np.zeros(2, dtype=bool),
        "genes": genes,
    }
    assert score_state(panel, **arguments).tolist() == pytest.approx([5 / 6, 1])
    everywhere = replace(panel, absent={})
    assert score_state(everywhere, **arguments).tolist() == pytest.approx([5 / 6, 5 / 6])


@pytest.mark.parametrize("missing", [0, 9])
def test_a_library_with_too_few_genes_of_a_side_has_no_score(missing: int) -> None:
    assert MIN_GENES == 5
    absent = {"b": [TEN[missing]]}
    found = score([[10] * 5 + [0] * 5] * 2, samples="ab", absent=absent)
    assert found[0] == 1
    assert np.isnan(found[1])
    known = [name for name in TEN if name != TEN[missing]]
    assert np.isnan(score([[1] * 9], symbols=known)).all()
    table = state_probabilities(np.array(found), groups=["x", "x"])
    assert table.loc[1].tolist() == [0.5, TOO_FEW_GENES]
    assert table.loc[0, "reference"] == PRIOR_ONLY


def draw(
    kinds: dict[int, int], *, seed: int = 1, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores: `kinds` has the number of cells of each; `shift` moves all means."""
    rng = np.random.default_rng(seed)
    kind = np.repeat(list(kinds), list(kinds.values()))
    return kind, rng.normal(MEAN[kind] + shift, SPREAD[kind])


BLOOD = {0: 400, 1: 60}


@pytest.mark.parametrize("seed", range(5))
def test_of_blood_alone_no_cell_is_called(seed: int) -> None:
    _, scores = draw(BLOOD, seed=seed)
    table = state_probabilities(scores, groups=np.full(len(scores), "x"))
    assert (table["probability"] >= CALLED).sum() <= 1
    assert set(table["reference"]) == {OWN}


@pytest.mark.parametrize("shift", [-0.1, 0.0, 0.1])
def test_a_tenth_of_macrophages_is_found_where_libraries_are_shifted(shift: float) -> None:
    kind, scores = draw({**BLOOD, 2: 50}, shift=shift)
    table = state_probabilities(scores, groups=np.full(len(scores), "x"))
    called = (table["probability"] >= CALLED).to_numpy()
    assert called[kind == 2].mean() >= 0.8
    assert called[kind != 2].mean() <= 0.01


def test_calls_are_relative_to_the_own_group() -> None:
    """The same score is a macrophage's in a group of low ones, and not in one of high ones."""
    low, high = (draw({**BLOOD, 2: 50}, shift=shift)[1] for shift in (-0.12, 0.12))
    score_of = float(np.mean([MEAN[1], MEAN[2]]))
    scores = np.concatenate([[score_of], low, [score_of], high])
    groups = np.repeat(["low", "high"], len(low) + 1)
    found = state_probabilities(scores, groups=groups)["probability"].to_numpy()
    assert found[0] > found[len(low) + 1] + 0.2


def test_no_monocytes_of_its_own_make_the_prior_the_reference() -> None:
    few = MIN_ORDINARY // 2
    for kinds in ({2: 60}, {0: few, 2: 60}, {2: 1}):
        kind, scores = draw(kinds)
        table = state_probabilities(scores, groups=np.full(len(scores), "x"))
        assert set(table["reference"]) == {PRIOR_ONLY}
        if len(scores) > 1:
            assert (table["probability"][kind == 2] >= CALLED).mean() >= 0.7
    _, scores = draw({0: 2 * MIN_ORDINARY, 2: 60})
    table = state_probabilities(scores, groups=np.full(len(scores), "x"))
    assert set(table["reference"]) == {OWN}


def test_without_monocytic_cells_there_is_nothing_to_call() -> None:
    table = state_probabilities(np.full(3, np.nan), groups=["x", "x", "y"])
    assert table["probability"].tolist() == [0.5] * 3
    assert set(table["reference"]) == {TOO_FEW_GENES}
    assert state_probabilities(np.empty(0), groups=[]).empty
    nobody = score([[1] * 10] * 2, scored=[False, False])
    assert np.isnan(nobody).all()


def test_few_cells_are_called_with_more_doubt_than_many() -> None:
    """A kind with few cells may lie elsewhere in this group, so its probabilities are wider."""
    few, many = (fit_kinds(draw({0: n, 1: n, 2: n})[1]) for n in (5, 500))
    assert (few.spread > many.spread).all()
    assert few.share.sum() == pytest.approx(1)
    assert many.n_ordinary == pytest.approx(1000, rel=0.05)


def test_probabilities_rise_with_the_score_and_stay_where_the_kinds_end() -> None:
    kinds = fit_kinds(draw({**BLOOD, 2: 50})[1])
    grid = np.linspace(-1, 1, 101)
    found = probability_of_macrophages(grid, kinds)
    assert (np.diff(found) >= -1e-12).all()
    assert found[-1] == found[grid >= kinds.mean[2]][0] >= CALLED
    assert found[0] < 1 - CALLED


def test_many_macrophages_do_not_make_their_neighbors_so() -> None:
    """In a group of macrophages a score between the kinds stays in doubt."""
    kinds = fit_kinds(draw({0: 10, 2: 2000})[1])
    middle = np.array([(kinds.mean[1] + kinds.mean[2]) / 2])
    assert probability_of_macrophages(middle, kinds)[0] < CALLED


@settings(max_examples=10)
@given(seed=st.integers(0, 1000))
def test_the_order_of_cells_and_the_names_of_groups_change_nothing(seed: int) -> None:
    _, scores = draw({0: 60, 1: 20, 2: 20}, seed=seed)
    groups = np.resize(["b", "a"], len(scores))
    order = np.random.default_rng(seed).permutation(len(scores))
    found = state_probabilities(scores, groups=groups)
    shuffled = state_probabilities(scores[order], groups=groups[order])
    pd.testing.assert_frame_equal(found.iloc[order].reset_index(drop=True), shuffled)
    renamed = np.where(groups == "a", "z", "1")
    pd.testing.assert_frame_equal(found, state_probabilities(scores, groups=renamed))


def called_of_planted(capture: float, *, depth: int = 2000) -> dict[str, float]:
    """Return the share called of each role where the capture of the state's genes differs."""
    roles, data = plant(
        {"t_cell": 300, "monocyte": 400, "nonclassical": 60, "macrophage": 50}, depth=depth
    )
    symbols, matrix = data["counts"].symbols, data["counts"].matrix.toarray()
    of_state = np.isin(symbols, STATE.symbols)
    rng = np.random.default_rng(3)
    if capture < 1:
        matrix[:, of_state] = rng.binomial(matrix[:, of_state], capture)
    else:
        matrix[:, of_state] = rng.poisson(matrix[:, of_state] * (capture - 1)) + matrix[:, of_state]
    lineage = data["cells"]["lineage"].to_numpy()
    scores = score_state(
        replace(data["counts"], matrix=sparse.csr_array(matrix)),
        neighbors=data["sample_neighbors"],
        samples=data["cells"]["sample"].to_numpy(),
        scored=lineage == "monocytic",
        background=lineage == "T",
        genes=STATE,
    )
    table = state_probabilities(scores, groups=data["cells"]["group"])
    called = (table["probability"] >= CALLED) & (lineage == "monocytic")
    return called.groupby(roles).mean().to_dict()


def test_half_and_double_the_capture_change_calls_by_less_than_five_points() -> None:
    plain = called_of_planted(1)
    assert plain["macrophage"] >= 0.9
    for capture in (0.5, 2):
        shifted = called_of_planted(capture)
        assert abs(shifted["macrophage"] - plain["macrophage"]) < 0.05
        assert max(shifted["monocyte"], shifted["nonclassical"]) <= 0.01


def test_the_shipped_genes_are_read_with_side_and_level() -> None:
    genes = load_state_genes(STATE_GENES)
    assert len(genes.symbols) == len(genes.levels) == len(genes.of_macrophages)
    side = dict(zip(genes.symbols, genes.of_macrophages, strict=True))
    level = dict(zip(genes.symbols, genes.levels, strict=True))
    known = [side[gene] for gene in ("C1QA", "TREM2", "S100A8", "VCAN")]
    assert known == [True, True, False, False]
    assert level["C1QA"] == 25
    assert min(sum(side.values()), len(side) - sum(side.values())) >= MIN_GENES


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda table: table.drop(columns="level"), "column level is missing; add it"),
        (
            lambda table: table.drop(columns=["state", "source"]),
            "column state, source is missing; add it",
        ),
        (
            lambda table: table.assign(gene=["X", "Y", "X"]),
            r"row 4 \(X\): the gene occurs twice; keep one row",
        ),
        (
            lambda table: table.assign(state=["macrophage", "Monocyte", "monocyte"]),
            r"row 3 \(B\): state is neither macrophage nor monocyte",
        ),
        (
            lambda table: table.assign(level=[1, 2, 0]),
            r"row 4 \(C\): level is not a number above 0",
        ),
        (
            lambda table: table.assign(level=["much", 2, 3]),
            r"row 2 \(A\): level is not a number above 0",
        ),
        (lambda table: table.assign(level=[None, 2, 3]), r"row 2 \(A\): level is not a number"),
    ],
)
def test_a_wrong_table_of_genes_is_refused_with_row_and_remedy(
    tmp_path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame], message: str
) -> None:
    table = pd.DataFrame({"gene": ["A", "B", "C"], "state": ["macrophage", "monocyte", "monocyte"]})
    table = table.assign(level=[1.0, 2.0, 3.0], source="x")
    path = tmp_path / "genes.tsv"
    table.to_csv(path, sep="\t", index=False)
    assert load_state_genes(path).symbols == ("A", "B", "C")
    edit(table).to_csv(path, sep="\t", index=False)
    with pytest.raises(ValueError, match=message) as error:
        load_state_genes(path)
    assert str(path) in str(error.value)
