"""Names and numbers of the tables as a reader expects them, in figures and report alike."""

from collections.abc import Mapping
from typing import Any

import numpy as np

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
WORDS = {
    "LAMM_positive": "LAMM (positive)",
    "ldh": "LDH",
    "doublet_t_monocyte": "doublet of T cell and monocyte",
    "LAMM_elevated": "LAMM (elevated)",
}
DENOMINATORS = {
    "all": "of all cells",
    "immune": "of immune cells",
    "monocytic": "of monocytic cells",
    "parent": "of their lineage",
    "T": "per T cell",
}


def readable(name: object) -> str:
    """Turn a name of the tables into words: `non_responder` becomes `non-responder`."""
    words = str(name).replace("non_responder", "non-responder")
    return WORDS.get(words, words.replace("_", " "))


def population_words(name: object) -> str:
    """Name of a row of an abundance table; `monocytic` there counts all monocytic cells."""
    return "all monocytic cells" if str(name) == "monocytic" else readable(name)


def denominator_words(name: object) -> str:
    """`all` becomes `of all cells`, and so on."""
    return DENOMINATORS.get(str(name), f"of {readable(name)}")


def ratio_name(contrast: Mapping[str, Any]) -> str:
    """What the exponent of an estimate on the logit scale is called."""
    return "ratio of odds ratios" if contrast["kind"] == "change" else "odds ratio"


def write_number(value: float, kind: str) -> str:
    """A number as text.

    Kinds: `count`; `percent` (of 0 to 100); `fraction` (0 to 1, as percent); `points` (a difference
    of fractions, as percentage points); `p` and `small_p`; `signed`; `ratio` (exponent of a log);
    `number`. What is not finite is an en dash.
    """
    if not np.isfinite(value):
        return NOTHING
    match kind:
        case "count":
            text = f"{value:,.0f}"
        case "percent" | "fraction":
            percent = value * (100 if kind == "fraction" else 1)
            text = f"{percent:.2f} %" if 0 < percent < 1 else f"{percent:.1f} %"
        case "points":
            text = f"{100 * value:+.1f} %"
        case "p":
            text = "< 0.001" if value < 0.001 else f"{value:.3f}"
        case "small_p":
            text = f"{value:.1e}" if value < 0.001 else f"{value:.3f}"
        case "signed":
            text = f"{value:+.2f}"
        case "ratio":
            ratio = float(np.exp(np.clip(value, -20, 20)))
            decimals = 3 if ratio < 0.1 else 2 if ratio < 10 else 1 if ratio < 100 else 0
            text = f"{ratio:,.{decimals}f}"
        case _:
            text = f"{value:.2f}"
    return text.replace("-", MINUS)
