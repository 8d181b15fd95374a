"""False positives of the abundance tests in simulated cohorts; `benchmarks` has the larger run."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import stats

from benchmarks.abundance_null import SCENARIOS, simulate
from benchmarks.count_tables import (
    LAMM_TYPE,
    QUESTIONS,
    PValues,
    contrast_of,
    differences,
    draw_counts,
    false_discovery_rates,
    keys_of,
    lineages,
    run_many,
    run_whole,
    sample_sheet,
)

N_COHORTS = 1000
SPREADS = ("equal spread", "LAMM spread x 3")
LAMM_ROWS = [
    *(("LAMM", d, s) for d in ("all", "immune", "monocytic") for s in ("logit", "arcsine")),
    ("LAMM", "T", "log_ratio"),
]
# A true share of 5 % is outside these limits with probability 0.001: 2.9 to 7.5 %.
LOW, HIGH = stats.binom.ppf([0.0005, 0.9995], N_COHORTS, 0.05) / N_COHORTS


@cache
def null(scenario: str, kind: str) -> PValues:
    """Compute the p-values of every row."""
    seed = (11, len(scenario))
    return simulate(SCENARIOS[scenario], kind, N_COHORTS, seed=seed, check=0, kinds=["p"])


def share(p: np.ndarray) -> float:
    assert np.isfinite(p).mean() > 0.95
    return float((p[np.isfinite(p)] < 0.05).mean())


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("scenario", SPREADS)
def test_lamm_rows_are_called_in_five_per_cent_of_null_cohorts(scenario: str, kind: str) -> None:
    shares = {key: share(null(scenario, kind)["p"][key]) for key in LAMM_ROWS}
    assert max(shares.values()) <= HIGH
    # On the arcsine scale, values of widely spread fractions are skewed, and Welch's test calls
    # 3.7 % (4,000 cohorts).
    assert min(value for key, value in shares.items() if key[2] != "arcsine") >= LOW


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("scenario", SPREADS)
def test_permutation_p_is_called_in_no_more_than_its_level(scenario: str, kind: str) -> None:
    attainable = 2 / 64 if kind == "paired" else 0.05  # six pairs: 64 signs
    low, high = stats.binom.ppf([0.0005, 0.9995], N_COHORTS, attainable) / N_COHORTS
    of = {"populations": ["LAMM"], "kinds": ["p_permutation"]}
    many = simulate(SCENARIOS[scenario], kind, N_COHORTS, seed=(12, 0), check=0, **of)
    for p in many["p_permutation"].values():
        assert low <= share(p) <= high


@pytest.mark.parametrize("kind", QUESTIONS)
@pytest.mark.parametrize("scenario", SPREADS)
def test_few_null_cohorts_have_any_false_discovery(scenario: str, kind: str) -> None:
    rates = false_discovery_rates(null(scenario, kind)["p"])
    for denominator in ("all", "immune", "monocytic", "parent"):
        family = [v for key, v in rates.items() if key[1:] == (denominator, "logit")]
        assert (np.array(family) < 0.05).any(axis=0).mean() <= HIGH


@pytest.mark.parametrize("scenario", ["B fall", "B fall in test arm only"])
@pytest.mark.parametrize("kind", ["paired", "change"])
def test_fall_of_b_cells_makes_no_other_row_call_more_often(scenario: str, kind: str) -> None:
    rows = null(scenario, kind)["p"]
    if (scenario, kind) != ("B fall", "change"):  # there B cells fall in both arms
        assert share(rows["B", "all", "logit"]) > 0.95
    others = {key: share(p) for key, p in rows.items() if key[0] != "B"}
    assert len(others) > 40
    # about fifty rows: all are within this limit with probability 0.999
    assert max(others.values()) <= stats.binom.ppf(1 - 2e-5, N_COHORTS, 0.05) / N_COHORTS


def test_limits_notice_samples_that_are_taken_for_patients() -> None:
    settings = SCENARIOS["equal spread"].settings
    samples, names = sample_sheet(settings), list(lineages(settings))
    counts = draw_counts(settings, np.random.default_rng(3), n_cohorts=N_COHORTS)
    n = counts[:, :, names.index(LAMM_TYPE)] + 0.5
    values = np.log(n / (counts.sum(axis=2) - n))
    test = (samples["response"] == "non_responder").to_numpy()
    assert share(stats.ttest_ind(values[:, test], values[:, ~test], axis=1).pvalue) > 1.5 * HIGH


@pytest.mark.parametrize("kind", QUESTIONS)
def test_many_cohorts_at_once_have_the_values_of_the_table(kind: str) -> None:
    settings = replace(
        SCENARIOS["LAMM 0.3 % of cells"].settings, cells=150
    )  # some rows untested, some samples lost
    samples, lineage = sample_sheet(settings), lineages(settings)
    contrast = contrast_of(kind, samples)
    counts = draw_counts(settings, np.random.default_rng(5), n_cohorts=2)
    many = run_many(counts, samples, contrast, lineage)
    table = run_whole(counts[1], samples, contrast, lineage)
    assert differences(many, 1, table) == []
    assert 0 < table["p"].isna().sum() < len(table)
    rates = false_discovery_rates(many["p"])
    table = table[table["population"] != "monocytic"]  # its rate is beside the others
    for key, expected in zip(keys_of(table), table["fdr"], strict=True):
        got = rates[key][1] if key in rates else np.nan
        np.testing.assert_allclose(got, expected, rtol=1e-9)
    assert differences(many, 0, table) != []
