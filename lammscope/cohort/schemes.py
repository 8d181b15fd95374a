"""How the patients of a contrast can be permuted, and the smallest p that gives."""

from dataclasses import dataclass
from math import comb, factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.contrasts import Contrast
from lammscope.core.words import as_text

Codes = NDArray[np.int64]

SIGNS, LABELS, RESIDUALS = "signs", "labels", "residuals"


@dataclass(frozen=True)
class Scheme:
    """How the units of a contrast are permuted.

    `kind` is `signs` (of pairs' differences), `labels` (of patients) or `residuals` (Freedman and
    Lane); `strata` is a code per unit, `test` whether it is in the test arm. `exact` says whether
    all `n_assignments` are taken, else `n_draws` of them at random. `floor` is the smallest p.
    """

    kind: str
    strata: Codes
    test: NDArray[np.bool_]
    n_assignments: int
    n_draws: int
    exact: bool
    floor: float
    words: str

    @property
    def observed(self) -> NDArray[np.bool_]:
        """The assignment of the data: who is in the test arm, or every difference as it is."""
        return np.ones_like(self.test) if self.kind == SIGNS else self.test


def permutation_scheme(
    units: pd.DataFrame, contrast: Contrast, *, max_exact: int, n_draws: int
) -> Scheme:
    """How the units of a contrast can be permuted, and the smallest two-sided p that gives.

    Parameters
    ----------
    units
        From `comparison_units`.
    max_exact, n_draws
        Up to `max_exact` assignments are enumerated; beyond, `n_draws` are drawn, with the +1 rule.

    Notes
    -----
    Between arms (and for `change`, whose patients' differences are compared) labels are permuted
    within strata of the categorical covariates: the product over strata of n! / (k! (n-k)!)
    assignments. Exchanging the two arms gives the same |t|; where every stratum that holds both
    arms holds them in equal numbers that exchange is one of the assignments, so that the smallest
    p is 2 / assignments, else 1 / assignments. Signs of n pairs: 2 / 2^n. With a numeric
    covariate residuals are permuted within strata (Freedman and Lane 1983), which is approximate.
    """
    test = (units["arm"] == "test").to_numpy()
    strata: Codes = np.zeros(len(units), dtype=np.int64)
    where, ties = "", 2
    if contrast.kind == "paired":
        kind, total, words = SIGNS, 2 ** len(units), "sign flips of pairs"
    else:
        texts = [c for c in contrast.adjust if not pd.api.types.is_numeric_dtype(units[c])]
        numbers = [c for c in contrast.adjust if c not in texts]
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
    exact = total <= max_exact
    taken = f"exact, {total:,} assignments" if exact else f"{n_draws:,} draws"
    floor = min(1.0, ties / total) if exact else 1 / (n_draws + 1)
    return Scheme(kind, strata, test, total, n_draws, exact, floor, f"{words}{where}: {taken}")


def strata_members(strata: Codes) -> list[NDArray[np.bool_]]:
    return [strata == code for code in np.unique(strata)]
