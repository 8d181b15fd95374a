"""The section on other choices says of how many specifications its shares are."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.multiverse import CHOICES
from lammscope.outcome.choices import explain_choices, summarize
from lammscope.report.sections.multiverse import multiverse_section
from tests.unit.example_results import CONTRASTS


def section(estimates: list[float]) -> Any:
    """Make the section of specifications with these estimates; nan where not defined."""
    values = dict.fromkeys(CHOICES, ("own",)) | {"resolution": ("1", "0.5", "2", "3")}
    table = pd.DataFrame(
        [dict.fromkeys(CHOICES, "own") | {"resolution": r} for r in values["resolution"]]
    ).assign(estimate=estimates, folder="run", is_main=False)
    table["p"] = np.where(np.isnan(estimates), np.nan, 0.01)
    table["status"] = np.where(np.isnan(estimates), "not_defined", "ok")
    table["reason"] = np.where(np.isnan(estimates), "no such cells in these samples", "")
    return multiverse_section(
        table,
        summary=summarize(table, None, contrast="baseline"),
        choices=explain_choices(table, values),
        contrasts=CONTRASTS,
    )


def test_shares_are_of_what_could_be_computed() -> None:
    text = " ".join(section([1.0, -1.0, np.nan, np.nan])["lines"])
    assert "4 combinations" in text
    assert "2 of them could be computed" in text
    assert "do not count for or against it: no such cells in these samples (2)" in text
    assert "50.0 % of these specifications have the direction" in text
    assert "could not be tested together" in text


def test_a_main_result_that_is_not_defined_has_no_direction_to_share() -> None:
    text = " ".join(section([np.nan, 1.0, 1.2, 0.8])["lines"])
    assert "The run's own is not defined" in text
    assert "have the direction" not in text


def test_a_run_without_other_choices_has_no_section() -> None:
    empty = pd.DataFrame()
    assert multiverse_section(empty, summary=empty, choices=empty, contrasts=CONTRASTS) is None
