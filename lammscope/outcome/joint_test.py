"""One test over all specifications of a multiverse: the response is permuted once per draw.

All specifications use the same patients and nearly the same cells, so their p are no independent
evidence. Each draw gives every patient another response, the same in all specifications, and the
whole curve is computed again (Simonsohn, Simmons and Nelson 2020, doi 10.1038/s41562-020-0912-z).
Estimates are compared in units of their standard errors: where a small arm varies more, permuted
estimates vary less than those of the data, but their t do not.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.design import MIN_PATIENTS
from lammscope.cohort.permutation import NUMBERS_AT_A_TIME, TIE, Permutations, assignments
from lammscope.cohort.schemes import SIGNS, Scheme
from lammscope.core.names import ALPHA, Array
from lammscope.outcome.specifications import Defined
from lammscope.stats.assigned import (
    AssignedEffects,
    effects_of_arms,
    effects_of_numbers,
    effects_of_signs,
)
from lammscope.stats.distributions import t_two_sided

UNKNOWN = "not given"  # the stratum of patients without a covariate


@dataclass(frozen=True)
class JointTest:
    """The curve of the data, and its p among those with permuted responses.

    Attributes
    ----------
    median
        Median estimate of the specifications, in log odds.
    share
        Share of them with p < 0.05 and the sign of the median.
    p_median, p_share
        Share of the assignments whose median t is as far from 0, and whose share is as large.
    scheme
        What was permuted, and the smallest p that it can give.
    n_patients
        Patients of any specification.
    """

    median: float
    share: float
    p_median: float
    p_share: float
    scheme: Scheme
    n_patients: int


def test_jointly(
    defined: Sequence[Defined], comparison: Comparison, permutations: Permutations
) -> JointTest | None:
    """Test all specifications that are defined at once; None if there are fewer than two.

    Patients who are missing from some specifications (too few cells, or no covariate) keep their
    place: in each draw, a specification takes the permuted responses of its own patients. A
    specification of which a draw leaves fewer than three patients in an arm is left out of this
    draw. This is exact if it does not depend on the response who is missing. The response is
    permuted within strata of the primary contrast's categorical covariates; numeric covariates, and
    those of other specifications, stay with their patients, which is approximate where the
    response depends on them.
    """
    if len(defined) < 2:
        return None
    patients = sorted({patient for each in defined for patient in each.patients})
    units, scheme = _scheme(comparison, patients, permutations)
    place = {patient: i for i, patient in enumerate(units["patient"].astype(str))}
    groups = list(_groups(defined, place))
    observed = _curve(defined, groups, scheme, scheme.observed[None])
    rng = np.random.default_rng(permutations.seed)
    assigned = assignments(scheme, rng=rng)
    size = max(1, NUMBERS_AT_A_TIME // max(len(units) ** 2, len(defined)))
    count, total = np.zeros(2), 0
    for start in range(0, len(assigned), size):
        drawn = _curve(defined, groups, scheme, assigned[start : start + size])
        count += (np.abs(drawn) >= np.abs(observed) - TIE)[:, 1:].sum(axis=0)
        total += len(drawn)
    p_median, p_share = count / total if scheme.exact else (count + 1) / (total + 1)
    median, _, share = observed[0]
    return JointTest(
        float(median), float(share), float(p_median), float(p_share), scheme, len(patients)
    )


def _scheme(
    comparison: Comparison, patients: Sequence[str], permutations: Permutations
) -> tuple[pd.DataFrame, Scheme]:
    """Return the units of all patients, and the scheme that permutes them."""
    contrast, units = comparison.contrast, comparison.adjusted(()).units
    units = units[units["patient"].astype(str).isin(patients)].reset_index(drop=True)
    own, strata = comparison.units, list[str]()
    for column in contrast.adjust if contrast.between_patients else ():
        if not pd.api.types.is_numeric_dtype(own[column]):
            known = dict(zip(own["patient"], own[column].astype(str), strict=True))
            units[column] = units["patient"].map(known).fillna(UNKNOWN).astype("str")
            strata.append(column)
    within = replace(contrast, adjust=tuple(strata))
    scheme = within.permutations(
        units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    approximate = len(strata) < len(contrast.adjust) if contrast.between_patients else False
    words = f"{scheme.what}{', approximate' if approximate else ''}"
    return units, replace(scheme, what=words)


def _groups(
    defined: Sequence[Defined], place: dict[str, int]
) -> Iterator[tuple[list[int], np.ndarray]]:
    """Yield the specifications that share patients and covariates, and these patients' places."""
    shared: dict[tuple[tuple[str, ...], bytes], list[int]] = {}
    for i, each in enumerate(defined):
        shared.setdefault((each.patients, each.others.tobytes()), []).append(i)
    for (patients, _), members in shared.items():
        yield members, np.array([place[patient] for patient in patients])


def _curve(
    defined: Sequence[Defined],
    groups: Sequence[tuple[list[int], np.ndarray]],
    scheme: Scheme,
    assigned: Array | np.ndarray,
) -> Array:
    """Return the median estimate, the median t and the significant share, assignments x 3."""
    estimates = np.full((len(assigned), len(defined)), np.nan)
    t, p = np.full_like(estimates, np.nan), np.full_like(estimates, np.nan)
    for members, places in groups:
        values = np.array([defined[i].values for i in members])
        slopes = np.array([defined[i].slope for i in members])
        found = _effects(values, defined[members[0]].others, scheme, assigned[:, places])
        estimates[:, members] = slopes * found.estimate
        t[:, members], p[:, members] = found.t, t_two_sided(found.t, found.df)
    known = np.isfinite(p)
    median = _medians(estimates, known)
    agrees = known & (p < ALPHA) & (np.sign(estimates) == np.sign(median)[:, None])
    share = agrees.sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.column_stack([median, _medians(t, known), share])


def _medians(values: Array, known: np.ndarray) -> Array:
    """Return the median of the known values of each row; 0 without any."""
    n_known = np.maximum(known.sum(axis=1), 1)
    ordered = np.sort(np.where(known, values, np.inf), axis=1)
    rows = np.arange(len(ordered))
    middle = ordered[rows, (n_known - 1) // 2] + ordered[rows, n_known // 2]
    return np.where(known.any(axis=1), middle / 2, 0.0)


def _effects(values: Array, others: Array, scheme: Scheme, assigned: np.ndarray) -> AssignedEffects:
    if scheme.kind == SIGNS:
        return effects_of_signs(values, assigned)
    if scheme.numbers is not None:
        return effects_of_numbers(values, others, assigned)
    found = effects_of_arms(values, others, assigned)
    n_test = assigned.sum(axis=1)
    few = np.minimum(n_test, assigned.shape[1] - n_test) < MIN_PATIENTS
    blank = np.where(few, np.nan, 0.0)[:, None]
    return AssignedEffects(found.estimate + blank, found.t + blank, found.df)
