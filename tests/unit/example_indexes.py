"""Small cell indexes, for tests of files that are bound to one."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from lammscope.core.indexed import CellIndex, write_index


def make_index(folder: Path, *, cells: Sequence[str] = ("a_1", "b_1", "c_1")) -> CellIndex:
    """Write and open a cell index; the names of cells start with their sample."""
    path = folder / f"{'-'.join(cells)}.parquet"
    samples = [name.partition("_")[0] for name in cells]
    write_index(pd.DataFrame({"cell": list(cells), "sample": samples}), path)
    return CellIndex(path)
