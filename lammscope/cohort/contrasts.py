"""The kinds of contrasts: whom each compares, how it is modeled and permuted, and its words.

A new kind is a class here. What is done with a contrast asks the class and never its name.
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
PAIR_DEFAULTS = ("compartment", "sort")  # shared by the samples of a pair unless the config says so


@dataclass(frozen=True)
class Contrast:
    """One question: `test` against `reference` in `column`, among the samples of `where`.

    Attributes
    ----------
    adjust
        Covariates.
    match
        What the two samples of a pair share besides the patient.
    choose
        `first`, `last` or a time point: which sample counts where a patient has several.
    kind
        Its name in the config.
    default_column
        What is compared where the config names no column.
    arms, has_arms
        Arms of its units. There is one alone, `pair`, where each patient is compared with itself;
        covariates of patients then cancel, and cannot be adjusted for.
    has_sides
        Whether a unit has a test and a reference side, so that its value is their difference.
    keeps_incomplete
        Whether patients with one side alone take part in models of all samples.
    unit_words, needed, lacking
        What its units are called, what a test needs, and what a patient lacks that is missing.
    """

    name: str
    column: str
    test: str
    reference: str
    where: dict[str, tuple[str, ...]]
    adjust: tuple[str, ...]
    match: tuple[str, ...]
    choose: str | None

    kind: ClassVar[str]
    default_column: ClassVar[str] = "response"
    arms: ClassVar[tuple[str, ...]] = SIDES
    has_arms: ClassVar[bool] = True
    has_sides: ClassVar[bool] = False
    keeps_incomplete: ClassVar[bool] = False
    unit_words: ClassVar[str] = "patients"
    needed: ClassVar[str] = "patients in each arm"
    lacking: ClassVar[str] = "no sample to compare here"

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
        return self.column == "phase"

    @property
    def compares_time(self) -> bool:
        """Whether the arms are phases or time points."""
        return self.column in ("phase", "timepoint")

    @property
    def shared_by_sides(self) -> list[str]:
        """Columns in which the two sides of a unit agree; none where it has one side."""
        return []

    # --- units ------------------------------------------------------------------------------------

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Arm and side of each sample.

        `named` says which of test and reference the sample's value of `column` is; `table` has the
        samples in the same order.
        """
        return named, named

    def arm_sizes(self, units: pd.DataFrame) -> dict[str, int]:
        """`n_test` and `n_reference`: patients per arm, or pairs."""
        return {f"n_{arm}": int((units["arm"] == arm).sum()) for arm in SIDES}

    def patients_per_arm(self, sides: pd.DataFrame) -> tuple[int, int]:
        """Patients of the test and of the reference arm who have every side that a unit has."""
        if self.has_sides:
            sides = sides[sides.groupby("patient")["side"].transform("nunique") == 2]
        n_patients = sides.groupby("arm")["patient"].nunique()
        return int(n_patients.get("test", 0)), int(n_patients.get("reference", 0))

    def relabel(
        self, samples: pd.DataFrame, units: pd.DataFrame, assignment: NDArray[np.bool_]
    ) -> pd.DataFrame:
        """The samples with other labels in the column that is compared.

        `assignment` says for each of the `units` whether it is in the test arm (for pairs whether
        its samples keep their labels).
        """
        by_value = {False: self.reference, True: self.test}
        arms = dict(zip(units["patient"], assignment, strict=True))
        labels = samples["patient"].map(arms).map(by_value).astype(object)
        return samples.assign(**{self.column: labels})

    # --- models -----------------------------------------------------------------------------------

    def permutations(self, units: pd.DataFrame, *, max_exact: int, n_draws: int) -> Scheme:
        """How the units can be permuted, as in `schemes.label_scheme` and `sign_scheme`."""
        return label_scheme(units, self.adjust, max_exact=max_exact, n_draws=n_draws)

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """The model with a row per patient and side, whose column `effect` is the comparison.

        Parameters
        ----------
        sides
            `patient`, `arm`, `side` and the covariates of each side.
        within_patients
            For a change only: whether each patient has a level of its own, so that patients with
            one phase drop out, or is a block whose samples are correlated.
        """
        return SideDesign.of_all(design_matrix(sides, self.adjust).rename(columns={"arm": EFFECT}))

    # --- words ------------------------------------------------------------------------------------

    @property
    def mean_words(self) -> str:
        """What is averaged within an arm."""
        return "mean"

    @property
    def mean_unit(self) -> str:
        """How such a mean is written: a kind of `words.write_number`."""
        return "fraction"

    def value_of(self, side: str) -> str:
        """The value of `column` that makes a side."""
        return self.test if side == "test" else self.reference

    def group(self, side: str) -> str:
        """The patients (for pairs the samples) of a side."""
        value = self.value_of(side)
        return ARM_WORDS.get(value, f"patients with {readable(self.column)} {readable(value)}")

    def units_of(self, arm: str) -> str:
        """The units of an arm."""
        return self.group(arm)

    def sizes(self, units: pd.DataFrame) -> str:
        """How many are compared with how many."""
        words = [counted(int((units["arm"] == arm).sum()), self.group(arm)) for arm in SIDES]
        return " against ".join(words)

    def patients(self, n_test: int, n_reference: int) -> str:
        """How many patients each side has."""
        test, reference = readable(self.test), readable(self.reference)
        return f"{n_test} {test} and {n_reference} {reference} patients"

    def size_cell(self, n_test: str, n_reference: str) -> str:
        """The same in a cell of a table."""
        return f"{n_reference} / {n_test}"

    def ratio(self, of: str = "odds") -> str:
        """What the exponent of an estimate is called: a ratio of odds or of frequencies."""
        return f"{of} ratio"

    def verdict(self, direction: str) -> str:
        """A difference in a few words; `direction` is higher or lower."""
        return f"{direction} in {self.test}"

    def claim(self, direction: str, whole: str) -> str:
        """The primary result in a sentence; `whole` is what LAMM cells are a fraction of."""
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} status was associated with a {direction} fraction of LAMM cells among {whole}"
            f" than {reference} status"
        )

    def directions(self) -> tuple[str, str]:
        """What a negative and a positive estimate mean."""
        test, reference = readable(self.test), readable(self.reference)
        return f"more frequent in {reference}", f"more frequent in {test}"

    def describe(self) -> str:
        """Say in one sentence what is compared, within whom, and with what adjustment."""
        words = self._question()
        if self.where:
            parts = []
            for key, values in self.where.items():
                name = "arm" if key == "response" else readable(key)
                parts.append(f"{name} {' or '.join(map(readable, values))}")
            words += f"; samples with {', '.join(parts)}"
        if self.choose:
            words += f"; where a patient has several samples, {readable(self.choose)}"
        if not self.has_arms:
            return f"{words}."
        if self.adjust:
            return f"{words}; adjusted for {', '.join(map(readable, self.adjust))}."
        return f"{words}; unadjusted, so exploratory."

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Patients against patients: {test} compared with {reference}"


