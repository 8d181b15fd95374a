"""Test one population in one contrast: estimate, p of several kinds, and influence of patients."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.closure import COLUMNS as CLOSURE
from lammscope.abundance.fractions import Measure, arm_means, thinnest_depth, unit_values
from lammscope.abundance.incomplete import COLUMNS as INCOMPLETE
from lammscope.abundance.weighted import COLUMNS as WEIGHTED
from lammscope.cohort.comparison import design_problem
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import (
    MIN_PATIENTS,
    design_matrix,
    independent_columns,
    tested_column,
)
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import ALPHA, LAMM_ROWS, POWER
from lammscope.stats import linear
from lammscope.stats.distributions import t_quantile
from lammscope.stats.effect import effect_test
from lammscope.stats.influence import largest_p, leave_one_out
from lammscope.stats.power import detectable_shift

MIN_MODERATED = 5  # populations; fewer cannot estimate the prior variance

SEPARABLE = 0.9  # share of monocytic cells above which the LAMM fraction is uninformative

MIN_EXPECTED = 2  # cells per sample on the side with the fewest, at equal proportions

COLUMNS = [
    *("population", "denominator", "scale", "estimate", "se", "ci_low", "ci_high", "t", "df", "p"),
    *("fdr", "p_ordinary", "p_moderated", "fdr_moderated", "p_permutation", "p_floor"),
    *("permutation_scheme", "mean_test", "mean_reference", "sd_test", "sd_reference", "n_test"),
    *("n_reference", "influence_low", "influence_high", "influence_patient", "influence_p_max"),
    *("detectable", "compositional", *CLOSURE, *INCOMPLETE, *WEIGHTED),
    *("status", "reason", "notes"),
]

TEXTS = ("permutation_scheme", "influence_patient", "without", "reason", "notes")

REASONS = {
    "no_cells": "no such cells in these samples",
    "too_few_patients": f"fewer than {MIN_PATIENTS} patients in an arm, or too few for the model",
    "aliased": "the arms cannot be separated from a covariate",
    "not_separable": f"over {100 * SEPARABLE:g} % of the monocytic cells are LAMM cells",
    "no_variation": "the patients do not differ",
    "too_few_cells": f"fewer than {MIN_EXPECTED} cells per sample are expected on one side",
}


def compare(
    family: list[Measure],
    units: pd.DataFrame,
    contrast: Contrast,
    *,
    scale: str,
    min_cells: int,
    permutations: Permutations | None,
) -> list[dict[str, Any]]:
    """Test measures of one denominator on one scale; measures of the same patients share a fit.

    Parameters
    ----------
    family
        Measures of the units; their variances are moderated together.
    units
        All or some rows of `Comparison.units`.
    scale
        logit, arcsine or log_ratio.
    min_cells
        Units with fewer cells of the denominator on a side are left out, and named in `notes`.
    permutations
        None skips the permutation test.

    Returns
    -------
    list of dict
        One per measure, with the keys `COLUMNS`; the false discovery rates are missing. A measure
        that could not be tested has a `status` and no estimate.
    """
    rows: dict[int, dict[str, Any]] = {}
    groups: dict[tuple[bool, ...], list[int]] = {}
    for i, measure in enumerate(family):
        groups.setdefault(tuple(measure.enough_cells(min_cells).tolist()), []).append(i)
    for flags, indices in groups.items():
        keep = np.array(flags, dtype=bool)
        kept, measures = units[keep], [family[i] for i in indices]
        design = design_matrix(kept, contrast.adjust)
        problem, full = design_problem(kept, design, contrast), independent_columns(design)
        arm = contrast.groups(kept)
        status = [measure_problem(measure, keep, arm) or problem for measure in measures]
        values = np.array(
            [
                np.zeros(len(kept)) if untested else unit_values(measure, keep, scale)
                for measure, untested in zip(measures, status, strict=True)
            ]
        )
        tests = _test(values, kept, full, measures, status)
        shared = empty_row(kept, contrast, scale=scale)
        shared |= _left_out(units[~keep], contrast, min_cells)
        shared |= _permute(tests, values, kept, full, contrast, permutations)
        for i, measure, test in zip(indices, measures, tests, strict=True):
            row = shared | {"population": measure.population, "denominator": measure.denominator}
            row |= {"compositional": not (measure.ratio or measure.mean)}
            row |= arm_means(measure, keep, arm) | test
            rows[i] = row | {"reason": _reason(str(row["status"]), contrast)}
    return [rows[i] for i in range(len(family))]


def empty_row(units: pd.DataFrame, contrast: Contrast, *, scale: str) -> dict[str, Any]:
    """Return a row without a result: the scale, and the number of patients per arm (or pairs)."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    return row | dict.fromkeys(TEXTS, "") | {"scale": scale} | contrast.arm_sizes(units)


def detectable_difference(se: float, df: float) -> float:
    """Return the difference that a two-sided t-test at `ALPHA` detects with power `POWER`."""
    return se * detectable_shift(round(df, 6), alpha=ALPHA, power=POWER)


