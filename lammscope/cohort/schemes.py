"""How the patients of a contrast can be permuted, and the smallest p that gives."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.core.words import as_text

Codes = NDArray[np.int64]

SIGNS, LABELS, RESIDUALS = "signs", "labels", "residuals"


@dataclass(frozen=True)
class Scheme:
    """How the units of a contrast are permuted, from `label_scheme` or `sign_scheme`.

    Attributes
    ----------
    kind
        `signs` (of pairs' differences), `labels` (of patients) or `residuals` (Freedman and Lane).
    strata
        A code per unit.
    test
        Whether a unit is in the test arm.
    n_assignments, n_ties
        How many there are, and how many of them always have the |t| of the data.
    max_exact, n_draws
        All assignments are taken up to `max_exact`; of more, `n_draws` at random.
    what
        What is permuted, in words.
    """

    kind: str
    strata: Codes
    test: NDArray[np.bool_]
    n_assignments: int
    n_ties: int
    max_exact: int
    n_draws: int
    what: str

    @property
    def exact(self) -> bool:
        """Whether every assignment is taken."""
        return self.n_assignments <= self.max_exact

    @property
    def floor(self) -> float:
        """The smallest two-sided p."""
        if self.exact:
            return min(1.0, self.n_ties / self.n_assignments)
        return 1 / (self.n_draws + 1)

    @property
    def words(self) -> str:
        """What is permuted, and how many assignments are taken."""
        taken = f"exact, {self.n_assignments:,} assignments"
        return f"{self.what}: {taken if self.exact else f'{self.n_draws:,} draws'}"

    @property
    def observed(self) -> NDArray[np.bool_]:
        """The assignment of the data: who is in the test arm, or every difference as it is."""
        return np.ones_like(self.test) if self.kind == SIGNS else self.test

    @property
    def exchanges_arms(self) -> bool:
        """Whether exchanging the arms (or all signs) is always one of the assignments."""
        strata = strata_members(self.strata)
        return self.kind == SIGNS or all(2 * self.test[s].mean() == 1 for s in strata)


def label_scheme(
    units: pd.DataFrame, adjust: Sequence[str], *, max_exact: int, n_draws: int
) -> Scheme:
    """Permute the labels of patients, and tell the smallest two-sided p that this gives.

    Parameters
    ----------
    units
        From `Comparison.units`: `arm` and the covariates.
    adjust
        The covariates.
    max_exact, n_draws
        Up to `max_exact` assignments are enumerated; beyond, `n_draws` are drawn, with the +1 rule.

    Notes
    -----
    Labels (for a change, those of patients' differences) are permuted within strata of the
    categorical covariates: the product over strata of n! / (k! (n-k)!) assignments. Exchanging the
    two arms gives the same |t|; where every stratum that holds both arms holds them in equal
    numbers that exchange is one of the assignments, so that the smallest p is 2 / assignments,
    else 1 / assignments. With a numeric covariate residuals are permuted within strata (Freedman
    and Lane 1983), which is approximate.
    """
    test = (units["arm"] == "test").to_numpy()
    strata: Codes = np.zeros(len(units), dtype=np.int64)
    where = ""
    texts = [c for c in adjust if not pd.api.types.is_numeric_dtype(units[c])]
    numbers = [c for c in adjust if c not in texts]
    if texts:
        groups = units.groupby([as_text(units[c]) for c in texts]).ngroup()
        strata = np.asarray(groups, dtype=np.int64)
        where = f" within strata of {', '.join(texts)}"
    sizes = [(int(s.sum()), int(test[s].sum())) for s in strata_members(strata)]
    if numbers:
        kind, total, ties = RESIDUALS, prod(factorial(n) for n, _ in sizes), 1
        words = f"Freedman-Lane for {', '.join(numbers)}, approximate"
    else:
        kind, total = LABELS, prod(comb(n, k) for n, k in sizes)
        ties = 2 if all(2 * k == n for n, k in sizes if 0 < k < n) else 1
        words = "labels of patients"
    return Scheme(kind, strata, test, total, ties, max_exact, n_draws, f"{words}{where}")


def sign_scheme(n_pairs: int, *, max_exact: int, n_draws: int) -> Scheme:
    """Flip the signs of pairs' differences: 2^n assignments, and 2 / 2^n is the smallest p.

    `max_exact` and `n_draws` as in `label_scheme`.
    """
    strata: Codes = np.zeros(n_pairs, dtype=np.int64)
    nobody = np.zeros(n_pairs, dtype=bool)
    return Scheme(SIGNS, strata, nobody, 2**n_pairs, 2, max_exact, n_draws, "sign flips of pairs")


def strata_members(strata: Codes) -> list[NDArray[np.bool_]]:
    return [strata == code for code in np.unique(strata)]
