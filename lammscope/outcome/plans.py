"""Tables of a plan: patients needed for differences, and power by number of patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.outcome.planning import (
    MOST,
    CallErrors,
    Spread,
    observed_difference,
    patients_needed,
    power_curve,
)

NUMBERS = (*range(2, 20), *range(20, 61, 4))  # patients of the smaller arm on the curve
COLUMNS = [
    *("contrast", "ratio", "ratio_called", "power", "n_test", "n_reference", "n_test_upper"),
    *("n_reference_upper", "cells", "sensitivity", "false_rate", "reason"),
]
CURVE_COLUMNS = [
    *("contrast", "ratio", "n", "n_test", "n_reference", "power", "power_upper"),
]


@dataclass(frozen=True)
class Plan:
    """A comparison to plan.

    Attributes
    ----------
    contrast
        Its name.
    spread
        How its values vary.
    errors
        How cells are called.
    test_per_reference
        Patients of the test arm for each of the reference arm.
    ratio_name
        What an exponentiated difference is called.
    """

    contrast: str
    spread: Spread
    errors: CallErrors
    test_per_reference: float = 1.0
    ratio_name: str = "odds ratio"

    def difference(self, ratio: float) -> float:
        """Return the log odds difference of called cells for an odds ratio of LAMM cells."""
        return observed_difference(
            float(np.log(ratio)),
            fraction=self.spread.fraction,
            sd=float(np.sqrt(self.spread.patients[-1])),
            errors=self.errors,
        )


def plan_table(plan: Plan, *, ratios: Sequence[float], power: float) -> pd.DataFrame:
    """Return the patients needed for odds ratios of LAMM cells.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, one row per ratio: `ratio_called` is that of called cells, which is
        nearer to 1 where calls have errors; `n_test` and `n_reference` are patients (pairs are in
        both), and `..._upper` those at the upper limit of the spread. They are missing where
        `reason` says why.
    """
    rows = []
    limit = plan.spread.upper_limit()
    for ratio in ratios:
        row = {"contrast": plan.contrast, "ratio": ratio, "power": power} | {
            "cells": plan.spread.cells,
            "sensitivity": plan.errors.sensitivity,
            "false_rate": plan.errors.false_rate,
            "reason": "",
        }
        difference = plan.difference(ratio)
        row["ratio_called"] = float(np.exp(difference))
        for spread, ending in ((plan.spread, ""), (limit, "_upper")):
            sizes = patients_needed(spread, difference, power=power, ratio=plan.test_per_reference)
            if sizes is None:
                row["reason"] = f"more than {MOST} patients in an arm"
            else:
                row |= {f"n_test{ending}": sizes[0], f"n_reference{ending}": sizes[-1]}
        rows.append(row)
    counts = [name for name in COLUMNS if name.startswith("n_")]
    return pd.DataFrame(rows, columns=COLUMNS).astype(dict.fromkeys(counts, "Int64"))


def plan_curve(plan: Plan, *, ratios: Sequence[float]) -> pd.DataFrame:
    """Return power by number of patients, with the columns `CURVE_COLUMNS`.

    `n` is the smaller arm, or the pairs; `power_upper` is the power at the upper limit of the
    spread.
    """
    rows = []
    limit = plan.spread.upper_limit()
    for ratio in ratios:
        points = [
            power_curve(
                spread,
                plan.difference(ratio),
                numbers=NUMBERS,
                ratio=plan.test_per_reference,
            )
            for spread in (plan.spread, limit)
        ]
        for (sizes, power), (_, upper) in zip(*points, strict=True):
            sides = (plan.contrast, ratio, min(sizes), sizes[0], sizes[-1], power, upper)
            rows.append(dict(zip(CURVE_COLUMNS, sides, strict=True)))
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)
