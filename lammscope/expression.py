"""Differential expression within populations: limma-voom on pseudobulks, one model per contrast."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse, stats

from lammscope import linear
from lammscope.contrasts import Contrast
from lammscope.design import (
    MIN_PATIENTS,
    aliased_columns,
    comparison_sides,
    design_matrix,
    independent_columns,
)

COLUMNS = [
    *("cell_type", "gene", "symbol", "mean_expression", "log2fc", "ci_low", "ci_high", "t", "df"),
    *("p", "fdr", "n_test", "n_reference", "status"),
]
EXCLUDED_COLUMNS = ["cell_type", "patient", "arm", "side", "samples", "n_cells", "reason"]
EFFECT = "effect"


@dataclass(frozen=True)
class Sums:
    """Pseudobulks in plain arrays: `obs` (sample, population, n_cells), counts rows x genes."""

    obs: pd.DataFrame
    counts: sparse.csr_array
    genes: np.ndarray
    symbols: np.ndarray


def test_expression(
    pseudobulk: AnnData,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    min_cells: int,
    exclude: Sequence[str],
) -> pd.DataFrame:
    """Test every gene in every population.

    Parameters
    ----------
    pseudobulk
        `obs` with `sample`, `population`, `n_cells`; `var` with `symbol`; sums of raw counts in
        `X`. A patient's replicates are summed before anything else.
    samples
        The sample table.
    min_cells
        Pseudobulks of fewer cells are left out (see `excluded_pseudobulks`).
    exclude
        Regular expressions of whole symbols or gene ids, any case: genes that are not tested.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`, by population and p; `log2fc` with a 95 % interval, `fdr` within
        the population. A population that cannot be tested has one row without a gene, with its
        `status`: too_few_patients, aliased, or no_genes (too few counts in a pseudobulk).
    """
    sides = comparison_sides(samples, contrast)
    sums = _plain(pseudobulk)
    tested = _tested_genes(sums, exclude)
    sums = Sums(sums.obs, sums.counts[:, tested], sums.genes[tested], sums.symbols[tested])
    tables = [
        _test_population(sums, population, sides, contrast, min_cells)
        for population in sorted(sums.obs["population"].unique())
    ]
    tables = [table for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=COLUMNS)
    return pd.concat(tables, ignore_index=True)[COLUMNS]


test_expression.__test__ = False  # type: ignore[attr-defined]  # the name is no test of pytest


def excluded_pseudobulks(
    pseudobulk: AnnData, samples: pd.DataFrame, contrast: Contrast, *, min_cells: int
) -> pd.DataFrame:
    """Patients' pseudobulks that a contrast leaves out, by arm: missingness may differ by arm."""
    sides = comparison_sides(samples, contrast)
    obs = _plain(pseudobulk).obs
    tables = []
    for population in sorted(obs["population"].unique()):
        kept = _kept_sides(obs, population, sides, contrast, min_cells)
        lost = kept[kept["reason"] != ""].assign(cell_type=population)
        tables.append(lost.assign(samples=lost["samples"].map(",".join)))
    tables = [table[EXCLUDED_COLUMNS] for table in tables if len(table)]
    if not tables:
        return pd.DataFrame(columns=EXCLUDED_COLUMNS)
    return pd.concat(tables, ignore_index=True)


def _plain(pseudobulk: AnnData) -> Sums:
    obs = pd.DataFrame(
        {
            "sample": pseudobulk.obs["sample"].astype(str).to_numpy(),
            "population": pseudobulk.obs["population"].astype(str).to_numpy(),
            "n_cells": pseudobulk.obs["n_cells"].to_numpy(),
        }
    )
    symbols = pseudobulk.var["symbol"].astype(str).to_numpy()
    genes = pseudobulk.var_names.astype(str).to_numpy()
    return Sums(obs, sparse.csr_array(pseudobulk.X), genes, symbols)


def _tested_genes(sums: Sums, exclude: Sequence[str]) -> np.ndarray:
    patterns = [re.compile(pattern, re.IGNORECASE) for pattern in exclude]
    names = zip(sums.genes, sums.symbols, strict=True)
    return np.array(
        [not any(p.fullmatch(name) for p in patterns for name in pair) for pair in names],
        dtype=bool,
    )


def _kept_sides(
    obs: pd.DataFrame, population: str, sides: pd.DataFrame, contrast: Contrast, min_cells: int
) -> pd.DataFrame:
    """The sides with their cells of this population, and the reason why one is left out."""
    cells = obs[obs["population"] == population].set_index("sample")["n_cells"]
    result = sides.assign(
        n_cells=[int(cells.reindex(names).fillna(0).sum()) for names in sides["samples"]], reason=""
    )
    result.loc[result["n_cells"] < min_cells, "reason"] = f"under {min_cells} cells"
    if contrast.kind == "paired":
        n_sides = result[result["reason"] == ""].groupby("patient")["side"].nunique()
        lonely = (result["reason"] == "") & ~result["patient"].isin(n_sides.index[n_sides == 2])
        result.loc[lonely, "reason"] = "partner is missing"
    return result


def _test_population(
    sums: Sums, population: str, sides: pd.DataFrame, contrast: Contrast, min_cells: int
) -> pd.DataFrame:
    kept = _kept_sides(sums.obs, population, sides, contrast, min_cells)
    kept = kept[kept["reason"] == ""].reset_index(drop=True)
    n_test, n_reference = _patients_per_arm(kept, contrast)
    about = {"cell_type": population, "n_test": n_test, "n_reference": n_reference}
    untested = {"gene": "", "symbol": ""}
    if min(n_test, n_reference) < MIN_PATIENTS:
        return _one_row(about | untested | {"status": "too_few_patients"})
    design = _design(kept, contrast)
    if EFFECT in aliased_columns(design):
        return _one_row(about | untested | {"status": "aliased"})
    matrix = independent_columns(design).to_numpy()
    spare = 3 if contrast.kind == "change" else 1  # residual degrees of freedom that a fit needs
    if len(kept) - matrix.shape[1] < spare:
        return _one_row(about | untested | {"status": "too_few_patients"})
    counts = _sum_replicates(sums, population, kept)
    if not counts.sum(axis=0).all():
        return _one_row(about | untested | {"status": "no_genes"})
    expressed = linear.filter_by_expression(counts, matrix)
    if not expressed.any() or not counts[expressed].sum(axis=0).all():
        return _one_row(about | untested | {"status": "no_genes"})
    fit = _fit(counts[expressed], matrix, kept["patient"] if contrast.kind == "change" else None)
    at = list(independent_columns(design).columns).index(EFFECT)
    se = fit.stdev_unscaled[:, at] * np.sqrt(fit.s2_post)
    half = stats.t.ppf(0.975, fit.df_total) * se
    table = pd.DataFrame(
        {
            "gene": sums.genes[expressed],
            "symbol": sums.symbols[expressed],
            "mean_expression": fit.mean,
            "log2fc": fit.coefficients[:, at],
            "ci_low": fit.coefficients[:, at] - half,
            "ci_high": fit.coefficients[:, at] + half,
            "t": fit.t[:, at],
            "df": fit.df_total,
            "p": fit.p_value[:, at],
            "fdr": stats.false_discovery_control(fit.p_value[:, at]),
        }
    )
    table["status"] = "ok"
    table["cell_type"], table["n_test"], table["n_reference"] = population, n_test, n_reference
    return table.sort_values(["p", "gene"], kind="stable")


def _one_row(values: dict[str, object]) -> pd.DataFrame:
    return pd.DataFrame([dict.fromkeys(COLUMNS, np.nan) | values])


def _patients_per_arm(kept: pd.DataFrame, contrast: Contrast) -> tuple[int, int]:
    """Patients per arm; for pairs and changes only those with both sides."""
    if contrast.kind == "paired":
        n = kept["patient"].nunique()
        return n, n
    if contrast.kind == "change":
        kept = kept[kept.groupby("patient")["side"].transform("nunique") == 2]
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
        patients = pd.get_dummies(kept["patient"], prefix="patient", dtype=float)
        return patients.assign(**{EFFECT: test_side})[[EFFECT, *patients]]
    between = design_matrix(kept, contrast.adjust)
    if contrast.kind == "between":
        return between.rename(columns={"arm": EFFECT})
    change = between.mul(test_side, axis=0).add_suffix(":post")
    return pd.concat([between, change], axis=1).rename(columns={"arm:post": EFFECT})


def _sum_replicates(sums: Sums, population: str, kept: pd.DataFrame) -> np.ndarray:
    """Counts of this population, genes x sides."""
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


def _fit(counts: np.ndarray, design: np.ndarray, block: pd.Series | None) -> linear.TestedFit:
    """TMM, voom and the moderated model; with blocks their correlation is estimated twice."""
    factors = linear.tmm(counts)
    voom = linear.voom(counts, design, norm_factors=factors)
    correlation = None
    if block is not None:
        for last in (False, True):
            correlation = linear.duplicate_correlation(
                voom.y, design, block=block, weights=voom.weights
            ).consensus
            if not last:
                voom = linear.voom(
                    counts, design, norm_factors=factors, block=block, correlation=correlation
                )
    fit = linear.lm_fit(voom.y, design, weights=voom.weights, block=block, correlation=correlation)
    return linear.moderate(fit, robust=False, trend=False)
