"""Forest plot of gene programs and states of T cells, and of the CAR-T share."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from lammscope.cohort.contrasts import Contrast
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import population_words, readable, write_number
from lammscope.report.figures.axis import AxisData
from lammscope.report.figures.forest import draw_interval, ratio_axis, ratio_heading, write_words
from lammscope.report.figures.style import (
    INK,
    NEUTRAL,
    population_colors,
    sentence_figure,
)
from lammscope.report.order import KEYS

POPULATIONS = ("T", "CD8_T", "CAR_T")  # the others are in the table
MEAN, FRACTION = "mean", "fraction"
TITLES = {MEAN: "Mean score", FRACTION: "Fraction of cells"}
SHARE = ("T", "CAR_T")
NAMES_AT, REFERENCE_AT, TEST_AT, ESTIMATE_AT, P_AT = -0.92, -0.32, -0.1, 1.03, 1.5
LEFT, RIGHT, ROW = 0.36, 0.735, 0.185  # shares of the width, inches


def state_forest(data: AxisData) -> Figure:
    """Draw the differences of the measures of T cells with their intervals.

    Mean scores are differences in units of the score, fractions are odds ratios. Rows that could
    not be tested are left out. The fill of a marker is the verdict.
    """
    states, contrast = data.states, data.contrast
    if states.empty or not states["estimate"].notna().any():
        return sentence_figure(
            f"The states of T cells could not be tested in the contrast {readable(contrast.name)}."
        )
    rows = states[states["estimate"].notna() & states["population"].isin(POPULATIONS)]
    if rows.empty:
        return sentence_figure(
            "Of T cells as a whole, CD8 T cells and CAR-T cells, no state could be tested; other "
            "populations are in the table of the results folder."
        )
    parts = [part for kind in TITLES if len(part := _of_kind(rows, kind))]
    heights = [part["place"].iloc[-1] + 1.2 for part in parts]
    height = sum(ROW * own + 0.95 for own in heights)
    figure = Figure(figsize=(9.0, height))
    top = height - 0.12
    for part, own in zip(parts, heights, strict=True):
        bottom = top - ROW * own
        axis = figure.add_axes((LEFT, bottom / height, RIGHT - LEFT, ROW * own / height))
        _draw_part(axis, part, contrast=contrast)
        top = bottom - 0.95
    return figure


def _of_kind(rows: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Return the rows of a kind in their order, with `place` and whether a population `starts`."""
    own = rows[rows["kind"] == kind]
    is_share = (own["population"] == SHARE[0]) & (own["measure"] == SHARE[1])
    rank = own["population"].map(POPULATIONS.index).mask(is_share, -1)
    own = own.assign(rank=rank, is_share=is_share)
    own = own.sort_values("rank", kind="stable", ignore_index=True)
    own["starts"] = own["rank"] != own["rank"].shift()
    own["place"] = np.cumsum(np.where(own["starts"], 2.1, 1.0))
    return own


def _draw_part(axis: Axes, part: pd.DataFrame, *, contrast: Contrast) -> None:
    is_mean = part["kind"].iloc[0] == MEAN
    ends = np.abs(part[["ci_low", "ci_high"]].to_numpy(dtype=float))
    reach = 1.05 * float(np.nanpercentile(ends, 95))
    reach = reach if is_mean else float(np.clip(reach, 1.0, 5.0))
    colors = population_colors([*part["population"], "CD4_T"])
    colors = {**colors, "T": colors["CD4_T"]}
    for row in part.to_dict("records"):
        if row["starts"]:
            title = f"{TITLES[row['kind']]}, {_cells(row['population'])}"
            title = "CAR-T cells among T cells" if row["is_share"] else title
            write_words(
                axis, NAMES_AT - 0.01, row["place"] - 0.95, title, weight="bold", fontsize=8
            )
        _draw_row(axis, row, contrast=contrast, reach=reach, color=colors[str(row["population"])])
    bottom = float(part["place"].iloc[-1]) + 0.8
    ratio_axis(axis, contrast=contrast, reach=reach, bottom=bottom)
    heading = ratio_heading(contrast)
    if is_mean:
        heading = f"difference{contrast.per} (95 % CI)"
        axis.xaxis.set_major_locator(MaxNLocator(7))
        axis.xaxis.set_major_formatter(ScalarFormatter())
        axis.set_xlabel(
            f"difference of the mean score{contrast.per}, 95 % confidence interval\n"
            f"← {contrast.toward('lower')}      {contrast.toward('higher')} →"
        )
    for x, side in ((REFERENCE_AT, "reference"), (TEST_AT, "test")):
        words = f"{readable(contrast.value_of(side))}\n{contrast.mean_words}"
        write_words(axis, x, 0.15, words, ha="center", color=NEUTRAL)
    write_words(axis, ESTIMATE_AT, 0.15, heading, color=NEUTRAL)
    write_words(axis, P_AT, 0.15, "p", color=NEUTRAL)


def _draw_row(
    axis: Axes, row: Mapping[Any, Any], *, contrast: Contrast, reach: float, color: str
) -> None:
    is_mean = row["kind"] == MEAN
    place = float(row["place"])
    name = "share" if row["is_share"] else measure_words(row["measure"])
    write_words(axis, NAMES_AT, place, name, fontsize=7.5, color=INK)
    unit = "signed" if is_mean else contrast.mean_unit
    for x, key in ((REFERENCE_AT, "mean_reference"), (TEST_AT, "mean_test")):
        write_words(axis, x, place, write_number(float(row[key]), unit), ha="center")
    kind = "signed" if is_mean else "ratio"
    number, low, high = (write_number(float(row[key]), kind) for key in KEYS)
    write_words(axis, ESTIMATE_AT, place, f"{number} ({low} to {high})")
    write_words(axis, P_AT, place, write_number(float(row["p"]), "p"))
    middle = draw_interval(axis, place, row, keys=KEYS, reach=reach, color=NEUTRAL, linewidth=1.2)
    axis.plot(
        middle, place, "s", markersize=5.5,
        fillstyle="left" if row["verdict"] == SUGGESTIVE else "full",
        color=color if row["verdict"] in (SUPPORTED, SUGGESTIVE) else "white",
        markerfacecoloralt="white", markeredgecolor=NEUTRAL, zorder=3, clip_on=False,
    )  # fmt: skip


def measure_words(name: object) -> str:
    """Return the readable name of a measure of T cells, such as `exhaustion terminal`."""
    words = readable(str(name).removeprefix("CAR_T_").removeprefix("T_"))
    words = words.replace("dysfunction NK like", "NK-like dysfunction")
    words = words.replace("PGE2 response T proxy", "PGE2 response (proxy)")
    return words.replace("IL2 STAT5 T proxy", "IL2-STAT5 (proxy)")


def _cells(name: object) -> str:
    names = {"T": "all T cells", "CAR_T": "CAR-T cells", "CD8_T": "CD8 T cells"}
    return names.get(str(name), population_words(name))
