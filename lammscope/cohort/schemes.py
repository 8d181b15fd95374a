"""Permutation schemes of a contrast, and the smallest p that they can give."""

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
    """The permutations of the units of a contrast, from `label_scheme` or `sign_scheme`.

    Attributes
    ----------
    kind
        `signs` (of pairs' differences), `labels` (of patients) or `residuals` (Freedman and Lane).
    strata
        A code per unit.
    test
        Whether a unit is in the test arm.
    n_assignments, n_ties
        Number of assignments, and of those that always have the same |t| as the data.
    max_exact, n_draws
        Up to `max_exact` assignments, all are enumerated; above it, `n_draws` are drawn at random.
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
        """Whether all assignments are enumerated."""
        return self.n_assignments <= self.max_exact

    @property
    def floor(self) -> float:
        """The smallest two-sided p that the permutations can give."""
        if self.exact:
            return min(1.0, self.n_ties / self.n_assignments)
        return 1 / (self.n_draws + 1)

    @property
    def words(self) -> str:
        """What is permuted, and the number of assignments or draws."""
        taken = f"exact, {self.n_assignments:,} assignments"
        return f"{self.what}: {taken if self.exact else f'{self.n_draws:,} draws'}"

    @property
    def observed(self) -> NDArray[np.bool_]:
        """The assignment of the data: patients of the test arm, or all signs unchanged."""
        return np.ones_like(self.test) if self.kind == SIGNS else self.test

    @property
    def exchanges_arms(self) -> bool:
        """Whether exchanging the arms (or all signs) is always one of the assignments."""
        strata = strata_members(self.strata)
        return self.kind == SIGNS or all(2 * self.test[s].mean() == 1 for s in strata)


def label_scheme(
    units: pd.DataFrame, adjust: Sequence[str], *, max_exact: int, n_draws: int
) -> Scheme:
    """Return the scheme that permutes the labels of patients.

    Parameters
    ----------
    units
        From `Comparison.units`: `arm` and the covariates.
    adjust
        The covariates.
    max_exact, n_draws
        Up to `max_exact` assignments, all are enumerated; above it, `n_draws` are drawn at random,
        and p = (count + 1) / (draws + 1).

    Notes
    -----
    Labels (for a change, of patients' differences) are permuted within strata of the categorical
    covariates. The number of assignments is the product over strata of n! / (k! (n-k)!). Exchanging
    the two arms gives the same |t|. If each stratum with both arms has them in equal numbers, that
    exchange is itself an assignment, and the smallest p is 2 / assignments, else 1 / assignments.
    With a numeric covariate, residuals are permuted within strata (Freedman and Lane 1983), which
    is approximate.
    """
    test = (units["arm"] == "test").to_numpy()
    strata: Codes = np.zeros(len(units), dtype=np.int64)
    where = ""
    texts = [c for c in adjust if not pd.api.types.is_numeric_dtype(units[c])]
    numbers = [c for c in adjust if c not in texts and units[c].nunique() > 1]
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
    """Return the scheme that flips the signs of pairs' differences.

    There are 2^n assignments, and the smallest p is 2 / 2^n. For `max_exact` and `n_draws`, see
    `label_scheme`.
    """
    strata: Codes = np.zeros(n_pairs, dtype=np.int64)
    nobody = np.zeros(n_pairs, dtype=bool)
    return Scheme(SIGNS, strata, nobody, 2**n_pairs, 2, max_exact, n_draws, "sign flips of pairs")


def strata_members(strata: Codes) -> list[NDArray[np.bool_]]:
    """Return a mask of the units for each stratum."""
    return [strata == code for code in np.unique(strata)]
