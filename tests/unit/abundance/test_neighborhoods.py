"""Neighborhoods of the integrated embedding: sampling, tests between patients, figure."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from scipy import stats

from lammscope.abundance.neighborhood_tests import COLUMNS, spatial_fdr, summarize_neighborhoods
from lammscope.abundance.neighborhood_tests import test_neighborhoods as run_test
from lammscope.abundance.neighborhoods import Neighborhoods, sample_neighborhoods
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.report.figures.catalog import drawing_functions
from lammscope.report.figures.draw import draw_figures
from lammscope.report.figures.neighborhoods import NeighborhoodData
from lammscope.report.order import shown_cells
from tests.unit.example_cohorts import BASELINE as BETWEEN
from tests.unit.example_cohorts import CHANGE as CHANGE_ENTRY
from tests.unit.example_cohorts import PAIRED, asked, make_samples
from tests.unit.example_indexes import make_index
from tests.unit.example_results import BASELINE, CHANGE, PRE_TO_POST

SAMPLING: dict[str, Any] = {
    "share": 0.1,
    "max_number": 500,
    "cells_per_sample": 5,
    "min_size": 50,
    "seed": 3,
}
LIMITS: dict[str, Any] = {"min_cells": 20, "min_expected": 2, "exclude_pre_post": ["B"]}
POPULATIONS = ["B", "Classical_monocyte", "LAMM", "NK"]
SHARES = [0.2, 0.35, 0.15, 0.3]


def make_cells(
    samples: pd.DataFrame, *, n_cells: int = 150, seed: int = 1, rises: np.ndarray | None = None
) -> tuple[np.ndarray, pd.DataFrame]:
    """Draw four groups of cells in five dimensions; LAMM cells are `rises` times as frequent."""
    rng = np.random.default_rng(seed)
    tables = []
    for i, sample in enumerate(samples["sample"]):
        shares = np.array(SHARES) * np.exp(rng.normal(0, 0.15, 4))
        shares[2] *= 1 if rises is None else rises[i]
        names = rng.choice(POPULATIONS, size=n_cells, p=shares / shares.sum())
        tables.append(pd.DataFrame({"sample": sample, "population": names}))
    cells = pd.concat(tables, ignore_index=True)
    cells["cell"] = cells["sample"] + "_" + cells.index.astype(str)
    centers = np.random.default_rng(0).normal(0, 4, (4, 5))
    codes = np.searchsorted(POPULATIONS, cells["population"])
    return centers[codes] + rng.normal(size=(len(cells), 5)), cells


def find(space: np.ndarray, cells: pd.DataFrame, **changed: float) -> Neighborhoods:
    return sample_neighborhoods(space, cells, **(SAMPLING | changed), threads=1)


def by_hand(counts: list[list[float]], samples: pd.DataFrame) -> tuple[Neighborhoods, pd.DataFrame]:
    """Make neighborhoods with given counts, and 1,000 cells per sample; the first is of B cells."""
    labels = pd.DataFrame({"sample": np.repeat(samples["sample"].to_numpy(), 1000)})
    labels["population"] = np.where(np.arange(len(labels)) % 10 == 0, "B", "NK")
    labels["cell"] = labels["sample"] + "_" + labels.index.astype(str)
    rows = np.arange(len(counts))
    members = np.stack([10 * np.arange(30) + (row > 0) for row in rows])
    neighborhoods = Neighborhoods(
        index_cells=members[:, 0],
        members=members,
        distance=np.ones(len(counts)),
        counts=np.array(counts),
        samples=samples["sample"].to_numpy(dtype=str),
    )
    return neighborhoods, labels


def poisson(samples: pd.DataFrame, n_rows: int, seed: int = 0) -> list[list[float]]:
    """Draw counts of neighborhoods that do not differ."""
    rng = np.random.default_rng(seed)
    return rng.poisson(12, (n_rows, len(samples))).tolist()


# --- sampling -------------------------------------------------------------------------------------


def test_members_are_the_nearest_cells_and_are_counted_once_a_sample() -> None:
    samples = make_samples()
    space, cells = make_cells(samples)
    found = find(space, cells)
    assert found.members.shape[1] == 5 * len(samples) + 1
    assert (found.counts.sum(axis=1) == found.members.shape[1]).all()
    assert len(np.unique(found.index_cells)) == len(found.index_cells)
    for row in (0, len(found.members) - 1):
        distance = np.linalg.norm(space - space[found.index_cells[row]], axis=1)
        nearest = np.argsort(distance)[: found.members.shape[1]]
        assert set(found.members[row]) == set(nearest)
        assert found.distance[row] == pytest.approx(distance[nearest[-1]], rel=1e-4)
        counted = cells["sample"].iloc[found.members[row]].value_counts()
        assert found.counts[row].tolist() == [counted.get(name, 0) for name in found.samples]


def test_index_cells_move_to_the_middle_of_dense_places() -> None:
    space, cells = make_cells(make_samples())
    found = find(space, cells)
    assert len(found.index_cells) < 0.1 * len(cells)
    center = pd.DataFrame(space).groupby(cells["population"].to_numpy()).transform("median")
    off = np.linalg.norm(space - center.to_numpy(), axis=1)
    assert np.median(off[found.index_cells]) < np.median(off)


def test_neither_the_order_of_the_cells_nor_a_second_run_changes_the_neighborhoods() -> None:
    space, cells = make_cells(make_samples())
    found, again = find(space, cells), find(space, cells)
    assert all(np.array_equal(vars(found)[key], vars(again)[key]) for key in vars(found))
    order = np.random.default_rng(5).permutation(len(cells))
    moved = find(space[order], cells.iloc[order])
    names = cells["cell"].to_numpy()

    def sets(one: Neighborhoods, of: np.ndarray) -> set[tuple[str, ...]]:
        return {tuple(sorted(of[row])) for row in one.members}

    assert sets(found, names) == sets(moved, names[order])
    assert sets(found, names) != sets(find(space, cells, seed=4), names)


def test_small_and_identical_cells_still_give_neighborhoods() -> None:
    cells = pd.DataFrame({"cell": [f"c{i}" for i in range(12)], "sample": list("ab") * 6})
    found = find(np.zeros((12, 2)), cells)
    assert found.members.shape == (1, 12)
    assert found.counts.tolist() == [[6, 6]]
    assert found.distance.tolist() == [0]
    found = find(np.zeros((12, 2)), cells, min_size=2, cells_per_sample=1, share=1)
    assert (found.members == found.index_cells[:, None]).any(axis=1).all()


def test_the_number_is_capped() -> None:
    space, cells = make_cells(make_samples())
    assert len(find(space, cells, share=1, max_number=40).index_cells) <= 40


def test_a_file_keeps_neighborhoods_and_refuses_other_cells(tmp_path: Path) -> None:
    found = find(*make_cells(make_samples()))
    index, other = (make_index(tmp_path, cells=[name]) for name in ("this", "other"))
    index.write_arrays(tmp_path / "n.npz", **vars(found))
    back = Neighborhoods(**index.read_arrays(tmp_path / "n.npz"))
    assert all(np.array_equal(vars(found)[key], vars(back)[key]) for key in vars(found))
    with pytest.raises(ValueError, match="another set of cells"):
        other.read_arrays(tmp_path / "n.npz")


# --- tests between patients -----------------------------------------------------------------------


@pytest.mark.parametrize("entry", [BETWEEN, PAIRED, CHANGE_ENTRY])
def test_estimates_are_those_of_patients_by_hand(entry: dict[str, Any]) -> None:
    samples = make_samples()
    counts = poisson(samples, 40)
    table = run_test(
        *by_hand(counts, samples), Comparison(samples, asked(entry, samples)), **LIMITS
    )
    assert list(table.columns) == COLUMNS
    assert (table["status"] == "ok").all()
    library = 900 if entry is not BETWEEN else 1000  # B is left out if phases are compared
    y = pd.Series(np.log2((np.array(counts[7]) + 0.5) / (library + 1)), index=samples["sample"])
    names = samples.pivot(index="patient", columns="phase", values="sample")
    post, pre = y[names["post"]].to_numpy(), y[names["pre"]].to_numpy()
    test = names.index.str.startswith("n")
    if entry is BETWEEN:
        expected = stats.ttest_ind(pre[test], pre[~test])
        estimate = pre[test].mean() - pre[~test].mean()
    elif entry is PAIRED:
        expected, estimate = stats.ttest_1samp(post - pre, 0), (post - pre).mean()
    else:
        change = post - pre
        expected = stats.ttest_ind(change[test], change[~test])
        estimate = change[test].mean() - change[~test].mean()
    assert table.loc[7, "log2fc"] == pytest.approx(estimate)
    assert table.loc[7, "p_unmoderated"] == pytest.approx(expected.pvalue)
    assert table.loc[7, "t"] == pytest.approx(table.loc[7, "log2fc"] / table.loc[7, "se"])
    p = 2 * stats.t.sf(table["t"].abs(), table["df"])
    assert table["p"].to_numpy() == pytest.approx(p)
    assert (table["df"] > 10).all()


def test_equal_frequencies_at_unequal_depth_do_not_differ() -> None:
    samples = make_samples()
    labels = pd.DataFrame({"sample": np.repeat(samples["sample"], [400, 1200] * 12)})
    labels["population"], labels["cell"] = "NK", np.arange(len(labels)).astype(str)
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.tile([20, 60], 12), (60, 24))
    neighborhoods = replace(
        by_hand(counts.tolist(), samples)[0], samples=samples["sample"].to_numpy()
    )
    table = run_test(neighborhoods, labels, Comparison(samples, asked(PAIRED, samples)), **LIMITS)
    assert table["log2fc"].abs().mean() < 0.2
    assert (table["spatial_fdr"] > 0.1).all()


@pytest.mark.parametrize("entry", [BETWEEN, PAIRED, CHANGE_ENTRY])
def test_planted_neighborhoods_are_found_and_no_others(entry: dict[str, Any]) -> None:
    samples = make_samples()
    test, post = samples["response"] == "non_responder", samples["phase"] == "post"
    risen = {"between": test, "paired": post, "change": test & post}[entry["kind"]]
    space, cells = make_cells(samples, n_cells=400, rises=np.where(risen, 4.0, 1.0))
    neighborhoods = find(space, cells, cells_per_sample=15)
    table = run_test(neighborhoods, cells, Comparison(samples, asked(entry, samples)), **LIMITS)
    found = table[(table["spatial_fdr"] <= 0.1) & (table["log2fc"] > 0)]
    assert len(found) > 5
    assert set(found["population"]) == {"LAMM"}
    lamm = table[table["population"] == "LAMM"]
    assert (lamm["spatial_fdr"] <= 0.1).mean() > 0.8


def test_without_a_difference_nothing_is_found() -> None:
    samples = make_samples()
    space, cells = make_cells(samples, seed=8)
    table = run_test(
        find(space, cells), cells, Comparison(samples, asked(BETWEEN, samples)), **LIMITS
    )
    assert (table["spatial_fdr"] > 0.1).all()
    assert 0.2 < table["p"].median() < 0.8


def test_replicates_are_one_patient() -> None:
    samples = make_samples()
    counts = poisson(samples, 30)
    expected = run_test(
        *by_hand(counts, samples), Comparison(samples, asked(BETWEEN, samples)), **LIMITS
    )
    # one library in two halves, which share the counts of the sample
    first = samples["sample"] == "r0_pre"
    halves = pd.concat([samples, samples[first].assign(sample="r0_pre_b")], ignore_index=True)
    parts = np.column_stack([np.array(counts), np.zeros(len(counts))])
    column = int(np.flatnonzero(first)[0])
    parts[:, -1] = parts[:, column] // 2
    parts[:, column] -= parts[:, -1]
    neighborhoods, labels = by_hand(counts, samples)
    neighborhoods = replace(neighborhoods, counts=parts, samples=halves["sample"].to_numpy(str))
    moved = np.flatnonzero((labels["sample"] == "r0_pre").to_numpy())[:300]
    labels.loc[moved, "sample"] = "r0_pre_b"
    table = run_test(neighborhoods, labels, Comparison(halves, asked(BETWEEN, halves)), **LIMITS)
    pd.testing.assert_frame_equal(table, expected)


def test_covariates_are_adjusted_for() -> None:
    samples = make_samples(n_per_arm=5)  # products are not balanced over patients
    counts = np.array(poisson(samples, 30)) + np.where(samples["product"] == "axi", 30, 0)
    contrast = asked(BETWEEN | {"adjust": ["product"]}, samples)
    table = run_test(*by_hand(counts.tolist(), samples), Comparison(samples, contrast), **LIMITS)
    pre = samples[samples["phase"] == "pre"]
    y = np.log2((counts[:, pre.index] + 0.5) / 1001)
    test, axi = pre["response"] == "non_responder", pre["product"] == "axi"
    design = np.column_stack([np.ones(len(pre)), test, axi])
    fitted, squares, *_ = np.linalg.lstsq(design, y.T, rcond=None)
    assert table["log2fc"].to_numpy() == pytest.approx(fitted[1])
    se = np.sqrt(squares / 7 * np.linalg.inv(design.T @ design)[1, 1])
    p = 2 * stats.t.sf(np.abs(fitted[1] / se), 7)
    assert table["p_unmoderated"].to_numpy() == pytest.approx(p)


def test_populations_that_vanish_after_infusion_do_not_move_the_others() -> None:
    samples = make_samples()
    neighborhoods, labels = by_hand(poisson(samples, 10), samples)
    post = labels["sample"].str.endswith("post")
    less = labels.assign(population=labels["population"].where(~post, "NK"))
    fewer = labels[~((labels["population"] == "B") & post)].reset_index(drop=True)

    def estimates(cells: pd.DataFrame, entry: dict[str, Any], excluded: list[str]) -> np.ndarray:
        limits = LIMITS | {"exclude_pre_post": excluded}
        table = run_test(neighborhoods, cells, Comparison(samples, asked(entry, samples)), **limits)
        return table["log2fc"].to_numpy()

    assert estimates(fewer, PAIRED, ["B"]) == pytest.approx(estimates(labels, PAIRED, ["B"]))
    moved = estimates(fewer, PAIRED, []) - estimates(labels, PAIRED, [])
    assert moved == pytest.approx(np.full(10, np.log2(1001 / 901)))
    # within a phase every cell counts
    assert estimates(less, BETWEEN, ["B"]) == pytest.approx(estimates(labels, BETWEEN, []))


def test_statuses_say_what_could_not_be_tested() -> None:
    samples = make_samples()
    counts = poisson(samples, 10)
    counts[1] = [1, 0] * 12
    counts[2] = [25] * 24
    contrast = asked(BETWEEN, samples)
    table = run_test(*by_hand(counts, samples), Comparison(samples, contrast), **LIMITS)
    assert table["status"].tolist() == ["ok", "too_few_cells", "no_variation"] + ["ok"] * 7
    untested = table[table["status"] != "ok"]
    assert (
        untested[["log2fc", "se", "t", "df", "p", "spatial_fdr", "p_unmoderated"]]
        .isna()
        .all(axis=None)
    )
    few = samples[~samples["patient"].isin(["n0", "n1", "n2", "n3"])]
    table = run_test(*by_hand(counts, samples), Comparison(few, asked(BETWEEN, few)), **LIMITS)
    assert set(table["status"]) == {"too_few_patients"}
    assert table["p"].isna().all()
    assert set(table["n_test"]) == {2}
    aliased = samples.assign(center=samples["response"].map({"responder": "x"}).fillna("y"))
    contrast = asked(BETWEEN | {"adjust": ["center"]}, aliased)
    table = run_test(*by_hand(counts, aliased), Comparison(aliased, contrast), **LIMITS)
    assert set(table["status"]) == {"aliased"}


def test_samples_without_cells_leave_the_test() -> None:
    samples = make_samples()
    neighborhoods, labels = by_hand(poisson(samples, 10), samples)
    labels = labels[~labels["sample"].isin(["r0_pre", "n1_pre"])].reset_index(drop=True)
    table = run_test(neighborhoods, labels, Comparison(samples, asked(BETWEEN, samples)), **LIMITS)
    assert set(zip(table["n_test"], table["n_reference"], strict=True)) == {(5, 5)}
    few = samples[samples["patient"].isin(["r0", "n1"])]
    table = run_test(neighborhoods, labels, Comparison(few, asked(BETWEEN, few)), **LIMITS)
    assert set(table["status"]) == {"too_few_patients"}


def test_few_neighborhoods_are_tested_without_moderation() -> None:
    samples = make_samples()
    counts = poisson(samples, 3)
    table = run_test(
        *by_hand(counts, samples), Comparison(samples, asked(BETWEEN, samples)), **LIMITS
    )
    assert table["p"].tolist() == table["p_unmoderated"].tolist()
    assert set(table["df"]) == {10}


# --- spatial false discovery rate -----------------------------------------------------------------


def brute_force(p: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """Compute for each p the smallest ratio of expected to found weight over thresholds >= p."""
    weight = 1 / distance
    rates = np.array([t * weight.sum() / weight[p <= t].sum() for t in p])
    return np.array([min(1.0, rates[p >= one].min()) for one in p])


def test_spatial_fdr_is_weighted_benjamini_hochberg() -> None:
    rng = np.random.default_rng(4)
    for _ in range(20):
        p = np.round(rng.beta(0.5, 2, 40), 2) + 1e-4  # with ties
        distance = rng.gamma(2, 1, 40)
        assert spatial_fdr(p, distance=distance) == pytest.approx(brute_force(p, distance))
        plain = stats.false_discovery_control(p)
        assert spatial_fdr(p, distance=np.full(40, 3.0)) == pytest.approx(plain)


def test_sparse_places_count_less_and_no_distance_is_no_infinite_weight() -> None:
    p = np.array([0.01, 0.5, 0.9])
    crowded = spatial_fdr(p, distance=np.array([0.5, 1.0, 1.0]))
    alone = spatial_fdr(p, distance=np.array([2.0, 1.0, 1.0]))
    assert crowded[0] < alone[0]
    assert spatial_fdr(p, distance=np.array([0.0, 1.0, 1.0])) == pytest.approx(
        stats.false_discovery_control(p)
    )
    assert np.isfinite(spatial_fdr(p, distance=np.zeros(3))).all()


# --- by population --------------------------------------------------------------------------------


def result_table() -> pd.DataFrame:
    """Make rows of two populations, one with a mixed and an untested neighborhood."""
    return pd.DataFrame(
        {
            "neighborhood": [1, 2, 3, 4, 5],
            "cell": ["c0", "c1", "c2", "c3", "c4"],
            "population": ["LAMM", "LAMM", "NK", "NK", "LAMM"],
            "population_fraction": [1.0, 0.9, 0.6, 0.8, 0.9],
            "n_cells": [50, 40, 30, 20, 3],
            "log2fc": [2.0, 1.5, -1.0, 0.1, np.nan],
            "p": [0.001, 0.002, 0.01, 0.7, np.nan],
            "spatial_fdr": [0.01, 0.02, 0.1, 0.9, np.nan],
            "status": ["ok", "ok", "ok", "ok", "too_few_cells"],
        }
    )


def test_the_summary_counts_directions_and_names_populations_without_neighborhoods() -> None:
    table = summarize_neighborhoods(
        result_table(), ["NK", "pDC", "LAMM"], max_spatial_fdr=0.1, min_fraction=0.7
    ).set_index("population")
    assert table.index.tolist() == ["LAMM", "NK", "pDC"]
    columns = ["n_neighborhoods", "n_tested", "n_higher", "n_lower", "n_mixed"]
    assert table[columns].to_numpy().tolist() == [[3, 2, 2, 0, 0], [2, 2, 0, 1, 1], [0] * 5]
    assert table.loc["LAMM", "median_log2fc"] == 1.75
    assert table.loc["NK", "min_spatial_fdr"] == 0.1
    assert table.loc["pDC", ["median_log2fc", "min_spatial_fdr"]].isna().all()


# --- figure ---------------------------------------------------------------------------------------


def draw(table: pd.DataFrame, contrast: Contrast = BASELINE, max_points: int = 100) -> Figure:
    cells = pd.DataFrame({"cell": [f"c{i}" for i in range(30)]})
    cells["population"] = ["LAMM", "LAMM", "NK", "NK", "LAMM", *["pDC"] * 25]
    umap = np.random.default_rng(0).normal(size=(30, 2))
    shown = shown_cells(30, max_points=max_points, rng=np.random.default_rng(0))
    data = NeighborhoodData(
        table, contrast, umap=umap, cells=cells, shown=shown, max_spatial_fdr=0.1, min_fraction=0.7
    )
    return draw_figures(data, functions=drawing_functions("neighborhoods"))["neighborhoods"]


def words(figure: Any) -> str:
    figure.canvas.draw()
    found = [text.get_text() for text in figure.findobj(lambda a: hasattr(a, "get_text"))]
    return "\n".join(found)


def test_the_figure_names_rows_directions_and_what_was_not_tested() -> None:
    said = words(draw(result_table()))
    assert "3 of 4 tested neighborhoods differ (spatial FDR ≤ 10 %)" in said
    assert "more frequent in responder" in said
    assert "more frequent in non-responder" in said
    assert "1 not tested: too few cells in these samples" in said
    assert {"2 of 2", "0 of 1", "1 of 1", "mixed"} <= set(said.split("\n"))


def test_the_figure_draws_when_nothing_differs_and_says_when_nothing_was_tested() -> None:
    flat = result_table().assign(spatial_fdr=0.9)
    assert "0 of 5 tested" in words(draw(flat.assign(status="ok", log2fc=0.0), max_points=10))
    untested = result_table().assign(status="too_few_patients", log2fc=np.nan, spatial_fdr=np.nan)
    said = words(draw(untested))
    assert "No neighborhood" in said
    assert "too few patients in an arm, or too few pairs" in said


@pytest.mark.parametrize(
    ("contrast", "higher"),
    [
        (BASELINE, "more frequent in non-responder"),
        (PRE_TO_POST, "more frequent in post"),
        (CHANGE, "rises more in non-responder"),
    ],
)
def test_directions_are_told_in_words(contrast: Contrast, higher: str) -> None:
    assert contrast.directions()[1] == higher
    said = words(draw(result_table(), contrast))
    assert f"{higher} →" in said  # the axis
    assert higher in said.split("\n")  # the legend