@dataclass(frozen=True)
class Between(Contrast):
    """Patients against patients."""

    kind = "between"


@dataclass(frozen=True)
class Paired(Contrast):
    """Each patient against itself: a pair shares the patient and the columns of `match`."""

    kind = "paired"
    default_column = "phase"
    arms = ("pair",)
    has_arms = False
    has_sides = True
    unit_words = "pairs"
    needed = "complete pairs"

    @property
    def shared_by_sides(self) -> list[str]:
        """The patient, and what `match` names."""
        return ["patient", *self.match]

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Every sample is of a pair; its value is its side."""
        return pd.Series("pair", index=named.index), named

    def arm_sizes(self, units: pd.DataFrame) -> dict[str, int]:
        """Pairs, for either side."""
        return {f"n_{side}": len(units) for side in SIDES}

    def patients_per_arm(self, sides: pd.DataFrame) -> tuple[int, int]:
        """Pairs, for either side."""
        n_pairs = sides["patient"].nunique()
        return n_pairs, n_pairs

    def relabel(
        self, samples: pd.DataFrame, units: pd.DataFrame, assignment: NDArray[np.bool_]
    ) -> pd.DataFrame:
        """The samples with the labels exchanged in pairs that do not keep theirs."""
        labels = samples[self.column].astype(object)
        exchanged = units[~assignment]
        for side, new in (("test", self.reference), ("reference", self.test)):
            names = [name for listed in exchanged[f"samples_{side}"] for name in listed]
            labels[samples["sample"].isin(names)] = new
        return samples.assign(**{self.column: labels})

    def permutations(self, units: pd.DataFrame, *, max_exact: int, n_draws: int) -> Scheme:
        """Signs of the pairs' differences are flipped."""
        return sign_scheme(len(units), max_exact=max_exact, n_draws=n_draws)

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """A level for each patient, and the difference between the sides."""
        test_side = (sides["side"] == "test").astype(float)
        return SideDesign.of_all(patient_levels(sides).assign(**{EFFECT: test_side}))

    def group(self, side: str) -> str:
        """The samples of a side."""
        return f"{readable(self.value_of(side))} samples"

    def units_of(self, arm: str) -> str:
        """Pairs."""
        return self.needed

    def sizes(self, units: pd.DataFrame) -> str:
        """How many pairs there are."""
        test, reference = readable(self.test), readable(self.reference)
        return f"{counted(len(units), 'pairs')} of {test} and {reference} samples"

    def patients(self, n_test: int, n_reference: int) -> str:
        """How many pairs there are."""
        return f"{n_test} pairs of {readable(self.test)} and {readable(self.reference)} samples"

    def size_cell(self, n_test: str, n_reference: str) -> str:
        """The pairs."""
        return f"{n_test} pairs"

    def claim(self, direction: str, whole: str) -> str:
        """The primary result in a sentence."""
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} samples had a {direction} fraction of LAMM cells among {whole} than the same "
            f"patients' {reference} samples"
        )

    def _question(self) -> str:
        beside = [readable(name) for name in self.match if name not in PAIR_DEFAULTS]
        within = "each patient" + (f" and {', '.join(beside)}" if beside else "")
        test, reference = readable(self.test), readable(self.reference)
        return f"Within {within}: {test} compared with {reference}, complete pairs only"


