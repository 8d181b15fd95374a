"""Tests of LAMM measures against follow-up: hazard ratio per standard deviation, and mean times."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.design import TREND, design_matrix
from lammscope.cohort.follow_up import COMPETING, EVENT, EVENTS_PER_TERM
from lammscope.cohort.permutation import Permutations, assignments
from lammscope.cohort.schemes import number_scheme
from lammscope.core.names import ALPHA, Array
from lammscope.core.words import counted
from lammscope.stats.competing_risks import gray_test
from lammscope.stats.cox import firth_cox, leave_one_out, why_not_estimable
from lammscope.stats.cox_tests import hazards_proportional, permutation_p
from lammscope.stats.influence import largest_p
from lammscope.stats.survival_curves import (
    restricted_mean,
    restricted_mean_difference,
)

MIN_EVENTS = 5  # fewer are not tested; our choice
NUMBERS = [
    *("n", "n_events", "n_competing", "sd", "estimate", "ci_low", "ci_high", "p_profile", "p"),
    *("p_floor", "influence_low", "influence_high", "influence_p_max", "rmst_low", "rmst_high"),
    *("rmst_difference", "rmst_ci_low", "rmst_ci_high", "horizon", "gray_p", "ph_p"),
]
TEXTS = ["scheme", "influence_patient", "status", "reason", "notes"]
LATE = "the horizon is later than the follow-up of one half"


@dataclass(frozen=True, eq=False)
class Patients:
    """The patients of one test.

    Attributes
    ----------
    names
        Their names.
    value
        The marker, (n,).
    time
        Days since the start of the clock, (n,).
    cause
        0 censored, 1 event, 2 competing event, (n,).
    covariates
        One row each; may have no columns.
    """

    names: np.ndarray
    value: Array
    time: Array
    cause: np.ndarray
    covariates: pd.DataFrame

    @property
    def event(self) -> np.ndarray:
        """Whether the event was seen. Competing events are censored: hazards by cause."""
        return np.asarray(self.cause == EVENT)

    @property
    def high(self) -> np.ndarray:
        """Whether the marker is above its median."""
        return np.asarray(self.value > np.median(self.value)) if len(self.value) else np.array([])


def test_marker(
    patients: Patients, *, horizon: float, permutations: Permutations
) -> dict[str, Any]:
    """Test whether patients with more of a marker have their event sooner.

    Parameters
    ----------
    patients
        Values and follow-up.
    horizon
        Days up to which mean times without an event are compared; 0 for the longest that both
        halves allow.
    permutations
        Of the patients.

    Returns
    -------
    dict
        `NUMBERS` and `TEXTS`. `estimate` is the log hazard ratio per standard deviation (`sd`) of
        the marker, with Firth's penalty and an interval of the profile; `p` that of permutations of
        the score test, and `p_profile` that of the penalized likelihood ratio. A row that cannot be
        tested has a `status` and a `reason`.
    """
    row: dict[str, Any] = dict.fromkeys(NUMBERS, np.nan) | dict.fromkeys(TEXTS, "")
    row |= {"n": len(patients.names), "n_events": int(patients.event.sum())}
    row["n_competing"] = int((patients.cause == COMPETING).sum())
    sd = float(patients.value.std(ddof=1)) if len(patients.value) > 1 else np.nan
    x = _columns(patients, sd)
    if problem := _problem(patients, x):
        return row | dict(zip(("status", "reason"), problem, strict=True))
    try:
        fit = firth_cox(patients.time, patients.event, x)
        found: dict[str, Any] = {"status": "ok", "sd": sd, "p_profile": fit.p}
        found |= {key: getattr(fit, key) for key in ("estimate", "ci_low", "ci_high")}
        found |= _permuted(patients, x, permutations) | _influence(patients, x)
        found["ph_p"] = hazards_proportional(patients.time, patients.event, x).p
    except ValueError as error:  # a likelihood without a maximum that can be found
        return row | {"status": "not_estimable", "reason": str(error)}
    return row | found | _halves(patients, horizon, proportional=found["ph_p"])


def _columns(patients: Patients, sd: float) -> Array:
    """Return the marker per standard deviation and the covariates as numbers, one row each."""
    marker = patients.value / (sd if sd > 0 else 1.0)
    table = patients.covariates.assign(arm="pair")
    names = list(map(str, patients.covariates))
    design = design_matrix(table, names).drop(columns="intercept")
    return np.column_stack([marker, design.to_numpy(dtype=float)])


def _problem(patients: Patients, x: Array) -> tuple[str, str] | None:
    """Return status and reason of what cannot be tested."""
    n_events, n_terms = int(patients.event.sum()), x.shape[1]
    if len(x) == 0:
        return "no_patients", "no patient has a sample and follow-up"
    if n_events == 0 and (patients.cause == 0).all():
        return "too_few_events", f"no event was seen in {counted(len(x), 'patients')}"
    if n_events < MIN_EVENTS:
        seen = f"{n_events} event{'s' * (n_events != 1)} in {counted(len(x), 'patients')}"
        return "too_few_events", f"{seen}; at least {MIN_EVENTS} are needed"
    if n_terms > 1 and n_events < EVENTS_PER_TERM * n_terms:
        needed = f"{n_events} events; a model with these covariates needs about"
        return "too_many_covariates", f"{needed} {EVENTS_PER_TERM * n_terms}"
    why = why_not_estimable(patients.time, patients.event, x)
    return ("not_estimable", why) if why else None


def _permuted(patients: Patients, x: Array, permutations: Permutations) -> dict[str, Any]:
    """Return p by permutation, within strata of covariates that are text."""
    covariates = patients.covariates
    texts = [str(c) for c in covariates if not pd.api.types.is_numeric_dtype(covariates[c])]
    units = covariates.assign(**{TREND: np.arange(len(x), dtype=float)})
    scheme = number_scheme(
        units, texts, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    rng = np.random.default_rng(permutations.seed)
    orders = assignments(scheme, rng=rng).astype(np.int64)
    test = permutation_p(
        patients.time,
        patients.event,
        x[:, 0],
        orders,
        covariates=x[:, 1:] if x.shape[1] > 1 else None,
        exact=scheme.exact,
    )
    words = scheme.words + ", approximate" * (len(texts) < len(covariates.columns))
    return {"p": test.p, "p_floor": test.floor, "scheme": words}


def _influence(patients: Patients, x: Array) -> dict[str, Any]:
    """Return the range of the estimate, and the largest p, with one patient left out."""
    left = leave_one_out(patients.time, patients.event, x)
    if not np.isfinite(left.p).any():
        return {}
    largest, name = largest_p(left.p[:, None], patients.names)
    return {
        "influence_low": np.nanmin(left.estimate),
        "influence_high": np.nanmax(left.estimate),
        "influence_p_max": float(largest[0]),
        "influence_patient": str(name[0]),
    }


def _halves(patients: Patients, horizon: float, *, proportional: float) -> dict[str, Any]:
    """Compare patients above the median of the marker with the others, without covariates.

    Where events compete, cumulative incidences are compared (Gray), else mean times without an
    event.
    """
    high, row, notes = patients.high, dict[str, Any](), list[str]()
    if proportional < ALPHA:
        notes.append("the hazard ratio may change with time")
    if not high.any():
        return {"notes": "; ".join([*notes, "no patient is above the median"])}
    for half, name in ((high, "above"), (~high, "up to")):
        if not patients.event[half].any():
            notes.append(f"no event in patients {name} the median")
    if (patients.cause == COMPETING).any():
        group = high.astype(np.int64)
        cause = patients.cause.astype(np.int64)
        row["gray_p"] = gray_test(patients.time, cause, group, of=EVENT).p
    else:
        limit = _longest_known(patients, high)
        until = horizon or limit
        if until > limit:
            notes.append(LATE)
        else:
            found = restricted_mean_difference(patients.time, patients.event, high, until=until)
            row |= {"horizon": until, "rmst_difference": found.estimate}
            row |= {"rmst_ci_low": found.ci_low, "rmst_ci_high": found.ci_high}
            for half, key in ((high, "rmst_high"), (~high, "rmst_low")):
                mean, _ = restricted_mean(patients.time[half], patients.event[half], until=until)
                row[key] = mean
    return row | {"notes": "; ".join(notes)}


def _longest_known(patients: Patients, high: np.ndarray) -> float:
    """Return how long the curves of both halves are known.

    A curve is known until the last patient of the half is censored, and for ever if it reaches 0.
    """
    ends = []
    for half in (high, ~high):
        time, event = patients.time[half], patients.event[half]
        if not event[time == time.max()].all():
            ends.append(float(time.max()))
    return min(ends, default=float(patients.time.max()))
