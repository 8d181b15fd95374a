"""Figures of LAMM fractions: a point per sample, with means, names and lines of patients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from lammscope.abundance.counts import lamm_fractions
from lammscope.abundance.fractions import OFFSET
from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import TREND
from lammscope.core.names import LEVELS
from lammscope.core.words import denominator_words, readable, write_number
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.contrast import (
    ContrastData,
    contrast_slots,
    slots_by_arm_and_phase,
)
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import ARM_COLORS, INK, NEUTRAL, sentence_figure

DECADE = 10  # ratio of numbers above which a logarithmic axis has logarithmic ticks
W_PAD = 0.1  # inches; tick labels still grow while the layout is solved
BAR = 0.26  # half of a mean's bar; slots are 1 apart
MOST_NAMES = 12  # points of a slot that are named in the picture
NAME_LENGTH = 14  # characters of a name in the picture
LINE = 0.05  # height of a name, of the height of the axis
NO_MONOCYTES = "No monocytic cells in the samples of this contrast."


def lamm_patients(data: CohortData) -> Figure:
    """Draw the LAMM fractions of all patients by arm and phase, at both levels."""
    counts, min_cells = data.counts, data.min_cells
    slots = slots_by_arm_and_phase(data.samples)
    panels = [(level, denominator) for level in LEVELS for denominator in ("immune", "monocytic")]
    if lamm_fractions(counts, level="positive")["n_monocytic"].sum() == 0:
        return sentence_figure("No monocytic cells in this cohort, so there are no LAMM fractions.")
    figure = Figure(figsize=(9.0, 5.6), layout=ConstrainedLayoutEngine(w_pad=W_PAD))
    for axis, (level, denominator) in zip(figure.subplots(2, 2).ravel(), panels, strict=True):
        joined = slots.join(lamm_fractions(counts, level=level), on="sample", how="inner")
        table = _points(joined, denominator=denominator, min_cells=min_cells, has_sides=False)
        _slotted_points(axis, table)
        axis.set_title(f"LAMM ({readable(level)}), % {denominator_words(denominator)}")
    _point_legend(figure, table, min_cells=min_cells)
    return figure


def lamm_primary(data: ContrastData) -> Figure:
    """Draw the LAMM fractions in the primary denominator, of the groups that are compared.

    Means are those of the abundance table; points are named if there are at most `MOST_NAMES`.
    """
    joined = _fractions(data)
    compared = joined.groupby("slot")["tested"].transform("any")
    joined = joined[compared] if compared.any() else joined
    if joined.empty or joined["n_monocytic"].sum() == 0:
        return sentence_figure(NO_MONOCYTES)
    width = 4.8 if data.contrast.is_scattered else max(4.8, 1.4 * joined["slot"].nunique())
    figure = Figure(figsize=(min(width, 9.0), 3.3), layout=ConstrainedLayoutEngine(w_pad=W_PAD))
    table = _panel(figure.subplots(), joined, data, denominator=data.denominator, names=True)
    _contrast_legend(figure, table, data)
    return figure


def lamm_contrast(data: ContrastData) -> Figure:
    """Draw the LAMM fractions of the samples of one contrast at the configured level.

    The primary denominator comes first. A contrast of arms shows both phases, and the one that is
    not tested as hollow points. A `paired` contrast shows its two sides, with a line for each pair.
    A trend shows its ordered values, or a scatter plot of its numbers with a fitted line.
    """
    joined = _fractions(data)
    if joined.empty or joined["n_monocytic"].sum() == 0:
        return sentence_figure(NO_MONOCYTES)
    denominators = list(dict.fromkeys([data.denominator, "immune", "monocytic"]))
    panel = 3.2 if data.contrast.is_scattered else max(3.2, 0.95 * joined["slot"].nunique())
    size = (min(panel * len(denominators), 12.0), 3.5)
    figure = Figure(figsize=size, layout=ConstrainedLayoutEngine(w_pad=W_PAD))
    axes = figure.subplots(1, len(denominators))
    tables = [
        _panel(axis, joined, data, denominator=denominator)
        for axis, denominator in zip(axes, denominators, strict=True)
    ]
    hollow = min(tables, key=lambda table: int(table["full"].sum()))
    _contrast_legend(figure, hollow, data)
    return figure


def _fractions(data: ContrastData) -> pd.DataFrame:
    """Return the samples of a contrast with their slots and LAMM fractions, as they are tested."""
    excluded = data.comparison.left_out(data.exclude_pre_post)
    fractions = lamm_fractions(data.counts, level=data.level, excluded=excluded)
    return contrast_slots(data.comparison).join(fractions, on="sample", how="inner")


def _panel(
    axis: Axes, joined: pd.DataFrame, data: ContrastData, *, denominator: str, names: bool = False
) -> pd.DataFrame:
    """Draw one denominator, and return its points."""
    contrast = data.contrast
    table = _points(
        joined,
        denominator=denominator,
        min_cells=data.min_cells,
        has_sides=contrast.has_sides,
    )
    if contrast.is_scattered:
        _scattered_points(axis, table, contrast)
    else:
        _slotted_points(axis, table, names=names)
    axis.set_title(f"LAMM, % {denominator_words(denominator)}")
    return table


def _points(
    joined: pd.DataFrame, *, denominator: str, min_cells: int, has_sides: bool
) -> pd.DataFrame:
    """Return the points of a panel.

    Columns `y` (per cent), `n` and `total` (LAMM cells and cells of the denominator), `name`, `arm`
    (color) and `full` (bool: tested, with enough cells in all replicates and on both sides).
    """
    total = joined[f"n_{denominator}"]
    table = joined.assign(n=joined["n_lamm"], total=total, y=100 * joined[f"of_{denominator}"])
    whole = denominator_words(denominator).removeprefix("of ")
    tested = table["tested"].to_numpy(dtype=bool)
    summed = table[tested].groupby(["unit", "slot"])["total"].transform("sum")
    enough = summed.reindex(table.index) >= min_cells
    if has_sides:
        both = enough[tested].groupby(table.loc[tested, "unit"]).transform("all")
        enough = both.reindex(table.index, fill_value=False)
    table = table.assign(
        full=tested & enough.to_numpy(dtype=bool),
        arm=table["response"].map(ARM_COLORS, na_action="ignore").fillna(NEUTRAL),
        name=[
            f"{row['patient']} ({row['sample']}): {write_number(float(row['y']), 'percent')}, "
            f"{row['n']:,} of {row['total']:,} {whole}"
            for row in table[["patient", "sample", "y", "n", "total"]].to_dict("records")
        ],
    )
    return table.dropna(subset=["y"])


def _slotted_points(axis: Axes, table: pd.DataFrame, *, names: bool = False) -> None:
    """Draw a point per sample, a line per unit and the mean of each slot."""
    slots = table.drop_duplicates("slot").sort_values("rank")["slot"].tolist()
    units = {unit: i for i, unit in enumerate(sorted(table["unit"].unique()))}
    spread = 0.14 * np.linspace(-1, 1, len(units)) if len(units) > 1 else np.zeros(1)
    place = table["slot"].map(slots.index)
    table = table.assign(x=place + table["unit"].map(units).map(lambda i: spread[i]))
    for _, line in table.sort_values("rank", kind="stable").groupby("unit"):
        alpha = 0.55 if line["full"].all() else 0.25
        axis.plot(line["x"], line["y"], color=line["arm"].iloc[0], linewidth=0.9, alpha=alpha)
    for slot, points in table[table["full"]].groupby("slot"):
        at, mean = slots.index(str(slot)), _mean_of_units(points)
        axis.plot([at - BAR, at + BAR], [mean, mean], color=INK, linewidth=1.8)
        if names:
            _write_mean(axis, at - BAR, mean, beside=len(slots) <= 2)
    _draw_points(axis, table)
    if names:
        _write_names(axis, table, slots)
    axis.set_xticks(range(len(slots)), slots)
    axis.set_xlim(-0.5 - 0.3 * names, len(slots) - 0.5 + 0.15 * names)
    axis.tick_params(axis="x", length=0)


def _mean_of_units(points: pd.DataFrame) -> float:
    """Average the percentages of patients, replicates of one summed, as the tests do."""
    sums = points.groupby("unit")[["n", "total"]].sum()
    return float((100 * sums["n"] / sums["total"]).mean())


def _write_mean(axis: Axes, x: float, mean: float, *, beside: bool) -> None:
    """Write a mean at the left end of its bar: beside it, or above it where slots are narrow."""
    axis.annotate(
        write_number(mean, "percent"),
        (x, mean),
        xytext=(-3, 0) if beside else (0, 3),
        textcoords="offset points",
        ha="right" if beside else "left",
        va="center" if beside else "bottom",
        fontsize=7.5,
        fontweight="bold",
        color=INK,
        bbox={"boxstyle": "square,pad=0.1", "facecolor": "white", "edgecolor": "none"},
        zorder=2.5,  # below the points
    )


def _write_names(axis: Axes, table: pd.DataFrame, slots: Sequence[str]) -> None:
    """Name the tested points of a slot beside its bar, moved apart, where there are few.

    A unit with points in several slots is named in the last of them. Without a test, all are named.
    """
    table = table[table["full"]] if table["full"].any() else table
    last = table[table["rank"] == table.groupby("unit")["rank"].transform("max")]
    height = LINE * axis.get_ylim()[1]
    for slot, points in last.groupby("slot"):
        if len(points) > MOST_NAMES:
            continue
        ordered = points.sort_values("y", kind="stable")
        at = slots.index(str(slot)) + BAR
        heights = _moved_apart(ordered["y"].to_numpy(dtype=float), height)
        for row, y in zip(ordered[["patient", "arm"]].itertuples(), heights, strict=True):
            axis.annotate(
                _short(str(row.patient)),
                (at, y),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=6.5,
                color=row.arm,
            )


def _moved_apart(y: np.ndarray, gap: float) -> np.ndarray:
    """Move ascending values by as little as keeps them `gap` apart, none below half a gap."""
    steps = gap * np.arange(len(y))
    # Pool neighbors that are too close around their mean: an isotonic regression by hand.
    blocks: list[list[float]] = []
    for value in y - steps:
        blocks.append([value])
        while len(blocks) > 1 and np.mean(blocks[-2]) > np.mean(blocks[-1]):
            blocks[-2:] = [blocks[-2] + blocks[-1]]
    moved = np.concatenate([np.full(len(block), np.mean(block)) for block in blocks])
    return np.asarray(np.maximum(moved, gap / 2) + steps)


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}\N{HORIZONTAL ELLIPSIS}"


def _scattered_points(axis: Axes, table: pd.DataFrame, contrast: Contrast) -> None:
    """Draw a point per sample over its number, the fitted line, and the means of the thirds."""
    table = table.assign(x=table[contrast.column].astype(float)).dropna(subset=["x"])
    tested = table[table["full"]]
    score = contrast.numbers(tested)[TREND].to_numpy(dtype=float)
    if len(np.unique(score)) > 1:
        total, cells = tested["total"].to_numpy(dtype=float), tested["n"].to_numpy(dtype=float)
        slope, start = np.polyfit(score, np.log((cells + OFFSET) / (total - cells + OFFSET)), 1)
        x = np.linspace(tested["x"].min(), tested["x"].max(), 200)
        at = contrast.numbers(pd.DataFrame({contrast.column: x}))[TREND].to_numpy(dtype=float)
        axis.plot(x, 100 / (1 + np.exp(-(start + slope * at))), color=INK, linewidth=1.8)
    _draw_points(axis, table)
    _draw_thirds(axis, tested, contrast)
    if contrast.is_logarithmic:
        axis.set_xscale("log")
        low, high = table["x"].min(), table["x"].max()
        wide = high > DECADE * low
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(contrast.axis_label)


def _draw_thirds(axis: Axes, tested: pd.DataFrame, contrast: Contrast) -> None:
    """Draw the means of the patients with the lowest and with the highest numbers."""
    units = tested.groupby("unit").first()
    group = pd.Series(contrast.groups(pd.DataFrame(contrast.numbers(units))), index=units.index)
    for side in SIDES:
        points = tested[tested["unit"].map(group) == side]
        if len(points):
            ends = points["x"].min(), points["x"].max()
            axis.hlines(_mean_of_units(points), *ends, color=INK, linewidth=1.2, linestyles=":")


def _draw_points(axis: Axes, table: pd.DataFrame) -> None:
    """Draw points in the color of their arm, hollow if not tested, and the axis of per cent."""
    full = table["full"]
    axis.scatter(
        table.loc[full, "x"], table.loc[full, "y"], s=26, c=table.loc[full, "arm"],
        edgecolors="white", linewidths=0.6, zorder=3,
    )  # fmt: skip
    axis.scatter(
        table.loc[~full, "x"], table.loc[~full, "y"], s=22, facecolors="white",
        edgecolors=table.loc[~full, "arm"].tolist(), linewidths=0.9, zorder=3,
    )  # fmt: skip
    places = table[["x", "y"]].to_numpy(dtype=float)
    name_points(axis, places[:, 0], places[:, 1], table["name"].tolist())
    top = max(1.08 * table["y"].max(), 1.0) if len(table) else 1.0
    axis.set_ylim(-0.02 * top, top)  # points at zero stand clear of the axis
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g} %"))
    axis.grid(axis="y", color="#eceef0", linewidth=0.6)


def _contrast_legend(figure: Figure, table: pd.DataFrame, data: ContrastData) -> None:
    line, dotted = "mean", ""
    if data.contrast.is_scattered:
        line, dotted = "fitted line, unadjusted", "mean of the lowest and the highest third"
    _point_legend(figure, table, min_cells=data.min_cells, line=line, dotted=dotted)


def _point_legend(
    figure: Figure, table: pd.DataFrame, *, min_cells: int, line: str = "mean", dotted: str = ""
) -> None:
    arms = [arm for arm in ARM_COLORS if (table["response"] == arm).any()]
    style: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 5}
    handles = [Line2D([], [], color=ARM_COLORS[a], label=readable(a), **style) for a in arms]
    handles.append(Line2D([], [], color=INK, linewidth=1.8, label=line))
    if dotted:
        handles.append(Line2D([], [], color=INK, linewidth=1.2, linestyle=":", label=dotted))
    if not table["full"].all():
        hollow = f"not in the test, or fewer than {min_cells} cells"
        handles.append(
            Line2D([], [], color=NEUTRAL, markerfacecolor="white", label=hollow, **style)
        )
    narrow = min(len(handles), 2 if dotted else 3)
    columns = len(handles) if figure.get_figwidth() > 6 else narrow
    figure.legend(handles=handles, loc="outside lower center", ncols=columns)