def _left_out(dropped: pd.DataFrame, contrast: Contrast, min_cells: int) -> dict[str, Any]:
    """Return the note that lists units with too few cells, and their arm."""
    if dropped.empty:
        return {}
    units: list[dict[str, Any]] = [
        {str(key): value for key, value in each.items()} for each in dropped.to_dict("records")
    ]
    listed = [f"{unit['unit']} ({contrast.unit_label(unit)})" for unit in units]
    return {"notes": f"under {min_cells} cells of the denominator: {', '.join(listed)}"}


def measure_problem(measure: Measure, keep: np.ndarray, arm: np.ndarray) -> str:
    """Return the status of a measure that cannot be tested in the kept units; empty if it can."""
    if measure.mean:
        return "" if keep.any() else "no_cells"
    if len(keep) and measure.count[keep if keep.any() else slice(None)].sum() == 0:
        return "no_cells"
    count, total = measure.count[keep], measure.total[keep]
    among_monocytic = measure.denominator == "monocytic" and measure.population in LAMM_ROWS
    if among_monocytic and count.sum() > SEPARABLE * total.sum():
        return "not_separable"
    if (
        not measure.ratio and measure.offset <= measure.share
    ):  # the only population of its denominator
        return "no_variation"
    if not keep.any() or total.sum() == 0:
        return ""
    # With fewer expected cells the pseudocount, and so the sequencing depth, determines the value.
    expected = thinnest_depth(total, arm) * count.sum() / total.sum()
    return "too_few_cells" if expected < MIN_EXPECTED else ""


def _test(
    values: np.ndarray,
    units: pd.DataFrame,
    full: pd.DataFrame,
    measures: list[Measure],
    status: list[str],
) -> list[dict[str, Any]]:
    """Compute tests of the effect (the row's, ordinary, moderated) and each patient's influence."""
    results: list[dict[str, Any]] = [{"status": s or "ok"} for s in status]
    rows = np.array([i for i, s in enumerate(status) if not s], dtype=int)
    if len(rows) == 0:
        return results
    at = tested_column(full)
    test = effect_test(values[rows], full.to_numpy(), at)
    plain = linear.ordinary(linear.lm_fit(values[rows], full.to_numpy())).p_value[:, at]
    influence = leave_one_out(values[rows], full.to_numpy(), at)
    largest, patient = largest_p(influence.p, units["patient"].to_numpy(dtype=object))
    moderated = np.array([measures[i].partition for i in rows])
    p_moderated = np.full(len(rows), np.nan)
    if moderated.sum() >= MIN_MODERATED:
        part = linear.lm_fit(values[rows[moderated]], full.to_numpy())
        p_moderated[moderated] = linear.moderate(part, robust=False, trend=False).p_value[:, at]
    critical = t_quantile(1 - ALPHA / 2, test.df)
    for j, i in enumerate(rows):
        estimate, df, se = (float(each[j]) for each in (test.estimate, test.df, test.se))
        if np.isnan(se):
            results[i]["status"] = "too_few_patients"
            continue
        if not se > 1e-10 * max(1.0, float(np.abs(values[i]).max())):
            results[i]["status"] = "no_variation"
            continue
        half = float(critical[j]) * se
        results[i] |= {"estimate": estimate, "se": se, "t": test.t[j], "df": df}
        results[i] |= {"ci_low": estimate - half, "ci_high": estimate + half}
        results[i] |= {"p": test.p[j], "p_ordinary": plain[j], "p_moderated": p_moderated[j]}
        results[i]["detectable"] = detectable_difference(se, df)
        results[i] |= dict(zip(("sd_test", "sd_reference"), test.spread[::-1, j], strict=False))
        if np.isfinite(largest[j]):
            results[i] |= {
                "influence_low": np.nanmin(influence.estimate[:, j]),
                "influence_high": np.nanmax(influence.estimate[:, j]),
                "influence_patient": str(patient[j]),
                "influence_p_max": largest[j],
            }
    return results


def _permute(
    tests: list[dict[str, Any]],
    values: np.ndarray,
    units: pd.DataFrame,
    full: pd.DataFrame,
    contrast: Contrast,
    permutations: Permutations | None,
) -> dict[str, Any]:
    """Add the permutation p to each test, and return the columns of their common scheme."""
    if permutations is None or min(contrast.arm_sizes(units).values()) == 0:
        return {}
    scheme = contrast.permutations(
        units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    rows = [i for i, test in enumerate(tests) if test["status"] == "ok"]
    if rows:
        p = permutation_p(
            values[rows], full.to_numpy(), tested_column(full), scheme, seed=permutations.seed
        )
        for i, value in zip(rows, p, strict=True):
            tests[i]["p_permutation"] = value
    return {"p_floor": scheme.floor, "permutation_scheme": scheme.words}


def _reason(status: str, contrast: Contrast) -> str:
    """Say why a row was not tested; "" if it was."""
    if status in contrast.reasons:
        return contrast.reasons[status]
    if status == "too_few_patients" and not contrast.has_arms:
        return f"fewer than {MIN_PATIENTS} {contrast.needed}"
    return REASONS.get(status, "")
