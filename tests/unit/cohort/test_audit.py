"""The design audit: which contrasts a cohort can answer, before anything is computed."""

import random
from collections.abc import Callable
from itertools import combinations
from math import comb, prod
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lammscope.cohort.associations import exact_association
from lammscope.cohort.audit import COLUMNS, STATUSES, audit_design
from lammscope.cohort.audit_cohort import arm_phase_table, cohort_rows, late_timepoints
from lammscope.cohort.comparison import compare
from lammscope.cohort.contrast_config import DEFAULT, contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import counted
from tests.unit.example_cohorts import ARMS, BASELINE, cohort

POST = {**ARMS, "where": {"phase": "post"}}
CHANGE = {**ARMS, "kind": "change"}
PAIRED = {"kind": "paired", "test": "post", "reference": "pre"}
QUESTIONS: dict[str, dict[str, Any]] = {"baseline": BASELINE, "change": CHANGE, "paired": PAIRED}
SORTED = {"kind": "paired", "column": "sort", "test": "none", "reference": "CD3+", "match": []}


def of_cohort(samples: pd.DataFrame) -> dict[str, tuple[Any, ...]]:
    """Return status and message of the whole cohort's rows, by item."""
    rows = cohort_rows(samples, {})
    return {item: (status, message) for item, _, status, message in rows}


def audit(
    samples: pd.DataFrame, entry: dict[str, Any] | None, *, sorts: dict[str, Any] | None = None
) -> pd.DataFrame:
    """Audit one contrast, `question`."""
    contrasts = contrasts_from_config({"question": entry} if entry else DEFAULT, samples)
    return audit_design(
        samples, compare(samples, contrasts), sorts=sorts or {}, max_exact=20_000, n_draws=10_000
    )


def number(table: pd.DataFrame) -> pd.Series:
    return table["patient"].str[1:].astype(int)


def responds(table: pd.DataFrame) -> pd.Series:
    return table["response"] == "responder"


def in_post(column: str, value: str, other: str) -> pd.DataFrame:
    """Return a cohort with `value` in responders and `other` in the rest, after infusion only."""
    table = cohort(6)
    after = table["phase"] == "post"
    values = np.where(responds(table), value, other)
    return table.assign(**{column: np.where(after, values, "same")})


def without(rows: Callable[..., Any], table: pd.DataFrame | None = None) -> pd.DataFrame:
    table = cohort(6) if table is None else table
    return table[~rows(table)].reset_index(drop=True)


def with_late_samples() -> pd.DataFrame:
    """Return a cohort in which only responders are sampled after half a year."""
    table = cohort(6)
    late = table[(table["phase"] == "post") & responds(table)].assign(
        timepoint="M6", day=180, sample=lambda t: t["patient"] + "_M6"
    )
    return pd.concat([table, late], ignore_index=True)


def sorted_libraries() -> pd.DataFrame:
    table = cohort(4)
    early = table[table["phase"] == "pre"]
    return pd.concat(
        [early, early.assign(sort="CD3+", sample=early["sample"] + "_s")], ignore_index=True
    )


