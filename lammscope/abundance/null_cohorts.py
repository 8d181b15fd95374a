"""Cohorts without a difference, as like the real one as its own data say.

Permuted labels cannot show that a test is anticonservative because the arms differ in spread or
depth: they mix the arms, and so erase the cause. Here the arms keep their spread and depth, and
only the difference is taken away.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from lammscope.abundance.fractions import OFFSET, Measure, unit_values
from lammscope.core.names import Array
from lammscope.stats.effect import effect_test, residuals, split_column

COHORTS_AT_A_TIME = 500


@dataclass(frozen=True)
class NullModel:
    """Fractions of patients if the arms have one mean.

    Attributes
    ----------
    center
        Log odds of each unit, units x sides (test, reference).
    spread
        Standard deviation between units, beyond counting, of each unit's arm.
    total
        Cells of the denominator, units x sides.
    """

    center: Array
    spread: Array
    total: NDArray[np.int64]


def fit_null(measure: Measure, keep: np.ndarray, design: Array, at: int) -> NullModel:
    """Fit the model without the effect; the arms keep their own spread.

    Parameters
    ----------
    measure
        A fraction.
    keep
        Which units are tested.
    design
        Kept units x coefficients.
    at
        Position of the effect.
    """
    count, total = measure.count[keep], measure.total[keep]
    values = unit_values(measure, keep, "logit")
    others, _ = split_column(design, at)
    fitted = values - residuals(values[None], others)[0]
    column = design[:, at]
    spread = effect_test(values[None], design, at).spread[:, 0]
    arms = [np.ones(len(column), dtype=bool)]
    if len(spread) == 2:
        arms = [column == column.min(), column == column.max()]
    # The variance of a logit that counting alone gives.
    counting = np.sum(1 / (count + OFFSET) + 1 / (total - count + OFFSET), axis=1)
    between = np.zeros(len(column))
    for arm, own in zip(arms, spread, strict=True):
        between[arm] = np.sqrt(max(own**2 - counting[arm].mean(), 0.0))
    center = fitted[:, None]
    if total.shape[1] == 2:  # the reference side has the mean of its own values
        last = Measure("", "", count[:, 1:], total[:, 1:], measure.share, measure.offset, True)
        mean = unit_values(last, np.ones(len(total), dtype=bool), "logit").mean()
        center = np.column_stack([mean + fitted, np.full(len(total), mean)])
    return NullModel(center, between, total.astype(np.int64))


def null_p_values(
    measure: Measure,
    keep: np.ndarray,
    design: pd.DataFrame,
    at: int,
    *,
    n_cohorts: int,
    seed: int,
) -> Array:
    """Draw cohorts without a difference and test each like the row (logit scale).

    Cells are binomial, given each unit's fraction. Returns `n_cohorts` p-values.
    """
    matrix = design.to_numpy(dtype=float)
    model = fit_null(measure, keep, matrix, at)
    rng = np.random.default_rng(seed)
    found = []
    for start in range(0, n_cohorts, COHORTS_AT_A_TIME):
        size = min(COHORTS_AT_A_TIME, n_cohorts - start)
        shift = rng.normal(size=(len(matrix), size)) * model.spread[:, None]
        logits = np.repeat(model.center[..., None], size, axis=2)
        logits[:, 0] += shift
        total = np.repeat(model.total[..., None], size, axis=2)
        drawn = replace(measure, count=rng.binomial(total, expit(logits)), total=total)
        values = unit_values(drawn, np.ones(len(matrix), dtype=bool), "logit")
        found.append(effect_test(values.T, matrix, at).p)
    return np.concatenate(found)
