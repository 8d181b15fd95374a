"""Measured values with their limits, printed one per line."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Figure:
    """A measured value and its limits."""

    part: str
    what: str
    value: float
    low: float = -np.inf
    high: float = np.inf

    @property
    def kept(self) -> bool:
        """Whether the value is within its limits."""
        return bool(self.low <= self.value <= self.high)


def print_figures(figures: Iterable[Figure]) -> int:
    """Print figures as they are measured, and return how many missed a limit."""
    missed = 0
    for figure in figures:
        limits = [f">= {figure.low:g}"] * (figure.low > -np.inf)
        limits += [f"<= {figure.high:g}"] * (figure.high < np.inf)
        missed += not figure.kept
        words = "" if figure.kept else "MISSED"
        value = f"{figure.value:.4g}"
        print(figure.part, figure.what, value, *limits, words, sep="\t", flush=True)
    return missed
