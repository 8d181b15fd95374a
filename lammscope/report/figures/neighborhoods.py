"""Figure of the neighborhoods of a contrast, on the UMAP and by population."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import readable
from lammscope.report.figures.style import (
    ARM_COLORS,
    BACKGROUND,
    INK,
    NEUTRAL,
    sentence_figure,
)
from lammscope.report.order import population_order

MIXED = "mixed"
PALE, EDGE = "#ffffff", "#8b949a"
LOWER, HIGHER = "#2f6f9f", "#a3432a"  # if the sides are not arms
ROW_HALF = 0.38  # part of a population's row, above and below its middle, for its points
N_BINS = 60  # of the width of a row; points of a bin are stacked
UNTESTED = {
    "too_few_patients": "too few patients in an arm, or too few pairs",
    "too_few_values": "too few different values",
    "aliased": "the arms cannot be separated from a covariate",
    "too_few_cells": "too few cells in these samples",
    "no_variation": "the patients do not differ",
}


@dataclass(frozen=True, eq=False)
class NeighborhoodData:
    """Data from which the figure of the neighborhoods of a contrast is drawn.

    Attributes
    ----------
    table
        `abundance/neighborhoods.{contrast}.tsv`.
    contrast
        The contrast.
    umap, cells
        UMAP coordinates (cells x 2), and `cell` and `population`, in the order of the cell index.
    shown
        Rows of `umap` drawn in the background, from `order.shown_cells`.
    max_spatial_fdr
        Neighborhoods up to this spatial false discovery rate are colored.
    min_fraction
        Neighborhoods in which no population reaches this fraction are `mixed`.
    """

    table: pd.DataFrame
    contrast: Contrast
    umap: np.ndarray
    cells: pd.DataFrame
    shown: np.ndarray
    max_spatial_fdr: float
    min_fraction: float


def neighborhood_figure(data: NeighborhoodData) -> Figure:
    """Draw the neighborhoods of one contrast on the UMAP and by population."""
    table, contrast = data.table, data.contrast
    tested = table[table["status"] == "ok"]
    if tested.empty:
        return sentence_figure(
            f"No neighborhood of the contrast {readable(contrast.name)}: {_untested_words(table)}."
        )
    tested = tested.assign(
        row=tested["population"].where(tested["population_fraction"] >= data.min_fraction, MIXED),
        found=tested["spatial_fdr"] <= data.max_spatial_fdr,
    )
    shown = tested.loc[tested["found"], "log2fc"] if tested["found"].any() else tested["log2fc"]
    limit = float(np.clip(np.quantile(shown.abs(), 0.95), 1.0, 6.0))
    colors = ScalarMappable(Normalize(-limit, limit), _color_map(contrast))
    names = [*population_order(set(tested["row"]) - {MIXED})]
    names += [MIXED] if (tested["row"] == MIXED).any() else []
    figure = Figure(figsize=(10.0, max(4.6, 1.5 + 0.27 * len(names))), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    _map(left, tested, data=data, colors=colors)
    _name_populations(left, table["population"].unique(), umap=data.umap, cells=data.cells)
    _strips(right, tested, names=names, contrast=contrast, colors=colors)
    _legend(figure, tested, data=data, colors=colors)
    words = f"{tested['found'].sum():,} of {len(tested):,} tested neighborhoods differ"
    left.set_title(f"{words} (spatial FDR ≤ {100 * data.max_spatial_fdr:g} %)")
    left.set_xlabel(_untested_words(table), color=NEUTRAL, fontsize=7)
    return figure


def _color_map(contrast: Contrast) -> LinearSegmentedColormap:
    """Return a color map from the reference arm over white to the test arm."""
    low = ARM_COLORS.get(str(contrast.reference), LOWER)
    high = ARM_COLORS.get(str(contrast.test), HIGHER)
    return LinearSegmentedColormap.from_list("difference", [low, PALE, high])


def _sizes(n_cells: pd.Series) -> np.ndarray:
    """Return areas of dots in square points, by the number of cells."""
    return 8 + 42 * n_cells.to_numpy(dtype=float) / max(float(n_cells.max()), 1.0)


def _fill(tested: pd.DataFrame, colors: ScalarMappable) -> np.ndarray:
    """Return the colors of estimates; white above the spatial false discovery rate."""
    fill = np.array(colors.to_rgba(tested["log2fc"].to_numpy(dtype=float)))
    fill[~tested["found"].to_numpy()] = (1, 1, 1, 1)
    return fill


def _map(
    axis: Axes, tested: pd.DataFrame, *, data: NeighborhoodData, colors: ScalarMappable
) -> None:
    drawn = data.umap[data.shown]
    size = float(np.clip(30_000 / max(len(drawn), 1), 0.5, 6.0))
    axis.scatter(drawn[:, 0], drawn[:, 1], s=size, color=BACKGROUND, linewidths=0, rasterized=True)
    place = pd.Series(np.arange(len(data.cells)), index=data.cells["cell"].to_numpy())
    # those that differ are drawn on top
    order = np.argsort(tested["found"].to_numpy(), kind="stable")
    ordered = tested.iloc[order]
    xy = data.umap[place[ordered["cell"]].to_numpy()]
    axis.scatter(
        xy[:, 0], xy[:, 1], s=_sizes(ordered["n_cells"]), c=_fill(ordered, colors),
        edgecolors=np.where(ordered["found"], INK, EDGE).tolist(), linewidths=0.4,
    )  # fmt: skip
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_aspect("equal", adjustable="datalim")
    for spine in axis.spines.values():
        spine.set_visible(False)


def _name_populations(
    axis: Axes, names: Iterable[str], *, umap: np.ndarray, cells: pd.DataFrame
) -> None:
    """Write the names of populations above their cells."""
    populations = cells["population"].astype(str).to_numpy()
    for name in population_order(names):
        inside = umap[populations == name]
        axis.annotate(
            readable(name), (np.median(inside[:, 0]), np.quantile(inside[:, 1], 0.95)),
            xytext=(0, 4), textcoords="offset points", ha="center", va="bottom", fontsize=6.5,
            color=INK,
            path_effects=[withStroke(linewidth=2.2, foreground="white")],
        )  # fmt: skip


def _strips(
    axis: Axes,
    tested: pd.DataFrame,
    *,
    names: list[str],
    contrast: Contrast,
    colors: ScalarMappable,
) -> None:
    """Draw the estimates by population, one dot per neighborhood."""
    x = tested["log2fc"].to_numpy(dtype=float)
    reach = 1.08 * max(float(np.abs(x).max()), 1.0)
    y = np.empty(len(tested))
    for row, name in enumerate(names):
        inside = (tested["row"] == name).to_numpy()
        y[inside] = row + _offsets(x[inside], reach=reach)
    found = tested["found"].to_numpy()
    axis.axvline(0, color="#c3c9ce", linewidth=0.8, zorder=0)
    axis.scatter(x[~found], y[~found], s=11, c=PALE, edgecolors="#a9b1b6", linewidths=0.5)
    axis.scatter(
        x[found], y[found], s=15, c=_fill(tested, colors)[found], edgecolors=INK, linewidths=0.4
    )
    for row, name in enumerate(names):
        inside = (tested["row"] == name).to_numpy()
        middle = float(np.median(x[inside]))
        axis.plot([middle, middle], [row - 0.3, row + 0.3], color=INK, linewidth=1.2)
        words = f"{(inside & found).sum():,} of {inside.sum():,}"
        axis.text(
            1.01, row, words, transform=axis.get_yaxis_transform(), va="center", fontsize=6.5,
            color=INK if (inside & found).any() else NEUTRAL,
        )  # fmt: skip
    axis.text(
        1.01, -0.75, "differ", transform=axis.get_yaxis_transform(), fontsize=6.5, color=NEUTRAL
    )
    axis.set_yticks(range(len(names)), [readable(name) for name in names])
    for label, name in zip(axis.get_yticklabels(), names, strict=True):
        label.set_color(INK)
        label.set_fontstyle("italic" if name == MIXED else "normal")
    axis.set_xlim(-reach, reach)
    axis.set_ylim(len(names) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.set_title("Neighborhoods by population")
    powers = np.arange(-np.floor(reach), np.floor(reach) + 1, 1 if reach < 5 else 2)
    axis.set_xticks(powers, [f"{2**k:g}" if k >= 0 else f"1/{2**-k:g}" for k in powers])
    lower, higher = contrast.directions()
    axis.set_xlabel(f"{contrast.ratio('frequency')}, log scale\n← {lower}      {higher} →")


def _offsets(x: np.ndarray, *, reach: float) -> np.ndarray:
    """Return offsets from the middle of a row that stack dots with nearly equal `x`."""
    bins = np.floor((x + reach) / (2 * reach) * N_BINS).astype(int)
    rank = np.zeros(len(x))
    for number in np.unique(bins):
        inside = np.flatnonzero(bins == number)
        inside = inside[np.argsort(x[inside], kind="stable")]
        rank[inside] = np.arange(len(inside)) - (len(inside) - 1) / 2
    step = min(0.11, ROW_HALF / max(float(np.abs(rank).max(initial=0.0)), 1.0))
    return step * rank


def _untested_words(table: pd.DataFrame) -> str:
    """Return the number of neighborhoods that are not drawn, by reason, in words."""
    lost = table.loc[table["status"] != "ok", "status"].value_counts()
    return "; ".join(f"{n:,} not tested: {UNTESTED[str(status)]}" for status, n in lost.items())


def _legend(
    figure: Figure, tested: pd.DataFrame, *, data: NeighborhoodData, colors: ScalarMappable
) -> None:
    """Draw the legend below both plots."""
    largest = int(tested["n_cells"].max())
    examples = sorted({max(round(largest / 4), 1), largest})
    ends = np.array(colors.to_rgba(0.8 * np.array(colors.get_clim())))
    kinds: list[tuple[str, Any]] = list(
        zip(data.contrast.directions(), map(tuple, ends), strict=True)
    )
    kinds.append((f"spatial FDR over {100 * data.max_spatial_fdr:g} %", PALE))
    dots = [(words, color, 5.0) for words, color in kinds]
    areas = _sizes(pd.Series(examples))
    dots += [(f"{n:,} cells", PALE, np.sqrt(a)) for n, a in zip(examples, areas, strict=True)]
    handles = [
        Line2D(
            [], [], linestyle="", marker="o", markersize=size, color=color, label=words,
            markeredgecolor=EDGE if color == PALE else INK, markeredgewidth=0.5,
        )
        for words, color, size in dots
    ]  # fmt: skip
    handles.append(Line2D([], [], color=INK, linewidth=1.2, label="median"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
