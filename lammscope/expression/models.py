"""The model of one population in one contrast: pseudobulks, tested genes and design matrix."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.design import EFFECT, aliased_columns, independent_columns
from lammscope.core.names import UNKNOWN_CAR_T
from lammscope.expression.pseudobulk import AMBIENT, IS_LIMIT
from lammscope.stats import linear
from lammscope.stats.edger import filter_by_expression, tmm

if TYPE_CHECKING:  # jobs without pseudobulks do not load anndata
    from anndata import AnnData

MIN_GENES = 10  # fewer cannot estimate the mean-variance trend
FLAT = 1e-8  # log2 counts per million: a smaller standard deviation is due to rounding


@dataclass(frozen=True)
class Pseudobulks:
    """Pseudobulks as plain arrays, rows x genes.

    `obs` has `sample`, `population`, `n_cells` and `ambient_is_limit`. `ambient` has the expected
    ambient UMIs, or is None.
    """

    obs: pd.DataFrame
    counts: sparse.csr_array
    ambient: sparse.csr_array | None
    genes: np.ndarray
    symbols: np.ndarray

    @property
    def populations(self) -> list[str]:
        """The populations to test, sorted by name; T cells that may be CAR-T cells are none."""
        return sorted(set(self.obs["population"]) - {UNKNOWN_CAR_T})


@dataclass(frozen=True, eq=False)
class Model:
    """A population that can be tested.

    Attributes
    ----------
    population
        Name of the population.
    counts
        Genes x sides, replicates of a patient summed; only genes that pass the filter.
    genes, symbols
        Ids and symbols of the rows of `counts`.
    design
        Design matrix, sides x coefficients, of full column rank. The comparison is the column
        `effect`.
    block
        The patient of each side if the sides of a patient are correlated, else None.
    norm_factors
        TMM normalization factors of the sides.
    sides
        `patient`, `arm`, `side` and the covariates; `weight`, 1 where more counts raise the fold
        change and -1 where they lower it (for a trend, the distance from the mean);
        `ambient_is_limit` (bool).
    ambient
        Expected ambient UMIs in `counts`, or None.
    n_test, n_reference
        Patients per arm, or pairs; for a change, patients with both phases.
    """

    population: str
    counts: NDArray[np.float64]
    genes: np.ndarray
    symbols: np.ndarray
    design: pd.DataFrame
    block: np.ndarray | None
    norm_factors: NDArray[np.float64]
    sides: pd.DataFrame
    ambient: NDArray[np.float64] | None
    n_test: int
    n_reference: int

    def of_genes(self, kept: NDArray[np.bool_]) -> "Model":
        """Return the model of some of the genes, with the same normalization factors."""
        return replace(
            self,
            counts=self.counts[kept],
            genes=self.genes[kept],
            symbols=self.symbols[kept],
            ambient=None if self.ambient is None else self.ambient[kept],
        )

    @property
    def log_cpm(self) -> NDArray[np.float64]:
        """Log2 counts per million, genes x sides, as in `voom`."""
        library = self.counts.sum(axis=0) * self.norm_factors
        return np.log2((self.counts + 0.5) / (library + 1) * 1e6)

    @property
    def at(self) -> int:
        """Position of the comparison among the coefficients."""
        return list(self.design).index(EFFECT)


@dataclass(frozen=True)
class Untested:
    """A population that cannot be tested, the reason (`status`), and its number of patients."""

    status: str
    n_test: int
    n_reference: int


def plain_pseudobulks(pseudobulk: "AnnData", *, exclude: Sequence[str] = ()) -> Pseudobulks:
    """Extract counts, samples and genes from the pseudobulks of a cohort.

    Parameters
    ----------
    pseudobulk
        From `pseudobulk.build_pseudobulk`.
    exclude
        Regular expressions of whole symbols or gene ids to leave out, ignoring case.
    """
    obs = pd.DataFrame(
        {
            "sample": pseudobulk.obs["sample"].astype(str).to_numpy(),
            "population": pseudobulk.obs["population"].astype(str).to_numpy(),
            "n_cells": pseudobulk.obs["n_cells"].to_numpy(),
            IS_LIMIT: np.asarray(pseudobulk.obs.get(IS_LIMIT, False), dtype=bool),
        }
    )
    genes = pseudobulk.var_names.astype(str).to_numpy()
    symbols = pseudobulk.var["symbol"].astype(str).to_numpy()
    left_out = _names_that_match((*genes, *symbols), tuple(exclude)).reshape(2, -1)
    kept = ~left_out.any(axis=0)
    columns = slice(None) if kept.all() else kept  # a slice copies in a fraction of the time
    ambient = pseudobulk.layers.get(AMBIENT)
    return Pseudobulks(
        obs,
        sparse.csr_array(pseudobulk.X)[:, columns],
        None if ambient is None else sparse.csr_array(ambient)[:, columns],
        genes[kept],
        symbols[kept],
    )


@lru_cache(maxsize=2)  # all genes, and those that are tested
def _names_that_match(names: tuple[str, ...], patterns: tuple[str, ...]) -> NDArray[np.bool_]:
    """Mark names that match one of the patterns; kept for all contrasts and permutations of a job.

    The pattern of the sex genes has hundreds of alternatives.
    """
    compiled = [re.compile(pattern, re.IGNORECASE) for pattern in patterns]
    found = [any(pattern.fullmatch(name) for pattern in compiled) for name in names]
    return np.array(found, dtype=bool)


def kept_sides(
    obs: pd.DataFrame, population: str, comparison: Comparison, *, min_cells: int
) -> pd.DataFrame:
    """Count the cells of a population on each side of a contrast, and mark sides to leave out.

    Parameters
    ----------
    obs
        `Pseudobulks.obs`.

    Returns
    -------
    DataFrame
        `comparison.sides` with `n_cells` and `reason`, which is empty for sides that are kept.
    """
    sides, contrast = comparison.sides, comparison.contrast
    own = obs[obs["population"] == population]
    cells = dict(zip(own["sample"], own["n_cells"], strict=True))
    n_cells = [int(sum(cells.get(name, 0) for name in names)) for names in sides["samples"]]
    result = sides.assign(n_cells=n_cells, reason="")
    result.loc[result["n_cells"] < min_cells, "reason"] = f"under {min_cells} cells"
    if contrast.has_sides and not contrast.keeps_incomplete:
        n_sides = result[result["reason"] == ""].groupby("patient")["side"].nunique()
        lonely = (result["reason"] == "") & ~result["patient"].isin(n_sides.index[n_sides == 2])
        result.loc[lonely, "reason"] = "partner is missing"
    return result


def population_model(
    sums: Pseudobulks,
    population: str,
    comparison: Comparison,
    *,
    min_cells: int,
    within_patients: bool,
) -> Model | Untested:
    """Build the model of a population, or give the reason why it cannot be tested.

    Parameters
    ----------
    sums
        All pseudobulks of the cohort, without excluded genes.
    min_cells
        Pseudobulks of fewer cells are left out.
    within_patients
        As in `Contrast.side_design`. The tested genes do not depend on it.

    Returns
    -------
    Model or Untested
        The status of the latter is too_few_patients (under three in an arm, or too few residual
        degrees of freedom), too_few_values (of a trend), aliased, no_genes (under ten have enough
        counts, or a pseudobulk has no counts of them), or no_variation (patients of an arm do not
        differ).
    """
    kept = kept_sides(sums.obs, population, comparison, min_cells=min_cells)
    kept = kept[kept["reason"] == ""].reset_index(drop=True)
    n_test, n_reference = comparison.contrast.patients_per_arm(kept)
    if problem := comparison.contrast.side_problem(kept):
        return Untested(problem, n_test, n_reference)
    sides = comparison.contrast.side_design(kept, within_patients=within_patients)
    if EFFECT in aliased_columns(sides.matrix):
        return Untested("aliased", n_test, n_reference)
    design = independent_columns(sides.matrix)
    if len(design) - design.shape[1] < sides.spare:
        return Untested("too_few_patients", n_test, n_reference)
    counts = sum_replicates(sums, population, kept)
    if not counts.sum(axis=0).all():
        return Untested("no_genes", n_test, n_reference)
    tested = filter_by_expression(counts, sides.filtering)
    tested &= counts[:, sides.used].any(axis=1)
    counts = counts[tested][:, sides.used]
    if tested.sum() < MIN_GENES or not counts.sum(axis=0).all():
        return Untested("no_genes", n_test, n_reference)
    model = Model(
        population=population,
        counts=counts,
        genes=sums.genes[tested],
        symbols=sums.symbols[tested],
        design=design,
        block=sides.block,
        norm_factors=tmm(counts),
        sides=_sides(sums, population, kept, comparison)[sides.used].reset_index(drop=True),
        ambient=_ambient(sums, population, kept, tested=tested, used=sides.used),
        n_test=n_test,
        n_reference=n_reference,
    )
    if linear.lm_fit(model.log_cpm, design).sigma.max() < FLAT:
        return Untested("no_variation", n_test, n_reference)
    return model


def sum_replicates(sums: Pseudobulks, population: str, kept: pd.DataFrame) -> NDArray[np.float64]:
    """Sum the counts of a population, genes x sides; `kept` has the `samples` of each side."""
    return np.asarray((_membership(sums, population, kept) @ sums.counts).toarray().T)


def _membership(sums: Pseudobulks, population: str, kept: pd.DataFrame) -> sparse.csr_array:
    """Return which pseudobulks are of each side, sides x pseudobulks."""
    rows = np.flatnonzero(sums.obs["population"] == population)
    position = dict(zip(sums.obs["sample"].iloc[rows], rows, strict=True))
    member = [
        (i, position[name])
        for i, names in enumerate(kept["samples"])
        for name in names
        if name in position
    ]
    side, row = np.array(member).T
    return sparse.csr_array((np.ones(len(member)), (side, row)), shape=(len(kept), len(sums.obs)))


def _sides(
    sums: Pseudobulks, population: str, kept: pd.DataFrame, comparison: Comparison
) -> pd.DataFrame:
    """Return `Model.sides` of all sides; a limit in one replicate makes the sum a limit."""
    weight = comparison.contrast.weights(kept)
    of_limits = _membership(sums, population, kept) @ sums.obs[IS_LIMIT].to_numpy(dtype=float)
    return kept.assign(weight=weight, **{IS_LIMIT: of_limits > 0})


def _ambient(
    sums: Pseudobulks,
    population: str,
    kept: pd.DataFrame,
    *,
    tested: np.ndarray,
    used: np.ndarray,
) -> NDArray[np.float64] | None:
    """Sum the expected ambient UMIs of the tested genes, genes x sides; None without them."""
    if sums.ambient is None:
        return None
    summed = (_membership(sums, population, kept) @ sums.ambient).toarray()[:, tested]
    return np.asarray(summed.T[:, used])


def stacked(tables: Sequence[pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """Concatenate the tables that have rows; without any, return an empty table."""
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(tables, ignore_index=True)
