"""Draw the figures of a group in the common style, and save them."""

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
        Data of the group: `QualityData`, `CohortData`, `EvidenceData`, `ContrastData`,
        `NeighborhoodData`, `AxisData`, `AssociationData`, `MultiverseData` or
        `outcome.survival.Survival`.
    functions
        Dotted names of functions that take `data` and return a `Figure`, by the name of the figure,
        from `catalog.drawing_functions`.

    Returns
    -------
    dict of Figure
        All figures of the group by name.
    """
    with rc_context(STYLE):
        return {name: resolve_name(dotted)(data) for name, dotted in functions.items()}


def save_figures(figures: Mapping[str, Figure], paths: Iterable[str | Path], *, dpi: int) -> None:
    """Save each figure as PNG and PDF, at the path that ends in its name and `.png`."""
    for path in map(Path, paths):
        save_figure(figures[path.stem], path.with_suffix(""), dpi=dpi)
