"""Contrasts of kind `trend`: values, scores, groups, permutations, the audit and words."""

from itertools import permutations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.cohort.associations import trend_rows
from lammscope.cohort.audit import audit_design
from lammscope.cohort.comparison import Comparison, compare, design_problem
from lammscope.cohort.contrast_checks import aliased_contrasts, contrast_mistakes
from lammscope.cohort.contrast_kinds import as_values, make_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import TREND, design_matrix
from lammscope.cohort.permutation import permutation_p
from lammscope.cohort.schemes import Scheme
from lammscope.cohort.trend import Trend
from lammscope.stats.effect import effect_test
from lammscope.stats.influence import leave_one_out
from tests.unit.example_cohorts import asked

ORDER = ["PD", "SD", "PR", "CR"]
LABELS = ["PD", "PD", "SD", "PR", "PR", "CR", "CR", "CR"]
LDH = [250.0, 410.0, 180.0, 300.0, 1200.0, 220.0, 500.0, 260.0]
ORDERED = {"kind": "trend", "column": "response_label", "order": ORDER, "where": {"phase": "pre"}}
NUMBER = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
DRAWS: dict[str, Any] = {"max_exact": 20_000, "n_draws": 10_000}


def cohort(**columns: Any) -> pd.DataFrame:
    """Eight patients, each before and after infusion; a column has one value per patient."""
    about: dict[str, Any] = {
        "response_label": LABELS,
        "ldh": LDH,
        "age": [60, 41, 55, 72, 38, 66, 49, 58],
    }
    about["product"] = ["axi", "tisa"] * 4
    about |= columns
    n = len(about["ldh"])
    patients = pd.DataFrame({"patient": [f"P{i + 1:02d}" for i in range(n)], **about})
    arms = {"CR": "responder", "PR": "responder", "SD": "non_responder", "PD": "non_responder"}
    patients["response"] = patients["response_label"].map(arms)
    phases = pd.DataFrame({"phase": ["pre", "post"], "timepoint": ["D0", "D7"], "day": [0, 7]})
    table = patients.merge(phases, how="cross")
    table["sample"] = table["patient"] + "_" + table["timepoint"]
    return table.assign(compartment="blood", sort="none", batch="b", counts="x.h5", channel="c")


def compared(entry: dict[str, Any], samples: pd.DataFrame) -> Comparison:
    return Comparison(samples, asked(entry, samples))


def mistakes(entry: dict[str, Any], samples: pd.DataFrame) -> list[str]:
    contrast = asked(entry, samples)
    return contrast_mistakes(samples, [contrast], primary={"contrast": "question",
                             "denominator": "immune"}, sorts={})  # fmt: skip


def scheme_of(units: pd.DataFrame, contrast: Contrast, **limits: int) -> Scheme:
    return contrast.permutations(units, **{**DRAWS, **limits})


# --- values and scores ----------------------------------------------------------------------------


def test_an_order_gives_equally_spaced_scores() -> None:
    units = compared(ORDERED, cohort()).units
    assert units[TREND].tolist() == [1, 1, 2, 3, 3, 4, 4, 4]
    assert set(units["arm"]) == {"all"}


def test_an_order_of_numbers_is_an_order_too() -> None:
    samples = cohort(grade=[0, 1, 1, 2, 4, 0, 3, 2])
    entry = {
        "kind": "trend",
        "column": "grade",
        "order": [0, 1, 2, 3, 4],
        "where": {"phase": "pre"},
    }
    assert compared(entry, samples).units[TREND].tolist() == [1, 2, 2, 3, 5, 1, 4, 3]


def test_numbers_are_in_standard_deviations_of_the_patients_whatever_the_covariates() -> None:
    samples = cohort(age=[60, np.nan, 55, 72, 38, 66, 49, 58])
    contrast, adjusted = asked(NUMBER, samples), asked({**NUMBER, "adjust": ["age"]}, samples)
    assert isinstance(contrast, Trend)
    assert isinstance(adjusted, Trend)
    assert contrast.step == pytest.approx(np.std(LDH, ddof=1), rel=1e-5)
    assert adjusted.step == contrast.step
    units = Comparison(samples, contrast).units
    assert units[TREND].std() == pytest.approx(1, rel=1e-5)
    assert "LDH, estimates per SD (334 U/l)" in contrast.describe()


