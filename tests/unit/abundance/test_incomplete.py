"""Patients with only one side, beside the test of complete pairs and changes."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.abundance.calibration import diagnose_abundance
from lammscope.abundance.incomplete import COLUMNS, disagreement
from lammscope.stats.random_effect import random_effect_test
from tests.unit.abundance.questions import ask, judge, permutations, run_abundance
from tests.unit.abundance.test_populations import (
    MONOCYTIC,
    SETTINGS,
    make_counts,
    proportions,
    row,
)
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

LOST = ["n0_post", "n1_pre", "r0_post", "r1_post"]


def tables(entry: dict[str, Any], lost: list[str], **shift: Any) -> tuple[pd.DataFrame, ...]:
    """Return samples without the lost ones, the counts of the others, and their table."""
    samples = make_samples()
    counts = make_counts(samples, **shift)
    samples = samples[~samples["sample"].isin(lost)].reset_index(drop=True)
    counts = counts[counts["sample"].isin(samples["sample"])]
    return samples, counts, run_abundance(counts, samples, asked(entry, samples), **SETTINGS)


@pytest.mark.parametrize(("entry", "sizes"), [(PAIRED, (1, 3)), (CHANGE, (2, 2))])
def test_patients_with_one_side_are_added_to_the_model_of_the_row(
    entry: dict[str, Any], sizes: tuple[int, int]
) -> None:
    samples, counts, table = tables(entry, LOST)
    y = proportions(counts, "Macrophage", MONOCYTIC)[samples["sample"]].to_numpy()
    post = (samples["phase"] == "post").to_numpy(dtype=float)
    arm = (samples["response"] == "non_responder").to_numpy(dtype=float)
    columns = [np.ones_like(arm)] + [arm] * (entry is CHANGE)
    design = np.column_stack([*columns, *(column * post for column in columns)])
    expected = random_effect_test(
        y[None],
        design,
        design.shape[1] - 1,
        patient=samples["patient"].to_numpy(),
        arm=arm if entry is CHANGE else np.ones_like(arm),
    )
    got = row(table, "Macrophage", "monocytic")
    assert got[["estimate_incomplete", "p_incomplete"]].tolist() == pytest.approx(
        [expected.estimate[0], expected.p[0]]
    )
    assert got["ci_low_incomplete"] < got["estimate_incomplete"] < got["ci_high_incomplete"]
    assert (got["n_incomplete_test"], got["n_incomplete_reference"]) == sizes


@pytest.mark.parametrize("entry", [PAIRED, CHANGE])
def test_the_row_itself_rests_on_complete_patients(entry: dict[str, Any]) -> None:
    _, _, table = tables(entry, LOST)
    patients = [name.partition("_")[0] for name in LOST]
    both = [f"{patient}_{phase}" for patient in patients for phase in ("pre", "post")]
    _, _, complete = tables(entry, both)
    own = [column for column in table if column not in COLUMNS]
    pd.testing.assert_frame_equal(table[own], complete[own])
    assert (complete["n_incomplete_test"].dropna() == 0).all()
    assert complete["p_incomplete"].isna().all()


def test_contrasts_of_one_side_have_no_such_columns_filled() -> None:
    _, _, table = tables(BASELINE, LOST)
    assert table[list(COLUMNS)].isna().all(axis=None)


def test_a_side_with_too_few_cells_leaves_the_other() -> None:
    samples = make_samples()
    counts = make_counts(samples)
    counts.loc[counts["sample"] == "n3_post", "n_cells"] //= 1000
    got = row(
        run_abundance(counts, samples, asked(CHANGE, samples), **SETTINGS),
        "Macrophage",
        "monocytic",
    )
    assert (got["n_test"], got["n_incomplete_test"], got["n_incomplete_reference"]) == (5, 1, 0)
    assert np.isfinite(got["p_incomplete"])


def test_no_complete_pair_in_an_arm_has_no_estimate() -> None:
    lost = [f"n{i}_{phase}" for i, phase in enumerate(["pre", "post"] * 3)]
    _, _, table = tables(CHANGE, lost)
    assert set(table["status"]) == {"too_few_patients"}
    assert table[list(COLUMNS)].isna().all(axis=None)


def test_covariates_and_scales_are_those_of_the_row() -> None:
    _, _, table = tables(CHANGE | {"adjust": ["product"]}, LOST)
    _, _, plain = tables(CHANGE, LOST)
    tested = table["status"] == "ok"
    known = table["p_incomplete"].notna()
    assert known[tested].mean() > 0.95  # two patients of an arm and product may be fitted exactly
    tested &= known
    assert set(table.loc[tested, "scale"]) == {"logit", "arcsine", "log_ratio"}
    assert not np.allclose(table.loc[tested, "p_incomplete"], plain.loc[tested, "p_incomplete"])


def test_a_row_that_incomplete_patients_contradict_says_so_and_keeps_its_verdict() -> None:
    samples = make_samples()
    post = (samples["phase"] == "post").to_numpy(dtype=float)
    _, _, table = tables(PAIRED, LOST, Macrophage=1.5 * post)
    contrast = asked(PAIRED, samples)
    agreed = judge(table, contrast, denominator="monocytic")
    table.loc[:, ["estimate_incomplete", "p_incomplete"]] = [-0.1, 0.3]
    judged = judge(table, contrast, denominator="monocytic")
    pd.testing.assert_series_equal(judged["verdict"], agreed["verdict"])
    before, after = (row(each, "Macrophage", "monocytic") for each in (agreed, judged))
    assert before["verdict"] == "supported"
    assert before["words"] == "supported: higher in post"
    assert after["words"] == (
        "supported: higher in post; but with 4 patients of one side only p 0.3, lower in post"
    )


@pytest.mark.parametrize(
    ("p", "other", "estimate", "said"),
    [
        (0.01, 0.02, 1.0, False),
        (0.01, 0.08, 1.0, False),
        (0.01, 0.1, 1.0, True),
        (0.2, 0.01, 1.0, True),
        (0.01, 0.04, -1.0, True),
        (0.6, 0.8, -1.0, False),
        (0.01, np.nan, np.nan, False),
        (np.nan, np.nan, np.nan, False),
    ],
)
def test_what_counts_as_disagreement(p: float, other: float, estimate: float, said: bool) -> None:
    found = disagreement(
        {
            **{"p": p, "p_incomplete": other, "estimate": 1.0, "estimate_incomplete": estimate},
            **{"n_incomplete_test": 1, "n_incomplete_reference": 0},
        },
        asked(CHANGE, make_samples()),
    )
    assert bool(found) is said
    if said:
        assert found.startswith("with 1 patient of one side only p ")


def diagnosis(entry: dict[str, Any], lost: list[str], high: list[str]) -> list[dict[Any, Any]]:
    """Diagnose the primary row; patients `high` have more LAMM cells throughout."""
    samples = make_samples(8)
    counts = make_counts(samples, LAMM=np.where(samples["patient"].isin(high), 2.0, 0.0))
    samples = samples[~samples["sample"].isin(lost)].reset_index(drop=True)
    counts = counts[counts["sample"].isin(samples["sample"])]
    question = ask(counts, samples, asked(entry, samples), SETTINGS)
    table = diagnose_abundance(
        question, denominator="monocytic", permutations=permutations(SETTINGS), max_share=0.08
    )
    return table[table["message"].str.contains("left out")].to_dict("records")


@pytest.mark.parametrize("entry", [PAIRED, CHANGE])
def test_patients_who_lost_a_sample_are_compared_at_baseline(entry: dict[str, Any]) -> None:
    lost = ["n0_post", "n1_post", "n2_post", "r0_post", "r1_post", "r2_pre"]
    (like,) = diagnosis(entry, lost, high=[])
    assert like["status"] == "ok"
    assert "in 5 patients left out" in like["message"]
    assert "in 10 complete patients" in like["message"]
    (unlike,) = diagnosis(entry, lost, high=["n0", "n1", "n2", "r0", "r1"])
    assert unlike["status"] == "warning"
    assert unlike["message"].endswith("may not represent those who are left out.")


def test_nobody_who_lacks_the_second_sample_leaves_nothing_to_compare() -> None:
    assert diagnosis(CHANGE, ["n0_pre"], high=[]) == []
    assert diagnosis(BASELINE, ["n0_post"], high=[]) == []
    (one,) = diagnosis(PAIRED, ["n0_post"], high=[])
    assert "in 1 patient left out because the other sample is missing" in one["message"]
    assert "p = " not in one["message"]
