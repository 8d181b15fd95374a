"""What the specifications of a multiverse say together, and which choice explains their spread."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.multiverse import CHOICES, OK
from lammscope.core.names import ALPHA
from lammscope.outcome.joint_test import JointTest

SUMMARY = [
    *("contrast", "n_specifications", "n_defined", "n_folders", "main_estimate", "main_p"),
    *("median_estimate", "lowest_estimate", "highest_estimate", "same_sign", "significant"),
    *("significant_same_sign", "joint_p_median", "joint_p_significant", "p_floor"),
    *("permutation_scheme", "n_patients", "status", "reason"),
]
COLUMNS = [
    *("choice", "value", "is_main", "n_specifications", "n_defined", "median_estimate"),
    *("same_sign", "significant", "alone_estimate", "share_of_variance"),
]
FEW = "fewer than two specifications could be computed"


def summarize(table: pd.DataFrame, joint: JointTest | None, *, contrast: str) -> pd.DataFrame:
    """Summarize the specifications that are defined, in one row with the columns `SUMMARY`.

    Parameters
    ----------
    table
        From `specifications.test_specifications`.
    joint
        The test over all of them; None if fewer than two are defined.
    contrast
        Name of the primary contrast.
    """
    known, main = _known(table), table.iloc[0]
    row: dict[str, Any] = dict.fromkeys(SUMMARY, np.nan) | {
        "contrast": contrast,
        "n_specifications": len(table),
        "n_defined": len(known),
        "n_folders": table["folder"].nunique(),
        "main_estimate": main["estimate"],
        "main_p": main["p"],
        "permutation_scheme": "",
        "status": "not_testable",
        "reason": FEW,
    }
    if len(known):
        row |= {
            "median_estimate": known["estimate"].median(),
            "lowest_estimate": known["estimate"].min(),
            "highest_estimate": known["estimate"].max(),
            **_shares(known, main["estimate"]),
        }
    if joint is not None:
        row |= {
            "joint_p_median": joint.p_median,
            "joint_p_significant": joint.p_share,
            "p_floor": joint.scheme.floor,
            "permutation_scheme": joint.scheme.words,
            "n_patients": joint.n_patients,
            "status": OK,
            "reason": "",
        }
    return pd.DataFrame([row], columns=SUMMARY)


def explain_choices(table: pd.DataFrame, values: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Describe the estimates by value of each choice that has more than one.

    Parameters
    ----------
    table
        From `specifications.test_specifications`.
    values
        The values of each choice, the run's own first.

    Returns
    -------
    DataFrame
        A row per choice and value, with the columns `COLUMNS`. `alone_estimate` is the estimate if
        only this choice differs from the run's own settings. `share_of_variance` is that of the
        choice, not of the value: how much less of the variance of the estimates a linear model of
        all choices explains without it (type II sums of squares).
    """
    known, main = _known(table), table.iloc[0]
    varied = [choice for choice in CHOICES if len(values[choice]) > 1]
    shares = _shares_of_variance(known, varied)
    differs = table[varied].ne(main[varied], axis=1)
    rows = []
    for choice in varied:
        for value in values[choice]:
            own = known[known[choice] == value]
            is_main = value == values[choice][0]
            alone = ~differs.drop(columns=choice).any(axis=1) & (table[choice] == value)
            found = table.loc[alone, "estimate"]
            row = {
                "choice": choice,
                "value": value,
                "is_main": is_main,
                "n_specifications": int((table[choice] == value).sum()),
                "n_defined": len(own),
                "median_estimate": own["estimate"].median() if len(own) else np.nan,
                "alone_estimate": float(found.iloc[0]) if len(found) else np.nan,
                "share_of_variance": shares[choice],
            }
            rows.append(row | (_shares(own, main["estimate"]) if len(own) else {}))
    return pd.DataFrame(rows, columns=COLUMNS)


def _known(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["status"] == OK]


def _shares(known: pd.DataFrame, main: float) -> dict[str, float]:
    """Return the shares of specifications with the main one's sign, and with a small p."""
    same = np.sign(known["estimate"]) == np.sign(main)
    small = known["p"] < ALPHA
    shares = {"significant": float(small.mean())}
    if np.isfinite(main):
        shares |= {"same_sign": float(same.mean())}
        shares |= {"significant_same_sign": float((small & same).mean())}
    return shares


def _shares_of_variance(known: pd.DataFrame, varied: Sequence[str]) -> dict[str, float]:
    """Return the share of the variance of the estimates that each choice explains."""
    estimates = known["estimate"].to_numpy(dtype=float)
    spread = float(np.sum((estimates - estimates.mean()) ** 2)) if len(estimates) else 0.0
    if not spread > 0:
        return dict.fromkeys(varied, np.nan)
    whole = _unexplained(known, varied, estimates)
    shares = dict.fromkeys(varied, np.nan)
    for choice in varied:
        if known[choice].nunique() > 1:
            left = _unexplained(known, [c for c in varied if c != choice], estimates)
            shares[choice] = max(left - whole, 0.0) / spread
    return shares


def _unexplained(known: pd.DataFrame, choices: Sequence[str], estimates: np.ndarray) -> float:
    """Return the sum of squares that a linear model of some choices leaves."""
    columns = [np.ones((len(known), 1))]
    columns += [pd.get_dummies(known[choice]).to_numpy(dtype=float) for choice in choices]
    design = np.hstack(columns)
    left = estimates - design @ np.linalg.lstsq(design, estimates)[0]
    return float(left @ left)
