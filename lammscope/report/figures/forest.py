"""Forest plot of a contrast: differences in abundance by population, with their intervals."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammscope.cohort.contrasts import Contrast
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import (
    denominator_words,
    population_words,
    readable,
    write_number,
)
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.style import (
    INK,
    LAMM_COLOR,
    NEUTRAL,
    population_colors,
    sentence_figure,
)
from lammscope.report.order import KEYS, order_rows

# positions of text columns on the x axis; the plot itself is from 0 to 1
NAMES_AT, REFERENCE_AT, TEST_AT, RATIO_AT, P_AT = -0.91, -0.34, -0.1, 1.03, 1.53
RATIOS = np.array([0.001, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000])
FEW_RATIOS = np.array([0.001, 0.01, 0.1, 1, 10, 100, 1000])


def abundance_forest(data: ContrastData) -> Figure:
    """Draw the odds ratio and its confidence interval by population and denominator.

    Only rows on the logit scale are shown; the row `LAMM` is the configured level. Rows that could
    not be tested show their status in gray. The fill of a marker is the verdict.
    """
    abundance, contrast = data.abundance, data.contrast
    rows = abundance[abundance["scale"] == "logit"] if "scale" in abundance else abundance
    if rows.empty or not rows["estimate"].notna().any():
        return sentence_figure(
            f"No population could be tested in the contrast {readable(contrast.name)}."
        )
    rows = order_rows(rows[rows["population"] != f"LAMM_{data.level}"], first=data.denominator)
    first = (rows["denominator"] != rows["denominator"].shift()).to_numpy()
    places = np.cumsum(np.where(first, 2.2, 1.0))
    height = 1.03 + 0.185 * (places[-1] + 1.2)
    figure = Figure(figsize=(9.0, height))
    figure.subplots_adjust(left=0.36, right=0.735, top=1 - 0.1 / height, bottom=0.8 / height)
    axis = figure.subplots()
    ends = rows[["ci_low", "ci_high"]].to_numpy(dtype=float)
    must_fit = np.abs(ends[(rows["population"] == "LAMM").to_numpy() | np.isnan(ends[:, 0])])
    widest = max(np.nanpercentile(np.abs(ends), 92), np.nanmax(must_fit, initial=0.0))
    reach = float(np.clip(1.05 * widest, 1.0, 5.0))
    colors = population_colors(rows["population"])
    for place, starts, row in zip(places, first, rows.to_dict("records"), strict=True):
        if starts:
            title = f"Fraction {denominator_words(row['denominator'])}"
            write_words(axis, NAMES_AT - 0.01, place - 1.0, title, weight="bold", fontsize=8)
        _row_words(axis, place, row, fraction=contrast.mean_unit)
        if np.isfinite(row["estimate"]):
            _row_marks(axis, place, row, color=colors[row["population"]], reach=reach)
    _frame(axis, contrast=contrast, reach=reach, bottom=places[-1] + 0.8)
    return figure


def write_words(axis: Axes, x: float, y: float, words: str, **keywords: Any) -> None:
    """Write next to the plot: `x` is a position (the plot is from 0 to 1), `y` a row."""
    style: dict[str, Any] = {
        "va": "center",
        "fontsize": 7,
        "transform": axis.get_yaxis_transform(),
    } | keywords
    axis.text(x, y, words, **style)


def write_result(
    axis: Axes,
    place: float,
    row: Mapping[Any, Any],
    *,
    keys: tuple[str, str, str],
    ratio_at: float,
    p_at: float,
) -> None:
    """Write the ratio of a row with its interval and p, or why it was not tested.

    `keys` are the columns of the estimate and the ends of its interval, as logarithms of ratios.
    """
    if not np.isfinite(row[keys[0]]):
        words = f"not testable: {readable(row.get('status', ''))}"
        write_words(axis, 0.5, place, words, ha="center", color="#8b9399")
        return
    ratio, low, high = (write_number(float(row[key]), "ratio") for key in keys)
    write_words(axis, ratio_at, place, f"{ratio} ({low} to {high})")
    write_words(axis, p_at, place, write_number(float(row["p"]), "p"))


def draw_interval(
    axis: Axes,
    place: float,
    row: Mapping[Any, Any],
    *,
    keys: tuple[str, str, str],
    reach: float,
    color: str,
    linewidth: float,
) -> float:
    """Draw the interval of a row, with arrows beyond `reach`; return the position of its middle."""
    middle, low, high = np.clip([row[key] for key in keys], -reach, reach)
    axis.plot([low, high], [place, place], color=color, linewidth=linewidth)
    for end, key, marker in ((low, keys[1], "<"), (high, keys[2], ">")):
        if row[key] != end:
            axis.plot(end, place, marker, color=color, markersize=3.5, clip_on=False)
    return float(middle)


def _row_words(axis: Axes, place: float, row: Mapping[Any, Any], *, fraction: str) -> None:
    is_lamm = str(row["population"]).startswith("LAMM")
    style = {"color": LAMM_COLOR, "weight": "bold"} if is_lamm else {"color": INK}
    write_words(axis, NAMES_AT, place, population_words(row["population"]), fontsize=7.5, **style)
    for x, key in ((REFERENCE_AT, "mean_reference"), (TEST_AT, "mean_test")):
        if key in row:
            write_words(axis, x, place, write_number(float(row[key]), fraction), ha="center")
    write_result(axis, place, row, keys=KEYS, ratio_at=RATIO_AT, p_at=P_AT)


def _row_marks(
    axis: Axes, place: float, row: Mapping[Any, Any], *, color: str, reach: float
) -> None:
    is_lamm = str(row["population"]).startswith("LAMM")
    line = LAMM_COLOR if is_lamm else NEUTRAL
    middle = draw_interval(
        axis, place, row, keys=KEYS, reach=reach, color=line, linewidth=2.0 if is_lamm else 1.2
    )
    verdict = row.get("verdict")
    fill = LAMM_COLOR if is_lamm else color
    axis.plot(
        middle,
        place,
        "s",
        markersize=5.5,
        fillstyle="left" if verdict == SUGGESTIVE else "full",
        color=fill if verdict in (SUPPORTED, SUGGESTIVE) else "white",
        markerfacecoloralt="white",
        markeredgecolor=line,
        zorder=3,
        clip_on=False,
    )


def _frame(axis: Axes, *, contrast: Contrast, reach: float, bottom: float) -> None:
    ratio_axis(axis, contrast=contrast, reach=reach, bottom=bottom)
    label = axis.get_xlabel()
    axis.set_xlabel(f"{label}\nfilled: supported, half: suggestive, open: inconclusive")
    test, reference = readable(contrast.test), readable(contrast.reference)
    mean = contrast.mean_words
    write_words(axis, REFERENCE_AT, 0.15, f"{reference}\n{mean}", ha="center", color=NEUTRAL)
    write_words(axis, TEST_AT, 0.15, f"{test}\n{mean}", ha="center", color=NEUTRAL)
    write_words(axis, RATIO_AT, 0.15, ratio_heading(contrast), color=NEUTRAL)
    write_words(axis, P_AT, 0.15, "p", color=NEUTRAL)


def ratio_heading(contrast: Contrast) -> str:
    """Return the heading of the column of ratios; what they are per is on a line of its own."""
    name = contrast.ratio()
    if contrast.per:
        name = f"{name.removesuffix(contrast.per)}\n{contrast.per.strip()}"
    return f"{name} (95 % CI)"


def ratio_axis(axis: Axes, *, contrast: Contrast, reach: float, bottom: float) -> None:
    """Set up a log axis of ratios from -`reach` to `reach`, with rows from the top."""
    axis.axvline(0, color="#9aa3a9", linewidth=0.8, zorder=0)
    axis.set_xlim(-reach, reach)
    axis.set_ylim(bottom, -0.4)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    ratios = (RATIOS if reach < np.log(25) else FEW_RATIOS).copy()
    ratios = ratios[np.abs(np.log(ratios)) <= reach]
    axis.set_xticks(np.log(ratios), [f"{ratio:g}" for ratio in ratios])
    axis.set_xlabel(
        f"{contrast.ratio()}, log scale, 95 % confidence interval\n"
        f"← {contrast.toward('lower')}      {contrast.toward('higher')} →"
    )
