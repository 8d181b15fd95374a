"""Levels of the top genes of a contrast in each of its patients, for the heat map."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lammscope.cohort.comparison import Comparison
from lammscope.cohort.design import TREND
from lammscope.core.names import LAMM, LAMM_LEVELS
from lammscope.core.verdicts import SUGGESTIVE, SUPPORTED
from lammscope.expression.models import Pseudobulks, kept_sides, sum_replicates
from lammscope.report.order import volcano_types

N_POPULATIONS = 4
N_GENES = 12  # of a population, if there are supported or suggestive ones
N_SMALLEST = 5  # of a population without any: those with the smallest p
RANKS = {SUPPORTED: 0, SUGGESTIVE: 1}


@dataclass(frozen=True, eq=False)
class GeneLevels:
    """The top genes of a contrast by patient.

    Attributes
    ----------
    columns
        A row per column of the heat map: `patient`, `arm`, `side`, and `trend` for trends; in the
        order of the heat map.
    genes
        A row per gene, in order: `population`, `gene`, `symbol`, `log2fc`, `p`, `verdict`.
    values
        Genes x columns. Log2 counts per million, as standard deviations of the gene from its mean;
        if a patient has two sides, the log2 ratio of the test to the reference side. NaN where the
        population has too few cells.
    n_found
        By population, the numbers of its supported and suggestive genes.
    """

    columns: pd.DataFrame
    genes: pd.DataFrame
    values: np.ndarray
    n_found: dict[str, tuple[int, int]]


def gene_levels(
    sums: Pseudobulks, comparison: Comparison, expression: pd.DataFrame, *, min_cells: int
) -> GeneLevels:
    """Choose the top genes of the main populations, and compute their levels in each patient.

    Parameters
    ----------
    sums
        All pseudobulks of the cohort.
    comparison
        The contrast and its samples.
    expression
        `expression/{contrast}.tsv.gz`; may be empty.
    min_cells
        Pseudobulks of fewer cells have no levels, as in the tests.
    """
    chosen, n_found = top_genes(expression)
    columns = _columns(comparison)
    blocks = [
        _levels(sums, comparison, own, columns=columns, min_cells=min_cells)
        for _, own in chosen.groupby("population", sort=False)
    ]
    values = np.vstack(blocks) if blocks else np.empty((0, len(columns)))
    return GeneLevels(columns, chosen, values, n_found)


def top_genes(expression: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, tuple[int, int]]]:
    """Return the genes to show (`GeneLevels.genes`), and `GeneLevels.n_found`.

    Populations with supported genes come first, then those with suggestive ones; LAMM cells lead.
    Genes that ambient RNA may explain are left out.
    """
    columns = ["population", "gene", "symbol", "log2fc", "p", "verdict"]
    if expression.empty or not expression["p"].notna().any():
        return pd.DataFrame(columns=columns), {}
    rows = expression[expression["p"].notna() & ~expression["ambient"].astype(bool)]
    rows = rows.rename(columns={"cell_type": "population"})
    rows = rows.assign(rank=rows["verdict"].map(RANKS).fillna(2))
    types = [name for name in volcano_types(expression, n_types=99) if name not in LAMM_LEVELS]
    found = {
        name: (int((own["rank"] == 0).sum()), int((own["rank"] == 1).sum()))
        for name, own in rows.groupby("population")
    }
    types = [name for name in types if name in found]
    types.sort(key=lambda name: (name != LAMM, not found[name][0], not found[name][1]))
    parts = []
    for name in types[:N_POPULATIONS]:
        own = rows[rows["population"] == name].sort_values(["rank", "p", "gene"], kind="stable")
        has_found = bool(sum(found[name]))
        top = own[own["rank"] < 2].head(N_GENES) if has_found else own.head(N_SMALLEST)
        falls = top["log2fc"] < 0
        parts.append(top.assign(falls=falls).sort_values(["falls", "rank", "p"], kind="stable"))
    chosen = pd.concat(parts, ignore_index=True)[columns]
    return chosen, {name: found[name] for name in types[:N_POPULATIONS]}


def _columns(comparison: Comparison) -> pd.DataFrame:
    """Return the patients in order: by arm (reference first), or by the number of a trend."""
    sides = comparison.sides.assign(patient=comparison.sides["patient"].astype(str))
    if comparison.contrast.has_sides:
        sides = sides[sides["complete"] & (sides["side"] == "test")]
    order = [TREND] if comparison.contrast.has_numbers else ["arm"]
    order += ["patient"]
    return sides.sort_values(order, kind="stable").reset_index(drop=True)


def _levels(
    sums: Pseudobulks,
    comparison: Comparison,
    genes: pd.DataFrame,
    *,
    columns: pd.DataFrame,
    min_cells: int,
) -> np.ndarray:
    """Return the levels of the genes of one population, genes x columns."""
    population = str(genes["population"].iloc[0])
    kept = kept_sides(sums.obs, population, comparison, min_cells=min_cells)
    kept = kept[kept["reason"] == ""].reset_index(drop=True)
    if kept.empty:
        return np.full((len(genes), len(columns)), np.nan)
    counts = sum_replicates(sums, population, kept)
    library = counts.sum(axis=0)
    rows = pd.Index(sums.genes).get_indexer(pd.Index(genes["gene"]))
    levels = np.log2((counts[rows] + 0.5) / (library + 1) * 1e6)
    levels[rows < 0] = np.nan
    patients = kept["patient"].astype(str).to_numpy()
    if comparison.contrast.has_sides:
        sides = [kept["side"].to_numpy() == side for side in ("test", "reference")]
        test, reference = (_placed(levels[:, own], patients[own], columns) for own in sides)
        return np.asarray(test - reference)
    placed = _placed(levels, patients, columns)
    known = np.isfinite(placed).sum(axis=1) > 1  # not a gene of a table from other pseudobulks
    shown = placed[known]
    spread = np.nanstd(shown, axis=1, ddof=1, keepdims=True)
    centered = shown - np.nanmean(shown, axis=1, keepdims=True)
    placed[known] = centered / np.where(spread > 0, spread, np.inf)
    return placed


def _placed(levels: np.ndarray, patients: np.ndarray, columns: pd.DataFrame) -> np.ndarray:
    """Return levels in the order of the columns; NaN for patients without any."""
    placed = np.full((len(levels), len(columns)), np.nan)
    at = pd.Index(columns["patient"]).get_indexer(pd.Index(patients))
    placed[:, at[at >= 0]] = levels[:, at >= 0]
    return placed
