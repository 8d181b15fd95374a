"""Permutation schemes of a contrast, and the smallest p that they can give."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.design import TREND
from lammscope.core.names import Array
from lammscope.core.words import as_text

Codes = NDArray[np.int64]

SIGNS, LABELS, NUMBERS, RESIDUALS = "signs", "labels", "numbers", "residuals"


@dataclass(frozen=True)
class Scheme:
    """The permutations of the units, from `label_scheme`, `number_scheme` or `sign_scheme`.

    Attributes
    ----------
    kind
        `signs` (of pairs' differences), `labels` or `numbers` (of patients), or `residuals`
        (Freedman and Lane).
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
    numbers
        The number of each unit whose trend is tested; None between arms and for pairs.
    """

    kind: str
    strata: Codes
    test: NDArray[np.bool_]
    n_assignments: int
    n_ties: int
    max_exact: int
    n_draws: int
    what: str
    numbers: Array | None = None

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
    def observed(self) -> NDArray[np.bool_] | Array:
        """The assignment of the data: patients of the test arm, numbers, or all signs unchanged."""
        if self.numbers is not None:
            return self.numbers
        return np.ones_like(self.test) if self.kind == SIGNS else self.test

    @property
    def exchanges_arms(self) -> bool:
        """Whether exchanging the arms (or all signs, or ends) is always one of the assignments."""
        strata = strata_members(self.strata)
        if self.numbers is not None:
            return all(_is_symmetric(self.numbers[s]) for s in strata)
        return self.kind == SIGNS or all(2 * self.test[s].mean() == 1 for s in strata)

    def exchanged(self, assigned: NDArray[np.bool_] | Array) -> NDArray[np.bool_] | Array:
        """Return assignments with the arms, all signs, or the ends of symmetric numbers exchanged.

        Their |t| is the same.
        """
        if self.numbers is None:
            return ~assigned.astype(bool)
        result = np.array(assigned, dtype=float)
        for stratum in strata_members(self.strata):
            levels = np.unique(self.numbers[stratum])
            result[..., stratum] = levels[::-1][np.searchsorted(levels, assigned[..., stratum])]
        return result


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
    strata, where, numbers = _covariate_strata(units, adjust)
    sizes = [(int(s.sum()), int(test[s].sum())) for s in strata_members(strata)]
    if numbers:
        kind, total, ties = RESIDUALS, prod(factorial(n) for n, _ in sizes), 1
        words = f"Freedman-Lane for {', '.join(numbers)}, approximate"
    else:
        kind, total = LABELS, prod(comb(n, k) for n, k in sizes)
        ties = 2 if all(2 * k == n for n, k in sizes if 0 < k < n) else 1
        words = "labels of patients"
    return Scheme(kind, strata, test, total, ties, max_exact, n_draws, f"{words}{where}")


def number_scheme(
    units: pd.DataFrame, adjust: Sequence[str], *, max_exact: int, n_draws: int
) -> Scheme:
    """Return the scheme that permutes the numbers of patients within strata.

    Parameters
    ----------
    units
        From `Comparison.units`: `trend` and the covariates.
    adjust, max_exact, n_draws
        As in `label_scheme`.

    Notes
    -----
    Patients with the same number are exchangeable, so the number of assignments is the product
    over strata of n! / (the product of k! over numbers that k patients have). If the numbers of
    each stratum are symmetric, exchanging the ends is an assignment with the same |t|.
    """
    score = units[TREND].to_numpy(dtype=float)
    nobody = np.zeros(len(units), dtype=bool)
    strata, where, numbers = _covariate_strata(units, adjust)
    members = strata_members(strata)
    total = prod(factorial(int(s.sum())) for s in members)
    if numbers:
        kind, ties = RESIDUALS, 1
        words = f"Freedman-Lane for {', '.join(numbers)}, approximate"
    else:
        kind, words = NUMBERS, "values of patients"
        total //= prod(factorial(n) for s in members for n in Counter(score[s]).values())
        ties = 2 if total > 1 and all(_is_symmetric(score[s]) for s in members) else 1
    return Scheme(
        kind, strata, nobody, total, ties, max_exact, n_draws, f"{words}{where}", numbers=score
    )


def sign_scheme(n_pairs: int, *, max_exact: int, n_draws: int) -> Scheme:
    """Return the scheme that flips the signs of pairs' differences.

    There are 2^n assignments, and the smallest p is 2 / 2^n. For `max_exact` and `n_draws`, see
    `label_scheme`.
    """
    strata: Codes = np.zeros(n_pairs, dtype=np.int64)
    nobody = np.zeros(n_pairs, dtype=bool)
    return Scheme(SIGNS, strata, nobody, 2**n_pairs, 2, max_exact, n_draws, "sign flips of pairs")


def _covariate_strata(units: pd.DataFrame, adjust: Sequence[str]) -> tuple[Codes, str, list[str]]:
    """Return the stratum of each unit by text covariates, in words, and numbers that vary."""
    strata: Codes = np.zeros(len(units), dtype=np.int64)
    where = ""
    texts = [c for c in adjust if not pd.api.types.is_numeric_dtype(units[c])]
    numbers = [c for c in adjust if c not in texts and units[c].nunique() > 1]
    if texts:
        groups = units.groupby([as_text(units[c]) for c in texts]).ngroup()
        strata = np.asarray(groups, dtype=np.int64)
        where = f" within strata of {', '.join(texts)}"
    return strata, where, numbers


def _is_symmetric(numbers: Array) -> bool:
    """Return whether the numbers are symmetric about the middle of their range."""
    levels, counts = np.unique(numbers, return_counts=True)
    spaced = np.allclose(levels + levels[::-1], levels[0] + levels[-1], rtol=0, atol=1e-9)
    return bool(spaced and (counts == counts[::-1]).all())


def strata_members(strata: Codes) -> list[NDArray[np.bool_]]:
    """Return a mask of the units for each stratum."""
    return [strata == code for code in np.unique(strata)]
