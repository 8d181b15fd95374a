"""Draw the figures of a group in the common style, and save them."""

import gc
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from lammscope.report.figures.style import STYLE, save_figure

COLLECT_AFTER = 100_000  # new objects between two searches for garbage; Python's default is 700


def draw_figures(data: Any, *, functions: Mapping[str, str]) -> dict[str, Figure]:
    """Draw every figure of a group.

    Parameters
    ----------
    data
        Data of the group: `QualityData`, `CohortData`, `EvidenceData`, `ContrastData` or
        `NeighborhoodData`.
    functions
        Dotted names of functions that take `data` and return a `Figure`, by the name of the figure,
        from `catalog.drawing_functions`.

    Returns
    -------
    dict of Figure
        All figures of the group by name.
    """
    with rc_context(STYLE), _rare_collections():
        return {name: resolve_name(dotted)(data) for name, dotted in functions.items()}


def save_figures(figures: Mapping[str, Figure], paths: Iterable[str | Path], *, dpi: int) -> None:
    """Save each figure as PNG and PDF, at the path that ends in its name and `.png`."""
    with _rare_collections():
        for path in map(Path, paths):
            save_figure(figures[path.stem], path.with_suffix(""), dpi=dpi)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python search for garbage rarely.

    Figures and fonts are hundreds of thousands of objects that live until their files are written.
    Searching them again and again would take a tenth of the time of drawing.
    """
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
