"""Forest plot of the LAMM result with one choice changed at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import denominator_words, elided, readable, write_number
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.forest import (
    draw_interval,
    ratio_axis,
    ratio_heading,
    write_result,
    write_words,
)
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, sentence_figure

NAMES_AT, SIZES_AT, RATIO_AT, P_AT = -0.75, -0.13, 1.03, 1.45
MAX_PATIENTS = 16  # above, only those whose absence changes the result most are shown
LONGEST = 46  # letters of a row's name
SHOWN = 5  # patients at either end
KEYS = ("log_odds", "log_odds_low", "log_odds_high")
GROUPS = {
    "main": "Main analysis",
    "scale": "Other scale",
    "denominator": "Other denominator",
    "level": "Other level of LAMM calls",
    "expected": "Expected number of LAMM cells",
    "corrected": "Corrected for recall",
    "threshold": "Other threshold of LAMM calls",
    "adjust": "Other covariates",
    "leave_one_out": "Without one patient",
}


def robustness_forest(data: ContrastData) -> Figure:
    """Draw each analysis of `abundance/robustness.{contrast}.tsv` on the scale of log odds.

    The mean score has no log odds; the report gives it in words.
    """
    robustness, contrast, probability = data.robustness, data.contrast, data.probability
    robustness = robustness[robustness["scale"] != "mean"]
    if robustness.empty or not robustness["log_odds"].notna().any():
        return sentence_figure(
            f"LAMM cells could not be tested in the contrast {readable(contrast.name)}."
        )
    rows, between = _few_patients(robustness)
    first = (rows["analysis"] != rows["analysis"].shift()).to_numpy()
    places = np.cumsum(np.where(first, 2.1, 1.0))
    height = 0.95 + 0.185 * (places[-1] + 1.2)
    figure = Figure(figsize=(9.0, height))
    figure.subplots_adjust(left=0.33, right=0.74, top=1 - 0.1 / height, bottom=0.62 / height)
    axis = figure.subplots()
    ends = rows[["log_odds_low", "log_odds_high"]].to_numpy(dtype=float)
    reach = float(np.clip(1.05 * np.nanpercentile(np.abs(ends), 96), 1.0, 5.0))
    main = rows.iloc[0]
    if np.isfinite(main["log_odds"]):
        axis.axvline(main["log_odds"], color=LAMM_COLOR, linewidth=0.8, linestyle=":", zorder=0)
    for place, starts, row in zip(places, first, rows.to_dict("records"), strict=True):
        if starts:
            title = GROUPS[row["analysis"]]
            if between and row["analysis"] == "leave_one_out":
                title += f" ({between} more lie between)"
            write_words(axis, NAMES_AT - 0.01, place - 0.95, title, weight="bold", fontsize=8)
        _draw_row(axis, place, row, reach=reach, contrast=contrast, probability=probability)
    ratio_axis(axis, contrast=contrast, reach=reach, bottom=places[-1] + 0.8)
    arms = f"{readable(contrast.test)} /\n{readable(contrast.reference)}"
    n = arms if contrast.has_arms else contrast.unit_words
    write_words(axis, SIZES_AT, 0.15, n, ha="center", color=NEUTRAL)
    write_words(axis, RATIO_AT, 0.15, ratio_heading(contrast), color=NEUTRAL)
    write_words(axis, P_AT, 0.15, "p", color=NEUTRAL)
    return figure


def setting_words(row: Mapping[Any, Any], *, probability: float) -> str:
    """Return the choice that an analysis changed, in words."""
    setting = str(row["setting"])
    match row["analysis"]:
        case "main":
            return f"LAMM {denominator_words(row['denominator'])}"
        case "scale":
            return f"{setting}, as log odds"
        case "denominator":
            return f"LAMM {denominator_words(setting)}"
        case "expected":
            return "sum of probabilities"
        case "level" | "corrected":
            return f"{setting.replace('_', '-')} level"
        case "threshold":
            if np.isclose(float(setting), 1 - probability):
                return "uncertain cells count as LAMM"
            return f"probability of {float(setting):g} or more"
        case "adjust":
            return "unadjusted" if setting == "none" else f"adjusted for {readable(setting)}"
        case _:
            return f"without {setting}"


def _few_patients(robustness: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Drop most patients whose absence changes little; return the table and their number."""
    table = robustness.assign(setting=robustness["setting"].fillna("").astype(str))
    left = table[table["analysis"] == "leave_one_out"]
    left = left.sort_values("log_odds", kind="stable")
    hidden = left.iloc[SHOWN:-SHOWN] if len(left) > MAX_PATIENTS else left.iloc[:0]
    rows = pd.concat([table[table["analysis"] != "leave_one_out"], left.drop(index=hidden.index)])
    return rows.reset_index(drop=True), len(hidden)


def _draw_row(
    axis: Axes,
    place: float,
    row: Mapping[Any, Any],
    *,
    contrast: Contrast,
    reach: float,
    probability: float,
) -> None:
    main = row["analysis"] == "main"
    style = {"color": LAMM_COLOR, "weight": "bold"} if main else {"color": INK}
    words = setting_words(row, probability=probability)
    write_words(axis, NAMES_AT, place, elided(words, LONGEST), fontsize=7.5, **style)
    sizes = f"{row['n_test']:.0f}" + (f" / {row['n_reference']:.0f}" if contrast.has_arms else "")
    write_words(axis, SIZES_AT, place, sizes, ha="center")
    write_result(axis, place, row, keys=KEYS, ratio_at=RATIO_AT, p_at=P_AT)
    if not np.isfinite(row["log_odds"]):
        return
    color = LAMM_COLOR if main else NEUTRAL
    middle = draw_interval(
        axis, place, row, keys=KEYS, reach=reach, color=color, linewidth=2.0 if main else 1.2
    )
    axis.plot(middle, place, "s", markersize=6 if main else 4.5, color=color, zorder=3)
    numbers = [write_number(float(row[key]), "ratio") for key in KEYS]
    text = f"{words}: {numbers[0]} ({numbers[1]} to {numbers[2]}), p {write_number(row['p'], 'p')}"
    name_points(axis, [middle], [place], [text])
