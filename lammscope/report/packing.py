"""Arrays as text in a page: compressed (zlib) and written as base64, for scripts to unpack."""

import base64
import json
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

LEVEL = 9


def pack(values: np.ndarray) -> str:
    """Return the bytes of an array, little-endian, as compressed text."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return base64.b64encode(zlib.compress(little.tobytes(), LEVEL)).decode("ascii")


def pack_words(words: Sequence[str]) -> str:
    """Return texts without line breaks as one compressed text."""
    text = "\n".join(words).encode()
    return base64.b64encode(zlib.compress(text, LEVEL)).decode("ascii")


def codes(positions: np.ndarray, n_names: int) -> np.ndarray:
    """Return positions in a list of `n_names` with as few bytes as they need."""
    return positions.astype(np.min_scalar_type(max(n_names - 1, 0)))


def as_json(data: Any) -> Markup:
    """Return data as JSON that may stand in a script element."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return Markup(text.replace("<", "\\u003c"))
