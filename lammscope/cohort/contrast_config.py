"""Contrasts of the config, checked against the sheets, and default contrasts."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from lammscope.cohort.contrast_kinds import KINDS, Between
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.selection import try_selection, used_samples
from lammscope.cohort.sorts import Sorts, unsorted_labels
from lammscope.core.names import FILE_COLUMNS
from lammscope.core.words import as_text, near, shortened

DEFAULT = "default"  # the value of `contrasts` in a config that names none

RESERVED = {
    "ambient": "the file `expression/ambient.tsv.gz`",
    "cohort": "the figures and audit rows of the whole cohort",
    "counts": "the file `abundance/counts.tsv`",
    "lamm": "the file `abundance/lamm.tsv`",
    "scores": "the file `abundance/scores.tsv`",
}

FIXED_VALUES = {"response": ("responder", "non_responder"), "phase": ("pre", "post")}

FILL_IN = {
    "response": "set `response` in the config and in patients.tsv",
    "phase": "set `timepoints` in the config",
}

IDENTIFIERS = {"sample", "patient", *FILE_COLUMNS}

RESPONSE = ("response", "response_label")

MOSTLY = 0.8  # share of numbers in a column from which text is treated as a typing error


def contrasts_from_config(
    contrasts: Mapping[str, Mapping[str, Any]] | str,
    samples: pd.DataFrame,
    *,
    sorts: Sorts | None = None,
) -> list[Contrast]:
    """Check the contrasts of the config against the samples, or return the default contrasts.

    Parameters
    ----------
    contrasts
        Named entries of the config, or `default`.
    samples
        The sample table of `sheets.read_samples`.
    sorts
        As in `sorts.kept_lineages`; by default only usual labels are known.

    Raises
    ------
    ValueError
        One line per mistake, for all contrasts together: the contrast, the column, the value, the
        allowed values, and the remedy. Checks that need matched patients are in
        `contrast_checks.contrast_mistakes`.
    """
    sorts = sorts or {}
    if isinstance(contrasts, str):
        return default_contrasts(samples, sorts=sorts)
    unsorted = unsorted_labels(samples["sort"], sorts)
    made = [_contrast(name, entry, unsorted) for name, entry in contrasts.items()]
    mistakes = [
        f"contrast `{contrast.name}`: {mistake}"
        for contrast in made
        for mistake in [
            *_name_mistakes(contrast.name, contrasts),
            *_kind_mistakes(contrasts[contrast.name]),
            *_mistakes(contrast, samples),
        ]
    ]
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return [_settled(contrast, samples) for contrast in made]


def primary_contrast(config: Mapping[str, Any], contrasts: Sequence[Contrast]) -> Contrast | None:
    """Return the primary contrast, or None if the run has no such contrast."""
    name = config["primary"]["contrast"]
    return next((contrast for contrast in contrasts if contrast.name == name), None)


def default_contrasts(samples: pd.DataFrame, *, sorts: Sorts) -> list[Contrast]:
    """Return the contrasts of a config that names none, as far as the cohort allows them.

    They are `baseline`, `on_treatment` and `change`, for each compartment (named `baseline_blood`,
    ... if there are several). Without response labels, `pre_to_post` replaces them. Only libraries
    whose sorting keeps all cells count.
    """
    labels = unsorted_labels(samples["sort"], sorts)
    unsorted = samples[as_text(samples["sort"]).isin(labels)]
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
    return [_contrast(name, entry, labels) for name, entry in found.items()]


def _settled(contrast: Contrast, samples: pd.DataFrame) -> Contrast:
    """Return the contrast with what depends on its samples, whatever the covariates."""
    if not contrast.has_numbers:
        return contrast
    selection, _ = try_selection(samples, replace(contrast, adjust=()))
    return contrast.settled(used_samples(samples, selection))


def _contrast(name: str, entry: Mapping[str, Any], unsorted: tuple[str, ...]) -> Contrast:
    """Return an entry of the config with its defaults, not yet checked."""
    kind = KINDS.get(entry["kind"], Between)  # an unknown kind is reported with the mistakes
    column = entry.get("column") or kind.default_column
    where = {
        key: tuple(str(v) for v in (value if isinstance(value, list | tuple) else [value]))
        for key, value in (entry.get("where") or {}).items()
    }
    default_match = ["compartment", "sort"] if "sort" in where else ["compartment"]
    if column not in ("phase", "timepoint"):
        default_match.append("phase")
    match = default_match if entry.get("match") is None else list(entry["match"])
    return kind(
        name=name,
        column=column,
        where=where,
        adjust=tuple(entry.get("adjust") or ()),
        match=() if kind.between_patients else tuple(m for m in match if m != column),
        choose=None if entry.get("choose") is None else str(entry["choose"]),
        unsorted=unsorted,
        **kind.own_fields(entry, column),
    )


def _name_mistakes(name: str, names: Iterable[str]) -> list[str]:
    found = []
    if name.lower() in RESERVED:
        found.append(f"this name is reserved for {RESERVED[name.lower()]}; rename the contrast")
    twins = [other for other in names if other != name and other.lower() == name.lower()]
    if twins:
        found.append(
            f"its name differs from `{twins[0]}` only in capitals; rename one, since both are used "
            "in file names"
        )
    return found


def _kind_mistakes(entry: Mapping[str, Any]) -> list[str]:
    kind = str(entry["kind"])
    if kind in KINDS:
        others = {key: name for name, each in KINDS.items() for key in each.keys}
        return [
            f"`{key}` is a key of `kind: {others[key]}`, not of `kind: {kind}`; remove it"
            for key in entry
            if key in others and key not in KINDS[kind].keys
        ]
    return [f"kind `{kind}` is not one of {', '.join(KINDS)}{near(kind, KINDS)}"]


def _mistakes(contrast: Contrast, samples: pd.DataFrame) -> list[str]:
    """Find the mistakes of one contrast; further checks of missing columns are skipped."""
    compared = contrast.column
    found = []
    names = [str(name) for name in samples.columns]
    places = {"column": [compared], "where": contrast.where, "adjust": contrast.adjust}
    for place, columns in (places | {"match": contrast.match}).items():
        found += [
            f"`{place}`: no column `{name}` in either sheet{near(name, names)}; "
            f"columns: {', '.join(names)}"
            for name in columns
            if name not in samples
        ]
    named: dict[str, tuple[str, tuple[str, ...]]] = {}
    named |= {key: (compared, (value,)) for key, value in contrast.named_values.items()}
    named |= {f"where.{name}": (name, values) for name, values in contrast.where.items()}
    found += dict.fromkeys(
        mistake
        for place, (column, values) in named.items()
        if column in samples
        for mistake in _value_mistakes(place, column, values, samples)
    )
    found += contrast.mistakes(samples)
    if all(column in samples for column in contrast.where):
        found += _nothing_left(contrast, samples)
    if contrast.adjust and not contrast.between_patients:
        found.append(
            "a pair is its own control, so covariates of patients cancel out; remove `adjust`"
        )
    for column in contrast.adjust:
        if column in samples:
            found += _covariate_mistakes(column, compared, samples)
    return found + (_choose_mistakes(contrast.choose, samples) or _days_missing(contrast, samples))


def _value_mistakes(
    place: str, column: str, values: Sequence[str], samples: pd.DataFrame
) -> list[str]:
    present = sorted(set(as_text(samples[column]).dropna()))
    if not present:
        remedy = FILL_IN.get(column, f"fill in column `{column}`")
        return [f"it uses `{column}`, which is empty for every sample; {remedy}"]
    allowed = list(FIXED_VALUES.get(column, present))
    words = ", ".join(allowed[:20]) + (f", and {len(allowed) - 20} more" if allowed[20:] else "")
    if column == "response" and "response_label" in samples:
        labels = sorted(set(as_text(samples["response_label"]).dropna()))
        words += f"; the labels of the sheet ({', '.join(labels)}) are in column `response_label`"
    return [
        f"`{place}`: column `{column}` has no value `{value}`{near(value, allowed)}; "
        f"allowed: {words}"
        for value in values
        if value not in allowed
    ]


def _nothing_left(contrast: Contrast, samples: pd.DataFrame) -> list[str]:
    """Find conditions of `where` that samples meet one by one, but no sample meets together."""
    met = {
        f"{column} {' or '.join(values)}": as_text(samples[column]).isin(values)
        for column, values in contrast.where.items()
    }
    if (
        not met
        or not all(rows.any() for rows in met.values())
        or pd.DataFrame(met).all(axis=1).any()
    ):
        return []
    counts = ", ".join(f"{words}: {int(rows.sum())} samples" for words, rows in met.items())
    return [f"`where`: no sample meets all conditions ({counts}); remove one"]


def _covariate_mistakes(column: str, compared: str, samples: pd.DataFrame) -> list[str]:
    values = as_text(samples[column])
    known = values.dropna()
    remedy = f"remove `{column}` from `adjust`"
    if column == compared:
        return [f"`adjust`: `{column}` is the column that is compared; {remedy}"]
    if column in IDENTIFIERS:
        return [f"`adjust`: `{column}` identifies rows and is not a covariate; {remedy}"]
    if compared in RESPONSE and _is_response(column, values, samples):
        return [f"`adjust`: `{column}` is the response under another name; {remedy}"]
    if known.empty:
        return [f"`adjust`: no sample has a value for `{column}`; fill in the sheet, or {remedy}"]
    if pd.api.types.is_numeric_dtype(samples[column]):
        return []
    numeric = pd.to_numeric(known, errors="coerce").notna()
    if not numeric.all() and numeric.mean() >= MOSTLY:
        odd = samples.loc[known.index[~numeric], "sample"].groupby(known[~numeric])
        listed = "; ".join(f"`{value}` (sample {', '.join(part)})" for value, part in odd)
        return [
            f"`adjust`: column `{column}` is numeric except for {listed}; correct the value, or "
            "leave the field empty"
        ]
    if len(known) > 2 and known.is_unique:
        return [f"`adjust`: `{column}` has a different value in every sample; {remedy}"]
    return []


def _is_response(column: str, values: pd.Series, samples: pd.DataFrame) -> bool:
    same = "response_label" in samples and values.equals(as_text(samples["response_label"]))
    return column in RESPONSE or (same and bool(values.notna().any()))


def _choose_mistakes(choose: str | None, samples: pd.DataFrame) -> list[str]:
    timepoints = sorted(samples["timepoint"].dropna().unique())
    if choose in ("first", "last"):
        if "day" in samples and pd.api.types.is_numeric_dtype(samples["day"]):
            return []
        return [
            f"`choose: {choose}` needs a numeric column `day` in the sample sheet; add it, or "
            f"choose one of {', '.join(timepoints)}"
        ]
    if choose is None or choose in timepoints:
        return []
    allowed = ["first", "last", *timepoints]
    return [
        f"`choose`: no time point `{choose}`{near(choose, allowed)}; allowed: {', '.join(allowed)}"
    ]


def _days_missing(contrast: Contrast, samples: pd.DataFrame) -> list[str]:
    """Find samples without a day among which the first or the last is to be chosen."""
    places = [contrast.column, *contrast.where]
    if contrast.choose not in ("first", "last") or not set(places) <= set(samples.columns):
        return []
    kept = samples
    for column, values in contrast.where.items():
        kept = kept[as_text(kept[column]).isin(values)]
    n_times = kept.groupby(["patient", contrast.column])["timepoint"].transform("nunique")
    empty = kept.loc[(n_times > 1) & kept["day"].isna(), "sample"].dropna().tolist()
    return [
        f"`choose: {contrast.choose}` needs `day`, which is empty for {shortened(empty)}; "
        "fill it in"
        for _ in empty[:1]
    ]