def test_logarithms_are_per_doubling() -> None:
    comparison = compared({**NUMBER, "log": True}, cohort())
    np.testing.assert_allclose(comparison.units[TREND], np.log2(LDH))
    assert "LDH, estimates per doubling;" in comparison.contrast.describe()


def test_plain_values_make_the_same_contrast() -> None:
    for entry in (ORDERED, NUMBER):
        contrast = asked(entry, cohort())
        assert make_contrast(**as_values(contrast)) == contrast


def test_patients_without_a_value_are_left_out_and_named() -> None:
    samples = cohort(ldh=[*LDH[:3], np.nan, *LDH[4:]])
    comparison = compared(NUMBER, samples)
    assert "P04" not in set(comparison.units["patient"])
    audit = audit_design(samples, [comparison], sorts={}, **DRAWS)
    message = audit.set_index("item").at["unused: ldh is missing", "message"]
    assert message == "Not used, ldh is missing: 1 sample (without a value: P04_D0)."


MISTAKES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "text without an order": (
        {**NUMBER, "column": "response_label"}, {},
        r"`response_label` is text \(CR, PD, PR, SD\); list its values from first to last in "),
    "the arms in place of the labels": (
        {**ORDERED, "column": "response"}, {},
        r"no sample has any of its values in `response` .* are in `response_label`"),
    "two values": ({**ORDERED, "order": ["PD", "CR"]}, {}, r"`order` has 2 values and needs at le"),
    "a value twice": ({**ORDERED, "order": [*ORDER, "PD"]}, {}, r"`order` has `PD` twice"),
    "the log of an order": ({**ORDERED, "log": True}, {}, r"`log` is for numbers"),
    "arms": ({**NUMBER, "test": "high"}, {}, r"`test` is a key of `kind: .*`, not of `kind: tr"),
    "an order of arms": (
        {"kind": "between", "test": "CR", "reference": "PD", "column": "response_label",
         "order": ORDER}, {}, r"`order` is a key of `kind: trend`, not of `kind: between`; remove"),
    "an empty column": ({**NUMBER, "column": "crs"}, {"crs": [np.nan] * 8}, r"`crs` is empty for"),
    "a typing error": (
        {**NUMBER, "column": "volume"}, {"volume": ["12", "40", "3o", "8", "9", "7", "5", "1"]},
        r"`volume` has values that are no numbers: `3o` of patient P03; correct them"),
    "a missing column": ({**NUMBER, "column": "ldl"}, {}, r"no column `ldl` in either sheet"),
    "a covariate that is compared": ({**NUMBER, "adjust": ["ldh"]}, {}, r"is the column that is c"),
}  # fmt: skip


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_in_the_config_is_told_with_its_remedy(name: str) -> None:
    entry, columns, pattern = MISTAKES[name]
    with pytest.raises(ValueError, match=pattern):
        asked(entry, cohort(**columns))


def test_a_value_that_is_not_in_the_order_is_a_mistake_unless_left_out() -> None:
    samples = cohort(response_label=[*LABELS[:-1], "NE"])
    (text,) = mistakes(ORDERED, samples)
    assert "values that are not in `order` (PD, SD, PR, CR): `NE` of patient P08" in text
    where = {"phase": "pre", "response_label": ORDER}
    assert mistakes({**ORDERED, "where": where}, samples) == []


def test_a_number_without_a_logarithm_is_a_mistake() -> None:
    samples = cohort(ldh=[*LDH[:-1], 0.0])
    (text,) = mistakes({**NUMBER, "log": True}, samples)
    assert "`log: true` needs numbers above 0, but there is `0` of patient P08; correct" in text
    assert mistakes(NUMBER, samples) == []
    (text,) = mistakes(NUMBER, cohort(ldh=[*LDH[:-1], np.inf]))
    assert "a trend needs finite numbers, but there is `inf` of patient P08" in text


