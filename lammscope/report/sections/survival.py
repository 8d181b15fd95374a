"""Content of the section on follow-up."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.words import as_text, counted, readable, write_number
from lammscope.outcome.names import PRIMARY, RESPONSE
from lammscope.report.catalog import result_path
from lammscope.report.survival_rows import (
    endpoint_name,
    endpoint_words,
    hazard_words,
    marker_words,
    when_words,
)
from lammscope.report.table import Column, Table, build_table
from lammscope.report.table_cells import (
    effect_cells,
    size_cells,
    verdict_cells,
    with_notes,
    worst_left_out,
    write_cell,
)

COLUMNS = (
    Column("what", "Measure", "words"),
    Column("verdict", "Verdict", "words", choice=True),
    Column("endpoint", "Endpoint", choice=True),
    Column("when", "Samples", "words", choice=True),
    Column(
        "hazard",
        "Hazard ratio (95 % CI)",
        "ratio",
        "per standard deviation between patients, with the profile of the penalized likelihood",
    ),
    Column("p", "p", "p", "score test, patients permuted"),
    Column("p_holm", "p, Holm", "p", "over all rows but the pre-specified one"),
    Column("events", "Events / patients", "number"),
    Column("left_out", "p, one left out", "p", "largest p with one patient left out", True),
    Column(
        "days",
        "Days",
        "text",
        "mean event-free days, above the median of the measure less up to it",
        True,
    ),
    Column("gray_p", "p, Gray", "p", "cumulative incidence, above and up to the median", True),
)
LEFT_OUT = (
    Column("endpoint", "Endpoint", choice=True),
    Column("when", "Analysis", choice=True),
    Column("reason", "Left out because", "words", choice=True),
    Column("arm", "Arm", "name", choice=True),
    Column("n", "Patients", "count"),
    Column("patients", "Names", "words"),
)


def survival_section(tests: pd.DataFrame, excluded: pd.DataFrame) -> dict[str, Any] | None:
    """Return the section on follow-up; None for a cohort without follow-up.

    Parameters
    ----------
    tests, excluded
        `outcome/survival.tsv` and `outcome/survival_excluded.tsv`.

    Returns
    -------
    dict
        `sentence` (the pre-specified row), `adjusted` (whether it has covariates), `table`,
        `left_out` (patients who were not used), and `no_response`: why there are no curves by
        response, or empty.
    """
    if tests.empty:
        return None
    tests = _with_text(tests, "timepoint", "adjusted", "reason", "notes", "doubts")
    first = tests.iloc[0].to_dict()
    excluded = _with_text(excluded, "timepoint", "compartment", "adjusted", "reason")
    response = excluded[excluded["analysis"] == RESPONSE]
    unknown = response[response["reason"].str.contains("not known")]
    return {
        "sentence": _sentence(first),
        "adjusted": bool(first["adjusted"]),
        "table": _table(tests),
        "left_out": _left_out(excluded),
        "no_response": unknown["reason"].iloc[0] if len(unknown) else "",
    }


def _with_text(table: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """Return the table with empty text in these columns, which is missing in a file."""
    return table.assign(**{name: as_text(table[name]).fillna("") for name in columns})


def _sentence(row: Mapping[Any, Any]) -> str:
    """State the pre-specified result."""
    if row["role"] != PRIMARY:
        return "There is no pre-specified result: no sample before infusion could be used."
    what = f"{endpoint_words(row['endpoint'])} and {marker_words(row)} {when_words(row)}"
    sizes = f"{counted(int(row['n']), 'patients')}, {int(row['n_events'])} with the event"
    if row["status"] != "ok":
        return f"Pre-specified: {what} ({sizes}). Not tested: {row['reason']}."
    words = f"Pre-specified: {what}: {hazard_words(row)} ({sizes}). Verdict: {row['words']}."
    if row["verdict"] == "inconclusive":
        words += " This is no evidence that there is no association."
    return words


def _table(tests: pd.DataFrame) -> Table:
    rows = tests.to_dict("records")
    one_place = tests["compartment"].nunique() < 2
    known = tests.where(tests["status"].eq("ok"))
    table = tests.assign(
        what=with_notes(
            [write_cell(marker_words(row), "words") for row in rows],
            ["specified in advance" * (row["role"] == PRIMARY) for row in rows],
        ),
        verdict=verdict_cells(tests["words"], tests["doubts"], tests["notes"]),
        endpoint=[endpoint_name(row["endpoint"]) for row in rows],
        when=[when_words(row, compartment=not one_place) for row in rows],
        events=size_cells(f"{row['n_events']:.0f} / {row['n']:.0f}" for row in rows),
        hazard=effect_cells(known, kind="ratio"),
        left_out=worst_left_out(tests),
        days=[_days(row) for row in rows],
    )
    return build_table(table, COLUMNS, file=result_path("survival"))


def _days(row: Mapping[Any, Any]) -> str:
    """Return the difference in mean days without an event, and of how many days."""
    if not np.isfinite(row["rmst_difference"]):
        return ""
    days, of = (write_number(float(row[key]), "count") for key in ("rmst_difference", "horizon"))
    return f"{days} of {of}"


def _left_out(excluded: pd.DataFrame) -> Table | None:
    """List the patients who were not used, once for rows that leave out the same ones."""
    known = excluded[~excluded["reason"].str.contains("response was assessed is not known")]
    if known.empty:
        return None
    table = known.assign(
        endpoint=known["endpoint"].map(endpoint_words),
        when=[when_words(row) for row in known.to_dict("records")],
        arm=known["arm"].map(readable),
    )
    distinct = table.drop_duplicates([column.key for column in LEFT_OUT])
    return build_table(distinct, LEFT_OUT, file=result_path("survival_excluded"))
