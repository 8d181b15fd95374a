"""Forest plots of one comparison in several cohorts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lammscope.core.words import readable, write_number
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, sentence_figure

TICKS = (0.01, 0.03, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 100.0)
WIDEST = np.log(200.0)  # of an interval that is drawn: a longer one ends in an arrow
LARGEST, SMALLEST = 9.0, 4.0  # points: markers of cohorts


@dataclass(frozen=True)
class ForestRow:
    """A row: its label, estimate and interval (log ratios), and how it is drawn.

    `kind` is `cohort`, `common` or `prediction`; `weight` is 0 to 1.
    """

    label: str
    estimate: float
    low: float
    high: float
    kind: str = "cohort"
    weight: float = 0.5


@dataclass(frozen=True)
class ReplicationData:
    """The table `outcome/replication.tsv`."""

    replication: pd.DataFrame


def replication(data: ReplicationData) -> Figure:
    """Draw the estimates of both cohorts with their intervals, and half of the first effect."""
    row: Mapping[Any, Any] = data.replication.iloc[0].to_dict()
    rows = [
        _interval_row(f"{name}\n({_sizes(row, prefix)})", row, prefix)
        for name, prefix in (("First cohort", "first_"), ("This cohort", ""))
    ]
    unit = readable(str(row["unit"]).removeprefix("log "))
    return forest(rows, unit=unit, marked=float(row["half"]))


def combined_forest(cohorts: pd.DataFrame, combined: pd.DataFrame) -> Figure:
    """Draw each cohort, the common effect and the prediction interval.

    Parameters
    ----------
    cohorts, combined
        Tables of `outcome.meta.Combined`.
    """
    rows = []
    for row in cohorts.to_dict("records"):
        drawn = _interval_row(f"{row['cohort']} ({_sizes(row, '')})", row)
        rows.append(replace(drawn, weight=np.nan_to_num(float(row["weight"]), nan=1.0)))
    whole: Mapping[Any, Any] = combined.iloc[0].to_dict()
    if whole["status"] == "ok":
        common = replace(_interval_row("Common effect", whole), kind="common")
        low, high = (float(whole[f"prediction_{end}"]) for end in ("low", "high"))
        rows.append(common)
        if np.isfinite(low):
            words = "Another cohort"
            rows.append(replace(common, label=words, low=low, high=high, kind="prediction"))
    return forest(rows, unit=readable(str(whole["unit"]).removeprefix("log ")))


def forest(rows: Sequence[ForestRow], *, unit: str, marked: float | None = None) -> Figure:
    """Draw estimates with intervals, one row each, with the numbers at the right.

    Parameters
    ----------
    rows
        From top to bottom.
    unit
        What an estimate is, for the axis.
    marked
        A log ratio to mark by a dotted line: half of the first effect.
    """
    drawn = [row for row in rows if np.isfinite(row.estimate)]
    if not drawn:
        return sentence_figure("No cohort was tested.")
    figure = Figure(figsize=(6.6, 1.0 + 0.36 * len(rows)), layout="constrained")
    axis = figure.add_subplot()
    ends = np.array([[row.low, row.high] for row in drawn if row.kind == "cohort"])
    low, high = min(ends.min(), 0.0), max(ends.max(), 0.0)
    spare = 0.6 * (high - low)
    limits = max(low - spare, -WIDEST), min(high + spare, WIDEST)
    axis.axvline(0, color=INK, linewidth=0.8)
    if marked is not None:
        axis.axvline(marked, color=NEUTRAL, linewidth=0.8, linestyle=":")
        axis.annotate(
            "half of the first effect",
            (marked, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 2),
            textcoords="offset points",
            ha="center",
            fontsize=7,
            color=NEUTRAL,
        )
    for place, row in enumerate(rows):
        _draw_row(axis, row, place, limits)
    axis.set_xlim(*limits)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_yticks(range(len(rows)), [row.label for row in rows])
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.xaxis.set_major_locator(FixedLocator([float(np.log(tick)) for tick in TICKS]))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{np.exp(value):g}"))
    axis.set_xlabel(f"{unit} (logarithmic)")
    return figure


def _draw_row(axis: Axes, row: ForestRow, place: int, limits: tuple[float, float]) -> None:
    """Draw an interval with its estimate; ends beyond the axis are arrows."""
    if not np.isfinite(row.estimate):
        axis.text(1.02, place, "not tested", transform=axis.get_yaxis_transform(), va="center")
        return
    color = LAMM_COLOR if row.kind == "common" else NEUTRAL if row.kind == "prediction" else INK
    style = "--" if row.kind == "prediction" else "-"
    shown = [float(np.clip(end, *limits)) for end in (row.low, row.high)]
    axis.plot(shown, [place, place], color=color, linewidth=1.3, linestyle=style)
    for end, inside, marker in zip((row.low, row.high), shown, "<>", strict=True):
        if end != inside:
            axis.plot(inside, place, marker=marker, color=color, markersize=4, clip_on=False)
    if row.kind != "prediction":
        size = SMALLEST + (LARGEST - SMALLEST) * float(np.sqrt(row.weight))
        marker = "D" if row.kind == "common" else "s"
        axis.plot(row.estimate, place, marker=marker, color=color, markersize=size, linestyle="")
    numbers = [write_number(value, "ratio") for value in (row.estimate, row.low, row.high)]
    text = f"{numbers[0]} ({numbers[1]} to {numbers[2]})"
    if row.kind == "prediction":
        text = f"{numbers[1]} to {numbers[2]}"
    beside = axis.get_yaxis_transform()
    axis.text(1.02, place, text, transform=beside, va="center", fontsize=7.5)


def _interval_row(label: str, row: Mapping[Any, Any], prefix: str = "") -> ForestRow:
    """Return a row with the estimate and the interval of a table."""
    estimate, low, high = (
        float(row[f"{prefix}{key}"]) for key in ("estimate", "ci_low", "ci_high")
    )
    return ForestRow(label, estimate, low, high)


def _sizes(row: Mapping[Any, Any], prefix: str) -> str:
    """Return the patients per arm."""
    sizes = [row[f"{prefix}n_{arm}"] for arm in ("reference", "test")]
    known = np.isfinite(sizes).all()
    return f"n = {sizes[0]:.0f} / {sizes[1]:.0f}" if known else "no patients"
