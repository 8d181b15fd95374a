"""Verdicts on the abundance tests of a run."""

import numpy as np
import pandas as pd
import pytest

from lammscope.abundance.verdicts import COLUMNS, LAMM_COLUMNS, judge_abundance
from tests.unit.abundance.questions import run_abundance
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.example_cohorts import BASELINE, CHANGE, asked, make_samples

PRIMARY = {"contrast": "baseline", "denominator": "monocytic"}
Judged = tuple[dict[str, pd.DataFrame], pd.DataFrame]


def judge(*, level: str = "macrophage_like", **primary: str) -> Judged:
    samples = make_samples()
    counts = make_counts(samples)
    contrasts = {
        "baseline": asked(BASELINE, samples),
        "change": asked(CHANGE, samples),
    }
    tests = {
        name: run_abundance(counts, samples, contrast, **SETTINGS)
        for name, contrast in contrasts.items()
    }
    return judge_abundance(tests, contrasts, primary={**PRIMARY, **primary}, level=level)


def test_one_row_is_primary_and_the_others_share_one_correction() -> None:
    tables, lamm = judge()
    assert list(lamm.columns) == LAMM_COLUMNS
    assert all(list(table.columns) == COLUMNS for table in tables.values())
    assert (lamm["role"] == "primary").sum() == 1
    first = lamm.iloc[0]
    assert first[["contrast", "population", "denominator", "role"]].tolist() == [
        "baseline", "LAMM", "monocytic", "primary"
    ]  # fmt: skip
    assert np.isnan(first["p_holm"])
    assert set(lamm["population"]) == {"LAMM", "LAMM_positive"}
    secondary = lamm[lamm["role"] == "secondary"]
    assert set(secondary["contrast"]) == {"baseline", "change"}
    smallest = secondary["p"].min()
    assert secondary["p_holm"].min() == pytest.approx(min(1, smallest * len(secondary)))


def test_both_tables_give_a_row_the_same_verdict() -> None:
    tables, lamm = judge()
    keys = ["population", "denominator", "scale"]
    for name, table in tables.items():
        own = lamm[lamm["contrast"] == name].set_index(keys)
        same = table.set_index(keys).loc[own.index]
        pd.testing.assert_frame_equal(
            own[["verdict", "words", "p_holm"]], same[["verdict", "words", "p_holm"]]
        )
        # The row of the configured level is the row LAMM.
        copy = table[table["population"] == "LAMM_macrophage_like"].set_index(keys[1:])
        lamm_rows = table[table["population"] == "LAMM"].set_index(keys[1:]).loc[copy.index]
        pd.testing.assert_series_equal(copy["words"], lamm_rows["words"])


def test_without_the_primary_contrast_all_rows_are_secondary() -> None:
    _, lamm = judge(contrast="no_such", level="positive")
    assert set(lamm["role"]) == {"secondary"}
    assert set(lamm["population"]) == {"LAMM", "LAMM_macrophage_like"}


def test_without_contrasts_there_is_nothing_to_judge() -> None:
    tables, lamm = judge_abundance({}, {}, primary=PRIMARY, level="positive")
    assert tables == {}
    assert lamm.empty
    assert list(lamm.columns) == LAMM_COLUMNS


def test_inconclusive_rows_say_what_remains_compatible() -> None:
    tables, _ = judge()
    table = tables["baseline"]
    rows = table[(table["verdict"] == "inconclusive") & (table["scale"] == "logit")]
    low, high = np.exp(rows["ci_low"].iloc[0]), np.exp(rows["ci_high"].iloc[0])
    assert rows["words"].iloc[0] == (
        f"inconclusive; ratios of {low:.2f} to {high:.2f} remain compatible"
    )
