"""How the neighborhoods of a contrast relate to its LAMM result, in a sentence."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import LAMM, LAMM_ROWS
from lammscope.core.verdicts import INCONCLUSIVE
from lammscope.core.words import denominator_words, readable, shortened

OTHERS = ("immune", "monocytic", "all")  # denominators, if the primary one was not tested
WAYS = ("tested", "higher", "lower")


def neighborhood_line(
    neighborhoods: pd.DataFrame, abundance: pd.DataFrame, *, contrast: Contrast, denominator: str
) -> str:
    """Say how many neighborhoods of monocytic cells differ, and whether as LAMM cells do.

    Parameters
    ----------
    neighborhoods
        `abundance/neighborhoods_by_type.{contrast}.tsv`.
    abundance
        `abundance/{contrast}.tsv`; may be empty.
    contrast
        The contrast.
    denominator
        The primary one of the run, in which LAMM cells are named if they were tested in it.

    Returns
    -------
    str
        One to three sentences; empty if no neighborhood of monocytic cells was tested.
    """
    if neighborhoods.empty or abundance.empty:
        return ""
    of_monocytic = abundance.loc[abundance["denominator"] == "monocytic", "population"]
    names = set(of_monocytic) - set(LAMM_ROWS)
    own = neighborhoods[neighborhoods["population"].isin(names) & (neighborhoods["n_tested"] > 0)]
    if own.empty:
        return ""
    n_tested, n_higher, n_lower = (int(own[f"n_{what}"].sum()) for what in WAYS)
    counted = _count_words(own, higher=n_higher, lower=n_lower, contrast=contrast)
    counted = f"Of {n_tested:,} tested neighborhoods of monocytic cells, {counted}."
    row = _lamm_row(abundance, first=denominator)
    if row is None:
        return f"{counted} LAMM cells could not be tested in this contrast."
    way = "higher" if row["estimate"] > 0 else "lower"
    numerically = "numerically " if row["verdict"] == INCONCLUSIVE else ""
    result = (
        f"LAMM cells as a fraction {denominator_words(row['denominator'])}: {row['verdict']}, "
        f"{numerically}{contrast.toward(way)}"
    )
    if not n_higher + n_lower:
        return f"{counted} {result}."
    return f"{counted} {result}; {_agreement(way, higher=n_higher, lower=n_lower)}."


def _count_words(own: pd.DataFrame, *, higher: int, lower: int, contrast: Contrast) -> str:
    """Say how many neighborhoods differ, in which direction and of which populations."""
    if not higher + lower:
        return "none differs"
    ways = zip((lower, higher), contrast.directions(), strict=True)
    counts = [f"{n:,} {words}" for n, words in ways if n]
    return f"{higher + lower:,} differ ({', '.join(counts)}): {_listed(own)}"


def _listed(own: pd.DataFrame) -> str:
    """Name the populations with neighborhoods that differ, and how many they have."""
    rows = own.assign(n=own["n_higher"] + own["n_lower"])
    rows = rows[rows["n"] > 0].sort_values(["n", "population"], ascending=[False, True])
    return shortened(
        [
            f"{row['n']:,} of {row['n_tested']:,} {readable(row['population'])}"
            for row in rows.to_dict("records")
        ]
    )


def _lamm_row(abundance: pd.DataFrame, *, first: str) -> dict[Any, Any] | None:
    """Return the row of LAMM cells in the first denominator that was tested."""
    rows = abundance[(abundance["population"] == LAMM) & (abundance["scale"] == "logit")]
    rows = rows[np.isfinite(rows["estimate"].astype(float))].set_index("denominator", drop=False)
    found = [rows.loc[name].to_dict() for name in (first, *OTHERS) if name in rows.index]
    return found[0] if found else None


def _agreement(way: str, *, higher: int, lower: int) -> str:
    if higher and lower:
        return "the neighborhoods differ in both directions"
    same = (higher > 0) == (way == "higher")
    return f"the neighborhoods differ in the {'same' if same else 'opposite'} direction"
