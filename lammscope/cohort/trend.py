"""The kind of contrast that follows a number of the patients, or an ordered response."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.config import as_label, read_schema
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import TREND
from lammscope.cohort.schemes import Scheme, number_scheme
from lammscope.cohort.trend_values import (
    FEWEST_VALUES,
    number_mistakes,
    order_mistakes,
    several_values,
    values_not_finite,
    values_not_in_order,
)
from lammscope.core.words import as_text, counted, readable, write_plain

# Our choice: with fewer patients too little is left to fit a line and its noise.
FEWEST_PATIENTS = 5
LOWEST, HIGHEST = "lowest third", "highest third"


@dataclass(frozen=True)
class Trend(Contrast):
    """Trend of patients over an ordered text column or a column of numbers.

    Attributes
    ----------
    order
        Values of a text column from first to last, with the equally spaced scores 1, 2, ...; empty
        for a column of numbers.
    log
        Whether numbers are taken as log2, so that an estimate is per doubling.
    step
        The difference of numbers that an estimate is for: the standard deviation of the patients.
    unit
        Unit of the numbers, if the schema has one.

    `reference` and `test` are the first and last values of `order` that patients have; for numbers
    the lowest and the highest third, of which means are given.
    """

    order: tuple[str, ...] = ()
    log: bool = False
    step: float = 1.0
    unit: str = ""

    kind = "trend"
    default_column = ""
    keys = ("order", "log")
    arms = ("all",)
    has_arms = False
    has_numbers = True
    minimum = f"{FEWEST_PATIENTS} patients with {FEWEST_VALUES} different values"
    needed = ""
    plenty = f"{FEWEST_PATIENTS} patients with different values"
    reasons: ClassVar[Mapping[str, str]] = {
        "too_few_patients": f"fewer than {FEWEST_PATIENTS} patients, or too few for the model",
        "too_few_values": f"fewer than {FEWEST_VALUES} different values; two values are two groups "
        "(`kind: between`)",
        "aliased": "the values cannot be separated from a covariate",
    }

    @classmethod
    def own_fields(cls, entry: Mapping[str, Any], column: str) -> dict[str, Any]:
        """Return the order (as text) or that there is none, and the unit of numbers."""
        order = tuple(as_label(value) for value in entry.get("order") or ())
        first, last = (order[0], order[-1]) if order else (LOWEST, HIGHEST)
        sheets = [read_schema(name)["properties"] for name in ("samples", "patients")]
        units = [str(part[column].get("unit", "")) for part in sheets if column in part]
        return {
            "reference": first,
            "test": last,
            "order": order,
            "log": bool(entry.get("log", False)),
            "unit": "" if order else "".join(units[:1]),
        }

    def settled(self, used: pd.DataFrame) -> Self:
        """Return the contrast with the step of its numbers, or the ends of its order."""
        if self.order:
            ends = [value for value in self.order if value in self._present(used)] or self.order
            return replace(self, reference=ends[0], test=ends[-1])
        values = used.drop_duplicates("patient")[self.column].astype(float)
        if self.log or values.nunique() < FEWEST_VALUES:
            return self
        return replace(self, step=float(f"{values.std():.6g}"))

    @property
    def is_scattered(self) -> bool:
        """Whether the column has numbers without an order."""
        return not self.order

    @property
    def is_logarithmic(self) -> bool:
        """Whether the numbers are taken as logarithms."""
        return self.log

    @property
    def axis_label(self) -> str:
        """The name of the numbers, with their unit."""
        return readable(self.column) + f" ({self.unit})" * bool(self.unit)

    @property
    def unit_columns(self) -> tuple[str, ...]:
        """The number and the covariates."""
        return (TREND, *self.adjust)

    @property
    def unnamed(self) -> str:
        """Why a sample without a value is left out."""
        return f"{self.column} is missing"

    # --- mistakes and notes -----------------------------------------------------------------------

    @property
    def named_values(self) -> dict[str, str]:
        """Values of `order` may be missing from the cohort."""
        return {}

    def mistakes(self, samples: pd.DataFrame) -> list[str]:
        """Find an order that is missing, too short, repeated or of other values, and odd logs."""
        if self.column not in samples:
            return []
        if self.order:
            return order_mistakes(samples, self.column, self.order, log=self.log)
        return number_mistakes(samples, self.column)

    def value_mistakes(self, rows: pd.DataFrame) -> list[str]:
        """Find patients with a value that is not in the order, or that has no logarithm."""
        if self.order:
            return values_not_in_order(rows, self.column, self.order)
        return values_not_finite(rows, self.column, log=self.log)

    def differing_values(self, rows: pd.DataFrame) -> list[str]:
        """Find patients with several values: the trend needs one of each."""
        return several_values(rows, self.column)

    def notes(self, used: pd.DataFrame) -> list[str]:
        """Name values of the order that no patient has."""
        absent = [value for value in self.order if value not in self._present(used)]
        if not absent:
            return []
        return [
            f"contrast `{self.name}`: no patient has `{self.column}` {', '.join(absent)}; the "
            "other values keep their scores in `order`"
        ]

    def _present(self, rows: pd.DataFrame) -> set[str]:
        return set(as_text(rows[self.column]).dropna())

    # --- units and models -------------------------------------------------------------------------

    def named(self, table: pd.DataFrame) -> pd.Series:
        """Return `all` for each sample with a value."""
        return self._scores(table).notna().map({True: "all", False: None}).astype(object)

    def numbers(self, table: pd.DataFrame) -> dict[str, pd.Series]:
        """Return the score of each sample: its place in the order, or its number in steps."""
        return {TREND: self._scores(table)}

    def _scores(self, table: pd.DataFrame) -> pd.Series:
        if self.order:
            place = {value: i + 1.0 for i, value in enumerate(self.order)}
            return as_text(table[self.column]).map(place).astype(float)
        values = table[self.column].astype(float)
        values = values.where(values.abs() < np.inf)
        if self.log:
            values = values.where(values > 0).map(np.log2)
        return values / self.step

    def groups(self, units: pd.DataFrame) -> np.ndarray:
        """Return `test` and `reference` for the ends, `middle` for the others.

        Ends are the first and last value of an order, or the thirds with the lowest and highest
        numbers. Patients with the same number are in the same group.
        """
        score = units[TREND].to_numpy(dtype=float)
        if self.order:
            places = [self.order.index(self.reference) + 1, self.order.index(self.test) + 1]
            low, high = score == places[0], score == places[1]
        elif len(score) == 0:
            low = high = np.zeros(0, dtype=bool)
        else:
            first, second = np.quantile(score, [1 / 3, 2 / 3])
            low, high = score <= first, score >= second
            high = high if second > first else score > first
            if low.all():  # most patients have the highest number
                low, high = score < score.max(), score == score.max()
        return np.where(high, "test", np.where(low, "reference", "middle")).astype(object)

    def ranks(self, table: pd.DataFrame) -> pd.Series:
        """Return the score of each sample."""
        return self._scores(table)

    def weights(self, sides: pd.DataFrame) -> NDArray[np.float64]:
        """Return the distance of each patient's score from the mean."""
        score = sides[TREND].to_numpy(dtype=float)
        return score - score.mean() if len(score) else score

    def arm_sizes(self, units: pd.DataFrame) -> dict[str, int]:
        """Return the number of patients for both columns."""
        return {"n_test": len(units), "n_reference": len(units)}

    def patients_per_arm(self, sides: pd.DataFrame) -> tuple[int, int]:
        """Count the patients, for both columns."""
        return len(sides), len(sides)

    def arm_problem(self, part: pd.DataFrame) -> str:
        """Return the status if there are too few patients or values."""
        if len(part) < FEWEST_PATIENTS:
            return "too_few_patients"
        return "too_few_values" if part[TREND].nunique() < FEWEST_VALUES else ""

    def side_problem(self, sides: pd.DataFrame) -> str:
        """Return the status if there are too few patients or values."""
        return self.arm_problem(sides)

    def relabel(
        self, samples: pd.DataFrame, units: pd.DataFrame, assignment: NDArray[Any]
    ) -> pd.DataFrame:
        """Return the samples with the values of other patients; `assignment` has their scores."""
        own = samples.drop_duplicates("patient").set_index("patient")[self.column]
        value = dict(zip(units[TREND], own[units["patient"]], strict=True))
        scores = dict(zip(units["patient"], assignment, strict=True))
        return samples.assign(**{self.column: samples["patient"].map(scores).map(value)})

    def permutations(self, units: pd.DataFrame, *, max_exact: int, n_draws: int) -> Scheme:
        """Return the scheme that permutes the values of patients."""
        return number_scheme(units, self.adjust, max_exact=max_exact, n_draws=n_draws)

    # --- words ------------------------------------------------------------------------------------

    @property
    def effect(self) -> str:
        """The name of the tested column of the model."""
        return f"log2 {self.column}" if self.log else self.column

    @property
    def requirement(self) -> str:
        """What a test needs at least, in words."""
        return self.minimum

    @property
    def _over(self) -> str:
        """Words that follow `rises` or `trend`."""
        if self.order:
            return f"from {readable(self.reference)} to {readable(self.test)}"
        return f"with {readable(self.column)}"

    @property
    def per(self) -> str:
        """What an estimate is per: a step of the order, a doubling, a standard deviation."""
        if self.order:
            return " per step"
        return " per doubling" if self.log else " per SD"

    @property
    def _one_sd(self) -> str:
        """The standard deviation with its unit."""
        return write_plain(self.step) + f" {self.unit}" * bool(self.unit)

    @property
    def difference(self) -> str:
        """Return words for what is tested."""
        return f"the trend {self._over}"

    @property
    def tested(self) -> str:
        """The same."""
        return self.difference

    @property
    def heading(self) -> str:
        """The heading of a column of directions."""
        return self._over

    def group(self, side: str) -> str:
        """Return words for the patients of an end."""
        value = readable(self.value_of(side))
        if self.order:
            return f"patients with {readable(self.column)} {value}"
        return f"patients in the {value} of {readable(self.column)}"

    def units_of(self, arm: str) -> str:
        """Return words for the patients."""
        return self.unit_words

    def arm_size(self, part: pd.DataFrame, arm: str) -> str:
        """Return the number of patients with their values."""
        return self.sizes(part)

    def sizes(self, units: pd.DataFrame) -> str:
        """Return the number of patients with their values, such as `7 patients: 3 PD, 4 SD`."""
        words, score = counted(len(units), self.unit_words), units[TREND]
        if units.empty:
            return words
        if self.order:
            n = score.value_counts()
            parts = [f"{n.get(i + 1.0, 0)} {readable(v)}" for i, v in enumerate(self.order)]
            return f"{words}: {', '.join(parts)}"
        low, high = (write_plain(self._number(end)) for end in (score.min(), score.max()))
        unit = f" {self.unit}" * bool(self.unit)
        values = low if low == high else f"{low} to {high}"
        return f"{words} with {readable(self.column)} {values}{unit}"

    def _number(self, score: float) -> float:
        value = score * self.step
        return float(2**value if self.log else value)

    def unit_label(self, unit: Mapping[str, Any]) -> str:
        """Return the value of a patient."""
        score = float(unit[TREND])
        value = self.order[int(score) - 1] if self.order else write_plain(self._number(score))
        return f"{readable(self.column)} {value}"

    def side_name(self, side: str) -> str:
        """Name an end."""
        return self.group(side)

    def kept_words(self, row: Mapping[str, Any]) -> str:
        """Say how many patients have enough cells."""
        counts = f"{row['kept_test']:.0f} of {row['n_test']:.0f} patients have enough cells"
        name = readable(self.column)
        return f"{counts}, and which ones depends on {name} (rank sum test, p = {row['p']:.2g})"

    def patients(self, n_test: int, n_reference: int) -> str:
        """Return the number of patients, in words."""
        return counted(n_test, self.unit_words)

    def size_cell(self, n_test: str, n_reference: str) -> str:
        """Return the number of patients for a cell of a table."""
        return n_test

    def ratio(self, of: str = "odds") -> str:
        """Return the name of an exponentiated estimate."""
        return f"{of} ratio{self.per}"

    def verdict(self, direction: str) -> str:
        """Describe a trend in a few words; `direction` is higher or lower."""
        return f"{'rises' if direction == 'higher' else 'falls'} {self._over}"

    def toward(self, direction: str) -> str:
        """Describe a trend in a few words, for axes and headings."""
        return self.verdict(direction)

    def moving(self, direction: str) -> str:
        """Describe a trend in words that follow the name of a population."""
        return f"{'rising' if direction == 'higher' else 'falling'} {self._over}"

    def claim(self, direction: str, whole: str, *, verb: str = "was") -> str:
        """State the primary result in a sentence; `whole` names the denominator."""
        numerically = "numerically " * direction.startswith("numerically")
        forms = ("rose", "may rise") if direction.endswith("higher") else ("fell", "may fall")
        form = forms[verb != "was"]
        scale = f" (steps {', '.join(map(readable, self.order))})" if self.order else ""
        if not (self.order or self.log):
            scale = f" (one SD is {self._one_sd})"
        return f"the fraction of LAMM cells among {whole} {numerically}{form} {self._over}{scale}"

    def asks(self, whole: str) -> str:
        """State the question in a sentence; `whole` names the denominator."""
        among = f"the fraction of LAMM cells among {whole}"
        return f"Does {among} rise or fall {self._over}{self._among()}?"

    def directions(self) -> tuple[str, str]:
        """Return the meaning of a negative and of a positive estimate."""
        return self.verdict("lower"), self.verdict("higher")

    def _question(self) -> str:
        name = readable(self.column)
        if self.order:
            steps = ", ".join(map(readable, self.order))
            return f"Trend over patients: {name} in the order {steps}, equally spaced"
        size = "" if self.log else f" ({self._one_sd})"
        return f"Trend over patients: {name}, estimates{self.per}{size}"
