"""The checked sample table, `design/samples.tsv`, written for people and read by jobs.

Text is quoted and numbers are not, as in R's `write.table`. The quotes keep the types of columns:
patient `007` stays text, and an empty numeric column stays numeric. Spreadsheets, R and pandas can
read the table.
"""

import re
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from lammscope.core.damage import REMEDY, named_damage, read_text

FIELD = re.compile(r'(?:^|\t)("(?:[^"]|"")*"|[^\t"]*)')


def sample_table_text(samples: pd.DataFrame) -> str:
    """Convert the table of `sheets.read_samples` to tab-separated text.

    Raises
    ------
    ValueError
        If a column is neither text nor numbers.
    """
    columns = [_fields(samples[name]) for name in samples.columns]
    header = [_quoted(str(name)) for name in samples.columns]
    return "".join("\t".join(row) + "\n" for row in [header, *zip(*columns, strict=True)])


def read_sample_table(path: str | Path) -> pd.DataFrame:
    """Read a saved sample table, with the same values and types as from `sheets.read_samples`.

    Raises
    ------
    ValueError
        If the file is not a saved sample table, or is missing or damaged.
    """
    lines = read_text(path).split("\n", 2)
    if len(lines) < 3:
        raise ValueError(f"{path} is not a saved sample table: {REMEDY}")
    names, first = FIELD.findall(lines[0]), FIELD.findall(lines[1])
    is_text = [field.startswith('"') for field in first]
    if len(names) != len(first):
        raise ValueError(f"{path} is not a saved sample table: {REMEDY}")
    columns = [name[1:-1].replace('""', '"') for name in names]
    with named_damage(path):
        table = pd.read_csv(
            path,
            sep="\t",
            encoding="utf-8",
            dtype="str",
            keep_default_na=False,
            na_values=[""],
            lineterminator="\n",
        ).set_axis(pd.Index(columns, dtype="str"), axis="columns")
        for name, text in zip(columns, is_text, strict=True):
            if not text:
                table[name] = _numbers(table[name])
    return table


def read_labeled(path: str | Path, labels: Mapping[str, str]) -> pd.DataFrame:
    """Read a saved sample table, with the names of its samples in figures as a column `label`.

    `labels` are those names by sample, from `labels.sample_labels`.
    """
    table = read_sample_table(path)
    return table.assign(label=table["sample"].map(dict(labels)).fillna(table["sample"]))


def read_with_follow_up(samples: str | Path, follow_up: str | Path | None = None) -> pd.DataFrame:
    """Read a saved sample table with the saved follow-up of its patients, if there is any."""
    table = read_sample_table(samples)
    if follow_up is None:
        return table
    return table.merge(read_sample_table(follow_up), on="patient", how="left", validate="m:1")


def _fields(column: pd.Series) -> list[str]:
    """Return the values of a column as written in the file; missing values are empty."""
    if isinstance(column.dtype, pd.StringDtype):
        return [_quoted(value) for value in column.fillna("")]
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(f"column `{column.name}` is neither text nor numbers ({column.dtype})")
    return ["" if pd.isna(value) else repr(value) for value in column.tolist()]


def _numbers(column: pd.Series) -> pd.Series:
    """Convert text from `repr` back to the same numbers: integers if all are, else floats."""
    if column.str.fullmatch(r"-?\d+").all():
        return column.map(int)
    return column.map(float).astype(float)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
