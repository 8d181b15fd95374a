"""The primary result in every specification of a multiverse."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from lammscope.abundance.comparisons import compare
from lammscope.abundance.fractions import Measure, unit_cells, unit_values
from lammscope.abundance.populations import Question
from lammscope.abundance.robustness import log_odds_slope
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.cohort.multiverse import CHOICES, OK, SCALES, UNDEFINED
from lammscope.core.names import LAMM, Array
from lammscope.stats.effect import split_column

RESULT = ["estimate", "se", "ci_low", "ci_high", "df", "p", "n_test", "n_reference"]
COLUMNS = ["specification", "is_main", "folder", *CHOICES, *RESULT, "status", "reason"]
NO_SCALE = "a ratio to T cells has no arcsine scale"
NO_MEASURE = "these samples have no such denominator, or sorting removed its cells"


@dataclass(frozen=True, eq=False)
class Tables:
    """The counts of a folder: `abundance/counts.tsv` and `abundance/counts.thresholds.tsv`."""

    counts: pd.DataFrame
    thresholds: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Defined:
    """What the joint test needs of a specification that could be tested.

    Attributes
    ----------
    patients
        Its patients, in the order of `values`.
    values
        One value per patient (with two sides, their difference).
    others
        Basis of the design without the tested column, patients x columns.
    slope
        Log odds per unit of the values.
    """

    patients: tuple[str, ...]
    values: Array
    others: Array
    slope: float


@dataclass(frozen=True, eq=False)
class Multiverse:
    """The results of all specifications: a table with `COLUMNS`, and those that are defined."""

    table: pd.DataFrame
    defined: list[Defined]


@dataclass(frozen=True, eq=False)
class Asker:
    """Makes the question of a specification, and reads tables and units once.

    `settings` are those of `Question`: `min_cells`, `exclude_pre_post` and `sorts`. `covariates`
    are those of each value of `adjust`.
    """

    tables: Mapping[str, Tables]
    comparison: Comparison
    settings: Mapping[str, Any]
    covariates: Mapping[str, Sequence[str]]
    asked: dict[tuple[str, str], Question] = field(default_factory=dict)
    counted: dict[tuple[str, str, str, str], np.ndarray] = field(default_factory=dict)

    def question(self, folder: str, adjust: str) -> Question:
        """Return the question about the cells of a folder with some covariates."""
        key = (folder, adjust)
        if key not in self.asked:
            comparison = self.comparison.adjusted(self.covariates[adjust])
            counts = self.tables[folder].counts
            self.asked[key] = Question(counts, comparison, **self.settings)
        return self.asked[key]

    def measure(self, choices: Mapping[str, str], folder: str) -> Measure | None:
        """Return the fraction of a specification; None if its denominator has no cells."""
        question = self.question(folder, choices["adjust"])
        main = question.measure(LAMM, choices["denominator"])
        if main is None:
            return None
        key = (choices["level"], choices["probability"], folder, choices["adjust"])
        if key not in self.counted:
            calls = self.tables[folder].thresholds
            same = np.isclose(calls["threshold"], float(choices["probability"]))
            own = calls[(calls["level"] == choices["level"]) & same].set_index("sample")
            self.counted[key] = unit_cells(own[["n_cells"]], question.units)["n_cells"]
        return replace(main, count=self.counted[key])


def test_specifications(
    specifications: Sequence[Mapping[str, str]], folders: Sequence[str], asker: Asker
) -> Multiverse:
    """Test the primary comparison in every specification.

    Parameters
    ----------
    specifications
        The value of each choice; the first is the run's own.
    folders
        The folder of each, a key of `asker.tables`.
    asker
        The counts of the folders, and the comparison.

    Returns
    -------
    Multiverse
        Estimates are log odds, as in `abundance.robustness`. A specification that could not be
        tested is `not_defined`, with the reason and no estimate.
    """
    rows, defined = [], []
    for number, (choices, folder) in enumerate(zip(specifications, folders, strict=True), 1):
        row, found = _test(choices, folder, asker)
        about = {"specification": number, "is_main": number == 1, "folder": folder}
        rows.append(about | dict(choices) | row)
        defined += [found] if found else []
    return Multiverse(pd.DataFrame(rows, columns=COLUMNS), defined)


def _test(
    choices: Mapping[str, str], folder: str, asker: Asker
) -> tuple[dict[str, Any], Defined | None]:
    question, measure = asker.question(folder, choices["adjust"]), asker.measure(choices, folder)
    if measure is None:
        return {"status": UNDEFINED, "reason": NO_MEASURE}, None
    scale = choices["scale"] if not measure.ratio else measure.scales[0]
    if measure.ratio and choices["scale"] != SCALES[0]:
        return {"status": UNDEFINED, "reason": NO_SCALE}, None
    units, contrast, min_cells = question.units, question.contrast, question.min_cells
    (result,) = compare(
        [measure], units, contrast, scale=scale, min_cells=min_cells, permutations=None
    )
    sizes = {name: result[name] for name in ("n_test", "n_reference")}
    if result["status"] != OK:
        return sizes | {"status": UNDEFINED, "reason": result["reason"]}, None
    slope = log_odds_slope(measure, scale=scale)
    scaled = {name: slope * float(result[name]) for name in ("estimate", "se", "ci_low", "ci_high")}
    keep = measure.enough_cells(min_cells)
    kept = units[keep]
    full = independent_columns(design_matrix(kept, contrast.adjust))
    others, _ = split_column(full.to_numpy(), tested_column(full))
    values = unit_values(measure, keep, scale)
    found = Defined(tuple(kept["patient"].astype(str)), values, others, slope)
    numbers = scaled | {"df": result["df"], "p": result["p"]} | sizes
    return numbers | {"status": OK, "reason": ""}, found