def test_a_patient_with_two_values_is_a_mistake() -> None:
    samples = cohort()
    samples["crp"] = np.arange(len(samples), dtype=float)
    found = mistakes({"kind": "trend", "column": "crp"}, samples)
    assert any("patient P01 has several values of `crp` (P01_D0: 0, P01_D7: 1)" in t for t in found)
    assert mistakes({"kind": "trend", "column": "crp", "where": {"phase": "pre"}}, samples) == []


def test_a_value_that_nobody_has_is_noted_and_keeps_its_score() -> None:
    samples = cohort(response_label=["PD", "PD", "PD", "PR", "PR", "CR", "CR", "CR"])
    comparison = compared(ORDERED, samples)
    assert sorted(set(comparison.units[TREND])) == [1, 3, 4]
    (note,) = comparison.contrast.notes(comparison.used)
    assert "no patient has `response_label` SD" in note
    assert "8 patients: 3 PD, 0 SD, 2 PR, 3 CR" in comparison.contrast.sizes(comparison.units)


# --- groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([1, 2, 3, 4, 5, 6], 2, 2),
        ([0, 0, 0, 0, 0, 1, 2], 5, 2),  # ties fill a third
        ([0, 1, 2, 2, 2, 2, 2], 2, 5),
        ([2, 2, 2, 2, 2, 0, 1], 2, 5),
    ],
)
def test_ends_never_share_a_value(values: list[float], low: int, high: int) -> None:
    n = len(values)
    samples = cohort(ldh=values, response_label=["CR"] * n, age=[50] * n, product=["axi"] * n)
    comparison = compared(NUMBER, samples)
    units, groups = comparison.units, comparison.contrast.groups(comparison.units)
    assert ((groups == "reference").sum(), (groups == "test").sum()) == (low, high)
    least = units.loc[groups == "test", TREND].min()
    assert units.loc[groups == "reference", TREND].max() < least


def test_ends_of_an_order_are_the_first_and_last_values_that_occur() -> None:
    samples = cohort(response_label=["SD", "SD", "SD", "PR", "PR", "CR", "CR", "CR"])
    comparison = compared(ORDERED, samples)
    assert comparison.contrast.reference == "SD"
    assert comparison.contrast.verdict("higher") == "rises from SD to CR"
    groups = comparison.contrast.groups(comparison.units)
    assert groups.tolist() == ["reference"] * 3 + ["middle"] * 2 + ["test"] * 3


# --- tests ----------------------------------------------------------------------------------------


def test_the_test_equals_least_squares_of_statsmodels() -> None:
    import statsmodels.api as sm

    units = compared({**NUMBER, "adjust": ["age", "product"]}, cohort()).units
    values = np.random.default_rng(5).normal(size=(4, len(units)))
    design = design_matrix(units, ["age", "product"])
    got = effect_test(values, design.to_numpy(), list(design).index("arm"))
    tisa = units["product"] == "tisa"
    x = sm.add_constant(np.column_stack([units[TREND], units["age"], tisa]).astype(float))
    for i, row in enumerate(values):
        fit = sm.OLS(row, x).fit()
        expected = (fit.params[1], fit.bse[1], fit.tvalues[1], fit.pvalues[1], fit.df_resid)
        found = (got.estimate[i], got.se[i], got.t[i], got.p[i], got.df[i])
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_patient_left_out_leaves_the_test_of_a_trend() -> None:
    """Without the last patient two numbers are left, which are tested as a trend, too."""
    x = np.array([0.0, 0, 0, 1, 1, 1, 5])
    values = np.random.default_rng(8).normal(size=(1, 7))
    got = leave_one_out(values, np.column_stack([np.ones(7), x]), 1)
    assert got.p[6, 0] == pytest.approx(stats.linregress(x[:6], values[0, :6]).pvalue)


