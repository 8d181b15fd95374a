"""Kinds of contrasts: arms of patients, pairs, and changes; `trend` has the fourth.

To add a kind, add a class here or beside. Other code uses its attributes and methods and never its
name.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import (
    EFFECT,
    SideDesign,
    design_matrix,
    patient_levels,
    within_patients_design,
)
from lammscope.cohort.schemes import Scheme, sign_scheme
from lammscope.cohort.trend import Trend
from lammscope.core.words import MINUS, as_text, counted, readable

PAIR_DEFAULTS = ("compartment", "sort")  # shared by the samples of a pair by default


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
    between_patients = False
    has_sides = True
    unit_words = "pairs"
    needed = "complete pairs"
    plenty = "6 complete pairs"

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

    def asks(self, whole: str) -> str:
        """State the question in a sentence; `whole` names the denominator."""
        test, reference = readable(self.test), readable(self.reference)
        return (
            f"Does the fraction of LAMM cells among {whole} differ between the {test} and the "
            f"{reference} samples of the same patient{self._among()}?"
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

    def asks(self, whole: str) -> str:
        """State the question in a sentence; `whole` names the denominator."""
        test, reference = map(self.group, SIDES)
        return (
            f"Does the fraction of LAMM cells among {whole} change differently, from before to "
            f"after infusion, in {test} and in {reference}{self._among()}?"
        )

    def directions(self) -> tuple[str, str]:
        """Return the meaning of a negative and of a positive estimate."""
        return f"rises less in {readable(self.test)}", f"rises more in {readable(self.test)}"

    def _question(self) -> str:
        test, reference = readable(self.test), readable(self.reference)
        return f"Change after infusion: (post {MINUS} pre) in {test} against {reference} patients"


KINDS: dict[str, type[Contrast]] = {kind.kind: kind for kind in (Between, Paired, Change, Trend)}


def make_contrast(*, kind: str, **values: Any) -> Contrast:
    """Create a contrast from its kind and plain values, as rules pass them to scripts."""
    return KINDS[kind](**values)


def as_values(contrast: Contrast) -> dict[str, Any]:
    """Return a contrast as plain values for `make_contrast`."""
    return {"kind": contrast.kind, **asdict(contrast)}


def make_contrasts(definitions: Mapping[str, Mapping[str, Any]]) -> dict[str, Contrast]:
    """Create contrasts by name from their plain values."""
    return {name: make_contrast(**values) for name, values in definitions.items()}
