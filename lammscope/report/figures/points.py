"""Names of the points of a figure, which the report shows where a reader points at them.

They are kept in the figure's PNG file, as text of its metadata, so they cannot be lost or belong to
another version of the figure.
"""

import json
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL.PngImagePlugin import PngInfo

from lammscope.report.point_names import KEY

DIGITS = 4  # of positions, which are fractions of the figure's width and height

Named = tuple[Axes, np.ndarray, list[str]]
_NAMED: WeakKeyDictionary[Figure, list[Named]] = WeakKeyDictionary()


def name_points(
    axis: Axes,
    x: Sequence[float] | np.ndarray,
    y: Sequence[float] | np.ndarray,
    names: Sequence[str],
) -> None:
    """Name points of an axis, at their data coordinates. Points that are not finite are left out.

    Parameters
    ----------
    axis
        The axis that the points are drawn on.
    x, y
        Coordinates of `n` points.
    names
        A text per point, such as `P03: 12 % of 340 cells`.
    """
    figure = axis.get_figure(root=True)
    if figure is None:
        raise ValueError("name_points: the axis belongs to no figure.")
    places = np.column_stack([np.asarray(x, dtype=float), np.asarray(y, dtype=float)])
    known = np.isfinite(places).all(axis=1)
    kept = [name for name, is_known in zip(names, known, strict=True) if is_known]
    _NAMED.setdefault(figure, []).append((axis, places[known], kept))


def free_of_overlap(
    x: np.ndarray, y: np.ndarray, lengths: Sequence[int], *, letter: float, line: float
) -> list[bool]:
    """Choose the points whose names can be written at their right without covering anything.

    Parameters
    ----------
    x, y
        Coordinates of the points, as fractions of the width and height of their axis.
    lengths
        Numbers of letters of the names.
    letter, line
        Width of a letter and height of a line, as such fractions.

    Returns
    -------
    list of bool
        Whether each name is written. Points far from the middle come first.
    """
    order = np.argsort(-np.hypot(x - 0.5, y - 0.5), kind="stable")
    written = [False] * len(x)
    boxes: list[tuple[float, float, float]] = []
    for i in order:
        left, right, low = x[i] + 0.3 * letter, x[i] + letter * (lengths[i] + 0.5), y[i]
        inside = (x > left) & (x < right) & (y > low - 0.2 * line) & (y < low + line)
        meets = any(left < b and a < right and abs(low - c) < line for a, b, c in boxes)
        if not inside.any() and not meets:
            written[i] = True
            boxes.append((left, right, low))
    return written


def point_metadata(figure: Figure) -> PngInfo:
    """Return the metadata of the PNG file: the named points of a figure after its layout."""
    size = np.array([figure.bbox.width, figure.bbox.height])
    points = []
    for axis, places, names in _NAMED.get(figure, []):
        at = axis.transData.transform(places) / size
        at[:, 1] = 1 - at[:, 1]
        points += [
            (round(float(x), DIGITS), round(float(y), DIGITS), name)
            for (x, y), name in zip(at, names, strict=True)
        ]
    metadata = PngInfo()
    if points:
        metadata.add_itxt(KEY, json.dumps(points, ensure_ascii=False), zip=True)
    return metadata
