"""The one test of a second cohort: the difference that a first cohort found, in its direction."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.fractions import Measure, unit_values
from lammscope.abundance.populations import Question
from lammscope.cohort.definition_file import Content
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import ALPHA, LAMM, PRIMARY_SCALE
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE
from lammscope.core.words import write_number
from lammscope.stats.distributions import t_quantile, t_two_sided
from lammscope.stats.power import t_power

REPLICATED, CONTRADICTED = "replicated", "contradicted"
# Of the first effect. First effects that were noticed are too large on average, so a second cohort
# is asked about half of it (van Zwet and Cator 2021, doi 10.1111/stan.12241). Our choice.
PART = 0.5

COLUMNS = [
    *("contrast", "population", "denominator", "scale", "unit", "direction"),
    *("first_estimate", "first_ci_low", "first_ci_high", "first_n_test", "first_n_reference"),
    *("half", "estimate", "se", "df", "ci_low", "ci_high", "p_one_sided"),
    *("p_permutation_one_sided", "power_at_half", "n_test", "n_reference"),
    *("status", "reason", "verdict", "words"),
]


def judge_replication(
    first: float, nearest: float, *, estimate: float, se: float, df: float, alpha: float = ALPHA
) -> dict[str, Any]:
    """Test the direction of a first estimate in a second cohort, and judge.

    Parameters
    ----------
    first
        The estimate of the first cohort.
    nearest
        The bound of its interval that is nearer to 0.
    estimate, se, df
        Estimate of the second cohort, its standard error and degrees of freedom.
    alpha
        Level of the one-sided test; the interval has two-sided coverage 1 - alpha.

    Returns
    -------
    dict
        `half` (of the first estimate), `p_one_sided` in its direction, `power_at_half`, `ci_low`,
        `ci_high` and `verdict`: `replicated` if p < alpha; else `contradicted` if the interval
        excludes half of the first estimate and all of its interval; else `inconclusive`.

    Notes
    -----
    Half of the first estimate is not enough: where a first cohort was much too small, it is seen
    only if its estimate is several times too large, and then half of it exceeds the truth, too.
    """
    side, half = float(np.sign(first)), PART * first
    t = side * estimate / se
    p = float(t_two_sided(t, df)) / 2
    p = p if t > 0 else 1 - p
    reach = float(t_quantile(1 - alpha / 2, df)) * se
    verdict = REPLICATED if p < alpha else INCONCLUSIVE
    least = min(side * half, side * nearest)
    if p >= alpha and side * estimate + reach < least:
        verdict = CONTRADICTED
    return {
        "half": half,
        "p_one_sided": p,
        "power_at_half": t_power(abs(half) / se, df, alpha=alpha, one_sided=True),
        "ci_low": estimate - reach,
        "ci_high": estimate + reach,
        "verdict": verdict,
    }


def test_replication(
    row: Mapping[str, Any], question: Question, first: Content, *, permutations: Permutations
) -> pd.DataFrame:
    """Test the primary row of a second cohort in the direction of the first.

    Parameters
    ----------
    row
        The primary row of the abundance table of the second cohort.
    question
        The primary comparison of the second cohort.
    first
        `Definition.estimate` of the first cohort.
    permutations
        For the permutation test, one-sided too.

    Returns
    -------
    DataFrame
        One row with the columns `COLUMNS`. If the row could not be tested, it has no estimate, the
        verdict is `not testable`, and `reason` says why.
    """
    result: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    result |= {key: first[key] for key in ("population", "denominator", "scale", "unit")}
    result |= {"contrast": question.contrast.name, "direction": first["direction"]}
    for key in ("estimate", "ci_low", "ci_high", "n_test", "n_reference"):
        result[f"first_{key}"] = first[key]
    result |= {key: row[key] for key in ("n_test", "n_reference", "status")}
    result |= {"half": PART * first["estimate"], "reason": ""}
    if row["status"] != "ok":
        result |= {"reason": str(row["reason"]), "verdict": NOT_TESTABLE}
        result["words"] = f"{NOT_TESTABLE}: {row['reason']}"
        return pd.DataFrame([result], columns=COLUMNS)
    numbers = {key: float(row[key]) for key in ("estimate", "se", "df")}
    nearest = min((float(first[key]) for key in ("ci_low", "ci_high")), key=abs)
    result |= numbers | judge_replication(float(first["estimate"]), nearest, **numbers)
    measure = question.measure(LAMM, str(first["denominator"]))
    if measure is not None:
        side = 1 if first["estimate"] > 0 else -1
        result["p_permutation_one_sided"] = _permuted(measure, question, permutations, side=side)
    result["words"] = verdict_words(result)
    return pd.DataFrame([result], columns=COLUMNS)


def verdict_words(row: Mapping[str, Any]) -> str:
    """Return the verdict with what it rests on."""
    half = write_number(float(row["half"]), "ratio")
    if row["verdict"] == REPLICATED:
        p = write_number(float(row["p_one_sided"]), "p")
        return f"{REPLICATED}: {row['direction']} in this cohort, too (one-sided p {p})"
    if row["verdict"] == CONTRADICTED:
        return (
            f"{CONTRADICTED}: the interval excludes half of the first effect (ratio {half}), and "
            "all of its interval"
        )
    power = write_number(float(row["power_at_half"]), "fraction")
    return (
        f"{INCONCLUSIVE}: no difference in this direction was found, and effects of the first "
        f"cohort remain possible; the power to find half of its estimate (ratio {half}) was {power}"
    )


def _permuted(
    measure: Measure, question: Question, permutations: Permutations, *, side: int
) -> float:
    """Return the one-sided permutation p of the primary row."""
    contrast, keep = question.contrast, measure.enough_cells(question.min_cells)
    units = question.units[keep]
    full = independent_columns(design_matrix(units, contrast.adjust))
    scheme = contrast.permutations(
        units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    values = unit_values(measure, keep, PRIMARY_SCALE)[None]
    at = tested_column(full)
    p = permutation_p(values, full.to_numpy(), at, scheme, seed=permutations.seed, side=side)
    return float(p[0])
