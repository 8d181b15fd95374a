"""Data of the figures of quality control, and their common parts: panels, classes of barcodes.

Tables have the formats of `docs/files.md`. Figures with a panel per sample show the samples that
fail first, then those with the fewest cells, and name the ones that are left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil
from textwrap import fill

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from lammscope.core.words import elided, shortened
from lammscope.joint.verdicts import failed_samples
from lammscope.report.figures.style import INK, NEUTRAL
from lammscope.report.order import shown_names

MAX_PANELS, N_COLUMNS = 16, 4
PANEL_WIDTH, PANEL_HEIGHT = 1.9, 1.55  # inches
LEAST_WIDTH = 5.2  # inches, of all panels together: legends need it
MAX_NAMED = 12  # samples that are left out
TITLE = 28  # characters above a panel
LINE = 130  # characters of a note that fit in the width of four panels
LIMIT_STYLE = (0, (4, 3))
GRID = 250  # dots per axis: barcodes of one class that would be drawn at one place are one dot

CELL, AMBIENT, REMOVED = "cell", "ambient RNA", "removed"
CLASS_COLORS = {CELL: "#2f4a5a", AMBIENT: "#9aa5ae", REMOVED: "#e0a32e"}
CLASS_LABELS = {
    CELL: "passes quality control",
    AMBIENT: "ambient RNA, no cell",
    REMOVED: "removed for another reason",
}


@dataclass(frozen=True, eq=False)
class QualityData:
    """Data from which the figures of quality control are drawn.

    Attributes
    ----------
    qc
        Per sample, `qc/{sample}.parquet`.
    lineages
        `qc/lineages.tsv`.
    doublets
        Per channel, `doublets/{channel}.parquet`.
    contamination
        `qc/{sample}.contamination.tsv` of all samples.
    verdicts
        `qc/verdicts.tsv`.
    samples
        The sample table.
    thresholds
        The `qc` section of the config. Columns of `samples` with the same names replace them.
    """

    qc: Mapping[str, pd.DataFrame]
    lineages: pd.DataFrame
    doublets: Mapping[str, pd.DataFrame]
    contamination: pd.DataFrame
    verdicts: pd.DataFrame
    samples: pd.DataFrame
    thresholds: Mapping[str, float]

    @cached_property
    def failed(self) -> frozenset[str]:
        """Samples that fail quality control as a whole."""
        return frozenset(failed_samples(self.verdicts))

    @cached_property
    def shown(self) -> dict[str, str]:
        """The names of samples in figures."""
        return shown_names(self.samples)

    @cached_property
    def by_need(self) -> list[str]:
        """All samples with a barcode: those that fail first, then by the number of cells."""
        n_cells = {name: int(table["passes"].sum()) for name, table in self.qc.items()}
        names = [name for name, table in self.qc.items() if len(table)]
        return sorted(names, key=lambda name: (name not in self.failed, n_cells[name], name))

    def limit(self, name: str, *, sample: str) -> float:
        """Return a threshold of a sample: its own, or that of the config; NaN without one."""
        own = self.samples.set_index("sample").get(name, pd.Series(dtype=float))
        value = pd.to_numeric(own, errors="coerce").get(sample, np.nan)
        return float(self.thresholds.get(name, np.nan) if pd.isna(value) else value)


def barcode_classes(qc: pd.DataFrame) -> np.ndarray:
    """Return the class of each barcode: `CELL` (it passes), `AMBIENT` or `REMOVED`."""
    is_ambient = qc["reasons"].astype(str).str.split(",").str[0] == AMBIENT.split()[0]
    return np.where(qc["passes"], CELL, np.where(is_ambient, AMBIENT, REMOVED))


def class_patches(shown: Sequence[str] = tuple(CLASS_COLORS)) -> list[Patch]:
    """Return legend entries of the classes of barcodes."""
    return [Patch(color=CLASS_COLORS[name], label=CLASS_LABELS[name]) for name in shown]


def panel_figure(
    names: Sequence[str],
    *,
    what: str,
    labels: Mapping[str, str],
    failed: frozenset[str] = frozenset(),
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each of the first names, and the panels by name.

    The names that are left out are listed below. `what` are the panels: `samples` or `channels`;
    `labels` are the names of samples in figures.
    """
    shown, left_out = names[:MAX_PANELS], names[MAX_PANELS:]
    n_columns = panel_columns(len(shown))
    n_rows = ceil(len(shown) / n_columns)
    width, height = max(PANEL_WIDTH, LEAST_WIDTH / n_columns), PANEL_HEIGHT
    height *= 1.5 if n_rows == 1 else 1
    listed = [labels.get(name, name) for name in left_out]
    note = f"Other {what}, not shown ({len(left_out)}): {shortened(listed, MAX_NAMED)}"
    note = fill(note, LINE) if left_out else ""
    size = (width * n_columns + 0.5, height * n_rows + 0.7 + 0.14 * note.count("\n"))
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
    for axis in grid[len(shown) :]:
        axis.set_visible(False)
    panels = dict(zip(shown, grid, strict=False))
    for name, axis in panels.items():
        is_failed, ending = name in failed, " (failed)" if name in failed else ""
        axis.set_title(
            elided(labels.get(name, name), TITLE - len(ending)) + ending,
            fontsize=7.5,
            fontweight="bold" if is_failed else "normal",
            color=INK,
        )
    if note:
        figure.supxlabel(note, x=0.01, ha="left", fontsize=7, color=NEUTRAL)
    return figure, panels


