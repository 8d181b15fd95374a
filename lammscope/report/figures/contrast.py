"""Data of a contrast's figures, and the figures of LAMM fractions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from lammscope.abundance.counts import lamm_fractions
from lammscope.abundance.fractions import OFFSET
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import TREND
from lammscope.core.names import LEVELS
from lammscope.core.words import as_text, denominator_words, readable
from lammscope.report.figures.cohort import CohortData
from lammscope.report.figures.style import ARM_COLORS, INK, NEUTRAL, sentence_figure

DECADE = 10  # ratio of numbers above which a logarithmic axis has logarithmic ticks
W_PAD = 0.1  # inches; tick labels still grow while the layout is solved


@dataclass(frozen=True, eq=False)
class ContrastData:
    """Data from which the figures of a contrast are drawn.

    Attributes
    ----------
    comparison
        The contrast and the samples that it compares.
    counts
        `abundance/counts.tsv`.
    abundance, robustness, expression
        `abundance/{contrast}.tsv`, `abundance/robustness.{contrast}.tsv` and
        `expression/{contrast}.tsv.gz`; may be empty.
    level, probability
        The configured LAMM level, `macrophage_like` or `positive`, and the threshold of a call.
    min_cells
        Samples with fewer cells in a denominator are not tested and drawn hollow.
    max_fdr
        Genes at or below this false discovery rate are colored.
    n_labels
        Genes named on each side of a volcano plot.
    """

    comparison: Comparison
    counts: pd.DataFrame
    abundance: pd.DataFrame
    robustness: pd.DataFrame
    expression: pd.DataFrame
    level: str
    probability: float
    min_cells: int
    max_fdr: float
    n_labels: int

    @property
    def contrast(self) -> Contrast:
        """The contrast that is compared."""
        return self.comparison.contrast


def lamm_patients(data: CohortData) -> Figure:
    """Draw the LAMM fractions of all patients by arm and phase, at both levels."""
    counts, min_cells = data.counts, data.min_cells
    table = _slots_by_arm_and_phase(data.samples)
    levels, denominators = LEVELS, ("immune", "monocytic")
    panels = [(level, denominator) for level in levels for denominator in denominators]
    if lamm_fractions(counts, level="positive")["n_monocytic"].sum() == 0:
        return sentence_figure("No monocytic cells in this cohort, so there are no LAMM fractions.")
    figure = Figure(figsize=(9.0, 5.6), layout=ConstrainedLayoutEngine(w_pad=W_PAD))
    for axis, (level, denominator) in zip(figure.subplots(2, 2).ravel(), panels, strict=True):
        fractions = lamm_fractions(counts, level=level)
        joined = table.join(fractions, on="sample", how="inner")
        _paired_points(axis, joined, denominator=denominator, min_cells=min_cells)
        axis.set_title(f"LAMM ({readable(level)}), % {denominator_words(denominator)}")
    _point_legend(figure, joined, min_cells=min_cells)
    return figure


def lamm_contrast(data: ContrastData) -> Figure:
    """Draw the LAMM fractions of the samples of one contrast at the configured level.

    A contrast of arms shows both phases, and the one that is not tested as hollow points. A
    `paired` contrast shows its two sides, with a line for each pair. A trend shows its ordered
    values, or a scatter plot of its numbers with a fitted line.
    """
    min_cells, contrast = data.min_cells, data.contrast
    slots = contrast_slots(data.comparison)
    fractions = lamm_fractions(data.counts, level=data.level)
    joined = slots.join(fractions, on="sample", how="inner")
    if joined.empty or joined["n_monocytic"].sum() == 0:
        return sentence_figure("No monocytic cells in the samples of this contrast.")
    width = 6.4 if contrast.is_scattered else max(6.4, 1.9 * joined["slot"].nunique())
    figure = Figure(figsize=(min(width, 12.0), 3.5), layout=ConstrainedLayoutEngine(w_pad=W_PAD))
    for axis, denominator in zip(figure.subplots(1, 2), ("immune", "monocytic"), strict=True):
        if contrast.is_scattered:
            _scattered_points(axis, joined, contrast, denominator=denominator, min_cells=min_cells)
        else:
            _paired_points(axis, joined, denominator=denominator, min_cells=min_cells)
        axis.set_title(f"LAMM, % {denominator_words(denominator)}")
    line = "fitted line, unadjusted" if contrast.is_scattered else "median"
    _point_legend(figure, joined, min_cells=min_cells, line=line)
    return figure


def contrast_slots(comparison: Comparison) -> pd.DataFrame:
    """Assign a slot on the axis to each sample that is shown in a contrast's figure.

    Returns
    -------
    DataFrame
        Rows of the sample table with `slot` (words), `rank` (order of slots), `unit` (whose points
        a line joins: the patient and, in a `paired` contrast, the columns of `match`) and `tested`
        (bool).
    """
    contrast, samples = comparison.contrast, comparison.samples
    column = contrast.column
    chosen = comparison.selection.set_index("sample").reindex(samples["sample"])
    used = (chosen["use"] == "used").to_numpy()
    shown = chosen["use"].isin(["used", "incomplete"]).to_numpy()
    if contrast.has_arms and column == "response":
        other_phase = (chosen["reason"] == "phase is not asked for").to_numpy()
        in_arms = samples["response"].isin([contrast.test, contrast.reference]).to_numpy()
        table = _slots_by_arm_and_phase(samples).assign(tested=used)
        return table[in_arms & (shown | other_phase)]
    table = samples.assign(tested=used)[shown]
    value = as_text(table[column])
    units = ["sample"] if contrast.between_patients else ["patient", *contrast.match]
    return table.assign(
        slot=value.map(readable),
        rank=contrast.ranks(table),
        unit=table[units].astype(str).agg(" ".join, axis=1),
    )


def _slots_by_arm_and_phase(samples: pd.DataFrame) -> pd.DataFrame:
    """Return slots by arm and phase; without labels by phase, else one for the whole cohort."""
    table = samples.copy()
    arms = {"responder": 0, "non_responder": 1}
    phases = {"pre": 0, "post": 1}
    has_arms, has_phases = table["response"].notna().any(), table["phase"].notna().any()
    arm = table["response"].map(readable, na_action="ignore").fillna("no label")
    phase = table["phase"].fillna("other time")
    if has_arms and has_phases:
        table["slot"] = arm + "\n" + phase
    else:
        table["slot"] = arm if has_arms else phase if has_phases else "all samples"
    table["rank"] = 3 * table["response"].map(arms).fillna(2) + table["phase"].map(phases).fillna(2)
    table["unit"] = table["patient"].astype(str)
    for column in ("compartment", "sort"):
        if column in table:
            table["unit"] += " " + table[column].astype(str)
    table["tested"] = True
    return table


def _paired_points(axis: Axes, table: pd.DataFrame, *, denominator: str, min_cells: int) -> None:
    """Draw a point per sample, a line per unit and the median of each slot."""
    slots = table.drop_duplicates("slot").sort_values("rank")["slot"].tolist()
    units = {unit: i for i, unit in enumerate(sorted(table["unit"].unique()))}
    spread = 0.14 * np.linspace(-1, 1, len(units)) if len(units) > 1 else np.zeros(1)
    table = table.assign(
        x=table["slot"].map(slots.index) + table["unit"].map(units).map(lambda i: spread[i]),
        y=100 * table[f"of_{denominator}"],
        arm=table["response"].map(ARM_COLORS, na_action="ignore").fillna(NEUTRAL),
        full=_in_test(table, denominator=denominator, min_cells=min_cells),
    ).dropna(subset=["y"])  # fmt: skip
    for _, line in table.sort_values("rank", kind="stable").groupby("unit"):
        alpha = 0.55 if line["full"].all() else 0.25
        axis.plot(line["x"], line["y"], color=line["arm"].iloc[0], linewidth=0.9, alpha=alpha)
    for slot, points in table[table["full"]].groupby("slot"):
        place = slots.index(str(slot))
        median = points["y"].median()
        axis.plot([place - 0.26, place + 0.26], [median, median], color=INK, linewidth=1.8)
    _draw_points(axis, table)
    axis.set_xticks(range(len(slots)), slots)
    axis.set_xlim(-0.5, len(slots) - 0.5)
    axis.tick_params(axis="x", length=0)


def _scattered_points(
    axis: Axes, table: pd.DataFrame, contrast: Contrast, *, denominator: str, min_cells: int
) -> None:
    """Draw a point per sample over its number, and the line of the logits of tested samples."""
    table = table.assign(
        x=table[contrast.column].astype(float),
        y=100 * table[f"of_{denominator}"],
        arm=table["response"].map(ARM_COLORS, na_action="ignore").fillna(NEUTRAL),
        full=_in_test(table, denominator=denominator, min_cells=min_cells),
    ).dropna(subset=["x", "y"])  # fmt: skip
    tested = table[table["full"]]
    score = contrast.numbers(tested)[TREND].to_numpy(dtype=float)
    if len(np.unique(score)) > 1:
        total = tested[f"n_{denominator}"].to_numpy(dtype=float)
        cells = tested["y"].to_numpy(dtype=float) / 100 * total
        slope, start = np.polyfit(score, np.log((cells + OFFSET) / (total - cells + OFFSET)), 1)
        x = np.linspace(tested["x"].min(), tested["x"].max(), 200)
        at = contrast.numbers(pd.DataFrame({contrast.column: x}))[TREND].to_numpy(dtype=float)
        axis.plot(x, 100 / (1 + np.exp(-(start + slope * at))), color=INK, linewidth=1.8)
    _draw_points(axis, table)
    if contrast.is_logarithmic:
        axis.set_xscale("log")
        low, high = table["x"].min(), table["x"].max()
        wide = high > DECADE * low
        axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)) if wide else MaxNLocator(5))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlabel(contrast.axis_label)


def _draw_points(axis: Axes, table: pd.DataFrame) -> None:
    """Draw points in the color of their arm, hollow if not tested, and the axis of per cent."""
    full = table["full"]
    axis.scatter(
        table.loc[full, "x"], table.loc[full, "y"], s=26, c=table.loc[full, "arm"],
        edgecolors="white", linewidths=0.6, zorder=3,
    )  # fmt: skip
    axis.scatter(
        table.loc[~full, "x"], table.loc[~full, "y"], s=22, facecolors="white",
        edgecolors=table.loc[~full, "arm"].tolist(), linewidths=0.9, zorder=3,
    )  # fmt: skip
    axis.set_ylim(0, max(1.08 * table["y"].max(), 1.0) if len(table) else 1.0)
    axis.yaxis.set_major_locator(MaxNLocator(5))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g} %"))
    axis.grid(axis="y", color="#eceef0", linewidth=0.6)


def _in_test(table: pd.DataFrame, *, denominator: str, min_cells: int) -> np.ndarray:
    enough = table[f"n_{denominator}"].to_numpy() >= min_cells
    return table["tested"].to_numpy(dtype=bool) & enough


def _point_legend(
    figure: Figure, table: pd.DataFrame, *, min_cells: int, line: str = "median"
) -> None:
    arms = [arm for arm in ARM_COLORS if (table["response"] == arm).any()]
    style: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 5}
    handles = [Line2D([], [], color=ARM_COLORS[a], label=readable(a), **style) for a in arms]
    handles.append(Line2D([], [], color=INK, linewidth=1.8, label=line))
    if not _in_test(table, denominator="monocytic", min_cells=min_cells).all():
        hollow = f"not in the test, or fewer than {min_cells} cells"
        handles.append(
            Line2D([], [], color=NEUTRAL, markerfacecolor="white", label=hollow, **style)
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
