"""Contrasts: the questions of a cohort, read from the config and checked against the sheets."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

RESERVED = "cohort"  # names the figures and the audit rows of the whole cohort
KINDS = ("between", "paired", "change")
FIXED_VALUES = {"response": ("responder", "non_responder"), "phase": ("pre", "post")}
NEEDED_BY = {"response": "`response` in the config and in patients.tsv", "phase": "`timepoints`"}


@dataclass(frozen=True)
class Contrast:
    """One question: `test` against `reference` in `column`, among the samples of `where`.

    `kind` is `between` (patients against patients), `paired` (a patient against itself; a pair
    shares the patient and the columns of `match`) or `change` (post minus pre, between arms).
    `adjust` are covariates; `choose` (first, last or a time point) decides where a patient has
    several samples.
    """

    name: str
    kind: str
    column: str
    test: str
    reference: str
    where: dict[str, tuple[str, ...]]
    adjust: tuple[str, ...]
    match: tuple[str, ...]
    choose: str | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the sample table that the contrast names."""
        return tuple(dict.fromkeys([self.column, *self.where, *self.adjust, *self.match]))

    @property
    def names_sort(self) -> bool:
        """Whether sorted libraries may take part."""
        return "sort" in (self.column, *self.where, *self.match)

    @property
    def compares_phases(self) -> bool:
        """Whether samples before and after infusion are compared."""
        return self.kind == "change" or self.column == "phase"


def contrasts_from_config(
    contrasts: Mapping[str, Mapping[str, Any]], samples: pd.DataFrame
) -> list[Contrast]:
    """Check the contrasts of the config against the samples; without any, make the default ones.

    The defaults are `baseline`, `on_treatment` and `change`, one of each per compartment (named
    `baseline_blood`, ... where there are several), as far as the cohort can ask them; without
    response labels `pre_to_post` takes their place.

    Raises
    ------
    ValueError
        One line that names the contrast, the column, the value, and what is allowed.
    """
    if not contrasts:
        contrasts = _default_contrasts(samples)
    if RESERVED in contrasts:
        raise ValueError(
            f"contrast `{RESERVED}`: this name is taken by the whole cohort; rename it"
        )
    return [_checked(name, dict(entry), samples) for name, entry in contrasts.items()]


def as_text(values: pd.Series) -> pd.Series:
    """Values as the user wrote them: text, whole numbers without a point, None if missing."""
    return values.map(_text).astype(object)


def near(name: str, names: Sequence[str]) -> str:
    """A hint at the closest of the allowed names."""
    by_lower = {str(allowed).lower(): str(allowed) for allowed in names}
    found = difflib.get_close_matches(name.lower(), list(by_lower), n=1)
    return f" (did you mean `{by_lower[found[0]]}`?)" if found else ""


def _text(value: Any) -> str | None:
    if value is None or pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _default_contrasts(samples: pd.DataFrame) -> dict[str, dict[str, Any]]:
    unsorted = samples[as_text(samples["sort"]) == "none"]
    compartments = sorted(unsorted["compartment"].unique())
    found: dict[str, dict[str, Any]] = {}
    for compartment in compartments:
        part = unsorted[unsorted["compartment"] == compartment]
        suffix = "_" + re.sub(r"[^A-Za-z0-9_-]+", "_", compartment) if len(compartments) > 1 else ""
        inside = {"compartment": [compartment]} if len(compartments) > 1 else {}
        arms = {"test": "non_responder", "reference": "responder"}
        both = {
            phase: set(part.loc[part["phase"] == phase, "response"].dropna()) >= set(arms.values())
            for phase in ("pre", "post")
        }
        for name, phase in (("baseline", "pre"), ("on_treatment", "post")):
            if both[phase]:
                where = {"phase": [phase], **inside}
                found[name + suffix] = {"kind": "between", **arms, "where": where}
        if both["pre"] and both["post"]:
            found["change" + suffix] = {"kind": "change", **arms, "where": inside}
        phases = {phase: set(part.loc[part["phase"] == phase, "patient"]) for phase in both}
        if part["response"].isna().all() and phases["pre"] & phases["post"]:
            entry = {"kind": "paired", "test": "post", "reference": "pre", "where": inside}
            found["pre_to_post" + suffix] = entry
    return found


def _checked(name: str, entry: dict[str, Any], samples: pd.DataFrame) -> Contrast:
    kind = entry["kind"]
    if kind not in KINDS:
        raise ValueError(f"contrast `{name}`: kind `{kind}` is not one of {', '.join(KINDS)}")
    column = entry.get("column") or ("phase" if kind == "paired" else "response")
    where = {
        key: tuple(str(v) for v in (value if isinstance(value, list | tuple) else [value]))
        for key, value in (entry.get("where") or {}).items()
    }
    default_match = ["compartment", "sort"] if "sort" in where else ["compartment"]
    if column not in ("phase", "timepoint"):
        default_match.append("phase")
    match = default_match if entry.get("match") is None else list(entry["match"])
    contrast = Contrast(
        name=name,
        kind=kind,
        column=column,
        test=str(entry["test"]),
        reference=str(entry["reference"]),
        where=where,
        adjust=tuple(entry.get("adjust") or ()),
        match=tuple(m for m in match if m != column) if kind == "paired" else (),
        choose=None if entry.get("choose") is None else str(entry["choose"]),
    )
    for used in contrast.columns:
        if used not in samples:
            names = list(samples.columns)
            raise ValueError(
                f"contrast `{name}`: no column `{used}` in either sheet{near(used, names)}; "
                f"columns: {', '.join(names)}"
            )
    compared = {column: (contrast.test, contrast.reference)}
    for key, values in [*compared.items(), *where.items()]:
        _check_values(name, key, values, samples)
    _check_sense(contrast, samples)
    return contrast


def _check_values(name: str, column: str, values: Sequence[str], samples: pd.DataFrame) -> None:
    present = sorted(set(as_text(samples[column]).dropna()))
    if not present:
        remedy = NEEDED_BY.get(column, f"column `{column}` of the sheets")
        raise ValueError(
            f"contrast `{name}` asks for `{column}`, but no sample has one; set {remedy}"
        )
    allowed = FIXED_VALUES.get(column, present)
    for value in values:
        if value not in allowed:
            raise ValueError(
                f"contrast `{name}`: column `{column}` has no value `{value}`"
                f"{near(value, list(allowed))}; allowed: {', '.join(allowed)}"
            )


def _check_sense(contrast: Contrast, samples: pd.DataFrame) -> None:
    name, choose = contrast.name, contrast.choose
    if contrast.test == contrast.reference:
        raise ValueError(f"contrast `{name}`: test and reference are both `{contrast.test}`")
    if contrast.kind == "paired" and contrast.adjust:
        raise ValueError(
            f"contrast `{name}`: a pair is its own control, covariates of the patient cancel; "
            "remove `adjust`"
        )
    if contrast.column in contrast.adjust:
        raise ValueError(f"contrast `{name}`: `{contrast.column}` is compared; remove it in adjust")
    timepoints = sorted(samples["timepoint"].unique())
    if choose in ("first", "last"):
        if "day" not in samples or not pd.api.types.is_numeric_dtype(samples["day"]):
            raise ValueError(
                f"contrast `{name}`: `choose: {choose}` needs a column `day` of numbers in the "
                f"sample sheet; or choose one of {', '.join(timepoints)}"
            )
    elif choose is not None and choose not in timepoints:
        raise ValueError(
            f"contrast `{name}`: no time point `{choose}`{near(choose, timepoints)}; "
            f"choose: first, last, {', '.join(timepoints)}"
        )
