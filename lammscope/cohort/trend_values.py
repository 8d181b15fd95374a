"""Checks of the values of a trend: an order of text, or numbers."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lammscope.core.words import as_text, near, shortened

FEWEST_VALUES = 3  # two values are two groups, which may vary differently
MOST_NAMED = 8  # patients in a message


def order_mistakes(
    samples: pd.DataFrame, column: str, order: Sequence[str], *, log: bool
) -> list[str]:
    """Find an order that is too short, has a value twice or has no value of the column."""
    found = []
    repeated = sorted({value for value in order if order.count(value) > 1})
    if repeated:
        found.append(f"`order` has `{'`, `'.join(repeated)}` twice; keep each value once")
    elif len(order) < FEWEST_VALUES:
        found.append(
            f"`order` has {len(order)} values and needs at least {FEWEST_VALUES}; for two groups "
            "use `kind: between`"
        )
    if log:
        found.append("`log` is for numbers, and an `order` has equally spaced scores; remove it")
    present = sorted(set(as_text(samples[column]).dropna()))
    if not present:
        found.append(f"`column`: `{column}` is empty for every sample; fill it in")
    elif not set(order) & set(present):
        remedy = "write the values as in the sheet"
        if column == "response" and "response_label" in samples:
            labels = sorted(set(as_text(samples["response_label"]).dropna()))
            remedy = f"the labels of the sheet ({shortened(labels)}) are in `response_label`"
        found.append(
            f"`order`: no sample has any of its values in `{column}` ({shortened(present)}); "
            f"{remedy}"
        )
    return found


def number_mistakes(samples: pd.DataFrame, column: str) -> list[str]:
    """Find text in a column that should have numbers, and an empty one."""
    known = samples[samples[column].notna()]
    if known.empty:
        return [f"`column`: `{column}` is empty for every sample; fill it in"]
    if pd.api.types.is_numeric_dtype(known[column]):
        return []
    odd = known[pd.to_numeric(known[column], errors="coerce").isna()]
    if 2 * len(odd) < len(known) and len(odd):
        return [
            f"`column`: `{column}` has values that are no numbers: {_listed(odd, column)}; correct "
            "them or leave the fields empty, or, for categories, list all values in `order`"
        ]
    present = sorted(set(as_text(known[column])))
    return [
        f"`column`: `{column}` is text ({shortened(present)}); list its values from first to last "
        "in `order`, or name a column of numbers"
    ]


def values_not_in_order(rows: pd.DataFrame, column: str, order: Sequence[str]) -> list[str]:
    """Find patients with a value that is not in the order."""
    values = as_text(rows[column])
    odd = rows[values.notna() & ~values.isin(list(order))]
    if odd.empty:
        return []
    hints = sorted({near(value, order) for value in as_text(odd[column])})
    return [
        f"`{column}` has values that are not in `order` ({', '.join(order)}): "
        f"{_listed(odd, column)}{''.join(hints)}; add them, or leave the patients out with `where`"
    ]


def values_not_finite(rows: pd.DataFrame, column: str, *, log: bool) -> list[str]:
    """Find patients with an infinite value, or one without a logarithm."""
    numbers = rows[column].astype(float)
    odd = rows[numbers.notna() & (~np.isfinite(numbers) | ((numbers <= 0) & log))]
    if odd.empty:
        return []
    why = "`log: true` needs numbers above 0" if log else "a trend needs finite numbers"
    remedy = "correct the value, or leave the field empty" + ", or remove `log`" * log
    return [f"`{column}`: {why}, but there is {_listed(odd, column)}; {remedy}"]


def several_values(rows: pd.DataFrame, column: str) -> list[str]:
    """Find patients whose samples have different values."""
    found = []
    for patient, part in as_text(rows[column]).groupby(rows["patient"]):
        if part.nunique() > 1:
            own = zip(rows.loc[part.index, "sample"], part, strict=True)
            listed = ", ".join(f"{sample}: {value}" for sample, value in own)
            found.append(
                f"patient {patient} has several values of `{column}` ({listed}), and a trend needs "
                "one; narrow `where`, or set `choose` to first, last or a time point"
            )
    return found


def _listed(rows: pd.DataFrame, column: str) -> str:
    """Name patients, each with its value."""
    named = rows.drop_duplicates("patient")
    pairs = zip(named["patient"], as_text(named[column]), strict=True)
    return shortened([f"`{value}` of patient {patient}" for patient, value in pairs], MOST_NAMED)
