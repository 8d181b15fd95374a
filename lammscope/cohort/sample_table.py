"""The checked sample table as a run saves it, `design/samples.tsv`: one file for people and jobs.

Text is quoted and numbers are bare, as R's `write.table` does. The quotes tell text from numbers,
so the file needs no second one for types: patient `007` stays text, an empty column of numbers
stays one of numbers, and spreadsheets, R and pandas read the table as it is.
"""

import re
from pathlib import Path

import pandas as pd

FIELD = re.compile(r'(?:^|\t)("(?:[^"]|"")*"|[^\t"]*)')


def sample_table_text(samples: pd.DataFrame) -> str:
    """The table of `sheets.read_samples` as tab-separated text.

    Raises
    ------
    ValueError
        If a column is neither text nor numbers.
    """
    columns = [_fields(samples[name]) for name in samples.columns]
    header = [_quoted(str(name)) for name in samples.columns]
    return "".join("\t".join(row) + "\n" for row in [header, *zip(*columns, strict=True)])


def read_sample_table(path: str | Path) -> pd.DataFrame:
    """Read a saved sample table exactly as `sheets.read_samples` made it.

    Raises
    ------
    ValueError
        If the file is not such a table.
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n", 2)
    if len(lines) < 3:
        raise ValueError(f"{path} is not a saved sample table: delete it and run again")
    names, first = FIELD.findall(lines[0]), FIELD.findall(lines[1])
    is_text = [field.startswith('"') for field in first]
    if len(names) != len(first):
        raise ValueError(f"{path} is not a saved sample table: delete it and run again")
    columns = [name[1:-1].replace('""', '"') for name in names]
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


def _fields(column: pd.Series) -> list[str]:
    """Values of a column as they stand in the file; a missing one is empty."""
    if isinstance(column.dtype, pd.StringDtype):
        return [_quoted(value) for value in column.fillna("")]
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise ValueError(f"column `{column.name}` is neither text nor numbers ({column.dtype})")
    return ["" if pd.isna(value) else repr(value) for value in column.tolist()]


def _numbers(column: pd.Series) -> pd.Series:
    """The numbers that `repr` wrote: whole ones where all are, exact to the last digit."""
    if column.str.fullmatch(r"-?\d+").all():
        return column.map(int)
    return column.map(float).astype(float)


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
