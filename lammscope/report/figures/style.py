"""Common style of all figures: colors, fonts, and saving.

Figures are made with the object interface of matplotlib, without pyplot, so that figures share no
state and imports stay fast.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fontTools.subset import Options
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lammscope.core.runtime import whole_file
from lammscope.core.words import readable
from lammscope.report.figures.palette import limit_colors
from lammscope.report.figures.points import point_metadata
from lammscope.report.order import POPULATION_COLORS, population_order

UNKNOWN_COLORS = ("#7a8288", "#99a1a6", "#606a70", "#aeb5b9")
LAMM_COLOR = POPULATION_COLORS["LAMM"]
ARM_COLORS = {"responder": "#2a6fb0", "non_responder": "#b8560b"}
PHASE_COLORS = {"pre": "#7fb8ad", "post": "#1d4e5f"}
NEUTRAL = "#56616a"
INK = "#1f262b"  # text and main lines
BACKGROUND = "#e4e6e9"
# Tables of a font that lay text out, which matplotlib has done before. To cut them down to the
# glyphs of a figure is two thirds of the time that it takes to embed a font in a PDF.
LAYOUT_TABLES = ("GSUB", "GPOS", "GDEF", "kern")
Options._drop_tables_default = [*Options._drop_tables_default, *LAYOUT_TABLES]
PNG_OPTIONS: dict[str, Any] = {"compress_level": 6}

PROBABILITY_MAP = LinearSegmentedColormap.from_list(
    "probability", ["#e4e6e9", "#f3b5bf", "#e2506f", LAMM_COLOR]
)
EXPRESSION_MAP = LinearSegmentedColormap.from_list(
    "expression", ["#e4e6e9", "#a9b8d6", "#4d63a8", "#1d1147"]
)

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 9.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8.0,
    "axes.edgecolor": "#4a5258",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.fontsize": 7.0,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # embed TrueType fonts, so that text stays editable
    "svg.fonttype": "none",
}


def save_figure(figure: Figure, stem: Path | str, *, dpi: int) -> list[Path]:
    """Write `<stem>.png` and `<stem>.pdf` without dates, and return the two paths.

    Points drawn as `rasterized` have `dpi` dots per inch in the PDF, too. Fonts are embedded.
    """
    stem = Path(stem)
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, pdf = stem.parent / f"{stem.name}.png", stem.parent / f"{stem.name}.pdf"
    with rc_context(STYLE):
        lay_out(figure, dpi=dpi)
        canvas: Any = FigureCanvasAgg(figure)
        figure.set_dpi(dpi)
        canvas.draw()
        image = limit_colors(np.asarray(canvas.buffer_rgba()))
        with whole_file(png) as temporary:
            image.save(
                temporary, dpi=(dpi, dpi), pnginfo=point_metadata(figure), **PNG_OPTIONS
            )
        with whole_file(pdf) as temporary:
            figure.savefig(temporary, dpi=dpi, metadata={"CreationDate": None})
    return [png, pdf]


def lay_out(figure: Figure, *, dpi: int) -> None:
    """Place the parts of a figure by its layout engine, and remove the engine.

    With an engine, matplotlib draws each file twice: once without output, for the layout.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        FigureCanvasAgg(figure)
        figure.set_dpi(dpi)
        engine.execute(figure)
    figure.set_layout_engine(None)


def population_colors(names: Iterable[Any]) -> dict[str, str]:
    """Return the fixed color of each population; others are gray, in alphabetical order."""
    ordered = population_order(names)
    unknown = [name for name in ordered if name not in POPULATION_COLORS]
    grays = {name: UNKNOWN_COLORS[i % len(UNKNOWN_COLORS)] for i, name in enumerate(unknown)}
    return {name: POPULATION_COLORS.get(name) or grays[name] for name in ordered}


def sentence_figure(sentence: str) -> Figure:
    """Return a small figure with a sentence that says why there is nothing to draw."""
    figure = Figure(figsize=(7.0, 0.9))
    figure.text(0.5, 0.5, sentence, ha="center", va="center", fontsize=9, color=NEUTRAL, wrap=True)
    return figure


def legend_dots(labels: Mapping[str, str], *, colors: Mapping[str, Any]) -> list[Line2D]:
    """Return legend entries as round dots, one per key of `labels`, in their order."""
    return [
        Line2D([], [], linestyle="", marker="o", markersize=5, color=colors[name], label=label)
        for name, label in labels.items()
    ]


def counted_labels(values: pd.Series, *, names: Iterable[str]) -> dict[str, str]:
    """Return legend labels with the number of cells after each name."""
    counts = values.value_counts()
    return {name: f"{readable(name)}  {counts.get(name, 0):,}" for name in names}