# samples, contrast, verdict, a row's item and words of its message
COHORTS: dict[str, tuple[pd.DataFrame, dict[str, Any], str, str, str]] = {
    "balanced": (cohort(6), BASELINE, "ok", "verdict", "6 non-responders against 6 responders"),
    "balanced, change": (cohort(6), CHANGE, "ok", "verdict", "before and after infusion"),
    "batch is the response": (
        cohort(6, batch=lambda t: np.where(responds(t), "run1", "run2")),
        BASELINE,
        "confounded",
        "association_batch",
        "a difference cannot be separated from the effect of batch",
    ),
    "batch is the response and adjusted for": (
        cohort(6, batch=lambda t: np.where(responds(t), "run1", "run2")),
        {**BASELINE, "adjust": ["batch"]},
        "aliased",
        "rank",
        "The difference between non-responders and responders cannot be separated from the effect",
    ),
    "product is the response after infusion": (
        in_post("product", "axi", "tisa"),
        POST,
        "confounded",
        "association_product",
        "Each value of product occurs in one group only",
    ),
    "product is the response after infusion and adjusted for": (
        in_post("product", "axi", "tisa"),
        {**POST, "adjust": ["product"]},
        "aliased",
        "verdict",
        "Cannot be answered: the difference between non-responders and responders cannot be "
        "separated from the effect of product.",
    ),
    "batch follows response and phase": (
        in_post("batch", "run1", "run2"),
        CHANGE,
        "confounded",
        "association_batch (post)",
        "a difference cannot be separated from the effect of batch",
    ),
    "no complete pairs": (
        without(lambda t: (t["phase"] == "post") == (number(t) % 2 == 0)),
        PAIRED,
        "too_few_patients",
        "verdict",
        "Cannot be answered: 0 pairs of post and pre samples; at least 3 complete pairs",
    ),
    "an arm of two": (
        without(lambda t: responds(t) & (number(t) > 2)),
        BASELINE,
        "too_few_patients",
        "patients_reference",
        "2 responders (2 samples). At least 3 are needed, so nothing is tested.",
    ),
    "all late samples from responders": (
        with_late_samples(),
        {**ARMS, "where": {"phase": "post"}, "choose": "last"},
        "survivorship",
        "late_M6",
        "At M6, 6 of 6 sampled patients are responders (6 of 12 in the cohort): patients who",
    ),
    "three against three": (
        cohort(3),
        BASELINE,
        "no_permutation",
        "p_floor",
        "cannot go below 0.1 (labels of patients: exact, 20 assignments)",
    ),
    "three pairs": (cohort(3), {**PAIRED, "where": {"response": "responder"}}, "no_permutation",
                    "p_floor", "3 pairs: p of a permutation test cannot go below 2/8 = 0.25"),
    "later samples of non-responders missing": (
        without(lambda t: (t["phase"] == "post") & ~responds(t) & (number(t) > 1)),
        CHANGE,
        "too_few_patients",
        "missing_patients",
        "5 of 6 non-responders have no pair of samples from both phases in this contrast",
    ),
    "no sample of an arm in a phase": (
        without(lambda t: (t["phase"] == "pre") & responds(t)),
        BASELINE,
        "too_few_patients",
        "patients_reference",
        "0 responders (0 samples)",
    ),
    "no response in one arm": (
        cohort(6, response=lambda t: t["response"].where(responds(t)), response_label=None),
        BASELINE,
        "too_few_patients",
        "verdict",
        "Cannot be answered: 0 non-responders against 6 responders; at least 3 patients in each",
    ),
    "a patient alone in an arm": (
        without(lambda t: responds(t) & (number(t) > 1)),
        BASELINE,
        "too_few_patients",
        "patients_reference",
        "1 responder (1 sample). At least 3 are needed",
    ),
    "batch is the phase": (
        cohort(6, batch=lambda t: np.where(t["phase"] == "post", "run2", "run1")),
        PAIRED,
        "confounded",
        "association_batch",
        "post samples: run2; pre samples: run1",
    ),
    "a whole arm is one batch, the others are batches of one": (
        cohort(6, batch=lambda t: np.where(responds(t), "run1", t["patient"])),
        BASELINE,
        "confounded",
        "association_batch",
        "Each value of batch occurs in one group only",
    ),
    "two patients share a batch, the others are batches of one": (
        cohort(6, batch=lambda t: t["patient"].replace({"R2": "R1"})),
        BASELINE,
        "ok",
        "association_batch",
        "No value occurs in both groups, but most patients have a value of their own.",
    ),
    "arms differ in product": (
        cohort(8, product=lambda t: np.where(responds(t) & (number(t) > 2), "axi", "tisa")),
        BASELINE,
        "ok",
        "association_product",
        "They are associated, so a difference may be due to product.",
    ),
    "arms differ in product and are adjusted for it": (
        cohort(8, product=lambda t: np.where(responds(t) & (number(t) > 2), "axi", "tisa")),
        {**BASELINE, "adjust": ["product"]},
        "ok",
        "association_product",
        "The model is adjusted for it.",
    ),
    "a stratum in which one patient alone responds": (
        cohort(8, product=lambda t: np.where(responds(t) & (number(t) > 1), "axi", "tisa")),
        {**BASELINE, "adjust": ["product"]},
        "no_permutation",
        "p_floor",
        "below 0.111 (labels of patients within strata of product: exact, 9 assignments)",
    ),
    "age parts the arms": (
        cohort(6, age=lambda t: number(t) + np.where(responds(t), 30, 60)),
        BASELINE,
        "confounded",
        "association_age",
        "responders: 31 to 36",
    ),
    "a sort": (
        sorted_libraries(),
        SORTED,
        "ok",
        "sort_CD3+",
        "Sorting (CD3+) removed B, NK, dendritic, endothelial, epithelial, erythroid, "
        "granulocytic, malignant, mast, monocytic, platelet, progenitor, stromal cells: "
        "fractions of these cells and ratios to them are not tested",
    ),
    "covariates that determine each other": (
        cohort(6, twin=lambda t: t["product"]),
        {**BASELINE, "adjust": ["product", "twin"]},
        "ok",
        "rank",
        "determine each other; redundant columns are left out",
    ),
    "more covariates than patients": (
        cohort(3, a=lambda t: number(t) % 3, b=lambda t: number(t) ** 2 * (1 + responds(t)),
               c=lambda t: number(t) ** 3, d=lambda t: (number(t) == 2) * 1.0 * responds(t)),
        {**BASELINE, "adjust": ["a", "b", "c", "d"]},
        "too_few_patients",
        "residual_df",
        "no residual degrees of freedom remain, so noise cannot be estimated",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", COHORTS)
def test_a_cohort_gets_the_verdict_that_it_deserves(name: str) -> None:
    samples, entry, verdict, item, words = COHORTS[name]
    table = audit(samples, entry)
    rows = table[table["contrast"] == "question"].set_index("item")
    assert rows.loc["verdict", "value"] == verdict, rows["message"].tolist()
    assert words in rows.loc[item, "message"]
    assert table.columns.tolist() == COLUMNS
    assert set(table["status"]) <= set(STATUSES)
    assert table["message"].str.endswith((".", ")")).all()


def test_every_verdict_is_given_to_some_cohort() -> None:
    assert len(COHORTS) >= 12
    assert {verdict for _, _, verdict, _, _ in COHORTS.values()} == {
        *("ok", "aliased", "too_few_patients", "confounded", "survivorship", "no_permutation")
    }


@given(st.sampled_from(list(COHORTS)), st.randoms())
@settings(max_examples=12)
def test_the_order_of_samples_changes_nothing(name: str, random: random.Random) -> None:
    samples, entry, *_ = COHORTS[name]
    order = random.sample(range(len(samples)), len(samples))
    shuffled = samples.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(audit(samples, entry), audit(shuffled, entry))


def test_a_sample_as_its_own_batch_confounds_nothing() -> None:
    table = audit(cohort(6), BASELINE)
    assert not table["item"].str.contains("batch|channel").any()


def test_missing_samples_are_told_by_arm_with_the_p_of_their_unevenness() -> None:
    samples = without(lambda t: (t["phase"] == "post") & ~responds(t) & (number(t) > 1))
    rows = audit(samples, BASELINE).set_index(["contrast", "item"])
    row = rows.loc[("cohort", "missing_post")]
    expected = stats.fisher_exact([[5, 1], [0, 6]]).pvalue
    assert float(row["value"]) == pytest.approx(expected, rel=1e-3)
    assert row["status"] == "warning"
    assert "0 of 6 responders and 5 of 6 non-responders have no sample after" in row["message"]
    assert ("cohort", "missing_pre") not in rows.index


def test_patients_of_a_product_that_is_not_asked_for_are_not_missing() -> None:
    samples = without(lambda t: t["sample"] == "R1_D0")
    rows = audit(samples, {**BASELINE, "where": {"phase": "pre", "product": "axi"}})
    row = rows[rows["contrast"] == "question"].set_index("item").loc["missing_patients"]
    assert row["message"].startswith("1 of 3 responders and 0 of 3 non-responders have no sample")
    all_there = audit(cohort(6), {**BASELINE, "where": {"phase": "pre", "product": "axi"}})
    assert "missing_patients" not in set(all_there["item"])


def test_arms_and_phases_are_counted() -> None:
    samples = without(lambda t: (t["sample"] == "R1_D7") | (t["sample"] == "N2_D0"))
    table = arm_phase_table(samples).set_index(["arm", "phase"])
    assert table.loc[("responder", "post")].tolist() == [5, 5, 5, 1]
    assert table.loc[("non_responder", "pre")].tolist() == [5, 5, 5, 1]
    assert table.loc[("non_responder", "post")].tolist() == [6, 6, 5, 0]


def test_a_missing_covariate_leaves_samples_out_by_name_and_arm() -> None:
    samples = cohort(6)
    samples.loc[samples["patient"] == "N2", "product"] = pd.NA
    rows = audit(samples, {**BASELINE, "adjust": ["product"]}).set_index("item")
    message = rows.loc["unused: product is missing", "message"]
    assert "non-responders: N2_D0" in message


def test_an_arm_without_patients_has_no_smallest_p() -> None:
    samples = without(lambda t: (t["phase"] == "pre") & responds(t))
    assert "p_floor" not in set(audit(samples, BASELINE)["item"])
    assert "p_floor" in set(audit(cohort(6), BASELINE)["item"])


def test_responses_outside_both_arms_are_told_by_label_the_most_frequent_first() -> None:
    samples = cohort(6)
    outside = {"N1": "SD", "N2": "NE", "N3": "NE", "R1": "AD"}
    label = samples["patient"].map(outside)
    samples["response"] = samples["response"].where(label.isna())
    samples["response_label"] = label.fillna(samples["response_label"])
    rows = audit(samples, BASELINE).set_index("item")
    assert rows.loc["other_response", "message"] == (
        "4 patients have a response that is in neither arm: NE (2), AD (1), SD (1)."
    )
    assert rows.loc["other_response", "status"] == "note"
    assert rows.loc["patients_test", "value"] == "3"


def test_one_of_a_kind_is_counted_in_the_singular() -> None:
    assert counted(1, "complete pairs") == "1 complete pair"
    assert counted(1, "non-responders with both phases") == "1 non-responder with both phases"
    assert counted(1, "patients with samples") == "1 patient with samples"
    assert counted(2, "patients") == "2 patients"
    assert counted(0, "samples") == "0 samples"


def test_a_late_time_point_needs_three_patients_and_a_rise() -> None:
    few = without(lambda t: (t["timepoint"] == "M6") & (number(t) > 2), with_late_samples())
    assert late_timepoints(few) == {}
    assert list(late_timepoints(with_late_samples())) == ["M6"]
    unmapped = with_late_samples()
    unmapped.loc[unmapped["timepoint"] == "M6", "phase"] = pd.NA
    assert list(late_timepoints(unmapped)) == ["M6"]
    usual = without(lambda t: ~responds(t) & (number(t) > 1))  # 6 of 7 patients respond
    assert late_timepoints(usual) == {}


def test_a_late_time_point_is_found_by_its_phase_where_no_day_is_given() -> None:
    assert list(late_timepoints(with_late_samples().drop(columns="day"))) == ["M6"]


def test_late_samples_from_non_responders_alone_are_told_too() -> None:
    arms = {"responder": "non_responder", "non_responder": "responder"}
    samples = with_late_samples()
    samples["response"] = samples["response"].map(arms)
    words = late_timepoints(samples)["M6"]
    assert words.endswith("whether a patient is sampled depends on the outcome.")


def test_a_cohort_warns_of_survivors_even_where_no_contrast_uses_them() -> None:
    table = audit(with_late_samples(), BASELINE).set_index(["contrast", "item"])
    assert table.loc[("cohort", "late_M6"), "status"] == "survivorship"
    assert table.loc[("question", "verdict"), "value"] == "ok"


ODD = {
    "no response": cohort(4).assign(
        response=pd.Series(pd.NA, index=range(16), dtype="str"),
        response_label=pd.Series(pd.NA, index=range(16), dtype="str"),
    ),
    "one patient": cohort(1).iloc[:2].reset_index(drop=True),
    "a covariate that is empty": cohort(4, ldh=np.nan),
    "a covariate known in one arm": cohort(4, ldh=lambda t: np.where(responds(t), 2.0, np.nan)),
    "nobody": cohort(4).iloc[:0],
    "no phase": cohort(4, phase=pd.Series(pd.NA, index=range(16), dtype="str")),
    "one sample": cohort(1).iloc[:1],
}


@pytest.mark.parametrize("name", ODD)
def test_odd_cohorts_are_audited_without_a_crash(name: str) -> None:
    table = audit(ODD[name], None)
    assert (table["contrast"] == "cohort").any()
    assert table["message"].str.len().gt(0).all()


@pytest.mark.parametrize(
    "contrast", contrasts_from_config(QUESTIONS, cohort(4)), ids=list(QUESTIONS)
)
@pytest.mark.parametrize("name", ODD)
def test_odd_cohorts_can_be_asked_anything(name: str, contrast: Contrast) -> None:
    table = audit_design(
        ODD[name], compare(ODD[name], [contrast]), sorts={}, max_exact=20_000, n_draws=10_000
    )
    rows = table[table["contrast"] == contrast.name]
    assert rows["item"].iloc[0] == "verdict"
    assert set(table["status"]) <= set(STATUSES)
    assert not table["message"].str.contains("nan|None|<NA>").any()


def test_a_cohort_without_contrasts_has_rows_of_its_own_only() -> None:
    table = audit_design(cohort(4), [], sorts={}, max_exact=20_000, n_draws=10_000)
    assert set(table["contrast"]) == {"cohort"}


def test_fisher_agrees_with_scipy_and_sums_over_larger_tables() -> None:
    groups = pd.Series(list("aaaabbbb"))
    values = pd.Series(list("xxxyyyyy"))
    expected = stats.fisher_exact(pd.crosstab(values, groups)).pvalue
    assert exact_association(groups, values)[0] == pytest.approx(expected)
    p, _ = exact_association(pd.Series(list("aaabbb")), pd.Series(list("xxyzzz")))
    assert p == pytest.approx(2 / 20)  # tables as rare as (2, 1, 0): itself and its mirror image


def test_fisher_is_exact_for_many_sites_and_simulated_for_very_many() -> None:
    sites = pd.Series([f"s{i % 12}" for i in range(48)])
    p, name = exact_association(pd.Series(["a", "b"] * 24), sites)
    assert name == "Fisher's exact test"
    # each site holds one arm: 924 of all tables are as rare as that
    assert p == pytest.approx(comb(12, 6) / comb(48, 24))
    groups = pd.Series(np.random.default_rng(2).permutation(["a", "b"] * 145))
    p, name = exact_association(
        groups, pd.Series(np.repeat(np.arange(20), np.arange(5, 25)).astype(str))
    )
    assert name == "simulated Fisher test"
    assert 0.01 < p <= 1


@pytest.mark.parametrize("n", [3, 5, 8])
def test_the_rank_sum_test_is_that_of_scipy_and_exact_with_ties(n: int) -> None:
    groups = pd.Series(["a"] * n + ["b"] * (n + 1))
    values = pd.Series(np.random.default_rng(n).normal(size=2 * n + 1))
    expected = stats.mannwhitneyu(values[:n], values[n:], method="exact").pvalue
    assert exact_association(groups, values) == (pytest.approx(expected), "rank sum test")  # type: ignore[comparison-overlap]
    tied = values.round()
    ranks = tied.rank()
    sums = np.array([ranks[list(chosen)].sum() for chosen in combinations(range(2 * n + 1), n)])
    distance = np.abs(sums - sums.mean())
    expected = np.mean(distance >= abs(ranks[:n].sum() - sums.mean()) - 1e-9)
    assert exact_association(groups, tied)[0] == pytest.approx(expected)


def test_three_against_three_apart_have_p_of_a_tenth_tied_or_not() -> None:
    groups = pd.Series(list("aaabbb"))
    assert exact_association(groups, pd.Series([1, 1, 1, 2, 2, 2]))[0] == pytest.approx(0.1)
    assert exact_association(groups, pd.Series([1, 2, 3, 4, 5, 6]))[0] == pytest.approx(0.1)


@given(st.lists(st.sampled_from("vwxyz"), min_size=4, max_size=14), st.randoms())
@settings(max_examples=30)
def test_fisher_is_what_all_assignments_give(values: list[str], random: random.Random) -> None:
    n_first = random.randint(1, len(values) - 1)
    groups = pd.Series(random.sample("a" * n_first + "b" * (len(values) - n_first), len(values)))
    kinds = sorted(set(values))
    sizes = [values.count(kind) for kind in kinds]

    def weight(chosen: tuple[int, ...] | np.ndarray) -> int:
        return prod(
            comb(n, sum(values[i] == k for i in chosen)) for k, n in zip(kinds, sizes, strict=True)
        )

    weights = [weight(chosen) for chosen in combinations(range(len(values)), n_first)]
    observed = weight(np.flatnonzero(groups == "a"))
    expected = np.mean(np.array(weights) <= observed)
    assert exact_association(groups, pd.Series(values))[0] == pytest.approx(expected)


def test_batches_of_one_sample_each_are_told() -> None:
    early = without(lambda table: table["phase"] == "post", cohort(2))
    chemistries = ["v1", "v2", "v3", "5p"]
    status, message = of_cohort(early.assign(batch=chemistries))["batch_is_sample"]
    assert status == "warning"
    assert message.startswith("Each of 4 samples has a batch of its own (5p, v1, v2, v3): differe")
    for table in (
        early,  # without batches in the sheet
        early.assign(batch=["v1", "v2", "v3", "v3"]),
        early.drop(columns="batch"),
        early.iloc[:1].assign(batch="v1"),
    ):
        assert "batch_is_sample" not in of_cohort(table)