def refitted(values: np.ndarray, columns: list[np.ndarray], others: np.ndarray) -> np.ndarray:
    """Return |t| of each column by a full fit, columns x features."""
    found = []
    for column in columns:
        design = np.column_stack([column, others])
        found.append(np.abs(effect_test(values, design, 0, one_variance=True).t))
    return np.array(found)


@pytest.mark.parametrize(
    ("x", "strata", "ties"),
    [
        ([1, 1, 2, 3, 3, 4], "aaaaaa", 1),
        ([1, 1, 2, 2, 3, 3], "aaaaaa", 2),  # symmetric
        ([0.3, 1.7, 2.2, 0.3, 5.1, 9.0], "aaabbb", 1),
        ([1, 2, 3, 4, 4, 5, 6], "aaabbbb", 1),
        ([1, 2, 3, 7, 9, 11, 11], "aaabbbc", 2),
    ],
)
def test_permuted_numbers_agree_with_refitting_every_order(
    x: list[float], strata: str, ties: int
) -> None:
    codes, score = np.array(list(strata)), np.array(x, dtype=float)
    units = pd.DataFrame({"arm": "all", TREND: score, "site": codes})
    others = (codes[:, None] == np.unique(codes)).astype(float)
    values = np.random.default_rng(1).normal(size=(30, len(x)))
    parts = [sorted(set(permutations(score[codes == s]))) for s in np.unique(codes)]
    orders = [np.concatenate(part) for part in product(*parts)]  # strata are in order
    found, observed = refitted(values, orders, others), refitted(values, [score], others)[0]
    expected = np.mean(found >= observed * (1 - 1e-9), axis=0)
    contrast = make_contrast(**as_values(asked({**NUMBER, "adjust": ["product"]}, cohort())))
    contrast = make_contrast(**{**as_values(contrast), "adjust": ("site",)})
    scheme = scheme_of(units, contrast)
    assert scheme.n_assignments == len(orders)
    assert scheme.floor == pytest.approx(ties / len(orders))
    got = permutation_p(values, np.column_stack([score, others]), 0, scheme, seed=1)
    np.testing.assert_allclose(got, expected)
    assert got.min() >= scheme.floor - 1e-12
    drawn = permutation_p(
        values, np.column_stack([score, others]), 0, scheme_of(units, contrast, max_exact=1), seed=1
    )
    np.testing.assert_allclose(drawn, expected, atol=0.02)


def test_residuals_of_a_trend_agree_with_freedman_and_lane_by_hand() -> None:
    rng = np.random.default_rng(4)
    score, age = np.array([1.0, 1, 2, 3, 4, 4]), rng.normal(size=6)
    units = pd.DataFrame({"arm": "all", TREND: score, "age": age})
    values = rng.normal(size=(10, 6))
    others = np.column_stack([np.ones(6), age])
    hat = others @ np.linalg.pinv(others)
    rest = values - values @ hat.T
    design = np.column_stack([score, others])
    observed = np.abs(effect_test(values, design, 0).t)
    found = [
        np.abs(effect_test(rest[:, list(order)], design, 0).t) for order in permutations(range(6))
    ]
    expected = np.mean(np.array(found) >= observed * (1 - 1e-9), axis=0)
    contrast = asked({**NUMBER, "adjust": ["age"]}, cohort())
    scheme = scheme_of(units, contrast)
    assert "approximate" in scheme.words
    np.testing.assert_allclose(permutation_p(values, design, 0, scheme, seed=1), expected)


def test_a_stratum_with_one_value_adds_no_assignment() -> None:
    units = pd.DataFrame({"arm": "all", TREND: [1.0, 2, 3, 5, 5, 5], "site": list("aaabbb")})
    contrast = make_contrast(**{**as_values(asked(NUMBER, cohort())), "adjust": ("site",)})
    scheme = scheme_of(units, contrast)
    assert scheme.n_assignments == 6
    assert scheme.floor == pytest.approx(2 / 6)


def test_relabeling_gives_patients_the_values_of_others() -> None:
    for entry in (ORDERED, NUMBER):
        comparison = compared(entry, cohort())
        units, contrast = comparison.units, comparison.contrast
        moved = np.roll(units[TREND].to_numpy(), 3)
        other = Comparison(contrast.relabel(comparison.used, units, moved), contrast)
        np.testing.assert_allclose(other.units[TREND], moved)


