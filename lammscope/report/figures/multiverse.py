"""The specification curve: the primary result under every choice, above a matrix of the choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.multiverse import CHOICES, OK, value_text
from lammscope.core.names import ALPHA
from lammscope.core.words import choice_words, readable
from lammscope.report.figures.forest import FEW_RATIOS, RATIOS
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, sentence_figure

PALE = "#aeb5b9"  # intervals with p of 0.05 or more
STRIPE = "#f4f6f7"
GAP = 2.0  # columns between the specifications that are defined and the others
ROW = 0.17  # inches of a value of a choice
CURVE = 2.9  # inches of the curve


@dataclass(frozen=True, eq=False)
class MultiverseData:
    """Data from which the specification curve is drawn.

    Attributes
    ----------
    table
        `multiverse/specifications.tsv`.
    choices
        The values of each choice, the run's own first.
    contrast
        The primary contrast.
    """

    table: pd.DataFrame
    choices: Mapping[str, Sequence[str]]
    contrast: Contrast


def specification_curve(data: MultiverseData) -> Figure:
    """Draw estimates by size with intervals; below, a dot for the value of each choice.

    Specifications that could not be computed are on the right, without an estimate.
    """
    table = data.table
    known = table[table["status"] == OK].sort_values("estimate", kind="stable")
    if known.empty:
        return sentence_figure("The primary result could not be computed under any of the choices.")
    shown = pd.concat([known, table[table["status"] != OK]])
    places = np.arange(len(shown)) + np.where(np.arange(len(shown)) < len(known), 0.0, GAP)
    varied = {name: list(data.choices[name]) for name in CHOICES if len(data.choices[name]) > 1}
    n_rows = sum(map(len, varied.values())) + 0.6 * len(varied)
    height = CURVE + ROW * n_rows + 0.55
    figure = Figure(figsize=(9.0, height))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[CURVE, ROW * n_rows])
    figure.subplots_adjust(
        left=0.22, right=0.98, top=1 - 0.3 / height, bottom=0.1 / height, hspace=0.06
    )
    _draw_curve(above, known, places[: len(known)], data.contrast)
    _draw_matrix(below, shown, places, varied)
    n_left = len(shown) - len(known)
    if n_left:
        middle = places[len(known) :].mean()
        above.annotate(
            f"not defined\n({n_left})", (middle, 0.97), xycoords=("data", "axes fraction"),
            ha="center", va="top", fontsize=7, color=NEUTRAL,
        )  # fmt: skip
    above.set_xlim(-1.2, places[-1] + 1.2)
    above.set_title(
        f"{len(known)} of {len(table)} specifications, by size of the estimate; red: the run's own",
        fontsize=8.5,
        weight="normal",
        color=INK,
    )
    return figure


def _draw_curve(axis: Axes, known: pd.DataFrame, places: np.ndarray, contrast: Contrast) -> None:
    estimates = known["estimate"].to_numpy(dtype=float)
    low, high = known["ci_low"].to_numpy(dtype=float), known["ci_high"].to_numpy(dtype=float)
    colors = np.where(known["p"] < ALPHA, INK, PALE).astype(object)
    main = known["is_main"].astype(bool).to_numpy()
    colors[main] = LAMM_COLOR
    ends = np.abs(np.concatenate([low, high]))
    largest = np.abs(estimates).max()
    reach = float(np.clip(1.05 * max(np.percentile(ends, 95), 1.1 * largest), 1.0, 7.0))
    width = float(np.clip(150 / len(known), 0.6, 2.0))
    axis.axhline(0, color="#9aa3a9", linewidth=0.8, zorder=0)
    axis.vlines(
        places, np.clip(low, -reach, reach), np.clip(high, -reach, reach), colors=colors.tolist(),
        linewidth=width, zorder=1,
    )  # fmt: skip
    axis.scatter(places, estimates, s=6 * width, c=colors.tolist(), zorder=2)
    if main.any():
        own = estimates[main][0]
        axis.axhline(own, color=LAMM_COLOR, linewidth=0.8, linestyle=":", zorder=0)
        axis.scatter(places[main], [own], s=34, c=LAMM_COLOR, marker="D", zorder=3)
    # Both directions are named beside the axis, so each has at least two fifths of the other.
    bottom = min(max(1.05 * np.nanmin(low), -reach), -0.4 * min(np.nanmax(high), reach))
    top = max(min(1.05 * np.nanmax(high), reach), 0.4 * -bottom)
    ratios = RATIOS if reach < np.log(25) else FEW_RATIOS
    ratios = ratios[(np.log(ratios) >= bottom) & (np.log(ratios) <= top)]
    axis.set_ylim(bottom, top)
    axis.set_yticks(np.log(ratios), [f"{ratio:g}" for ratio in ratios])
    axis.set_ylabel(
        f"{contrast.ratio()}, 95 % interval\n← {contrast.toward('lower')}   "
        f"{contrast.toward('higher')} →",
        fontsize=7,
    )
    axis.tick_params(axis="x", length=0, labelbottom=False)
    axis.spines["bottom"].set_visible(False)


def _draw_matrix(
    axis: Axes, shown: pd.DataFrame, places: np.ndarray, varied: Mapping[str, Sequence[str]]
) -> None:
    own = shown["is_main"].astype(bool).to_numpy()
    size = float(np.clip(900 / len(shown), 2.0, 26.0))
    ticks, names, row = [], [], 0.0
    for number, (choice, values) in enumerate(varied.items()):
        if number % 2:
            axis.axhspan(row - 0.6, row + len(values) - 0.4, color=STRIPE, zorder=0)
        middle = row + (len(values) - 1) / 2
        axis.annotate(
            choice_words(choice), (-0.275, middle),
            xycoords=("axes fraction", "data"), ha="left", va="center", fontsize=7.5, color=INK,
            weight="bold", annotation_clip=False,
        )  # fmt: skip
        for value in values:
            has = (shown[choice].map(value_text) == value).to_numpy()
            axis.scatter(places[has & ~own], np.full((has & ~own).sum(), row), s=size, c=NEUTRAL,
                         marker="|" if len(shown) > 150 else "o", linewidths=0.6)  # fmt: skip
            axis.scatter(places[has & own], np.full((has & own).sum(), row), s=34, c=LAMM_COLOR,
                         marker="D", zorder=3)  # fmt: skip
            ticks.append(row)
            names.append(readable(value))
            row += 1.0
        row += 0.6
    axis.set_ylim(row - 0.9, -0.8)
    axis.set_yticks(ticks, names)
    axis.set_xticks([])
    axis.tick_params(axis="y", length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
