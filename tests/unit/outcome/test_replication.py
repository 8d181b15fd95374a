"""Replication: the verdicts, the one test, and what is said where there is none."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.abundance.populations import Question
from lammscope.abundance.primary import primary_row
from lammscope.cohort.comparison import Comparison
from lammscope.outcome import replication
from lammscope.outcome.replication import COLUMNS, judge_replication
from tests.definitions import definition_content
from tests.unit.abundance.questions import permutations, run_abundance
from tests.unit.example_cohorts import BASELINE, asked, make_samples

SETTINGS: dict[str, Any] = {
    **{"min_cells": 20, "exclude_pre_post": [], "sorts": {}, "max_exact": 20_000, "n_draws": 100},
    "seed": 1,
}


@pytest.mark.parametrize(
    ("estimate", "se", "verdict"),
    [
        (0.8, 0.3, "replicated"),
        (0.2, 0.3, "inconclusive"),
        (0.0, 0.1, "contradicted"),
        (-0.9, 0.3, "contradicted"),
        (-0.9, 0.9, "inconclusive"),
        (0.3, 0.05, "replicated"),  # smaller than half of the first, but in its direction
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_verdict_depends_on_the_direction_of_the_first(
    estimate: float, se: float, verdict: str, side: int
) -> None:
    judged = judge_replication(side * 1.0, side * 0.3, estimate=side * estimate, se=se, df=10)
    assert judged["verdict"] == verdict
    assert judged["p_one_sided"] == pytest.approx(stats.t.sf(estimate / se, 10))
    assert judged["half"] == side * 0.5


def test_a_first_effect_that_was_hardly_seen_is_not_contradicted_by_half_of_it() -> None:
    judged = judge_replication(1.0, 0.02, estimate=0.1, se=0.1, df=30)
    assert judged["ci_high"] < judged["half"]
    assert judged["verdict"] == "inconclusive"
    assert judge_replication(1.0, 0.02, estimate=-0.3, se=0.1, df=30)["verdict"] == "contradicted"


def cohort(n_per_arm: int = 5, *, lamm: float = 0.5) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Make counts of LAMM cells; `lamm` is the fraction in non-responders (responders: 0.2)."""
    samples = make_samples(n_per_arm)
    rng = np.random.default_rng(2)
    rows = []
    for sample, arm in zip(samples["sample"], samples["response"], strict=True):
        share = (lamm if arm == "non_responder" else 0.2) * rng.uniform(0.8, 1.2)
        n_lamm = rng.binomial(200, share)
        for name, n, part in (("Macrophage", 200, True), ("CD8_T", 200, True),
                              ("LAMM", n_lamm, False)):  # fmt: skip
            lineage = "T" if name == "CD8_T" else "monocytic"
            rows.append({"sample": sample, "population": name, "lineage": lineage,
                         "n_cells": n, "partition": part})  # fmt: skip
    return pd.DataFrame(rows), samples


def replicate(counts: pd.DataFrame, samples: pd.DataFrame, **first: Any) -> dict[str, Any]:
    contrast = asked(BASELINE, samples)
    table = run_abundance(counts, samples, contrast, **SETTINGS)
    rules = {key: SETTINGS[key] for key in ("min_cells", "exclude_pre_post", "sorts")}
    found = replication.test_replication(
        primary_row(table, denominator="immune"),
        Question(counts, Comparison(samples, contrast), **rules),
        definition_content(**first)["estimate"],
        permutations=permutations(SETTINGS),
    )
    assert list(found) == COLUMNS
    assert len(found) == 1
    return {str(key): value for key, value in found.iloc[0].items()}


def test_the_row_is_that_of_the_abundance_table_tested_on_one_side() -> None:
    counts, samples = cohort()
    row = replicate(counts, samples)
    table = run_abundance(counts, samples, asked(BASELINE, samples), **SETTINGS)
    own = primary_row(table, denominator="immune")
    for key in ("estimate", "se", "df", "ci_low", "ci_high"):
        assert row[key] == pytest.approx(own[key]), key
    assert row["p_one_sided"] == pytest.approx(own["p"] / 2)
    assert row["p_permutation_one_sided"] == pytest.approx(own["p_permutation"] / 2)
    assert row["verdict"] == "replicated"
    assert row["words"].startswith("replicated: higher in non_responder in this cohort, too")


def test_the_other_direction_is_not_replicated() -> None:
    counts, samples = cohort()
    row = replicate(counts, samples, estimate=-1.0, ci_low=-1.5, ci_high=-0.5)
    assert row["p_one_sided"] > 0.95
    assert row["verdict"] == "contradicted"
    assert "excludes half of the first effect (ratio 0.61)" in row["words"]


def test_an_inconclusive_cohort_states_its_power() -> None:
    counts, samples = cohort(3, lamm=0.21)
    row = replicate(counts, samples, estimate=0.2, ci_low=0.1, ci_high=0.3)
    assert row["verdict"] == "inconclusive"
    assert 0.05 < row["power_at_half"] < 0.5
    assert "the power to find half of its estimate" in row["words"]


def test_a_cohort_that_cannot_be_tested_says_why_without_an_estimate() -> None:
    counts, samples = cohort(2)
    row = replicate(counts, samples)
    assert row["verdict"] == "not testable"
    assert row["status"] == "too_few_patients"
    assert row["reason"] in row["words"]
    assert np.isnan([row[key] for key in ("estimate", "p_one_sided", "power_at_half")]).all()
    assert row["n_test"] == 2
