"""Tests in which each patient counts by its cells, beside the rows that count patients alike."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from lammscope.abundance.fractions import Measure, unit_values
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.core.names import ALPHA, Array
from lammscope.stats.distributions import t_quantile
from lammscope.stats.weighted import weighted_test

COLUMNS = ("estimate_weighted", "ci_low_weighted", "ci_high_weighted", "p_weighted")
SCALES = ("logit", "log_ratio")  # others have no sampling variance that the counts tell


def add_weighted(
    rows: Sequence[dict[str, Any]],
    family: Sequence[Measure],
    units: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
) -> list[dict[str, Any]]:
    """Add the estimate in which patients are weighted by the precision of their value, and its p.

    The model is the row's; each arm has its own variance between patients.

    Parameters
    ----------
    rows
        From `comparisons.compare`, of one scale. Those without a result, and those of other scales
        than `SCALES`, stay as they are.
    family, units, contrast, min_cells
        As in `comparisons.compare`.

    Returns
    -------
    list of dict
        The rows with `COLUMNS`: estimate, interval and p.
    """
    result = list(rows)
    groups: dict[bytes, list[int]] = {}
    for i, (row, measure) in enumerate(zip(rows, family, strict=True)):
        if row["status"] == "ok" and row["scale"] in SCALES:
            groups.setdefault(measure.enough_cells(min_cells).tobytes(), []).append(i)
    for flags, indices in groups.items():
        keep = np.frombuffer(flags, dtype=bool)
        design = independent_columns(design_matrix(units[keep], contrast.adjust))
        arm = units.loc[keep, "arm"].to_numpy()
        found = weighted_test(
            np.array([unit_values(family[i], keep, str(rows[i]["scale"])) for i in indices]),
            np.array([sampling_variances(family[i], keep, arm) for i in indices]),
            design.to_numpy(),
            tested_column(design),
        )
        half = t_quantile(1 - ALPHA / 2, found.df) * found.se
        columns = (found.estimate, found.estimate - half, found.estimate + half, found.p)
        for i, numbers in zip(indices, zip(*columns, strict=True), strict=True):
            result[i] = rows[i] | dict(zip(COLUMNS, map(float, numbers), strict=True))
    return result


def sampling_variances(measure: Measure, keep: np.ndarray, arm: np.ndarray) -> Array:
    """Return the variance of each kept unit's log odds or log ratio that its number of cells gives.

    By the delta method it is 1 / expected cells of the population + 1 / expected other cells, each
    with its pseudocount; with two sides, the sum of both. Expected cells are those of the arm's
    mean log odds at the depth of the unit. With a unit's own counts, a value that is low by chance
    would have a small weight, which shifts the mean, and more so in a shallower arm.
    """
    count = measure.count[keep]
    rest = measure.total[keep] - (0 if measure.ratio else count)
    own, other = measure.share, measure.offset - (0 if measure.ratio else measure.share)
    odds = np.log((count + own) / (rest + other))
    for name in np.unique(arm):
        odds[arm == name] = odds[arm == name].mean(axis=0)
    share, cells = special.expit(odds), count + rest
    variance = 1 / (cells * share + own) + 1 / (cells * (1 - share) + other)
    return np.asarray(variance.sum(axis=1))