def sample_panels(data: QualityData) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with a panel for each of the samples that need a look most."""
    return panel_figure(data.by_need, what="samples", labels=data.shown, failed=data.failed)


def panel_columns(n_panels: int) -> int:
    """Return the number of panels that stand side by side."""
    return min(N_COLUMNS, max(n_panels, 1))


def label_panels(panels: Mapping[str, Axes], *, x: str, y: str) -> None:
    """Label the axes of the panels in the first column and in the last row of each column."""
    axes = list(panels.values())
    n_columns = panel_columns(len(axes))
    for place, axis in enumerate(axes):
        if place % n_columns == 0:
            axis.set_ylabel(y, fontsize=7.5)
        if place + n_columns >= len(axes):
            axis.set_xlabel(x, fontsize=7.5)


def log_axis(axis: Axes, *, which: str, low: float, high: float) -> None:
    """Make an axis of log10 values that is labeled with the values, at powers of ten."""
    powers = np.arange(np.floor(low), np.ceil(high) + 1)
    inside = powers[(powers >= low) & (powers <= high)]
    if len(inside) < 2:
        steps = (powers[:, None] + np.log10([1, 2, 5])).ravel()
        inside = steps[(steps >= low) & (steps <= high)]
    own = axis.xaxis if which == "x" else axis.yaxis
    own.set_major_locator(FixedLocator(inside.tolist()))
    own.set_minor_locator(NullLocator())
    own.set_major_formatter(FuncFormatter(lambda value, _: f"{round(10**value, 1):,g}"))
    axis.set(**{f"{which}lim": (low, high)})


def log_range(values: np.ndarray, *, margin: float = 0.05) -> tuple[float, float]:
    """Return the range of log10 values with a margin on both sides, of at least half a decade."""
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    margin *= max(high - low, 0.5)
    return low - margin, max(high + margin, low + 0.5)


def distinct_dots(
    x: np.ndarray, y: np.ndarray, groups: np.ndarray, *, ranges: Sequence[tuple[float, float]]
) -> np.ndarray:
    """Return the rows to draw, one per group and place, in an order that favors no group.

    So a figure of many barcodes stays small, and no group hides another.
    """
    (x_low, x_high), (y_low, y_high) = ranges
    columns = ((x - x_low) / (x_high - x_low) * GRID).astype(int)
    rows = ((y - y_low) / (y_high - y_low) * GRID).astype(int)
    codes = np.unique(groups, return_inverse=True)[1]
    _, first = np.unique(np.column_stack([columns, rows, codes]), axis=0, return_index=True)
    return np.random.default_rng(0).permutation(first)
