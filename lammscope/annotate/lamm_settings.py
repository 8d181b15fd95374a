"""Settings of LAMM calls, checked, and the reference levels that calls compare with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from lammscope.core.names import LEVELS

NON_MYELOID_ROW = "non_myeloid"

REFERENCE_COLUMNS = ("population", "gene", "rate_per_10k", "low", "high", "source")

SCOPES = ("cell", "pool")  # whose counts a veto reads


@dataclass(frozen=True)
class Veto:
    """A reason not to call a cell: counts of some genes together exceed a rate.

    Attributes
    ----------
    name
        The reason.
    genes
        Symbols whose counts are added.
    per_10k
        The rate of their sum that vetoes, UMI per 10,000.
    scope
        Whose counts are read: "cell" (its own) or "pool" (with its neighbours').

    Raises
    ------
    ValueError
        For another scope.
    """

    name: str
    genes: tuple[str, ...]
    per_10k: float
    scope: str

    def __post_init__(self) -> None:
        if self.scope not in SCOPES:
            raise ValueError(
                f"lamm.vetoes.{self.name}: scope is {self.scope!r}; give {' or '.join(SCOPES)}"
            )


@dataclass(frozen=True)
class CallSettings:
    """What LAMM calls are made by, the same for every cell.

    Attributes
    ----------
    definers
        Gene symbols, the one that sets LAMM cells apart first.
    references
        Table of `load_references`.
    level
        "positive" or "elevated", which of the two is the call.
    probability
        A call needs this much; what lies within it of neither 0 nor 1 is uncertain.
    fold
        Times the non-myeloid rate that a positive cell exceeds.
    prior_counts
        Weight of the prior, in counts.
    dispersion
        Squared coefficient of variation between the true rates of a cell and its neighbourhood;
        pooled evidence never counts as more than 1 / dispersion counts.
    cell_dispersion
        Squared coefficient of variation of a gene's true rate between cells of one population.
    vetoes
        Tried in order; "ambient" comes last by itself.

    Raises
    ------
    ValueError
        For a level or probability that is none, or without definers.
    """

    definers: tuple[str, ...]
    references: pd.DataFrame
    level: str
    probability: float
    fold: float
    prior_counts: float
    dispersion: float
    cell_dispersion: float
    vetoes: tuple[Veto, ...]

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"lamm.level is {self.level!r}; give {' or '.join(LEVELS)}")
        if not 0.5 < self.probability < 1:  # at 0.5 or less a cell would be LAMM and not LAMM
            raise ValueError(
                f"lamm.probability is {self.probability}; give a number between 0.5 and 1"
            )
        if not self.definers:
            raise ValueError("lamm.definers is empty; name at least one gene")

    @classmethod
    def from_config(cls, section: Mapping[str, Any], *, references: pd.DataFrame) -> Self:
        """Settings from the config's section `lamm`, with the table that it names read."""
        vetoes = tuple(
            Veto(name, tuple(veto["genes"]), veto["per_10k"], veto["scope"])
            for name, veto in section["vetoes"].items()
        )
        given = {"definers": tuple(section["definers"]), "vetoes": vetoes, "references": references}
        return cls(**{**section, **given})

    @property
    def genes(self) -> list[str]:
        """Symbols that calls read, each once: the definers, then the vetoes' genes."""
        of_vetoes = (gene for veto in self.vetoes for gene in veto.genes)
        return list(dict.fromkeys([*self.definers, *of_vetoes]))


def load_references(path: str | Path) -> pd.DataFrame:
    """Read the table of reference levels (UMI per 10,000) and check its columns and numbers."""
    table = pd.read_csv(path, sep="\t")
    missing = [column for column in REFERENCE_COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; add it")
    for column in ("rate_per_10k", "low", "high"):
        table[column] = pd.to_numeric(table[column], errors="coerce")
    good = (table["low"] >= 0) & (table["low"] <= table["rate_per_10k"])
    good &= (table["rate_per_10k"] <= table["high"]) & (table["rate_per_10k"] > 0)
    for row in table.index[~good]:
        name = ", ".join(str(value) for value in table.loc[row, ["population", "gene"]])
        raise ValueError(
            f"{path}: row {row + 2} ({name}): "
            "give 0 <= low <= rate_per_10k <= high, and a rate above 0"
        )
    return table


def reference_levels(references: pd.DataFrame, definers: Sequence[str]) -> pd.DataFrame:
    """The levels that a call compares with, one row per definer (UMI per 10,000).

    `background` is the level of non-myeloid cells; `typical` the usual rate, and `upper` the
    highest seen, in the ordinary monocyte population that carries the gene most; `elevated` is
    what an elevated cell exceeds: `upper` for the first definer, which sets LAMM cells apart, and
    `typical` for the others, which ordinary monocytes carry as well.
    """
    rows = {}
    for gene in definers:
        own = references[references["gene"] == gene]
        outside = own[own["population"] == NON_MYELOID_ROW]
        monocytes = own[own["population"] != NON_MYELOID_ROW]
        if outside.empty or monocytes.empty:
            raise ValueError(
                f"lamm.references has no level of {gene} in "
                f"{NON_MYELOID_ROW if outside.empty else 'ordinary monocytes'}; add a row"
            )
        rows[gene] = {
            "background": outside["rate_per_10k"].max(),
            "typical": monocytes["rate_per_10k"].max(),
            "upper": monocytes["high"].max(),
        }
    levels = pd.DataFrame.from_dict(rows, orient="index")
    first = levels.index == definers[0]
    levels["elevated"] = np.where(first, levels["upper"], levels["typical"])
    return levels
