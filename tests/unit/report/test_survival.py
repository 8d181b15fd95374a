"""The section and the figures of follow-up."""

from io import StringIO
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.follow_up import Endpoint
from lammscope.outcome.survival import Survival
from lammscope.report.figures.survival import at_risk, survival_curves, survival_forest
from lammscope.report.sections.survival import survival_section
from tests.unit.outcome.cohorts import analyze, followed


def as_read(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table as it is read from its file: empty text is missing."""
    return pd.read_csv(StringIO(table.to_csv(sep="\t", index=False)), sep="\t")


def section_of(found: Survival) -> dict[str, Any]:
    """Return the section of a run."""
    section = survival_section(as_read(found.tests), as_read(found.excluded))
    assert section is not None
    return section


@pytest.fixture(scope="module")
def found() -> Survival:
    """A cohort with a planted hazard, and one patient who progressed before day 7."""
    samples, counts, scores = followed(8)
    samples.loc[samples["patient"] == "N1", ["pfs_days", "pfs_event"]] = [5, 1]
    return analyze((samples, counts, scores), n_draws=200)


def test_the_section_states_the_pre_specified_row_and_lists_who_is_left_out(
    found: Survival,
) -> None:
    section = section_of(found)
    assert section["sentence"].startswith(
        "Pre-specified: progression-free survival and LAMM fraction of immune cells before "
        "infusion, blood: hazard ratio "
    )
    assert "(16 patients, " in section["sentence"]
    assert not section["adjusted"]
    cells = [[cell.text for cell in row] for row in section["left_out"].rows]
    assert ["event by the day of the landmark", "non-responder", "1", "N1"] in [
        row[2:] for row in cells
    ]
    marked = [row[0] for row in section["table"].rows if row[0].note]
    assert [(cell.text, cell.note) for cell in marked] == [
        ("LAMM fraction of immune cells", "specified in advance")
    ]


def test_a_cohort_without_follow_up_has_no_section() -> None:
    assert survival_section(pd.DataFrame(), pd.DataFrame()) is None


def test_what_was_not_tested_is_said_with_its_reason() -> None:
    samples, counts, scores = followed(6)
    few = analyze((samples.assign(pfs_event=0), counts, scores), response_day=0)
    section = section_of(few)
    assert section["sentence"].endswith("Not tested: no event was seen in 12 patients.")
    assert section["no_response"] == "the day on which response was assessed is not known"
    (text,) = survival_forest(few).texts
    assert "no event was seen in 12 patients" in text.get_text()


def test_numbers_at_risk_are_those_with_the_time_or_longer() -> None:
    curve = pd.DataFrame({"time": [10.0, 20, 30], "at_risk": [5, 4, 2]})
    assert at_risk(curve, np.array([0, 10, 15, 30, 31])) == [5, 5, 4, 2, 0]


def test_panels_are_before_infusion_at_the_landmark_and_by_response(found: Survival) -> None:
    titles = [axis.get_title() for axis in survival_curves(found).axes]
    assert [title.split("\n")[0].split(", ")[1] for title in titles] == [
        *("before infusion", "D7", "by response"),
    ]
    assert all("cut-point" not in title for title in titles)


def test_competing_events_are_drawn_as_incidences(found: Survival) -> None:
    samples, counts, scores = followed(8)
    cause = samples["pfs_event"].where(~samples["patient"].isin(["R1", "N4"]), 2)
    own = analyze((samples.assign(event=cause), counts, scores),
                  Endpoint("relapse", "pfs_days", "event", "2"), n_draws=200)  # fmt: skip
    first = survival_curves(own).axes[0]
    assert first.get_ylabel().startswith("with event")
    assert {line.get_linestyle() for line in first.get_lines()} == {"-", ":"}
