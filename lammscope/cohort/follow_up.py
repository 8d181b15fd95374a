"""Endpoints of survival: their columns in the patient sheet, and checks before anything runs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.associations import NO_COVARIATES
from lammscope.cohort.config import as_label, read_schema
from lammscope.cohort.covariates import LIKE_DATE
from lammscope.cohort.sheet_file import FLAGS
from lammscope.core.words import as_text, near, shortened

DEFAULT = {"pfs": ("pfs_days", "pfs_event"), "os": ("os_days", "os_event")}
CENSORED, EVENT, COMPETING = 0, 1, 2
CODES = {"0": CENSORED, "1": EVENT, **{word: int(flag) for word, flag in FLAGS.items()}}
MOST_DAYS = 15_000  # 41 years; a larger number is a date of a spreadsheet, or a year
EVENTS_PER_TERM = 8  # of a model with covariates, the marker included; our choice
KEY = "config: `survival.endpoints"


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: the columns of the patient sheet with its days and its events.

    `competing` is a value of `event`, or a column with 0 and 1; empty without competing events.
    """

    name: str
    time: str
    event: str
    competing: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the endpoint, and `competing`, which may be one."""
        return (self.time, self.event, *([self.competing] if self.competing else []))


def find_endpoints(config: Mapping[str, Any], columns: Sequence[str]) -> list[Endpoint]:
    """Return the endpoints of the config, or those of the usual columns, the first pre-specified.

    `columns` are those of the patient sheet.
    """
    named = config["survival"]["endpoints"]
    if not named:
        pairs = [(name, *pair) for name, pair in DEFAULT.items() if set(pair) <= set(columns)]
        return [Endpoint(name, time, event) for name, time, event in pairs]
    return [
        Endpoint(str(name), each["time"], each["event"], as_label(each.get("competing") or ""))
        for name, each in named.items()
    ]


def read_follow_up(patients: pd.DataFrame, endpoint: Endpoint) -> pd.DataFrame:
    """Return `time` (days) and `cause` of each row; missing where the sheet has nothing.

    `cause` is 0 for censored, 1 for an event and 2 for a competing one.
    """
    time = pd.to_numeric(patients[endpoint.time], errors="coerce").astype(float)
    text = as_text(patients[endpoint.event])
    cause = text.map(_code).astype(float)
    if endpoint.competing in patients:
        other = as_text(patients[endpoint.competing]).map(_code)
        cause = cause.mask((other == EVENT) & (cause == CENSORED), COMPETING)
    elif endpoint.competing:
        cause = cause.mask(text == endpoint.competing, COMPETING)
    return pd.DataFrame({"time": time, "cause": cause})


def follow_up_mistakes(
    patients: pd.DataFrame, samples: pd.DataFrame, config: Mapping[str, Any], *, path: str
) -> Iterator[str]:
    """Find mistakes in the columns of follow-up and in the section `survival`.

    Parameters
    ----------
    patients
        The patient sheet, with the row in the file as index.
    samples
        The joined table of samples.
    config
        The resolved config.
    path
        Of the patient sheet.

    Yields
    ------
    str
        File, row, column, value, and remedy.
    """
    endpoints = find_endpoints(config, list(patients.columns))
    whole = [each for each in endpoints if {each.time, each.event} <= set(patients.columns)]
    yield from _column_mistakes(endpoints, patients, path)
    for endpoint in whole:
        yield from (f"{path}: {text}" for text in _value_mistakes(patients, endpoint))
    yield from (f"{path}: {text}" for text in _impossible(patients, samples, whole))
    if endpoints:
        yield from _model_mistakes(config, samples, endpoints)


def follow_up_notes(
    patients: pd.DataFrame, samples: pd.DataFrame, config: Mapping[str, Any], *, path: str
) -> Iterator[str]:
    """Say what of the follow-up is not used, does not agree, or allows no covariates."""
    named, adjust = config["survival"]["endpoints"], config["survival"]["adjust"]
    for name, pair in DEFAULT.items() if not named else ():
        there = [column for column in pair if column in patients]
        if len(there) == 1:
            other = next(column for column in pair if column not in there)
            yield f"{path}: `{there[0]}` without `{other}`, so `{name}` is not analyzed; add it"
    endpoints = find_endpoints(config, list(patients.columns))
    sampled = patients["patient"].isin(samples["patient"])
    n_terms = 1 + _n_terms(samples, adjust)
    for endpoint in endpoints:
        if n_terms == 1 or not {endpoint.time, endpoint.event} <= set(patients.columns):
            continue
        n_events = int((read_follow_up(patients, endpoint)["cause"][sampled] == EVENT).sum())
        if n_events < EVENTS_PER_TERM * n_terms:
            yield (
                f"{path}: `{endpoint.name}` has {n_events} events, and a model with "
                f"{', '.join(adjust)} needs about {EVENTS_PER_TERM * n_terms}; only the model "
                "without covariates can be fitted"
            )
    yield from (f"{path}: {text}" for text in _disagreements(patients, samples, endpoints))


def _code(value: object) -> float:
    return CODES.get(str(value).lower(), np.nan) if value is not None else np.nan


def _column_mistakes(
    endpoints: Sequence[Endpoint], patients: pd.DataFrame, path: str
) -> Iterator[str]:
    names = [str(name) for name in patients.columns]
    for endpoint in endpoints:
        for key, column in (("time", endpoint.time), ("event", endpoint.event)):
            if column not in patients:
                yield (
                    f"{KEY}.{endpoint.name}.{key}` is `{column}`, which is not a column of {path}"
                    f"{near(column, names)}; columns: {', '.join(names)}"
                )
        if len(set(endpoint.columns)) < len(endpoint.columns):
            yield (
                f"{KEY}.{endpoint.name}` names a column twice; days, events and competing events "
                "are different columns"
            )


def _value_mistakes(patients: pd.DataFrame, endpoint: Endpoint) -> Iterator[str]:
    """Find values of an endpoint that cannot be read, and half of a pair, by row.

    What the schema says of a column is checked when the sheet is read.
    """
    known = read_schema("patients")["properties"]
    follow_up = read_follow_up(patients, endpoint)
    has_time, has_event = (patients[column].notna() for column in endpoint.columns[:2])
    name, needed = endpoint.time, "days from infusion"
    given = patients.loc[has_time, name]
    for row, value, time in zip(given.index, given, follow_up.loc[has_time, "time"], strict=True):
        if pd.isna(time) and name not in known:
            kind = "a date" if re.fullmatch(LIKE_DATE, str(value)) else "not a number"
            yield f"row {row}: `{name}` is `{value}`, {kind}; give {needed}"
        elif time < 0 and name not in known:
            yield f"row {row}: `{name}` is `{as_label(value)}`; follow-up cannot be negative"
        elif time > MOST_DAYS:
            yield f"row {row}: `{name}` is `{as_label(value)}`: is that a date? give {needed}"
    if endpoint.event not in known:
        allowed = "0, 1"
        if endpoint.competing and endpoint.competing not in patients:
            allowed += f", {endpoint.competing}"
        unread = as_text(patients[endpoint.event])[has_event & follow_up["cause"].isna()]
        for row, value in unread.items():
            yield f"row {row}: `{endpoint.event}` is `{value}`; allowed: {allowed}"
    yield from _competing_mistakes(patients, endpoint)
    for has, lacks, there, absent in (
        (has_event, has_time, endpoint.event, endpoint.time),
        (has_time, has_event, endpoint.time, endpoint.event),
    ):
        rows = patients.index[has & ~lacks].tolist()
        if rows:
            listed = f"row{'s' * (len(rows) > 1)} {shortened(rows)}"
            yield f"{listed}: `{there}` without `{absent}`; fill in both, or leave both empty"


def _competing_mistakes(patients: pd.DataFrame, endpoint: Endpoint) -> Iterator[str]:
    """Find a competing event that the sheet does not have, and values that it cannot have."""
    competing, events = endpoint.competing, as_text(patients[endpoint.event])
    if not competing:
        return
    if competing in patients:
        other = as_text(patients[competing])
        for row in patients.index[other.notna() & other.map(_code).isna()]:
            yield f"row {row}: `{competing}` is `{other[row]}`; allowed: 0, 1"
        for row in patients.index[(other.map(_code) == EVENT) & (events.map(_code) == EVENT)]:
            yield (
                f"row {row}: `{endpoint.event}` and `{competing}` both have an event; keep the one "
                "that came first"
            )
    elif not (events == competing).any():
        values = sorted(set(events.dropna()))
        yield (
            f"`competing` of the endpoint `{endpoint.name}` is `{competing}`, which is neither a "
            f"value of `{endpoint.event}` ({', '.join(values)}) nor a column of this sheet; "
            "correct it in `survival.endpoints` of the config"
        )


def _impossible(
    patients: pd.DataFrame, samples: pd.DataFrame, endpoints: Sequence[Endpoint]
) -> Iterator[str]:
    """Find deaths before another event of the same patient, or before one of the samples."""
    follow_up = _death_and_progression(patients, endpoints)
    if "os" not in follow_up:
        return
    death, time = follow_up["os"]["cause"] == EVENT, follow_up["os"]["time"]
    own = {each.name: each for each in endpoints}
    if "pfs" in follow_up:
        pfs = follow_up["pfs"]["time"]
        for row in patients.index[death & (pfs > time)]:
            yield (
                f"row {row}: `{own['pfs'].time}` is {pfs[row]:g}, after the death on day "
                f"{time[row]:g} (`{own['os'].time}`); correct one"
            )
    last, names = _last_day(patients, samples), as_text(patients["patient"])
    for row in patients.index[death & (time < last)]:
        yield (
            f"row {row}: patient `{names[row]}` died on day {time[row]:g} "
            f"(`{own['os'].time}`), before the sample of day {last[row]:g}; correct one"
        )


def _disagreements(
    patients: pd.DataFrame, samples: pd.DataFrame, endpoints: Sequence[Endpoint]
) -> Iterator[str]:
    """Name patients whose overall survival was last seen before they were known to be alive."""
    follow_up = _death_and_progression(patients, endpoints)
    if "os" not in follow_up:
        return
    alive, time = follow_up["os"]["cause"] == CENSORED, follow_up["os"]["time"]
    seen = _last_day(patients, samples)
    if "pfs" in follow_up:
        seen = seen.combine(follow_up["pfs"]["time"], np.fmax)
    names = patients.loc[alive & (time < seen), "patient"].dropna().tolist()
    if names:
        column = next(each.time for each in endpoints if each.name == "os")
        yield f"`{column}` ends before a later visit of {shortened(names)}; is it out of date?"


def _death_and_progression(
    patients: pd.DataFrame, endpoints: Sequence[Endpoint]
) -> dict[str, pd.DataFrame]:
    """Return the follow-up of the endpoints that are named `os` and `pfs`."""
    columns = set(patients.columns)
    return {
        each.name: read_follow_up(patients, each)
        for each in endpoints
        if each.name in DEFAULT and {each.time, each.event} <= columns
    }


def _last_day(patients: pd.DataFrame, samples: pd.DataFrame) -> pd.Series:
    """Return the day of the last sample of each patient; missing if it is not known."""
    if "day" not in samples:
        return pd.Series(np.nan, index=patients.index)
    days = pd.to_numeric(samples["day"], errors="coerce").groupby(samples["patient"]).max()
    return patients["patient"].map(days).astype(float)


def _n_terms(samples: pd.DataFrame, adjust: Sequence[str]) -> int:
    """Return the number of coefficients of the covariates."""
    found = 0
    for name in adjust:
        if name in samples:
            is_number = pd.api.types.is_numeric_dtype(samples[name])
            found += 1 if is_number else max(samples[name].nunique() - 1, 0)
    return found


def _model_mistakes(
    config: Mapping[str, Any], samples: pd.DataFrame, endpoints: Sequence[Endpoint]
) -> Iterator[str]:
    """Find covariates and conditions of the section `survival` that cannot be used."""
    settings = config["survival"]
    names = [str(name) for name in samples.columns]
    follow_up = {column for endpoint in endpoints for column in endpoint.columns}
    contrasts = config["contrasts"] if isinstance(config["contrasts"], Mapping) else {}
    for contrast, entry in contrasts.items():
        for name in sorted(follow_up & {str(each) for each in entry.get("adjust") or []}):
            yield (
                f"config: `contrasts.{contrast}.adjust` names `{name}`, which is follow-up: it "
                "comes after what is compared, and to adjust for it biases the comparison; remove "
                "it"
            )
    for name in settings["adjust"]:
        said = f"config: `survival.adjust` names `{name}`"
        if name not in names:
            listed = f"{near(name, names)}; columns: {', '.join(names)}"
            yield f"{said}, which is not a column of either sheet{listed}"
        elif name in follow_up or name in NO_COVARIATES:
            yield f"{said}, which is no covariate but follow-up, the response or a name; remove it"
    for name, values in settings["where"].items():
        if name not in names:
            yield (
                f"config: `survival.where` names `{name}`, which is not a column of either sheet"
                f"{near(name, names)}; columns: {', '.join(names)}"
            )
            continue
        present = sorted(set(as_text(samples[name]).dropna()))
        for value in conditions({name: values})[name]:
            if value not in present:
                yield (
                    f"config: `survival.where` names `{value}`, which is not a value of `{name}`"
                    f"{near(value, present)}; values: {shortened(present, 20)}"
                )


def conditions(where: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return the values of each column of `where` as text."""
    return {
        str(name): tuple(map(as_label, values if isinstance(values, list | tuple) else [values]))
        for name, values in where.items()
    }
