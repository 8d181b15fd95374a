"""Heat map of the top genes of a contrast by patient."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.transforms import offset_copy

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.core.words import MINUS, elided, readable
from lammscope.report.figures.axis import side_color
from lammscope.report.figures.points import name_points
from lammscope.report.figures.style import INK, LAMM_COLOR, NEUTRAL, sentence_figure
from lammscope.report.gene_levels import GeneLevels

ROW, COLUMN = 0.15, 0.26  # inches of a gene and of a patient
HEADING, BAND = 1.9, 2.5  # rows from a gene to the first of the next population, and to the arms
MAX_NAMED = 60  # patients below the heat map
MAX_POINTS = 1200  # squares that are named where a reader points at them
REACH = {True: 4.0, False: 2.5}  # of the colors: log2 ratios within patients, standard deviations
SPACE = 0.7  # between groups, in columns
NO_CELLS = "#eceef0"
FILLS = {SUPPORTED: "full", SUGGESTIVE: "left"}  # of markers, as in all figures of verdicts


@dataclass(frozen=True, eq=False)
class GeneLevelData:
    """Data from which the heat map of a contrast is drawn.

    Attributes
    ----------
    contrast
        The contrast.
    levels
        From `report.gene_levels.gene_levels`.
    """

    contrast: Contrast
    levels: GeneLevels


def gene_heat_map(data: GeneLevelData) -> Figure:
    """Draw the levels of the top genes of the main populations, a column per patient."""
    levels, contrast = data.levels, data.contrast
    if levels.genes.empty or levels.columns.empty:
        return sentence_figure(
            f"No population had enough samples for expression tests in {readable(contrast.name)}."
        )
    rows, headings = _rows(data)
    x = _places(data)
    width = float(np.clip(2.9 + COLUMN * len(x), 6.4, 10.5))
    height = 1.35 + ROW * (rows[-1] + 1)
    figure = Figure(figsize=(width, height), layout="constrained")
    axis = figure.subplots()
    drawn = _squares(axis, data, x=x, rows=rows)
    for row, population in headings:
        is_lamm = population.startswith("LAMM")
        axis.text(
            x[0] - 0.5, row, _heading(levels, population), va="center",
            fontsize=7.5, color=LAMM_COLOR if is_lamm else INK, weight="bold",
        )  # fmt: skip
    _name_genes(axis, data, rows=rows, left=x[0] - 0.5)
    _name_columns(axis, data, x=x)
    axis.set_xlim(x[0] - 0.5, x[-1] + 0.5)
    axis.set_ylim(rows[-1] + 0.6, -BAND - 0.1)
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    bar = figure.colorbar(drawn, ax=axis, shrink=min(1.0, 2.2 / height), aspect=16, pad=0.02)
    bar.outline.set_visible(False)
    bar.set_label(_scale_words(contrast), fontsize=7)
    figure.legend(handles=_legend(data), loc="outside lower left", ncols=4, handletextpad=0.3)
    return figure


def _rows(data: GeneLevelData) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Return the places of genes, and those of the headings of populations with their names."""
    populations = data.levels.genes["population"].tolist()
    rows, headings, place = [], [], -1.0
    for i, population in enumerate(populations):
        if i == 0 or population != populations[i - 1]:
            place += HEADING if i else 1.0
            headings.append((place - 1.0, population))
        rows.append(place)
        place += 1.0
    return np.array(rows), headings


def _places(data: GeneLevelData) -> np.ndarray:
    """Return the places of columns, with a space between arms."""
    arms = data.levels.columns["arm"].to_numpy()
    changes = np.concatenate([[0], np.cumsum(arms[1:] != arms[:-1])])
    return np.asarray(np.arange(len(arms)) + SPACE * changes)


def _squares(
    axis: Axes, data: GeneLevelData, *, x: np.ndarray, rows: np.ndarray
) -> AxesImage:  # the color bar needs a mappable
    """Draw a square per gene and patient, and name each where a reader points at it."""
    values, within = data.levels.values, data.contrast.has_sides
    reach = REACH[within]
    top = axis.imshow(np.zeros((1, 1)), cmap=colormaps["RdBu_r"], vmin=-reach, vmax=reach, alpha=1)
    top.set_visible(False)
    axis.set_aspect("auto")
    colors = top.to_rgba(np.nan_to_num(values))
    colors[np.isnan(values)] = (*([0.93] * 3), 1)
    corners = np.array([(-0.48, -0.47), (0.48, -0.47), (0.48, 0.47), (-0.48, 0.47)])
    middles = np.stack(np.meshgrid(x, rows), axis=-1).reshape(-1, 1, 2)
    axis.add_collection(
        PolyCollection(middles + corners, facecolors=colors.reshape(-1, 4), linewidths=0)
    )
    lacking = np.argwhere(np.isnan(values))
    axis.plot(
        x[lacking[:, 1]], rows[lacking[:, 0]], "x", color="#b9c0c6", markersize=2.5,
        markeredgewidth=0.5,
    )  # fmt: skip
    patients = data.levels.columns["patient"].tolist()
    if values.size > MAX_POINTS:
        name_points(axis, x, np.full(len(x), 0.2 - BAND), patients)
        return top
    genes = data.levels.genes
    names = [
        f"{patient}, {symbol} in {readable(population)}: {_value_words(value, within=within)}"
        for symbol, population, own in zip(
            genes["symbol"], genes["population"], values, strict=True
        )
        for patient, value in zip(patients, own, strict=True)
    ]
    name_points(axis, np.tile(x, len(rows)), np.repeat(rows, len(x)), names)
    return top


