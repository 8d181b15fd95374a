"""The robustness table: each row agrees with a run with that choice."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.abundance.counts import count_thresholds
from lammscope.abundance.robustness import COLUMNS
from lammscope.stats.multiplicity import holm
from tests.unit.abundance.questions import run_abundance
from tests.unit.abundance.questions import run_robustness as run_test
from tests.unit.abundance.test_populations import SETTINGS, make_counts, row
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

RULES = {key: SETTINGS[key] for key in ("min_cells", "exclude_pre_post", "sorts")}
OPTIONS = {"denominator": "monocytic", "level": "macrophage_like", "probability": 0.9, **RULES}
NUMBERS = ["estimate", "se", "ci_low", "ci_high", "df", "p", "n_test", "n_reference"]


def thresholds_of(counts: pd.DataFrame) -> pd.DataFrame:
    """Count more cells at lower thresholds."""
    lamm = counts[counts["population"] == "LAMM"]
    tables = [
        pd.DataFrame(
            {"sample": lamm["sample"], "level": level, "threshold": threshold,
             "n_cells": lamm["n_cells"] + extra}
        )
        for level in ("positive", "macrophage_like")
        for threshold, extra in ((0.1, 20), (0.5, 5), (0.9, 0))
    ]  # fmt: skip
    return pd.concat(tables, ignore_index=True)


@pytest.fixture
def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    samples = make_samples()
    rng = np.random.default_rng(3)
    samples["ldh"] = samples["patient"].map(
        dict(zip(samples["patient"].unique(), rng.normal(300, 40, 12), strict=True))
    )
    planted = np.where(samples["response"] == "non_responder", 0.8, 0.0)
    return samples, make_counts(samples, LAMM=planted)


def analysis(table: pd.DataFrame, name: str, setting: str = "") -> pd.Series:
    found = table[(table["analysis"] == name) & (table["setting"] == setting)]
    assert len(found) == 1
    return found.iloc[0]


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=["between", "paired", "change"])
def test_main_scale_and_denominators_are_the_rows_of_the_abundance_table(
    cohort: tuple[pd.DataFrame, pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples, counts = cohort
    contrast = asked(entry, samples)
    table = run_test(counts, thresholds_of(counts), samples, contrast, **OPTIONS)
    abundance = run_abundance(counts, samples, contrast, **SETTINGS)
    assert list(table.columns) == COLUMNS
    pairs = [
        (analysis(table, "main"), row(abundance, "LAMM", "monocytic")),
        (analysis(table, "scale", "arcsine"), row(abundance, "LAMM", "monocytic", "arcsine")),
        (analysis(table, "denominator", "all"), row(abundance, "LAMM", "all")),
        (analysis(table, "denominator", "immune"), row(abundance, "LAMM", "immune")),
        (analysis(table, "denominator", "T"), row(abundance, "LAMM", "T", "log_ratio")),
        (analysis(table, "level", "positive"), row(abundance, "LAMM_positive", "monocytic")),
    ]
    for got, expected in pairs:
        np.testing.assert_allclose(
            got[NUMBERS].astype(float), expected[NUMBERS].astype(float), rtol=1e-12
        )
        assert got["status"] == expected["status"]
    main = pairs[0][0]
    assert main["log_odds"] == main["estimate"]
    # by the delta method, the other scale is close to the main one
    assert pairs[1][0]["log_odds"] == pytest.approx(main["log_odds"], abs=0.15)


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE], ids=["between", "paired", "change"])
def test_each_patient_left_out_is_a_run_without_that_patient(
    cohort: tuple[pd.DataFrame, pd.DataFrame], entry: dict[str, Any]
) -> None:
    samples, counts = cohort
    contrast = asked(entry, samples)
    table = run_test(counts, thresholds_of(counts), samples, contrast, **OPTIONS)
    left = table[table["analysis"] == "leave_one_out"]
    assert sorted(left["setting"]) == sorted(samples["patient"].unique())
    lamm = row(run_abundance(counts, samples, contrast, **SETTINGS), "LAMM", "monocytic")
    assert left["estimate"].min() == pytest.approx(lamm["influence_low"])
    assert left["estimate"].max() == pytest.approx(lamm["influence_high"])
    assert left["p"].max() == pytest.approx(lamm["influence_p_max"])
    rest = samples[samples["patient"] != "n2"]
    kept = counts[counts["sample"].isin(rest["sample"])]
    without = row(run_abundance(kept, rest, contrast, **SETTINGS), "LAMM", "monocytic")
    np.testing.assert_allclose(
        analysis(table, "leave_one_out", "n2")[NUMBERS].astype(float),
        without[NUMBERS].astype(float),
    )


def test_thresholds_count_other_cells_of_the_same_denominator(
    cohort: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    samples, counts = cohort
    table = run_test(counts, thresholds_of(counts), samples, asked(BASELINE, samples), **OPTIONS)
    assert table.loc[table["analysis"] == "threshold", "setting"].tolist() == ["0.1", "0.5"]
    changed = counts.assign(
        n_cells=counts["n_cells"] + np.where(counts["population"] == "LAMM", 5, 0)
    )
    same = run_abundance(changed, samples, asked(BASELINE, samples), **SETTINGS)
    expected = row(same, "LAMM", "monocytic")["estimate"]
    assert analysis(table, "threshold", "0.5")["estimate"] == pytest.approx(expected)


def test_covariates_are_left_out_in_turn_or_tried_where_none_is_adjusted(
    cohort: tuple[pd.DataFrame, pd.DataFrame],
) -> None:
    samples, counts = cohort
    thresholds = thresholds_of(counts)
    unadjusted = run_test(counts, thresholds, samples, asked(BASELINE, samples), **OPTIONS)
    assert unadjusted.loc[unadjusted["analysis"] == "adjust", "setting"].tolist() == [
        "product",
        "ldh",
    ]
    both = asked({**BASELINE, "adjust": ["product", "ldh"]}, samples)
    table = run_test(counts, thresholds, samples, both, **OPTIONS)
    assert table.loc[table["analysis"] == "adjust", "setting"].tolist() == [
        "ldh",
        "product",
        "none",
    ]
    assert analysis(table, "adjust", "none")["p"] == analysis(unadjusted, "main")["p"]
    one = asked({**BASELINE, "adjust": ["ldh"]}, samples)
    expected = row(run_abundance(counts, samples, one, **SETTINGS), "LAMM", "monocytic")
    for other in (table, unadjusted):
        assert analysis(other, "adjust", "ldh")["p"] == pytest.approx(expected["p"])


def test_a_cohort_without_lamm_cells_or_with_few_patients_has_statuses() -> None:
    samples = make_samples(2)
    counts = make_counts(samples)
    table = run_test(counts, thresholds_of(counts), samples, asked(BASELINE, samples), **OPTIONS)
    assert set(table["status"]) == {"too_few_patients"}
    assert table["p"].isna().all()
    samples = make_samples()
    counts = make_counts(samples)
    counts.loc[counts["population"].str.startswith("LAMM"), "n_cells"] = 0
    thresholds = thresholds_of(counts).assign(n_cells=0)
    table = run_test(counts, thresholds, samples, asked(BASELINE, samples), **OPTIONS)
    assert set(table["status"]) == {"no_cells"}
    assert table[["p", "log_odds"]].isna().all(axis=None)


def test_thresholds_are_counted_for_every_sample() -> None:
    cells = pd.DataFrame(
        {"sample": ["a", "a", "b"], "lamm_positive": [0.95, 0.6, 0.2],
         "lamm_macrophage_like": [0.55, 0.1, 0.0]}
    )  # fmt: skip
    samples = pd.DataFrame({"sample": ["b", "a", "c"]})
    table = count_thresholds(cells, samples, thresholds=[0.9, 0.5])
    wide = table.pivot(index="sample", columns=["level", "threshold"], values="n_cells")
    assert wide["positive", 0.5].to_dict() == {"a": 2, "b": 0, "c": 0}
    assert wide["positive", 0.9].to_dict() == {"a": 1, "b": 0, "c": 0}
    assert wide["macrophage_like", 0.5].to_dict() == {"a": 1, "b": 0, "c": 0}


def test_holm_is_that_of_r() -> None:
    # p.adjust(c(0.01, 0.04, 0.03, 0.005, 0.2), "holm")
    expected = [0.04, 0.09, 0.09, 0.025, 0.2]
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005, 0.2])), expected)
