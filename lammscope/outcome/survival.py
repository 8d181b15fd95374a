"""LAMM cells and follow-up: all tests of a cohort, the patients behind them, and curves."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.follow_up import Endpoint
from lammscope.cohort.permutation import Permutations
from lammscope.core.names import ARMS, LAMM
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, SUGGESTIVE, Evidence
from lammscope.core.words import counted, readable, write_number
from lammscope.outcome.analyses import (
    Analysis,
    Marker,
    Settings,
    find_analyses,
    measure_markers,
)
from lammscope.outcome.curves import CURVE_COLUMNS, curves_of
from lammscope.outcome.endpoints import patient_follow_up
from lammscope.outcome.landmark import start_at
from lammscope.outcome.names import (
    BASELINE,
    HALVES,
    KEYS,
    LANDMARK,
    PRIMARY,
    RESPONSE,
    SECONDARY,
)
from lammscope.outcome.survival_tests import NUMBERS, TEXTS, Patients, test_marker
from lammscope.stats.multiplicity import holm

COLUMNS = [
    *("role", *KEYS, "landmark", *NUMBERS, "p_holm", *TEXTS, "verdict", "words", "doubts"),
]
PATIENT_COLUMNS = [
    *(*KEYS, "patient", "arm", "value", "half", "day", "time", "cause", "used", "reason"),
]
EXCLUDED_COLUMNS = [*KEYS, "reason", "arm", "n", "patients"]


@dataclass(frozen=True)
class Survival:
    """Tables of the analyses of survival.

    Attributes
    ----------
    tests
        The columns `COLUMNS`, the pre-specified row first.
    patients
        `PATIENT_COLUMNS`: what each test used of each patient, or why it did not use the patient.
    excluded
        `EXCLUDED_COLUMNS`: patients who were not used, by reason and arm.
    curves
        `curves.CURVE_COLUMNS`.
    """

    tests: pd.DataFrame
    patients: pd.DataFrame
    excluded: pd.DataFrame
    curves: pd.DataFrame


def test_survival(
    samples: pd.DataFrame,
    counts: pd.DataFrame,
    scores: pd.DataFrame,
    *,
    endpoints: Sequence[Endpoint],
    settings: Settings,
    permutations: Permutations,
) -> Survival:
    """Test LAMM measures against each endpoint, before infusion and at each time point after it.

    Parameters
    ----------
    samples
        The sample table.
    counts, scores
        From `abundance.counts`.
    endpoints
        The pre-specified one first.
    settings, permutations
        What to analyze, and how to permute patients.

    Notes
    -----
    Before infusion the clock starts at infusion, after it on the day of each patient's sample. The
    pre-specified row is the first endpoint, the fraction of LAMM cells before infusion with the
    covariates of `settings`, in the compartment with the most patients. Other rows are corrected
    together (Holm).
    """
    follow_ups = {each: patient_follow_up(samples, each) for each in endpoints}
    names = next(iter(follow_ups.values())).index
    rows: list[dict[str, Any]] = []
    parts, curves = list[pd.DataFrame](), list[pd.DataFrame]()
    for analysis in find_analyses(samples, settings):
        for marker in measure_markers(analysis, counts, scores, names):
            for endpoint, follow_up in follow_ups.items():
                keys = {"endpoint": endpoint.name, **analysis.keys, **marker.keys}
                table = _patient_table(follow_up, marker, analysis)
                used = table[table["used"]]
                row = _test(table, marker, settings.horizon, permutations)
                landmark = used["day"].median() if analysis.kind == LANDMARK else np.nan
                rows.append(keys | {"landmark": landmark} | row)
                parts.append(table.assign(**keys))
                if marker.population == LAMM and not marker.adjusted:
                    curves.append(curves_of(used, groups=HALVES, by="half").assign(**keys))
    for endpoint, follow_up in follow_ups.items():
        table, drawn = _by_response(follow_up, settings.response_day)
        keys = dict.fromkeys(KEYS, "") | {"endpoint": endpoint.name, "analysis": RESPONSE}
        parts.append(table.assign(**keys))
        curves.append(drawn.assign(**keys))
    patients = pd.concat(parts, ignore_index=True)[PATIENT_COLUMNS]
    return Survival(
        tests=_judge(pd.DataFrame(rows), endpoints, adjusted=", ".join(settings.adjust)),
        patients=patients.astype({"used": int}),
        excluded=_excluded(patients),
        curves=pd.concat(curves, ignore_index=True)[[*KEYS, *CURVE_COLUMNS]],
    )


def _patient_table(follow_up: pd.DataFrame, marker: Marker, analysis: Analysis) -> pd.DataFrame:
    """Return value and follow-up of each patient, and whether the patient is used."""
    days = analysis.days.reindex(follow_up.index)
    if analysis.kind == LANDMARK:
        follow_up = _name_early(start_at(follow_up, days), follow_up, marker, days)
    table = follow_up.assign(value=marker.values["value"], day=days)
    reasons = marker.values["reason"]
    table["reason"] = reasons.where(reasons != "", table["reason"])
    if analysis.kind == LANDMARK:
        early = follow_up["reason"].str.startswith("event before")
        table.loc[early, "reason"] = follow_up.loc[early, "reason"]
    table["used"] = table["reason"] == ""
    median = table.loc[table["used"], "value"].median()
    half = (table["value"] > median).map({True: HALVES[1], False: HALVES[0]})
    table["half"] = half.where(table["used"], "")
    return table.rename_axis("patient").reset_index()


def _name_early(
    started: pd.DataFrame, follow_up: pd.DataFrame, marker: Marker, days: pd.Series
) -> pd.DataFrame:
    """Tell of patients without a sample whose event was before the others gave theirs."""
    absent = marker.values["reason"].str.startswith("no sample") & days.isna()
    early = absent & (follow_up["time"] <= days.median()) & (follow_up["cause"] > 0)
    words = "event before the landmark, no sample"
    return started.assign(reason=started["reason"].mask(early, words))


def _test(
    table: pd.DataFrame, marker: Marker, horizon: float, permutations: Permutations
) -> dict[str, Any]:
    """Test a marker in the used patients of a table."""
    used = table[table["used"]]
    patients = Patients(
        used["patient"].to_numpy(dtype=object),
        used["value"].to_numpy(dtype=float),
        used["time"].to_numpy(dtype=float),
        used["cause"].to_numpy(dtype=int),
        marker.covariates.reindex(used["patient"]),
    )
    row = test_marker(patients, horizon=horizon, permutations=permutations)
    if marker.status and row["n"] == 0:
        row |= {"status": marker.status, "reason": marker.why}
    elif row["n"] == 0:
        reason, n = Counter(table["reason"]).most_common(1)[0]
        row["reason"] = f"no patient can be used: {reason} ({counted(n, 'patients')})"
    return row


def _by_response(follow_up: pd.DataFrame, day: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return patients and curves by response, from the day on which it was assessed.

    Without that day nothing is drawn: to compare from infusion on would count the days that a
    responder had to live through as a benefit of response.
    """
    follow_up = follow_up.assign(value=np.nan, half="")
    if not day:
        reason = "the day on which response was assessed is not known"
        table = follow_up.assign(day=np.nan, used=False, time=np.nan, reason=reason)
    else:
        days = pd.Series(float(day), index=follow_up.index)
        table = start_at(follow_up, days).assign(day=day)
        no_arm = ~table["arm"].isin(ARMS)
        table["reason"] = table["reason"].mask(no_arm, "the response is in neither arm")
        table["used"] = table["reason"] == ""
    table = table.rename_axis("patient").reset_index()
    return table, curves_of(table[table["used"]], groups=ARMS, by="arm")


