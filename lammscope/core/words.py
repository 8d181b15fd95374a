"""Readable names and numbers for figures, report and messages."""

import difflib
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
WORDS = {
    "LAMM_positive": "LAMM (positive)",
    "LAMM_score": "LAMM score",
    "macrophage_like": "macrophage-like",
    "ldh": "LDH",
    "doublet_t_monocyte": "doublet of T cell and monocyte",
    "LAMM_macrophage_like": "LAMM (macrophage-like)",
}
DENOMINATORS = {
    "all": "of all cells",
    "immune": "of immune cells",
    "monocytic": "of monocytic cells",
    "parent": "of their lineage",
    "T": "per T cell",
}
CHOICE_WORDS = {
    "qc": "quality limits",
    "n_neighbors": "neighbors",
    "ambient": "times ambient RNA",
    "level": "LAMM level",
    "adjust": "adjusted for",
}
PLURAL = re.compile(
    r"(responder|patient|pair|job|problem|sample|coefficient|file|specification|folder)s\b"
)


def readable(name: object) -> str:
    """Turn a name of the tables into words, such as `non_responder` into `non-responder`."""
    words = str(name).replace("non_responder", "non-responder")
    return WORDS.get(words, words.replace("_", " "))


def choice_words(name: object) -> str:
    """Return a choice of the config's section `multiverse` in words."""
    return CHOICE_WORDS.get(str(name), readable(name))


def population_words(name: object) -> str:
    """Return the readable name of a population; `monocytic` stands for all monocytic cells."""
    return "all monocytic cells" if str(name) == "monocytic" else readable(name)


def denominator_words(name: object) -> str:
    """Return the denominator in words, such as `of all cells` for `all`."""
    return DENOMINATORS.get(str(name), f"of {readable(name)}")


def write_number(value: float, kind: str) -> str:
    """Format a number as text.

    Kinds: `count`; `percent` (from 0 to 100); `fraction` (from 0 to 1, shown as percent); `points`
    (a difference of fractions, as percentage points); `p`; `signed`; `ratio` (the exponential of a
    log ratio); `plain` (three digits, no decimals that it does not need); `number`. Infinite and
    missing values become an en dash.
    """
    if not np.isfinite(value):
        return NOTHING
    match kind:
        case "count":
            text = f"{value:,.0f}"
        case "percent" | "fraction":
            percent = value * (100 if kind == "fraction" else 1)
            text = f"{percent:.2f} %" if 0 < percent < 1 else f"{percent:.1f} %"
            text = "< 0.01 %" if 0 < percent < 0.005 else text
        case "points":
            text = f"{100 * value:+.1f} %"
        case "p":
            text = _p_text(value)
        case "signed":
            text = f"{value:+.2f}"
        case "ratio":
            ratio = float(np.exp(np.clip(value, -20, 20)))
            decimals = 3 if ratio < 0.1 else 2 if ratio < 10 else 1 if ratio < 100 else 0
            text = f"{ratio:,.{decimals}f}" if ratio >= 0.0005 else "< 0.001"
            text = "> 1,000,000" if ratio > 1e6 else text
        case "plain":
            text = write_plain(value)
        case "number":
            text = f"{value:.2f}"
        case _:
            raise ValueError(f"write_number: no kind {kind!r}.")
    return text.replace("-", MINUS)


def p_words(p: float) -> str:
    """Return `p = 0.012` or `p < 0.0001`."""
    words = write_number(float(p), "p")
    return f"p {words}" if words.startswith("<") else f"p = {words}"


def _p_text(p: float) -> str:
    """Write p with three decimals; with a fourth if it is small, or rounding would move it to 0.05.

    Those below 0.0001 are not told apart.
    """
    if p < 0.0001:
        return "< 0.0001"
    close = p < 0.00095 or (p != 0.05 and f"{p:.3f}" == "0.050")
    return f"{p:.4f}" if close else f"{p:.3f}"


def write_plain(value: float) -> str:
    """Write a number with three digits, without an exponent where it is readable."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def counted(n: int, what: str) -> str:
    """Return a number with its noun, given in the plural: `1 patient`, `2 patients`."""
    return f"{n} {PLURAL.sub(r'\1', what, count=1) if n == 1 else what}"


def shortened(names: Iterable[object], n: int = 5, *, separator: str = ", ") -> str:
    """Return the first `n` names, joined by `separator`, and the number of the others."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - n} more" if len(listed) > n else ""
    return separator.join(listed[:n]) + more


def elided(text: str, length: int) -> str:
    """Return a text with at most `length` characters; of a longer one, both ends are kept."""
    if len(text) <= length:
        return text
    end = (length - 1) // 2
    return text[: length - 1 - end] + "\N{HORIZONTAL ELLIPSIS}" + text[len(text) - end :]


def as_text(values: pd.Series) -> pd.Series:
    """Return values as text: whole numbers without a decimal point, None for missing values."""
    return values.map(_text).astype(object)


def near(name: str, names: Iterable[str]) -> str:
    """Return a hint at the closest of the allowed names, or an empty string."""
    by_lower = {str(allowed).lower(): str(allowed) for allowed in names}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f" (did you mean `{by_lower[found[0]]}`?)" if found else ""


def _text(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
