"""The numbers of a test of patients' levels."""

import numpy as np

from lammscope.core.names import ALPHA, Array
from lammscope.stats.distributions import t_quantile
from lammscope.stats.effect import effect_test

NUMBERS = ("estimate", "se", "ci_low", "ci_high", "df", "p")
FLAT = 1e-10  # log2 counts per million: a smaller standard error is due to rounding


def effect_numbers(values: Array, design: Array, at: int) -> dict[str, Array]:
    """Test one coefficient, and return `NUMBERS` per feature; nan where patients do not differ.

    Parameters are those of `stats.effect.effect_test`.
    """
    effect = effect_test(values, design, at)
    half = t_quantile(1 - ALPHA / 2, effect.df) * effect.se
    low, high = effect.estimate - half, effect.estimate + half
    found = (effect.estimate, effect.se, low, high, effect.df, effect.p)
    known = effect.se > FLAT
    return {
        number: np.where(known, own, np.nan) for number, own in zip(NUMBERS, found, strict=True)
    }
