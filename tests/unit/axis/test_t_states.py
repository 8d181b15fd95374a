"""Programs and states of T cells: by hand, between patients, and at another depth."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.axis.t_states import TPrograms, score_t_cells, sum_measures
from lammscope.joint.panel_counts import PanelCounts

SYMBOLS = ["A", "B", "C", "D", "E"]
SETS = {"first": ["A", "B"], "second": ["C"], "third": ["D"]}
RULE = {"leading": {"one": "first", "two": "second", "three": "third"}, "min_lead": 0.5}


def make_cells(n_per_sample: int = 30, **columns: Any) -> pd.DataFrame:
    sample = np.repeat(["s", "t"], n_per_sample)
    about = {"sample": sample, "lineage": "T", "population": "CD8_T", "car_probability": 0.25}
    return pd.DataFrame(about | columns)


def draw(cells: pd.DataFrame, *, seed: int = 1, scale: float = 1.0) -> np.ndarray:
    """Draw counts of five genes; a third of each sample expresses C."""
    rng = np.random.default_rng(seed)
    rates = np.full((len(cells), 5), 2.0)
    rates[::3, 2] = 30
    return rng.poisson(scale * rates)


def score(
    counts: np.ndarray,
    cells: pd.DataFrame,
    *,
    gene_sets: dict[str, list[str]] = SETS,
    neighbors: np.ndarray | None = None,
    totals: np.ndarray | None = None,
    absent: dict[str, list[str]] | None = None,
    rule: dict[str, Any] = RULE,
) -> pd.DataFrame:
    near = np.full((len(cells), 1), -1) if neighbors is None else neighbors
    depth = np.full(len(cells), 1000.0) if totals is None else totals
    panel = PanelCounts(sparse.csr_array(counts), SYMBOLS, depth, absent or {})
    programs = TPrograms(gene_sets, **rule)
    return score_t_cells(panel, cells=cells, neighbors=near, programs=programs)[0]


def alike(n_per_sample: int = 30) -> np.ndarray:
    """Return neighbors of the same kind and sample: three and six cells further on."""
    own = np.arange(2 * n_per_sample)
    start = own // n_per_sample * n_per_sample
    return np.column_stack([start + (own - start + step) % n_per_sample for step in (3, 6, 9)])


def test_a_score_is_the_mean_of_standardized_rates_of_the_cell_alone() -> None:
    cells = make_cells()
    counts = draw(cells)
    z = (counts - counts.mean(axis=0)) / counts.std(axis=0)
    scores = score(counts, cells, neighbors=alike())
    np.testing.assert_allclose(scores["first"], z[:, :2].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(scores["second"], z[:, 2], atol=1e-5)


def test_cells_of_other_lineages_have_no_score_and_change_none() -> None:
    cells = make_cells()
    cells.loc[40:, "lineage"] = "B"
    counts = draw(cells)
    scores = score(counts, cells)
    assert scores.loc[40:].isna().all(axis=None)
    counts[40:] *= 9
    pd.testing.assert_frame_equal(score(counts, cells), scores)


def test_a_state_uses_the_cells_of_its_own_sample_alone() -> None:
    cells = make_cells()
    counts = draw(cells)
    other = counts.copy()
    other[30:] = other[30:][::-1]  # the same cells of sample t in another order
    both = [score(each, cells, neighbors=alike()) for each in (counts, other)]
    pd.testing.assert_frame_equal(both[0].iloc[:30], both[1].iloc[:30])


def test_the_order_of_cells_does_not_matter() -> None:
    cells = make_cells()
    counts, near = draw(cells), alike()
    order = np.random.default_rng(2).permutation(len(cells))
    back = np.argsort(order)
    moved = score(
        counts[order], cells.iloc[order].reset_index(drop=True), neighbors=back[near[order]]
    )
    expected = score(counts, cells, neighbors=near).iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(moved, expected)


def test_planted_states_are_found_and_even_cells_are_unresolved() -> None:
    cells = make_cells()
    planted = np.zeros(len(cells), dtype=bool)
    planted[::3] = True
    counts = np.full((len(cells), 5), 2)
    counts[planted, 2] = 30
    states = score(counts, cells, neighbors=alike())["state"]
    assert (states[planted] == "two").all()
    assert (states[~planted] == "unresolved").all()
    unsure = score(counts, cells, neighbors=alike(), rule=RULE | {"min_lead": 99})["state"]
    assert (unsure == "unresolved").all()


def test_mean_scores_do_not_move_with_depth_and_levels_of_other_cells_do_not_enter() -> None:
    """Half of the depth in sample s alone: its mean stays, within the error of 4,000 cells."""
    cells = make_cells(4000)
    deep = draw(cells, scale=2)
    thin = deep.copy()
    thin[:4000] = np.random.default_rng(3).binomial(deep[:4000], 0.5)
    depth = np.where(cells["sample"] == "s", 500.0, 1000.0)
    means = [
        score(counts, cells, totals=totals)[["first", "second"]][:4000].mean()
        for counts, totals in ((deep, None), (thin, depth))
    ]
    error = 1 / np.sqrt(4000)
    assert (abs(means[0] - means[1]) < 4 * error).all()


def test_a_gene_that_a_sample_lacks_is_left_out_there() -> None:
    cells = make_cells()
    counts = draw(cells)
    counts[:30, 0] = 0
    scores = score(counts, cells, absent={"s": ["A", "C"]})
    z = (counts[:, 1] - counts[:, 1].mean()) / counts[:, 1].std()
    np.testing.assert_allclose(scores["first"][:30], z[:30], atol=1e-5)
    assert scores["second"][:30].isna().all()  # all of its genes are missing
    assert scores["second"][30:].notna().all()
    assert scores["state"][:30].isna().all()


def test_up_and_down_form_one_program() -> None:
    cells = make_cells()
    pair = {"x_up": ["A"], "x_down": ["B"], "second": ["C"], "third": ["D"]}
    rule = RULE | {"leading": {"one": "x", "two": "second"}}
    scores = score(draw(cells), cells, gene_sets=pair, rule=rule)
    assert list(scores) == ["x", "second", "third", "state"]
    alone = score(draw(cells), cells, gene_sets={"a": ["A"], "b": ["B"]}, rule=rule)
    np.testing.assert_allclose(scores["x"], alone["a"] - alone["b"], atol=1e-12)
    assert alone["state"].isna().all()  # fewer than two programs of states


def sums(cells: pd.DataFrame, **options: Any) -> pd.DataFrame:
    scores = score(draw(cells), cells, neighbors=alike())
    has_car = options.pop("has_car", np.ones(len(cells), dtype=bool))
    given = {"states": list(RULE["leading"]), "car_sorted": []} | options
    return sum_measures(scores, cells, has_car=has_car, **given)


def test_measures_are_sums_by_sample_and_population() -> None:
    cells = make_cells()
    cells.loc[::2, "population"] = "CAR_T"
    table = sums(cells).set_index(["sample", "population", "kind", "measure"])
    scores = score(draw(cells), cells, neighbors=alike())
    own = ((cells["sample"] == "s") & (cells["population"] == "CAR_T")).to_numpy()
    row = table.loc["s", "CAR_T", "mean", "second"]
    assert row["total"] == pytest.approx(scores.loc[own, "second"].sum())
    assert row["n_cells"] == 15
    states = table.loc["s", "T", "fraction"].drop("CAR_T")
    assert states["total"].sum() == 30
    assert states["total"].to_dict() == {
        name: (scores.loc[:29, "state"] == name).sum() for name in states.index
    }
    assert list(states.index) == ["one", "two", "three", "unresolved"]


def test_the_car_t_share_is_the_expected_number_and_missing_where_it_is_not_known() -> None:
    share = sums(make_cells()).query("measure == 'CAR_T'")
    assert share[["population", "kind", "total", "n_cells"]].to_numpy().tolist() == [
        ["T", "fraction", 7.5, 30],
        ["T", "fraction", 7.5, 30],
    ]
    one_lacks = sums(make_cells(), has_car=np.repeat([True, False], 30))
    assert one_lacks.query("measure == 'CAR_T'")["sample"].tolist() == ["s"]
    one_sorted = sums(make_cells(), car_sorted=["s"])
    assert one_sorted.query("measure == 'CAR_T'")["sample"].tolist() == ["t"]


def test_without_t_cells_all_is_empty_and_well_formed() -> None:
    cells = make_cells(lineage="B")
    table = sums(cells)
    assert table.empty
    assert list(table) == ["sample", "population", "measure", "kind", "total", "n_cells"]
