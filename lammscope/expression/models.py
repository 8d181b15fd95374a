"""What is fitted for one population in one contrast: its pseudobulks, its genes, its design."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import sparse

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import (
    MIN_PATIENTS,
    aliased_columns,
    design_matrix,
    independent_columns,
)
from lammscope.stats import linear
from lammscope.stats.edger import filter_by_expression, tmm

EFFECT = "effect"
MIN_GENES = 10  # of fewer there is no trend of variances that a gene's could be held against
FLAT = 1e-8  # log2 counts per million: less is rounding and no variation between patients


@dataclass(frozen=True)
class Pseudobulks:
    """Pseudobulks in plain arrays: `obs` (sample, population, n_cells), counts rows x genes."""

    obs: pd.DataFrame
    counts: sparse.csr_array
    genes: np.ndarray
    symbols: np.ndarray

    @property
    def populations(self) -> list[str]:
        """Every population, in order."""
        return sorted(self.obs["population"].unique())


@dataclass(frozen=True)
class Model:
    """A population that can be tested.

    Attributes
    ----------
    population
        Its name.
    counts
        Genes x sides, the sums of a patient's replicates; only genes that pass the filter.
    genes, symbols
        Names of the rows of `counts`.
    design
        Sides x coefficients, of full column rank. The comparison is the column `effect`.
    block
        The patient of each side where its sides are correlated, else nothing.
    norm_factors
        Library size factors of the sides (TMM).
    n_test, n_reference
        Patients per arm; pairs; for a change those with both phases.
    """

    population: str
    counts: NDArray[np.float64]
    genes: np.ndarray
    symbols: np.ndarray
    design: pd.DataFrame
    block: np.ndarray | None
    norm_factors: NDArray[np.float64]
    n_test: int
    n_reference: int

    @property
    def log_cpm(self) -> NDArray[np.float64]:
        """Log2 counts per million, genes x sides, as `voom` has them."""
        library = self.counts.sum(axis=0) * self.norm_factors
        return np.log2((self.counts + 0.5) / (library + 1) * 1e6)

    @property
    def at(self) -> int:
        """The position of the comparison among the coefficients."""
        return list(self.design).index(EFFECT)


@dataclass(frozen=True)
class Untested:
    """A population that cannot be tested, why (`status`), and the patients there are."""

    status: str
    n_test: int
    n_reference: int


def plain_pseudobulks(pseudobulk: AnnData, *, exclude: Sequence[str] = ()) -> Pseudobulks:
    """Take what is needed from the pseudobulks of a cohort.

    Parameters
    ----------
    pseudobulk
        From `pseudobulk.build_pseudobulk`.
    exclude
        Regular expressions of whole symbols or gene ids, any case: genes to leave out.
    """
    obs = pd.DataFrame(
        {
            "sample": pseudobulk.obs["sample"].astype(str).to_numpy(),
            "population": pseudobulk.obs["population"].astype(str).to_numpy(),
            "n_cells": pseudobulk.obs["n_cells"].to_numpy(),
        }
    )
    genes = pseudobulk.var_names.astype(str).to_numpy()
    symbols = pseudobulk.var["symbol"].astype(str).to_numpy()
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in exclude]
    kept = np.array(
        [
            not any(p.fullmatch(name) for p in patterns for name in pair)
            for pair in zip(genes, symbols, strict=True)
        ],
        dtype=bool,
    )
    counts = sparse.csr_array(pseudobulk.X)
    counts = counts if kept.all() else counts[:, kept]
    return Pseudobulks(obs, counts, genes[kept], symbols[kept])


def kept_sides(
    obs: pd.DataFrame, population: str, sides: pd.DataFrame, contrast: Contrast, *, min_cells: int
) -> pd.DataFrame:
    """The sides of a contrast with their cells of a population, and why one is left out.

    Parameters
    ----------
    obs
        `Pseudobulks.obs`.
    sides
        From `design.comparison_sides`.

    Returns
    -------
    DataFrame
        `sides` with `n_cells` and `reason`, which is empty for those that are kept.
    """
    own = obs[obs["population"] == population]
    cells = dict(zip(own["sample"], own["n_cells"], strict=True))
    n_cells = [int(sum(cells.get(name, 0) for name in names)) for names in sides["samples"]]
    result = sides.assign(n_cells=n_cells, reason="")
    result.loc[result["n_cells"] < min_cells, "reason"] = f"under {min_cells} cells"
    if contrast.kind == "paired":
        n_sides = result[result["reason"] == ""].groupby("patient")["side"].nunique()
        lonely = (result["reason"] == "") & ~result["patient"].isin(n_sides.index[n_sides == 2])
        result.loc[lonely, "reason"] = "partner is missing"
    return result


def population_model(
    sums: Pseudobulks,
    population: str,
    sides: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
    within_patients: bool,
) -> Model | Untested:
    """The model of a population, or why there is none.

    Parameters
    ----------
    sums
        Every pseudobulk of the cohort, with the genes that may be tested.
    sides
        From `design.comparison_sides`.
    min_cells
        Pseudobulks of fewer cells are left out.
    within_patients
        For a change only: whether each patient has a level of its own, so that patients with one
        phase drop out, or is a block whose samples are correlated. The genes are the same.

    Returns
    -------
    Model or Untested
        The status of the latter is too_few_patients (under three in an arm, or too few for the
        coefficients), aliased, no_genes (under ten have enough counts, or a pseudobulk has none
        of them), or no_variation (patients do not differ at all beside the arms).
    """
    kept = kept_sides(sums.obs, population, sides, contrast, min_cells=min_cells)
    kept = kept[kept["reason"] == ""].reset_index(drop=True)
    complete = (kept.groupby("patient")["side"].transform("nunique") == 2).to_numpy(dtype=bool)
    n_test, n_reference = _patients_per_arm(kept, complete, contrast)
    if min(n_test, n_reference) < MIN_PATIENTS:
        return Untested("too_few_patients", n_test, n_reference)
    used, design, spare = np.ones(len(kept), dtype=bool), _design(kept, contrast), 1
    filtering = design.to_numpy()
    if contrast.kind == "change" and within_patients:
        used, design = complete, _design_within(kept[complete], contrast)
    elif contrast.kind == "change":
        spare = 3  # the correlation within blocks needs them
    if EFFECT in aliased_columns(design):
        return Untested("aliased", n_test, n_reference)
    design = independent_columns(design)
    if len(design) - design.shape[1] < spare:
        return Untested("too_few_patients", n_test, n_reference)
    counts = sum_replicates(sums, population, kept)
    if not counts.sum(axis=0).all():
        return Untested("no_genes", n_test, n_reference)
    tested = filter_by_expression(counts, filtering)
    tested &= counts[:, used].any(axis=1)
    counts = counts[tested][:, used]
    if tested.sum() < MIN_GENES or not counts.sum(axis=0).all():
        return Untested("no_genes", n_test, n_reference)
    blocks = contrast.kind == "change" and not within_patients
    model = Model(
        population=population,
        counts=counts,
        genes=sums.genes[tested],
        symbols=sums.symbols[tested],
        design=design,
        block=kept["patient"].to_numpy() if blocks else None,
        norm_factors=tmm(counts),
        n_test=n_test,
        n_reference=n_reference,
    )
    if linear.lm_fit(model.log_cpm, design).sigma.max() < FLAT:
        return Untested("no_variation", n_test, n_reference)
    return model


def sum_replicates(sums: Pseudobulks, population: str, kept: pd.DataFrame) -> NDArray[np.float64]:
    """Counts of a population, genes x sides; `kept` has the `samples` of each side."""
    rows = np.flatnonzero(sums.obs["population"] == population)
    position = dict(zip(sums.obs["sample"].iloc[rows], rows, strict=True))
    member = [
        (i, position[name])
        for i, names in enumerate(kept["samples"])
        for name in names
        if name in position
    ]
    side, row = np.array(member).T
    chosen = sparse.csr_array((np.ones(len(member)), (side, row)), shape=(len(kept), len(sums.obs)))
    return (chosen @ sums.counts).toarray().T


def _patients_per_arm(
    kept: pd.DataFrame, complete: NDArray[np.bool_], contrast: Contrast
) -> tuple[int, int]:
    """Patients per arm; for pairs and changes only those with both sides."""
    if contrast.kind == "paired":
        n = kept["patient"].nunique()
        return n, n
    if contrast.kind == "change":
        kept = kept[complete]
    n_patients = kept.groupby("arm")["patient"].nunique()
    return int(n_patients.get("test", 0)), int(n_patients.get("reference", 0))


def _design(kept: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """The model's matrix; the comparison itself is the column `effect`.

    Patients' own levels for pairs; for a change the four groups of arm and phase, coded so that
    the difference of differences is one coefficient (with weights that is exact, where a
    contrast of group means is not), and covariates with an effect on each phase.
    """
    test_side = (kept["side"] == "test").astype(float)
    if contrast.kind == "paired":
        return _patient_levels(kept).assign(**{EFFECT: test_side})
    between = design_matrix(kept, contrast.adjust)
    if contrast.kind == "between":
        return between.rename(columns={"arm": EFFECT})
    change = between.mul(test_side, axis=0).add_suffix(":post")
    return pd.concat([between, change], axis=1).rename(columns={"arm:post": EFFECT})


def _design_within(kept: pd.DataFrame, contrast: Contrast) -> pd.DataFrame:
    """A change within complete patients: a level per patient, post, and what acts on the change.

    The same as an intercept, arm and covariates for each patient's difference.
    """
    test_side = (kept["side"] == "test").astype(float)
    change = design_matrix(kept, contrast.adjust).mul(test_side, axis=0).add_suffix(":post")
    change = change.rename(columns={"arm:post": EFFECT})
    return pd.concat([change, _patient_levels(kept)], axis=1)


def _patient_levels(kept: pd.DataFrame) -> pd.DataFrame:
    return pd.get_dummies(kept["patient"], prefix="patient", dtype=float)


def stacked(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(tables, ignore_index=True)
