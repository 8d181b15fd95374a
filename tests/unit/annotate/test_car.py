"""CAR status: by infusion, sort, feature and lineage, and by probability in unsorted libraries."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.car import apply_car, call_car, set_unknown_apart
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.joint.panel_counts import PanelCounts
from tests.unit import real_cohorts

CALLED = 0.9
N_SILENT = 20


def call(
    umi: list[int],
    *,
    lineage: list[str],
    sample: list[str] | None = None,
    feature: list[bool] | bool = True,
    before: list[bool] | bool = False,
    sorted_out: list[bool] | bool = False,
) -> pd.DataFrame:
    """Call cells of 3,000 UMIs without neighbors; each sample has silent T and B cells besides."""
    cells = pd.DataFrame({"sample": sample or ["a"] * len(umi), "lineage": lineage, "umi": umi})
    about = {"feature": feature, "before": before, "sorted": sorted_out}
    cells = cells.assign(**about)
    silent = [cells.assign(lineage=name, umi=0) for name in ("T", "B")]
    cells = pd.concat([cells, *(silent * N_SILENT)], ignore_index=True)
    counts = np.column_stack([np.full(len(cells), 5), cells["umi"]])
    called = call_car(
        PanelCounts(sparse.csr_array(counts), ["CD3E", "CAR"], np.full(len(cells), 3000)),
        cells=cells[["sample", "lineage"]],
        neighbors=np.full((len(cells), 2), -1),
        has_feature=cells["feature"],
        before_infusion=cells["before"],
        sorted_out=cells["sorted"],
        probability=CALLED,
    )
    return called.iloc[: len(umi)]


@pytest.mark.parametrize(
    ("before", "sorted_out", "expected"),
    [
        ([True, True, False], False, ["negative", "negative", "negative"]),
        (False, [True, True, False], ["positive", "unknown", "negative"]),
        (True, True, ["unknown", "unknown", "unknown"]),
    ],
)
def test_car_status_knows_infusion_and_sort(
    before: list[bool] | bool, sorted_out: bool | list[bool], expected: list[str]
) -> None:
    car = call(
        [2, 0, 0],
        lineage=["T", "T", "T"],
        sample=["a", "a", "b"],
        before=before,
        sorted_out=sorted_out,
    )
    assert car["car"].tolist() == expected


def test_car_status_follows_umis_lineage_and_feature() -> None:
    car = call(
        [1, 0, 2, 1, 5],
        lineage=["T", "T", "monocytic", "T", "T"],
        sample=["a", "a", "b", "c", "c"],
        feature=[True, True, True, False, False],
    )["car"]
    assert car.tolist() == ["positive", "negative", "negative", "unknown", "unknown"]
    types = apply_car(["CD8_T", "CD4_T", "Macrophage", "Treg", "Treg"], car=car)
    assert types.tolist() == ["CAR_T", "CD4_T", "Macrophage", "Treg", "Treg"]


def test_car_status_without_any_feature_is_unknown_and_has_no_probability() -> None:
    car = call([1, 0], lineage=["T", "B"], feature=False)
    assert car["car"].tolist() == ["unknown", "unknown"]
    assert car["car_probability"].isna().all()
    kept = set_unknown_apart(pd.Series(["CD8_T", "B"]), car=car)
    assert kept.tolist() == ["CD8_T", "B"]


def test_a_sample_without_t_cells_is_called() -> None:
    cells = pd.DataFrame({"sample": ["a", "a"], "lineage": ["B", "monocytic"]})
    car = call_car(
        PanelCounts(sparse.csr_array(np.array([[1], [0]])), ["CAR"], np.array([900, 900])),
        cells=cells,
        neighbors=np.full((2, 3), -1),
        has_feature=True,
        before_infusion=False,
        sorted_out=False,
        probability=CALLED,
    )
    assert car["car"].tolist() == ["negative", "negative"]
    assert car["car_probability"].isna().all()


def test_before_infusion_no_t_cell_is_set_apart() -> None:
    car = call([3, 0, 0, 0], lineage=["T"] * 4, before=True, sorted_out=[False, False, True, True])
    assert car["car_probability"].iloc[:2].tolist() == [0, 0]
    types = pd.Series(["CD8_T", "CD4_T", "CD8_T", "CD4_T"])
    assert set_unknown_apart(types, car=car).tolist() == types.tolist()


def test_a_t_cell_without_a_transcript_in_a_car_sorted_library_is_set_apart() -> None:
    car = call([3, 0, 0], lineage=["T", "T", "B"], sorted_out=True)
    kept = set_unknown_apart(pd.Series(["CD8_T", "CD8_T", "B"]), car=car)
    assert kept.tolist() == ["CD8_T", UNKNOWN_CAR_T, "B"]


def test_one_stray_umi_makes_no_car_t_cell() -> None:
    n = 400
    umi = [1] * 8 + [0] * (n - 8)  # as many as in the cells of other lineages
    car = call([*umi, *umi], lineage=["T"] * n + ["monocytic"] * n)
    assert not (car["car"] == "positive").any()
    assert (car["car"].iloc[8:n] == "negative").all()
    clean = call([*umi, *([0] * n)], lineage=["T"] * n + ["monocytic"] * n)
    assert (clean["car"].iloc[:8] == "positive").all()


def test_other_samples_and_their_order_do_not_change_a_probability() -> None:
    rng = np.random.default_rng(2)
    umi = rng.poisson(np.where(rng.random(300) < 0.3, 1.5, 0.0)).tolist()
    lineage = ["T"] * 250 + ["B"] * 50
    alone = call(umi, lineage=lineage)
    order = rng.permutation(300)
    moved = call([umi[i] for i in order], lineage=[lineage[i] for i in order])
    np.testing.assert_allclose(
        moved["car_probability"], alone["car_probability"].to_numpy()[order], atol=1e-4
    )
    before = call(
        umi * 2,
        lineage=lineage * 2,
        sample=["a"] * 300 + ["b"] * 300,
        before=[False] * 300 + [True] * 300,
    )
    np.testing.assert_array_equal(before["car_probability"].iloc[:300], alone["car_probability"])


def test_neighbors_are_t_cells_of_the_same_sample() -> None:
    cells = pd.DataFrame({"sample": list("ababa"), "lineage": ["T", "T", "T", "T", "B"]})
    found = lineage_neighbors(
        np.arange(5.0)[:, None],
        cells=cells,
        lineage="T",
        within="sample",
        n_neighbors=2,
        seed=1,
        threads=1,
    )
    assert found.tolist() == [[2, -1], [3, -1], [0, -1], [1, -1], [-1, -1]]


def real_calls(cohort: real_cohorts.Cohort, *, by_car: bool) -> pd.Series:
    """Call the seven libraries, with or without the knowledge that some are sorted."""
    symbols = ["CAR" if symbol == "CAT_scFv" else symbol for symbol in cohort.counts.symbols]
    counts = PanelCounts(cohort.counts.matrix, symbols, cohort.counts.totals)
    sample = cohort.cells["sample"].to_numpy()
    near = cohort.neighbors
    own = (sample[near] == sample[:, None]) & (cohort.cells["lineage"] == "T").to_numpy()[near]
    car = call_car(
        counts,
        cells=cohort.cells,
        neighbors=np.where(own, near, -1),
        has_feature=True,
        before_infusion=False,
        sorted_out=(cohort.cells["sort"] != "NoSo") & by_car,
        probability=CALLED,
    )
    return car["car"]


@pytest.mark.real_data
@pytest.mark.parametrize("by_car", [True, False])
def test_the_car_transcript_marks_sorted_t_cells(
    real_data: Callable[[str], Path], by_car: bool
) -> None:
    cohort = real_cohorts.carpall(real_data("carpall"))
    positive = real_calls(cohort, by_car=by_car) == "positive"
    share = positive.groupby(cohort.cells["sort"]).mean()
    assert share["CD3+CAT+"] > 2 * share["NoSo"]
    assert share["CD3+CAT+"] > 0.5
