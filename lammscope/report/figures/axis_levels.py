"""Dot plot of ligands and receptors by group of cells and arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter

from lammscope.cohort.pairs import read_term
from lammscope.core.words import population_words, readable
from lammscope.report.axis_rows import CYCLOOXYGENASE, pair_words, term_words
from lammscope.report.figures.axis import AxisData, group_color
from lammscope.report.figures.style import EXPRESSION_MAP, INK, NEUTRAL, sentence_figure

MYELOID = "myeloid"
N_PAIRS = 40  # more are not readable; those with the smallest p
LONGEST = 52  # characters of a label that names genes
AREA = 46.0  # of the dot of a term that all patients have, in square points
RATES = (0.01, 0.1, 1, 10, 100)  # UMIs per 10,000 that the color bar names
COLUMN = ["pair", "kind", "ligand", "receptor"]


def pair_levels(data: AxisData) -> Figure:
    """Draw a dot per term, group of cells and arm: its level, and how many patients have a UMI.

    Rows are the tested pairs by kind, and the pre-specified one with the cyclooxygenases alone.
    """
    rows = shown_pairs(data)
    slots = data.levels.slots
    if rows.empty or data.comparison.units.empty:
        return sentence_figure(
            f"No ligand-receptor pair to show in the contrast {readable(data.contrast.name)}."
        )
    gaps = 1.3 * rows["starts"].cumsum().to_numpy()
    y = np.arange(len(rows)) + gaps
    roles = [[MYELOID], [role for role in data.groups if role != MYELOID]]
    panels = [
        _dots(data, rows, [name for role in own for name in data.groups[role]], y=y)
        for own in roles
    ]
    names = [list(dict.fromkeys(dots["group"])) for dots in panels]
    width = 0.17 * len(slots) + 0.14
    size = 5.0 + width * sum(map(len, names)), 2.0 + 0.19 * (y[-1] + 1)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(1, 2, sharey=True, width_ratios=[max(len(own), 1) for own in names])
    for axis, dots, own in zip(axes, panels, names, strict=True):
        step = len(slots) + 0.8
        starts = dots["group"].map({name: i * step for i, name in enumerate(own)})
        _draw_dots(axis, dots.assign(x=starts.astype(float) + dots["slot"].astype(float)))
        _columns(axis, own, [slot.label for slot in slots], top=y[0])
        axis.set_ylim(y[-1] + 0.7, y[0] - 1.9)
    axes[0].set_yticks(y, [_label(row) for row in rows.to_dict("records")])
    for place, row in zip(y, rows.to_dict("records"), strict=True):
        if row["starts"]:
            axes[0].annotate(
                row["title"], (0, place - 0.95), xycoords=("axes fraction", "data"),
                xytext=(-4, 0), textcoords="offset points", ha="right", va="center",
                fontsize=7.5, weight="bold", color=INK, annotation_clip=False,
            )  # fmt: skip
    _level_legend(figure, axes)
    return figure


def shown_pairs(data: AxisData) -> pd.DataFrame:
    """Return the pairs to show.

    Columns are `COLUMN`, `senders`, `receivers`, `from_myeloid`, `starts` (whether a kind begins)
    and its `title`.
    """
    wanted = {CYCLOOXYGENASE} | ({data.primary["pair"]} if data.primary else set())
    tested = list(dict.fromkeys(data.tested["pair"]))[:N_PAIRS] if len(data.tested) else []
    pairs = data.pairs
    if pairs.empty:
        return pd.DataFrame(columns=[*COLUMN, "senders", "receivers", "starts", "title"])
    own = pairs[pairs["pair"].isin(wanted | set(tested))]
    from_myeloid = own["sender"].isin(data.groups[MYELOID])
    to_others = ~own["receiver"].isin(data.groups[MYELOID])
    own = own.assign(from_myeloid=from_myeloid)[from_myeloid == to_others]
    groups = own.groupby(["from_myeloid", *COLUMN], sort=False)
    rows = groups.agg(
        senders=("sender", lambda names: list(dict.fromkeys(names))),
        receivers=("receiver", lambda names: list(dict.fromkeys(names))),
    ).reset_index()
    rows["tested"] = rows["pair"].isin(tested)
    first = (~rows["pair"].isin(wanted)).astype(int)
    rows = rows.assign(first=first).sort_values(
        ["from_myeloid", "first", "kind", "pair"], ascending=[False, True, True, True],
        kind="stable", ignore_index=True,
    )  # fmt: skip
    kinds = rows["kind"].map(readable)
    rows["title"] = np.where(rows["from_myeloid"], kinds, kinds + ", to myeloid cells")
    rows["starts"] = rows["title"] != rows["title"].shift()
    return rows


def _label(row: Mapping[Any, Any]) -> str:
    names = f"{term_words(row['ligand'])} to {term_words(row['receptor'])}"
    if len(names) > LONGEST:
        names = pair_words(row["pair"])
    return names if row["tested"] else f"{names} (not tested)"


def _dots(
    data: AxisData, rows: pd.DataFrame, groups: Sequence[str], *, y: np.ndarray
) -> pd.DataFrame:
    """Return the dots of a panel: `group`, `slot`, `y`, `rate` and `share`."""
    dots = []
    for group in groups:
        for place, row in zip(y, rows.to_dict("records"), strict=True):
            column = "ligand" if group in row["senders"] else "receptor"
            if group not in row["senders"] and group not in row["receivers"]:
                continue
            for k, level in enumerate(data.levels.of_term(read_term(row[column]), group)):
                dots.append((group, k, place, level.rate, level.share))
    return pd.DataFrame(dots, columns=["group", "slot", "y", "rate", "share"]).dropna()


def _draw_dots(axis: Axes, dots: pd.DataFrame) -> None:
    seen = dots[dots["share"] > 0]
    axis.scatter(
        seen["x"], seen["y"], s=AREA * seen["share"], c=_shade(seen["rate"]), cmap=EXPRESSION_MAP,
        norm=_norm(), linewidths=0.25, edgecolors="#9aa2a8", clip_on=False,
    )  # fmt: skip
    none = dots[dots["share"] == 0]
    axis.plot(none["x"], none["y"], ".", color="#c3c9ce", markersize=1.6)


def _shade(rate: pd.Series) -> np.ndarray:
    return np.asarray(np.log10(np.maximum(rate.to_numpy(dtype=float), RATES[0])))


def _norm() -> Normalize:
    return Normalize(np.log10(RATES[0]), np.log10(RATES[-1]))


def _columns(axis: Axes, names: Sequence[str], labels: Sequence[str], *, top: float) -> None:
    """Name the arms below the columns and the groups of cells above them."""
    step = len(labels) + 0.8
    axis.set_xlim(-0.8, max(len(names), 1) * step - 1.0)
    ticks = [i * step + k for i in range(len(names)) for k in range(len(labels))]
    axis.set_xticks(ticks, [*labels] * len(names), rotation=90, fontsize=6.5)
    axis.tick_params(length=0)
    axis.grid(axis="y", color="#f0f2f3", linewidth=0.6)
    for spine in ("left", "bottom"):
        axis.spines[spine].set_visible(False)
    for i, name in enumerate(names):
        start, end = i * step - 0.45, i * step + len(labels) - 0.55
        axis.plot([start, end], [top - 1.35] * 2, color=group_color(name), linewidth=1.6)
        axis.text(
            start, top - 1.6, population_words(name), rotation=35, ha="left", va="bottom",
            fontsize=7, color=INK,
        )  # fmt: skip


def _level_legend(figure: Figure, axes: Sequence[Axes]) -> None:
    drawn = next((axis.collections[0] for axis in axes if axis.collections), None)
    if drawn is not None:
        bar = figure.colorbar(drawn, ax=list(axes), shrink=0.4, aspect=14, pad=0.01, anchor=(0, 0))
        bar.set_ticks(np.log10(RATES).tolist())
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{10**value:g}"))
        bar.set_label("UMIs per 10,000", fontsize=6.5)
        bar.outline.set_visible(False)
    style: dict[str, Any] = {"linestyle": "", "marker": "o"}
    sizes = {f"{pct} % of patients": np.sqrt(AREA * pct / 100) for pct in (25, 50, 100)}
    dots = [
        Line2D([], [], color=NEUTRAL, markersize=size, label=label, **style)
        for label, size in sizes.items()
    ]
    dots.append(
        Line2D([], [], linestyle="", marker=".", color="#c3c9ce", markersize=2, label="none")
    )
    figure.legend(handles=dots, loc="outside right upper", title="with a UMI", title_fontsize=7)
