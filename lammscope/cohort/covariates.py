"""Columns of the sheets as numbers or as categories, and levels that look like typing errors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from lammscope.cohort.config import read_schema
from lammscope.core.words import as_text, near, shortened


def numeric_columns() -> set[str]:
    """Return the columns that are numbers by their definition in the schema, such as `age`."""
    parts = {name: read_schema(name)["properties"] for name in ("samples", "patients")}
    return {
        str(column)
        for properties in parts.values()
        for column, part in properties.items()
        if part.get("type") == "number"
    }


def as_categories(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the table with these columns as text, so that each value is a level."""
    return table.assign(
        **{name: as_text(table[name]).astype("str") for name in columns if name in table}
    )


def category_mistakes(samples: pd.DataFrame, columns: Sequence[str]) -> Iterator[str]:
    """Find names in the config's `categories` that are no column, or are numbers by definition."""
    known = [str(name) for name in samples.columns]
    numeric = numeric_columns()
    for name in columns:
        if name not in known:
            yield (
                f"config: `categories` names `{name}`, which is not a column of either sheet"
                f"{near(name, known)}; columns: {', '.join(known)}"
            )
        elif name in numeric:
            yield (
                f"config: `categories` names `{name}`, which is a number by its definition; remove "
                f"it, and for groups of values add another column, such as `{name}_group`"
            )


def spelled_alike(table: pd.DataFrame, labels: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Find text columns with levels that differ only in capitals or spaces.

    Parameters
    ----------
    table
        A sheet, with the row in the file as index.
    labels
        Known labels by column. Other spellings of these are reported elsewhere.

    Returns
    -------
    dict
        Column -> a line with the levels and their rows.
    """
    found = {}
    for column in table.columns:
        if column in ("sample", "counts", "barcodes") or not _is_text(table[column]):
            continue
        values = table[column].dropna()
        plain = values.str.lower().str.replace(r"[\s_]+", "", regex=True)
        twins = [
            part
            for _, part in values.groupby(plain)
            if part.nunique() > 1 and not set(part) & set(labels.get(str(column), ()))
        ]
        if twins:
            each = "; ".join(_rows_of(part) for part in twins)
            found[str(column)] = (
                f"`{column}` has levels that differ only in capitals or spaces: {each}; use one "
                "spelling"
            )
    return found


def used_columns(config: Mapping[str, Any], contrasts: Sequence[Any]) -> set[str]:
    """Return the columns on which results depend: of contrasts, batches and the workflow."""
    integration = config["integration"]
    used = {
        *("patient", "timepoint", "compartment", "sort", "channel", integration["batch"]),
        *integration["scvi"]["covariates"],
        *(column for contrast in contrasts for column in contrast.columns),
    }
    return used - {config["response"]["column"]}  # its labels are compared with the config's


def _is_text(column: pd.Series) -> bool:
    return isinstance(column.dtype, pd.StringDtype)


def _rows_of(values: pd.Series) -> str:
    parts = [
        f"`{level}` ({'row' if len(part) == 1 else 'rows'} {shortened(part.index)})"
        for level, part in values.groupby(values)
    ]
    return " and ".join(parts)
