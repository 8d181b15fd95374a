"""UMAPs of a cohort: cell types, samples, phases and arms, LAMM calls, and defining markers.

Legends and titles count all cells; the cells of `CohortData.order` are drawn.
"""

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from lammscope.core.names import LEVELS
from lammscope.core.words import elided, readable
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.style import (
    ARM_COLORS,
    BACKGROUND,
    EXPRESSION_MAP,
    LAMM_COLOR,
    PHASE_COLORS,
    PROBABILITY_MAP,
    counted_labels,
    legend_dots,
    population_colors,
    sentence_figure,
)
from lammscope.report.order import POPULATION_COLORS, sample_groups, shown_names

MAX_LEGEND = 50  # samples; the colors of more are too similar


def _umap_axis(axis: Axes, title: str) -> None:
    axis.set_title(title)
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_aspect("equal", adjustable="box")
    for spine in axis.spines.values():
        spine.set_visible(False)


def _umap_size(
    xy: np.ndarray,
    *,
    panel: float,
    n_columns: int = 1,
    n_rows: int = 1,
    legend: float = 0.0,
    below: float = 0.0,
) -> tuple[float, float]:
    """Return the size in inches of a figure whose panels keep the shape of the embedding."""
    width, height = np.maximum(np.ptp(xy, axis=0), 1e-9) if len(xy) else (1.0, 1.0)
    tall = panel * float(np.clip(height / width, 0.55, 1.25))
    return panel * n_columns + legend, (tall + 0.35) * n_rows + below


def _scatter(axis: Axes, xy: np.ndarray, *, n_drawn: int, **keywords: Any) -> Any:
    """Draw dots whose size depends on the number of all cells, so it is equal in all groups."""
    size = float(np.clip(40_000 / max(n_drawn, 1), 0.5, 7.0))
    return axis.scatter(xy[:, 0], xy[:, 1], s=size, linewidths=0, rasterized=True, **keywords)


def umap_cell_type(data: CohortData) -> Figure:
    """Draw a UMAP colored by population, with each name at the median of its cells."""
    points, xy, order = data.points, data.xy, data.order
    types = points["population"].astype(str)
    colors = population_colors(types)
    figure = Figure(figsize=_umap_size(xy, panel=6.0, legend=2.2), layout="constrained")
    axis = figure.subplots()
    _scatter(axis, xy[order], n_drawn=len(order), c=types.map(colors).to_numpy()[order])
    for name in colors:
        inside = (types == name).to_numpy()
        if name != "unassigned" and inside.sum() >= max(10, 0.002 * len(points)):
            x, y = np.median(xy[inside], axis=0)
            halo = [withStroke(linewidth=2.4, foreground="white")]
            axis.text(
                x, y, readable(name), ha="center", va="center", fontsize=8, weight="bold",
                path_effects=halo,
            )  # fmt: skip
    _umap_axis(axis, "Cell types")
    figure.legend(
        handles=legend_dots(counted_labels(types, names=colors), colors=colors),
        loc="outside right center",
        handletextpad=0.1,
    )
    return figure


