"""Draw the figures of a group in the look that all share, and save them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from lammscope.report.figures.style import STYLE, save_figure


def draw_figures(data: Any, *, functions: Mapping[str, str]) -> dict[str, Figure]:
    """Draw every figure of a group.

    Parameters
    ----------
    data
        What the group's figures are drawn from: `CohortData`, `EvidenceData`, `ContrastData` or
        `NeighborhoodData`.
    functions
        Dotted names of functions from `data` to a `Figure`, by the figures' names, as
        `catalog.drawing_functions` gives them.

    Returns
    -------
    dict of Figure
        By name, always all of them.
    """
    with rc_context(STYLE):
        return {name: resolve_name(dotted)(data) for name, dotted in functions.items()}


def save_figures(figures: Mapping[str, Figure], paths: Iterable[str | Path], *, dpi: int) -> None:
    """Save a figure at each path, which ends in its name and `.png`, and beside it as PDF."""
    for path in map(Path, paths):
        save_figure(figures[path.stem], path.with_suffix(""), dpi=dpi)
