"""The page of several cohorts: one HTML file, with its tables and its forest plot."""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import rc_context

from lammscope import __version__
from lammscope.core.indexed import write_table
from lammscope.core.runtime import whole_file
from lammscope.core.words import denominator_words, readable, write_number
from lammscope.outcome.meta import Combined
from lammscope.report.figures.cohorts import combined_forest
from lammscope.report.figures.style import STYLE, save_figure
from lammscope.report.rendering import render_page

DPI = 150
LABELS = {  # of the columns that the page shows
    "cohort": "Cohort",
    "effect": "",
    "weight": "Weight",
    "n_test": "Test patients",
    "n_reference": "Reference patients",
    "compartment": "Compartments",
    "timepoint": "Time points",
    "product": "Products",
    "chemistry": "Chemistries",
    "reason": "Not tested because",
}
Row = Mapping[str, Any]


def write_combined(folder: str | Path, combined: Combined) -> Path:
    """Write `report.html`, `cohorts.tsv`, `combined.tsv`, `forest.png` and `forest.pdf`.

    Returns the path of the page.
    """
    folder = Path(folder)
    write_table(combined.cohorts, folder / "cohorts.tsv")
    write_table(combined.combined, folder / "combined.tsv")
    with rc_context(STYLE):
        figure = combined_forest(combined.cohorts, combined.combined)
        png, _ = save_figure(figure, folder / "forest", dpi=DPI)
    page = folder / "report.html"
    with whole_file(page) as temporary:
        temporary.write_text(_page(combined, png.read_bytes()), encoding="utf-8")
    return page


def combined_sentence(row: Row) -> str:
    """Return the common effect in plain words; `row` is of `Combined.combined`."""
    n = int(row["n_cohorts"])
    if row["status"] != "ok":
        return f"There is no common effect: {row['reason']}."
    unit = _unit(row)
    ends = f"{_ratio(row['ci_low'])} to {_ratio(row['ci_high'])}"
    start = f"In {n} cohorts together, the {unit} is {_ratio(row['estimate'])} (95 % CI {ends})"
    if row["ci_low"] <= 0 <= row["ci_high"]:
        return (
            f"{start}. This interval includes 1, so a common difference is not shown; this is no "
            "evidence that there is none."
        )
    return f"{start}: LAMM cells are {readable(row['direction'])}."


def _page(combined: Combined, png: bytes) -> str:
    """Return the text of the page."""
    row = {str(key): value for key, value in combined.combined.iloc[0].items()}
    return render_page(
        "combined",
        title="The primary comparison in several cohorts",
        version=__version__,
        sentence=combined_sentence(row),
        contrast=row["contrast"],
        denominator=denominator_words(row["denominator"]),
        facts=_facts(row) if row["status"] == "ok" else [],
        notes=_notes(row) if row["status"] == "ok" else [],
        forest=f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}",
        cohorts=_cohort_table(combined.cohorts, unit=_unit(row)),
        names=combined.cohorts["cohort"].tolist(),
        differences=combined.differences,
    )


def _facts(row: Row) -> list[tuple[str, str, str]]:
    """Return the numbers beside the sentence: label, value, detail."""
    percent = [write_number(row[key], "fraction") for key in ("i2", "i2_low", "i2_high")]
    facts = [
        (_unit(row), _ratio(row["estimate"]), f"95 % CI {_interval(row, 'ci')}"),
        (
            "p",
            write_number(row["p"], "p"),
            f"t with {row['df']:.0f} df",
        ),
        ("I²", percent[0], f"95 % CI {percent[1]} to {percent[2]}"),
        ("between cohorts (SD of log odds)", f"{np.sqrt(row['tau2']):.2f}", _spread(row)),
    ]
    if np.isfinite(row["prediction_low"]):
        facts.append(("another cohort", _interval(row, "prediction"), "95 % prediction interval"))
    facts.append(("fixed effect", _ratio(row["fixed"]), f"95 % CI {_interval(row, 'fixed')}"))
    return facts


def _notes(row: Row) -> list[str]:
    """Return what a reader should know of the numbers."""
    notes = ["The fixed effect assumes that all cohorts have the same effect."]
    if not np.isfinite(row["prediction_low"]):
        notes.append(
            "Two cohorts hardly show how much cohorts differ, so the interval of the common effect "
            "is very wide. A prediction interval needs three."
        )
    return notes


def _spread(row: Row) -> str:
    low, high = (f"{np.sqrt(row[f'tau2_{end}']):.2f}" for end in ("low", "high"))
    return f"95 % CI {low} to {high}"


def _cohort_table(cohorts: pd.DataFrame, *, unit: str) -> dict[str, list[Any]]:
    """Return the columns and the rows of the table of cohorts as text."""
    known = cohorts.assign(effect=[_effect(row) for row in cohorts.to_dict("records")])
    shown = [name for name in LABELS if known[name].replace("", np.nan).notna().any()]
    labels = {**LABELS, "effect": f"{unit} (95 % CI)"}
    return {
        "columns": [labels[name] for name in shown],
        "rows": [[_cell(name, row[name]) for name in shown] for row in known.to_dict("records")],
    }


def _cell(name: str, value: Any) -> str:
    if isinstance(value, float):
        kind = "fraction" if name == "weight" else "count"
        return write_number(value, kind)
    return str(value)


def _effect(row: Mapping[Any, Any]) -> str:
    return f"{_ratio(row['estimate'])} ({_interval(row, 'ci')})" if row["se"] > 0 else ""


def _interval(row: Mapping[Any, Any], name: str) -> str:
    return " to ".join(_ratio(row[f"{name}_{end}"]) for end in ("low", "high"))


def _ratio(value: float) -> str:
    return write_number(float(value), "ratio")


def _unit(row: Row) -> str:
    return str(row["unit"]).removeprefix("log ")
