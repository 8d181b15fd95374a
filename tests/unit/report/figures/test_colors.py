"""Colors of populations, arms and phases, as readers with red-green blindness see them.

With thirty populations, not all pairs of colors can differ for everyone. Those that must are LAMM
cells and any other population, the myeloid populations, the main populations of lymphocytes, and
the sides of a contrast. Distances are Euclidean in CIELAB; 2 is just seen side by side.
"""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from lammscope.report.figures import axis, neighborhoods
from lammscope.report.figures.style import ARM_COLORS, PHASE_COLORS
from lammscope.report.order import POPULATION_COLORS

# Severe red-green blindness: Machado, Oliveira and Fernandes 2009, table for severity 1.0.
BLINDNESS = {
    "none": np.eye(3),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
         [-0.011820, 0.042940, 0.968881]]
    ),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
         [-0.003882, -0.048116, 1.051998]]
    ),
}  # fmt: skip
MYELOID = ("Classical_monocyte", "Nonclassical_monocyte", "Macrophage", "cDC1", "cDC2", "DC3",
           "pDC", "Neutrophil")  # fmt: skip
LYMPHOID = ("CD4_T", "CD8_T", "Treg", "CAR_T", "NK", "B", "Malignant_B")
SIDES = {
    "arms": tuple(ARM_COLORS.values()),
    "phases": tuple(PHASE_COLORS.values()),
    "sides of neighborhoods": (neighborhoods.LOWER, neighborhoods.HIGHER),
    "sides of the axis": (axis.LOWER, axis.HIGHER),
}


def lab(color: str, *, blindness: str) -> np.ndarray:
    """Return the CIELAB values of a color as seen with a color vision deficiency."""
    rgb = np.array(to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(BLINDNESS[blindness] @ linear, 0, 1)
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    xyz = to_xyz @ linear / np.array([0.9505, 1.0, 1.089])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(first: str, second: str, *, blindness: str) -> float:
    """Return the distance of two colors in CIELAB."""
    return float(np.linalg.norm(lab(first, blindness=blindness) - lab(second, blindness=blindness)))


@pytest.mark.parametrize("blindness", BLINDNESS)
def test_lamm_differs_from_every_other_population(blindness: str) -> None:
    lamm = POPULATION_COLORS["LAMM"]
    others = {name: color for name, color in POPULATION_COLORS.items() if name != "LAMM"}
    close = {n: d for n, c in others.items() if (d := distance(lamm, c, blindness=blindness)) < 26}
    assert close == {}


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize(("names", "limit"), [(MYELOID, 22), (LYMPHOID, 17)])
def test_related_populations_differ_from_each_other(
    blindness: str, names: tuple[str, ...], limit: float
) -> None:
    close = {
        pair: d
        for pair in combinations(names, 2)
        if (d := distance(*(POPULATION_COLORS[name] for name in pair), blindness=blindness)) < limit
    }
    assert close == {}


@pytest.mark.parametrize("blindness", BLINDNESS)
@pytest.mark.parametrize("name", SIDES)
def test_the_sides_of_a_contrast_differ(name: str, blindness: str) -> None:
    assert distance(*SIDES[name], blindness=blindness) > 40