@dataclass(frozen=True)
class Change(Contrast):
    """The change from before to after infusion, compared between patients."""

    kind = "change"
    has_sides = True
    keeps_incomplete = True
    lacking = "no samples of both phases to compare here"

    @property
    def compares_phases(self) -> bool:
        """Always."""
        return True

    @property
    def shared_by_sides(self) -> list[str]:
        """A change is one of a patient, within a compartment and sorted fraction."""
        return ["patient", "compartment", "sort"]

    def arm_and_side(self, named: pd.Series, table: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """The arm is the sample's value; samples after infusion are the test side."""
        return named, as_text(table["phase"]).map({"post": "test", "pre": "reference"})

    def side_design(self, sides: pd.DataFrame, *, within_patients: bool) -> SideDesign:
        """The four groups of arm and phase, and covariates with an effect on each phase.

        They are coded so that the difference of differences is one coefficient: with weights that
        is exact, where a contrast of group means is not.
        """
        test_side = (sides["side"] == "test").astype(float)
        groups = design_matrix(sides, self.adjust)
        change = groups.mul(test_side, axis=0).add_suffix(":post")
        design = pd.concat([groups, change], axis=1).rename(columns={"arm:post": EFFECT})
        if not within_patients:
            # the correlation within blocks needs two degrees of freedom more
            return SideDesign.of_all(design, block=sides["patient"].to_numpy(), spare=3)
        n_sides = sides.groupby("patient")["side"].transform("nunique")
        used = (n_sides == 2).to_numpy(dtype=bool)
        within = within_patients_design(sides[used], self.adjust)
        return SideDesign(within, used=used, filtering=design.to_numpy())

    @property
    def mean_words(self) -> str:
        """What is averaged within an arm."""
        return "mean change"

    @property
    def mean_unit(self) -> str:
        """A difference of fractions."""
        return "points"

    def units_of(self, arm: str) -> str:
        """The patients of an arm who have both phases."""
        return f"{self.group(arm)} with both phases"

    def sizes(self, units: pd.DataFrame) -> str:
        """How many patients have both phases."""
        return f"{super().sizes(units)} with samples before and after infusion"

    def ratio(self, of: str = "odds") -> str:
        """A ratio of the ratios after and before infusion."""
        return f"ratio of {of} ratios"

    def verdict(self, direction: str) -> str:
        """A difference in a few words."""
        return f"{direction} change in {self.test}"

    def claim(self, direction: str, whole: str) -> str:
        """The primary result in a sentence."""
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} status was associated with a {direction} change of the fraction of LAMM cells "
            f"among {whole} from before to after infusion than {reference} status (a higher change "
            "is a larger rise or a smaller fall)"
        )

    def directions(self) -> tuple[str, str]:
        """What a negative and a positive estimate mean."""
        return f"rises less in {readable(self.test)}", f"rises more in {readable(self.test)}"

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Change after infusion: (post {MINUS} pre) in {test} against {reference} patients"


KINDS: dict[str, type[Contrast]] = {kind.kind: kind for kind in (Between, Paired, Change)}


def make_contrast(*, kind: str, **values: Any) -> Contrast:
    """A contrast from its kind and plain values, as rules hand them to scripts."""
    return KINDS[kind](**values)


def as_values(contrast: Contrast) -> dict[str, Any]:
    """A contrast as plain values; `make_contrast` reads them."""
    return {"kind": contrast.kind, **asdict(contrast)}


def make_contrasts(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Contrast]:
    """Contrasts by name, from their plain values."""
    return {name: make_contrast(**values) for name, values in definitions.items()}
