"""Figures of the barcodes of each sample: knee, genes against UMIs, deviance from ambient RNA."""

from math import ceil

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure

from lammscope.core.names import ALL_BARCODES
from lammscope.report.figures.quality import (
    CLASS_COLORS,
    LIMIT_STYLE,
    QualityData,
    barcode_classes,
    class_patches,
    distinct_dots,
    label_panels,
    log_axis,
    log_range,
    panel_columns,
    sample_panels,
)
from lammscope.report.figures.style import INK, NEUTRAL, sentence_figure

N_RANKS = 55  # steps of the ranks of a knee
PER_INCH = (20, 15)  # hexagons across a panel and up
AXES, FLOORS = ["total_counts", "n_genes"], ("min_counts", "min_genes")
NO_BARCODES = "No sample has a barcode with enough UMIs to be assessed."
MT_MAP = LinearSegmentedColormap.from_list(
    "mitochondrial", ["#bcd7f0", "#7f9fc0", "#e0a32e", "#9c5a08", "#3d1f00"]
)


def knee(data: QualityData) -> Figure:
    """Draw the UMIs of the barcodes of each sample against their rank, on logarithmic scales.

    The colors below the curve are the shares of cells, ambient RNA and other removed barcodes at
    each rank.
    """
    if not data.by_need:
        return sentence_figure(NO_BARCODES)
    figure, panels = sample_panels(data)
    for sample, axis in panels.items():
        _draw_knee(axis, data.qc[sample])
    label_panels(panels, x="rank of the barcode", y="UMIs")
    figure.legend(handles=class_patches(), loc="outside upper left", ncols=3)
    return figure


def _draw_knee(axis: Axes, qc: pd.DataFrame) -> None:
    order = np.argsort(-qc["total_counts"].to_numpy(), kind="stable")
    counts = np.log10(np.maximum(qc["total_counts"].to_numpy()[order], 1))
    classes = barcode_classes(qc)[order]
    n_barcodes = len(counts)
    edges = np.unique(np.geomspace(1, n_barcodes + 1, N_RANKS).astype(int)) - 1
    low, high = log_range(counts, margin=0.08)
    starts, ends = edges[:-1], edges[1:]
    if len(edges) < 2:
        starts, ends = np.array([0]), np.array([n_barcodes])
    left, right = np.log10(starts + 1), np.log10(ends + 1)
    ranks = np.concatenate([left, right[-1:]])
    top = np.array([counts[a:b].mean() for a, b in zip(starts, ends, strict=True)])
    bottom = np.full(len(top), low)
    for name, color in CLASS_COLORS.items():
        inside = np.concatenate([[0], np.cumsum(classes == name)])
        height = (inside[ends] - inside[starts]) / (ends - starts) * (top - low)
        axis.stairs(bottom + height, ranks, baseline=bottom, fill=True, color=color, linewidth=0)
        bottom = bottom + height
    axis.stairs(top, ranks, baseline=None, color=INK, linewidth=0.8)
    log_axis(axis, which="x", low=0.0, high=max(float(right[-1]), 1.0))
    log_axis(axis, which="y", low=low, high=high)


