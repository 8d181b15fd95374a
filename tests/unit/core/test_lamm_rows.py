"""Cells of the LAMM rows of tables."""

import pandas as pd

from lammscope.core.lamm_rows import is_at_level, lamm_rows
from lammscope.core.names import LAMM_ROWS

CELLS = pd.DataFrame(
    {
        "lamm_call": ["LAMM", "uncertain", "not_LAMM"],
        "lamm_positive": [0.99, 0.9, 0.89],
        "lamm_macrophage_like": [0.95, 0.5, 0.0],
    },
    index=[7, 3, 5],
)


def test_rows_of_tables_hold_the_called_cells_and_those_of_both_levels() -> None:
    rows = lamm_rows(CELLS, probability=0.9)
    assert list(rows) == list(LAMM_ROWS)
    assert rows.to_numpy().tolist() == [[True, True, True], [False, True, False], [False] * 3]
    assert rows.index.tolist() == [7, 3, 5]


def test_a_cell_is_at_a_level_from_the_threshold_on() -> None:
    assert is_at_level(CELLS, "positive", probability=0.99).tolist() == [True, False, False]
    assert is_at_level(CELLS, "macrophage_like", probability=0.5).tolist() == [True, True, False]
