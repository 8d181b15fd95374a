"""Cells of the report's tables: a value as text, several values in one cell, and verdicts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.core.verdicts import VERDICTS
from lammscope.core.words import NOTHING, readable, write_number

TEXTS = ("text", "name", "words")
LONG_WORD = 20  # letters; longer ones are broken
WORDY = 24  # letters of a verdict that needs a wide column
ESTIMATE = ("estimate", "ci_low", "ci_high")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes
    ----------
    text
        What it shows.
    sort
        By what it is sorted; of a number, the number itself with eight digits.
    style
        Names of its styles.
    note
        Small print below the text.
    group
        Under which name a filter finds it, if that is not its text.
    """

    text: str
    sort: str
    style: str = ""
    note: str = ""
    group: str = ""


Cells = list[Any]  # of Cell: the type of columns, for which pandas' stubs know no other objects
MISSING = Cell(NOTHING, "", "missing")
MISSING_TEXT = Cell(NOTHING, "", "left missing")


def write_cell(value: Any, kind: str) -> Cell:
    """Format one value as text, with a sort key. Empty text is missing, as it is in a file."""
    if isinstance(value, Cell):
        return value
    infinite = isinstance(value, float) and not np.isfinite(value)
    if value is None or value is pd.NA or value == "" or infinite:
        return MISSING_TEXT if kind in TEXTS else MISSING
    if kind in TEXTS:
        text = str(value) if kind == "text" else readable(value)
        style = "left" + " wrap" * (kind == "words")
        style += " lamm" * (kind == "name" and text.startswith("LAMM"))
        style += " long" * any(len(word) > LONG_WORD for word in text.split())
        return Cell(text, text.lower(), style)
    return Cell(write_number(float(value), kind), sort_key(float(value), kind))


def sort_key(value: float, kind: str) -> str:
    """Return a number as it is sorted and shown in full; a ratio, which is a logarithm, as such."""
    number = np.exp(np.clip(value, -700, 700)) if kind == "ratio" else value
    return f"{number:.8g}"


def with_notes(cells: Iterable[Cell], notes: Iterable[str]) -> Cells:
    """Return cells with small print below their text."""
    return [
        Cell(cell.text, cell.sort, cell.style, note, cell.group or cell.text)
        for cell, note in zip(cells, notes, strict=True)
    ]


def effect_cells(
    rows: pd.DataFrame, *, kind: str, keys: Sequence[str] = ESTIMATE, unit: float = 1.0
) -> Cells:
    """Return estimates with their 95 % intervals, such as `1.70 (1.07 to 2.94)`.

    Parameters
    ----------
    rows
        A table with the columns `keys`: the estimate and both ends.
    kind
        Kind of `write_number`.
    unit
        What the values are multiplied by, such as log(2) for a ratio from log2 values.
    """
    cells = []
    for values in rows[list(keys)].to_numpy(dtype=float) * unit:
        estimate, low, high = (write_number(value, kind) for value in values)
        interval = f" ({low} to {high})" if np.isfinite(values[1:]).any() else ""
        known = np.isfinite(values[0])
        cells.append(Cell(estimate + interval, sort_key(values[0], kind)) if known else MISSING)
    return cells


def verdict_cells(
    words: Iterable[object],
    *doubts: Iterable[object],
) -> Cells:
    """Return verdicts with their direction or reason, and what keeps them from being better below.

    `words` are those of a result, such as `suggestive: higher in responder; permutation p 0.06`;
    only their first part is read. Missing doubts are left out.
    """
    cells = []
    for own, *reasons in zip(words, *doubts, strict=True):
        if not isinstance(own, str) or not own:
            cells.append(MISSING_TEXT)
            continue
        text = readable(own.split(";")[0])
        verdict = text.partition(":")[0]
        rank = VERDICTS.index(verdict) if verdict in VERDICTS else len(VERDICTS)
        note = "; ".join(
            readable(reason) for reason in reasons if isinstance(reason, str) and reason
        )
        style = f"left wrap verdict {verdict.replace(' ', '-')}"
        style += " wordy" * (len(text) > WORDY)
        cells.append(Cell(text, f"{rank} {text.lower()}", style, note, verdict))
    return cells


def beside(first: pd.Series, second: pd.Series, *, kind: str) -> Cells:
    """Return two numbers in one cell, such as `10.8 / 7.8 %`, sorted by the first."""
    cells = []
    for values in zip(first.astype(float), second.astype(float), strict=True):
        left, right = (write_number(value, kind) for value in values)
        if not np.isfinite(values).any():
            cells.append(MISSING)
            continue
        if right.endswith(" %"):
            left = left.removesuffix(" %")
        key = sort_key(values[0], kind) if np.isfinite(values[0]) else ""
        cells.append(Cell(f"{left} / {right}", key))
    return cells


def counted_share(counts: pd.Series, shares: pd.Series, *, kind: str = "fraction") -> Cells:
    """Return numbers with their share, such as `1,204 (12.3 %)`, sorted by the share."""
    return [
        Cell(f"{write_number(count, 'count')} ({write_number(share, kind)})", sort_key(share, kind))
        if np.isfinite(share)
        else write_cell(count, "count")
        for count, share in zip(counts.astype(float), shares.astype(float), strict=True)
    ]


def size_cells(texts: Iterable[str]) -> Cells:
    """Return numbers of patients, such as `4 / 5` or `8 pairs`, sorted by the first of them."""
    return [Cell(text, found[0] if (found := re.match(r"\d+", text)) else "") for text in texts]


def worst_left_out(rows: pd.DataFrame) -> Cells:
    """Return the largest p with one patient left out, and who that is: `0.120 (P05)`."""
    return p_with(rows["influence_p_max"], rows["influence_patient"])


def p_with(p: pd.Series, names: pd.Series) -> Cells:
    """Return p-values with the name that they belong to, such as `0.471 (Macrophage)`."""
    cells = []
    for value, name in zip(p.astype(float), names, strict=True):
        named = f" ({name})" if isinstance(name, str) and name and np.isfinite(value) else ""
        cell = write_cell(value, "p")
        cells.append(Cell(cell.text + named, cell.sort, cell.style))
    return cells
