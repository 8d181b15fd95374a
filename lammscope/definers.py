"""Expression of the LAMM definers, cell by cell and by population, for figures and the report."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse


def definer_counts(
    panels: Sequence[tuple[sparse.csr_array, pd.DataFrame]], *, definers: Sequence[str]
) -> pd.DataFrame:
    """Counts of the definers in all kept cells.

    Parameters
    ----------
    panels
        Per sample, in the order of the cell index: counts (cells x genes) and genes (`symbol`).
    definers
        Symbols. One that no sample's panel holds is left out.

    Returns
    -------
    DataFrame
        Cells x definers, integer UMIs; rows in the order of the samples.
    """
    parts = []
    for counts, genes in panels:
        columns = pd.Index(genes["symbol"]).get_indexer(pd.Index(list(definers)))
        found = columns >= 0
        frame = pd.DataFrame(0, index=range(counts.shape[0]), columns=list(definers))
        frame.loc[:, found] = counts[:, columns[found]].toarray()
        parts.append(frame if found.all() else frame.loc[:, found])
    return pd.concat(parts, ignore_index=True).fillna(0).astype(np.int64)


def log_levels(counts: pd.DataFrame, *, total_counts: Sequence[float] | np.ndarray) -> pd.DataFrame:
    """log(1 + UMIs per 10,000) of cells x genes, given each cell's total UMIs."""
    totals = np.maximum(np.asarray(total_counts, dtype=float), 1.0)
    return np.log1p(counts * (1e4 / totals)[:, None])


def definers_by_population(
    counts: pd.DataFrame,
    *,
    total_counts: Sequence[float] | np.ndarray,
    population: Sequence[str] | pd.Series,
) -> pd.DataFrame:
    """Level of each definer in each population of the cohort.

    Returns
    -------
    DataFrame
        `population`, `n_cells`, `gene`, `per_10k` (UMIs of the gene per 10,000 UMIs of all cells of
        the population together), `pct_detected` (% of cells with a UMI of it).
    """
    names = pd.Series(np.asarray(population, dtype=str), name="population")
    totals = pd.Series(np.asarray(total_counts, dtype=float)).groupby(names).sum()
    n_cells = names.value_counts().rename("n_cells")
    parts = []
    for gene in counts.columns:
        values = counts[gene].reset_index(drop=True)
        table = pd.DataFrame(
            {
                "n_cells": n_cells,
                "gene": gene,
                "per_10k": 1e4 * values.groupby(names).sum() / totals.clip(lower=1.0),
                "pct_detected": 100 * (values > 0).groupby(names).mean(),
            }
        )
        parts.append(table.rename_axis("population").reset_index())
    columns = ["population", "n_cells", "gene", "per_10k", "pct_detected"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)
