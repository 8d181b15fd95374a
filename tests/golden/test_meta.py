"""Random-effects meta-analyses compared with R's metafor."""

from pathlib import Path

import pandas as pd
import pytest

from lammscope.stats.meta import combine_effects

GOLDEN = Path(__file__).parent / "meta"
SETS = ("two_alike", "two_apart", "three_alike", "three_apart", "five")


@pytest.mark.parametrize("name", SETS)
def test_the_common_effect_is_that_of_r(name: str) -> None:
    cohorts = pd.read_csv(GOLDEN / "cohorts.csv").query("set == @name")
    expected = pd.read_csv(GOLDEN / "combined.csv").set_index("set").loc[name]
    got = combine_effects(cohorts["estimate"].to_numpy(), cohorts["se"].to_numpy(), alpha=0.05)
    for key in ("estimate", "se", "p", "tau2", "i2", "q", "q_p", "fixed"):
        assert getattr(got, key) == pytest.approx(expected[key], rel=1e-6, abs=1e-9), key
    for key, interval in (
        *(("ci", got.interval), ("tau2", got.tau2_interval), ("i2", got.i2_interval)),
        ("fixed", got.fixed_interval),
    ):
        ends = expected[[f"{key}_low", f"{key}_high"]].to_numpy(dtype=float)
        assert interval == pytest.approx(ends, rel=1e-6, abs=1e-9), key
    if len(cohorts) > 2:
        ends = expected[["prediction_low", "prediction_high"]].to_numpy(dtype=float)
        assert got.prediction == pytest.approx(ends, rel=1e-6)
