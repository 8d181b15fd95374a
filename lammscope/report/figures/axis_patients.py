"""The pre-specified pair in single patients: the sender's term, the receiver's, and both."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lammscope.cohort.contrasts import SIDES
from lammscope.core.names import PHASES
from lammscope.core.words import as_text, p_words, population_words, readable
from lammscope.report.axis_rows import (
    KEYS,
    fold_words,
    pair_words,
    reason_words,
    route_words,
    term_words,
    told_rows,
)
from lammscope.report.figures.axis import AxisData, side_color
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import INK, NEUTRAL, sentence_figure

TIMES = "\N{MULTIPLICATION SIGN}"
MANY_SLOTS = 3  # above, their names are broken
PER_MILLION = 100  # UMIs per million in one per 10,000
DECADES = 10.0 ** np.arange(-4, 4)
STEPS = [np.outer(DECADES, own).ravel() for own in ((1,), (1, 3), (1, 2, 5), np.arange(2, 20) / 2)]
POWERS = [own ** np.arange(-20.0, 21.0) for own in (8, 4, 2, 2**0.5)]
PANELS = {"sender_level": "sender_", "receiver_level": "receiver_", "sum": ""}


def pair_patients(data: AxisData) -> Figure:
    """Draw both terms of the pre-specified pair and their sum, a point per patient and side.

    If it could not be tested, the cyclooxygenases alone are drawn; else a sentence says why.
    """
    row, beside = told_rows(data.pairs, data.primary)
    if row is None:
        return sentence_figure("No ligand-receptor pair was specified in advance.")
    name = f"{pair_words(row['pair'])}, {route_words(row)}"
    drawn = next((own for own in (row, beside) if own and np.isfinite(own["p"])), None)
    if drawn is None:
        return sentence_figure(f"{name}, could not be tested: {reason_words(row['reason'])}.")
    points = patient_points(data, drawn)
    figure = Figure(figsize=(9.0, 3.7), layout="constrained")
    for axis, (measure, prefix) in zip(figure.subplots(1, 3), PANELS.items(), strict=True):
        _draw_points(axis, points, measure=measure, data=data)
        axis.set_title(_title(drawn, measure), fontsize=8)
        words = f"ratio{data.contrast.per} {fold_words(drawn, prefix)}"
        words += f", {p_words(drawn[f'{prefix}p'])}"
        if data.contrast.is_scattered:
            words = f"{data.contrast.axis_label}\n{words}"
        axis.set_xlabel(words, fontsize=7.5)
    words = f"{pair_words(drawn['pair'])}, {route_words(drawn)}: {_verdict(drawn)}"
    if drawn is not row:
        words += f"\n{name}, could not be tested: {reason_words(row['reason'])}"
    figure.suptitle(words, fontsize=8.5, color=INK, x=0.01, ha="left")
    return figure


def patient_points(data: AxisData, row: Mapping[str, Any]) -> pd.DataFrame:
    """Return the values of a pair with `x`, `slot`, `color` and `unit` of each point.

    `x` is the place of the slot, or a patient's number if a trend is over numbers. Points of one
    `unit` are joined by a line.
    """
    contrast, values = data.contrast, data.values
    same = np.logical_and.reduce([values[key].astype(str) == row[key] for key in KEYS])
    own = values[same].reset_index(drop=True)
    unit = own.groupby(["patient", "side"]).cumcount()
    own = own.assign(unit=own["patient"].astype(str) + " " + unit.astype(str))
    if contrast.has_numbers:
        used = data.comparison.used.drop_duplicates("patient").set_index("patient")
        number = own["patient"].map(used[contrast.column])
        if contrast.is_scattered:
            return own.assign(x=number.astype(float), slot="", color=NEUTRAL)
        text = as_text(number)
        ranks = contrast.ranks(data.comparison.used)
        places = dict(zip(as_text(data.comparison.used[contrast.column]), ranks, strict=True))
        order = sorted(set(text), key=lambda value: places[value])
        slot = text.map(readable)
        return own.assign(x=text.map(order.index).astype(float), slot=slot, color=NEUTRAL)
    if contrast.has_sides and contrast.has_arms:
        phase = own["side"].map(dict(zip(SIDES, reversed(PHASES), strict=True)))
        arm = own["arm"].map({side: readable(contrast.value_of(side)) for side in SIDES})
        x = 2 * (own["arm"] == "test") + (own["side"] == "test")
        slot, side = arm + "\n" + phase, own["arm"]
    else:
        side, x = own["side"], (own["side"] == "test").astype(int)
        slot = side.map({name: readable(contrast.value_of(name)) for name in SIDES})
    color = side.map({name: side_color(contrast, name) for name in SIDES})
    return own.assign(x=x.astype(float), slot=slot, color=color)


def _draw_points(axis: Axes, points: pd.DataFrame, *, measure: str, data: AxisData) -> None:
    contrast = data.contrast
    y = points[measure].to_numpy(dtype=float)
    y = 2.0 ** (y - np.nanmean(y)) if measure == "sum" else 2.0**y / PER_MILLION
    x = points["x"].to_numpy(dtype=float)
    if not contrast.is_scattered:
        units = {name: i for i, name in enumerate(sorted(points["unit"].unique()))}
        spread = 0.13 * np.linspace(-1, 1, len(units)) if len(units) > 1 else np.zeros(1)
        for place in np.unique(x):
            middle = float(np.exp(np.nanmean(np.log(y[x == place]))))
            axis.plot([place - 0.26, place + 0.26], [middle, middle], color=INK, linewidth=1.8)
        x = x + spread[points["unit"].map(units).to_numpy(dtype=int)]
    if contrast.has_sides:
        for rows in points.groupby("unit").indices.values():
            at = np.asarray(rows)[np.argsort(x[rows])]
            color = points["color"].iloc[at[0]] if contrast.has_arms else NEUTRAL
            axis.plot(x[at], y[at], color=color, linewidth=0.9, alpha=0.55)
    axis.scatter(
        x, y, s=26, c=points["color"].tolist(), edgecolors="white", linewidths=0.6, zorder=3
    )
    tick = _ratio_tick if measure == "sum" else _level_tick
    texts = [
        f"{name}: {tick(float(f'{value:.3g}'), None)}"
        for name, value in zip(points["patient"], y, strict=True)
    ]
    name_points(axis, x, y, texts)
    if not contrast.is_scattered:
        slots = points.drop_duplicates("x").sort_values("x")
        labels = slots["slot"].tolist()
        if len(labels) > MANY_SLOTS:
            labels = [label.replace("non-", "non-\n") for label in labels]
        axis.set_xticks(slots["x"].to_numpy(), labels)
        axis.set_xlim(slots["x"].min() - 0.5, slots["x"].max() + 0.5)
        axis.tick_params(axis="x", length=0)
    elif contrast.is_logarithmic:
        axis.set_xscale("log")
    axis.set_yscale("log")
    ticks = _ticks(float(np.nanmin(y)), float(np.nanmax(y)), POWERS if measure == "sum" else STEPS)
    axis.yaxis.set_major_locator(FixedLocator(ticks))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(tick))
    axis.set_ylabel("relative to the mean" if measure == "sum" else "UMIs per 10,000")
    axis.grid(axis="y", color="#eceef0", linewidth=0.6)


def _ticks(low: float, high: float, choices: Sequence[np.ndarray]) -> list[float]:
    """Return the first choice of ticks that has at least three within the range."""
    found = [[float(t) for t in ticks if 0.93 * low <= t <= 1.07 * high] for ticks in choices]
    return next((ticks for ticks in found if len(ticks) >= 3), found[-1])


def _title(row: Mapping[str, Any], measure: str) -> str:
    if measure == "sum":
        return "Both terms\n(their product)"
    side, column = (
        ("sender", "ligand") if measure.startswith("sender") else ("receiver", "receptor")
    )
    return f"{population_words(row[side])}\n{term_words(row[column])}"


def _verdict(row: Mapping[str, Any]) -> str:
    return readable(row["words"]).partition(";")[0]


def _level_tick(value: float, _: object) -> str:
    return f"{value:g}"


def _ratio_tick(value: float, _: object) -> str:
    return f"{TIMES}{value:.3g}" if value >= 1 else f"{TIMES}1/{1 / value:.3g}"
