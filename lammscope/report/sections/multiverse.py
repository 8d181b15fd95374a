"""Content of the section on other choices: how the primary result fares under each of them."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.multiverse import OK, OWN
from lammscope.core.words import choice_words, write_number
from lammscope.report.catalog import result_path
from lammscope.report.table import Column, build_table, name_columns

COLUMNS = (
    Column("what", "Choice", "text", choice=True),
    Column("value", "Value", "words"),
    Column("median_estimate", "Median {ratio}", "ratio", "of the specifications with this value"),
    Column("alone_estimate", "{ratio} if only this differs", "ratio", "from the run's own choices"),
    Column("same_sign", "Same direction", "fraction", "of those that could be computed"),
    Column("significant", "p < 0.05", "fraction", "of those that could be computed"),
    Column("n", "Computed", "text"),
    Column(
        "share_of_variance", "Variance explained", "fraction", "of all estimates, by this choice"
    ),
)


def multiverse_section(
    specifications: pd.DataFrame,
    *,
    summary: pd.DataFrame,
    choices: pd.DataFrame,
    contrasts: dict[str, Contrast],
) -> dict[str, Any] | None:
    """Return sentences and a table of the choices; None if the config lists no other choices.

    Parameters
    ----------
    specifications, summary, choices
        The tables of `multiverse/`.
    contrasts
        The contrasts of the run by name.
    """
    if summary.empty:
        return None
    row = summary.iloc[0]
    contrast = contrasts[str(row["contrast"])]
    lines = [_size_line(row, specifications)]
    if row["n_defined"] > 0:
        lines += [_direction_line(row, contrast), _choice_line(choices)]
    lines.append(_joint_line(row))
    named = choices.assign(
        what=choices["choice"].map(choice_words),
        value=[
            _value_words(*pair) for pair in zip(choices["value"], choices["is_main"], strict=True)
        ],
        n=choices["n_defined"].astype(str) + " of " + choices["n_specifications"].astype(str),
    )
    columns = name_columns(COLUMNS, ratio=contrast.ratio())
    table = build_table(named, columns, file=result_path("multiverse_choices"))
    return {"lines": list(filter(None, lines)), "table": table}


def _value_words(value: object, is_main: bool) -> str:
    """Return a value of a choice, and whether it is the run's own."""
    if value == OWN:
        return "the run's"
    return f"{value} (the run's)" if is_main else str(value)


def _size_line(row: pd.Series, specifications: pd.DataFrame) -> str:
    n, n_defined = int(row["n_specifications"]), int(row["n_defined"])
    text = (
        f"The primary result was computed under {n:,} combinations of choices (specifications), "
        f"with {int(row['n_folders'])} different sets of cells and calls."
    )
    if n_defined == n:
        return text
    lost = specifications.loc[specifications["status"] != OK, "reason"].value_counts()
    reasons = "; ".join(f"{reason} ({count})" for reason, count in lost.items())
    return (
        f"{text} {n_defined:,} of them could be computed. The others have no result and do not "
        f"count for or against it: {reasons}."
    )


def _direction_line(row: pd.Series, contrast: Contrast) -> str:
    low, high = (
        write_number(float(row[f"{end}_estimate"]), "ratio") for end in ("lowest", "highest")
    )
    middle = write_number(float(row["median_estimate"]), "ratio")
    text = f"The {contrast.ratio()} is {middle} in the median, and from {low} to {high}."
    small = write_number(float(row["significant"]), "fraction")
    if not np.isfinite(row["same_sign"]):
        return (
            f"{text} Of these specifications, {small} have p < 0.05. The run's own is not defined."
        )
    same = write_number(float(row["same_sign"]), "fraction")
    return (
        f"{text} {same} of these specifications have the direction of the run's own one, and "
        f"{small} have p < 0.05."
    )


def _choice_line(choices: pd.DataFrame) -> str:
    shares = choices.drop_duplicates("choice").set_index("choice")["share_of_variance"].dropna()
    if shares.empty or not shares.max() > 0:
        return ""
    name = str(shares.idxmax())
    share = write_number(float(shares.max()), "fraction")
    return (
        f"The choice that explains most of the differences between estimates is "
        f"{choice_words(name)} ({share} of their variance)."
    )


def _joint_line(row: pd.Series) -> str:
    if row["status"] != OK:
        return f"They could not be tested together: {row['reason']}."
    middle, share = (
        write_number(float(row[name]), "p") for name in ("joint_p_median", "joint_p_significant")
    )
    return (
        "The specifications share their patients, so their p are not independent evidence. One "
        "permutation test of all of them asks how often chance gives so strong a curve "
        f"({row['permutation_scheme']}): p = {middle} for the median estimate in "
        f"standard errors, and p = {share} for the share with p < 0.05. This test cannot give less "
        f"than p = {write_number(float(row['p_floor']), 'p')}."
    )
