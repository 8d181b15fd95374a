"""Figures of the evidence for cell types and LAMM calls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from lammscope.annotate.panel import Panel, panel_entries
from lammscope.core.names import LEVELS
from lammscope.core.rates import activity
from lammscope.core.words import readable
from lammscope.report.figures.sample_axis import (
    few_patch,
    name_parts,
    room_of_sizes,
    sample_axis,
    sample_places,
    sample_size,
    stack_shares,
    write_sizes,
)
from lammscope.report.figures.style import (
    EXPRESSION_MAP,
    INK,
    LAMM_COLOR,
    NEUTRAL,
    sentence_figure,
)
from lammscope.report.order import population_order, sample_groups

MARKERS_A_TYPE = 2
DEFINING = "LAMM-defining"  # name of the group of defining markers
BIN_EDGES = (0.1, 0.5, 0.9)
BINS = {
    "0.9 to 1": LAMM_COLOR,
    "0.5 to 0.9": "#e88a9c",
    "0.1 to 0.5": "#b9aecb",
    "0 to 0.1": "#e4e6e9",
}
VETO_COLORS = ("#8e63b8", "#3b7fc4", "#b8ad98", "#58b39a", "#4a5258", "#e0b24f", "#7a8288")


@dataclass(frozen=True, eq=False)
class EvidenceData:
    """Data from which the figures of the evidence are drawn.

    Attributes
    ----------
    clusters, cluster_genes, calls, states
        `annotation/clusters.tsv`, `cluster_genes.tsv`, `calls.tsv` and `states.tsv`.
    panel
        The marker panel.
    definers
        Defining markers of LAMM cells.
    cells
        `annotation/cells.parquet`: `sample`, `lineage`, `lamm_positive`, `lamm_macrophage_like`.
    samples
        The sample table.
    min_cells
        Bars of samples with fewer monocytic cells are pale.
    """

    clusters: pd.DataFrame
    cluster_genes: pd.DataFrame
    calls: pd.DataFrame
    states: pd.DataFrame
    panel: Panel
    definers: Sequence[str]
    cells: pd.DataFrame
    samples: pd.DataFrame
    min_cells: int


# --- clusters by markers --------------------------------------------------------------------------


def marker_dots(data: EvidenceData) -> Figure:
    """Draw a dot plot of clusters by the defining markers and the strongest markers of each type.

    The size of a dot is the fraction of cells that express the gene. Its color is the level, where
    1 is the panel's typical level in the population that expresses the gene.
    """
    clusters, cluster_genes = data.clusters, data.cluster_genes
    order = population_order(clusters["cell_type"])
    rows = clusters.assign(rank=clusters["cell_type"].map(order.index))
    rows = rows.sort_values(["rank", "n_cells"], ascending=[True, False], kind="stable")
    wide = cluster_genes.astype({"cluster": str}).set_index(["cluster", "gene"])
    groups = _marker_groups(data.panel, order, data.definers, known=set(cluster_genes["gene"]))
    genes = [gene for group in groups.values() for gene in group]
    index = pd.MultiIndex.from_product([rows["cluster"].astype(str), genes])
    found = wide.reindex(index)
    level = found["per_10k"].to_numpy().reshape(len(rows), len(genes))
    share = found["pct_detected"].to_numpy().reshape(len(rows), len(genes))
    typical = {m.gene: m.level for entry in panel_entries(data.panel) for m in entry.markers}
    scale = np.array([typical.get(g, np.nanmax(level[:, i])) for i, g in enumerate(genes)])
    active = activity(level, np.maximum(scale, 1e-9))

    n_gaps = len(groups) - 1
    gaps = np.repeat(np.arange(len(groups)), [len(group) for group in groups.values()])
    x, y = np.arange(len(genes)) + 0.8 * gaps, np.arange(len(rows))
    size = (2.6 + 0.17 * (len(genes) + 0.8 * n_gaps), 1.7 + 0.19 * len(rows))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    drawn = axis.scatter(
        np.tile(x, len(rows)), np.repeat(y, len(genes)), s=0.62 * share.ravel(), c=active.ravel(),
        cmap=EXPRESSION_MAP, vmin=0, vmax=1, linewidths=0.25, edgecolors="#9aa2a8",
    )  # fmt: skip
    axis.set_xlim(x[0] - 0.8, x[-1] + 0.8)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_xticks(x, genes, rotation=90)
    names = [
        f"{row.cluster}  {readable(row.cell_type)}  ({row.n_cells:,})" for row in rows.itertuples()
    ]
    axis.set_yticks(y, names)
    axis.tick_params(length=0)
    axis.grid(color="#f0f2f3", linewidth=0.6)
    _name_groups(axis, groups, x=x)
    bar = figure.colorbar(drawn, ax=axis, shrink=0.5, aspect=14, pad=0.01, anchor=(0, 0))
    bar.set_label("level (1: typical of the type)", fontsize=6)
    bar.outline.set_visible(False)
    dots = [
        Line2D([], [], linestyle="", marker="o", color=NEUTRAL, markersize=np.sqrt(0.62 * pct),
               label=f"{pct} % of cells")
        for pct in (10, 50, 100)
    ]  # fmt: skip
    figure.legend(handles=dots, loc="outside right upper")
    return figure


def _marker_groups(
    panel: Panel, types: Sequence[str], definers: Sequence[str], *, known: set[str]
) -> dict[str, list[str]]:
    """Return the defining markers, then the positive markers of each type with most weight."""
    groups = {DEFINING: [gene for gene in definers if gene in known]}
    seen = set(groups[DEFINING])
    for branch in panel.branches:
        for cell_type in branch.types:
            markers = cell_type.markers or branch.markers
            ordered = sorted(markers, key=lambda marker: -marker.weight)
            genes = [
                marker.gene
                for marker in ordered
                if marker.weight > 0 and marker.gene in known and marker.gene not in seen
            ][:MARKERS_A_TYPE]
            if cell_type.name in types and genes:
                groups[cell_type.name] = genes
                seen |= set(genes)
    order = [DEFINING, *types]
    return {name: groups[name] for name in order if groups.get(name)}


def _name_groups(axis: Axes, groups: Mapping[str, Sequence[str]], *, x: np.ndarray) -> None:
    start = 0
    for name, genes in groups.items():
        inside = x[start : start + len(genes)]
        start += len(genes)
        color = LAMM_COLOR if name == DEFINING else INK
        axis.plot(
            [inside[0] - 0.35, inside[-1] + 0.35], [-0.85, -0.85], color=color, linewidth=1.2,
            clip_on=False,
        )  # fmt: skip
        axis.text(
            inside.mean() - 0.15, -1.05, readable(name), rotation=45, ha="left", va="bottom",
            fontsize=6.5, color=color,
        )  # fmt: skip


# --- calls by sample ------------------------------------------------------------------------------


def lamm_calls(data: EvidenceData) -> Figure:
    """Draw monocytic cells by probability of both levels, and those excluded, by sample.

    The numbers are monocytic cells; bars of fewer than `min_cells` are pale.
    """
    cells, calls, samples = data.cells, data.calls, data.samples
    monocytic = cells[cells["lineage"] == "monocytic"]
    if monocytic.empty:
        return sentence_figure("No monocytic cells in this cohort, so LAMM cells cannot be called.")
    groups = sample_groups(samples[samples["sample"].isin(calls["sample"])])
    places, labels = sample_places(groups), groups["label"].tolist()
    figure = Figure(figsize=sample_size(groups, 5.6), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    vetoes = calls.set_index("sample").reindex(groups["sample"])
    n_cells = vetoes["n_monocytic"].fillna(0).astype(int)
    sizes, few = n_cells.tolist(), (n_cells < data.min_cells).to_numpy()
    for axis, level in zip(axes, LEVELS, strict=False):
        bins = np.digitize(monocytic[f"lamm_{level}"], BIN_EDGES)
        table = pd.crosstab(monocytic["sample"].astype(str), bins)
        table = table.reindex(index=groups["sample"], columns=range(4), fill_value=0)
        share = table.div(table.sum(axis=1).replace(0, np.nan), axis=0).fillna(0)[[3, 2, 1, 0]]
        stack_shares(axis, places, share, colors=list(BINS.values()), pale=few)
        words = [f"probability {label}" for label in BINS]
        name_parts(axis, places, share, labels=labels, words=words, sizes=sizes)
        axis.set_ylabel(f"{readable(level)},\nof monocytic cells")
    reasons = vetoes[[c for c in map(str, vetoes) if c.startswith("veto_")]]
    reasons = reasons.loc[:, reasons.sum() > 0].div(n_cells.where(n_cells > 0), axis=0).fillna(0)
    words = [readable(str(name).removeprefix("veto_")) for name in reasons]
    stack_shares(axes[2], places, reasons, colors=VETO_COLORS, pale=few)
    name_parts(axes[2], places, reasons, labels=labels, words=words, sizes=sizes)
    axes[2].set_ylabel("excluded,\nof monocytic cells")
    axes[2].set_ylim(0, max(0.05, 1.1 * float(reasons.sum(axis=1).max())))
    write_sizes(axes[0], places, (n_cells > 0).to_numpy(dtype=float), sizes, few=data.min_cells)
    sample_axis(axes[0], groups, name_groups=True, labels=False, lift=room_of_sizes(sizes))
    sample_axis(axes[2], groups, name_groups=False, labels=True)
    axes[0].legend(
        handles=[
            *(Patch(color=color, label=label) for label, color in BINS.items()),
            *([few_patch(data.min_cells)] if few.any() else []),
        ],
        title="probability", title_fontsize=7, alignment="left",
        bbox_to_anchor=(1.0, 1.0), loc="upper left",
    )  # fmt: skip
    if reasons.shape[1]:
        patches = [Patch(color=VETO_COLORS[i], label=name) for i, name in enumerate(words)]
        axes[2].legend(
            handles=patches, title="reason", title_fontsize=7, alignment="left",
            bbox_to_anchor=(1.0, 1.0), loc="upper left",
        )  # fmt: skip
    return figure


# --- gene programs --------------------------------------------------------------------------------


def state_map(data: EvidenceData) -> Figure:
    """Draw a heatmap of gene programs by myeloid population."""
    states = data.states
    if states.empty:
        return sentence_figure("No myeloid cells in this cohort, so gene programs have no scores.")
    names = population_order(states["population"])
    wide = states.pivot(index="state", columns="population", values="mean")
    wide = wide.loc[list(dict.fromkeys(states["state"])), names]
    n_cells = states.groupby("population")["n_cells"].first()
    figure = Figure(figsize=(2.6 + 0.52 * len(names), 1.2 + 0.2 * len(wide)), layout="constrained")
    axis = figure.subplots()
    reach = max(1.0, float(np.nanpercentile(np.abs(wide.to_numpy()), 97)))
    drawn = axis.imshow(
        wide.to_numpy(), cmap=colormaps["RdBu_r"], vmin=-reach, vmax=reach, aspect="auto"
    )
    for (row, column), value in np.ndenumerate(wide.to_numpy()):
        if np.isfinite(value):
            words = f"{round(value, 1) + 0.0:.1f}".replace("-", "\N{MINUS SIGN}")
            color = "white" if abs(value) > 0.65 * reach else INK
            axis.text(column, row, words, ha="center", va="center", fontsize=6, color=color)
    axis.set_xticks(
        range(len(names)), [f"{readable(name)} ({n_cells[name]:,})" for name in names],
        rotation=45, ha="left", rotation_mode="anchor",
    )  # fmt: skip
    for label, name in zip(axis.get_xticklabels(), names, strict=True):
        label.set_color(LAMM_COLOR if name == "LAMM" else INK)
        label.set_fontweight("bold" if name == "LAMM" else "normal")
    axis.xaxis.tick_top()
    axis.set_yticks(range(len(wide)), [readable(str(name)) for name in wide.index])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(drawn, ax=axis, shrink=0.6, aspect=20, pad=0.02)
    bar.set_label("mean score (standard deviations)", fontsize=6)
    bar.outline.set_visible(False)
    return figure
