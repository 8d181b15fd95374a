"""Curves of follow-up by group, for figures: they show what was tested and test nothing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lammscope.cohort.follow_up import COMPETING, EVENT
from lammscope.outcome.names import EVENT_FREE
from lammscope.stats.competing_risks import cumulative_incidence
from lammscope.stats.survival_curves import kaplan_meier, numbers_at_risk

INCIDENCE = {"event": EVENT, "competing_event": COMPETING}  # Aalen-Johansen, where events compete
CURVE_COLUMNS = ["group", "curve", "time", "value", "ci_low", "ci_high", "at_risk", "n_events"]


def curves_of(used: pd.DataFrame, *, groups: Sequence[str], by: str) -> pd.DataFrame:
    """Return the curves of each group.

    Parameters
    ----------
    used
        `time`, `cause` and the column `by` of patients.
    groups
        Values of that column.

    Returns
    -------
    DataFrame
        `CURVE_COLUMNS`, a row per different time. `curve` is `event_free` (Kaplan-Meier), or where
        events compete `event` and `competing_event` (cumulative incidence, Aalen-Johansen, without
        interval).
    """
    is_competing = bool((used["cause"] == COMPETING).any())
    parts = []
    for group in groups:
        own = used[used[by] == group]
        if own.empty:
            continue
        time, cause = own["time"].to_numpy(dtype=float), own["cause"].to_numpy(dtype=np.int64)
        found = _incidences(time, cause) if is_competing else [_event_free(time, cause == EVENT)]
        parts += [part.assign(group=group) for part in found]
    if not parts:
        return pd.DataFrame(columns=CURVE_COLUMNS)
    return pd.concat(parts, ignore_index=True)[CURVE_COLUMNS]


def _event_free(time: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    found = kaplan_meier(time, event)
    return pd.DataFrame(
        {
            "curve": EVENT_FREE,
            "time": found.times,
            "value": found.survival,
            "ci_low": found.ci_low,
            "ci_high": found.ci_high,
            "at_risk": found.at_risk,
            "n_events": found.events,
        }
    )


def _incidences(time: np.ndarray, cause: np.ndarray) -> list[pd.DataFrame]:
    """Return both incidences at every time, so that the numbers at risk are known."""
    times = np.unique(time)
    tables = []
    for name, code in INCIDENCE.items():
        found = cumulative_incidence(time, cause, of=code)
        at = np.searchsorted(found.times, times, side="right")
        table = pd.DataFrame({"time": times, "value": np.append(0.0, found.incidence)[at]})
        table = table.assign(
            curve=name,
            ci_low=np.nan,
            ci_high=np.nan,
            at_risk=numbers_at_risk(time, times),
            n_events=[int(((time == t) & (cause == code)).sum()) for t in times],
        )
        tables.append(table)
    return tables
