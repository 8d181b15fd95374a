"""Volcano plots of a contrast: differential expression within populations."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lammscope.core.words import readable, write_number
from lammscope.report.figures.contrast import ContrastData
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, sentence_figure
from lammscope.report.order import volcano_types

UP_COLOR, DOWN_COLOR = "#a3432a", "#3d6f8e"
N_NAMED = 40  # genes per population that the report names where a reader points at them


def volcano(data: ContrastData) -> Figure:
    """Draw volcano plots of LAMM cells and the main cell types, with names of the top genes."""
    expression, contrast = data.expression, data.contrast
    types = volcano_types(expression, n_types=6) if "p" in expression else []
    if not types:
        return sentence_figure(
            f"No population had enough samples for expression tests in {contrast.name}."
        )
    n_columns = min(3, len(types))
    n_rows = -(-len(types) // n_columns)
    figure = Figure(figsize=(3.2 * n_columns, 0.35 + 2.9 * n_rows), layout="constrained")
    axes = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis, cell_type in zip(axes, types, strict=False):
        genes = expression[(expression["cell_type"] == cell_type) & expression["p"].notna()]
        _volcano_panel(axis, genes, title=cell_type, max_fdr=data.max_fdr, n_labels=data.n_labels)
    for axis in axes[len(types) :]:
        axis.set_visible(False)
    words = f"log₂ fold change{contrast.per} (right: {contrast.toward('higher')})"
    figure.supxlabel(words, fontsize=8)
    figure.supylabel("\N{MINUS SIGN}log₁₀ p", fontsize=8)
    return figure


def _volcano_panel(
    axis: Axes, genes: pd.DataFrame, *, title: str, max_fdr: float, n_labels: int
) -> None:
    x = genes["log2fc"].to_numpy(dtype=float)
    y = -np.log10(np.maximum(genes["p"].to_numpy(dtype=float), 1e-300))
    significant = genes["fdr"].to_numpy(dtype=float) <= max_fdr
    ambient = genes["ambient"].to_numpy(dtype=bool)
    up, down = significant & (x > 0), significant & (x < 0)
    others = ~significant & ~ambient
    axis.scatter(x[others], y[others], s=4, color="#c3c9ce", linewidths=0, rasterized=True)
    axis.scatter(x[ambient], y[ambient], s=7, facecolors="none", edgecolors="#9aa3a9",
                 linewidths=0.5, rasterized=True)  # fmt: skip
    axis.scatter(x[down], y[down], s=8, color=DOWN_COLOR, linewidths=0, rasterized=True)
    axis.scatter(x[up], y[up], s=8, color=LAMM_COLOR if title == "LAMM" else UP_COLOR,
                 linewidths=0, rasterized=True)  # fmt: skip
    reach = 1.15 * max(float(np.abs(x).max()), 1.0)
    axis.set_xlim(-reach, reach)
    axis.set_ylim(0, 1.12 * max(float(y.max()), 1.5))
    axis.axvline(0, color="#dfe3e6", linewidth=0.7, zorder=0)
    axis.set_title(readable(title), color=LAMM_COLOR if title == "LAMM" else INK)
    words = f"{up.sum()} up, {down.sum()} down"
    axis.text(
        1.0,
        1.01,
        words,
        transform=axis.transAxes,
        ha="right",
        va="bottom",
        fontsize=6,
        color=NEUTRAL,
    )
    symbols = genes["symbol"].astype(str).tolist()
    _name_genes(axis, genes, y, n_named=N_NAMED)
    chosen = [side[np.argsort(-y[side], kind="stable")][:n_labels]
              for side in (np.flatnonzero(up), np.flatnonzero(down))]  # fmt: skip
    _label_points(axis, x, y, symbols, np.concatenate(chosen))


def _name_genes(axis: Axes, genes: pd.DataFrame, y: np.ndarray, *, n_named: int) -> None:
    """Name the genes with the smallest p, for the report."""
    first = np.argsort(-y, kind="stable")[:n_named]
    best = genes.iloc[first]
    names = [
        f"{row['symbol']}: log₂ fold change {write_number(row['log2fc'], 'signed')}, "
        f"p {write_number(row['p'], 'p')}"
        for row in best[["symbol", "log2fc", "p"]].to_dict("records")
    ]
    name_points(axis, best["log2fc"].to_numpy(dtype=float), y[first], names)


def _label_points(
    axis: Axes, x: np.ndarray, y: np.ndarray, words: Sequence[str], chosen: np.ndarray
) -> None:
    """Write the names of points, best first, and skip those that would overlap others."""
    left, right = axis.get_xlim()
    top = axis.get_ylim()[1]
    boxes: list[tuple[float, float, float]] = []
    thread = {"arrowstyle": "-", "linewidth": 0.4, "color": "#9aa3a9"}
    for i in chosen[np.argsort(-y[chosen], kind="stable")]:
        at_x, at_y = (x[i] - left) / (right - left), y[i] / top
        width = 0.03 * len(words[i])
        sides = (1, -1) if x[i] > 0 else (-1, 1)
        for side, lift in [(s, up) for up in (0.0, 0.04, -0.04, 0.08) for s in sides]:
            start = at_x + 0.015 if side > 0 else at_x - 0.015 - width
            level = at_y + lift
            inside = start > 0 and start + width < 1.02 and 0 < level < 1
            apart = all(
                abs(level - v) > 0.042 or start + width < u or start > u + w for u, v, w in boxes
            )
            if inside and apart:
                boxes.append((start, level, width))
                axis.annotate(
                    words[i], (x[i], y[i]), (start + (0 if side > 0 else width), level),
                    textcoords="axes fraction", fontsize=6, style="italic", va="center",
                    ha="left" if side > 0 else "right",
                    arrowprops=thread if lift else None,
                )  # fmt: skip
                break