# --- problems and the audit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ldh", "status"),
    [
        ([250, 410, 180, 300], "too_few_patients"),
        ([250] * 6, "too_few_values"),
        ([250, 250, 250, 300, 300, 300], "too_few_values"),
        ([250, 250, 250, 250, 300, 310], ""),
    ],
)
def test_few_patients_or_values_have_a_status(ldh: list[float], status: str) -> None:
    n = len(ldh)
    samples = cohort(ldh=ldh, response_label=["CR"] * n, age=[50] * n, product=["axi"] * n)
    comparison = compared(NUMBER, samples)
    units, contrast = comparison.units, comparison.contrast
    assert design_problem(units, design_matrix(units, ()), contrast) == status
    audit = audit_design(samples, [comparison], sorts={}, **DRAWS).set_index("item")
    verdict = audit[audit["contrast"] == "question"].loc["verdict"]
    assert (verdict["status"] == "too_few_patients") == bool(status)
    if status:
        assert "at least 5 patients with 3 different values are needed" in verdict["message"]


def test_a_covariate_that_determines_the_value_is_named() -> None:
    samples = cohort(product=["c", "c", "a", "b", "b", "d", "d", "d"])
    entry = {**ORDERED, "adjust": ["product"]}
    found = aliased_contrasts(compare(samples, [asked(entry, samples)]))
    assert (
        "the trend from PD to CR cannot be separated from the effect of product"
        in (found["question"])
    )
    assert aliased_contrasts(compare(samples, [asked(ORDERED, samples)])) == {}


def test_the_audit_says_who_is_compared_and_the_smallest_p() -> None:
    samples = cohort()
    audit = audit_design(samples, [compared(ORDERED, samples)], sorts={}, **DRAWS)
    rows = audit[audit["contrast"] == "question"].set_index("item")
    assert rows.at["verdict", "message"] == "Can be tested: 8 patients: 2 PD, 1 SD, 2 PR, 3 CR."
    assert float(str(rows.at["p_floor", "value"])) == pytest.approx(1 / 1680, rel=1e-4)
    assert "8 patients: p of a permutation test" in str(rows.at["p_floor", "message"])
    assert rows.at["rank", "message"] == (
        "The model (intercept, response_label) can be estimated."
    )  # fmt: skip


def test_covariates_are_tested_for_association_with_the_number() -> None:
    scores = pd.Series([1.0, 2, 3, 4, 5, 6, 7, 8])
    (row,) = trend_rows(scores, pd.Series([2.0, 1, 4, 3, 6, 5, 8, 7], name="age"), of="ldh")
    assert row[2] == "warning"
    assert "rank correlation" in row[3]
    (row,) = trend_rows(scores, pd.Series(list("aaaabbbb"), name="batch"), of="ldh")
    assert (row[2], "Each" in row[3]) == ("confounded", False)
    (row,) = trend_rows(scores, pd.Series(list("abcabcab"), name="site"), of="ldh")
    assert row[2] == "ok"
    assert "Kruskal" in row[3]
    assert trend_rows(scores, pd.Series(list("abcdefgh"), name="id"), of="ldh") == []


def test_words_say_the_direction_and_the_unit() -> None:
    ordered, number = asked(ORDERED, cohort()), asked(NUMBER, cohort())
    doubled = asked({**NUMBER, "log": True}, cohort())
    assert ordered.ratio() == "odds ratio per step"
    assert number.toward("lower") == "falls with LDH"
    assert doubled.ratio() == "odds ratio per doubling"
    claim = number.claim("numerically lower", "immune cells")
    assert claim == (
        "the fraction of LAMM cells among immune cells numerically fell with LDH (one SD is 334 "
        "U/l)"
    )
    claim = ordered.claim("higher", "immune cells", verb="may be")
    assert "may rise from PD to CR (steps PD, SD, PR, CR)" in claim
