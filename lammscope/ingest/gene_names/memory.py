"""What was found out about a list of genes, kept for the next sample with the same list."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

import pandas as pd

LISTS = 4  # of genes that are kept: a cohort hardly has more references

Columns = tuple[tuple[str, tuple[Any, ...]], ...]


def remember_genes(
    function: Callable[..., pd.DataFrame],
) -> Callable[..., pd.DataFrame]:
    """Let a function that makes one table of genes of another one run once per list of genes.

    Samples of a cohort mostly have the same genes, and a job reads several samples. What the
    function logs is therefore logged once per job. Other arguments are hashable keywords.
    """

    @lru_cache(maxsize=LISTS)
    def of_columns(columns: Columns, **options: Any) -> pd.DataFrame:
        return function(pd.DataFrame({name: list(values) for name, values in columns}), **options)

    @wraps(function)
    def of_table(table: pd.DataFrame, **options: Any) -> pd.DataFrame:
        columns = tuple((str(name), tuple(column.tolist())) for name, column in table.items())
        return of_columns(columns, **options).copy()

    return of_table
