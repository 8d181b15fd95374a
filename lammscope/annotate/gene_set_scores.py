"""Scores of gene programs in myeloid cells: how LAMM cells differ, not only how many there are.

A score is the mean over a set's genes of the cell's standardized level (the z-score method of Lee
et al. 2008, PLoS Comput Biol 4:e1000217, but with the mean instead of the sum over the square root
of the number). 0 is the average myeloid cell of the cohort, 1 is a standard deviation above it in
every gene. Levels are those of the cell and its neighbors together, since single cells have too few
counts of most genes.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.levels import pooled_levels
from lammscope.core.gene_sets import DOWN, UP, scored_names
from lammscope.core.pooling import collapse_genes

MYELOID = ("monocytic", "dendritic", "granulocytic")
MIN_FOUND = 0.5  # share of a set's genes in the data, below which it has no score; our choice
SET_COLUMNS = ["state", "n_genes", "n_found", "found", "missing", "status"]
COLUMNS = ["population", "state", "mean", "sd", "n_samples", "n_cells"]


def score_states(
    counts: sparse.csr_array,
    *,
    totals: np.ndarray,
    symbols: Sequence[str],
    neighbors: np.ndarray,
    lineage: Sequence[str] | np.ndarray,
    gene_sets: Mapping[str, Sequence[str]],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score gene sets in myeloid cells.

    Parameters
    ----------
    counts : n_cells x n_genes raw counts, at least of the sets' genes.
    totals : n_cells, total UMIs of each cell.
    symbols : n_genes gene symbols that some sample's matrix has.
    neighbors : n_cells x k indices of the nearest cells, -1 for none.
    lineage : n_cells labels; cells of `MYELOID` are scored, relative to each other.
    gene_sets : genes by set. A set `X_up` that has a partner `X_down` is scored as up minus down
        under the name `X`.

    Returns
    -------
    scores : n_cells x sets; NaN for other cells, and for sets with too few genes in the data.
    sets : `state`, `n_genes`, `n_found`, `found`, `missing` (comma lists), `status` (`ok`, or
        `under half of its genes`).
    """
    members, sets = match_sets(gene_sets, symbols)
    myeloid = np.isin(np.asarray(lineage, dtype=str), MYELOID)
    scored = sorted({gene for found in members.values() for gene in found})
    values = np.full((len(myeloid), len(members)), np.nan)
    if myeloid.any() and scored:
        levels = pooled_levels(
            collapse_genes(counts, symbols=symbols, genes=scored),
            totals=np.asarray(totals, dtype=float),
            neighbors=neighbors,
            keep=myeloid,
            dtype=np.float32,
        )
        spread = levels.std(axis=0)
        levels = (levels - levels.mean(axis=0)) / np.where(spread > 0, spread, 1)
        place = {gene: column for column, gene in enumerate(scored)}
        weights = np.zeros((len(scored), len(members)), dtype=np.float32)
        for column, found in enumerate(members.values()):
            weights[[place[gene] for gene in found], column] = 1 / len(found)
        values[myeloid] = levels @ weights
    scores = pd.DataFrame(values, columns=list(members))
    return differences(scores), sets


def match_sets(
    gene_sets: Mapping[str, Sequence[str]], symbols: Iterable[str]
) -> tuple[dict[str, list[str]], pd.DataFrame]:
    """Return the genes of each scored set that are in the data, and the table of all sets.

    The table has the columns `SET_COLUMNS`, as `score_states` returns them.
    """
    known = set(symbols)
    members: dict[str, list[str]] = {}
    rows = []
    for name, genes in gene_sets.items():
        found = [gene for gene in genes if gene in known]
        missing = [gene for gene in genes if gene not in known]
        enough = len(found) >= MIN_FOUND * len(genes)
        if enough:
            members[name] = found
        status = "ok" if enough else "under half of its genes"
        listed = (",".join(found), ",".join(missing))
        rows.append((name, len(genes), len(found), *listed, status))
    return members, pd.DataFrame(rows, columns=SET_COLUMNS)


def describe_states(scores: pd.DataFrame, *, cells: pd.DataFrame, min_cells: int) -> pd.DataFrame:
    """Compute the mean score of every population: the mean over samples of the samples' means.

    Parameters
    ----------
    scores : from `score_states`, rows as `cells`.
    cells : `sample`, `population`, `lineage`.
    min_cells : samples with fewer cells of a population are left out of its mean.

    Returns
    -------
    DataFrame
        `population`, `state`, `mean`, `sd` (between samples), `n_samples`, `n_cells`; myeloid
        populations only, and only if a sample has enough of their cells.
    """
    keep = cells["lineage"].isin(MYELOID).to_numpy()
    labels = cells.loc[keep, ["population", "sample"]].astype(str)
    grouped = scores[keep].groupby([labels["population"], labels["sample"]])
    size = grouped.size().rename("n_cells")
    size = size[size >= min_cells]
    if size.empty:
        return pd.DataFrame(columns=COLUMNS)
    by_sample = grouped.mean().loc[size.index].groupby(level=0)
    long = pd.concat(
        {"mean": by_sample.mean().stack(), "sd": by_sample.std().stack()}, axis=1
    ).rename_axis(["population", "state"])
    long = long.join(size.groupby(level=0).agg(n_samples="size", n_cells="sum"), on="population")
    return long.reset_index()[COLUMNS]


def differences(scores: pd.DataFrame) -> pd.DataFrame:
    """Combine pairs `X_up`, `X_down` into one column `X`, in the place of the first."""
    result = {}
    for name in scored_names(map(str, scores)):
        is_pair = name not in scores
        result[name] = scores[name + UP] - scores[name + DOWN] if is_pair else scores[name]
    return pd.DataFrame(result, index=scores.index)
