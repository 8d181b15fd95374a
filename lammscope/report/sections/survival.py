"""Content of the section on follow-up."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.words import as_text, counted, readable, write_number
from lammscope.outcome.names import PRIMARY, RESPONSE
from lammscope.report.survival_rows import (
    endpoint_name,
    endpoint_words,
    hazard_words,
    marker_words,
    ratio_words,
    when_words,
)
from lammscope.report.table import Column, Table, build_table

COLUMNS = (
    Column("endpoint", "Endpoint"),
    Column("when", "Samples"),
    Column("what", "Measure"),
    Column("verdict", "Verdict", "words"),
    Column("events", "Events / patients"),
    Column(
        "hazard",
        "Hazard ratio (95 % CI)",
        "text",
        "per standard deviation between patients, with the profile of the penalized likelihood",
    ),
    Column("p", "p", "p", "score test, patients permuted"),
    Column("p_holm", "p, Holm", "p", "over all rows but the pre-specified one"),
    Column("influence_p_max", "p, one out", "p", "largest p with one patient left out"),
    Column(
        "days",
        "Days",
        "text",
        "mean event-free days, above the median of the measure less up to it",
    ),
    Column("gray_p", "p, Gray", "p", "cumulative incidence, above and up to the median"),
    Column("remarks", "Remarks", "words"),
)
LEFT_OUT = (
    Column("endpoint", "Endpoint"),
    Column("when", "Analysis"),
    Column("reason", "Left out because", "words"),
    Column("arm", "Arm", "name"),
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
    table = tests.assign(
        endpoint=[endpoint_name(row["endpoint"]) for row in rows],
        when=[when_words(row, compartment=not one_place) for row in rows],
        what=[marker_words(row) + " *" * (row["role"] == PRIMARY) for row in rows],
        events=[f"{row['n_events']:.0f} / {row['n']:.0f}" for row in rows],
        hazard=[ratio_words(row) if row["status"] == "ok" else "" for row in rows],
        days=[_days(row) for row in rows],
        remarks=[
            "; ".join(filter(None, [row["doubts"], row["notes"], row["reason"]])) for row in rows
        ],
    )
    optional = ("gray_p", "days", "p_holm")
    empty = [name for name in optional if table[name].isin(["", np.nan]).all()]
    return build_table(table.drop(columns=empty), COLUMNS)


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
    return build_table(table.drop_duplicates([column.key for column in LEFT_OUT]), LEFT_OUT)
