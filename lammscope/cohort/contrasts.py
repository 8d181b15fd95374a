"""Kinds of contrasts: which patients each compares, its model, its permutations and its wording.

To add a kind, add a class here. Other code uses its attributes and methods and never its name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.design import (
    EFFECT,
    SideDesign,
    design_matrix,
    patient_levels,
    within_patients_design,
)
from lammscope.cohort.schemes import Scheme, label_scheme, sign_scheme
from lammscope.core.names import ARM_WORDS
from lammscope.core.words import MINUS, as_text, counted, readable

SIDES = ("test", "reference")
PHASE_WORDS = {"pre": "before infusion", "post": "after infusion"}
PAIR_DEFAULTS = ("compartment", "sort")  # shared by the samples of a pair by default


@dataclass(frozen=True)
class Contrast:
    """A comparison of `test` with `reference` in `column`, among the samples of `where`.

    Attributes
    ----------
    adjust
        Covariates.
    match
        Columns that the two samples of a pair share besides the patient.
    choose
        `first`, `last` or a time point: the sample to use if a patient has several.
    unsorted
        Labels of the column `sort` of libraries that keep all cells. Libraries with other labels
        are used only if the contrast names `sort`.
    kind
        Name in the config.
    default_column
        The column that is compared if the config names none.
    arms, has_arms
        Arms of the units. If each patient is compared with itself, the only arm is `pair`;
        covariates of patients then cancel out, so adjusting for them is not possible.
    has_sides
        Whether a unit has a test and a reference side, so that its value is their difference.
    keeps_incomplete
        Whether patients with only one side are used in models of all samples.
    unit_words, needed, lacking
        Words for the units, for what a test needs, and for what a missing patient does not have.
    """

    name: str
    column: str
    test: str
    reference: str
    where: dict[str, tuple[str, ...]]
    adjust: tuple[str, ...]
    match: tuple[str, ...]
    choose: str | None
    unsorted: tuple[str, ...] = ("none",)

    kind: ClassVar[str]
    default_column: ClassVar[str] = "response"
    arms: ClassVar[tuple[str, ...]] = SIDES
    has_arms: ClassVar[bool] = True
    has_sides: ClassVar[bool] = False
    keeps_incomplete: ClassVar[bool] = False
    unit_words: ClassVar[str] = "patients"
    needed: ClassVar[str] = "patients in each arm"
    lacking: ClassVar[str] = "no sample in this contrast"

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the sample table that the contrast names."""
        return tuple(dict.fromkeys([self.column, *self.where, *self.adjust, *self.match]))

    @property
    def names_sort(self) -> bool:
        """Whether sorted libraries may be used."""
        return "sort" in (self.column, *self.where, *self.match)

    @property
    def compares_phases(self) -> bool:
        """Whether samples before and after infusion are compared."""
        return self.column == "phase"

    @property
    def compares_time(self) -> bool:
        """Whether the arms are phases or time points."""
        return self.column in ("phase", "timepoint")

    @property
    def shared_by_sides(self) -> list[str]:
        """Columns in which the two sides of a unit agree; empty if it has one side."""
        return []

    # --- units ------------------------------------------------------------------------------------

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Return the arm and the side of each sample.

        `named` has test or reference for each sample, by its value of `column`; `table` has the
        samples in the same order.
        """
        return named, named

    def arm_sizes(self, units: pd.DataFrame) -> dict[str, int]:
        """Return `n_test` and `n_reference`: patients per arm, or pairs."""
        return {f"n_{arm}": int((units["arm"] == arm).sum()) for arm in SIDES}

    def patients_per_arm(self, sides: pd.DataFrame) -> tuple[int, int]:
        """Count the patients of the test and the reference arm who have all sides of a unit."""
        if self.has_sides:
            sides = sides[sides.groupby("patient")["side"].transform("nunique") == 2]
        n_patients = sides.groupby("arm")["patient"].nunique()
        return int(n_patients.get("test", 0)), int(n_patients.get("reference", 0))

    def relabel(
        self, samples: pd.DataFrame, units: pd.DataFrame, assignment: NDArray[np.bool_]
    ) -> pd.DataFrame:
        """Return the samples with permuted labels in the column that is compared.

        `assignment` has True for each of the `units` in the test arm (for pairs: whose samples keep
        their labels).
        """
        by_value = {False: self.reference, True: self.test}
        arms = dict(zip(units["patient"], assignment, strict=True))
        labels = samples["patient"].map(arms).map(by_value).astype(object)
        return samples.assign(**{self.column: labels})

    # --- models -----------------------------------------------------------------------------------

    def permutations(self, units: pd.DataFrame, *, max_exact: int, n_draws: int) -> Scheme:
        """Return the permutation scheme; see `schemes.label_scheme` and `schemes.sign_scheme`."""
        return label_scheme(units, self.adjust, max_exact=max_exact, n_draws=n_draws)

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """Return the model with a row per patient and side; its column `effect` is tested.

        Parameters
        ----------
        sides
            `patient`, `arm`, `side` and the covariates of each side.
        within_patients
            For a change only: whether patients are levels of the model, so that those with only one
            phase are not used, or blocks of correlated samples.
        """
        return SideDesign.of_all(design_matrix(sides, self.adjust).rename(columns={"arm": EFFECT}))

    # --- words ------------------------------------------------------------------------------------

    @property
    def mean_words(self) -> str:
        """The name of the average within an arm."""
        return "mean"

    @property
    def mean_unit(self) -> str:
        """The format of that average: a kind of `words.write_number`."""
        return "fraction"

    def value_of(self, side: str) -> str:
        """Return the value of `column` that defines a side."""
        return self.test if side == "test" else self.reference

    def group(self, side: str) -> str:
        """Return words for the patients (for pairs, the samples) of a side."""
        value = self.value_of(side)
        return ARM_WORDS.get(value, f"patients with {readable(self.column)} {readable(value)}")

    def units_of(self, arm: str) -> str:
        """Return words for the units of an arm."""
        return self.group(arm)

    def sizes(self, units: pd.DataFrame) -> str:
        """Return the number of units on each side, in words."""
        words = [counted(int((units["arm"] == arm).sum()), self.group(arm)) for arm in SIDES]
        return " against ".join(words)

    def patients(self, n_test: int, n_reference: int) -> str:
        """Return the number of patients on each side, in words."""
        test, reference = readable(self.test), readable(self.reference)
        return f"{n_test} {test} and {n_reference} {reference} patients"

    def size_cell(self, n_test: str, n_reference: str) -> str:
        """Return the number of patients on each side for a cell of a table."""
        return f"{n_reference} / {n_test}"

    def ratio(self, of: str = "odds") -> str:
        """Return the name of an exponentiated estimate, a ratio of odds or of frequencies."""
        return f"{of} ratio"

    def verdict(self, direction: str) -> str:
        """Describe a difference in a few words; `direction` is higher or lower."""
        return f"{direction} in {self.test}"

    def claim(self, direction: str, whole: str, *, verb: str = "was") -> str:
        """State the primary result in a sentence; `whole` names the denominator.

        `verb` is `was`, or `may be` for a result that is only suggestive.
        """
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} status {verb} associated with a {direction} fraction of LAMM cells among "
            f"{whole} than {reference} status"
        )

    def directions(self) -> tuple[str, str]:
        """Return the meaning of a negative and of a positive estimate."""
        test, reference = readable(self.test), readable(self.reference)
        return f"more frequent in {reference}", f"more frequent in {test}"

    def describe(self) -> str:
        """Describe in one sentence what is compared, in which samples, and the adjustment."""
        words = self._question()
        if self.where:
            words += f"; samples{self._conditions()}"
        if self.choose:
            name = readable(self.choose)
            which = f"the {name} one" if self.choose in ("first", "last") else f"the one at {name}"
            words += f"; if a patient has several samples, {which}"
        if not self.has_arms:
            return f"{words}."
        if self.adjust:
            return f"{words}; adjusted for {', '.join(map(readable, self.adjust))}."
        return f"{words}; unadjusted, so exploratory."

    def _conditions(self) -> str:
        """Describe the samples of `where`, such as ` from before infusion with sort CD3+`."""
        phases = [PHASE_WORDS.get(value, value) for value in self.where.get("phase", ())]
        others = [
            f"{'arm' if key == 'response' else readable(key)} {' or '.join(map(readable, values))}"
            for key, values in self.where.items()
            if key != "phase"
        ]
        when = f" from {' or '.join(phases)}" if phases else ""
        return when + (f" with {', '.join(others)}" if others else "")

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Patients against patients: {test} compared with {reference}"


@dataclass(frozen=True)
class Between(Contrast):
    """Comparison of patients with other patients."""

    kind = "between"


@dataclass(frozen=True)
class Paired(Contrast):
    """Comparison within patients: the samples of a pair share the columns of `match`."""

    kind = "paired"
    default_column = "phase"
    arms = ("pair",)
    has_arms = False
    has_sides = True
    unit_words = "pairs"
    needed = "complete pairs"

    @property
    def shared_by_sides(self) -> list[str]:
        """The patient and the columns of `match`."""
        return ["patient", *self.match]

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Return `pair` as the arm of each sample, and its value as the side."""
        return pd.Series("pair", index=named.index), named

    def arm_sizes(self, units: pd.DataFrame) -> dict[str, int]:
        """Return the number of pairs for both sides."""
        return {f"n_{side}": len(units) for side in SIDES}

    def patients_per_arm(self, sides: pd.DataFrame) -> tuple[int, int]:
        """Count the pairs, for both sides."""
        n_pairs = sides["patient"].nunique()
        return n_pairs, n_pairs

    def relabel(
        self, samples: pd.DataFrame, units: pd.DataFrame, assignment: NDArray[np.bool_]
    ) -> pd.DataFrame:
        """Return the samples, with exchanged labels in pairs that do not keep theirs."""
        labels = samples[self.column].astype(object)
        exchanged = units[~assignment]
        for side, new in (("test", self.reference), ("reference", self.test)):
            names = [name for listed in exchanged[f"samples_{side}"] for name in listed]
            labels[samples["sample"].isin(names)] = new
        return samples.assign(**{self.column: labels})

    def permutations(self, units: pd.DataFrame, *, max_exact: int, n_draws: int) -> Scheme:
        """Return the scheme that flips the signs of the pairs' differences."""
        return sign_scheme(len(units), max_exact=max_exact, n_draws=n_draws)

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """Return a model with a level for each patient and the difference between the sides."""
        test_side = (sides["side"] == "test").astype(float)
        return SideDesign.of_all(patient_levels(sides).assign(**{EFFECT: test_side}))

    def group(self, side: str) -> str:
        """Return words for the samples of a side."""
        return f"{readable(self.value_of(side))} samples"

    def units_of(self, arm: str) -> str:
        """Return words for the pairs."""
        return self.needed

    def sizes(self, units: pd.DataFrame) -> str:
        """Return the number of pairs, in words."""
        test, reference = readable(self.test), readable(self.reference)
        return f"{counted(len(units), 'pairs')} of {test} and {reference} samples"

    def patients(self, n_test: int, n_reference: int) -> str:
        """Return the number of pairs, in words."""
        return f"{n_test} pairs of {readable(self.test)} and {readable(self.reference)} samples"

    def size_cell(self, n_test: str, n_reference: str) -> str:
        """Return the number of pairs for a cell of a table."""
        return f"{n_test} pairs"

    def claim(self, direction: str, whole: str, *, verb: str = "was") -> str:
        """State the primary result in a sentence; `whole` names the denominator."""
        test, reference = readable(self.test), readable(self.reference)
        had = "had" if verb == "was" else "may have"
        return (
            f"{test} samples {had} a {direction} fraction of LAMM cells among {whole} than the "
            f"same patients' {reference} samples"
        )

    def _question(self) -> str:
        others = [readable(name) for name in self.match if name not in PAIR_DEFAULTS]
        within = "each patient" + (f" and {', '.join(others)}" if others else "")
        test, reference = readable(self.test), readable(self.reference)
        return f"Within {within}: {test} compared with {reference}, complete pairs only"


