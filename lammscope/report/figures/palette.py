"""Figures as images of 256 colors, a third of the size of true color and faster to write."""

import numpy as np
from PIL import Image

N_EXACT = 64  # the most frequent colors: text, lines, bars and backgrounds
N_RARE = 96  # colors spread over all that there are, so that a small mark keeps its hue
N_FREQUENT = 96  # colors where most pixels are, so that a color map stays smooth
STEP = 3  # every third pixel is counted
WHITE = 248  # colors that are lighter in all channels become white


def limit_colors(pixels: np.ndarray) -> Image.Image:
    """Return an opaque image (height x width x 4, uint8) with a palette, without dithering.

    The most frequent colors are kept to within 3 of 255. The others become the nearest color of the
    palette.
    """
    image = Image.fromarray(pixels).convert("RGB")
    sample = np.ascontiguousarray(pixels.reshape(-1, pixels.shape[2])[::STEP, :3])
    codes = sample.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    exact = _most_frequent(codes)
    others = sample[~np.isin(codes, exact)]
    colors = [np.stack([exact >> 16, exact >> 8 & 255, exact & 255], axis=1).astype(np.uint8)]
    if len(others):
        colors.append(_palette(image, N_RARE, Image.Quantize.FASTOCTREE))
        colors.append(_palette(Image.fromarray(others[None]), N_FREQUENT, Image.Quantize.MEDIANCUT))
    table = np.concatenate(colors)
    table[(table >= WHITE).all(axis=1)] = 255
    palette = Image.new("P", (1, 1))
    palette.putpalette(table.tobytes())
    indices = np.array(image.quantize(palette=palette, dither=Image.Dither.NONE))
    # Pillow compares colors in steps of 4, so white could become a near-white that is nearer then.
    indices[(pixels[..., :3] >= WHITE).all(axis=2)] = _index_of_white(table)
    limited = Image.fromarray(indices, mode="P")
    limited.putpalette(table.tobytes())
    return limited


def _index_of_white(table: np.ndarray) -> int:
    """Return the place of white in a palette; without it, that of the lightest color."""
    return int(table.sum(axis=1, dtype=int).argmax())


def _most_frequent(codes: np.ndarray) -> np.ndarray:
    """Return up to `N_EXACT` colors, the most frequent first."""
    colors, counts = np.unique(codes, return_counts=True)
    frequent: np.ndarray = colors[np.argsort(-counts, kind="stable")[:N_EXACT]]
    return frequent


def _palette(image: Image.Image, n_colors: int, method: Image.Quantize) -> np.ndarray:
    mixed = image.quantize(n_colors, method=method, dither=Image.Dither.NONE)
    return np.array(mixed.getpalette(), dtype=np.uint8).reshape(-1, 3)[:n_colors]