def umap_sample(data: CohortData) -> Figure:
    """Draw a UMAP colored by sample in random order; mixed colors mean integrated samples."""
    points, xy, order, samples = data.points, data.xy, data.order, data.samples
    names = list(sample_groups(samples[samples["sample"].isin(points["sample"])])["sample"])
    shown = shown_names(samples)
    legend = 1.6 + 1.3 * (len(names) // 26) if len(names) <= MAX_LEGEND else 0.0
    shades = colormaps["turbo"](np.linspace(0.04, 0.96, max(len(names), 2)))
    colors = {name: tuple(shades[i]) for i, name in enumerate(names)}
    figure = Figure(
        figsize=_umap_size(xy, panel=5.4, legend=legend),
        layout="constrained",
    )
    axis = figure.subplots()
    _scatter(
        axis,
        xy[order],
        n_drawn=len(order),
        c=np.array([colors[s] for s in points["sample"].iloc[order]]),
    )
    _umap_axis(axis, "Samples")
    if len(names) <= MAX_LEGEND:
        figure.legend(
            handles=legend_dots({n: elided(shown[n], 26) for n in names}, colors=colors),
            loc="outside right center",
            ncols=1 + len(names) // 26,
        )
    return figure


def umap_phase(data: CohortData) -> Figure:
    """Draw a UMAP for each phase and arm, with all other cells in gray."""
    points, xy, order = data.points, data.xy, data.order
    panels = [
        (column, value, color)
        for column, colors in (("phase", PHASE_COLORS), ("response", ARM_COLORS))
        for value, color in colors.items()
        if (points[column] == value).any()
    ]
    if not panels:
        return sentence_figure("No sample of this cohort has a phase or a response label.")
    figure = Figure(figsize=_umap_size(xy, panel=2.5, n_columns=len(panels)), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False, sharex=True, sharey=True)[0]
    for axis, (column, value, color) in zip(axes, panels, strict=True):
        inside = (points[column] == value).to_numpy()
        _scatter(axis, xy[order][~inside[order]], n_drawn=len(order), color=BACKGROUND)
        _scatter(axis, xy[order][inside[order]], n_drawn=len(order), color=color)
        _umap_axis(axis, f"{readable(value)} ({inside.sum():,} cells)")
    return figure


def umap_lamm(data: CohortData) -> Figure:
    """Draw UMAPs of both LAMM probabilities and of the calls; other lineages are gray."""
    points, xy, order = data.points, data.xy, data.order
    monocytic = (points["lineage"] == "monocytic").to_numpy()
    if not monocytic.any():
        return sentence_figure("No monocytic cells in this cohort, so LAMM cells cannot be called.")
    figure = Figure(figsize=_umap_size(xy, panel=3.1, n_columns=3, below=0.4), layout="constrained")
    axes = figure.subplots(1, 3, sharex=True, sharey=True)
    for axis, level in zip(axes, LEVELS, strict=False):
        values = points[f"lamm_{level}"].fillna(0).to_numpy(dtype=float)
        _scatter(axis, xy[order][~monocytic[order]], n_drawn=len(order), color=BACKGROUND)
        top = order[monocytic[order]]
        top = top[np.argsort(values[top], kind="stable")]
        drawn = _scatter(
            axis, xy[top], n_drawn=len(order), c=values[top], cmap=PROBABILITY_MAP, vmin=0, vmax=1
        )
        _umap_axis(axis, f"Probability of LAMM ({readable(level)})")
        bar = figure.colorbar(drawn, ax=axis, shrink=0.5, aspect=14, pad=0.01)
        bar.outline.set_visible(False)
    call = points["lamm_call"].astype(object).where(monocytic, "other lineage").fillna("not_LAMM")
    colors = {
        "other lineage": BACKGROUND,
        "not_LAMM": POPULATION_COLORS["Classical_monocyte"],
        "uncertain": "#6b5a86",
        "LAMM": LAMM_COLOR,
    }
    drawn_last = order[np.argsort(monocytic[order], kind="stable")]
    _scatter(axes[2], xy[drawn_last], n_drawn=len(order), c=call.map(colors).to_numpy()[drawn_last])
    _umap_axis(axes[2], "LAMM calls (configured level)")
    axes[2].legend(
        handles=legend_dots(counted_labels(call, names=colors), colors=colors),
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        handletextpad=0.1,
    )
    return figure


def umap_definers(data: CohortData) -> Figure:
    """Draw UMAPs of each defining marker, in single cells and pooled over their neighbors."""
    levels, xy, order = data.expression, data.xy, data.order
    if levels.shape[1] == 0:
        return sentence_figure(
            "None of the defining markers of LAMM cells is among the genes of this cohort."
        )
    genes = list(levels)
    figure = Figure(
        figsize=_umap_size(xy, panel=3.1, n_columns=len(genes), n_rows=2), layout="constrained"
    )
    axes = figure.subplots(2, len(genes), squeeze=False, sharex=True, sharey=True)
    for row, table in zip(axes, (levels, data.pooled), strict=True):
        for axis, gene in zip(row, genes, strict=True):
            values = table[gene].to_numpy(dtype=float)
            detected = values[values > 0]
            top = float(np.percentile(detected, 99)) if len(detected) else 1.0
            by_level = order[np.argsort(values[order], kind="stable")]
            drawn = _scatter(
                axis,
                xy[by_level],
                n_drawn=len(order),
                c=values[by_level],
                cmap=EXPRESSION_MAP,
                vmin=0,
                vmax=top,
            )
            single = f"{gene} (in {100 * np.mean(values > 0):.0f} % of cells)"
            _umap_axis(axis, single if table is levels else f"{gene}, pooled over neighbors")
            bar = figure.colorbar(drawn, ax=axis, shrink=0.7, aspect=18, pad=0.01)
            bar.set_label("log(1 + UMIs per 10,000)", fontsize=6)
            bar.outline.set_visible(False)
    return figure
