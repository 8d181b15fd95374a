"""Data of a cohort's figures, and the figures of quality and composition.

Tables have the formats of `docs/files.md`. A figure without data contains a sentence that says so,
so that every output exists.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter

from lammscope.core.words import readable
from lammscope.report.figures.style import (
    INK,
    LAMM_COLOR,
    NEUTRAL,
    population_colors,
    sample_axis,
    sample_places,
    sample_width,
    stack_shares,
)
from lammscope.report.order import sample_groups

LOG_TICKS = np.log10([factor * 10.0**power for power in range(7) for factor in (1, 3)])
REASON_WORDS = {
    "ambient": "ambient RNA",
    "high_mt": "high mitochondrial",
    "high_hb": "high hemoglobin",
}
REASON_COLORS = ("#b9c0c6", "#e0b24f", "#8e63b8", "#58b39a", "#bcd7f0", "#8a6a12", "#3b7fc4")


@dataclass(frozen=True, eq=False)
class CohortData:
    """Data from which the figures of a cohort are drawn.

    Attributes
    ----------
    cells
        `annotation/cells.parquet`, n rows.
    umap
        n x 2 coordinates, rows as in `cells`.
    expression
        n x defining markers, log(1 + UMIs per 10,000), rows as in `cells`; columns are symbols.
    pooled
        The same, pooled over each cell and its neighbors.
    order
        Rows of `cells` that UMAPs show, in drawing order, from `order.drawing_order`. Legends and
        titles count all cells.
    qc
        Per sample, `qc/{sample}.parquet`.
    qc_summary
        From `cells.summarize_qc`: `n_barcodes`, `n_cells` and `n_<reason>` per sample.
    samples
        The sample table.
    counts
        `abundance/counts.tsv`.
    thresholds
        The `qc` section of the config. Thresholds of the metrics shown are drawn as dashed lines.
    min_cells
        Samples with fewer cells in a denominator are drawn hollow.

    Raises
    ------
    ValueError
        If the number of rows of `umap`, `expression` or `pooled` differs from that of `cells`.
    """

    cells: pd.DataFrame
    umap: np.ndarray
    expression: pd.DataFrame
    pooled: pd.DataFrame
    order: np.ndarray
    qc: Mapping[str, pd.DataFrame]
    qc_summary: pd.DataFrame
    samples: pd.DataFrame
    counts: pd.DataFrame
    thresholds: Mapping[str, float]
    min_cells: int

    def __post_init__(self) -> None:
        """Check that all arrays have one row per cell."""
        sizes = {
            "umap": len(self.umap),
            "expression": len(self.expression),
            "pooled": len(self.pooled),
        }
        for name, n_rows in sizes.items():
            if n_rows != len(self.cells):
                raise ValueError(
                    f"{name} has {n_rows} rows but cells has {len(self.cells)}: "
                    "both must come from the same cell index; remove the older file and rerun"
                )

    @cached_property
    def xy(self) -> np.ndarray:
        """The UMAP coordinates in double precision."""
        return np.asarray(self.umap, dtype=float)

    @cached_property
    def points(self) -> pd.DataFrame:
        """The rows of `cells` with `phase` and `response` of their samples."""
        labels = self.samples[["sample", "phase", "response"]]
        return self.cells.merge(labels, on="sample", how="left", validate="many_to_one")


# --- quality --------------------------------------------------------------------------------------


def qc_metrics(data: CohortData) -> Figure:
    """Draw the distributions of counts, genes and mitochondrial percentage by sample.

    The gray shape shows all barcodes that were assessed, the box (quartiles; whiskers from the 5th
    to the 95th percentile) those that passed. Dashed lines are the thresholds of the config.
    """
    qc, samples, thresholds = data.qc, data.samples, data.thresholds
    groups = sample_groups(samples[samples["sample"].isin(list(qc))])
    places = sample_places(groups)
    figure = Figure(figsize=(sample_width(len(groups)), 5.6), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    rows = [
        ("total_counts", "UMI counts", True, ("min_counts", "max_counts")),
        ("n_genes", "genes", True, ("min_genes", "max_genes")),
        ("pct_mt", "mitochondrial %", False, ("max_pct_mt",)),
    ]
    for axis, (column, label, log, limits) in zip(axes, rows, strict=True):
        boxes = []
        for place, sample in zip(places, groups["sample"], strict=True):
            frame = qc[sample]
            values = frame[column].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            values = np.log10(np.maximum(values, 1.0)) if log else values
            _silhouette(axis, values, place)
            kept = values[frame.loc[np.isfinite(frame[column]), "passes"].to_numpy(dtype=bool)]
            if len(kept):
                low, q1, median, q3, high = np.percentile(kept, [5, 25, 50, 75, 95])
                boxes.append((place, low, q1, median, q3, high))
        _boxes(axis, boxes)
        axis.set_ylabel(label)
        if log:
            axis.yaxis.set_major_locator(FixedLocator(LOG_TICKS.tolist()))
            axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{10**y:,.0f}"))
        for limit in limits:
            if thresholds.get(limit) is not None:
                height = np.log10(thresholds[limit]) if log else thresholds[limit]
                axis.axhline(height, color=LAMM_COLOR, linewidth=0.8, linestyle=(0, (4, 3)))
        axis.grid(axis="y", color="#eceef0", linewidth=0.6)
    sample_axis(axes[0], groups, name_groups=True, labels=False)
    sample_axis(axes[-1], groups, name_groups=False, labels=True)
    return figure


def _silhouette(axis: Axes, values: np.ndarray, place: float) -> None:
    """Draw a violin from a smoothed histogram, which is fast even for a million barcodes."""
    if len(values) < 5:
        axis.plot(np.full(len(values), place), values, ".", color="#b9c0c6", markersize=3)
        return
    low, high = np.percentile(values, [0.5, 99.5])
    heights, edges = np.histogram(values, bins=40, range=(low, high + 1e-9))
    smooth = np.convolve(heights, [0.1, 0.2, 0.4, 0.2, 0.1], mode="same")
    width = 0.42 * smooth / max(smooth.max(), 1.0)
    middle = (edges[1:] + edges[:-1]) / 2
    axis.fill_betweenx(middle, place - width, place + width, color="#cfd6db", linewidth=0)


def _boxes(axis: Axes, boxes: Sequence[tuple[float, ...]]) -> None:
    if not boxes:
        return
    place, low, q1, median, q3, high = np.array(boxes).T
    axis.vlines(place, low, high, color=NEUTRAL, linewidth=0.8)
    axis.bar(place, q3 - q1, 0.3, q1, color="white", edgecolor=NEUTRAL, linewidth=0.9, zorder=3)
    axis.hlines(median, place - 0.15, place + 0.15, color=INK, linewidth=1.6, zorder=4)


def qc_barcodes(data: CohortData) -> Figure:
    """Draw the barcodes kept, removed by their first reason, and removed as doublets, by sample."""
    qc_summary, samples = data.qc_summary, data.samples
    groups = sample_groups(samples[samples["sample"].isin(qc_summary["sample"])])
    table = qc_summary.set_index("sample").reindex(groups["sample"]).fillna(0)
    counted = [
        c for c in map(str, table) if c.startswith("n_") and c not in ("n_barcodes", "n_cells")
    ]
    removed = [column for column in counted if table[column].sum() > 0]
    places, bottom = sample_places(groups), np.zeros(len(groups))
    figure = Figure(figsize=(sample_width(len(groups)), 3.2), layout="constrained")
    axis = figure.subplots()
    for i, column in enumerate(["n_cells", *removed]):
        color = "#2f4a5a" if i == 0 else REASON_COLORS[(i - 1) % len(REASON_COLORS)]
        reason = column.removeprefix("n_")
        words = REASON_WORDS.get(reason, readable(reason))
        label = "kept" if i == 0 else f"removed: {words}"
        axis.bar(places, table[column], 0.78, bottom, color=color, label=label)
        bottom += table[column].to_numpy(dtype=float)
    size = 6 if len(groups) <= 40 else 4
    for place, height, kept in zip(places, bottom, table["n_cells"], strict=True):
        axis.annotate(f"{kept:,.0f}", (place, height), (0, 2), textcoords="offset points",
                      ha="center", fontsize=size, color="#2f4a5a")  # fmt: skip
    axis.set_ylabel("barcodes (number: cells kept)")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axis.set_ylim(0, max(bottom.max() * 1.12, 1))
    sample_axis(axis, groups, name_groups=True, labels=True)
    figure.legend(loc="outside right center")
    return figure


# --- composition ----------------------------------------------------------------------------------


def composition(data: CohortData) -> Figure:
    """Draw stacked bars of the populations of each sample, of all and of monocytic cells."""
    counts, samples = data.counts, data.samples
    parts = counts[counts["partition"].astype(bool)]
    groups = sample_groups(samples[samples["sample"].isin(parts["sample"])])
    panels = [("of all cells", parts)]
    monocytic = parts[parts["lineage"] == "monocytic"]
    if monocytic["n_cells"].sum() > 0:
        panels.append(("of monocytic cells", monocytic))
    size = (sample_width(len(groups)), 1.1 + 2.3 * len(panels))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    places = sample_places(groups)
    shown: dict[str, str] = {}
    for axis, (label, frame) in zip(axes, panels, strict=True):
        table = frame.pivot_table(
            index="sample", columns="population", values="n_cells", aggfunc="sum"
        ).reindex(groups["sample"])
        share = table.div(table.sum(axis=1).replace(0, np.nan), axis=0).fillna(0)
        colors = population_colors(share.columns[share.sum() > 0])
        stack_shares(axis, places, share[list(colors)], colors=list(colors.values()))
        shown |= colors
        axis.set_ylabel(label)
        last = axis is axes[-1]
        sample_axis(axis, groups, name_groups=axis is axes[0], labels=last)
    names = population_colors(list(shown))
    patches = [Patch(color=color, label=readable(name)) for name, color in names.items()]
    figure.legend(handles=patches, loc="outside right center")
    return figure
