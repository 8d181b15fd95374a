"""Data of the figures of LAMM cells and T cells in a contrast, and the figure of its pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from lammscope.axis.primary import PRIMARY
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import population_words, readable
from lammscope.report.axis_levels import Levels
from lammscope.report.axis_rows import fold_words, pair_words, read_rows, rows_in_order
from lammscope.report.figures.style import (
    ARM_COLORS,
    INK,
    LAMM_COLOR,
    NEUTRAL,
    PHASE_COLORS,
    UNKNOWN_COLORS,
    sentence_figure,
)
from lammscope.report.order import POPULATION_COLORS

SIDE_COLORS = {**ARM_COLORS, **PHASE_COLORS}
LOWER, HIGHER = "#2f6f9f", "#a3432a"  # if the sides are neither arms nor phases
PALE = "#c3c9ce"
N_LINES = 16  # more are not readable
SENDER_AT, LABEL_AT, RECEIVER_AT = 0.19, 0.5, 0.81  # on the x axis, from 0 to 1
HALF_LABEL = 0.09
GAP = 0.45  # between groups of cells, in lines
DASHES: Any = (0, (3.2, 1.8))


@dataclass(frozen=True, eq=False)
class AxisData:
    """Data from which the figures of a contrast are drawn.

    Attributes
    ----------
    levels
        Levels of terms in the patients of the contrast.
    table, values
        `axis/pairs.{contrast}.tsv` and `axis/values.{contrast}.tsv.gz`; may be empty.
    groups
        Names of the groups of cells by role.
    primary
        `pair`, `sender` and `receiver` of the pre-specified row, also in secondary contrasts.
    states
        `axis/states.{contrast}.tsv`; may be empty.
    """

    levels: Levels
    table: pd.DataFrame
    values: pd.DataFrame
    groups: Mapping[str, Sequence[str]]
    primary: Mapping[str, str] | None
    states: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def comparison(self) -> Comparison:
        """Who is compared with whom."""
        return self.levels.comparison

    @property
    def contrast(self) -> Contrast:
        """The contrast."""
        return self.comparison.contrast

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """All pairs, with empty text where the file has none."""
        return read_rows(self.table)

    @cached_property
    def tested(self) -> pd.DataFrame:
        """The tested pairs, the most important first."""
        return rows_in_order(self.pairs)


def side_color(contrast: Contrast, side: str) -> str:
    """Return the color of a side, or of what is higher in it."""
    other = HIGHER if side == "test" else LOWER
    return SIDE_COLORS.get(contrast.value_of(side), other)


def group_color(name: str) -> str:
    """Return the color of a group of cells: that of its population."""
    if name.startswith("LAMM"):
        return LAMM_COLOR
    known = {"monocytic": "Classical_monocyte", "malignant_B": "Malignant_B"}
    names = (known.get(name, name), f"{name}_T")
    return next((POPULATION_COLORS[n] for n in names if n in POPULATION_COLORS), UNKNOWN_COLORS[0])


def wiring(data: AxisData) -> Figure:
    """Draw supported and suggestive pairs as lines from senders to receivers.

    The left half of a line stands for the sender's term, the right one for the receiver's: gray if
    that term does not differ by itself.
    """
    where = readable(data.contrast.name)
    found = data.tested
    if found.empty:
        return sentence_figure(f"No ligand-receptor pair could be tested in the contrast {where}.")
    found = found[found["verdict"].isin([SUPPORTED, SUGGESTIVE])]
    if found.empty:
        return sentence_figure(
            f"Of {len(data.tested)} tested combinations of pair, sender and receiver in the "
            f"contrast {where}, none is supported or suggestive."
        )
    lines = wired_rows(data, found)
    n_more = max(len(lines) - N_LINES, 0)
    order = [name for names in data.groups.values() for name in names]
    rank = lines["sender"].map({name: i for i, name in enumerate(order)})
    lines = lines.assign(_sender=rank).head(N_LINES)
    lines = lines.sort_values(["_sender", "receiver"], kind="stable", ignore_index=True)
    gap = GAP * (lines["sender"] != lines["sender"].shift()).cumsum().to_numpy()
    left = np.arange(len(lines)) + gap
    right = _right_places(lines, left)
    top, bottom = min(left[0], right.min()), max(left[-1], right.max())
    height = 1.0 + 0.34 * (bottom - top + 1)
    figure = Figure(figsize=(9.0, height))
    figure.subplots_adjust(left=0.005, right=0.995, top=1 - 0.3 / height, bottom=0.62 / height)
    axis = figure.subplots()
    axis.set_axis_off()
    axis.set_xlim(0, 1)
    axis.set_ylim(bottom + 0.6, top - 0.6)
    for place, end, row in zip(left, right, lines.to_dict("records"), strict=True):
        _draw_line(axis, place, end, row, contrast=data.contrast)
    _draw_groups(axis, lines["sender"], left, x=SENDER_AT, outwards=-1)
    _draw_groups(axis, lines["receiver"], right, x=RECEIVER_AT, outwards=1)
    for x, words in ((SENDER_AT, "sender"), (LABEL_AT, "pair"), (RECEIVER_AT, "receiver")):
        axis.text(x, top - 0.75, words, ha="center", color=NEUTRAL, fontsize=7.5)
    _wiring_legend(figure, lines, contrast=data.contrast, n_more=n_more)
    return figure


def wired_rows(data: AxisData, found: pd.DataFrame) -> pd.DataFrame:
    """Return one row per pair and partner of myeloid cells, whose groups overlap.

    It is that of the pre-specified sender's group, else of the first group of the config.
    """
    myeloid = list(data.groups["myeloid"])
    if data.primary and data.primary["sender"] in myeloid:
        myeloid = list(dict.fromkeys([data.primary["sender"], *myeloid]))
    place = {name: i for i, name in enumerate(myeloid)}
    sender, receiver = (found[side].map(place) for side in ("sender", "receiver"))
    keys = found.assign(
        rank=sender.fillna(0) + receiver.fillna(0),
        _sender=found["sender"].mask(sender.notna(), "myeloid"),
        _receiver=found["receiver"].mask(receiver.notna(), "myeloid"),
    )
    kept = keys.sort_values("rank", kind="stable")
    kept = kept.drop_duplicates(["pair", "_sender", "_receiver"]).sort_index()
    return found.loc[kept.index].reset_index(drop=True)


def _right_places(lines: pd.DataFrame, left: np.ndarray) -> np.ndarray:
    """Return where the lines end: those of one receiver side by side, with few crossings."""
    own = lines.assign(left=left)
    own["middle"] = own.groupby("receiver")["left"].transform("mean")
    order = own.sort_values(["middle", "receiver", "left"], kind="stable").index
    ordered = lines.loc[order, "receiver"]
    place = np.arange(len(lines)) + GAP * (ordered != ordered.shift()).cumsum().to_numpy()
    place = place - place.mean() + left.mean()
    return np.asarray(pd.Series(place, index=order).sort_index())


def _draw_line(
    axis: Axes, place: float, end: float, row: Mapping[Any, Any], *, contrast: Contrast
) -> None:
    estimate = float(row["estimate"])
    color = side_color(contrast, "test" if estimate > 0 else "reference")
    style: dict[str, Any] = {
        "linewidth": float(np.clip(0.8 + 1.1 * abs(estimate), 1.0, 6.0)),
        "linestyle": "solid" if row["verdict"] == SUPPORTED else DASHES,
        "facecolor": "none",
        "capstyle": "butt",
    }
    ways = {
        "sender": ((SENDER_AT, place), (LABEL_AT - HALF_LABEL, place)),
        "receiver": ((LABEL_AT + HALF_LABEL, place), (RECEIVER_AT, end)),
    }
    for term, ((x, y), (to_x, to_y)) in ways.items():
        middle = (x + to_x) / 2
        path = Path(
            [(x, y), (middle, y), (middle, to_y), (to_x, to_y)],
            [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
        )
        differs = row[f"{term}_p"] < ALPHA and row[f"{term}_estimate"] * estimate > 0
        axis.add_patch(PathPatch(path, edgecolor=color if differs else PALE, **style))
    is_primary = row["role"] == PRIMARY
    axis.text(
        LABEL_AT, place - 0.17, pair_words(row["pair"]), ha="center", va="center", fontsize=7.5,
        weight="bold", color=LAMM_COLOR if is_primary else INK,
    )  # fmt: skip
    axis.text(
        LABEL_AT, place + 0.2, fold_words(row), ha="center", va="center", fontsize=6.5, color=color
    )


def _draw_groups(
    axis: Axes, groups: pd.Series, places: np.ndarray, *, x: float, outwards: int
) -> None:
    """Draw a bar beside the lines of each group of cells, and its name."""
    for name in groups.unique():
        own = places[(groups == name).to_numpy()]
        low, high = own.min() - 0.38, own.max() + 0.38
        start = x if outwards > 0 else x - 0.012
        axis.add_patch(Rectangle((start, low), 0.012, high - low, color=group_color(str(name))))
        axis.text(
            x + outwards * 0.02, (low + high) / 2, population_words(name),
            ha="left" if outwards > 0 else "right", va="center", fontsize=8, color=INK,
        )  # fmt: skip


def _wiring_legend(figure: Figure, lines: pd.DataFrame, *, contrast: Contrast, n_more: int) -> None:
    ways = {"higher": lines["estimate"] > 0, "lower": lines["estimate"] < 0}
    sides = {"higher": "test", "lower": "reference"}
    handles = [
        Line2D([], [], color=side_color(contrast, sides[way]), linewidth=2.5,
               label=readable(contrast.verdict(way)))
        for way, own in ways.items() if own.any()
    ]  # fmt: skip
    handles += [
        Line2D([], [], color=INK, linewidth=1.8, linestyle=style, label=verdict)
        for verdict, style in {SUPPORTED: "solid", SUGGESTIVE: DASHES}.items()
    ]
    gray = "gray half: this term does not differ by itself"
    handles.append(Line2D([], [], color=PALE, linewidth=2.5, label=gray))
    figure.legend(handles=handles, loc="lower center", ncols=len(handles), handlelength=2.6)
    if n_more:
        words = f"{n_more} more suggestive or supported combinations are in the table"
        figure.text(
            0.5, 0.34 / figure.get_figheight(), words, ha="center", fontsize=7, color=NEUTRAL
        )
