"""Tests of pairs between arms: both terms, their sum, the supply, and what cannot be tested."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.axis.pair_tests import COLUMNS
from lammscope.axis.pair_tests import test_pairs as run_pairs
from lammscope.axis.strength import log_cpm
from lammscope.axis.values import patient_values
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, SUGGESTIVE, SUPPORTED
from tests.unit.axis.example_axis import (
    PERMUTATIONS,
    PRIMARY,
    pair,
    question,
    tables,
)
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

SAMPLES = make_samples(8)
BASE = asked(BASELINE, SAMPLES)


def arms(low: float, high: float) -> np.ndarray:
    """Expected UMIs of each sample: higher in non-responders."""
    return np.where(SAMPLES["response"] == "non_responder", high, low)


def outcome(made: Any, *pairs: Any, contrast: Any = BASE, **settings: Any) -> pd.DataFrame:
    asked_of = question(SAMPLES, contrast, made, *pairs, **settings)
    return run_pairs(asked_of, permutations=PERMUTATIONS, primary=PRIMARY)


def primary_row(table: pd.DataFrame) -> pd.Series:
    (row,) = [row for _, row in table[table["role"] == "primary"].iterrows()]
    return row


def row_of(table: pd.DataFrame, **keys: str) -> pd.Series:
    chosen = table[np.all([table[key] == value for key, value in keys.items()], axis=0)]
    (row,) = [row for _, row in chosen.iterrows()]
    return row


BOTH: dict[str, dict[str, Any]] = {
    "LAMM_positive": {"LIG": arms(20, 60)},
    "CD8": {"REC": arms(20, 60)},
}
SENDER: dict[str, dict[str, Any]] = {"LAMM_positive": {"LIG": arms(10, 80)}, "CD8": {"REC": 30.0}}
NONE: dict[str, dict[str, Any]] = {"LAMM_positive": {"LIG": 30.0}, "CD8": {"REC": 30.0}}


def test_a_pair_whose_terms_both_differ_is_supported() -> None:
    row = primary_row(outcome(tables(SAMPLES, BOTH)))
    assert row["verdict"] == SUPPORTED
    assert row["words"] == "supported: higher in non_responder"
    assert row["estimate"] == pytest.approx(2 * np.log2(3), abs=0.85)
    assert row["estimate"] == pytest.approx(row["sender_estimate"] + row["receiver_estimate"])
    assert (row["n_test"], row["n_reference"]) == (8, 8)
    assert row["p_permutation"] <= 0.05


def test_a_sum_that_one_term_alone_moves_is_only_suggestive() -> None:
    row = primary_row(outcome(tables(SAMPLES, SENDER)))
    assert row["p"] < 0.05
    assert row["sender_p"] < 0.05 < row["receiver_p"]
    assert row["verdict"] == SUGGESTIVE
    assert "the receiver's term does not differ by itself" in row["doubts"]


def test_the_numbers_of_each_term_are_those_of_welchs_test() -> None:
    made = tables(SAMPLES, BOTH)
    values = patient_values(question(SAMPLES, BASE, made))
    values = values[values["sender"] == "LAMM_positive"]
    row = primary_row(outcome(made))
    for column, mark in (("sender_level", "sender_"), ("receiver_level", "receiver_"), ("sum", "")):
        by_arm = [values.loc[values["arm"] == arm, column] for arm in ("test", "reference")]
        expected = stats.ttest_ind(*by_arm, equal_var=False)
        interval = expected.confidence_interval()
        assert row[f"{mark}p"] == pytest.approx(expected.pvalue, rel=1e-2)
        assert row[f"{mark}ci_low"] == pytest.approx(interval.low, abs=1e-3)
        assert row[f"{mark}ci_high"] == pytest.approx(interval.high, abs=1e-3)


def test_nothing_is_claimed_without_a_difference() -> None:
    row = primary_row(outcome(tables(SAMPLES, NONE)))
    assert row["verdict"] == INCONCLUSIVE
    assert "remain compatible" in row["words"]


def test_more_senders_move_the_supply_and_not_the_strength() -> None:
    made = tables(SAMPLES, NONE)
    more = SAMPLES.loc[SAMPLES["response"] == "non_responder", "sample"]
    is_more = made.cells["sample"].isin(more) & made.cells["population"].eq("LAMM")
    made.cells.loc[is_more, "n_cells"] *= 4
    before, after = (primary_row(outcome(each)) for each in (tables(SAMPLES, NONE), made))
    assert after["estimate"] == before["estimate"]
    assert after["supply_estimate"] == pytest.approx(before["supply_estimate"] + 2, abs=0.05)


def test_supply_is_not_known_where_sorting_removed_immune_cells() -> None:
    samples = SAMPLES.assign(sort="CD45-")
    contrast = asked({**BASELINE, "where": {"phase": "pre", "sort": "CD45-"}}, samples)
    asked_of = question(samples, contrast, tables(samples, BOTH), sorts={"CD45-": ["malignant"]})
    row = primary_row(run_pairs(asked_of, permutations=PERMUTATIONS, primary=PRIMARY))
    assert np.isfinite(row["p"])
    assert np.isnan(row["supply_p"])


def test_a_complex_is_as_rare_as_its_rarest_part() -> None:
    levels: dict[str, dict[str, Any]] = {
        "LAMM_positive": {"LIG": arms(20, 60), "LIG2": 5.0},
        "CD8": {"REC": arms(20, 60)},
    }
    made = tables(SAMPLES, levels)
    both = primary_row(outcome(made, pair("LIG+LIG2")))
    either = primary_row(outcome(made, pair("LIG|LIG2")))
    assert both["sender_p"] > 0.05
    assert either["sender_p"] < 0.001


@pytest.mark.parametrize(("contrast", "n"), [(PAIRED, 16), (CHANGE, 8)])
def test_pairs_and_changes_are_tested_within_patients(contrast: dict[str, Any], n: int) -> None:
    late = SAMPLES["phase"] == "post"
    if contrast is CHANGE:
        late &= SAMPLES["response"] == "non_responder"
    levels = {g: {k: np.where(late, 60, 20)} for g, k in (("LAMM_positive", "LIG"), ("CD8", "REC"))}
    row = primary_row(outcome(tables(SAMPLES, levels), contrast=asked(contrast, SAMPLES)))
    assert row["verdict"] == SUPPORTED
    assert row["estimate"] > 2
    assert row["n_test"] == n


def test_shown_pairs_have_levels_and_no_test() -> None:
    row = row_of(outcome(tables(SAMPLES, BOTH), pair(use=False)), sender="LAMM_positive")
    assert (row["status"], row["verdict"]) == ("shown", NOT_TESTABLE)
    assert row["mean_sender_test"] > row["mean_sender_reference"] + 1
    assert np.isnan(row["p"])


@pytest.mark.parametrize(
    ("levels", "n_cells", "status", "words"),
    [
        ({"CD8": {"REC": 0.0}}, 100, "no_counts", "no UMI of REC in CD8"),
        ({"CD8": {"REC": 0.5}}, 100, "too_few_counts", "UMIs of REC in CD8 of 16 patients"),
        ({"CD8": {"REC": np.nan}}, 100, "no_gene", "no matrix has REC"),
        ({}, {"LAMM_positive": 0}, "no_cells", "no LAMM_positive cells in these samples"),
        ({}, {"CD8": 0}, "no_cells", "no CD8 cells (CD8_T) in these samples"),
        ({}, {"CD8": 9}, "too_few_patients", "have 10 LAMM_positive and 10 CD8 cells"),
        (
            {},
            {"CD8": np.where(SAMPLES["patient"] == "n0", 100, 0)},
            "too_few_patients",
            "have 10 LAMM_positive and 10 CD8 cells",
        ),
    ],
)
def test_what_cannot_be_tested_says_why(
    levels: dict[str, Any], n_cells: Any, status: str, words: str
) -> None:
    made = tables(SAMPLES, BOTH | levels, n_cells=n_cells)
    row = row_of(outcome(made), sender="LAMM_positive")
    assert row["status"] == status
    assert words in row["reason"]
    assert row["words"] == f"not testable: {row['reason']}"


def test_a_gene_of_few_patients_is_not_tested_and_one_of_an_arm_is() -> None:
    few = np.where(SAMPLES["patient"].isin(["n0", "r0", "r1"]), 200.0, 0.0)
    row = row_of(outcome(tables(SAMPLES, BOTH | {"CD8": {"REC": few}})), sender="LAMM_positive")
    assert row["status"] == "too_few_counts"
    assert "0.0 are expected of a patient in most of them" in row["reason"]
    one_arm = {"CD8": {"REC": arms(0, 20)}}
    row = row_of(outcome(tables(SAMPLES, BOTH | one_arm)), sender="LAMM_positive")
    assert row["status"] == "ok"
    assert row["receiver_p"] < 0.001


def test_a_term_that_ambient_rna_explains_is_not_tested() -> None:
    table = outcome(tables(SAMPLES, BOTH, ambient={"REC": 0.6}))
    row = row_of(table, sender="LAMM_positive")
    assert row["status"] == "ambient"
    assert "ambient RNA may explain REC in CD8 (60 % of its UMIs" in row["reason"]
    assert (
        row_of(outcome(tables(SAMPLES, BOTH, ambient={"REC": 0.1})), sender="monocytic")["status"]
        == "ok"
    )


def test_expected_ambient_umis_are_taken_off_unless_they_are_a_limit() -> None:
    made = tables(SAMPLES, NONE, ambient={"REC": 0.2})
    plain, clean = (
        patient_values(question(SAMPLES, BASE, each))["receiver_level"].to_numpy()
        for each in (tables(SAMPLES, NONE), made)
    )
    np.testing.assert_allclose(clean - plain, np.log2(0.8), atol=0.02)
    made.libraries["is_limit"] = True
    limited = patient_values(question(SAMPLES, BASE, made))["receiver_level"].to_numpy()
    np.testing.assert_allclose(limited, plain)


def test_patients_left_out_are_listed_with_their_arm() -> None:
    few = np.where(SAMPLES["patient"] == "r3", 4, 50)
    row = row_of(outcome(tables(SAMPLES, BOTH, n_cells={"CD8": few})), sender="LAMM_positive")
    assert row["notes"] == "under 10 LAMM_positive or 10 CD8 cells: r3 (responder)"
    assert (row["n_test"], row["n_reference"]) == (8, 7)


def test_a_patient_whose_matrix_lacks_the_gene_is_left_out_of_that_pair() -> None:
    levels: dict[str, dict[str, Any]] = BOTH | {
        "CD8": {"REC": np.where(SAMPLES["patient"] == "r3", np.nan, 40.0)}
    }
    table = outcome(tables(SAMPLES, levels), pair(), pair("LIG", "LIG2", "other"))
    assert row_of(table, pair="pair", sender="LAMM_positive")["n_reference"] == 7
    assert row_of(table, pair="other", sender="LAMM_positive")["n_reference"] == 8


def test_the_pre_specified_pair_is_not_corrected_and_others_need_an_fdr() -> None:
    pairs = [pair(), *(pair("LIG2", "REC", f"null{i}") for i in range(30))]
    levels: dict[str, dict[str, Any]] = {
        "LAMM_positive": {"LIG": arms(20, 45), "LIG2": 30.0},
        "CD8": {"REC": arms(25, 40)},
    }
    table = outcome(tables(SAMPLES, levels), *pairs)
    primary = primary_row(table)
    assert np.isnan(primary["fdr"])
    assert table.index[0] == 0
    assert table["role"].iloc[0] == "primary"
    others = table[table["role"] == "secondary"]
    assert ((others["verdict"] == INCONCLUSIVE) | (others["fdr"] < 0.05)).all()


def test_specificity_compares_senders_with_the_other_monocytic_cells_of_their_patients() -> None:
    made = tables(
        SAMPLES,
        {"LAMM_positive": {"LIG": 60.0}, "monocytic": {"LIG": 70.0}, **{"CD8": {"REC": 30.0}}},
    )
    sizes = made.libraries["group"] == "monocytic"
    made.libraries.loc[sizes, ["n_cells", "umi", "library"]] *= 2
    table = outcome(made)
    row = row_of(table, sender="LAMM_positive")
    assert row["specificity"] > 1.5
    assert row["specificity_p"] < 0.001
    assert row["specificity_n"] == 16
    assert np.isnan(row_of(table, sender="monocytic")["specificity"])


def test_no_pairs_give_an_empty_table_with_all_columns() -> None:
    asked_of = question(SAMPLES, BASE, tables(SAMPLES, NONE))
    empty = type(asked_of)(**{**vars(asked_of), "pairs": []})
    table = run_pairs(empty, permutations=PERMUTATIONS, primary=PRIMARY)
    assert table.empty
    assert list(table) == COLUMNS
    assert patient_values(empty).empty


def test_levels_do_not_depend_on_depth() -> None:
    """With nine expected UMIs or with three, the mean level is the same."""
    rng = np.random.default_rng(0)
    library = np.array([[9e4], [3e4]])
    counts = rng.poisson([[9.0], [3.0]], size=(20_000, 2, 1)).astype(float)
    deep, shallow = log_cpm(counts, library).mean(axis=0)[:, 0]
    assert deep == pytest.approx(np.log2(100), abs=0.05)
    assert shallow == pytest.approx(np.log2(100), abs=0.05)