def _value_words(value: float, *, within: bool) -> str:
    if np.isnan(value):
        return "too few cells"
    words = f"{value:+.1f}".replace("-", MINUS)
    return f"log\N{SUBSCRIPT TWO} ratio {words}" if within else f"{words} standard deviations"


def _heading(levels: GeneLevels, population: str) -> str:
    """Return the name of a population, what was found in it and what is shown of it."""
    parts = dict(zip((SUPPORTED, SUGGESTIVE), levels.n_found[population], strict=True))
    found = [f"{n:,} {word} {'gene' if n == 1 else 'genes'}" for word, n in parts.items() if n]
    if not found:
        return f"{readable(population)}: no gene supported or suggestive; the smallest p are shown"
    n_shown = int((levels.genes["population"] == population).sum())
    more = f"; {n_shown} are shown" if n_shown < sum(parts.values()) else ""
    return f"{readable(population)}: {' and '.join(found)}{more}"


def _name_genes(axis: Axes, data: GeneLevelData, *, rows: np.ndarray, left: float) -> None:
    """Write the symbols at the left, those of supported genes bold, with markers of verdicts."""
    genes = data.levels.genes
    axis.set_yticks(rows, [elided(str(symbol), 22) for symbol in genes["symbol"]])
    axis.tick_params(axis="y", pad=9)
    for label, verdict in zip(axis.get_yticklabels(), genes["verdict"], strict=True):
        label.set_fontstyle("italic")
        label.set_fontweight("bold" if verdict == SUPPORTED else "normal")
        label.set_color(INK if verdict in FILLS else NEUTRAL)
    beside = offset_copy(axis.transData, axis.get_figure(root=True), x=-5, units="points")
    for row, verdict in zip(rows, genes["verdict"], strict=True):
        axis.plot([left], [row], transform=beside, clip_on=False, **_marker(str(verdict)))


def _marker(verdict: str) -> dict[str, Any]:
    """Return the marker of a verdict: filled, half filled or open."""
    return {
        "linestyle": "", "marker": "s", "markersize": 3.6, "markeredgewidth": 0.6,
        "fillstyle": FILLS.get(verdict, "full"), "markerfacecoloralt": "white",
        "color": INK if verdict in FILLS else "white", "markeredgecolor": NEUTRAL,
    }  # fmt: skip


def _name_columns(axis: Axes, data: GeneLevelData, *, x: np.ndarray) -> None:
    """Write the patients below, and color and name their arms above."""
    columns, contrast = data.levels.columns, data.contrast
    axis.set_xticks([])
    if len(x) <= MAX_NAMED:
        axis.set_xticks(x, [elided(name, 20) for name in columns["patient"]], rotation=90)
    if not contrast.has_arms:
        return
    for arm in SIDES:
        inside = x[(columns["arm"] == arm).to_numpy()]
        if not len(inside):
            continue
        start, size = inside[0] - 0.48, inside[-1] - inside[0] + 0.96
        color = side_color(contrast, arm)
        axis.add_patch(Rectangle((start, -BAND), size, 0.42, color=color, lw=0))


def _scale_words(contrast: Contrast) -> str:
    if contrast.has_sides:
        test, reference = (readable(contrast.value_of(side)) for side in SIDES)
        if contrast.has_arms:
            test, reference = "after", "before infusion"
        return f"log\N{SUBSCRIPT TWO} ratio within the patient,\n{test} to {reference}"
    return "level, in standard deviations\nof the gene between patients"


def _legend(data: GeneLevelData) -> list[Line2D]:
    contrast = data.contrast
    shown = set(data.levels.genes["verdict"])
    handles = []
    if contrast.has_arms:
        style: dict[str, Any] = {"linestyle": "", "marker": "s", "markersize": 6}
        handles += [
            Line2D([], [], color=side_color(contrast, arm), **style,
                   label=readable(contrast.value_of(arm)))
            for arm in reversed(SIDES)
        ]  # fmt: skip
    words = {SUPPORTED: SUPPORTED, SUGGESTIVE: SUGGESTIVE}
    handles += [
        Line2D([], [], label=word, **_marker(verdict))
        for verdict, word in words.items()
        if verdict in shown
    ]
    if shown - set(FILLS):
        label = "neither: only the smallest p"
        handles.append(Line2D([], [], label=label, **_marker("")))
    if np.isnan(data.levels.values).any():
        handles.append(
            Line2D([], [], linestyle="", marker="x", color="#b9c0c6", markersize=4,
                   label="too few cells")
        )  # fmt: skip
    return handles
