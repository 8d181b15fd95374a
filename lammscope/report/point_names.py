"""Reading the named points of a figure from its PNG file, without loading matplotlib."""

import json
from pathlib import Path

from PIL import Image

from lammscope.core.damage import named_damage

KEY = "Points"  # of the text in the PNG file


def read_points(png: str | Path) -> list[tuple[float, float, str]]:
    """Read the named points of a PNG file: fractions from its left and its top, and the name.

    Raises
    ------
    ValueError
        If the file is damaged; the checksums of the image are compared, too.
    """
    with named_damage(png, also=(SyntaxError,)), Image.open(png) as image:
        text = image.info.get(KEY)
        image.verify()
    return [(x, y, name) for x, y, name in json.loads(text)] if text else []
