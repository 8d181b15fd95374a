"""Design matrices of comparisons, and linear dependences between their columns.

The unit is the patient: each has one row, however many libraries, replicates or cells there are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

MIN_PATIENTS = 3  # minimum patients in an arm, or pairs, for a test
EFFECT = "effect"  # the column of a `SideDesign` that is tested
TREND = "trend"  # the column of units whose trend is tested, if there is one


@dataclass(frozen=True)
class SideDesign:
    """A model with a row per patient and side.

    Attributes
    ----------
    matrix
        Used sides x coefficients; the column `effect` is tested.
    used
        Which of all sides the model uses.
    filtering
        The design of all sides, used to filter genes.
    block
        The patient of each used side if sides of a patient are correlated, else None.
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
        """Return a model of all sides."""
        used = np.ones(len(matrix), dtype=bool)
        return cls(matrix, used, matrix.to_numpy(), block=block, spare=spare)


def design_matrix(units: pd.DataFrame, adjust: Sequence[str]) -> pd.DataFrame:
    """Return the design with intercept, `arm` (1 = test; not for pairs) and covariates.

    There is one row per unit. If units have a number (`trend`), `arm` is its difference from the
    mean. Text becomes indicators, with the first value as reference, and
    numbers are standardized. A covariate that does not vary is left out. The coefficient of `arm`
    (for pairs, of the intercept) is the effect.
    """
    design = pd.DataFrame({"intercept": np.ones(len(units))}, index=units.index)
    if TREND in units:
        design["arm"] = units[TREND] - units[TREND].mean()
    elif set(units["arm"]) - {"pair"}:
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
    """Return the design of a change in complete patients: patients, post, and post by covariates.

    It is equivalent to an intercept, arm and covariates for each patient's difference.
    """
    test_side = (sides["side"] == "test").astype(float)
    change = design_matrix(sides, adjust).mul(test_side, axis=0).add_suffix(":post")
    change = change.rename(columns={"arm:post": EFFECT})
    return pd.concat([change, patient_levels(sides)], axis=1)


def patient_levels(sides: pd.DataFrame) -> pd.DataFrame:
    """Return an indicator column for each patient."""
    return pd.get_dummies(sides["patient"], prefix="patient", dtype=float)


def aliased_columns(design: pd.DataFrame) -> list[str]:
    """Return the columns that are linearly dependent; empty for a design of full rank."""
    involved = np.abs(_dependences(design.to_numpy(dtype=float))) > 1e-6
    return [str(c) for c, flag in zip(design, involved.any(axis=0), strict=True) if flag]


def aliases_of_arm(design: pd.DataFrame) -> list[str]:
    """Return all covariates that together determine the arm; empty if none do.

    Covariates that only determine each other are left out: two columns are linked if the projection
    onto the dependences of the centered design is not zero.
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
    """Return the design without columns that are determined by earlier ones."""
    kept: list[str] = []
    for name in design.columns:
        if not aliased_columns(design[[*kept, name]]):
            kept.append(name)
    return design[kept]


def tested_column(design: pd.DataFrame) -> int:
    """Return the position of the tested column: the arm, or for pairs the intercept."""
    return list(design).index("arm") if "arm" in design else 0


def _dependences(matrix: np.ndarray) -> np.ndarray:
    """Return orthonormal coefficients of the linear dependences between columns, one per row."""
    length = np.linalg.norm(matrix, axis=0)
    _, scale, axes = np.linalg.svd(matrix / np.where(length > 0, length, 1), full_matrices=True)
    return np.asarray(axes[int(np.sum(scale > 1e-8)) :])
