"""Immortal time: false positives with and without a landmark, in cohorts without any effect.

Patients have their event at a constant rate. Two ways to know something only of those who lived
long enough:

- `response`: half of the patients who are free of the event on day 30 are responders. All who are
  not are non-responders.
- `samples`: patients give a sample on a day between 7 and 90, if they are still free of the event.
  The marker rises with the day. Who gave none has none, and is missing in both analyses.

With a landmark, time is counted from the day of the response or of the sample (`outcome.landmark`);
without it, from infusion. Both use the permutation test of the workflow.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figures import Figure
from lammscope.outcome.landmark import start_at
from lammscope.stats.cox_tests import permutation_p

PART = "landmark"
N_PATIENTS = 40
RESPONSE_DAY, FIRST_DAY, LAST_DAY = 30.0, 7.0, 90.0
MEAN_DAYS = {"response": 90.0, "samples": 60.0}
LAST_CENSORED = 400.0
RISE = 0.1  # of the marker per day, in its standard deviations at one day
N_DRAWS = 999
ALPHA = 0.05


def measure(n_cohorts: int) -> Iterator[Figure]:
    """Measure false positives of both scenarios, with the landmark and without it."""
    for scenario in MEAN_DAYS:
        found = np.array([_p_values(scenario, seed) for seed in range(n_cohorts)])
        with_landmark, without = 100 * (found < ALPHA).mean(axis=0)
        yield Figure(PART, f"{scenario}: % p < 0.05, landmark", with_landmark, 4.0, 6.5)
        yield Figure(PART, f"{scenario}: % p < 0.05, from infusion", without, low=20.0)


def _p_values(scenario: str, seed: int) -> tuple[float, float]:
    """Return p with the landmark and p without it, in one cohort."""
    rng = np.random.default_rng([seed, list(MEAN_DAYS).index(scenario)])
    event = np.ceil(rng.exponential(MEAN_DAYS[scenario], N_PATIENTS))
    censored = np.ceil(rng.uniform(LAST_DAY + 10, LAST_CENSORED, N_PATIENTS))
    follow_up = pd.DataFrame(
        {"time": np.minimum(event, censored), "cause": (event <= censored) * 1.0, "reason": ""}
    )
    if scenario == "response":
        day: NDArray[np.floating[Any]] = np.full(N_PATIENTS, RESPONSE_DAY)
        marker: NDArray[np.floating[Any]] = (
            (rng.random(N_PATIENTS) < 0.5) * (follow_up["time"].to_numpy() > day) * 1.0
        )
        is_naive = np.ones(N_PATIENTS, dtype=bool)
    else:
        day = np.floor(rng.uniform(FIRST_DAY, LAST_DAY, N_PATIENTS))
        marker = RISE * day + rng.standard_normal(N_PATIENTS)
        is_naive = follow_up["time"].to_numpy() > day
    started = start_at(follow_up, pd.Series(day))
    used = (started["reason"] == "").to_numpy()
    return _p(started[used], marker[used], rng), _p(follow_up[is_naive], marker[is_naive], rng)


def _p(
    follow_up: pd.DataFrame, marker: NDArray[np.floating[Any]], rng: np.random.Generator
) -> float:
    """Return the permutation p of the score test; 1 if the marker does not vary."""
    time = follow_up["time"].to_numpy(dtype=float)
    event = (follow_up["cause"] == 1).to_numpy()
    if not event.any() or np.ptp(marker) == 0:
        return 1.0
    orders = rng.permuted(np.tile(np.arange(len(time)), (N_DRAWS, 1)), axis=1)
    return permutation_p(time, event, marker.astype(np.float64), orders, exact=False).p
