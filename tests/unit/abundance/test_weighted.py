"""Patients weighted by their cells, beside the rows that count patients alike."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.abundance.fractions import OFFSET, Measure
from lammscope.abundance.weighted import COLUMNS, add_weighted, sampling_variances
from lammscope.stats.weighted import weighted_test
from tests.unit.abundance.questions import judge, run_abundance
from tests.unit.abundance.test_populations import MONOCYTIC, SETTINGS, make_counts, proportions, row
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

TREND = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
SHALLOW = ["n0_pre", "n1_pre", "r0_post", "r3_pre", "r4_pre"]


def tables(entry: dict[str, Any]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return samples of which some have few cells, the counts, and the table of tests."""
    samples = make_samples().assign(ldh=np.tile(np.arange(12.0), 2))
    counts = make_counts(samples)
    few = counts["sample"].isin(SHALLOW)
    counts.loc[few, "n_cells"] = counts.loc[few, "n_cells"] // 15
    return samples, counts, run_abundance(counts, samples, asked(entry, samples), **SETTINGS)


def of_samples(counts: pd.DataFrame, samples: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Compute the log odds of macrophages among monocytic cells and their variance, by hand."""
    wide = counts[counts["partition"]].pivot(index="sample", columns="population", values="n_cells")
    logit = proportions(counts, "Macrophage", MONOCYTIC)[samples["sample"]].to_numpy()
    share = 1 / (1 + np.exp(-pd.Series(logit).groupby(group.to_numpy()).transform("mean")))
    n = wide.loc[samples["sample"], MONOCYTIC].sum(axis=1).to_numpy()
    others = OFFSET * (len(MONOCYTIC) - 1)
    variance = 1 / (n * share + OFFSET) + 1 / (n * (1 - share) + others)
    return samples.assign(logit=logit, variance=variance.to_numpy())


@pytest.mark.parametrize("entry", [BASELINE, PAIRED, CHANGE, TREND])
def test_weights_are_those_of_the_cells_and_the_model_that_of_the_row(
    entry: dict[str, Any],
) -> None:
    samples, counts, table = tables(entry)
    kind = entry["kind"]
    arm = samples["response"]
    if kind not in ("paired", "change"):
        samples = samples[samples["phase"] == "pre"]
    group = samples["phase"] if kind in ("paired", "trend") else samples["phase"] + arm
    own = of_samples(counts, samples, group.loc[samples.index]).set_index("patient")
    pre, post = (own[own["phase"] == phase] for phase in ("pre", "post"))
    values, variances = pre["logit"], pre["variance"]
    if len(post):
        values, variances = post["logit"] - values, post["variance"] + variances
    test = (pre["response"] == "non_responder").astype(float)
    second = {"paired": [], "trend": [pre["ldh"]]}.get(kind, [test])
    design = np.column_stack([np.ones(len(pre)), *second])
    expected = weighted_test(
        values.to_numpy()[None], variances.to_numpy()[None], design, len(second)
    )
    got = row(table, "Macrophage", "monocytic")
    scale = pre["ldh"].std() if kind == "trend" else 1.0
    assert got["p_weighted"] == pytest.approx(expected.p[0], rel=1e-6)
    assert got["estimate_weighted"] == pytest.approx(expected.estimate[0] * scale, rel=1e-6)
    assert got["ci_low_weighted"] < got["estimate_weighted"] < got["ci_high_weighted"]
    assert abs(got["p_weighted"] - got["p"]) > 1e-4


def test_only_logarithms_of_ratios_with_a_result_are_tested() -> None:
    _, _, table = tables(BASELINE)
    weighted = table["p_weighted"].notna()
    assert set(table.loc[weighted, "scale"]) == {"logit", "log_ratio"}
    ok = table["status"].eq("ok") & table["scale"].isin(["logit", "log_ratio"])
    assert weighted.equals(ok)


def test_patients_of_equal_depth_give_the_p_of_the_row() -> None:
    samples = make_samples()
    table = run_abundance(make_counts(samples), samples, asked(BASELINE, samples), **SETTINGS)
    rows = table[(table["denominator"] == "all") & (table["scale"] == "logit")]
    rows = rows[rows["status"] == "ok"]
    np.testing.assert_allclose(rows["p_weighted"], rows["p"], rtol=1e-6)
    np.testing.assert_allclose(rows["ci_low_weighted"], rows["ci_low"], rtol=1e-6)


def test_the_verdict_stays_that_of_the_row() -> None:
    samples, _, table = tables(BASELINE)
    contrast = asked(BASELINE, samples)
    judged = judge(table, contrast, denominator="immune")
    other = table.assign(**dict.fromkeys(COLUMNS, 0.001))
    changed = judge(other, contrast, denominator="immune")
    assert changed["verdict"].equals(judged["verdict"])
    assert changed["words"].equals(judged["words"])


def measure(count: list[int], total: list[int], *, ratio: bool = False) -> Measure:
    one, other = (np.array(each, dtype=float)[:, None] for each in (count, total))
    offset = OFFSET * (1 if ratio else 2)
    return Measure("A", "all", one, other, OFFSET, offset, partition=True, ratio=ratio)


def test_a_count_that_is_low_by_chance_keeps_its_weight() -> None:
    keep, arm = np.ones(4, dtype=bool), np.array(["test"] * 4)
    found = sampling_variances(measure([0, 4, 6, 12], [200] * 4), keep, arm)
    np.testing.assert_allclose(found, found[0])
    deeper = sampling_variances(measure([0, 4, 6, 120], [200, 200, 200, 2000]), keep, arm)
    assert deeper[3] < deeper[0] / 5


def test_a_ratio_and_the_fraction_of_both_have_the_same_variance() -> None:
    keep, arm = np.ones(4, dtype=bool), np.array(["test", "test", "reference", "reference"])
    ratio = sampling_variances(measure([3, 8, 2, 9], [97, 42, 8, 1], ratio=True), keep, arm)
    whole = sampling_variances(measure([3, 8, 2, 9], [100, 50, 10, 10]), keep, arm)
    np.testing.assert_allclose(ratio, whole)
    # near 1 / cells + 1 / others where there are many
    many = sampling_variances(measure([300, 300], [9000, 9000], ratio=True), keep[:2], arm[:2])
    np.testing.assert_allclose(many, 1 / 300 + 1 / 9000, rtol=0.01)


def test_patients_with_too_few_cells_are_left_out_as_in_the_row() -> None:
    samples, counts, _ = tables(BASELINE)
    few = counts["sample"] == "n5_pre"
    counts.loc[few, "n_cells"] = counts.loc[few, "n_cells"] // 2000
    contrast = asked(BASELINE, samples)
    got = row(run_abundance(counts, samples, contrast, **SETTINGS), "NK", "all")
    assert "n5_pre" in got["notes"] or "n5" in got["notes"]
    kept = samples[samples["patient"] != "n5"]
    own = counts[counts["sample"].isin(kept["sample"])]
    without = row(run_abundance(own, kept, contrast, **SETTINGS), "NK", "all")
    assert got["p_weighted"] == pytest.approx(without["p_weighted"])


def test_rows_without_a_result_get_no_p() -> None:
    samples = make_samples()
    contrast = asked(BASELINE, samples)
    units = pd.DataFrame({"patient": ["a", "b"], "arm": ["test", "reference"]})
    rows = [{"status": "too_few_patients", "scale": "logit"}]
    one = measure([3, 8], [100, 50])
    assert add_weighted(rows, [one], units, contrast, min_cells=20) == rows
    rows[0]["status"] = "ok"  # even then
    (found,) = add_weighted(rows, [one], units, contrast, min_cells=20)
    assert np.isnan([found[name] for name in COLUMNS]).all()
