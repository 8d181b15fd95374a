"""Tests of T-cell measures: planted differences, the CAR-T share, and what cannot be tested."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.axis import state_tests
from lammscope.axis.t_states import MEASURES
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

N_CELLS = 100
AFTER = {**BASELINE, "where": {"phase": "post"}}
TREND = {"kind": "trend", "column": "age", "where": {"phase": "pre"}}


def make_measures(samples: pd.DataFrame, *, shift: float = 2.0) -> pd.DataFrame:
    """Programs and states of T cells; `planted` is higher in non-responders."""
    rng = np.random.default_rng(4)
    higher = shift * (samples["response"] == "non_responder").to_numpy()
    after = (samples["phase"] == "post").to_numpy()
    own = {"sample": samples["sample"], "population": "T", "n_cells": N_CELLS}
    values = {
        ("planted", "mean"): rng.normal(size=len(samples)) / 4 + higher,
        ("flat", "mean"): rng.normal(size=len(samples)),
        ("exhausted", "fraction"): rng.uniform(0.2, 0.4, len(samples)) + higher / 8,
        ("CAR_T", "fraction"): np.where(after, rng.uniform(0.1, 0.5, len(samples)), 0),
    }
    parts = [
        pd.DataFrame(own | {"measure": name, "kind": kind, "total": value * N_CELLS})
        for (name, kind), value in values.items()
    ]
    car_t = parts[0][after].assign(population="CAR_T", n_cells=N_CELLS)
    return pd.concat([*parts, car_t], ignore_index=True)[MEASURES]


def results_of(
    entry: dict[str, Any],
    measures: pd.DataFrame | None = None,
    samples: pd.DataFrame | None = None,
    min_cells: int = 10,
) -> pd.DataFrame:
    samples = make_samples() if samples is None else samples
    given = make_measures(samples) if measures is None else measures
    table = state_tests.test_states(
        given,
        Comparison(samples, asked(entry, samples)),
        min_cells=min_cells,
        sorts={},
        permutations=Permutations(max_exact=1000, n_draws=200, seed=1),
    )
    return table.set_index(["population", "measure", "kind"])


def test_a_planted_difference_is_supported_and_equals_welchs_test() -> None:
    samples = make_samples()
    measures = make_measures(samples)
    row = results_of(BASELINE).loc["T", "planted", "mean"]
    own = measures[(measures["measure"] == "planted") & (measures["population"] == "T")]
    own = own.merge(samples[samples["phase"] == "pre"], on="sample")
    arms = [
        own.loc[own["response"] == arm, "total"] / N_CELLS for arm in ("non_responder", "responder")
    ]
    welch = stats.ttest_ind(*arms, equal_var=False)
    assert row["estimate"] == pytest.approx(arms[0].mean() - arms[1].mean())
    assert row["p"] == pytest.approx(welch.pvalue, rel=1e-6)
    assert (row["verdict"], row["scale"]) == ("supported", "mean")
    assert row["mean_test"] == pytest.approx(arms[0].mean())


def test_false_discovery_rates_are_over_all_rows() -> None:
    table = results_of(BASELINE)
    known = table["p"].notna()
    expected = stats.false_discovery_control(table.loc[known, "p"])
    np.testing.assert_allclose(table.loc[known, "fdr"], expected)


def test_the_change_of_the_car_t_share_is_the_share_after_infusion() -> None:
    """Before infusion it is 0, of which the logit would be the number of T cells."""
    samples = make_samples()
    measures = make_measures(samples)
    few = measures.copy()
    early = few["sample"].str.endswith("pre") & (few["measure"] == "CAR_T")
    few.loc[early, "n_cells"] = np.where(few.loc[early, "sample"].str.startswith("n"), 20, 900)
    rows = [results_of(CHANGE, each).loc["T", "CAR_T", "fraction"] for each in (measures, few)]
    after = results_of(AFTER, measures).loc["T", "CAR_T", "fraction"]
    for row in rows:
        assert row["estimate"] == pytest.approx(after["estimate"])
        assert row["notes"] == state_tests.AFTER_ONLY
    within = results_of(PAIRED, measures).loc["T", "CAR_T", "fraction"]
    assert within["words"] == f"not testable: {state_tests.NO_CAR_T}"


def test_car_t_cells_cannot_be_compared_with_before_infusion() -> None:
    row = results_of(CHANGE).loc["CAR_T", "planted", "mean"]
    assert (row["status"], row["reason"]) == ("no_cells", state_tests.NO_CAR_T)


@pytest.mark.parametrize("entry", [BASELINE, AFTER, CHANGE, PAIRED, TREND])
def test_every_kind_of_contrast_gives_rows(entry: dict[str, Any]) -> None:
    samples = make_samples()
    numbers = {name: 50 + i for i, name in enumerate(sorted(set(samples["patient"])))}
    samples = samples.assign(age=samples["patient"].map(numbers).astype(float))
    table = results_of(entry, samples=samples)
    assert table.loc[("T", "flat", "mean"), "status"] == "ok"
    assert set(table["verdict"]) <= {"supported", "suggestive", "inconclusive", "not testable"}
    assert table["status"].ne("ok").eq(table["verdict"] == "not testable").all()
    assert table.loc[table["status"] != "ok", "reason"].ne("").all()


def test_a_cohort_without_car_t_cells_says_so_and_one_without_t_cells_does() -> None:
    measures = make_measures(make_samples())
    without = measures[(measures["population"] != "CAR_T") & (measures["measure"] != "CAR_T")]
    table = results_of(AFTER, without)
    assert table.loc[("CAR_T", "planted", "mean"), "reason"] == state_tests.NO_CELLS
    assert table.loc[("T", "CAR_T", "fraction"), "reason"] == state_tests.NO_SHARE
    assert table.loc[("T", "planted", "mean"), "status"] == "ok"
    nothing = results_of(AFTER, measures.iloc[:0])
    assert nothing["verdict"].tolist() == ["not testable"]


def test_patients_with_few_cells_are_left_out_and_named() -> None:
    measures = make_measures(make_samples())
    measures.loc[measures["sample"] == "r0_pre", ["total", "n_cells"]] /= 50
    row = results_of(BASELINE, measures).loc["T", "planted", "mean"]
    assert row["n_reference"] == 5
    assert "r0 (responder)" in row["notes"]
    none = results_of(BASELINE, min_cells=1000).loc["T", "planted", "mean"]
    assert none["words"] == "not testable: no patient has 1000 cells"


def test_nothing_is_tested_where_sorting_removed_t_cells() -> None:
    samples = make_samples().assign(sort="CD14+")
    entry = BASELINE | {"where": {"phase": "pre", "sort": "CD14+"}}
    table = results_of(entry, samples=samples)
    assert set(table["status"]) == {"sorted_out"}
    assert table["reason"].iloc[0] == "sorting for CD14+ removed T cells"


def test_further_tables_are_joined_and_a_measure_given_twice_is_refused() -> None:
    own = make_measures(make_samples())
    clones = own[own["measure"] == "flat"].assign(measure="clonality")
    joined = state_tests.read_measures([own, clones, own.iloc[:0]])
    assert ("T", "clonality", "mean") in results_of(BASELINE, joined).index
    with pytest.raises(ValueError, match="has `clonality` of T twice; rename one"):
        state_tests.read_measures([own, clones, clones])
    assert list(state_tests.read_measures([])) == MEASURES
