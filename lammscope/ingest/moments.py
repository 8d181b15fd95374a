"""Moments of the genes over the cells of one sample, for the choice of variable genes."""

import numpy as np
import pandas as pd

from lammscope.core.names import PER
from lammscope.core.rates import cell_totals
from lammscope.core.shards import Shard

BLOCK = 1_000  # cells whose rates are in memory at a time


def gene_moments(shard: Shard, passes: np.ndarray) -> pd.DataFrame:
    """Compute moments of UMIs per 10,000 over the cells of one sample that pass QC.

    Parameters
    ----------
    shard
        Counts of the sample, cells x genes.
    passes
        Whether each cell passes, one bool per cell.

    Returns
    -------
    DataFrame
        `gene`, `symbol`, `n_cells` (cells used), `n_expressed` (cells with a UMI), `total` and
        `total_squares` (sums of the normalized values and of their squares).
    """
    size = len(shard.genes)
    n_expressed = np.zeros(size, dtype=np.int64)
    total, total_squares = np.zeros((2, size))
    rows = np.flatnonzero(passes)
    for start in range(0, len(rows), BLOCK):
        counts = shard.counts[rows[start : start + BLOCK]]
        totals = cell_totals(counts)
        rates = counts.data * np.repeat(PER / np.maximum(totals, 1), np.diff(counts.indptr))
        n_expressed += np.bincount(counts.indices, minlength=size)
        total += np.bincount(counts.indices, weights=rates, minlength=size)
        total_squares += np.bincount(counts.indices, weights=rates**2, minlength=size)
    return shard.genes[["gene", "symbol"]].assign(
        n_cells=len(rows),
        n_expressed=n_expressed,
        total=total,
        total_squares=total_squares,
    )
