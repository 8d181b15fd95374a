"""Settings of LAMM calls, and the reference levels that calls are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from lammscope.annotate.macrophage_state import StateGenes
from lammscope.annotate.signature import load_state
from lammscope.core.files import named_errors, open_text
from lammscope.core.names import LEVELS
from lammscope.core.resources import find_resource

NON_MYELOID_ROW = "non_myeloid"

REFERENCE_COLUMNS = ("population", "gene", "rate_per_10k", "low", "high", "source")

SCOPES = ("cell", "pool")  # whose counts an exclusion criterion uses


@dataclass(frozen=True)
class Veto:
    """An exclusion criterion: cells in which the summed rate of some genes is too high.

    Attributes
    ----------
    name
        Name of the criterion.
    genes
        Symbols whose counts are summed.
    per_10k
        The summed rate above which a cell is not called, UMIs per 10,000.
    scope
        Whose counts are used: "cell" (its own) or "pool" (with those of its neighbors).

    Raises
    ------
    ValueError
        If the scope is another one.
    """

    name: str
    genes: tuple[str, ...]
    per_10k: float
    scope: str

    def __post_init__(self) -> None:
        """Refuse an unknown scope."""
        if self.scope not in SCOPES:
            raise ValueError(
                f"lamm.vetoes.{self.name}: scope is {self.scope!r}; give {' or '.join(SCOPES)}"
            )


@dataclass(frozen=True)
class CallSettings:
    """Settings of LAMM calls, the same for every cell.

    Attributes
    ----------
    definers
        Symbols of the defining markers.
    references
        Table from `load_references`.
    state
        Genes of the tissue-macrophage state, or of a user's signature.
    level
        The level of the call, "positive" or "macrophage_like".
    probability
        Probability from which a cell is called. Below one minus it, the cell is not LAMM; between,
        it is uncertain.
    fold
        A positive cell exceeds this multiple of the non-myeloid rate.
    prior_counts
        Weight of the prior, in counts.
    dispersion
        Squared coefficient of variation between the true rates of a cell and its neighborhood; caps
        pooled evidence at 1 / dispersion counts.
    vetoes
        Exclusion criteria, applied in order; "ambient" is always the last.

    Raises
    ------
    ValueError
        If the level or the probability is invalid, or if there are no defining markers.
    """

    definers: tuple[str, ...]
    references: pd.DataFrame
    state: StateGenes
    level: str
    probability: float
    fold: float
    prior_counts: float
    dispersion: float
    vetoes: tuple[Veto, ...]

    def __post_init__(self) -> None:
        """Refuse settings that cannot be used."""
        if self.level not in LEVELS:
            raise ValueError(f"lamm.level is {self.level!r}; give {' or '.join(LEVELS)}")
        if not 0.5 < self.probability < 1:  # at 0.5 or less, a cell could be both LAMM and not LAMM
            raise ValueError(
                f"lamm.probability is {self.probability}; give a number between 0.5 and 1"
            )
        if not self.definers:
            raise ValueError("lamm.definers is empty; name at least one gene")

    @classmethod
    def from_config(
        cls, section: Mapping[str, Any], *, references: pd.DataFrame, state: StateGenes
    ) -> Self:
        """Make settings from the config's section `lamm`, and from what its files hold."""
        vetoes = tuple(
            Veto(name, tuple(veto["genes"]), veto["per_10k"], veto["scope"])
            for name, veto in section["vetoes"].items()
        )
        given = {"definers": tuple(section["definers"]), "vetoes": vetoes}
        return cls(**{**section, **given, "references": references, "state": state})

    @classmethod
    def read(
        cls, section: Mapping[str, Any], *, references: str | Path, state_genes: str | Path
    ) -> Self:
        """Make settings from the config's section `lamm`, reading the files that it names."""
        return cls.from_config(
            section,
            references=load_references(find_resource(references)),
            state=load_state(find_resource(state_genes)),
        )

    @property
    def genes(self) -> list[str]:
        """Symbols that calls use, each once: defining markers, then genes of exclusion criteria."""
        of_vetoes = (gene for veto in self.vetoes for gene in veto.genes)
        return list(dict.fromkeys([*self.definers, *of_vetoes]))


def load_references(path: str | Path) -> pd.DataFrame:
    """Read the table of reference levels (UMIs per 10,000) and check its columns and numbers."""
    with named_errors(path), open_text(Path(path)) as handle:
        table = pd.read_csv(handle, sep="\t")
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


def background_levels(references: pd.DataFrame, definers: Sequence[str]) -> np.ndarray:
    """Return the level of each defining marker in non-myeloid cells, UMIs per 10,000.

    Raises
    ------
    ValueError
        If the table of references has no level of a marker.
    """
    outside = references[references["population"] == NON_MYELOID_ROW]
    levels = outside.groupby("gene")["rate_per_10k"].max()
    for gene in definers:
        if gene not in levels:
            raise ValueError(
                f"lamm.references has no level of {gene} in {NON_MYELOID_ROW}; add a row"
            )
    return levels.loc[list(definers)].to_numpy(dtype=float)
