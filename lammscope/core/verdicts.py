"""One scale of verdicts for all tests: supported, suggestive, inconclusive, not testable.

`docs/verdicts.md` says how each is reached and what a cohort cannot reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from lammscope.core.names import ALPHA

SUPPORTED, SUGGESTIVE, INCONCLUSIVE = "supported", "suggestive", "inconclusive"
NOT_TESTABLE = "not testable"
VERDICTS = (SUPPORTED, SUGGESTIVE, INCONCLUSIVE, NOT_TESTABLE)
OTHERWISE = "; but "  # in words, before what patients with only one side change
MOST_LEFT_OUT = 0.1  # p without any one patient, up to which a difference is supported; our choice


@dataclass(frozen=True)
class Evidence:
    """What a verdict rests on; nan where it is not known.

    Attributes
    ----------
    p
        Of the row's test.
    corrected
        p or false discovery rate corrected for the other tests of its family; for a result that was
        fixed in advance, p itself.
    permutation
        p of the permutation test.
    floor
        The smallest p that the permutation test can give.
    left_out
        Largest p with one patient left out.
    patient
        That patient.
    correction
        Name of the correction, for words.
    explained
        Another finding that may explain the difference, in words; "" without one.
    """

    p: float
    corrected: float
    permutation: float
    floor: float
    left_out: float
    patient: str
    correction: str
    explained: str = ""

    @classmethod
    def of_row(
        cls, row: Mapping[Any, Any], *, corrected: float, correction: str, explained: str = ""
    ) -> "Evidence":
        """Read the evidence from a row of an abundance table."""
        return cls(
            p=float(row["p"]),
            corrected=corrected,
            permutation=float(row["p_permutation"]),
            floor=float(row["p_floor"]),
            left_out=float(row["influence_p_max"]),
            patient=str(row["influence_patient"]),
            correction=correction,
            explained=explained,
        )

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`."""
        if not np.isfinite(self.p):
            return NOT_TESTABLE
        if self.p >= ALPHA:
            return INCONCLUSIVE
        return SUGGESTIVE if self.doubts else SUPPORTED

    @property
    def doubts(self) -> list[str]:
        """Why a difference with p < 0.05 is not supported; empty if it is."""
        found = []
        if not self.corrected < ALPHA:
            found.append(f"{self.correction} {_number(self.corrected)}")
        if not self.permutation < ALPHA:
            least = f", which cannot be below {_number(self.floor)}" if self.floor >= ALPHA else ""
            found.append(f"permutation p {_number(self.permutation)}{least}")
        if not self.left_out < MOST_LEFT_OUT:
            known = np.isfinite(self.left_out)
            without = f"without {self.patient}" if known else "without one patient"
            found.append(f"p {_number(self.left_out)} {without}")
        return found + [self.explained] * bool(self.explained)


def _number(value: float) -> str:
    return f"{value:.2g}" if np.isfinite(value) else "not known"
