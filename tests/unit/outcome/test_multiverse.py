"""All specifications of the primary result: each by itself, and all in one test."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.abundance.populations import Question
from lammscope.abundance.populations import test_abundance as compare_populations
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.multiverse import CHOICES
from lammscope.cohort.permutation import Permutations
from lammscope.outcome.choices import explain_choices, summarize
from lammscope.outcome.joint_test import JointTest
from lammscope.outcome.joint_test import test_jointly as permute_jointly
from lammscope.outcome.specifications import (
    Asker,
    Defined,
    Multiverse,
    Tables,
)
from lammscope.outcome.specifications import test_specifications as compute_all
from lammscope.stats.effect import effect_test
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

SAMPLES = make_samples(4)
EXACT = Permutations(max_exact=20_000, n_draws=999, seed=1)
SETTINGS: dict[str, Any] = {"min_cells": 20, "exclude_pre_post": (), "sorts": {}}
COVARIATES = {"none": (), "product": ("product",), "age": ("age",)}
TREND = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}


def tables(seed: int = 0, *, few: str = "", shift: float = 0.8) -> Tables:
    """Simulate counts; non-responders have more LAMM cells. `few` names a sample of few cells."""
    rng = np.random.default_rng(seed)
    rows, called = [], []
    for sample, arm in zip(SAMPLES["sample"], SAMPLES["response"], strict=True):
        odds = rng.normal(scale=0.5) + shift * (arm == "non_responder")
        n = 10 if sample == few else 600
        monocytes = int(n * 0.4 / (1 + np.exp(-odds)))
        counts = {"Monocyte": monocytes, "T": n // 2, "NK": n - n // 2 - monocytes}
        lamm = rng.binomial(monocytes, 0.5)
        counts |= dict.fromkeys(("LAMM", "LAMM_positive"), lamm) | {"LAMM_macrophage_like": 0}
        rows += [{"sample": sample, "population": name, "n_cells": k} for name, k in counts.items()]
        for level, most in (("positive", lamm), ("macrophage_like", 0)):
            for threshold, share in ((0.9, 1.0), (0.6, 1.2)):
                about = {"sample": sample, "level": level, "threshold": threshold}
                called.append(about | {"n_cells": min(int(share * most), monocytes)})
    table = pd.DataFrame(rows)
    lineages = {"T": "T", "NK": "NK"}
    table["lineage"] = table["population"].map(lineages).fillna("monocytic")
    table["partition"] = ~table["population"].str.startswith("LAMM")
    return Tables(table, pd.DataFrame(called))


def specification(**choices: str) -> dict[str, str]:
    own = {"level": "positive", "probability": "0.9", "denominator": "immune", "scale": "logit"}
    return dict.fromkeys(CHOICES, "own") | own | {"adjust": "none"} | choices


def compute(
    *specifications: dict[str, str],
    entry: dict[str, Any] = BASELINE,
    given: Tables | None = None,
    samples: pd.DataFrame = SAMPLES,
) -> tuple[Multiverse, Comparison]:
    comparison = Comparison(samples, asked(entry, samples))
    asker = Asker({"run": given or tables()}, comparison, SETTINGS, COVARIATES)
    return compute_all(specifications, ["run"] * len(specifications), asker), comparison


def jointly(found: Multiverse, comparison: Comparison) -> JointTest:
    joint = permute_jointly(found.defined, comparison, EXACT)
    assert joint is not None
    return joint


def test_the_own_specification_is_the_row_of_the_abundance_table() -> None:
    found, comparison = compute(specification())
    question = Question(tables().counts, comparison, **SETTINGS)
    rows = compare_populations(question, permutations=EXACT).set_index(
        ["population", "denominator", "scale"]
    )
    row, own = rows.loc[("LAMM", "immune", "logit")], found.table.iloc[0]
    assert own["is_main"]
    for name in ("estimate", "se", "ci_low", "ci_high", "df", "p", "n_test", "n_reference"):
        assert own[name] == pytest.approx(row[name])


def test_both_scales_are_in_log_odds_and_other_probabilities_count_other_cells() -> None:
    found, _ = compute(
        specification(), specification(scale="arcsine"), specification(probability="0.6")
    )
    logit, arcsine, lower = found.table["estimate"]
    assert arcsine == pytest.approx(logit, rel=0.3)
    assert lower != logit


def test_what_cannot_be_computed_has_a_reason_and_no_numbers() -> None:
    found, _ = compute(
        specification(),
        specification(denominator="T", scale="arcsine"),
        specification(level="macrophage_like"),
    )
    left = found.table.iloc[1:]
    assert (left["status"] == "not_defined").all()
    assert left[["estimate", "se", "p"]].isna().all(axis=None)
    assert left["reason"].tolist() == [
        "a ratio to T cells has no arcsine scale",
        "no such cells in these samples",
    ]
    summary = summarize(found.table, None, contrast="baseline").iloc[0]
    assert (summary["n_specifications"], summary["n_defined"]) == (3, 1)
    assert summary["same_sign"] == 1.0
    assert summary["status"] == "not_testable"


def test_copies_of_one_specification_have_the_permutation_p_of_a_mean_difference() -> None:
    found, comparison = compute(specification(), specification())
    joint = jointly(found, comparison)
    values, arm = found.defined[0].values, comparison.units["arm"] == "test"

    def difference(x: Any, y: Any) -> float:
        return float(abs(np.mean(x) - np.mean(y)))

    reference = stats.permutation_test(
        (values[arm], values[~arm]), difference, alternative="greater", n_resamples=np.inf
    )
    assert joint.p_median == pytest.approx(reference.pvalue)
    assert joint.scheme.words == "labels of patients: exact, 70 assignments"


def test_lost_patients_keep_their_place_in_every_draw() -> None:
    """Each of the 70 assignments is computed by itself, with the test of one specification."""
    rng = np.random.default_rng(4)
    comparison = Comparison(SAMPLES, asked(BASELINE, SAMPLES))
    patients = comparison.units["patient"].astype(str).to_numpy()
    kept = [np.arange(8), np.arange(1, 8), np.array([0, 1, 2, 3, 4, 5, 7])]
    base = rng.normal(size=8) + 1.2 * (comparison.units["arm"] == "test").to_numpy()
    defined = [
        Defined(tuple(patients[k]), (base + rng.normal(scale=0.3, size=8))[k],
                np.full((len(k), 1), 1 / np.sqrt(len(k))), 1.0)
        for k in kept
    ]  # fmt: skip
    joint = permute_jointly(defined, comparison, EXACT)
    assert joint is not None

    def curve(arm: np.ndarray) -> tuple[float, float]:
        estimates, p = [], []
        for each, k in zip(defined, kept, strict=True):
            own = arm[k]
            if min(own.sum(), (~own).sum()) < 3:
                continue
            design = np.column_stack([np.ones(len(k)), own])
            test = effect_test(each.values[None], design, 1)
            estimates.append(test.estimate[0])
            p.append(test.p[0])
        median = float(np.median(estimates))
        agree = (np.array(p) < 0.05) & (np.sign(estimates) == np.sign(median))
        return abs(median), float(agree.mean())

    observed = curve((comparison.units["arm"] == "test").to_numpy())
    drawn = []
    for chosen in combinations(range(8), 4):
        arm = np.zeros(8, dtype=bool)
        arm[list(chosen)] = True
        drawn.append(curve(arm))
    larger = (np.array(drawn) >= np.array(observed) - 1e-9).mean(axis=0)
    assert (abs(joint.median), joint.share) == pytest.approx(observed)
    assert (joint.p_median, joint.p_share) == pytest.approx(tuple(larger))
    assert joint.n_patients == 8


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        (CHANGE, "labels of patients: exact, 70 assignments"),
        (PAIRED, "sign flips of pairs: exact, 256 assignments"),
        (TREND, "values of patients: exact, 40,320 assignments"),
    ],
)
def test_every_kind_of_contrast_is_tested(entry: dict[str, Any], what: str) -> None:
    ldh = SAMPLES["patient"].map({name: i for i, name in enumerate(SAMPLES["patient"].unique())})
    samples = SAMPLES.assign(ldh=ldh.astype(float) ** 2)
    found, comparison = compute(
        specification(), specification(scale="arcsine"), entry=entry, samples=samples
    )
    joint = permute_jointly(found.defined, comparison, Permutations(50_000, 999, seed=1))
    assert joint is not None
    assert joint.scheme.words == what
    assert joint.median == pytest.approx(found.table["estimate"].median())
    assert joint.scheme.floor <= joint.p_median <= 1
    assert joint.scheme.floor <= joint.p_share <= 1


def test_draws_have_the_rule_of_plus_one_and_a_strong_effect_reaches_the_floor() -> None:
    found, comparison = compute(
        specification(), specification(probability="0.6"), given=tables(shift=6.0)
    )
    joint = permute_jointly(found.defined, comparison, Permutations(10, 19, seed=1))
    assert joint is not None
    assert joint.scheme.floor == 1 / 20
    assert jointly(found, comparison).p_median == pytest.approx(2 / 70)


def test_the_response_is_permuted_within_the_strata_of_the_primary_contrast() -> None:
    entry = BASELINE | {"adjust": ["product"]}
    plain, comparison = compute(specification(adjust="product"), specification(), entry=entry)
    joint = jointly(plain, comparison)
    assert joint.scheme.words == (
        "labels of patients within strata of product: exact, 36 assignments"
    )
    samples = SAMPLES.assign(age=np.arange(len(SAMPLES)) % 7 + 40.0)
    other, comparison = compute(
        specification(), specification(adjust="age"), samples=samples,
        entry=BASELINE | {"adjust": ["age"]},
    )  # fmt: skip
    assert "approximate" in jointly(other, comparison).scheme.words


def test_too_few_cells_in_one_folder_lose_a_patient_there_alone() -> None:
    comparison = Comparison(SAMPLES, asked(BASELINE, SAMPLES))
    given = {"run": tables(), "other": tables(few="r0_pre")}
    asker = Asker(given, comparison, SETTINGS, COVARIATES)
    found = compute_all([specification()] * 2, ["run", "other"], asker)
    assert found.table["n_reference"].tolist() == [4, 3]
    assert found.table["status"].tolist() == ["ok", "ok"]
    assert jointly(found, comparison).n_patients == 8


def test_the_choice_that_moves_the_estimates_explains_their_variance() -> None:
    values: dict[str, tuple[str, ...]] = dict.fromkeys(CHOICES, ("own",))
    values |= {"resolution": ("1", "0.5"), "denominator": ("immune", "all", "T")}
    rows = [
        dict.fromkeys(CHOICES, "own")
        | {"resolution": r, "denominator": d, "estimate": 1.0 + 0.1 * i + 0.3 * j}
        for i, r in enumerate(values["resolution"])
        for j, d in enumerate(values["denominator"])
    ]
    table = pd.DataFrame(rows).assign(p=0.01, status="ok")
    found = explain_choices(table, values).set_index(["choice", "value"])
    shares = found["share_of_variance"].groupby("choice").first()
    # Sums of squares of a balanced table: 6 * 0.05^2 and 4 * 0.3^2.
    assert shares["resolution"] == pytest.approx(0.015 / 0.375)
    assert shares["denominator"] == pytest.approx(0.36 / 0.375)
    assert found.loc[("denominator", "T"), "alone_estimate"] == pytest.approx(1.6)
    assert found.loc[("resolution", "0.5"), "n_defined"] == 3


def test_a_choice_with_one_defined_value_explains_nothing_that_is_known() -> None:
    found, _ = compute(
        specification(), specification(probability="0.6"), specification(level="macrophage_like")
    )
    values: dict[str, tuple[str, ...]] = dict.fromkeys(CHOICES, ("own",))
    values |= {"level": ("positive", "macrophage_like"), "probability": ("0.9", "0.6")}
    shares = explain_choices(found.table, values).groupby("choice")["share_of_variance"].first()
    assert np.isnan(shares["level"])
    assert shares["probability"] == pytest.approx(1.0)
