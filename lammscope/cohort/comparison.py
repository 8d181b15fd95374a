"""The patients and samples that a contrast compares: sides, and one unit per patient."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any

import pandas as pd

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import aliased_columns, independent_columns
from lammscope.cohort.selection import (
    USED,
    select_samples,
    single_sides,
    takes_part,
    used_samples,
    used_sorts,
)
from lammscope.core.words import as_text


@dataclass(frozen=True, eq=False)
class Comparison:
    """A contrast applied to a cohort. Each job creates it once and passes it on.

    Attributes
    ----------
    samples
        The sample table.
    contrast
        The contrast.
    """

    samples: pd.DataFrame
    contrast: Contrast

    @cached_property
    def selection(self) -> pd.DataFrame:
        """How each sample is used, from `selection.select_samples`."""
        return select_samples(self.samples, self.contrast)

    @cached_property
    def used(self) -> pd.DataFrame:
        """The rows of the sample table that are compared."""
        return used_samples(self.samples, self.selection)

    @property
    def sorts(self) -> list[str]:
        """Labels of the column `sort` in the samples that are compared."""
        return used_sorts(self.samples, self.selection)

    @cached_property
    def sides(self) -> pd.DataFrame:
        """One row per patient and side, complete or not: the rows of a model of all samples.

        Columns `patient`, `arm`, `side`, `samples` (list of replicates to be summed), `complete`
        (bool: the patient has every sample that the contrast needs), and `Contrast.unit_columns`:
        `trend` (a number, for trends only) and the covariates.
        """
        contrast, selection, own = self.contrast, self.selection, self.contrast.unit_columns
        about = self.samples.assign(**contrast.numbers(self.samples))[["sample", *own]]
        taken = selection[takes_part(selection, contrast)].merge(about, on="sample", how="left")
        rows = []
        for parts in _records_by(taken, ["patient", "side"]):
            row = {key: parts[0][key] for key in ("patient", "arm", "side")}
            row["samples"] = sorted(part["sample"] for part in parts)
            row["complete"] = all(part["use"] == USED for part in parts)
            row |= {column: parts[0][column] for column in own}
            rows.append(row)
        columns = ["patient", "arm", "side", "samples", "complete", *own]
        return pd.DataFrame(rows, columns=columns).astype({"complete": bool})

    @cached_property
    def units(self) -> pd.DataFrame:
        """One row per patient in the comparison, sorted by patient.

        Columns `patient`, `unit` (the patient, and what its pair shares), `arm` (test, reference;
        pair in `paired`; all in `trend`), then lists of replicates to be summed: `samples`
        (`between`, `trend`) or `samples_test` and `samples_reference` (`paired`; in `change`, post
        and pre), then `trend` (for trends only) and the covariates.
        """
        contrast, sides = self.contrast, self.sides[self.sides["complete"]]
        names = [f"samples_{side}" for side in SIDES] if contrast.has_sides else ["samples"]
        rows = []
        for parts in _records_by(sides, ["patient"]):
            by_side = {part["side"]: part["samples"] for part in parts}
            first, patient = parts[0], parts[0]["patient"]
            lists = [by_side[side] for side in SIDES] if contrast.has_sides else [first["samples"]]
            row = {"patient": patient, "unit": patient, "arm": first["arm"]}
            row |= dict(zip(names, lists, strict=True))
            if contrast.match:
                row["unit"] = self._pair_name(patient, first["samples"][0])
            rows.append(row | {column: first[column] for column in contrast.unit_columns})
        columns = ["patient", "unit", "arm", *names, *contrast.unit_columns]
        return pd.DataFrame(rows, columns=columns)

    @cached_property
    def incomplete(self) -> pd.DataFrame:
        """Patients with only one side, with the columns of `units`; the other side has no samples.

        Complete units do not need them; a model with a random effect of patients may add them.
        """
        contrast, units = self.contrast, self.units
        found = single_sides(self.samples, self.selection, contrast)
        found = found.merge(self.samples[["sample", *contrast.adjust]], on="sample")
        rows = []
        for patient, part in found.groupby("patient", sort=True):
            first = part.iloc[0]
            row = {"patient": patient, "unit": patient, "arm": first["arm"]}
            row |= {f"samples_{side}": [] for side in SIDES}
            row[f"samples_{first['side']}"] = sorted(part["sample"])
            rows.append(row | {column: first[column] for column in contrast.adjust})
        return pd.DataFrame(rows, columns=list(units))

    @cached_property
    def crosses_phases(self) -> bool:
        """Whether samples before and after infusion are compared, by whatever column."""
        contrast, units = self.contrast, self.units
        if contrast.compares_phases:
            return True
        phase = self.samples.set_index("sample")["phase"]
        if contrast.has_sides:
            sides = [units[f"samples_{side}"] for side in SIDES]
        else:
            groups = contrast.groups(units)
            sides = [units.loc[groups == arm, "samples"] for arm in SIDES]
        phases = [set(phase[[name for names in side for name in names]].dropna()) for side in sides]
        return bool(phases[0] and phases[1] and phases[0] != phases[1])

    def left_out(self, exclude_pre_post: Collection[str]) -> set[str]:
        """Return `exclude_pre_post`, to leave out of denominators, if phases are compared."""
        return set(exclude_pre_post) if self.crosses_phases else set()

    def adjusted(self, columns: Sequence[str]) -> "Comparison":
        """Return the same comparison with only these covariates."""
        return Comparison(self.samples, replace(self.contrast, adjust=tuple(columns)))

    def _pair_name(self, patient: object, sample: str) -> str:
        """Return the patient and the values that its pair shares, joined by slashes."""
        matched = list(self.contrast.match)
        shared = self.samples.loc[self.samples["sample"] == sample, matched].iloc[0]
        return "/".join([str(patient), *as_text(shared).fillna("").map(str)])


def _records_by(table: pd.DataFrame, keys: list[str]) -> Iterator[list[dict[Hashable, Any]]]:
    """Yield the rows of each group, sorted by keys; rows without one are left out.

    They are plain records: a DataFrame for each of hundreds of patients takes a second.
    """
    known = table.dropna(subset=keys).sort_values(keys, kind="stable")
    for _, rows in groupby(known.to_dict("records"), key=itemgetter(*keys)):
        yield list(rows)


def compare(samples: pd.DataFrame, contrasts: Iterable[Contrast]) -> list[Comparison]:
    """Apply contrasts to a cohort."""
    return [Comparison(samples, contrast) for contrast in contrasts]


def design_problem(units: pd.DataFrame, design: pd.DataFrame, contrast: Contrast) -> str:
    """Return the status of a comparison that cannot be made, or an empty string."""
    if problem := contrast.problem(units):
        return problem
    if "arm" in aliased_columns(design):
        return "aliased"
    return "" if len(units) > independent_columns(design).shape[1] else "too_few_patients"


def has_every_arm(units: pd.DataFrame, contrast: Contrast) -> bool:
    """Return whether each arm has at least one unit."""
    return set(units["arm"]) == set(contrast.arms)
