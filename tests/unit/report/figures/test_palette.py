"""Images of 256 colors look like those of true color."""

import numpy as np
from matplotlib import colormaps

from lammscope.report.figures.palette import limit_colors


def test_flat_colors_stay_and_white_stays_white() -> None:
    pixels = np.full((60, 60, 4), 255, dtype=np.uint8)
    for i, color in enumerate([(209, 0, 63), (246, 248, 249), (31, 38, 43)]):
        pixels[20 * i : 20 * i + 10, :30, :3] = color
    image = limit_colors(pixels)
    found = np.asarray(image.convert("RGB")).astype(int)
    assert image.mode == "P"
    assert np.abs(found - pixels[:, :, :3]).max() <= 3
    assert (found[15] == 255).all()


def test_color_maps_stay_smooth_and_a_small_mark_keeps_its_hue() -> None:
    ramp = (255 * colormaps["viridis"](np.linspace(0, 1, 400))).astype(np.uint8)
    pixels = np.full((300, 400, 4), 255, dtype=np.uint8)
    pixels[:200] = ramp
    other = (255 * colormaps["Reds"](np.linspace(0, 1, 400))).astype(np.uint8)
    pixels[250:] = other
    pixels[220:224, 40:44, :3] = (0, 178, 214)
    found = np.asarray(limit_colors(pixels).convert("RGB")).astype(int)
    assert np.abs(found - pixels[:, :, :3]).max() <= 24
    assert np.abs(found - pixels[:, :, :3]).mean() < 3


def test_a_near_white_color_does_not_become_the_background() -> None:
    pixels = np.full((100, 100, 4), 255, dtype=np.uint8)
    pixels[:10, :, :3] = (247, 252, 253)
    found = np.asarray(limit_colors(pixels).convert("RGB"))
    assert (found[10:] == 255).all()
