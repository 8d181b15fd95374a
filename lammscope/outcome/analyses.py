"""Which samples and patients an analysis of survival uses, and the LAMM measure of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import REASONS, measure_problem
from lammscope.abundance.fractions import unit_values
from lammscope.abundance.populations import Question
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.follow_up import conditions
from lammscope.cohort.selection import nearest_to_infusion, try_selection
from lammscope.cohort.sorts import Sorts, sorted_samples, unsorted_labels
from lammscope.core.names import LAMM, LAMM_SCORE, PHASES
from lammscope.core.words import as_text, readable
from lammscope.outcome.names import BASELINE, LANDMARK

PRE, POST = PHASES
SORTED_OUT = "sorting removed the cells of the denominator"


@dataclass(frozen=True)
class Everyone(Contrast):
    """All patients with a sample; nothing is compared."""

    kind = "everyone"
    arms = ("all",)
    has_arms = False
    needed = "patients"

    def named(self, table: pd.DataFrame) -> pd.Series:
        """Return the one arm for every sample."""
        return pd.Series("all", index=table.index, dtype=object)


@dataclass(frozen=True)
class Settings:
    """Settings of the analyses of survival.

    Attributes
    ----------
    denominator
        Of the fraction of LAMM cells; the primary one.
    adjust
        Covariates of the pre-specified model.
    where
        Values of columns of the sample table that samples have.
    response_day, horizon
        Days; 0 if not known, or not set.
    timepoints
        Labels by phase.
    min_cells, exclude_pre_post, sorts
        As in `abundance.populations.Question`.
    """

    denominator: str
    adjust: Sequence[str]
    where: Mapping[str, Any]
    response_day: float
    horizon: float
    timepoints: Mapping[str, Sequence[str]]
    min_cells: int
    exclude_pre_post: Sequence[str]
    sorts: Sorts

    @property
    def markers(self) -> tuple[tuple[str, str], ...]:
        """Population and denominator of each marker, the pre-specified one first."""
        return ((LAMM, self.denominator), (LAMM_SCORE, "monocytic"))


@dataclass(frozen=True, eq=False)
class Analysis:
    """A compartment at one time: one sample of each patient, or replicates of it.

    Attributes
    ----------
    kind
        `baseline` or `landmark`.
    timepoint
        The label after infusion; empty for the baseline.
    compartment
        Where the cells are from.
    chosen
        The rows of the sample table at this time.
    settings
        What to do with them.
    """

    kind: str
    timepoint: str
    compartment: str
    chosen: pd.DataFrame
    settings: Settings

    @property
    def keys(self) -> dict[str, str]:
        """What identifies the analysis in tables."""
        return {
            "analysis": self.kind,
            "timepoint": self.timepoint,
            "compartment": self.compartment,
        }

    @property
    def days(self) -> pd.Series:
        """The day of the sample of each patient; missing if not known."""
        own = self.chosen[_may_be_used(self.chosen, self.settings)]
        values = own["day"] if "day" in own else pd.Series(np.nan, index=own.index)
        return values.astype(float).groupby(own["patient"]).max()

    def compare(self, adjust: Sequence[str]) -> Comparison:
        """Return the patients of a model with these covariates."""
        where = conditions(self.settings.where)
        unsorted = unsorted_labels(self.chosen["sort"], self.settings.sorts)
        contrast = Everyone(
            *("survival", "patient", "", ""), where, tuple(adjust), (), None, unsorted=unsorted
        )
        return Comparison(self.chosen, contrast)


def find_analyses(samples: pd.DataFrame, settings: Settings) -> list[Analysis]:
    """Return the analyses of a cohort: before infusion, and at each time point after it.

    Sorted libraries are used only if `settings.where` names `sort`. Of several time points before
    infusion, the last sample of each patient is used.
    """
    for column, values in conditions(settings.where).items():
        samples = samples[as_text(samples[column]).isin(values)]
    before, after = (samples[samples["phase"] == phase] for phase in (PRE, POST))
    usable = _may_be_used(before, settings)
    before = pd.concat([nearest_to_infusion(before[usable], settings.timepoints), before[~usable]])
    label = as_text(after["timepoint"])
    times = [(BASELINE, "", before)]
    times += [(LANDMARK, str(t), after[label == t]) for t in settings.timepoints[POST]]
    return [
        Analysis(kind, timepoint, str(compartment), own.reset_index(drop=True), settings)
        for kind, timepoint, rows in times
        for compartment, own in rows.groupby("compartment", sort=True)
        if _may_be_used(own, settings).any()
    ]


def _may_be_used(samples: pd.DataFrame, settings: Settings) -> pd.Series:
    """Return which samples are not of sorted libraries, or all if `where` names `sort`."""
    if "sort" in settings.where:
        return pd.Series(True, index=samples.index)
    return ~samples["sample"].isin(sorted_samples(samples, settings.sorts))


@dataclass(frozen=True, eq=False)
class Marker:
    """A LAMM measure in an analysis.

    Attributes
    ----------
    population, denominator
        What is measured.
    adjusted
        The covariates of the model.
    values
        Index patient; `value` (log odds, or a mean score) and `reason` why there is none.
    covariates
        The covariates of the patients with a value.
    status, why
        Why nothing can be tested, or empty.
    """

    population: str
    denominator: str
    adjusted: tuple[str, ...]
    values: pd.DataFrame
    covariates: pd.DataFrame
    status: str = ""
    why: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """What identifies the marker in tables."""
        names = {"marker": self.population, "denominator": self.denominator}
        return names | {"adjusted": ", ".join(self.adjusted)}


def measure_markers(
    analysis: Analysis, counts: pd.DataFrame, scores: pd.DataFrame, patients: pd.Index
) -> Iterator[Marker]:
    """Measure each marker in an analysis, without covariates and, if there are any, with them.

    `patients` are those of the cohort: who has no value is listed with the reason.
    """
    settings = analysis.settings
    for adjust in dict.fromkeys([(), tuple(settings.adjust)]):
        comparison = analysis.compare(adjust)
        selection, mistakes = try_selection(comparison.samples, comparison.contrast)
        base = _reasons(selection, patients, analysis)
        if mistakes:
            for population, denominator in settings.markers:
                why = mistakes[0].partition(": ")[2]
                values = base.assign(reason=base["reason"].where(base["reason"] != "", why))
                none = pd.DataFrame(columns=list(adjust))
                yield Marker(population, denominator, adjust, values, none, "several_samples", why)
            continue
        question = Question(
            counts,
            comparison,
            min_cells=settings.min_cells,
            exclude_pre_post=settings.exclude_pre_post,
            sorts=settings.sorts,
            scores=scores,
        )
        for population, denominator in settings.markers:
            yield _measure(question, population, denominator, base)


def _measure(question: Question, population: str, denominator: str, base: pd.DataFrame) -> Marker:
    """Measure one marker in the patients of a question."""
    units, adjust = question.units, question.contrast.adjust
    covariates = units.set_index("patient")[list(adjust)]
    empty = Marker(population, denominator, adjust, base, covariates)
    measure = question.measure(population, denominator)
    if measure is None:
        why = SORTED_OUT if len(units) else REASONS["no_cells"]
        values = base.assign(reason=base["reason"].where(base["reason"] != "", why))
        return replace(empty, values=values, status="no_cells", why=why)
    keep = measure.enough_cells(question.min_cells)
    values, few = base.copy(), f"under {question.min_cells} cells of the denominator"
    values.loc[units["patient"][~keep], "reason"] = few
    kept = units["patient"][keep]
    status = measure_problem(measure, keep, question.contrast.groups(units)[keep])
    if status:
        values.loc[kept, "reason"] = REASONS[status]
        return replace(empty, values=values, status=status, why=REASONS[status])
    values.loc[kept, "value"] = unit_values(measure, keep, measure.scales[0])
    return replace(empty, values=values, covariates=covariates.loc[kept])


def _reasons(selection: pd.DataFrame, patients: pd.Index, analysis: Analysis) -> pd.DataFrame:
    """Return an empty `value` for each patient, and why the patient has no sample."""
    where = f"at {readable(analysis.timepoint)}" if analysis.timepoint else "before infusion"
    values = pd.DataFrame({"value": np.nan, "reason": f"no sample {where}"}, index=patients)
    dropped = selection[selection["reason"] != ""].drop_duplicates("patient")
    values.loc[dropped["patient"], "reason"] = dropped["reason"].to_numpy()
    values.loc[selection.loc[selection["use"] == "used", "patient"].unique(), "reason"] = ""
    return values
