"""What a contrast is: the patients it compares, its model, its permutations and its wording.

`contrast_kinds` has the kinds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.design import EFFECT, MIN_PATIENTS, SideDesign, design_matrix
from lammscope.cohort.schemes import Scheme, label_scheme
from lammscope.core.names import ARM_WORDS
from lammscope.core.words import as_text, counted, readable

SIDES = ("test", "reference")
PHASE_WORDS = {"pre": "before infusion", "post": "after infusion"}


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
    keys
        Keys of the config that not all kinds have.
    arms, has_arms
        Arms of the units, and whether they are `test` and `reference`. If each patient is compared
        with itself, the only arm is `pair`; if patients differ by a number, it is `all`.
    between_patients
        Whether patients are compared with each other. Otherwise covariates of patients cancel out,
        so adjusting for them is not possible.
    has_numbers
        Whether units have a number (column `trend`), whose trend is tested.
    has_sides
        Whether a unit has a test and a reference side, so that its value is their difference.
    keeps_incomplete
        Whether patients with only one side are used in models of all samples.
    unit_words, minimum, needed, lacking
        Words for the units, for what a test needs at least (a number and what of), and for what a
        missing patient does not have.
    plenty
        Words for units that are enough for a permutation p below 0.05, without covariates
        (`docs/verdicts.md`).
    reasons
        Why a row has no result, by status, if other words than usual are needed.
    per
        What an estimate is per, in words that follow it; empty for a difference of arms.
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
    keys: ClassVar[tuple[str, ...]] = SIDES
    arms: ClassVar[tuple[str, ...]] = SIDES
    has_arms: ClassVar[bool] = True
    between_patients: ClassVar[bool] = True
    has_numbers: ClassVar[bool] = False
    has_sides: ClassVar[bool] = False
    keeps_incomplete: ClassVar[bool] = False
    unit_words: ClassVar[str] = "patients"
    minimum: ClassVar[str] = f"{MIN_PATIENTS}"
    needed: ClassVar[str] = "patients in each arm"
    lacking: ClassVar[str] = "no sample in this contrast"
    plenty: ClassVar[str] = f"{MIN_PATIENTS + 1} {needed}"
    reasons: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def own_fields(cls, entry: Mapping[str, Any], column: str) -> dict[str, Any]:
        """Return the fields that this kind takes from its `keys` of the config."""
        return {side: str(entry[side]) for side in SIDES}

    def settled(self, used: pd.DataFrame) -> Self:
        """Return the contrast with what depends on the samples that it uses."""
        return self

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

    @property
    def is_scattered(self) -> bool:
        """Whether figures have an axis of numbers."""
        return False

    @property
    def is_logarithmic(self) -> bool:
        """Whether this axis is logarithmic."""
        return False

    @property
    def axis_label(self) -> str:
        """The label of this axis."""
        return readable(self.column)

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """Columns of units beside the patient, the arm and the samples."""
        return self.adjust

    @property
    def unnamed(self) -> str:
        """Why a sample without an arm is left out."""
        return f"{self.column} is in neither arm"

    # --- mistakes and notes -----------------------------------------------------------------------

    @property
    def named_values(self) -> dict[str, str]:
        """Values of `column` that must occur, by the key that names them."""
        return {side: self.value_of(side) for side in SIDES}

    def mistakes(self, samples: pd.DataFrame) -> list[str]:
        """Find mistakes in the keys of this kind; columns and values are checked elsewhere."""
        if self.test != self.reference:
            return []
        return [f"test and reference are both `{self.test}`; use two different values"]

    def value_mistakes(self, rows: pd.DataFrame) -> list[str]:
        """Find values of `column` that the kind cannot use; `rows` meet `where`."""
        return []

    def differing_values(self, rows: pd.DataFrame) -> list[str]:
        """Find patients whose used samples `rows` differ in what must be constant."""
        return []

    def notes(self, used: pd.DataFrame) -> list[str]:
        """Say what is worth knowing of the samples that are used."""
        return []

    # --- units ------------------------------------------------------------------------------------

    def named(self, table: pd.DataFrame) -> pd.Series:
        """Return test or reference for each sample, by its value of `column`; else missing."""
        value = as_text(table[self.column])
        return value.map({self.test: "test", self.reference: "reference"}).astype(object)

    def numbers(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return columns of numbers of the samples, as in `unit_columns`; empty without any."""
        return {}

    def groups(self, units: pd.DataFrame) -> np.ndarray:
        """Return the group of each unit (test, reference or another) for means and depths."""
        return units["arm"].to_numpy(dtype=object)

    def weights(self, sides: pd.DataFrame) -> NDArray[np.float64]:
        """Return the weight of each side in the effect: positive where more counts raise it."""
        names = ["arm"] * self.has_arms + ["side"] * self.has_sides
        return np.asarray(np.where(sides[names] == "test", 1.0, -1.0).prod(axis=1))

    def ranks(self, table: pd.DataFrame) -> pd.Series:
        """Return the place of each sample among the values that a figure shows."""
        return (as_text(table[self.column]) == self.test).astype(int)

    def arm_problem(self, part: pd.DataFrame) -> str:
        """Return the status if the units of an arm are too few for a test, or an empty string."""
        return "too_few_patients" if len(part) < MIN_PATIENTS else ""

    def problem(self, units: pd.DataFrame) -> str:
        """Return the status if the units are too few for a test, or an empty string."""
        found = [self.arm_problem(units[units["arm"] == arm]) for arm in self.arms]
        return next(filter(None, found), "")

    def side_problem(self, sides: pd.DataFrame) -> str:
        """Return the status if the patients of sides are too few, or an empty string."""
        return "too_few_patients" if min(self.patients_per_arm(sides)) < MIN_PATIENTS else ""

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
    def effect(self) -> str:
        """The name of the tested column of the model."""
        return "arm"

    @property
    def requirement(self) -> str:
        """What a test needs at least, in words."""
        return f"{self.minimum} {self.needed}"

    @property
    def per(self) -> str:
        """What an estimate is per, beginning with a space; empty for a difference."""
        return ""

    @property
    def difference(self) -> str:
        """Return words for what is tested."""
        test, reference = map(self.group, SIDES)
        return f"the difference between {test} and {reference}"

    @property
    def tested(self) -> str:
        """The same in short."""
        return "a difference"

    @property
    def heading(self) -> str:
        """The heading of a column of directions."""
        return f"in {readable(self.test)}"

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

    def arm_size(self, part: pd.DataFrame, arm: str) -> str:
        """Return the number of units of an arm, in words."""
        return counted(len(part), self.units_of(arm))

    def sizes(self, units: pd.DataFrame) -> str:
        """Return the number of units on each side, in words."""
        words = [counted(int((units["arm"] == arm).sum()), self.group(arm)) for arm in SIDES]
        return " against ".join(words)

    def unit_label(self, unit: Mapping[str, Any]) -> str:
        """Return the value by which a unit is compared."""
        arm = str(unit["arm"])
        return {"test": self.test, "reference": self.reference}.get(arm, arm)

    def side_name(self, side: str) -> str:
        """Name a side of the result."""
        return readable(self.value_of(side))

    def kept_words(self, row: Mapping[str, Any]) -> str:
        """Say how many patients have enough cells; `row` is of `expression.missing`."""
        counts = " and ".join(
            f"{row[f'kept_{side}']:.0f} of {row[f'n_{side}']:.0f} {readable(self.value_of(side))}"
            for side in SIDES
        )
        proportion = f"(p = {row['p']:.2g} for an equal proportion)"
        return f"{counts} {self.unit_words} have enough cells {proportion}"

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

    def toward(self, direction: str) -> str:
        """Return `verdict` for axes and headings, which are about counts of cells or of RNA."""
        return f"{direction} in {readable(self.test)}"

    def moving(self, direction: str) -> str:
        """Return `verdict` as words that follow the name of a population."""
        return f"being {self.verdict(direction)}"

    def claim(self, direction: str, whole: str, *, verb: str = "was") -> str:
        """State the primary result in a sentence; `whole` names the denominator.

        `verb` is `was`, or `may be` for a result that is only suggestive.
        """
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"{test} status {verb} associated with a {direction} fraction of LAMM cells among "
            f"{whole} than {reference} status"
        )

    def asks(self, whole: str) -> str:
        """State the question in a sentence; `whole` names the denominator."""
        test, reference = map(self.group, SIDES)
        return (
            f"Does the fraction of LAMM cells among {whole} differ between {test} and "
            f"{reference}{self._among()}?"
        )

    def _among(self) -> str:
        """Return words for the samples of `where`, to end a question."""
        when, others = self._when(), self._others()
        return f", {when}" * bool(when) + f", in samples with {others}" * bool(others)

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
        if not self.between_patients:
            return f"{words}."
        if self.adjust:
            return f"{words}; adjusted for {', '.join(map(readable, self.adjust))}."
        return f"{words}; unadjusted, so exploratory."

    def _conditions(self) -> str:
        """Describe the samples of `where`, such as ` from before infusion with sort CD3+`."""
        when, others = self._when(), self._others()
        return f" from {when}" * bool(when) + f" with {others}" * bool(others)

    def _when(self) -> str:
        """Return the phases of `where` in words."""
        return " or ".join(PHASE_WORDS.get(value, value) for value in self.where.get("phase", ()))

    def _others(self) -> str:
        """Return the other columns of `where` with their values."""
        return ", ".join(
            f"{'arm' if key == 'response' else readable(key)} {' or '.join(map(readable, values))}"
            for key, values in self.where.items()
            if key != "phase"
        )

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Patients against patients: {test} compared with {reference}"
