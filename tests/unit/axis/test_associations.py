"""Associations across patients: values by hand, which samples are taken, rows without a result."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.axis import associations
from lammscope.cohort.permutation import Permutations
from tests.unit.example_cohorts import cohort

SUPPLY = pd.DataFrame(columns=["sample", "population", "measure", "kind", "total", "n_cells"])
TIMEPOINTS = {"pre": ["D0"], "post": ["D7", "D14"]}


def make_cohort(samples: pd.DataFrame | None = None, **changed: Any) -> associations.Cohort:
    """Macrophage-like cells before infusion go with exhaustion after it, cell for cell."""
    samples = cohort(6) if samples is None else samples
    rng = np.random.default_rng(9)
    names = samples["sample"].tolist()
    number = samples["patient"].str[1:].astype(int)
    place = 2 * number + samples["patient"].str.startswith("R")  # alike in both arms
    n = len(names)
    lamm = 20 + 5 * place.to_numpy() + rng.integers(0, 3, n)
    sizes = {"CD4_T": 300, "B": 100, "Malignant_B": 900}
    rows = [(name, pop, size, True) for name in names for pop, size in sizes.items()]
    rows += [(name, "Macrophage", 200, True) for name in names]
    rows += [
        (name, level, k, False)
        for name, k in zip(names, lamm, strict=True)
        for level in ("LAMM_positive", "LAMM_macrophage_like")
    ]
    counts = pd.DataFrame(rows, columns=["sample", "population", "n_cells", "partition"])
    lineages = {"CD4_T": "T", "B": "B", "Malignant_B": "malignant"}
    counts["lineage"] = counts["population"].map(lineages).fillna("monocytic")
    measure = {"sample": names, "population": "T", "n_cells": 100}
    exhaustion = np.where(samples["phase"] == "post", place, 0) * 100 + rng.normal(0, 150, n)
    car = np.where(samples["phase"] == "post", 40, 0)
    measures = pd.concat(
        [
            pd.DataFrame(measure | {"measure": "exhaustion", "kind": "mean", "total": exhaustion}),
            pd.DataFrame(measure | {"measure": "CAR_T", "kind": "fraction", "total": car}),
            pd.DataFrame(measure | {"measure": "rare", "kind": "fraction", "total": 1.0}),
        ]
    )
    scores = {"sample": names, "total_score": rng.normal(size=n) * 200, "n_scored": 200}
    quality = {"sample": names, "median_counts": rng.integers(2000, 5000, n)}
    given: dict[str, Any] = {
        "counts": counts,
        "scores": pd.DataFrame(scores),
        "supply": SUPPLY,
        "measures": measures,
        "quality": pd.DataFrame(quality),
        "timepoints": TIMEPOINTS,
        "sorts": {},
    }
    return associations.Cohort(samples, **(given | changed))


def correlate(given: associations.Cohort, **min_cells: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    return associations.test_associations(
        given,
        min_cells={"lamm": 20, "t": 10} | min_cells,
        permutations=Permutations(max_exact=100, n_draws=500, seed=1),
    )


def row_of(table: pd.DataFrame, when: str, lamm: str, measure: str) -> pd.Series:
    found = table.query("when == @when and lamm_measure == @lamm and t_measure == @measure")
    assert len(found) == 1
    return found.iloc[0]


def test_lamm_cells_before_infusion_are_found_to_go_with_a_later_state() -> None:
    table, patients = correlate(make_cohort())
    row = row_of(table, "pre_then_post", "LAMM_macrophage_like", "exhaustion")
    own = patients.query(
        "when == 'pre_then_post' and lamm_measure == 'LAMM_macrophage_like' "
        "and t_measure == 'exhaustion'"
    )
    assert own["patient"].is_unique
    columns = [own["lamm_value"], own["t_value"], own["arm"] == "responder"]
    columns += [own["lamm_log_umis"], own["t_log_umis"]]
    inverse = np.linalg.inv(np.corrcoef([stats.rankdata(each) for each in columns]))
    expected = -inverse[0, 1] / np.sqrt(inverse[0, 0] * inverse[1, 1])
    assert row["rho"] == pytest.approx(expected)
    assert (row["n"], row["n_covariates"], row["status"]) == (12, 3, "ok")
    assert row["words"].startswith("associated: rise together, rho between 0.")


def test_values_are_logits_of_immune_cells_and_means_with_replicates_summed() -> None:
    samples = cohort(6)
    twin = samples.iloc[[0]].assign(sample="twin")
    given = make_cohort(pd.concat([samples, twin], ignore_index=True))
    _, patients = correlate(given)
    own = patients.query("when == 'pre' and patient == 'R1' and t_measure == 'exhaustion'")
    assert len(own) == 3
    value = own.set_index("lamm_measure")["lamm_value"]["LAMM_positive"]
    counts = given.counts[given.counts["sample"].isin([samples["sample"].iloc[0], "twin"])]
    n_lamm = counts.loc[counts["population"] == "LAMM_positive", "n_cells"].sum()
    assert value == pytest.approx(np.log((n_lamm + 0.5) / (1200 - n_lamm + 0.5)))
    both = given.measures.query("measure == 'exhaustion'").set_index("sample")["total"]
    mean = both[[samples["sample"].iloc[0], "twin"]].sum() / 200
    assert own["t_value"].iloc[0] == pytest.approx(mean)


def test_the_sample_nearest_to_infusion_is_taken_with_or_without_days() -> None:
    samples = cohort(6)
    late = samples[samples["phase"] == "post"].assign(timepoint="D14", day=14)
    late["sample"] = late["patient"] + "_D14"
    early = correlate(make_cohort(samples))[0]
    for table in (pd.concat([late, samples]), pd.concat([late, samples]).drop(columns="day")):
        given = make_cohort(table.reset_index(drop=True))
        of_sample = given.measures.loc[given.measures["sample"].str.endswith("D14")]
        assert len(of_sample)
        chosen = associations._chosen_samples(given)
        assert sorted(chosen["sample"]) == sorted(samples["sample"])
    assert early["n"].max() == 12


def test_sorted_libraries_are_left_out() -> None:
    samples = cohort(6)
    samples["sort"] = np.where(samples["patient"] == "R1", "CD3+", "none")
    table, patients = correlate(make_cohort(samples))
    assert "R1" not in set(patients["patient"])
    assert table["n"].max() == 11


def test_the_car_t_share_has_no_value_before_infusion_and_no_change() -> None:
    table, _ = correlate(make_cohort())
    share = table[table["t_measure"] == "CAR_T"].groupby("when")["status"].unique().str[0]
    assert share.to_dict() == {
        "pre": "too_few_cells",
        "post": "no_variation",  # every patient has the same share here
        "pre_then_post": "no_variation",
    }
    rare = table[table["t_measure"] == "rare"]
    assert set(rare["reason"]) == {"fewer than 2 such cells per patient"}
    assert rare["rho"].isna().all()


def test_a_table_of_supply_adds_its_measures() -> None:
    supply = make_cohort().measures.query("measure == 'exhaustion'")
    supply = supply.assign(population="macrophage_like", measure="PGE2_supply")
    table, _ = correlate(make_cohort(supply=supply))
    row = row_of(table, "post", "PGE2_supply of macrophage_like", "exhaustion")
    assert row["rho"] == pytest.approx(1)


def test_few_patients_give_rows_with_a_reason() -> None:
    table, _ = correlate(make_cohort(cohort(2)))
    row = row_of(table, "pre", "LAMM_positive", "exhaustion")
    assert row["status"] == "too_few_patients"
    assert row["words"] == "not testable: 4 patients of 7 needed (covariates: 2)"
    nobody, patients = correlate(make_cohort(), t=1000)
    assert nobody.empty
    assert patients.empty


def test_a_cohort_without_a_response_is_adjusted_for_depth_alone() -> None:
    samples = cohort(6, response=None)
    table, _ = correlate(make_cohort(samples))
    assert row_of(table, "pre", "LAMM_positive", "exhaustion")["n_covariates"] == 1


def test_false_discovery_rates_are_over_all_rows() -> None:
    table, _ = correlate(make_cohort())
    known = table["p"].notna()
    expected = stats.false_discovery_control(table.loc[known, "p"])
    np.testing.assert_allclose(table.loc[known, "fdr"], expected)
    wide = table[known & (table["p"] > 0.05)].iloc[0]
    low, high = (f"{wide[end]:.2f}".replace("-", "\N{MINUS SIGN}") for end in ("ci_low", "ci_high"))
    assert wide["words"] == f"compatible with no association: rho between {low} and {high}"
