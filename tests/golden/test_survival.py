"""Survival compared with R's survival and cmprsk."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.outcome_survival import statistics_of_r
from lammscope.stats.competing_risks import cumulative_incidence, gray_test
from lammscope.stats.cox import firth_cox
from lammscope.stats.cox_tests import hazards_proportional, score_test
from lammscope.stats.survival_curves import kaplan_meier, restricted_mean

GOLDEN = Path(__file__).parent / "survival"
EXACT = 1e-6
COHORTS = pd.read_csv(GOLDEN / "cohorts.csv")
TESTS = pd.read_csv(GOLDEN / "tests.csv").set_index(["set", "what"])
SETS = list(COHORTS["set"].unique())
ORDINARY = [name for name in SETS if name != "monotone"]
COLUMNS = {1: ["x1"], 2: ["x1", "x3"], 3: ["x1", "x2", "x3"]}


def golden(name: str, what: str, column: str = "value") -> float:
    """A number of R; a time that is not known is one that is not reached."""
    value = TESTS[column].to_dict()[(name, what)]
    return np.inf if np.isnan(value) else float(value)


def cohort(name: str) -> tuple[np.ndarray, np.ndarray, pd.DataFrame]:
    """Time, cause and the table of a cohort of `make_survival.R`."""
    table = COHORTS[COHORTS["set"] == name]
    return table["time"].to_numpy(float), table["cause"].to_numpy(), table


@pytest.mark.parametrize(
    ("name", "k"),
    [(n, k) for n, k in pd.read_csv(GOLDEN / "firth.csv")[["set", "k"]].itertuples(index=False)],
)
def test_penalized_fits_are_those_of_coxph_with_the_penalty_added(name: str, k: int) -> None:
    time, cause, table = cohort(name)
    table_of_r = pd.read_csv(GOLDEN / "firth.csv").query(f"set == '{name}' & k == {k}")
    expected = table_of_r.drop(columns=["set", "k"]).to_numpy()[0]
    got = firth_cox(time, cause > 0, table[COLUMNS[k]].to_numpy())
    found = [got.estimate, got.se[0], got.ci_low, got.ci_high, got.p]
    np.testing.assert_allclose(found, expected, rtol=EXACT)


@pytest.mark.parametrize("name", SETS)
def test_the_score_statistic_is_that_of_coxph(name: str) -> None:
    time, cause, table = cohort(name)
    got = score_test(time, cause > 0, table["x1"].to_numpy())
    np.testing.assert_allclose(
        [got.z**2, got.p], [golden(name, "score", c) for c in ("value", "p")], rtol=EXACT
    )
    assert np.sign(got.z) == np.sign(firth_cox(time, cause > 0, table["x1"].to_numpy()).estimate)


@pytest.mark.parametrize("name", ["n16", "monotone"])
def test_without_ties_the_score_of_two_groups_is_logrank(name: str) -> None:
    time, cause, table = cohort(name)
    event, x = cause > 0, table["x1"].to_numpy()
    assert len(np.unique(time[event])) == event.sum()
    got = score_test(time, event, (x > np.median(x)).astype(float)).z ** 2
    np.testing.assert_allclose(got, golden(name, "logrank"), rtol=EXACT)


@pytest.mark.parametrize("name", ORDINARY)
def test_the_benchmark_computes_the_tests_of_coxph(name: str) -> None:
    """The power of ours is compared with theirs."""
    time, cause, table = cohort(name)
    got = statistics_of_r(time, cause > 0, table["x1"].to_numpy())
    for ours, theirs in [("Wald", "wald"), ("likelihood ratio", "lr"), ("score", "score")]:
        np.testing.assert_allclose(got[ours], golden(name, theirs, "p"), rtol=EXACT)


@pytest.mark.parametrize("transform", ["km", "rank"])
@pytest.mark.parametrize("name", ORDINARY)
def test_proportional_hazards_are_tested_as_in_cox_zph(name: str, transform: str) -> None:
    time, cause, table = cohort(name)
    got = hazards_proportional(
        time,
        cause > 0,
        table[COLUMNS[3]].to_numpy(),
        coef=np.array([golden(name, f"coef{i}") for i in (1, 2, 3)]),
        transform=transform,
    )
    np.testing.assert_allclose(
        [got.z**2, got.p], [golden(name, f"zph_{transform}", c) for c in ("value", "p")], rtol=EXACT
    )


@pytest.mark.parametrize("name", SETS)
def test_curves_are_those_of_survfit(name: str) -> None:
    time, cause, _ = cohort(name)
    table = pd.read_csv(GOLDEN / "curves.csv")
    table = table[table["set"] == name]
    got = kaplan_meier(time, cause > 0)
    for ours, theirs in [("times", "time"), ("at_risk", "at_risk"), ("events", "events")]:
        np.testing.assert_array_equal(getattr(got, ours), table[theirs])
    known = (table["survival"] > 0) & (table["survival"] < 1)
    assert np.isnan(got.ci_low[~known]).all()
    for ours, theirs in [("survival", "survival"), ("ci_low", "low"), ("ci_high", "high")]:
        np.testing.assert_allclose(
            getattr(got, ours)[known], table[theirs][known], rtol=EXACT, err_msg=ours
        )
    np.testing.assert_allclose(got.median, golden(name, "median"))


@pytest.mark.parametrize("name", SETS)
def test_restricted_means_are_those_of_survfit(name: str) -> None:
    time, cause, table = cohort(name)
    high = (table["x1"] > table["x1"].median()).to_numpy()
    for arm, who in enumerate((~high, high)):
        got = np.array(restricted_mean(time[who], cause[who] > 0, until=golden(name, "until")))
        expected = [golden(name, f"{w}{arm}") for w in ("rmean", "rmean_se")]
        np.testing.assert_allclose(got, expected, rtol=EXACT)


@pytest.mark.parametrize("name", ORDINARY)
def test_cumulative_incidence_is_that_of_cmprsk(name: str) -> None:
    time, cause, _ = cohort(name)
    table = pd.read_csv(GOLDEN / "incidence.csv")
    table = table[table["set"] == name]
    got = cumulative_incidence(time, cause, of=1)
    for ours in ("times", "incidence", "variance"):
        np.testing.assert_allclose(
            getattr(got, ours), table[ours.removesuffix("s")], rtol=EXACT, err_msg=ours
        )


@pytest.mark.parametrize("groups", ["test", "group"])
@pytest.mark.parametrize("name", ORDINARY)
def test_groups_are_compared_as_by_gray_in_cmprsk(name: str, groups: str) -> None:
    time, cause, table = cohort(name)
    x = table["x1"].to_numpy()
    codes = table["group"].to_numpy() if groups == "group" else (x > np.median(x)).astype(int)
    got = gray_test(time, cause, codes, of=1)
    assert got.df == len(np.unique(codes)) - 1
    np.testing.assert_allclose(
        [got.statistic, got.p],
        [golden(name, f"gray_{groups}", c) for c in ("value", "p")],
        rtol=EXACT,
    )
