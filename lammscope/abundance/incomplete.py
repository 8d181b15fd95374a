"""Patients with only one side of a pair or a change, added to a row through a random effect.

The test of a row needs patients with both sides. Where some have only one, because a sample is
missing or has too few cells, a model with a random effect of patients uses these, too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.abundance.fractions import Measure, unit_values
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import design_matrix, tested_column
from lammscope.core.names import ALPHA, Array
from lammscope.core.verdicts import MOST_LEFT_OUT
from lammscope.core.words import counted
from lammscope.stats.distributions import t_quantile
from lammscope.stats.effect import effect_test
from lammscope.stats.random_effect import random_effect_test

COLUMNS = (
    *("estimate_incomplete", "ci_low_incomplete", "ci_high_incomplete", "p_incomplete"),
    *("n_incomplete_test", "n_incomplete_reference"),
)


def add_incomplete(
    rows: Sequence[dict[str, Any]],
    family: Sequence[Measure],
    singles: Sequence[Measure],
    comparison: Comparison,
    *,
    min_cells: int,
) -> list[dict[str, Any]]:
    """Add the estimate with all patients who have at least one side, and its p.

    The model is the row's: each arm has its own variances, and covariates act on both sides. Rows
    without a result, and contrasts of one side, stay as they are; where nobody has only one side,
    the number is 0 and there is no estimate.

    Parameters
    ----------
    rows
        From `comparisons.compare`, of one scale.
    family, singles
        The measures of the rows in `comparison.units` and in `comparison.incomplete`.
    min_cells
        Minimum cells of the denominator on a side that is used.

    Returns
    -------
    list of dict
        The rows with `COLUMNS`: estimate, interval and p, and the number of patients with one side
        by arm, or for pairs by the side that they have.
    """
    result = list(rows)
    if not comparison.contrast.has_sides:
        return result
    units = pd.concat([comparison.units, comparison.incomplete], ignore_index=True)
    known = np.array([units[f"samples_{side}"].map(len) > 0 for side in SIDES]).T
    whole = [_together(*both) for both in zip(family, singles, strict=True)]
    groups: dict[bytes, list[int]] = {}
    present = []
    for i, measure in enumerate(whole):
        present.append(known & (measure.cells >= max(min_cells, 1)))
        if rows[i]["status"] == "ok":
            groups.setdefault(present[i].tobytes(), []).append(i)
    for indices in groups.values():
        here = present[indices[0]]
        about = _numbers(units, here, comparison.contrast)
        tests: list[dict[str, Any]] = [{} for _ in indices]
        if any(about.values()):
            values = [_values(whole[i], here, str(rows[i]["scale"])) for i in indices]
            tests = _test(np.array(values), units, here, comparison.contrast)
        for i, test in zip(indices, tests, strict=True):
            result[i] = rows[i] | about | test
    return result


def disagreement(row: Mapping[str, Any], contrast: Contrast) -> str:
    """Say that a row is another one with incomplete patients; "" if it is not.

    It is if either p is below 0.05, and the other is 0.1 or more or has the other direction.
    """
    p, other = float(row["p"]), float(row["p_incomplete"])
    if not (np.isfinite(p) and np.isfinite(other)) or min(p, other) >= ALPHA:
        return ""
    estimate = float(row["estimate_incomplete"])
    if max(p, other) < MOST_LEFT_OUT and estimate * float(row["estimate"]) > 0:
        return ""
    direction = contrast.verdict("higher" if estimate > 0 else "lower")
    n = int(row["n_incomplete_test"] + row["n_incomplete_reference"])
    return f"with {counted(n, 'patients')} of one side only p {other:.2g}, {direction}"


def baseline_difference(
    measure: Measure, single: Measure, comparison: Comparison, *, min_cells: int
) -> tuple[str, str] | None:
    """Compare the reference side of patients without the test side with that of complete ones.

    Parameters
    ----------
    measure, single
        A fraction in `comparison.units` and in `comparison.incomplete`.
    min_cells
        Minimum cells of the denominator on a side that is used.

    Returns
    -------
    tuple of str, or None
        Status (`ok`, or `warning` if p < 0.05) and message: mean fractions, and p of the difference
        of log odds (adjusted for the arm). None if no patient lacks only the test side.
    """
    contrast = comparison.contrast
    if not contrast.has_sides:
        return None
    units = pd.concat([comparison.units, comparison.incomplete], ignore_index=True)
    known = np.array([units[f"samples_{side}"].map(len) > 0 for side in SIDES]).T
    whole = _together(measure, single)
    present = known & (whole.total >= max(min_cells, 1))
    test, reference = present.T
    if not (reference & ~test).any() or not (reference & test).any():
        return None
    lacks = ~test[reference]
    count, total = whole.count[reference, 1:], whole.total[reference, 1:]
    side = replace(whole, count=count, total=total)
    values = unit_values(side, np.ones(len(count), dtype=bool), "logit")
    arms = design_matrix(units[reference], ()).to_numpy(dtype=float)
    design = np.column_stack([arms, lacks.astype(float)])
    found = effect_test(values[None], design, design.shape[1] - 1)
    p, odds = float(found.p[0]), float(np.exp(found.estimate[0]))
    means = [100 * float((count / total)[which].mean()) for which in (lacks, ~lacks)]
    where = contrast.group("reference") if not contrast.has_arms else "samples before infusion"
    message = (
        f"In {where}, {measure.population} cells are {means[0]:.3g} % (mean) of "
        f"{measure.denominator} cells in {counted(int(lacks.sum()), 'patients')} left out "
        f"because the other sample is missing, and {means[1]:.3g} % in "
        f"{counted(int((~lacks).sum()), 'complete patients')}"
    )
    message += f" (odds ratio {odds:.2f}, p = {p:.2g})." if np.isfinite(p) else "."
    if not p < ALPHA:
        return "ok", message
    return "warning", message + " Complete patients may not represent those who are left out."


def _together(one: Measure, other: Measure) -> Measure:
    """Return a measure of the units of both."""
    count, total = (
        np.concatenate([getattr(one, name), getattr(other, name)]) for name in ("count", "total")
    )
    return replace(one, count=count, total=total)


def _numbers(units: pd.DataFrame, present: NDArray[np.bool_], contrast: Contrast) -> dict[str, int]:
    """Count the patients with one side, by arm or by side."""
    single = present.sum(axis=1) == 1
    groups = [
        (units["arm"] == side).to_numpy() if contrast.has_arms else present[:, place]
        for place, side in enumerate(SIDES)
    ]
    return {
        f"n_incomplete_{side}": int((single & group).sum())
        for side, group in zip(SIDES, groups, strict=True)
    }


def _values(measure: Measure, present: NDArray[np.bool_], scale: str) -> Array:
    """Compute the value of each side that is present."""
    count, total = measure.count[present][:, None], measure.total[present][:, None]
    sides = replace(measure, count=count, total=total)
    return unit_values(sides, np.ones(len(count), dtype=bool), scale)


def _test(
    values: Array, units: pd.DataFrame, present: NDArray[np.bool_], contrast: Contrast
) -> list[dict[str, Any]]:
    """Test measures x sides that are present; the tested coefficient is that of the test side."""
    some = present.any(axis=1)
    units, present = units[some], present[some]
    patient, side = np.nonzero(present)
    groups = design_matrix(units, contrast.adjust)
    own = groups.to_numpy(dtype=float)[patient]
    test_side = (side == SIDES.index("test"))[:, None]
    found = random_effect_test(
        values,
        np.column_stack([own, own * test_side]),
        groups.shape[1] + tested_column(groups),
        patient=patient,
        arm=units["arm"].to_numpy()[patient],
    )
    half = t_quantile(1 - ALPHA / 2, found.df) * found.se
    columns = (found.estimate, found.estimate - half, found.estimate + half, found.p)
    return [dict(zip(COLUMNS, map(float, row), strict=False)) for row in zip(*columns, strict=True)]
