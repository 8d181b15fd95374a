"""Scores of gene sets in patients.

A score is the mean over the genes of a set of z, less that of other genes of the same level. A test
of it counts patients. It needs no assumption about the correlation of genes, which differs between
sets: interferon responds as a whole, and differs between patients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.contrasts import SIDES, Contrast
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.core.names import Array
from lammscope.expression.models import FLAT, Model
from lammscope.stats.effect import residuals, split_column

LEVELS = 20  # groups of genes by level, if each has enough genes
GENES_PER_LEVEL = 50  # scanpy's `score_genes` takes 50 control genes


@dataclass(frozen=True)
class PatientValues:
    """Expression of genes in the units of a contrast.

    Attributes
    ----------
    values
        Genes x units: log2 counts per million, or the difference of a unit's two sides.
    level
        Mean log2 counts per million of each gene over all sides.
    units
        `patient`, `arm` and the covariates of each unit.
    design
        Units x coefficients, of full rank.
    at
        Position of the tested coefficient.
    """

    values: Array
    level: Array
    units: pd.DataFrame
    design: Array
    at: int


def patient_values(model: Model, contrast: Contrast) -> PatientValues:
    """Take the values of patients from a model of sides; patients need all sides of a unit."""
    sides, values = model.sides.reset_index(drop=True), model.log_cpm
    level = values.mean(axis=1)
    units = sides
    if contrast.has_sides:
        complete = sides.groupby("patient")["side"].transform("nunique") == len(SIDES)
        by_side = [sides[complete & (sides["side"] == side)] for side in SIDES]
        test, reference = (part.sort_values("patient") for part in by_side)
        units = test.reset_index(drop=True)
        values = values[:, test.index] - values[:, reference.index]
    design = independent_columns(design_matrix(units, contrast.adjust))
    return PatientValues(values, level, units, design.to_numpy(), tested_column(design))


def set_scores(patients: PatientValues, sets: Sequence[NDArray[np.int64]]) -> Array:
    """Compute the score of each set in each unit.

    z is the value of a gene divided by its standard deviation over the units, without what the
    covariates explain; it does not depend on the arm. From the mean z of the set that of other
    genes of the same level is subtracted, as in `score_genes` of Seurat (Tirosh 2016, doi
    10.1126/science.aad0501). The test is then competitive: a change of all genes, or of all genes
    with few counts in shallow samples, is none of the set.

    Parameters
    ----------
    patients
        From `patient_values`.
    sets
        Rows of the genes of each set. Some gene must be outside.

    Returns
    -------
    Sets x units.
    """
    z = _standardize(patients)
    group = _level_groups(patients.level)
    n_groups = int(group.max()) + 1
    sums, sizes = _by_group(z, group, n_groups)
    scores = []
    for rows in sets:
        own, n_own = _by_group(z[rows], group[rows], n_groups)
        n_others = sizes - n_own
        all_others = (sums - own).sum(axis=0) / n_others.sum()
        # of a level whose genes are all in the set, all other genes are the control
        others = np.where(
            n_others[:, None] > 0, (sums - own) / np.maximum(n_others, 1)[:, None], all_others
        )
        scores.append((own.sum(axis=0) - n_own @ others) / len(rows))
    return np.array(scores).reshape(len(sets), z.shape[1])


def _standardize(patients: PatientValues) -> Array:
    """Divide each gene by its standard deviation; a gene that does not vary becomes 0.

    Pairs have no other column, so their differences are divided by their root mean square.
    """
    values = patients.values
    others, _ = split_column(patients.design, patients.at)
    rest = residuals(values, others)
    spread = np.sqrt((rest**2).sum(axis=1) / (len(patients.design) - others.shape[1]))
    flat = spread < FLAT
    center = values.mean(axis=1, keepdims=True) if others.shape[1] else 0.0
    return np.where(flat[:, None], 0.0, (values - center) / np.where(flat, 1.0, spread)[:, None])


def _level_groups(level: Array) -> NDArray[np.int64]:
    """Divide the genes into groups of about equal size by their level."""
    n_groups = int(np.clip(len(level) // GENES_PER_LEVEL, 1, LEVELS))
    rank = np.argsort(np.argsort(level, kind="stable"), kind="stable")
    return np.asarray(rank * n_groups // len(level), dtype=np.int64)


def _by_group(z: Array, group: NDArray[np.int64], n_groups: int) -> tuple[Array, NDArray[np.int64]]:
    """Sum the genes of each group, groups x units, and count them."""
    sums = np.zeros((n_groups, z.shape[1]))
    np.add.at(sums, group, z)
    return sums, np.bincount(group, minlength=n_groups)