def genes_by_umis(data: QualityData) -> Figure:
    """Draw the genes of barcodes against their UMIs, colored by the median % mitochondrial."""
    if not data.by_need:
        return sentence_figure(NO_BARCODES)
    ceiling = float(data.thresholds["max_pct_mt"])
    norm = Normalize(0, 2 * max(ceiling, 1.0))
    figure, panels = sample_panels(data)
    n_columns = panel_columns(len(panels))
    inches = figure.get_size_inches() / (n_columns, ceil(len(panels) / n_columns))
    across, up = (inches * PER_INCH).astype(int)
    tables = {sample: np.log10(data.qc[sample][AXES].clip(lower=1).to_numpy()) for sample in panels}
    floors = np.log10([max(data.thresholds[name], 1) for name in FLOORS])
    together = np.vstack([floors, *tables.values()])
    ranges = [log_range(values) for values in together.T]
    for sample, axis in panels.items():
        axis.hexbin(
            tables[sample][:, 0], tables[sample][:, 1], C=data.qc[sample]["pct_mt"],
            reduce_C_function=np.median,
            gridsize=(int(across), int(up)), extent=(*ranges[0], *ranges[1]), cmap=MT_MAP,
            norm=norm, linewidths=0.1, rasterized=True,
        )  # fmt: skip
        _draw_limits(axis, *(data.limit(name, sample=sample) for name in FLOORS))
        for which, (low, high) in zip("xy", ranges, strict=True):
            log_axis(axis, which=which, low=low, high=high)
    label_panels(panels, x="UMIs", y="genes")
    bar = figure.colorbar(
        ScalarMappable(norm, MT_MAP), ax=list(panels.values()), shrink=0.6, aspect=30,
        extend="max", location="top", anchor=(0.0, 0.5), pad=0.05,
    )  # fmt: skip
    bar.set_label("median % mitochondrial UMIs (line: highest allowed)", loc="left")
    bar.outline.set_visible(False)
    bar.ax.axvline(ceiling, color="white", linewidth=2)
    bar.ax.axvline(ceiling, color=INK, linewidth=1)
    return figure


def _draw_limits(axis: Axes, x: float, y: float) -> None:
    for place, draw in ((x, axis.axvline), (y, axis.axhline)):
        if place > 0:
            draw(np.log10(place), color=NEUTRAL, linewidth=0.8, linestyle=LIMIT_STYLE)


def ambient_deviance(data: QualityData) -> Figure:
    """Draw how far the counts of barcodes deviate from ambient RNA, against their UMIs."""
    if not data.by_need:
        return sentence_figure(NO_BARCODES)
    figure, panels = sample_panels(data)
    sources = data.contamination.set_index("sample")["ambient_profile"]
    shown = {sample: _with_deviance(data.qc[sample]) for sample in panels}
    together = pd.concat([table[["x", "y"]] for table in shown.values()])
    ranges = [log_range(together[name].to_numpy()) for name in ("x", "y")]
    ranges[1] = (min(ranges[1][0], -0.1), ranges[1][1])
    for sample, axis in panels.items():
        table = shown[sample]
        rows = distinct_dots(
            *(table[name].to_numpy() for name in ("x", "y", "class")), ranges=ranges
        )
        axis.scatter(
            table["x"].iloc[rows], table["y"].iloc[rows], s=1.6, linewidths=0, rasterized=True,
            c=table["class"].iloc[rows].map(CLASS_COLORS).tolist(),
        )  # fmt: skip
        axis.axhline(0, color=NEUTRAL, linewidth=0.8, linestyle=LIMIT_STYLE)
        _say_profile(axis, known=len(table) > 0, tested=sources.get(sample, "") != ALL_BARCODES)
        for which, (low, high) in zip("xy", ranges, strict=True):
            log_axis(axis, which=which, low=low, high=high)
    label_panels(panels, x="UMIs", y="deviance (1: ambient)")
    figure.legend(handles=class_patches(), loc="outside upper left", ncols=3)
    return figure


def _with_deviance(qc: pd.DataFrame) -> pd.DataFrame:
    """Return the logarithms of UMIs and deviance, and the classes, where there is a deviance."""
    table = pd.DataFrame(
        {
            "x": np.log10(np.maximum(qc["total_counts"], 1)),
            "y": np.log10(np.maximum(qc["ambient_deviance"], 0.1)),
            "class": barcode_classes(qc),
        }
    )
    return table[qc["ambient_deviance"].notna()]


def _say_profile(axis: Axes, *, known: bool, tested: bool) -> None:
    """Say in a panel that its barcodes were not tested, or that ambient RNA is not known."""
    if known and tested:
        return
    text = "not tested" if known else "ambient RNA\nis not known"
    axis.text(0.03, 0.96, text, transform=axis.transAxes, va="top", fontsize=7, color=NEUTRAL)
