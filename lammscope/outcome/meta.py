"""Several cohorts together: their estimates, the common effect, and how the cohorts differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.definition import differing_settings, written
from lammscope.cohort.definition_file import TESTED, Definition
from lammscope.core.names import ALPHA
from lammscope.core.words import shortened
from lammscope.outcome.freeze import DESCRIBED
from lammscope.stats.meta import CommonEffect, combine_effects

FEWEST = 2  # cohorts
COHORT_COLUMNS = [
    *("cohort", "estimate", "se", "df", "ci_low", "ci_high", "p", "weight", "n_test"),
    *("n_reference", "n_patients", "n_samples", *DESCRIBED, "lammscope", "status", "reason"),
]
COMBINED_COLUMNS = [
    *("contrast", "denominator", "unit", "direction", "n_cohorts", "estimate", "se", "df"),
    *("ci_low", "ci_high", "p", "prediction_low", "prediction_high", "tau2", "tau2_low"),
    *("tau2_high", "i2", "i2_low", "i2_high", "q", "q_p", "fixed", "fixed_low", "fixed_high"),
    *("status", "reason"),
]


@dataclass(frozen=True)
class Combined:
    """Cohorts and their common effect.

    Attributes
    ----------
    cohorts
        A row per cohort, with the columns `COHORT_COLUMNS`.
    combined
        One row with the columns `COMBINED_COLUMNS`; without an estimate if fewer than two cohorts
        were tested.
    differences
        What differs between the cohorts, in words, with its value in each.
    """

    cohorts: pd.DataFrame
    combined: pd.DataFrame
    differences: dict[str, list[str]]


def combine_cohorts(definitions: Mapping[str, Definition]) -> Combined:
    """Combine the primary results of several cohorts.

    Parameters
    ----------
    definitions
        The definition of each cohort by its name.

    Raises
    ------
    ValueError
        One line per reason why they cannot be combined: fewer than two, frozen settings or units
        that differ, or the same samples twice.
    """
    if mistakes := list(_mistakes(definitions)):
        raise ValueError("\n".join(mistakes))
    cohorts = pd.DataFrame(
        [_cohort_row(name, each) for name, each in definitions.items()], columns=COHORT_COLUMNS
    )
    tested = cohorts["status"] == TESTED
    row: dict[str, Any] = dict.fromkeys(COMBINED_COLUMNS, np.nan)
    row |= {"n_cohorts": int(tested.sum()), "status": "ok", "reason": ""}
    first = next(iter(definitions.values()))
    row |= {"contrast": first.contrast, "direction": ""}
    row |= {key: first.estimate[key] for key in ("denominator", "unit")}
    if tested.sum() < FEWEST:
        row |= {"status": "too_few_cohorts", "reason": f"fewer than {FEWEST} cohorts were tested"}
    else:
        numbers = (cohorts.loc[tested, key].to_numpy(dtype=float) for key in ("estimate", "se"))
        effect = combine_effects(*numbers, alpha=ALPHA)
        row |= _effect_values(effect)
        cohorts.loc[tested, "weight"] = effect.weights
        row["direction"] = _direction(definitions, effect.estimate)
    combined = pd.DataFrame([row], columns=COMBINED_COLUMNS)
    return Combined(cohorts, combined, _differences(cohorts, definitions))


def _mistakes(definitions: Mapping[str, Definition]) -> Iterator[str]:
    """Yield why cohorts cannot be combined."""
    if len(definitions) < FEWEST:
        yield f"only {len(definitions)} cohort is named; name the results of {FEWEST} or more"
    names = list(definitions)
    for i, name in enumerate(names[1:], 1):
        first, own = definitions[names[0]], definitions[name]
        for key, theirs, mine in differing_settings(first.settings, own.settings):
            yield (
                f"{own.path}: `{key}` is {written(mine)}, but {written(theirs)} in {first.path}; "
                f"run this cohort with `definition: {first.path}`"
            )
        for key in first.files:
            if own.files[key]["digest"] != first.files[key]["digest"]:
                yield (
                    f"{own.path}: `{key}` has another content ({written(own.files[key]['name'])}) "
                    f"than in {first.path} ({written(first.files[key]['name'])}); run this cohort "
                    f"with `definition: {first.path}`"
                )
        units = first.estimate["unit"], own.estimate["unit"]
        if units[0] != units[1] and all(units):
            yield f"{own.path}: `estimate.unit` is {units[1]}, but {units[0]} in {first.path}"
        for other in names[:i]:
            shared = set(own.cohort["cells"]) & set(definitions[other].cohort["cells"])
            if shared:
                yield (
                    f"{own.path}: {len(shared)} of {len(own.cohort['cells'])} samples hold the "
                    f"same cells as samples of {definitions[other].path}; name each cohort once"
                )


def _cohort_row(name: str, definition: Definition) -> dict[str, Any]:
    """Return the row of a cohort."""
    estimate, cohort = definition.estimate, definition.cohort
    row: dict[str, Any] = {"cohort": name, "reason": ""}
    row |= {key: estimate[key] for key in COHORT_COLUMNS if key in estimate}
    row |= {key: cohort[key] for key in ("n_patients", "n_samples")}
    row |= {
        column: ", ".join(f"{value} ({n})" for value, n in cohort[column].items())
        for column in DESCRIBED
        if column in cohort
    }
    return row | {"lammscope": definition.record["versions"]["lammscope"]}


def _effect_values(effect: CommonEffect) -> dict[str, Any]:
    """Return the columns of the common effect."""
    names = ("estimate", "se", "df", "p", "tau2", "i2", "q", "q_p", "fixed")
    row = {name: getattr(effect, name) for name in names}
    intervals = {
        "ci": effect.interval,
        "prediction": effect.prediction,
        "tau2": effect.tau2_interval,
        "i2": effect.i2_interval,
        "fixed": effect.fixed_interval,
    }
    for name, (low, high) in intervals.items():
        row |= {f"{name}_low": low, f"{name}_high": high}
    return row


def _direction(definitions: Mapping[str, Definition], estimate: float) -> str:
    """Return the direction of the common effect, in the words of a cohort that has the same."""
    tested = [each.estimate for each in definitions.values() if each.estimate["status"] == TESTED]
    same = [each["direction"] for each in tested if each["estimate"] * estimate > 0]
    return str(same[0]) if same else ""


def _differences(
    cohorts: pd.DataFrame, definitions: Mapping[str, Definition]
) -> dict[str, list[str]]:
    """Return what differs between the cohorts: kinds of samples, integration, versions."""
    known = list(definitions.values())
    listed: dict[str, list[str]] = {
        "patients": [str(n) for n in cohorts["n_patients"]],
        **{
            column.replace("timepoint", "time point"): [
                shortened(each.cohort.get(column, {"not known": 0}))
                for each in definitions.values()
            ]
            for column in DESCRIBED
        },
        "batch correction": [str(each.record["integration"]["method"]) for each in known],
    }
    versions = [each.record["versions"] for each in known]
    for name in dict.fromkeys(key for each in versions for key in each):
        listed[f"version of {name}"] = [str(each.get(name, "not known")) for each in versions]
    return {what: values for what, values in listed.items() if len(set(values)) > 1}
