"""The random patient effect compared with R's lme4, pbkrtest and nlme."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.stats.random_effect import random_effect_test

GOLDEN = Path(__file__).parent / "random_effect"
EXACT = 1e-6


def design(samples: pd.DataFrame, model: str) -> tuple[np.ndarray, int]:
    """Return the design of a model of `make_random_effect.R`, and the tested column."""
    post = samples["post"].to_numpy(dtype=float)
    columns = {"paired": [], "change": ["arm"], "adjusted": ["arm", "age"]}[model]
    groups = np.column_stack([np.ones(len(post)), *(samples[name] for name in columns)])
    matrix = np.column_stack([groups, groups * post[:, None]])
    return matrix, groups.shape[1] + (model != "paired")


@pytest.mark.parametrize(
    ("model", "arms"),
    [
        *(("paired", "one"), ("change", "one"), ("adjusted", "one")),
        *(("change", "own"), ("adjusted", "own")),
    ],
)
def test_effects_are_those_of_r(model: str, arms: str) -> None:
    samples = pd.read_csv(GOLDEN / "samples.csv")
    expected = pd.read_csv(GOLDEN / "effects.csv").query(f"model == '{model}' & arms == '{arms}'")
    matrix, at = design(samples, model)
    arm = samples["arm"].to_numpy() if arms == "own" else np.ones(len(samples))
    got = random_effect_test(
        samples[expected["feature"]].to_numpy().T,
        matrix,
        at,
        patient=samples["patient"].to_numpy(),
        arm=arm,
    )
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(getattr(got, name), expected[name], rtol=EXACT, err_msg=name)
    # the first arm there is that with the larger value
    last = [len(got.within) - 1, 0][: len(got.within)]
    for name, theirs in (("within", got.within), ("between", got.between)):
        for place, order in zip(last, ("first", "second"), strict=False):
            np.testing.assert_allclose(theirs[place], expected[f"{name}_{order}"], rtol=1e-5)


def test_r_saw_correlations_of_either_sign() -> None:
    expected = pd.read_csv(GOLDEN / "effects.csv")
    negative = expected["between_first"] < expected["within_first"]
    assert 0.2 < negative.mean() < 0.8
    assert set(expected["source"]) >= {"pbkrtest", "nlme"}
