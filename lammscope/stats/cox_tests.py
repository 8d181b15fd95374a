"""Score tests in Cox regression: of a marker, by permutation, and of proportional hazards."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lammscope.stats import Array
from lammscope.stats.cox import firth_cox, why_not_estimable
from lammscope.stats.distributions import chi2_upper
from lammscope.stats.risk_sets import Events, RiskSets
from lammscope.stats.survival_curves import kaplan_meier

TIE = 1e-9  # statistics that differ by less are ties
NOTHING = 1e-12  # information that rounding leaves, relative to a marker's sum of squares


@dataclass(frozen=True)
class ScoreTest:
    """A score statistic, standard normal without an effect, and its two-sided p (asymptotic)."""

    z: float
    p: float


@dataclass(frozen=True)
class PermutationTest:
    """The observed score statistic, its permutation p, and the smallest p that was possible."""

    z: float
    p: float
    floor: float


def score_test(
    time: Array, event: Events, x: Array, *, covariates: Array | None = None
) -> ScoreTest:
    """Test a marker by the score of a Cox regression.

    The statistic is that of `coxph` in R. Arguments are those of `score_permutations`.
    """
    observed = np.arange(len(x))[None]
    z = float(score_permutations(time, event, x, observed, covariates=covariates)[0])
    return ScoreTest(z, float(chi2_upper(z**2, 1)))


def permutation_p(
    time: Array,
    event: Events,
    x: Array,
    permutations: NDArray[np.int64],
    *,
    covariates: Array | None = None,
    exact: bool,
) -> PermutationTest:
    """Compute the two-sided permutation p of the score statistic.

    Parameters
    ----------
    time, event, x, permutations, covariates
        As in `score_permutations`.
    exact
        Whether `permutations` are all there are, with that of the data. Else they are draws, and
        p = (count + 1) / (draws + 1).
    """
    z = score_test(time, event, x, covariates=covariates).z
    permuted = np.abs(score_permutations(time, event, x, permutations, covariates=covariates))
    if not exact:
        permuted = np.append(permuted, abs(z))
    p, floor = (float((permuted >= top - TIE).mean()) for top in (abs(z), permuted.max()))
    return PermutationTest(z, p, floor)


def score_permutations(
    time: Array,
    event: Events,
    x: Array,
    permutations: NDArray[np.int64],
    *,
    covariates: Array | None = None,
) -> Array:
    """Compute the score statistic of a marker for each permutation of the patients.

    Without covariates the marker is permuted: exact if it is independent of time and event. With
    covariates, what a linear regression on them leaves of the marker is permuted, and the statistic
    is that given the covariates. Within strata of categorical covariates this permutes the marker
    itself, and is exact again; with numeric covariates it is approximate.

    Parameters
    ----------
    time, event, x
        Each (n,); see `cox.firth_cox`.
    permutations
        Orders of the patients, permutations x n; strata are the caller's.
    covariates
        (n, k): numbers and indicators, without a constant. Their own effects are fitted with
        Firth's penalty.

    Returns
    -------
    ndarray
        A signed statistic per permutation: U / sqrt(V), U and V without the part of the covariates.
        0 where the permuted marker does not vary among patients at risk.
    """
    if covariates is None:
        covariates = np.empty((len(x), 0))
    coef = firth_cox(time, event, covariates).coef if covariates.shape[1] else np.empty(0)
    risk = RiskSets.of(time, event, covariates)
    design = np.column_stack([np.ones(len(x)), covariates])
    rest = x - design @ np.linalg.lstsq(design, x, rcond=None)[0]
    weight, mean, apart = risk.moments(coef)
    left = event - weight.sum(axis=0)  # events less those expected
    moved = rest[permutations]
    means = moved @ weight.T
    score = moved @ left
    information = moved**2 @ weight.sum(axis=0) - np.sum(means**2, axis=1)
    if covariates.shape[1]:
        both = np.einsum("tn,tni->ni", weight, apart)
        own = np.einsum("tn,tni,tnj->ij", weight, apart, apart)
        explained = np.linalg.solve(own, (moved @ both).T).T
        score -= explained @ (risk.total - mean.sum(axis=0))
        information -= np.sum(explained * (moved @ both), axis=1)
    varies = information > NOTHING * np.sum((x - x.mean()) ** 2)
    return np.where(varies, score / np.sqrt(np.where(varies, information, 1.0)), 0.0)


def hazards_proportional(
    time: Array,
    event: Events,
    x: Array,
    *,
    at: int = 0,
    coef: Array | None = None,
    transform: str = "rank",
) -> ScoreTest:
    """Test whether the log hazard ratio of a column changes with time.

    The score test of Grambsch and Therneau (1994, doi 10.1093/biomet/81.3.515) as in `cox.zph` of R
    (survival 3), for the product of the column and a function of time. Its z is above 0 where the
    log hazard ratio grows with time.

    Parameters
    ----------
    time, event, x
        See `cox.firth_cox`; x is (n, k) or (n,).
    at
        Position of the tested column.
    coef
        Log hazard ratios; by default those with Firth's penalty, whose part in the score is removed
        with that of the other columns.
    transform
        Function of time: its `rank`, or `km`, 1 - the Kaplan-Meier estimate before it.
    """
    x = x[:, None] if x.ndim == 1 else x
    if reason := why_not_estimable(time, event, x):
        raise ValueError(f"Proportional hazards: {reason}")
    if coef is None:
        coef = firth_cox(time, event, x, at=at).coef
    risk = RiskSets.of(time, event, x)
    weight, mean, apart = risk.moments(coef)
    moment = _transformed(time, event, risk.times, transform)
    moment = moment - moment.mean()
    seen = risk.x[event][np.argsort(time[event], kind="stable")]
    scores = seen - mean
    variance = np.einsum("tn,tni,tnj->tij", weight, apart, apart)
    own, both = variance.sum(axis=0), np.einsum("t,tij->ij", moment, variance)[at]
    explained = np.linalg.solve(own, both)
    score = moment @ scores[:, at] - explained @ scores.sum(axis=0)
    information = moment**2 @ variance[:, at, at] - explained @ both
    if information <= NOTHING * own[at, at]:
        return ScoreTest(np.nan, np.nan)
    z = float(score / np.sqrt(information))
    return ScoreTest(z, float(chi2_upper(z**2, 1)))


def _transformed(time: Array, event: Events, times: Array, transform: str) -> Array:
    if transform == "km":
        curve = kaplan_meier(time, event)
        before = np.concatenate([[1.0], curve.survival])
        return 1 - before[np.searchsorted(curve.times, times)]
    if transform == "rank":  # mean rank of those with the time
        ordered = np.sort(time)
        below, upto = (np.searchsorted(ordered, times, side=s) for s in ("left", "right"))
        return (below + upto + 1) / 2
    raise ValueError(f"Proportional hazards: no transform '{transform}'; known are rank and km")
