"""Design matrices of comparisons, and what they cannot tell apart.

The unit is the patient: each gives one row, however many libraries, replicates or cells it has.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MIN_PATIENTS = 3  # patients in an arm, or pairs; below it nothing is tested
EFFECT = "effect"  # the column of a `SideDesign` that is the comparison


@dataclass(frozen=True)
class SideDesign:
    """A model with a row per patient and side.

    Attributes
    ----------
    matrix
        Used sides x coefficients; the comparison is the column `effect`.
    used
        Which of all sides the model takes.
    filtering
        The matrix of all sides, by which genes are filtered.
    block
        The patient of each used side where its sides are correlated, else nothing.
    spare
        Residual degrees of freedom that a fit needs.
    """

    matrix: pd.DataFrame
    used: NDArray[np.bool_]
    filtering: NDArray[np.float64]
    block: np.ndarray | None = None
    spare: int = 1

    @classmethod
    def of_all(
        cls, matrix: pd.DataFrame, *, block: np.ndarray | None = None, spare: int = 1
    ) -> "SideDesign":
        """A model of all sides."""
        used = np.ones(len(matrix), dtype=bool)
        return cls(matrix, used, matrix.to_numpy(), block=block, spare=spare)


def design_matrix(units: pd.DataFrame, adjust: Sequence[str]) -> pd.DataFrame:
    """Intercept, `arm` (1 = test) where there are arms, and covariates; one row per unit.

    Text columns become indicators against their first value, numbers are standardised; a
    covariate that does not vary is left out. The coefficient of `arm` (of the intercept for
    pairs) is the effect.
    """
    design = pd.DataFrame({"intercept": np.ones(len(units))}, index=units.index)
    if set(units["arm"]) - {"pair"}:
        design["arm"] = (units["arm"] == "test").astype(float)
    for column in adjust:
        values = units[column]
        if pd.api.types.is_numeric_dtype(values):
            if values.nunique() > 1:
                design[column] = (values - values.mean()) / values.std()
            continue
        for level in sorted(values.unique())[1:]:
            design[f"{column}[{level}]"] = (values == level).astype(float)
    return design


def within_patients_design(sides: pd.DataFrame, adjust: Sequence[str]) -> pd.DataFrame:
    """A change within complete patients: a level per patient, post, and what acts on the change.

    The same as an intercept, arm and covariates for each patient's difference.
    """
    test_side = (sides["side"] == "test").astype(float)
    change = design_matrix(sides, adjust).mul(test_side, axis=0).add_suffix(":post")
    change = change.rename(columns={"arm:post": EFFECT})
    return pd.concat([change, patient_levels(sides)], axis=1)


def patient_levels(sides: pd.DataFrame) -> pd.DataFrame:
    """An indicator of each patient."""
    return pd.get_dummies(sides["patient"], prefix="patient", dtype=float)


def aliased_columns(design: pd.DataFrame) -> list[str]:
    """Columns that take part in a linear dependence; empty for a design of full rank."""
    involved = np.abs(_dependences(design.to_numpy(dtype=float))) > 1e-6
    return [str(c) for c, flag in zip(design, involved.any(axis=0), strict=True) if flag]


def aliases_of_arm(design: pd.DataFrame) -> list[str]:
    """Covariates that together determine the arm, every one of them; empty if none do.

    Covariates that merely determine each other are left out: columns belong together where the
    projection onto the dependences of the centred design links them.
    """
    if "arm" not in design:
        return []
    centered = design.drop(columns="intercept") - design.drop(columns="intercept").mean()
    axes = _dependences(centered.to_numpy(dtype=float))
    links = np.abs(axes.T @ axes) > 1e-6
    found = links[centered.columns.get_loc("arm")]
    for _ in range(len(found)):
        found = links[found].any(axis=0)
    covariates = [str(c).split("[")[0] for c, flag in zip(centered, found, strict=True) if flag]
    return [name for name in dict.fromkeys(covariates) if name != "arm"]


def independent_columns(design: pd.DataFrame) -> pd.DataFrame:
    """The design without columns that earlier ones already determine."""
    kept: list[str] = []
    for name in design.columns:
        if not aliased_columns(design[[*kept, name]]):
            kept.append(name)
    return design[kept]


def tested_column(design: pd.DataFrame) -> int:
    """Place of the effect: the arm, or for pairs the mean difference."""
    return list(design).index("arm") if "arm" in design else 0


def _dependences(matrix: np.ndarray) -> np.ndarray:
    """Orthonormal coefficients of the linear dependences between columns, one row each."""
    length = np.linalg.norm(matrix, axis=0)
    _, scale, axes = np.linalg.svd(matrix / np.where(length > 0, length, 1), full_matrices=True)
    return np.asarray(axes[int(np.sum(scale > 1e-8)) :])
