"""Follow-up: curves by LAMM cells and by response, and a forest plot of hazard ratios."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lammscope.core.names import ARM_WORDS
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.outcome.names import EVENT_FREE, HALVES, PRIMARY, RESPONSE
from lammscope.outcome.survival import Survival
from lammscope.report.figures.forest import draw_interval, write_result, write_words
from lammscope.report.figures.style import (
    ARM_COLORS,
    INK,
    LAMM_COLOR,
    NEUTRAL,
    sentence_figure,
)
from lammscope.report.survival_rows import endpoint_words, hazard_words, marker_words, when_words

PANEL = ["analysis", "timepoint", "compartment"]
N_COLUMNS, N_ROWS = 3, 3
GROUPS = {HALVES[0]: "LAMM up to the median", HALVES[1]: "LAMM above the median"} | ARM_WORDS
COLORS = {HALVES[0]: "#3f7f93", HALVES[1]: LAMM_COLOR} | ARM_COLORS
LINES = {EVENT_FREE: "-", "event": "-", "competing_event": ":"}
KEYS = ("estimate", "ci_low", "ci_high")
RATIOS = np.array([0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50])
COUNTS_AT, RATIO_AT, P_AT = -0.2, 1.04, 1.6  # the plot is from 0 to 1
PLOT, RIGHT = 2.65, 2.3  # width of the plot of the forest, and of the numbers, in inches
LETTER, LEAST = 0.062, 3.2  # width of a letter of a name, and of all names at least
MOST_LETTERS = 110


def survival_curves(data: Survival) -> Figure:
    """Draw curves by the median of LAMM cells and by response, with numbers at risk.

    A row per endpoint (up to three). Columns: before infusion in the compartment of the
    pre-specified row, the landmark with the most patients there, and response.
    """
    panels = _panels(data)
    endpoints = list(dict.fromkeys(data.tests["endpoint"]))[:N_ROWS]
    if data.curves.empty or not panels:
        return sentence_figure("No patient has both a sample and follow-up.")
    n_columns = len(panels)
    figure = Figure(figsize=(0.4 + 3.1 * n_columns, 0.37 + 3.05 * len(endpoints)))
    height, width = figure.get_figheight(), figure.get_figwidth()
    figure.subplots_adjust(
        left=0.75 / width, right=1 - 0.15 / width, top=1 - 0.5 / height, bottom=1.2 / height,
        wspace=0.36, hspace=0.92,
    )  # fmt: skip
    axes = figure.subplots(len(endpoints), n_columns, squeeze=False)
    for endpoint, line in zip(endpoints, axes, strict=True):
        for keys, axis in zip(panels, line, strict=True):
            same = (data.curves[PANEL] == list(keys)).all(axis=1)
            own = data.curves[same & (data.curves["endpoint"] == endpoint)]
            _draw_panel(axis, own, _row_of(data.tests, endpoint, keys))
    return figure


def survival_forest(data: Survival) -> Figure:
    """Draw the hazard ratio per standard deviation of each test, with its interval."""
    tests = data.tests
    if not tests["estimate"].notna().any():
        reasons = "; ".join(dict.fromkeys(tests["reason"]))
        return sentence_figure(f"No hazard ratio could be estimated: {reasons}.")
    rows = tests.sort_values("endpoint", kind="stable", key=_order_of(tests["endpoint"]))
    first = (rows["endpoint"] != rows["endpoint"].shift()).to_numpy()
    places = np.cumsum(np.where(first, 2.2, 1.0))
    height = 0.9 + 0.2 * (places[-1] + 1.2)
    one_place = tests["compartment"].nunique() < 2
    names = [_row_name(row, compartment=not one_place) for row in rows.to_dict("records")]
    names_width = max(LEAST, LETTER * max(map(len, names)))
    left = 0.3 + names_width - COUNTS_AT * PLOT
    width, names_at = left + PLOT + RIGHT, COUNTS_AT - names_width / PLOT
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=left / width,
        right=(left + PLOT) / width,
        top=1 - 0.1 / height,
        bottom=0.7 / height,
    )
    axis = figure.subplots()
    ends = rows[["ci_low", "ci_high"]].to_numpy(dtype=float)
    widest = np.abs(ends[np.isfinite(ends)]).max(initial=0.0)
    reach = float(np.clip(1.05 * widest, 1.0, np.log(50)))
    records = rows.to_dict("records")
    for place, starts, name, row in zip(places, first, names, records, strict=True):
        if starts:
            words = endpoint_words(row["endpoint"])
            write_words(
                axis, names_at, place - 1, words[0].upper() + words[1:], weight="bold", fontsize=8
            )
        weight, color = ("bold", LAMM_COLOR) if row["role"] == PRIMARY else ("normal", INK)
        write_words(axis, names_at + 0.02, place, name, fontsize=6.6, weight=weight, color=color)
        _forest_row(axis, place, row, reach=reach)
    _forest_frame(axis, reach=reach, bottom=places[-1] + 0.8)
    return figure


def at_risk(curve: pd.DataFrame, times: np.ndarray) -> list[int]:
    """Return how many patients are at risk at some times, from the rows of a curve."""
    known = curve["time"].to_numpy(dtype=float)
    counts = np.append(curve["at_risk"].to_numpy(dtype=int), 0)
    return [int(n) for n in counts[np.searchsorted(known, times)]]


def _panels(data: Survival) -> list[tuple[str, str, str]]:
    """Return the analyses to draw."""
    tests = data.tests[data.tests["marker"] == data.tests["marker"].iloc[0]]
    first = tests.iloc[0]
    found = [tuple(first[PANEL])] if first["role"] == PRIMARY else []
    later = tests[(tests["timepoint"] != "") & (tests["n"] > 0)]
    same = later[later["compartment"] == first["compartment"]]
    if len(same):
        found.append(tuple(same.loc[same["n"].idxmax(), PANEL]))
    if (data.curves["analysis"] == RESPONSE).any():
        found.append((RESPONSE, "", ""))
    return [(str(a), str(b), str(c)) for a, b, c in dict.fromkeys(found)][:N_COLUMNS]


def _row_of(
    tests: pd.DataFrame, endpoint: str, keys: tuple[str, str, str]
) -> Mapping[str, Any] | None:
    """Return the test of the panel without covariates; None for response."""
    same = (tests[PANEL] == list(keys)).all(axis=1) & (tests["endpoint"] == endpoint)
    same &= (tests["adjusted"] == "") & (tests["marker"] == tests["marker"].iloc[0])
    rows = tests[same].to_dict("records")
    return {str(key): value for key, value in rows[0].items()} if rows else None


def _draw_panel(axis: Axes, curves: pd.DataFrame, row: Mapping[str, Any] | None) -> None:
    """Draw the curves of a panel, with ticks where patients are censored."""
    if curves.empty:
        axis.set_axis_off()
        axis.text(0.5, 0.5, "no patients", ha="center", color=NEUTRAL, fontsize=7.5)
        return
    last = float(curves["time"].max())
    names = list(dict.fromkeys(curves["group"]))
    for (group, kind), own in curves.groupby(["group", "curve"], sort=False):
        start = 1.0 if kind == EVENT_FREE else 0.0
        time = np.append(0.0, own["time"])
        value = np.append(start, own["value"])
        style: dict[str, Any] = {"color": COLORS[str(group)], "linestyle": LINES[str(kind)]}
        axis.step(time, value, where="post", linewidth=1.6, **style)
        if kind == EVENT_FREE:
            censored = own[own["n_events"] == 0]
            axis.plot(censored["time"], censored["value"], "|", color=style["color"], markersize=5)
    is_free = EVENT_FREE in set(curves["curve"])
    axis.set_ylim(-0.02, 1.03)
    axis.set_xlim(0, 1.02 * last)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.grid(axis="y", color="#eceef0", linewidth=0.6)
    axis.set_ylabel("without event" if is_free else "with event (dots: competing)")
    endpoint = endpoint_words(curves["endpoint"].iloc[0])
    when = when_words(row or curves.iloc[0].to_dict())
    title = f"{endpoint[0].upper()}{endpoint[1:]}, {when}"
    words = hazard_words(row).partition(";")[0] if row else "from the day of its assessment on"
    axis.set_title(f"{title}\n{words}", fontsize=6.6, weight="normal")
    axis.set_xlabel("days from infusion" if _from_infusion(curves) else "days from the landmark")
    _numbers_at_risk(axis, curves, names)


def _from_infusion(curves: pd.DataFrame) -> bool:
    first = curves.iloc[0]
    return bool(first["timepoint"] == "" and first["analysis"] != RESPONSE)


def _numbers_at_risk(axis: Axes, curves: pd.DataFrame, names: list[str]) -> None:
    """Write the legend and the numbers at risk below the axis."""
    ticks = [tick for tick in axis.get_xticks() if 0 <= tick <= axis.get_xlim()[1]]
    first = curves["curve"].iloc[0]
    for line, group in enumerate(names):
        own = curves[(curves["group"] == group) & (curves["curve"] == first)]
        below = -0.36 - 0.19 * line
        where: dict[str, Any] = {"transform": axis.transAxes, "va": "center", "fontsize": 6.3}
        color = COLORS[group]
        axis.text(0.0, below, f"{GROUPS[group]}, at risk:", color=color, **where)
        for tick, number in zip(ticks, at_risk(own, np.array(ticks)), strict=True):
            axis.text(
                tick / axis.get_xlim()[1], below - 0.09, str(number), color=INK, ha="center",
                **where,
            )  # fmt: skip


def _order_of(values: pd.Series) -> Any:
    order = {name: i for i, name in enumerate(dict.fromkeys(values))}
    return lambda column: column.map(order)


def _row_name(row: Mapping[Any, Any], *, compartment: bool) -> str:
    """Return the name of a row of the forest; long lists of covariates are cut."""
    words = f"{marker_words(row)}, {when_words(row, compartment=compartment)}"
    return words if len(words) <= MOST_LETTERS else f"{words[: MOST_LETTERS - 3]}..."


def _forest_row(axis: Axes, place: float, row: Mapping[Any, Any], *, reach: float) -> None:
    is_primary = row["role"] == PRIMARY
    events = f"{row['n_events']:.0f} of {row['n']:.0f}"
    write_words(axis, COUNTS_AT, place, events, ha="left")
    write_result(axis, place, row, keys=KEYS, ratio_at=RATIO_AT, p_at=P_AT)
    if not np.isfinite(row["estimate"]):
        return
    line = LAMM_COLOR if is_primary else NEUTRAL
    middle = draw_interval(
        axis, place, row, keys=KEYS, reach=reach, color=line, linewidth=2.0 if is_primary else 1.2
    )
    is_filled = row["verdict"] in (SUPPORTED, SUGGESTIVE)
    axis.plot(
        middle, place, "s", markersize=5.5, markeredgecolor=line, markerfacecoloralt="white",
        color=line if is_filled else "white", zorder=3, clip_on=False,
        fillstyle="left" if row["verdict"] == SUGGESTIVE else "full",
    )  # fmt: skip


def _forest_frame(axis: Axes, *, reach: float, bottom: float) -> None:
    axis.axvline(0, color="#9aa3a9", linewidth=0.8, zorder=0)
    axis.set_xlim(-reach, reach)
    axis.set_ylim(bottom, -0.4)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    ratios = RATIOS[np.abs(np.log(RATIOS)) <= reach]
    axis.set_xticks(np.log(ratios), [f"{ratio:g}" for ratio in ratios])
    axis.set_xlabel(
        "hazard ratio per standard deviation, log scale, 95 % confidence interval\n"
        "\N{LEFTWARDS ARROW} later events      sooner events \N{RIGHTWARDS ARROW}\n"
        "filled: supported, half: suggestive, open: inconclusive"
    )
    write_words(axis, COUNTS_AT, 0.15, "events", color=NEUTRAL)
    write_words(axis, RATIO_AT, 0.15, "hazard ratio (95 % CI)", color=NEUTRAL)
    write_words(axis, P_AT, 0.15, "p", color=NEUTRAL)