def _excluded(patients: pd.DataFrame) -> pd.DataFrame:
    """Count the patients who were not used, by reason and arm."""
    left = patients[~patients["used"].astype(bool)]
    grouped = left.groupby([*KEYS, "reason", "arm"], sort=False)["patient"]
    table = grouped.agg(n="size", patients=", ".join).reset_index()
    return table[EXCLUDED_COLUMNS]


def _judge(rows: pd.DataFrame, endpoints: Sequence[Endpoint], *, adjusted: str) -> pd.DataFrame:
    """Add role, Holm's p, verdict and words; the pre-specified row first."""
    rows = rows.assign(role=SECONDARY, p_holm=np.nan)
    first = (rows["endpoint"] == endpoints[0].name) & (rows["analysis"] == BASELINE)
    first &= (rows["marker"] == LAMM) & (rows["adjusted"] == adjusted)
    if first.any():
        rows.loc[rows.loc[first, "n"].idxmax(), "role"] = PRIMARY
    others = rows["role"] == SECONDARY
    rows.loc[others, "p_holm"] = holm(rows.loc[others, "p"])
    judged = [_verdict(row) for row in rows.to_dict("records")]
    rows = pd.concat([rows, pd.DataFrame(judged, index=rows.index)], axis="columns")
    return rows.sort_values("role", kind="stable", ignore_index=True)[COLUMNS]


def _verdict(row: Mapping[Any, Any]) -> dict[str, str]:
    """Return the verdict of a row, in words, and what keeps it from being supported."""
    is_primary = row["role"] == PRIMARY
    evidence = Evidence(
        p=float(row["p"]),
        corrected=float(row["p" if is_primary else "p_holm"]),
        permutation=float(row["p"]),
        floor=float(row["p_floor"]),
        left_out=float(row["influence_p_max"]),
        patient=str(row["influence_patient"]),
        correction="p" if is_primary else "Holm p",
    )
    verdict, doubts = evidence.verdict, "; ".join(evidence.doubts)
    if verdict == NOT_TESTABLE:
        return {"verdict": verdict, "words": f"{verdict}: {row['reason']}", "doubts": ""}
    if verdict == INCONCLUSIVE:
        low, high = (write_number(float(row[end]), "ratio") for end in ("ci_low", "ci_high"))
        words = f"{verdict}; hazard ratios of {low} to {high} per SD remain compatible"
        return {"verdict": verdict, "words": words, "doubts": ""}
    direction = "higher" if float(row["estimate"]) > 0 else "lower"
    what = "LAMM cells" if row["marker"] == LAMM else readable(row["marker"])
    words = f"{verdict}: {direction} hazard with more {what}"
    if row["marker"] != LAMM:
        words = f"{verdict}: {direction} hazard with a higher {what}"
    if verdict == SUGGESTIVE:
        return {"verdict": verdict, "words": f"{words}; {doubts}", "doubts": doubts}
    return {"verdict": verdict, "words": words, "doubts": ""}
