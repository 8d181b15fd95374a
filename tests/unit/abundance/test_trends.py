"""Trends of abundance: the row's numbers, its verdict, closure, robustness and calibration."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.abundance.calibration import _other_labels, diagnose_abundance
from lammscope.abundance.primary import primary_row
from lammscope.cohort.design import TREND
from lammscope.cohort.permutation import Permutations, assignments
from lammscope.report.sections.primary import primary_sentence
from tests.unit.abundance.questions import ask, judge, run_abundance, run_robustness
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.abundance.test_robustness import thresholds_of
from tests.unit.example_cohorts import asked, make_samples

NUMBER = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
ORDER = ["PD", "SD", "PR", "CR"]
ORDERED = {"kind": "trend", "column": "best", "order": ORDER, "where": {"phase": "pre"}}


def cohort(seed: int = 3) -> pd.DataFrame:
    """Twelve patients with a number, and an ordered response."""
    samples = make_samples(6)
    patients = sorted(set(samples["patient"]))
    ldh = dict(zip(patients, np.random.default_rng(seed).normal(300, 80, 12), strict=True))
    best = dict(zip(patients, ORDER * 3, strict=True))
    return samples.assign(ldh=samples["patient"].map(ldh), best=samples["patient"].map(best))


def shift_of(samples: pd.DataFrame, size: float) -> np.ndarray:
    """A shift of `size` per standard deviation of the number."""
    return size * ((samples["ldh"] - samples["ldh"].mean()) / samples["ldh"].std()).to_numpy()


def test_rows_are_ordinary_regressions_of_patients() -> None:
    samples = cohort()
    contrast = asked(NUMBER, samples)
    table = run_abundance(make_counts(samples), samples, contrast, **SETTINGS)
    tested = table[table["status"] == "ok"]
    assert len(tested) > 20
    np.testing.assert_allclose(tested["p"], tested["p_ordinary"])
    assert set(tested["df"]) == {10}
    assert set(zip(tested["n_test"], tested["n_reference"], strict=True)) == {(12, 12)}
    assert tested["sd_test"].notna().all()
    assert tested["sd_reference"].isna().all()
    assert tested["influence_p_max"].notna().all()
    assert tested["p_permutation"].notna().all()
    assert (tested["mean_test"] > 0).any()


def test_a_planted_trend_is_found_with_its_size() -> None:
    samples = cohort()
    counts = make_counts(samples, LAMM=shift_of(samples, 0.9))
    contrast = asked(NUMBER, samples)
    table = judge(run_abundance(counts, samples, contrast, **SETTINGS), contrast,
                  denominator="monocytic")  # fmt: skip
    row = primary_row(table, denominator="monocytic")
    assert row["verdict"] == "supported"
    assert row["words"] == "supported: rises with LDH"
    assert row["estimate"] == pytest.approx(0.9, abs=4 * row["se"])
    assert row["mean_test"] > row["mean_reference"]
    sentence = primary_sentence(table, contrast, denominator="monocytic")
    assert "the fraction of LAMM cells among monocytic cells rose with LDH (one SD is" in sentence
    assert "odds ratio per SD" in sentence
    assert "; 12 patients; p < 0.0001)" in sentence


def test_p_of_an_ordered_response_is_that_of_its_scores() -> None:
    samples = cohort()
    contrast = asked(ORDERED, samples)
    counts = make_counts(samples)
    table = run_abundance(counts, samples, contrast, **SETTINGS)
    row = primary_row(table, denominator="immune")
    question = ask(counts, samples, contrast, SETTINGS)
    measure = question.measure("LAMM", "immune")
    assert measure is not None
    n, total = measure.count[:, 0], measure.total[:, 0]
    logit = np.log((n + 0.5) / (total - n + measure.offset - 0.5))
    expected = stats.linregress(question.units["trend"], logit)
    assert row["estimate"] == pytest.approx(expected.slope)
    assert row["p"] == pytest.approx(expected.pvalue)


STATUSES: dict[str, tuple[list[float], str, str]] = {
    "one value": ([250] * 12, "too_few_values", "fewer than 3 different values"),
    "two values": ([250, 300] * 6, "too_few_values", "kind: between"),
    "four patients": ([1, 2, 3, 4, *[np.nan] * 8], "too_few_patients", "fewer than 5 patients"),
}


@pytest.mark.parametrize("name", STATUSES)
def test_what_cannot_be_tested_has_a_reason_and_no_p(name: str) -> None:
    values, status, words = STATUSES[name]
    samples = cohort()
    by_patient = dict(zip(sorted(set(samples["patient"])), values, strict=True))
    samples["ldh"] = samples["patient"].map(by_patient).astype(float)
    table = run_abundance(make_counts(samples), samples, asked(NUMBER, samples), **SETTINGS)
    assert set(table["status"]) == {status}
    assert table[["p", "p_permutation", "estimate", "ci_low"]].isna().all(axis=None)
    assert table["reason"].str.contains(words, regex=False).all()


def test_a_covariate_that_determines_the_value_leaves_nothing_to_test() -> None:
    samples = cohort()
    samples["site"] = samples["best"].str.lower()
    contrast = asked({**ORDERED, "adjust": ["site"]}, samples)
    table = run_abundance(make_counts(samples), samples, contrast, **SETTINGS)
    assert set(table["status"]) == {"aliased"}
    assert set(table["reason"]) == {"the values cannot be separated from a covariate"}
    assert table["p"].isna().all()


def test_a_patient_with_few_cells_is_named_with_the_value() -> None:
    samples = cohort()
    counts = make_counts(samples)
    counts.loc[counts["sample"] == "r0_pre", "n_cells"] = 0
    table = run_abundance(counts, samples, asked(ORDERED, samples), **SETTINGS)
    best = samples.loc[samples["sample"] == "r0_pre", "best"].tolist()[0]
    assert table["notes"].eq(f"under 20 cells of the denominator: r0 (best {best})").any()


def test_what_follows_from_the_trend_of_another_population_is_said() -> None:
    samples = cohort()
    counts = make_counts(samples, CD4_T=shift_of(samples, 1.2))
    contrast = asked(NUMBER, samples)
    table = run_abundance(counts, samples, contrast, **SETTINGS)
    table = judge(table, contrast, denominator="immune")
    rows = table[(table["denominator"] == "immune") & (table["scale"] == "logit")]
    rows = rows.set_index("population")
    assert rows.at["CD4_T", "words"] == "supported: rises with LDH"
    fallen = rows[(rows["p"] < 0.05) & (rows["estimate"] < 0) & (rows["p_without"] >= 0.05)]
    assert len(fallen)
    assert fallen["words"].str.contains("may follow from CD4_T rising with LDH").all()


def test_robustness_has_the_choices_of_patients() -> None:
    samples = cohort()
    counts = make_counts(samples, LAMM=shift_of(samples, 0.9))
    thresholds = thresholds_of(counts)
    rules = {key: SETTINGS[key] for key in ("min_cells", "exclude_pre_post", "sorts")}
    table = run_robustness(
        counts, thresholds, samples, asked(NUMBER, samples), **rules,
        denominator="monocytic", level="macrophage_like", probability=0.9,
    )  # fmt: skip
    assert (table["analysis"] == "leave_one_out").sum() == 12
    adjusted = table[table["analysis"] == "adjust"].set_index("setting")
    assert "ldh" not in adjusted.index
    assert adjusted.at["product", "status"] == "ok"
    assert (table.loc[table["status"] == "ok", "log_odds"].dropna() > 0).all()


def calibration_of(entry: dict[str, Any], samples: pd.DataFrame) -> pd.DataFrame:
    question = ask(make_counts(samples), samples, asked(entry, samples), SETTINGS)
    return diagnose_abundance(
        question, denominator="monocytic", permutations=Permutations(100, 100, 1), max_share=0.08
    )


def test_simulated_cohorts_without_a_trend_have_the_nominal_rate() -> None:
    samples = cohort()
    table = calibration_of(NUMBER, samples)
    assert table["n_null"].iloc[0] == 2000
    assert 0.035 <= table["share"].iloc[0] <= 0.065
    assert "highest third of LDH" in table["message"].iloc[1]


def test_a_patient_with_an_extreme_value_is_named() -> None:
    samples = cohort()
    samples.loc[samples["patient"] == "n3", "ldh"] = 20_000.0
    messages = calibration_of(NUMBER, samples)["message"]
    assert messages.str.contains("Patient n3 determines a coefficient").any()


def test_relabelings_leave_out_the_data_and_their_mirror_image() -> None:
    units = pd.DataFrame({"arm": "all", TREND: [1.0, 1, 2, 3, 3]})
    scheme = asked(NUMBER, cohort()).permutations(units, max_exact=100, n_draws=100)
    every = assignments(scheme, rng=np.random.default_rng(1))
    assert len(every) == scheme.n_assignments == 30
    found = _other_labels(scheme, seed=1)
    seen = {tuple(row) for row in found} | {tuple(row) for row in scheme.exchanged(found)}
    assert len(found) == 14
    observed = units[TREND].to_numpy()
    own = {tuple(observed), tuple(scheme.exchanged(observed))}
    assert seen | own == {tuple(row) for row in every}
    assert not seen & own


@pytest.mark.slow
@pytest.mark.real_data
def test_random_numbers_of_real_patients_have_the_nominal_rate(
    real_data: Callable[[str], Path],
) -> None:
    """Eight donors with lupus: their fractions are real, and skewed numbers mean nothing."""
    path = real_data("abundance_kang") / "crumblr_kang_16samples_x_8types.tsv"
    wide = pd.read_csv(path, sep="\t", index_col=0)
    wide = wide[wide["stim"] == "ctrl"].drop(columns=["ind", "stim", "multiplets", "StimStatus"])
    counts = wide.melt(ignore_index=False, var_name="population", value_name="n_cells")
    counts = counts.reset_index(names="sample").assign(partition=True)
    monocytic = counts["population"].str.contains("Mono|Dendr")
    counts["lineage"] = np.where(monocytic, "monocytic", counts["population"])
    called = counts[monocytic].groupby("sample", as_index=False)["n_cells"].sum()
    lamm = called.assign(population="LAMM", lineage="monocytic", partition=False)
    counts = pd.concat([counts, lamm], ignore_index=True)
    samples = pd.DataFrame({"sample": wide.index, "patient": wide.index, "timepoint": "D0"})
    samples = samples.assign(phase="pre", response=np.nan, compartment="blood", sort="none")
    rng, p = np.random.default_rng(9), []
    for _ in range(150):
        drawn = samples.assign(ldh=np.exp(rng.normal(5.6, 0.5, len(samples))))
        settings = {**SETTINGS, "max_exact": 1, "n_draws": 1}
        table = run_abundance(counts, drawn, asked({"kind": "trend", "column": "ldh"}, drawn),
                              **settings)  # fmt: skip
        rows = table[(table["denominator"] == "all") & (table["scale"] == "logit")]
        p.append(rows.loc[rows["status"] == "ok", "p"].to_numpy())
    found = np.concatenate(p)
    assert len(found) > 1000
    assert 0.03 < (found < 0.05).mean() < 0.075
