"""Columns of the sheets as numbers or as categories, and levels that look like typing errors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from lammscope.cohort.config import read_schema
from lammscope.core.names import FILE_COLUMNS
from lammscope.core.words import as_text, near, shortened

MOST_CODES = 10  # distinct whole numbers that may be codes of categories
HALF = 0.5
SMALL = 20  # codes up to here may nearly all be different
SYNONYMS = (  # levels that usually mean the same
    {"f", "female", "w", "woman", "weiblich"},
    {"m", "male", "man", "maennlich"},
    {"y", "yes", "true", "t"},
    {"n", "no", "false"},
    {"pos", "positive", "+"},
    {"neg", "negative", "-"},
)
QUOTES = r"[\s_\"'\u2018\u2019\u201c\u201d\u201e]+"
# A number with a limit, a unit or a thousands separator, and a date
LIKE_NUMBER = r"[<>\u2264\u2265~]?\s*[-+]?\d[\d.,]*(?:\s*%|\s+[A-Za-z\u00b5/]{1,6})?"
LIKE_DATE = r"\d{4}-\d{1,2}-\d{1,2}.*|\d{1,2}[./]\d{1,2}[./]\d{2,4}"
MANY_LEVELS = 3
FEWEST_CODES = 3  # two codes give the same model as two categories


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


def possible_codes(samples: pd.DataFrame, columns: Iterable[str]) -> dict[str, str]:
    """Find numeric columns, of `columns`, with few whole values, which may be codes of categories.

    Returns a sentence for each column. Columns that are constant within patients are counted once
    per patient. Values above 20 must occur twice on average; of smaller ones, one must repeat.
    """
    numeric = numeric_columns()
    found = {}
    for column in columns:
        if column in numeric or not pd.api.types.is_numeric_dtype(samples[column]):
            continue
        by_patient = samples.groupby("patient")[column]
        is_constant = bool((by_patient.nunique() <= 1).all())
        values = (by_patient.first() if is_constant else samples[column]).dropna()
        levels = sorted(set(values))
        most = len(values) - 1 if levels and levels[-1] <= SMALL else len(values) // 2
        if not FEWEST_CODES <= len(levels) <= min(MOST_CODES, most):
            continue
        if any(not float(level).is_integer() for level in levels):
            continue
        listed = ", ".join(f"{level:g}" for level in levels)
        found[column] = (
            f"{column} ({listed}) is treated as a number: one trend over its values. If they are "
            f"codes of categories, add it to the config: `categories: [{column}]`."
        )
    return found


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
        if column in ("sample", *FILE_COLUMNS) or not _is_text(table[column]):
            continue
        values = table[column].dropna()
        plain = _plain_levels(values)
        twins = [
            part
            for _, part in values.groupby(plain)
            if part.nunique() > 1 and not set(part) & set(labels.get(str(column), ()))
        ]
        if twins:
            each = "; ".join(_rows_of(part) for part in twins)
            found[str(column)] = (
                f"`{column}` has levels that {_difference(twins)}: {each}; use one spelling"
            )
    return found


def text_notes(samples: pd.DataFrame, columns: Iterable[str]) -> dict[str, str]:
    """Find text columns, of `columns`, whose values look like numbers or dates.

    Returns a sentence for each column: each value is then a category of its own.
    """
    found = {}
    for column in columns:
        if column not in samples or not _is_text(samples[column]):
            continue
        levels = sorted(set(samples[column].dropna()))
        looks = pd.Series(levels, dtype=str)
        is_date = looks.str.fullmatch(LIKE_DATE)
        is_number = looks.str.fullmatch(LIKE_NUMBER) & ~is_date
        kind = "dates" if is_date.sum() > is_number.sum() else "numbers"
        if len(levels) < MANY_LEVELS or (is_date | is_number).mean() <= HALF:
            continue
        remedy = "days from a fixed date" if kind == "dates" else "plain numbers without units"
        found[column] = (
            f"{column} ({shortened(levels)}) looks like {kind} but is text: each value is a "
            f"category. Write {remedy} for a trend."
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


def _plain_levels(values: pd.Series) -> pd.Series:
    """Return values without capitals, spaces and quotes; synonyms become the same."""
    plain = values.str.lower().str.replace(QUOTES, "", regex=True)
    for words in SYNONYMS:
        used = words & set(plain)
        if len(used) > 1:
            plain = plain.where(~plain.isin(words), min(words))
    return plain


def _difference(twins: Sequence[pd.Series]) -> str:
    """Say how levels differ that are taken for one."""
    spelled = all(
        part.str.lower().str.replace(QUOTES, "", regex=True).nunique() == 1 for part in twins
    )
    return "differ only in capitals or spaces" if spelled else "usually mean the same"


def _rows_of(values: pd.Series) -> str:
    parts = [
        f"`{level}` ({'row' if len(part) == 1 else 'rows'} {shortened(part.index)})"
        for level, part in values.groupby(values)
    ]
    return " and ".join(parts)