@dataclass(frozen=True)
class Change(Contrast):
    """Comparison of the change from before to after infusion between patients."""

    kind = "change"
    has_sides = True
    keeps_incomplete = True
    lacking = "no pair of samples from both phases in this contrast"

    @property
    def compares_phases(self) -> bool:
        """Always True."""
        return True

    @property
    def shared_by_sides(self) -> list[str]:
        """The patient, the compartment and the sorted fraction."""
        return ["patient", "compartment", "sort"]

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Return the value of each sample as its arm; samples after infusion are the test side."""
        return named, as_text(table["phase"]).map({"post": "test", "pre": "reference"})

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """Return a model with four groups of arm and phase, and effects of covariates by phase.

        The difference of differences is one coefficient, which is exact with weights, unlike a
        contrast of group means.
        """
        test_side = (sides["side"] == "test").astype(float)
        groups = design_matrix(sides, self.adjust)
        change = groups.mul(test_side, axis=0).add_suffix(":post")
        design = pd.concat([groups, change], axis=1).rename(columns={"arm:post": EFFECT})
        if not within_patients:
            # the correlation within blocks needs two more degrees of freedom
            return SideDesign.of_all(design, block=sides["patient"].to_numpy(), spare=3)
        n_sides = sides.groupby("patient")["side"].transform("nunique")
        used = (n_sides == 2).to_numpy(dtype=bool)
        within = within_patients_design(sides[used], self.adjust)
        return SideDesign(within, used=used, filtering=design.to_numpy())

    @property
    def mean_words(self) -> str:
        """The name of the average within an arm."""
        return "mean change"

    @property
    def mean_unit(self) -> str:
        """Percentage points, for a difference of fractions."""
        return "points"

    def units_of(self, arm: str) -> str:
        """Return words for the patients of an arm who have both phases."""
        return f"{self.group(arm)} with both phases"

    def sizes(self, units: pd.DataFrame) -> str:
        """Return the number of patients with both phases in each arm, in words."""
        return f"{super().sizes(units)} with samples before and after infusion"

    def ratio(self, of: str = "odds") -> str:
        """Return the name of an exponentiated estimate, a ratio of two ratios."""
        return f"ratio of {of} ratios"

    def verdict(self, direction: str) -> str:
        """Describe a difference in a few words; `direction` is higher or lower."""
        return f"{direction} change in {self.test}"

    def claim(self, direction: str, whole: str, *, verb: str = "was") -> str:
        """State the primary result in a sentence; `whole` names the denominator."""
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} status {verb} associated with a {direction} change in the fraction of LAMM "
            f"cells among {whole} from before to after infusion than {reference} status (a higher "
            "change is a larger increase or a smaller decrease)"
        )

    def directions(self) -> tuple[str, str]:
        """Return the meaning of a negative and of a positive estimate."""
        return f"rises less in {readable(self.test)}", f"rises more in {readable(self.test)}"

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Change after infusion: (post {MINUS} pre) in {test} against {reference} patients"


KINDS: dict[str, type[Contrast]] = {kind.kind: kind for kind in (Between, Paired, Change)}


def make_contrast(*, kind: str, **values: Any) -> Contrast:
    """Create a contrast from its kind and plain values, as rules pass them to scripts."""
    return KINDS[kind](**values)


def as_values(contrast: Contrast) -> dict[str, Any]:
    """Return a contrast as plain values for `make_contrast`."""
    return {"kind": contrast.kind, **asdict(contrast)}


def make_contrasts(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Contrast]:
    """Create contrasts by name from their plain values."""
    return {name: make_contrast(**values) for name, values in definitions.items()}
