"""Patients lost because of too few cells, by arm."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.abundance.losses import DENOMINATORS, audit_losses, denominator_losses
from lammscope.cohort.audit import COLUMNS, STATUSES
from lammscope.core.names import LOST_POPULATIONS
from lammscope.expression.kept_patients import MISSING_COLUMNS
from tests.unit.abundance.questions import ask
from tests.unit.abundance.test_populations import SETTINGS, make_counts
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, make_samples

ENTRIES = [BASELINE, PAIRED, CHANGE]


def missing(*rows: tuple[str, int, int, int, int, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=MISSING_COLUMNS)


def audit(
    entry: dict[str, Any], counts: pd.DataFrame, samples: pd.DataFrame, table: pd.DataFrame
) -> pd.DataFrame:
    question = ask(counts, samples, asked(entry, samples), SETTINGS)
    found = audit_losses([question], [table], min_cells=10)
    assert list(found.columns) == COLUMNS
    assert set(found["status"]) <= set(STATUSES)
    assert set(found["contrast"]) == {"question"}
    return found.set_index("item")


def shallow(counts: pd.DataFrame, lineage: str, samples: list[str]) -> pd.DataFrame:
    """Leave no cell of a lineage in some samples."""
    gone = (counts["lineage"] == lineage) & counts["sample"].isin(samples)
    return counts.assign(n_cells=counts["n_cells"].where(~gone, 0))


@pytest.mark.parametrize("entry", ENTRIES)
def test_nobody_is_lost_where_all_have_enough_cells(entry: dict[str, Any]) -> None:
    samples = make_samples()
    found = audit(entry, make_counts(samples), samples, missing(("B", 6, 6, 6, 6, 1.0)))
    assert found["status"].tolist() == ["ok", "ok"]
    assert found["value"].tolist() == ["0", "0"]
    assert found["message"].str.startswith("All ").all()


def test_a_denominator_that_vanishes_in_one_arm_is_named() -> None:
    samples = make_samples()
    gone = [f"n{i}_pre" for i in range(6)]
    counts = shallow(make_counts(samples), "monocytic", gone)
    found = audit(BASELINE, counts, samples, missing()).loc[DENOMINATORS]
    assert (found["value"], found["status"]) == ("monocytic", "warning")
    p = stats.fisher_exact([[0, 6], [6, 0]]).pvalue
    assert (
        "monocytic cells (enough in 0 of 6 non-responders and 6 of 6 responders" in found["message"]
    )
    assert f"p = {p:.2g}" in found["message"]


@pytest.mark.parametrize("entry", ENTRIES)
def test_losses_are_counted_by_denominator(entry: dict[str, Any]) -> None:
    samples = make_samples()
    counts = shallow(make_counts(samples), "monocytic", ["n0_pre", "n0_post", "r1_pre", "n2_post"])
    question = ask(counts, samples, asked(entry, samples), SETTINGS)
    table = denominator_losses(question).set_index("cell_type")
    assert {"all", "immune", "monocytic", "T"} <= set(table.index)
    assert table.index.is_unique
    kept = table.loc["monocytic", ["kept_test", "kept_reference"]].tolist()
    assert kept == {"between": [5, 5], "paired": [10, 10], "change": [4, 5]}[entry["kind"]]
    assert (table.loc["all", "kept_test"] == table.loc["all", "n_test"]).all()


def test_populations_are_corrected_for_their_number() -> None:
    samples = make_samples(8)
    p = float(stats.fisher_exact([[3, 5], [8, 0]]).pvalue)
    others = [(f"other {i}", 8, 8, 8, 8, 1.0) for i in range(9)]
    lost = ("B", 8, 8, 3, 8, p)
    assert p < 0.05
    few = audit(BASELINE, make_counts(samples), samples, missing(lost)).loc[LOST_POPULATIONS]
    many = audit(BASELINE, make_counts(samples), samples, missing(lost, *others)).loc[
        LOST_POPULATIONS
    ]
    assert (few["value"], few["status"]) == ("B", "warning")
    assert "B (enough in 3 of 8 non-responders and 8 of 8 responders" in few["message"]
    assert (many["value"], many["status"]) == ("0", "ok")
    assert "in 1 of 10 populations; most unevenly in B (enough in 3 of 8" in many["message"]


@pytest.mark.parametrize(("kept", "status"), [(0, "warning"), (1, "ok")])
def test_few_patients_are_warned_by_the_size_of_the_difference(kept: int, status: str) -> None:
    samples = make_samples(3)
    p = float(stats.fisher_exact([[kept, 3 - kept], [3, 0]]).pvalue)
    assert p >= 0.1  # whatever the data show
    table = missing(("B", 3, 3, kept, 3, p), ("(all)", 3, 3, 0, 3, p))
    found = audit(CHANGE, make_counts(samples), samples, table).loc[LOST_POPULATIONS]
    assert found["status"] == status
    assert "(all)" not in found["message"]


def test_sides_of_pairs_are_compared() -> None:
    samples = make_samples()
    table = missing(("B", 12, 12, 2, 12, 0.002))
    found = audit(PAIRED, make_counts(samples), samples, table).loc[LOST_POPULATIONS]
    assert found["status"] == "warning"
    assert (
        "B (enough in 2 of 12 pairs in post samples and 12 of 12 pairs in pre samples"
        in found["message"]
    )


def test_contrasts_without_patients_and_runs_without_contrasts_have_no_row() -> None:
    samples = make_samples()
    pre = samples[samples["phase"] == "pre"].reset_index(drop=True)
    question = ask(make_counts(samples), pre, asked(PAIRED, samples), SETTINGS)
    assert audit_losses([question], [missing()], min_cells=10).empty
    assert audit_losses([], [], min_cells=10).empty
    assert np.array_equal(audit_losses([], [], min_cells=10).columns, COLUMNS)


def test_patients_of_a_trend_are_lost_by_their_number() -> None:
    numbers = {f"{arm}{i}": 100 * i + 50 * (arm == "n") for arm in "rn" for i in range(6)}
    samples = make_samples().assign(ldh=lambda table: table["patient"].map(numbers))
    entry = {"kind": "trend", "column": "ldh", "where": {"phase": "pre"}}
    gone = [f"{arm}{i}_pre" for arm in "rn" for i in range(3)]  # those with the lowest numbers
    counts = shallow(make_counts(samples), "monocytic", gone)
    found = audit(entry, counts, samples, missing()).loc[DENOMINATORS]
    assert found["status"] == "warning"
    assert found["message"].startswith("Patients with another LDH lack cells (under ")
    assert "monocytic cells (enough in 6 of 12 patients; p = 0.0022" in found["message"]
