"""The contamination fractions of samples."""

from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.core.ambient.table import read_fractions
from lammscope.core.indexed import write_table


def test_fractions_belong_to_samples_also_if_their_names_look_like_numbers(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.tsv" for name in ("001", "002")]
    for path, value in zip(paths, (0.1, np.nan), strict=True):
        row = {"sample": path.stem, "contamination": value, "ambient_profile": "all barcodes"}
        write_table(pd.DataFrame([row]), path)
    read = read_fractions(["001", "002"], paths)
    assert list(read) == ["001", "002"]
    assert read["001"] == 0.1
    assert np.isnan(read["002"])
