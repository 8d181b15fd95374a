"""Levels of ligands and receptors by arm, for a table and a dot plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from lammscope.axis.strength import GroupCounts, group_counts, part_counts
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import SIDES
from lammscope.cohort.pairs import Term
from lammscope.core.names import PER, PHASES, Array
from lammscope.core.words import readable


@dataclass(frozen=True)
class Slot:
    """Patients of one arm on one side of a comparison.

    Attributes
    ----------
    label
        Words.
    units
        Which units of the comparison.
    side
        Of their sides.
    """

    label: str
    units: np.ndarray
    side: int


@dataclass(frozen=True)
class Level:
    """The level of a term in a slot: the mean of patients, and in how many it has a UMI."""

    rate: float
    share: float
    n: int


@dataclass(frozen=True, eq=False)
class Levels:
    """Levels of terms in the patients of a contrast.

    Attributes
    ----------
    comparison
        Who is compared with whom.
    libraries, terms
        `axis/libraries.tsv` and `axis/terms.tsv.gz`.
    min_cells
        Patients with fewer cells of a group are left out.
    """

    comparison: Comparison
    libraries: pd.DataFrame
    terms: pd.DataFrame
    min_cells: int

    @cached_property
    def slots(self) -> list[Slot]:
        """The slots: reference before test; of a change, before infusion and after it by arm."""
        contrast, units = self.comparison.contrast, self.comparison.units
        group = contrast.groups(units)
        if contrast.has_sides and contrast.has_arms:
            return [
                Slot(f"{readable(contrast.value_of(arm))}, {phase}", group == arm, side)
                for arm in reversed(SIDES)
                for phase, side in zip(PHASES, (1, 0), strict=True)
            ]
        if contrast.has_sides:
            every = np.ones(len(units), dtype=bool)
            return [Slot(readable(contrast.value_of(SIDES[k])), every, k) for k in (1, 0)]
        names = {side: readable(contrast.value_of(side)) for side in SIDES}
        if contrast.has_numbers:
            names = {side: contrast.group(side) for side in SIDES}
        return [Slot(names[side], group == side, 0) for side in reversed(SIDES)]

    def of_term(self, term: Term, group: str) -> list[Level]:
        """Return the level of a term in each slot, in UMIs per 10,000.

        The level of a patient is that of the weakest part. It has a UMI if each part has one.
        """
        own = self._counts(group)
        if own is None or not set(term.genes) <= set(own.genes):
            return [Level(np.nan, np.nan, 0) for _ in self.slots]
        counts = part_counts(own, term)[0]
        size = np.where(own.umi > 0, own.umi, np.nan)
        weakest = counts.min(axis=0)
        known = (own.n_cells >= self.min_cells) & np.isfinite(weakest) & (own.umi > 0)
        rates = PER * weakest / size
        return [self._level(rates, weakest, known, slot) for slot in self.slots]

    @staticmethod
    def _level(rates: Array, weakest: Array, known: np.ndarray, slot: Slot) -> Level:
        keep = slot.units & known[:, slot.side]
        n = int(keep.sum())
        if not n:
            return Level(np.nan, np.nan, 0)
        found = float((weakest[keep, slot.side] > 0).mean())
        return Level(float(rates[keep, slot.side].mean()), found, n)

    @cached_property
    def _known(self) -> dict[str, GroupCounts]:
        return {}

    def _counts(self, group: str) -> GroupCounts | None:
        """Return the counts of a group, or None if no sample has its cells."""
        if not len(self.comparison.units) or not (self.libraries["group"] == group).any():
            return None
        if group not in self._known:
            units, own = self.comparison.units, self.terms[self.terms["group"] == group]
            self._known[group] = group_counts(self.libraries, own, units, group=group)
        return self._known[group]


def level_rows(levels: Levels, wanted: Sequence[tuple[str, Term, str]]) -> list[dict[str, Any]]:
    """Return rows of a table: `what`, `term`, `group` and a level for each slot (`level_0`, ...).

    `wanted` are words on the role of a term, the term, and the group of cells.
    """
    rows = []
    for what, term, group in wanted:
        found = levels.of_term(term, group)
        row: dict[str, Any] = {"what": what, "term": str(term), "group": group}
        row |= {f"level_{i}": level.rate for i, level in enumerate(found)}
        row |= {f"share_{i}": 100 * level.share for i, level in enumerate(found)}
        rows.append(row)
    return rows
