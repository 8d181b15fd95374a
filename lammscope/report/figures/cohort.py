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
from lammscope.report.figures.points import name_points
from lammscope.report.figures.sample_axis import (
    MAX_LEVEL,
    MAX_NAMED,
    few_patch,
    name_parts,
    room_of_sizes,
    sample_axis,
    sample_places,
    sample_size,
    stack_shares,
    write_sizes,
)
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, population_colors
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
    figure = Figure(figsize=sample_size(groups, 5.6), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    rows = [
        ("total_counts", "UMI counts", True, ("min_counts", "max_counts")),
        ("n_genes", "genes", True, ("min_genes", "max_genes")),
        ("pct_mt", "mitochondrial %", False, ("max_pct_mt",)),
    ]
    for axis, (column, label, log, limits) in zip(axes, rows, strict=True):
        boxes, names = [], []
        for place, sample, name in zip(places, groups["sample"], groups["label"], strict=True):
            frame = qc[sample]
            values = frame[column].to_numpy(dtype=float)
            values = values[np.isfinite(values)]
            values = np.log10(np.maximum(values, 1.0)) if log else values
            if len(groups) <= MAX_NAMED:  # of more, only a gray band could be seen
                _silhouette(axis, values, place)
            kept = values[frame.loc[np.isfinite(frame[column]), "passes"].to_numpy(dtype=bool)]
            if len(kept):
                low, q1, median, q3, high = np.percentile(kept, [5, 25, 50, 75, 95])
                boxes.append((place, low, q1, median, q3, high))
                middle = f"{10**median:,.0f}" if log else f"{median:.1f}"
                names.append(f"{name}: median {middle} {label}, {len(kept):,} barcodes pass")
        _boxes(axis, boxes, names=names)
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


def _boxes(axis: Axes, boxes: Sequence[tuple[float, ...]], *, names: Sequence[str]) -> None:
    if not boxes:
        return
    place, low, q1, median, q3, high = np.array(boxes).T
    name_points(axis, place, median, names)
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
    width = 0.78 if len(groups) <= MAX_NAMED else 1.0
    places, bottom = sample_places(groups), np.zeros(len(groups))
    figure = Figure(figsize=sample_size(groups, 3.3), layout="constrained")
    axis = figure.subplots()
    for i, column in enumerate(["n_cells", *removed]):
        color = "#2f4a5a" if i == 0 else REASON_COLORS[(i - 1) % len(REASON_COLORS)]
        reason = column.removeprefix("n_")
        words = REASON_WORDS.get(reason, readable(reason))
        label = "kept" if i == 0 else f"removed: {words}"
        axis.bar(places, table[column], width, bottom, color=color, label=label)
        bottom += table[column].to_numpy(dtype=float)
    kept = table["n_cells"].astype(int).tolist()
    write_sizes(axis, places, bottom, kept, few=data.min_cells)
    names = [
        f"{name}: {own:,} cells of {whole:,.0f} barcodes"
        for name, own, whole in zip(groups["label"], kept, bottom, strict=True)
    ]
    name_points(axis, places, bottom / 2, names)
    axis.set_ylabel("barcodes (number: cells kept)" if len(groups) <= MAX_NAMED else "barcodes")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axis.set_ylim(0, max(bottom.max() * (1.12 if len(groups) <= MAX_LEVEL else 1.2), 1))
    sample_axis(axis, groups, name_groups=True, labels=True)
    figure.legend(loc="outside right center")
    return figure


# --- composition ----------------------------------------------------------------------------------


def composition(data: CohortData) -> Figure:
    """Draw stacked bars of the populations of each sample, of all and of monocytic cells.

    The number above a bar is that of its cells. Bars of fewer than `min_cells` are pale.
    """
    counts, samples = data.counts, data.samples
    parts = counts[counts["partition"].astype(bool)]
    groups = sample_groups(samples[samples["sample"].isin(parts["sample"])])
    panels = [("of all cells", parts)]
    monocytic = parts[parts["lineage"] == "monocytic"]
    if monocytic["n_cells"].sum() > 0:
        panels.append(("of monocytic cells", monocytic))
    size = sample_size(groups, 1.1 + 2.4 * len(panels))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(panels), 1, squeeze=False)[:, 0]
    shown: dict[str, str] = {}
    few, room = False, 0.0
    for axis, (label, frame) in zip(axes, panels, strict=True):
        table = frame.pivot_table(
            index="sample", columns="population", values="n_cells", aggfunc="sum"
        ).reindex(groups["sample"])
        shown |= population_colors(table.columns[table.sum() > 0])
        table = table.fillna(0).astype(int)
        few |= _composition_bars(axis, table, groups=groups, min_cells=data.min_cells)
        room = room or room_of_sizes(table.sum(axis=1).tolist())
        axis.set_ylabel(label)
        sample_axis(axis, groups, name_groups=False, labels=axis is axes[-1])
    sample_axis(axes[0], groups, name_groups=True, labels=len(axes) == 1, lift=room)
    names = population_colors(list(shown))
    patches = [Patch(color=color, label=readable(name)) for name, color in names.items()]
    patches += [few_patch(data.min_cells)] if few else []
    figure.legend(handles=patches, loc="outside right center")
    return figure


def _composition_bars(
    axis: Axes, table: pd.DataFrame, *, groups: pd.DataFrame, min_cells: int
) -> bool:
    """Draw the populations of each sample; return whether a sample has too few cells."""
    sizes = table.sum(axis=1)
    share = table.div(sizes.replace(0, np.nan), axis=0).fillna(0)
    colors = population_colors(share.columns[share.sum() > 0])
    share, places = share[list(colors)], sample_places(groups)
    few = (sizes < min_cells).to_numpy()
    stack_shares(axis, places, share, colors=list(colors.values()), pale=few)
    heights = np.where(sizes > 0, 1.0, 0.0)
    write_sizes(axis, places, heights, sizes.tolist(), few=min_cells)
    words = [readable(name) for name in colors]
    name_parts(
        axis, places, share, labels=groups["label"].tolist(), words=words, sizes=sizes.tolist()
    )
    return bool(few.any())
