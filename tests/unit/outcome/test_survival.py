"""LAMM cells and follow-up: what is found, what is left out, and what is not tested."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.follow_up import Endpoint
from lammscope.outcome.names import KEYS
from lammscope.stats.cox import firth_cox
from lammscope.stats.survival_curves import kaplan_meier
from tests.unit.outcome.cohorts import N_CELLS, analyze, followed


def row_of(tests: pd.DataFrame, **keys: str) -> pd.Series:
    """Return the one row with these values."""
    found = tests[np.logical_and.reduce([tests[key] == value for key, value in keys.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_a_planted_hazard_is_the_pre_specified_row_and_per_standard_deviation() -> None:
    samples, counts, _ = tables = followed(10)
    row = analyze(tables).tests.iloc[0]
    assert row["role"] == "primary"
    assert row[KEYS].tolist() == ["pfs", "baseline", "", "blood", "LAMM", "immune", ""]
    baseline = samples[samples["phase"] == "pre"].sort_values("patient")
    own = counts[counts["population"] == "LAMM"].set_index("sample")["n_cells"]
    n = baseline["sample"].map(own).to_numpy(dtype=float)
    logit = np.log((n + 0.5) / (N_CELLS - n + 0.5))
    fit = firth_cox(
        baseline["pfs_days"].to_numpy(dtype=float),
        baseline["pfs_event"].to_numpy() == 1,
        logit / logit.std(ddof=1),
    )
    assert row["estimate"] == pytest.approx(fit.estimate, rel=1e-6)
    assert row["ci_low"] > 0
    assert row["sd"] == pytest.approx(logit.std(ddof=1))
    assert row["p"] < 0.05
    assert row["verdict"] == "supported"
    assert row["words"] == "supported: higher hazard with more LAMM cells"


def test_samples_after_infusion_start_at_their_day_and_earlier_events_are_listed_by_arm() -> None:
    samples, counts, scores = followed(8)
    samples.loc[samples["patient"] == "R1", ["pfs_days", "pfs_event"]] = [6, 1]
    samples.loc[samples["patient"] == "N2", ["pfs_days", "pfs_event"]] = [7, 0]
    gone = samples["sample"] == "N3_D7"
    samples.loc[samples["patient"] == "N3", ["pfs_days", "pfs_event"]] = [5, 1]
    found = analyze((samples[~gone], counts[counts["sample"] != "N3_D7"], scores))
    row = row_of(found.tests, analysis="landmark", marker="LAMM")
    assert row["landmark"] == 7
    assert row["n"] == 13
    patients = found.patients[
        (found.patients["analysis"] == "landmark") & (found.patients["marker"] == "LAMM")
    ].set_index("patient")
    used = patients[patients["used"] == 1]
    days = samples.drop_duplicates("patient").set_index("patient")["pfs_days"]
    assert (used["time"] == days[used.index] - 7).all()
    reasons = patients.loc[patients["used"] == 0, ["arm", "reason"]]
    assert reasons.T.to_dict("list") == {
        "N2": ["non_responder", "censored by the day of the landmark"],
        "N3": ["non_responder", "event before the landmark, no sample"],
        "R1": ["responder", "event by the day of the landmark"],
    }
    listed = found.excluded[
        (found.excluded["analysis"] == "landmark") & (found.excluded["marker"] == "LAMM")
    ]
    assert listed["n"].tolist() == [1, 1, 1]
    assert set(listed["patients"]) == {"R1", "N2", "N3"}


@pytest.mark.parametrize(
    ("last_event", "reason"),
    [
        (4, "4 events in 12 patients; at least 5 are needed"),
        (0, "no event was seen in 12 patients"),
    ],
)
def test_few_events_are_not_tested_and_the_row_says_so(last_event: int, reason: str) -> None:
    samples, counts, scores = followed(6)
    names = sorted(samples["patient"].unique())
    events = samples["patient"].isin(names[:last_event]) * 1
    found = analyze((samples.assign(pfs_event=events), counts, scores))
    row = found.tests.iloc[0]
    assert (row["status"], row["reason"]) == ("too_few_events", reason)
    assert np.isnan(row["estimate"])
    assert row["verdict"] == "not testable"
    assert row["words"] == f"not testable: {reason}"
    assert len(found.curves) > 0  # a picture needs no test


def test_an_arm_without_events_is_tested_and_noted() -> None:
    samples, counts, scores = followed(6)
    logit = dict(zip(scores["sample"], scores["total_score"], strict=True))
    value = samples["sample"].str.replace("D7", "D0").map(logit)
    is_high = value > value.median()
    samples = samples.assign(pfs_event=is_high * 1, pfs_days=np.where(is_high, 100, 300))
    row = analyze((samples, counts, scores)).tests.iloc[0]
    assert row["status"] == "ok"
    assert np.isfinite(row["estimate"])
    assert "no event in patients up to the median" in row["notes"]


def test_covariates_beyond_the_events_are_refused_and_the_plain_model_stays() -> None:
    tests = analyze(followed(6), adjust=["ldh", "product"]).tests
    first = tests.iloc[0]
    assert first["role"] == "primary"
    assert first["adjusted"] == "ldh, product"
    assert first["status"] == "too_many_covariates"
    plain = row_of(tests, analysis="baseline", marker="LAMM", adjusted="")
    assert plain["status"] == "ok"


def test_a_covariate_is_permuted_within_its_categories() -> None:
    tests = analyze(followed(14, effect=0.8), adjust=["product"]).tests
    assert tests["status"].iloc[0] == "ok"
    assert "within strata of product" in tests["scheme"].iloc[0]
    assert "approximate" not in tests["scheme"].iloc[0]


def test_competing_events_are_compared_by_gray_and_censored_in_hazard_ratios() -> None:
    samples, counts, scores = followed(10)
    cause = samples["pfs_event"].where(samples["patient"] != "R1", 2)
    cause = cause.where(samples["patient"] != "N4", 2)
    tables = (samples.assign(event=cause), counts, scores)
    found = analyze(tables, Endpoint("relapse", "pfs_days", "event", "2"))
    row = found.tests.iloc[0]
    assert row["n_competing"] == 2
    assert 0 < row["gray_p"] <= 1
    assert np.isnan(row["rmst_difference"])
    censored = analyze((samples.assign(pfs_event=(cause == 1) * 1), counts, scores)).tests.iloc[0]
    assert row["estimate"] == censored["estimate"]
    own = found.curves[(found.curves["analysis"] == "baseline") & (found.curves["group"] == "low")]
    ends = own.groupby("curve")["value"].max()
    assert set(ends.index) == {"event", "competing_event"}
    assert ends.sum() <= 1 + 1e-9


def test_curves_are_of_the_halves_and_responders_start_at_the_response() -> None:
    samples, counts, scores = followed(6)
    samples.loc[samples["patient"] == "N1", ["pfs_days", "pfs_event"]] = [20, 1]
    found = analyze((samples, counts, scores))
    own = found.curves[found.curves["analysis"] == "response"]
    arm = own[own["group"] == "non_responder"]
    days = samples[samples["response"] == "non_responder"].drop_duplicates("patient")
    later = days[days["pfs_days"] > 30]
    expected = kaplan_meier(
        later["pfs_days"].to_numpy(dtype=float) - 30, later["pfs_event"].to_numpy() == 1
    )
    np.testing.assert_allclose(arm["value"], expected.survival)
    assert arm["at_risk"].iloc[0] == len(later) < len(days)
    early = found.excluded[found.excluded["analysis"] == "response"]
    assert "N1" in " ".join(early["patients"])


def test_without_the_day_of_response_nothing_is_drawn_by_response() -> None:
    found = analyze(followed(6), response_day=0)
    assert not (found.curves["analysis"] == "response").any()
    reasons = found.excluded.loc[found.excluded["analysis"] == "response", "reason"]
    assert set(reasons) == {"the day on which response was assessed is not known"}


def test_compartments_are_apart_and_sorted_libraries_are_left_out() -> None:
    samples, counts, scores = followed(8)
    marrow = samples[samples["phase"] == "pre"].head(5)
    renamed = marrow.assign(sample=marrow["sample"] + "_bm", compartment="marrow")
    sorted_one = samples[samples["phase"] == "pre"].head(1)
    extra = sorted_one.assign(sample=sorted_one["sample"] + "_cd3", sort="CD3+")
    both = pd.concat([samples, renamed, extra])
    own = {name: f"{name}_bm" for name in marrow["sample"]}
    more = counts[counts["sample"].isin(own)].assign(sample=lambda t: t["sample"].map(own))
    of_both = pd.concat([scores, scores[scores["sample"].isin(own)].replace({"sample": own})])
    found = analyze((both, pd.concat([counts, more]), of_both))
    patients = found.patients[found.patients["compartment"] == "blood"]
    assert "sorted library" not in set(patients["reason"])  # the patient has another one
    in_marrow = row_of(found.tests, analysis="baseline", compartment="marrow", marker="LAMM")
    in_blood = row_of(found.tests, analysis="baseline", compartment="blood", marker="LAMM")
    assert (in_marrow["n"], in_blood["n"]) == (5, 16)
    assert in_blood["role"] == "primary"
    assert in_marrow["role"] == "secondary"


def test_the_last_sample_before_infusion_is_used_and_thin_ones_are_not() -> None:
    samples, counts, scores = followed(6)
    first = samples[samples["sample"] == "R1_D0"]
    older = first.assign(sample="R1_old", day=-30)
    counts = pd.concat([counts, counts[counts["sample"] == "R1_D0"].assign(sample="R1_old")])
    counts.loc[counts["sample"] == "N2_D0", "n_cells"] = 5
    found = analyze((pd.concat([older, samples]), counts, scores))
    patients = found.patients[
        (found.patients["analysis"] == "baseline") & (found.patients["marker"] == "LAMM")
    ].set_index("patient")
    assert patients.at["R1", "day"] == 0
    assert patients.at["N2", "reason"] == "under 20 cells of the denominator"
    assert found.tests["n"].iloc[0] == 11


def test_the_order_of_patients_does_not_matter() -> None:
    samples, counts, scores = followed(6)
    one = analyze((samples, counts, scores)).tests
    other = analyze((samples.sample(frac=1, random_state=3), counts, scores)).tests
    pd.testing.assert_frame_equal(one, other)


def test_patients_with_a_sorted_library_only_are_listed_as_such() -> None:
    samples, counts, scores = followed(6)
    is_sorted = samples["sample"] == "R1_D0"
    sorted_one = samples.assign(sort=samples["sort"].mask(is_sorted, "CD3+"))
    found = analyze((sorted_one, counts, scores))
    patients = found.patients[found.patients["analysis"] == "baseline"].set_index("patient")
    assert set(patients["reason"][patients.index == "R1"]) == {"sorted library"}
    asked = analyze((sorted_one, counts, scores), where={"sort": "none"})
    assert asked.tests["n"].iloc[0] == 11


@pytest.mark.parametrize(
    ("columns", "changes", "reason"),
    [
        ({"day": np.nan}, {}, "the day of the sample is not known (12 patients)"),
        ({"ldh": np.nan}, {"adjust": ["ldh"]}, "ldh is missing (12 patients)"),
        ({"pfs_days": np.nan}, {}, "no follow-up (12 patients)"),
    ],
)
def test_a_row_without_patients_says_why(
    columns: dict[str, float], changes: dict[str, Any], reason: str
) -> None:
    samples, counts, scores = followed(6)
    found = analyze((samples.assign(**columns), counts, scores), **changes)
    rows = found.tests[(found.tests["n"] == 0) & (found.tests["marker"] == "LAMM")]
    assert set(rows["status"]) == {"no_patients"}
    assert set(rows["reason"]) == {f"no patient can be used: {reason}"}
