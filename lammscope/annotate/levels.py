"""Expression levels of genes by cell and by population, for figures and the report."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.names import PER
from lammscope.core.pooling import CHUNK, membership, neighbor_pooling


def definer_counts(
    panels: Sequence[tuple[sparse.csr_array, pd.DataFrame]], *, definers: Sequence[str]
) -> pd.DataFrame:
    """Extract the counts of the defining markers in all kept cells.

    Parameters
    ----------
    panels
        Per sample, in the order of the cell index: counts (cells x genes) and genes (`symbol`).
    definers
        Symbols; those missing from the panels of all samples are left out.

    Returns
    -------
    DataFrame
        Cells x defining markers, integer UMIs; rows in the order of the samples.
    """
    parts: list[pd.DataFrame] = []
    for counts, genes in panels:
        columns = pd.Index(genes["symbol"]).get_indexer(pd.Index(list(definers)))
        found = columns >= 0
        frame = pd.DataFrame(0, index=range(counts.shape[0]), columns=list(definers))
        frame.loc[:, found] = counts[:, columns[found]].toarray()
        parts.append(frame if found.all() else frame.loc[:, found])
    return pd.concat(parts, ignore_index=True).fillna(0).astype(np.int64)


def log_levels(counts: pd.DataFrame, *, total_counts: Sequence[float] | np.ndarray) -> pd.DataFrame:
    """Compute log(1 + UMIs per 10,000) of cells x genes, from each cell's total UMIs."""
    totals = np.maximum(np.asarray(total_counts, dtype=float), 1.0)
    levels: pd.DataFrame = np.log1p(counts * (PER / totals)[:, None])
    return levels


def definer_levels(
    counts: sparse.csr_array,
    genes: pd.DataFrame,
    *,
    definers: Sequence[str],
    totals: Sequence[float] | np.ndarray,
    neighbors: np.ndarray,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """log(1 + UMIs per 10,000) of the definers in all kept cells.

    Parameters
    ----------
    counts, genes
        The panel: UMIs (cells x genes) and its genes (`symbol`).
    definers
        Symbols. One that the panel does not hold is left out.
    totals
        All UMIs of each cell.
    neighbors
        Cells x k indices, -1 for none.

    Returns
    -------
    single, pooled
        Cells x definers: of each cell, and of each cell with its neighbours.
    """
    table = definer_counts([(counts, genes)], definers=definers)
    pooled = pooled_levels(sparse.csr_array(table), totals=totals, neighbors=neighbors)
    single = log_levels(table, total_counts=totals)
    return single, pd.DataFrame(pooled, columns=table.columns)


def pooled_levels(
    counts: sparse.csr_array,
    *,
    totals: Sequence[float] | np.ndarray,
    neighbors: np.ndarray,
    keep: np.ndarray | None = None,
    dtype: type[np.floating] = np.float64,
) -> np.ndarray:
    """Compute log(1 + UMIs per 10,000) of cells together with their neighbors.

    Parameters
    ----------
    counts
        Cells x genes, UMIs.
    totals
        All UMIs of each cell.
    neighbors
        Cells x k indices, -1 for none.
    keep
        One bool per cell: which cells to use, also as neighbors; by default all.

    Returns
    -------
    ndarray
        Kept cells x genes, of `dtype`.
    """
    pooling = neighbor_pooling(neighbors, keep=keep)
    totals = np.asarray(totals, dtype=float)
    if keep is not None:
        pooling = pooling[np.flatnonzero(keep)]
    levels = np.empty((pooling.shape[0], counts.shape[1]), dtype=dtype)
    for start in range(0, len(levels), CHUNK):
        rows = pooling[start : start + CHUNK]
        depth = np.maximum(rows @ totals, 1.0) / PER
        levels[start : start + CHUNK] = np.log1p((rows @ counts).toarray() / depth[:, None])
    return levels


def levels_by_group(
    counts: sparse.csr_array,
    *,
    totals: Sequence[float] | np.ndarray | pd.Series,
    groups: Sequence[str] | np.ndarray | pd.Series,
    genes: Sequence[str],
) -> pd.DataFrame:
    """Compute the level of each gene in each group of cells.

    Parameters
    ----------
    counts
        Cells x genes, UMIs.
    totals
        All UMIs of each cell.
    groups
        The group of each cell.
    genes
        Names of the columns.

    Returns
    -------
    DataFrame
        `group`, `n_cells`, `gene`, `per_10k` (UMIs of the gene per 10,000 UMIs of all cells of the
        group together), `pct_detected` (% of cells with a UMI of it); by group, then by gene.
    """
    names, codes, member = membership(groups)
    n_cells = np.bincount(codes, minlength=len(names))
    depth = np.maximum(member @ np.asarray(totals, dtype=float), 1.0) / PER
    seen = sparse.csr_array((counts > 0).astype(np.float64))
    return pd.DataFrame(
        {
            "group": np.repeat(names, len(genes)),
            "n_cells": np.repeat(n_cells, len(genes)),
            "gene": np.tile(np.asarray(genes, dtype=object), len(names)),
            "per_10k": ((member @ counts).toarray() / depth[:, None]).ravel(),
            "pct_detected": (100 * (member @ seen).toarray() / n_cells[:, None]).ravel(),
        }
    )
