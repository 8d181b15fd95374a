"""Which cells the LAMM rows of tables contain."""

import pandas as pd

from lammscope.core.names import LAMM, LEVELS


def is_at_level(cells: pd.DataFrame, level: str, *, probability: float) -> pd.Series:
    """Return which cells are at a LAMM level: those whose probability of it is high enough.

    Parameters
    ----------
    cells : `lamm_positive` or `lamm_macrophage_like`, whichever the level is.
    level : one of `LEVELS`.
    probability : from which a cell is at the level.
    """
    return cells[f"lamm_{level}"] >= probability


def lamm_rows(cells: pd.DataFrame, *, probability: float) -> pd.DataFrame:
    """Return which cells each LAMM row contains: one column (bool) for each of `LAMM_ROWS`.

    Parameters
    ----------
    cells : `lamm_call`, `lamm_positive`, `lamm_macrophage_like`.
    probability : from which a cell is at a level.
    """
    rows = {LAMM: cells["lamm_call"] == LAMM}
    for level in LEVELS:
        rows[f"LAMM_{level}"] = is_at_level(cells, level, probability=probability)
    return pd.DataFrame(rows)
