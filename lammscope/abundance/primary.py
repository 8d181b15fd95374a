"""The pre-specified row of an abundance table."""

from typing import Any

import pandas as pd

from lammscope.core.names import LAMM, PRIMARY_SCALE


def primary_row(table: pd.DataFrame, *, denominator: str) -> dict[str, Any]:
    """Return the primary row: LAMM cells in the denominator, as log odds."""
    chosen = table[
        (table["population"] == LAMM)
        & (table["denominator"] == denominator)
        & (table["scale"] == PRIMARY_SCALE)
    ]
    return {str(key): value for key, value in chosen.iloc[0].items()}
