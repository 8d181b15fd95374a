"""Compare the tables of a run with the catalog of result files."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from lammscope.report.catalog import ResultFile

FAMILY = re.compile(r"<[^>]+>")


def read_columns(path: Path) -> list[str]:
    """Names of a table's columns."""
    if path.suffix == ".parquet":
        return pq.read_schema(path).names
    return list(map(str, pd.read_csv(path, sep="\t", nrows=0)))


def column_mistakes(table: ResultFile, found: Sequence[str]) -> Iterator[str]:
    """Columns of the catalog that a table lacks, and columns that the catalog lacks."""
    known = [name for columns in table.columns for name in columns.names]
    patterns = {
        name: re.compile(".+".join(map(re.escape, FAMILY.split(name.removesuffix("?")))))
        for name in known
    }
    exact = {name.removesuffix("?") for name in known if not FAMILY.search(name)}
    for name, pattern in patterns.items():
        of_family = set(found) - exact if FAMILY.search(name) else found
        if not name.endswith("?") and not any(map(pattern.fullmatch, of_family)):
            yield f"{table.path}: {name} is missing"
    for name in found:
        if not any(pattern.fullmatch(name) for pattern in patterns.values()):
            yield f"{table.path}: {name} is not in the catalog"
