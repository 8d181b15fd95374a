"""The mean LAMM score and the expected number of LAMM cells, compared between patients by hand."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.abundance.counts import sum_scores
from lammscope.abundance.verdicts import judge_abundance
from tests.unit.abundance.questions import run_abundance, run_robustness
from tests.unit.abundance.test_populations import SETTINGS, make_counts, row
from tests.unit.abundance.test_robustness import RULES, thresholds_of
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

N_SCORED = 60  # cells per sample


def make_scores(samples: pd.DataFrame, *, n_scored: int = N_SCORED) -> pd.DataFrame:
    """Mean scores that are higher in non-responders, and fewer expected cells than counted."""
    rng = np.random.default_rng(8)
    higher = np.where(samples["response"] == "non_responder", 0.3, 0.0)
    mean = rng.normal(-0.5, 0.1, len(samples)) + higher
    return pd.DataFrame(
        {
            "sample": samples["sample"],
            "n_scored": n_scored,
            "total_score": n_scored * mean,
            "mean_score": mean,
            "expected_positive": rng.uniform(20, 60, len(samples)),
            "expected_macrophage_like": rng.uniform(5, 30, len(samples)),
            "corrected_macrophage_like": rng.uniform(5, 30, len(samples)),
        }
    )


def abundance_of(entry: dict[str, Any], scores: pd.DataFrame) -> pd.DataFrame:
    samples = make_samples()
    contrast = asked(entry, samples)
    return run_abundance(make_counts(samples), samples, contrast, **SETTINGS, scores=scores)


def score_row(entry: dict[str, Any], scores: pd.DataFrame) -> pd.Series:
    table = abundance_of(entry, scores)
    found = table[table["population"] == "LAMM_score"]
    assert found[["denominator", "scale"]].to_numpy().tolist() == [["monocytic", "mean"]]
    return found.iloc[0]


def test_scores_and_probabilities_are_summed_by_sample() -> None:
    cells = pd.DataFrame(
        {
            "sample": ["b", "a", "a", "a"],
            "lamm_score": [0.5, -0.5, 0.1, np.nan],
            "lamm_positive": [1.0, 0.9, 0.5, 0.0],
            "lamm_macrophage_like": [0.8, 0.0, 0.25, 0.0],
        }
    )
    corrected = pd.DataFrame({"sample": ["b", "a"], "n_corrected": [1.5, 0.0]})
    samples = pd.DataFrame({"sample": ["c", "a", "b"]})
    table = sum_scores(cells, samples, corrected=corrected).set_index("sample")
    assert table.index.tolist() == ["a", "b", "c"]
    assert table["n_scored"].tolist() == [2, 1, 0]
    np.testing.assert_allclose(table["total_score"], [-0.4, 0.5, 0])
    np.testing.assert_allclose(table["mean_score"], [-0.2, 0.5, np.nan])
    np.testing.assert_allclose(table["expected_positive"], [1.4, 1, 0])
    np.testing.assert_allclose(table["expected_macrophage_like"], [0.25, 0.8, 0])
    np.testing.assert_allclose(table["corrected_macrophage_like"], [0, 1.5, 0])


def test_between_is_the_t_test_of_the_mean_scores() -> None:
    samples = make_samples()
    scores = make_scores(samples)
    got = score_row(BASELINE, scores)
    mean = scores["mean_score"].to_numpy()
    pre = (samples["phase"] == "pre").to_numpy()
    arms = [
        mean[pre & (samples["response"] == arm).to_numpy()]
        for arm in ("non_responder", "responder")
    ]
    expected = stats.ttest_ind(*arms, equal_var=False)
    assert got["status"] == "ok"
    assert got["estimate"] == pytest.approx(arms[0].mean() - arms[1].mean())
    assert got["p"] == pytest.approx(expected.pvalue)
    assert got["mean_test"] == pytest.approx(arms[0].mean())
    assert np.isnan(got["fdr"])  # not of the partition
    assert got["ci_low"] > 0


def test_pairs_are_compared_by_the_paired_t_test() -> None:
    samples = make_samples()
    scores = make_scores(samples)
    got = score_row(PAIRED, scores)
    chosen = samples.assign(score=scores["mean_score"].to_numpy())
    where: Any = PAIRED.get("where", {})
    for column, value in where.items():
        chosen = chosen[chosen[column] == value]
    wide = chosen.pivot(index="patient", columns="phase", values="score")
    assert got["p"] == pytest.approx(stats.ttest_rel(wide["post"], wide["pre"]).pvalue)


def test_patients_with_few_scored_cells_are_left_out_and_named() -> None:
    samples = make_samples()
    scores = make_scores(samples)
    few = samples["patient"] == samples["patient"].iloc[0]
    scores.loc[few.to_numpy(), ["n_scored", "total_score"]] = [3, 0.5]
    got = score_row(CHANGE, scores)
    assert samples["patient"].iloc[0] in got["notes"]
    none = scores.assign(n_scored=0, total_score=0.0)
    assert score_row(CHANGE, none)["status"] != "ok"


def test_the_score_is_a_secondary_row_and_a_row_of_the_robustness_table() -> None:
    samples = make_samples()
    scores = make_scores(samples)
    abundance = abundance_of(BASELINE, scores)
    _, lamm = judge_abundance(
        {"baseline": abundance},
        {"baseline": asked(BASELINE, samples)},
        primary={"contrast": "baseline", "denominator": "immune"},
        level="positive",
    )
    rows = lamm[lamm["population"] == "LAMM_score"]
    assert rows["role"].tolist() == ["secondary"]
    assert rows["p_holm"].notna().all()
    counts = make_counts(samples)
    options = {"denominator": "immune", "level": "positive", "probability": 0.9}
    rules = {key: SETTINGS[key] for key in RULES}
    table = run_robustness(
        counts,
        thresholds_of(counts),
        samples,
        asked(BASELINE, samples),
        **options,
        **rules,
        scores=scores,
    ).set_index("analysis")
    assert table.loc["score", "p"] == score_row(BASELINE, scores)["p"]
    assert table["log_odds"].isna().loc["score"]
    main, expected = table.loc["main"], table.loc["expected"]
    assert expected["log_odds"] == expected["estimate"] != main["estimate"]
    assert expected["denominator"] == main["denominator"] == "immune"


@pytest.mark.parametrize("level", ["positive", "macrophage_like"])
def test_corrected_numbers_are_tested_as_if_they_had_been_called(level: str) -> None:
    samples = make_samples()
    scores, counts = make_scores(samples), make_counts(samples)
    scores["corrected_macrophage_like"] = scores["corrected_macrophage_like"].round()
    options = {"denominator": "immune", "level": level, "probability": 0.9}
    rules = {key: SETTINGS[key] for key in RULES}
    contrast = asked(BASELINE, samples)
    table = run_robustness(
        counts, thresholds_of(counts), samples, contrast, **options, **rules, scores=scores
    )
    got = table[table["analysis"] == "corrected"]
    assert got["setting"].tolist() == ["macrophage_like"]
    called = counts["population"] == "LAMM_macrophage_like"
    numbers = scores.set_index("sample")["corrected_macrophage_like"]
    counts.loc[called, "n_cells"] = counts.loc[called, "sample"].map(numbers).astype(int)
    abundance = run_abundance(counts, samples, contrast, **SETTINGS)
    expected = row(abundance, "LAMM_macrophage_like", "immune")
    for name in ("estimate", "ci_low", "ci_high", "p"):
        assert got[name].iloc[0] == pytest.approx(expected[name])
    nothing = make_counts(samples)
    nothing.loc[nothing["population"].str.startswith("LAMM"), "n_cells"] = 0
    table = run_robustness(
        nothing, thresholds_of(nothing), samples, contrast, **options, **rules, scores=scores
    )
    assert table.loc[table["analysis"] == "corrected", "status"].tolist() == ["no_cells"]
