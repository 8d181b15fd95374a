"""Endpoints of survival in the patient sheet: what is read, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.cohort.associations import covariates_of
from lammscope.cohort.config import resolve_config
from lammscope.cohort.follow_up import Endpoint, find_endpoints, read_follow_up
from lammscope.cohort.sheets import Sheets, check_sheets

DAYS = {"A": -3, "B": -3, "C": 20, "D": 20}
SAMPLES = "sample\tpatient\ttimepoint\tcounts\tday\n" + "".join(
    f"{name}1\t{name}\tpre\t{name}.h5\t{day}\n" for name, day in DAYS.items()
)
HEAD = "patient\tresponse\tldh\t"
SOUND = ("pfs_days\tpfs_event\tos_days\tos_event", "90\t1\t200\t1", "60\t0\t60\t0",
         "300\t0\t300\t0", "40\t1\t80\t1")  # fmt: skip
RELAPSE = {"relapse": {"time": "days", "event": "event", "competing": 2}}


@pytest.fixture
def check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Sheets]:
    """Check a cohort with these columns of follow-up: a header and a row per patient."""
    monkeypatch.chdir(tmp_path)

    def run(*lines: str, contrasts: Any = "default", **survival: Any) -> Sheets:
        (tmp_path / "samples.tsv").write_text(SAMPLES)
        header, *rows = lines
        starts = [f"{name}\t{response}\t{100 + i}\t" for i, (name, response) in
                  enumerate(zip("ABCD", ("CR", "PD", "CR", "PD"), strict=True))]  # fmt: skip
        text = [HEAD + header, *(a + b for a, b in zip(starts, rows, strict=True))]
        (tmp_path / "patients.tsv").write_text("\n".join(text) + "\n")
        config: dict[str, Any] = {"samples": "samples.tsv", "patients": "patients.tsv"}
        config |= {"survival": survival, "contrasts": contrasts}
        return check_sheets(resolve_config(config), look=False)

    return run


def change(row: int, old: str, new: str) -> tuple[str, ...]:
    """Replace a text in a row of the sound sheet; the first patient is row 2 of the file."""
    lines = list(SOUND)
    assert old in lines[row - 1]
    lines[row - 1] = lines[row - 1].replace(old, new, 1)
    return tuple(lines)


def test_the_usual_columns_are_endpoints_and_progression_is_the_first(
    check: Callable[..., Sheets],
) -> None:
    sheets = check(*SOUND)
    assert sheets.mistakes == []
    assert [each.name for each in sheets.endpoints] == ["pfs", "os"]
    assert check("stage", "I", "II", "I", "II").endpoints == []


def test_yes_and_true_are_events(check: Callable[..., Sheets]) -> None:
    sheets = check("pfs_days\tpfs_event", "90\tyes", "60\tFALSE", "300\tno", "40\tTrue")
    assert sheets.mistakes == []
    assert sheets.samples is not None
    assert sheets.samples["pfs_event"].tolist() == [1, 0, 0, 1]


@pytest.mark.parametrize(
    ("lines", "message"),
    {
        "an event without time": (
            change(2, "90\t", "\t"),
            "row 2: `pfs_event` without `pfs_days`; fill in both",
        ),
        "a time without event": (
            change(3, "60\t0", "60\t"),
            "row 3: `pfs_days` without `pfs_event`",
        ),
        "a negative time": (change(2, "90", "-90"), "row 2: `pfs_days` is `-90`; it must be at"),
        "an event of 3": (change(2, "90\t1", "90\t3"), "row 2: `pfs_event` is `3`; allowed: 0, 1"),
        "a date": (
            change(2, "90", "2024-03-01"),
            "row 2: `pfs_days` is `2024-03-01`; it must be a number, not a date: give days",
        ),
        "a date as a number": (
            change(4, "300", "45352"),
            "row 4: `pfs_days` is `45352`: is that a date? give days from infusion",
        ),
        "progression after death": (
            change(2, "90", "900"),
            "row 2: `pfs_days` is 900, after the death on day 200 (`os_days`); correct one",
        ),
        "a death before the sample": (
            change(5, "40\t1\t80", "4\t1\t8"),
            "row 5: patient `D` died on day 8 (`os_days`), before the sample of day 20",
        ),
    }.values(),
)
def test_follow_up_that_cannot_be_is_refused(
    lines: tuple[str, ...], message: str, check: Callable[..., Sheets]
) -> None:
    (mistake,) = check(*lines).mistakes
    assert message in mistake
    assert mistake.startswith("patients.tsv: row")


def test_all_mistakes_of_an_endpoint_are_told_with_their_rows(
    check: Callable[..., Sheets],
) -> None:
    rows = ("days\tevent", "2024-03-01\t1", "-5\t0", "20\tdead", "\t1")
    mistakes = check(*rows, endpoints=RELAPSE, adjust=["ldhh", "event"]).mistakes
    told = "\n".join(mistakes)
    for message in (
        "row 2: `days` is `2024-03-01`, a date; give days from infusion",
        "row 4: `event` is `dead`; allowed: 0, 1, 2",
        "row 5: `event` without `days`",
        "`competing` of the endpoint `relapse` is `2`, which is neither a value of `event`",
        "`survival.adjust` names `ldhh`, which is not a column of either sheet (did you mean `ldh`",
        "`survival.adjust` names `event`, which is no covariate but follow-up",
    ):
        assert message in told
    assert "row 3: `days` is `-5`" in told


def test_follow_up_is_no_covariate_of_a_contrast(check: Callable[..., Sheets]) -> None:
    entry = {"kind": "between", "test": "non_responder", "reference": "responder"}
    assert check(*SOUND, contrasts={"late": entry | {"adjust": ["ldh"]}}).mistakes == []
    (mistake,) = check(*SOUND, contrasts={"late": entry | {"adjust": ["pfs_event"]}}).mistakes
    assert "`contrasts.late.adjust` names `pfs_event`, which is follow-up" in mistake


def test_an_endpoint_of_other_columns_is_refused_with_the_nearest(
    check: Callable[..., Sheets],
) -> None:
    entry = {"relapse": {"time": "pfs_day", "event": "pfs_event"}}
    (mistake,) = check(*SOUND, endpoints=entry, where={"compartment": "marow"}).mistakes[:1]
    assert "`survival.endpoints.relapse.time` is `pfs_day`, which is not a column of pat" in mistake
    assert "(did you mean `pfs_days`?)" in mistake


def test_half_a_pair_too_few_events_and_old_follow_up_are_notes(
    check: Callable[..., Sheets],
) -> None:
    assert "`pfs_days` without `pfs_event`, so `pfs` is not" in " ".join(
        check("pfs_days", "90", "60", "300", "40").notes
    )
    notes = " ".join(check(*change(4, "300\t0\t300", "300\t0\t200"), adjust=["ldh"]).notes)
    assert "`os_days` ends before a later visit of C; is it out of date?" in notes
    assert "`pfs` has 2 events, and a model with ldh needs about 16" in notes


def test_competing_events_are_a_value_or_a_column() -> None:
    table = pd.DataFrame(
        {"t": [1.0, 2, 3, np.nan], "e": [0, 1, 2, np.nan], "death": ["no", "no", "yes", "no"]}
    )
    by_value = read_follow_up(table, Endpoint("x", "t", "e", "2"))["cause"]
    assert by_value.tolist()[:3] == [0, 1, 2]
    by_column = read_follow_up(table.assign(e=[0, 1, 0, np.nan]), Endpoint("x", "t", "e", "death"))[
        "cause"
    ]
    assert by_column.tolist()[:3] == [0, 1, 2]
    assert np.isnan(by_value[3])


def test_the_order_of_the_config_says_which_endpoint_is_first() -> None:
    entry = {"time": "a", "event": "b"}
    config = resolve_config({"survival": {"endpoints": {"z": entry, "a": entry}}})
    assert [each.name for each in find_endpoints(config, ["a", "b"])] == ["z", "a"]


def test_follow_up_is_no_covariate_of_audits() -> None:
    table = pd.DataFrame(columns=["ldh", "pfs_days", "os_event", "efs_days", "nrm_event", "event"])
    assert covariates_of(table) == ["ldh"]
