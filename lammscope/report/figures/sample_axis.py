"""Axes with a place for each sample: their order, names and groups, and bars of fractions."""

from collections.abc import Sequence
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from lammscope.core.words import elided
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import INK, NEUTRAL

MAX_NAMED = 75  # samples; the names of more do not fit below an axis
MAX_LEVEL = 25  # samples; above, numbers over bars are upright
NAME_LENGTH = 26  # characters of a name on an axis; longer ones are cut in their middle
SHORT_NAME = 12  # characters that the height of figures allows for
NARROWEST, WIDEST = 6.0, 11.0  # of a figure, in inches
BESIDE = 2.2  # inches, of labels at the left and the legend at the right
INCH_PER_LETTER = 0.057  # of names on axes
PALE = "#a5adb3"  # hatches of bars of too few cells
GAP = 0.8  # between groups, in places of samples
LEAST_SHARE = 0.04  # of a bar, for a part that is named where a reader points at it
NOTE = "{:,} samples, too many to be named here; point at one for its name"


def sample_places(groups: pd.DataFrame) -> np.ndarray:
    """Return the positions of samples on the axis, with a gap between groups."""
    changes = (groups["group"] != groups["group"].shift()).cumsum().to_numpy() - 1
    gap = GAP if len(groups) <= MAX_NAMED else 0.02 * len(groups)
    return np.arange(len(groups)) + gap * changes


def sample_size(groups: pd.DataFrame, height: float) -> tuple[float, float]:
    """Return width and height of a figure with a place per sample, in inches.

    `height` is for names of usual length; longer ones get more.
    """
    width = float(np.clip(BESIDE + 0.3 * len(groups), NARROWEST, WIDEST))
    if len(groups) > MAX_NAMED:
        return width, height
    longest = min(int(groups["label"].str.len().max()), NAME_LENGTH)
    return width, height + INCH_PER_LETTER * max(longest - SHORT_NAME, 0)


def sample_axis(
    axis: Axes, groups: pd.DataFrame, *, name_groups: bool, labels: bool, lift: float = 4
) -> None:
    """Label an axis of samples with their groups above it and their names below it.

    `lift` is the distance of the names of groups from the axis, in points.
    """
    places = sample_places(groups)
    axis.set_xlim(places[0] - 0.7, places[-1] + 0.7)
    axis.tick_params(axis="x", length=0)
    axis.set_xticks([])
    if labels and len(groups) <= MAX_NAMED:
        names = [elided(name, NAME_LENGTH) for name in groups["label"]]
        axis.set_xticks(places, names, rotation=90)
    elif labels:
        axis.set_xlabel(NOTE.format(len(groups)), fontsize=7, color=NEUTRAL)
    if name_groups:
        _name_groups(axis, groups, places=places, lift=lift)


def _name_groups(axis: Axes, groups: pd.DataFrame, *, places: np.ndarray, lift: float) -> None:
    """Write the name of each group above its samples, on two lines or shortened where it must."""
    step = (_width(axis) - BESIDE) / (places[-1] - places[0] + 1.4)
    for group in groups["group"].unique():
        inside = places[(groups["group"] == group).to_numpy()]
        room = int((inside[-1] - inside[0] + 1 + 0.8 * GAP) * step / INCH_PER_LETTER)
        lines = wrap(group, max(room, 5), break_long_words=False)
        axis.annotate(
            "\n".join(elided(line, max(room, 5)) for line in lines),
            (inside.mean(), 1.0), xycoords=("data", "axes fraction"),
            xytext=(0, lift), textcoords="offset points", ha="center", fontsize=7, color=NEUTRAL,
        )  # fmt: skip


def write_sizes(
    axis: Axes, places: np.ndarray, heights: np.ndarray, sizes: Sequence[int], *, few: int = 0
) -> None:
    """Write the number of cells above the bar of each sample; fewer than `few` are pale.

    The numbers of many samples have no room.
    """
    if len(places) > MAX_NAMED:
        return
    for place, height, size in zip(places, heights, sizes, strict=True):
        axis.annotate(
            f"{size:,}", (place, height), (0, 2), textcoords="offset points", ha="center",
            va="bottom", fontsize=6, rotation=90 if len(places) > MAX_LEVEL else 0,
            color=INK if size >= few else NEUTRAL, fontstyle="normal" if size >= few else "italic",
            annotation_clip=False,
        )  # fmt: skip


def few_patch(min_cells: int) -> Patch:
    """Return the legend entry of bars of too few cells."""
    label = f"fewer than {min_cells} cells"
    return Patch(facecolor="none", edgecolor=PALE, hatch="//////", linewidth=0.4, label=label)


def room_of_sizes(sizes: Sequence[int]) -> float:
    """Return the height that the numbers of `write_sizes` need above the bars, in points."""
    if len(sizes) > MAX_NAMED:
        return 4.0
    longest = max(len(f"{size:,}") for size in sizes)
    return 4.0 * longest + 7 if len(sizes) > MAX_LEVEL else 12.0


def stack_shares(
    axis: Axes,
    places: np.ndarray,
    shares: pd.DataFrame,
    *,
    colors: Sequence[str],
    pale: np.ndarray | None = None,
) -> None:
    """Draw stacked bars of fractions (samples x parts, 0 to 1), the first part lowest.

    Bars of `pale` samples are light and hatched: they have too few cells for a fraction.
    """
    faint = np.zeros(len(shares), dtype=bool) if pale is None else pale
    is_many = len(places) > MAX_NAMED
    style: dict[str, Any] = {"width": 1.0 if is_many else 0.84, "antialiased": not is_many}
    bottom = np.zeros(len(shares))
    for i, column in enumerate(shares):
        color, heights = colors[i % len(colors)], shares[column].to_numpy(dtype=float)
        axis.bar(places[~faint], heights[~faint], bottom=bottom[~faint], color=color, **style)
        axis.bar(
            places[faint], heights[faint], bottom=bottom[faint], color=color, alpha=0.22, **style
        )
        bottom += heights
    if faint.any():
        axis.bar(
            places[faint], bottom[faint], facecolor="none", edgecolor=PALE, hatch="//////",
            linewidth=0.0 if is_many else 0.4, **style,
        )  # fmt: skip
    axis.set_ylim(0, 1)
    axis.yaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def name_parts(
    axis: Axes, places: np.ndarray, shares: pd.DataFrame, *, labels: Sequence[str],
    words: Sequence[str], sizes: Sequence[int],
) -> None:  # fmt: skip
    """Name the parts of stacked bars: sample, part, and its share of how many cells.

    `words` are the parts, `sizes` the cells of each bar. Of many samples, whole bars are named.
    """
    wholes = [f"{name}: {size:,} cells" for name, size in zip(labels, sizes, strict=True)]
    if len(places) > MAX_NAMED:
        name_points(axis, places, np.full(len(places), 0.5), wholes)
        return
    ends = shares.to_numpy(dtype=float).cumsum(axis=1)
    for column, part in enumerate(words):
        share = shares.iloc[:, column].to_numpy(dtype=float)
        shown = share >= LEAST_SHARE
        texts = [
            f"{label}: {part} {100 * own:.0f} % of {size:,} cells"
            for label, own, size in zip(labels, share, sizes, strict=True)
        ]
        middles = np.where(shown, ends[:, column] - share / 2, np.nan)
        name_points(axis, places, middles, texts)


def _width(axis: Axes) -> float:
    figure = axis.get_figure(root=True)
    return WIDEST if figure is None else float(figure.get_figwidth())
