"""Figures of what quality control removes and leaves: lineages, doublets, contamination."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from lammscope.core.words import elided, shortened
from lammscope.joint.verdicts import MAX_CONTAMINATION
from lammscope.report.figures.points import name_points
from lammscope.report.figures.quality import (
    LIMIT_STYLE,
    QualityData,
    label_panels,
    panel_figure,
)
from lammscope.report.figures.sample_axis import (
    MAX_NAMED,
    NAME_LENGTH,
    sample_axis,
    sample_places,
    sample_size,
)
from lammscope.report.figures.style import ARM_COLORS, INK, NEUTRAL, sentence_figure
from lammscope.report.order import sample_groups

# Parts of a lineage: column, label, color. Barcodes that may hold no cell come last.
PARTS = (
    ("n_cells", "kept", "#2f4a5a"),
    ("n_dropped", "in a failed sample, left out", "#7a8288"),
    ("n_doublets", "doublets", "#3b7fc4"),
    ("n_high_mt", "high mitochondrial", "#b8560b"),
    ("n_high_hb", "high hemoglobin", "#8e63b8"),
    ("n_high_counts", "high counts", "#58b39a"),
    ("n_small", "few UMIs or genes", "#e9cf8f"),
)
OTHER = "other"  # barcodes whose lineage is not known, drawn last
SMALL = ["n_low_counts", "n_few_genes"]
FEW = 10  # cells of a lineage in a sample, for a percentage of its own; our choice
N_BINS = 40
N_HIGHEST = 4  # samples named otherwise
CALLED, SINGLE = "#b8560b", "#9db4c4"


def lineage_losses(data: QualityData) -> Figure:
    """Draw what is kept and removed of each likely lineage, in all samples and in each."""
    table = data.lineages
    table = table.assign(n_small=table[SMALL].sum(axis=1), n_large=_large(table))
    pooled = table.groupby("likely_lineage")[[name for name, _, _ in PARTS]].sum()
    sizes = pooled.sum(axis=1).sort_values()
    lineages = [name for name in sizes.index[sizes > 0] if name != OTHER]
    if not sizes.any():
        return sentence_figure("No sample has a barcode that may hold a cell.")
    pooled = pooled.loc[[OTHER, *lineages] if sizes.get(OTHER, 0) else lineages]
    figure = Figure(figsize=(8.6, 1.6 + 0.27 * len(pooled)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.25, 1])
    places = np.arange(len(pooled))
    _draw_parts(left, pooled, places)
    table = table.assign(label=table["sample"].map(data.shown).fillna(table["sample"]))
    _draw_samples(right, table, places=dict(zip(pooled.index, places, strict=True)))
    left.set_yticks(places, [f"{_words(name)} ({sizes[name]:,})" for name in pooled.index])
    left.tick_params(axis="y", length=0)
    right.tick_params(axis="y", length=0)
    left.set_ylim(-0.6, len(pooled) - 0.4)
    figure.get_layout_engine().set(wspace=0.04)  # type: ignore[union-attr, call-arg]
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4)
    return figure


def _words(lineage: object) -> str:
    return str(lineage).replace("_", ", ")


def _large(table: pd.DataFrame) -> pd.Series:
    """Count the barcodes that are no ambient RNA and have enough UMIs and genes."""
    removed = table[["n_ambient", *SMALL]].sum(axis=1)
    return (table["n_barcodes"] - removed).astype(int)


def _draw_parts(axis: Axes, pooled: pd.DataFrame, places: np.ndarray) -> None:
    total = pooled[[name for name, _, _ in PARTS]].sum(axis=1)
    start = np.zeros(len(pooled))
    for name, label, color in PARTS:
        share = (pooled[name] / total).to_numpy()
        if share.any():
            axis.barh(places, share, 0.74, start, color=color, label=label)
        start += share
    axis.set_xlim(0, 1)
    axis.xaxis.set_major_formatter(PercentFormatter(1, symbol=" %"))
    axis.set_xlabel("of the lineage's barcodes that are not ambient RNA")
    axis.set_title("All samples together", fontsize=8)


def _draw_samples(axis: Axes, table: pd.DataFrame, *, places: Mapping[str, int]) -> None:
    """Draw a dot per sample at the % of its cells that are lost, and name the worst sample."""
    enough = table[(table["n_large"] >= FEW) & table["likely_lineage"].isin(list(places))]
    for lineage, own in enough.groupby("likely_lineage"):
        lost = own["pct_lost"].to_numpy(dtype=float)
        spread = np.random.default_rng(0).uniform(-0.24, 0.24, len(own)) if len(own) > 1 else 0
        place = places[str(lineage)]
        axis.scatter(lost, place + spread, s=11, color=NEUTRAL, alpha=0.55, linewidths=0)
        names = [
            f"{name}: {value:.0f} % of {n:,} lost"
            for name, value, n in zip(own["label"], lost, own["n_large"], strict=True)
        ]
        name_points(axis, lost, np.broadcast_to(place + spread, len(own)), names)
        middle = np.median(lost)
        axis.vlines(middle, place - 0.33, place + 0.33, color=INK, linewidth=1.6)
        worst = own["label"].iloc[int(np.argmax(lost))] if len(own) > 1 else ""
        axis.annotate(
            elided(str(worst), NAME_LENGTH), (1.02, place), xycoords=("axes fraction", "data"),
            va="center", fontsize=7, color=NEUTRAL, annotation_clip=False,
        )  # fmt: skip
    axis.set_xlim(-3, 103)
    axis.xaxis.set_major_formatter(PercentFormatter(100, symbol=" %"))
    axis.set_xlabel(f"lost in each sample with at least {FEW} cells")
    axis.set_title("By sample (named: the highest loss)", fontsize=8)
    axis.grid(axis="x", color="#eceef0", linewidth=0.6)


def doublet_scores(data: QualityData) -> Figure:
    """Draw histograms of the doublet scores of each channel: called and not called."""
    scored = {name: table for name, table in data.doublets.items() if _is_scored(table)}
    if not scored:
        return sentence_figure("No channel has enough cells for doublets to be scored.")
    share = {name: table["doublet"].mean() for name, table in scored.items()}
    order = sorted(scored, key=lambda name: (-share[name], name))
    figure, panels = panel_figure(order, what="channels", labels=data.shown)
    together = np.concatenate([scored[name]["doublet_score"].dropna() for name in panels])
    low, high = min(float(together.min()), 0.0), float(together.max())
    bins = np.linspace(-np.sqrt(-low), np.sqrt(high) if high > low else 1.0, N_BINS + 1)
    for name, axis in panels.items():
        _draw_scores(axis, scored[name], bins=bins)
    label_panels(panels, x="doublet score", y="cells")
    unscored = [data.shown.get(name, name) for name in data.doublets if name not in scored]
    handles = [
        Patch(color=SINGLE, label="single cell"),
        Patch(color=CALLED, label="called doublet"),
    ]
    if unscored:
        label = f"not scored: {shortened(unscored, 4)}"
        handles.append(Patch(color="none", label=label))
    figure.legend(handles=handles, loc="outside upper left", ncols=3)
    return figure


def _is_scored(table: pd.DataFrame) -> bool:
    return bool(np.isfinite(table["doublet_score"].to_numpy(dtype=float)).any())


def _draw_scores(axis: Axes, table: pd.DataFrame, *, bins: np.ndarray) -> None:
    """Draw two histograms from the axis upward, of the square roots of the scores.

    Most scores are near 0, so equal steps of the score would be a single bar; and doublets are few,
    so numbers of cells are on a logarithmic scale.
    """
    called = table["doublet"].to_numpy(dtype=bool)
    scores = table["doublet_score"].to_numpy(dtype=float)
    roots = np.sign(scores) * np.sqrt(np.abs(scores))
    for inside, color in ((~called, SINGLE), (called, CALLED)):
        heights = np.histogram(roots[inside], bins)[0]
        axis.stairs(heights, bins, fill=True, color=color, alpha=0.85, baseline=0.5)
    axis.set_yscale("log")
    axis.set_ylim(0.5, max(np.histogram(roots, bins)[0].max() * 4, 10))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axis.yaxis.set_minor_locator(NullLocator())
    axis.xaxis.set_major_locator(FixedLocator(np.sqrt(_score_ticks(bins[-1] ** 2)).tolist()))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda root, _: f"{root * abs(root):.2g}"))
    text = f"called: {100 * called.mean():.1f} % of {len(table):,}"
    axis.text(0.98, 0.97, text, transform=axis.transAxes, ha="right", va="top", fontsize=7)


def _score_ticks(highest: float) -> np.ndarray:
    """Return about four scores whose square roots are evenly spread from 0."""
    power = 10.0 ** np.floor(np.log10(highest))
    top = power * max(step for step in (1, 2, 5) if step * power <= highest * (1 + 1e-9))
    return np.asarray(np.array([0, 0.1, 0.4, 1]) * top)


def contamination_by_sample(data: QualityData) -> Figure:
    """Draw the share of ambient RNA in the cells of each sample, with its interval, by group."""
    table = data.contamination.set_index("sample")
    groups = sample_groups(data.samples[data.samples["sample"].isin(table.index)])
    if groups.empty:
        return sentence_figure("Contamination with ambient RNA was not estimated in any sample.")
    values = 100 * table[[f"contamination{end}" for end in ("", "_low", "_high")]].astype(float)
    values = values.reindex(groups["sample"])
    places = sample_places(groups)
    are_named = len(groups) <= MAX_NAMED
    figure = Figure(figsize=sample_size(groups, 3.4), layout="constrained")
    axis = figure.subplots()
    estimate, low, high = values.to_numpy().T
    known = np.isfinite(estimate)
    colors = groups["response"].map(ARM_COLORS).fillna(NEUTRAL).to_numpy()
    axis.vlines(places[known], low[known], high[known], color=colors[known], linewidth=1.4)
    dot = 22 if are_named else 9
    axis.scatter(places[known], estimate[known], s=dot, color=colors[known], zorder=3)
    names = [
        f"{name}: {value:.1f} % ({ends[0]:.1f} to {ends[1]:.1f})"
        for name, value, *ends in zip(groups["label"], estimate, low, high, strict=True)
    ]
    name_points(axis, places, estimate, names)
    for group in groups["group"].unique():
        own = (groups["group"] == group).to_numpy() & known
        if own.sum() > 1:
            inside = places[own]
            axis.hlines(np.median(estimate[own]), inside.min() - 0.4, inside.max() + 0.4,
                        color=INK, linewidth=1.2, zorder=2)  # fmt: skip
    axis.axhline(MAX_CONTAMINATION, color=NEUTRAL, linewidth=0.8, linestyle=LIMIT_STYLE)
    highest = np.nanmax(np.append(high[known], MAX_CONTAMINATION))
    below = -0.06 * highest  # a cross at 0 would read as no contamination
    axis.scatter(places[~known], np.full((~known).sum(), below), s=20, marker="x", color=NEUTRAL)
    axis.set_ylim(0 if known.all() else 2 * below, 1.08 * highest)
    axis.set_yticks([tick for tick in axis.get_yticks() if 0 <= tick <= 1.08 * highest])
    axis.yaxis.set_major_formatter(PercentFormatter(100, decimals=0, symbol=" %"))
    axis.set_ylabel("UMIs that are ambient RNA")
    axis.grid(axis="y", color="#eceef0", linewidth=0.6)
    sample_axis(axis, groups, name_groups=True, labels=are_named)
    if not are_named:
        most = values["contamination"].nlargest(N_HIGHEST)
        words = ", ".join(
            f"{data.shown[str(name)]} ({value:.0f} %)" for name, value in most.items()
        )
        axis.set_xlabel(
            f"{len(groups)} samples; point at one for its name. Highest: {words}", fontsize=7
        )
    figure.legend(handles=_contamination_legend(known), loc="outside right center")
    return figure


def _contamination_legend(known: np.ndarray) -> list[Line2D]:
    handles = [
        Line2D([], [], color=NEUTRAL, marker="o", markersize=4, linewidth=1.4,
               label="estimate, 95 % interval"),
        Line2D([], [], color=INK, linewidth=1.2, label="median of the group"),
        Line2D([], [], color=NEUTRAL, linewidth=0.8, linestyle=LIMIT_STYLE,
               label="above: the sample fails"),
    ]  # fmt: skip
    if not known.all():
        handles.append(
            Line2D([], [], color=NEUTRAL, marker="x", markersize=4, linestyle="",
                   label="cannot be estimated")
        )  # fmt: skip
    return handles
