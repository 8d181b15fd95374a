"""Names of samples in the tables of the report: those of the figures, not those of a laboratory."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

SHEET_NAME = "sheet_sample"  # the column with the name in the sample sheet
IN_TEXT = ("message", "messages", "shared_barcodes", "unlike")  # columns that may name samples
# Short names and plain words also occur in text that names no sample.
LEAST_LENGTH = 4
UNLIKE_WORDS = re.compile(r"(?=.*[A-Za-z])(?=.*[\d_])")


def label_tables(
    tables: Mapping[str, pd.DataFrame], labels: Mapping[str, str]
) -> dict[str, pd.DataFrame]:
    """Return tables with the names of samples replaced by their labels.

    Parameters
    ----------
    tables
        Tables by name; those with a column `sample` are changed. `samples` and `qc_summary` keep
        the names of the sheet as `sheet_sample`, the latter where they are not alike.
    labels
        The name in figures of each sample.
    """
    changed = {name: label for name, label in labels.items() if name != label}
    if not changed:
        return dict(tables)
    in_text = _pattern(changed)
    result = {name: _labeled(table, changed, in_text) for name, table in tables.items()}
    if "samples" in tables:
        result["samples"][SHEET_NAME] = tables["samples"]["sample"]
    if any(name.replace("_", " ") != label for name, label in changed.items()):
        for name in tables.keys() & {"qc_summary"}:
            result[name][SHEET_NAME] = tables[name]["sample"]
    return result


def _labeled(
    table: pd.DataFrame, labels: Mapping[str, str], in_text: re.Pattern[str] | None
) -> pd.DataFrame:
    new: dict[str, pd.Series] = {}
    if "sample" in table:
        names = table["sample"]
        if isinstance(names.dtype, pd.CategoricalDtype):
            new["sample"] = names.cat.rename_categories(lambda name: labels.get(name, name))
        else:
            new["sample"] = names.map(lambda name: labels.get(name, name), na_action="ignore")
    if in_text is not None:
        for column in table.columns.intersection(list(IN_TEXT)):
            new[column] = table[column].map(partial(_replaced, labels=labels, names=in_text))
    return table.assign(**new)


def _replaced(text: Any, *, labels: Mapping[str, str], names: re.Pattern[str]) -> Any:
    """Replace the names of samples in a text; other values stay as they are."""
    if not isinstance(text, str):
        return text
    return names.sub(lambda found: labels[found[0]], text)


def _pattern(labels: Mapping[str, str]) -> re.Pattern[str] | None:
    """Return a pattern that finds whole names of samples in a text; None if no name is distinct."""
    names = [name for name in labels if len(name) >= LEAST_LENGTH and UNLIKE_WORDS.match(name)]
    if not names:
        return None
    longest_first = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.compile(rf"(?<![\w.+-])(?:{longest_first})(?!\.?[\w+-])")
