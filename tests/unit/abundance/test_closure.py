"""Differences that follow from the sum of fractions."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from tests.unit.abundance.questions import judge, run_abundance
from tests.unit.abundance.test_populations import SETTINGS, make_counts, row
from tests.unit.example_cohorts import BASELINE, asked, make_samples

SETTINGS_OF = {**SETTINGS, "exclude_pre_post": []}


def run_shifted(shifts: dict[str, float]) -> pd.DataFrame:
    """Shift the log weight of populations in non-responders, test and judge."""
    samples = make_samples(10)
    test = (samples["response"] == "non_responder").to_numpy()
    planted: Any = {name: np.where(test, shift, 0.0) for name, shift in shifts.items()}
    contrast = asked(BASELINE, samples)
    table = run_abundance(make_counts(samples, **planted), samples, contrast, **SETTINGS_OF)
    return judge(table, contrast, denominator="immune")


def test_what_falls_because_another_rises_is_no_supported_finding() -> None:
    table = run_shifted({"NK": 2.5})
    fallen = table[(table["estimate"] < 0) & (table["p"] < 0.05) & (table["scale"] == "logit")]
    closed = fallen[fallen["denominator"].isin(["all", "immune"])]
    assert len(closed) > 3
    assert set(closed["verdict"]) == {"suggestive"}
    assert closed["words"].str.contains("may follow from NK being higher in non_responder").all()
    assert set(closed["without"]) == {"NK"}
    risen = row(table, "NK", "immune")
    assert risen["words"] == "supported: higher in non_responder"
    assert risen["without"] == ""


def test_a_difference_of_its_own_stays_one() -> None:
    table = run_shifted({"NK": 2.5, "CD8_T": -3.0})
    own = row(table, "CD8_T", "immune")
    assert own["without"] == "NK"
    assert own["p_without"] < 0.05
    assert "may follow" not in own["words"]


def test_the_second_test_is_that_of_the_fraction_without_the_other() -> None:
    samples = make_samples(10)
    test = (samples["response"] == "non_responder").to_numpy()
    counts = make_counts(samples, NK=np.where(test, 2.5, 0.0))
    table = run_abundance(counts, samples, asked(BASELINE, samples), **SETTINGS_OF)
    got = row(table, "CD8_T", "all")
    wide = counts[counts["partition"]].pivot(index="sample", columns="population", values="n_cells")
    rest = wide.drop(columns="NK")
    n = len(rest.columns)
    others = rest.sum(axis=1) - rest["CD8_T"]
    y = np.log((rest["CD8_T"] + 0.5) / (others + 0.5 * (n - 1)))
    pre = samples[samples["phase"] == "pre"]
    arms = [y[pre.loc[pre["response"] == arm, "sample"]] for arm in ("non_responder", "responder")]
    expected = stats.ttest_ind(*arms, equal_var=False)
    assert got["p_without"] == pytest.approx(expected.pvalue)
    assert got["estimate_without"] == pytest.approx(arms[0].mean() - arms[1].mean())


def test_without_a_movement_nothing_is_tested_again() -> None:
    samples = make_samples(3)
    table = run_abundance(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS_OF)
    least = table.groupby(["denominator", "scale"])["p"].transform("min")
    quiet = table[least >= 0.05]
    assert len(quiet) > 4
    assert (quiet["without"] == "").all()
    assert quiet["p_without"].isna().all()


def test_every_fraction_is_marked_as_closed_and_a_ratio_is_not() -> None:
    table = run_shifted({})
    ratio = table["scale"] == "log_ratio"
    assert table.loc[~ratio, "compositional"].all()
    assert not table.loc[ratio, "compositional"].any()
