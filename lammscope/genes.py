"""Genes of one sample: their moments, the panel's counts, and which are CAR features."""

import re

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.core.shards import Shard

BLOCK = 1_000  # cells whose rates are in memory at a time


def gene_moments(shard: Shard, passes: np.ndarray) -> pd.DataFrame:
    """Moments of UMIs per 10,000 over one sample's cells that pass QC.

    Parameters
    ----------
    shard
        The sample's counts, cells x genes.
    passes
        Which cells count, one bool per cell.

    Returns
    -------
    DataFrame
        `gene`, `symbol`, `n_cells` (cells used), `n_expressed` (cells with a UMI), `total` and
        `total_squares` (sums of the normalised values and of their squares).
    """
    size = len(shard.genes)
    n_expressed = np.zeros(size, dtype=np.int64)
    total, total_squares = np.zeros((2, size))
    rows = np.flatnonzero(passes)
    for start in range(0, len(rows), BLOCK):
        counts = shard.counts[rows[start : start + BLOCK]]
        totals = np.asarray(counts.sum(axis=1)).ravel()
        rates = counts.data * np.repeat(1e4 / np.maximum(totals, 1), np.diff(counts.indptr))
        n_expressed += np.bincount(counts.indices, minlength=size)
        total += np.bincount(counts.indices, weights=rates, minlength=size)
        total_squares += np.bincount(counts.indices, weights=rates**2, minlength=size)
    return shard.genes[["gene", "symbol"]].assign(
        n_cells=len(rows),
        n_expressed=n_expressed,
        total=total,
        total_squares=total_squares,
    )


def panel_counts(
    shard: Shard, *, positions: np.ndarray, symbols: list[str], car_features: str
) -> tuple[sparse.csr_array, pd.DataFrame]:
    """Counts of a panel of genes, and of the CAR transgene, in a sample's kept cells.

    Parameters
    ----------
    shard
        The sample.
    positions
        Rows that are kept cells.
    symbols
        The panel. Of genes that share a symbol the one with the most UMIs stands for it.
    car_features
        Pattern for the symbols of CAR transgenes; their counts are summed into one column, `CAR`.

    Returns
    -------
    counts
        Cells x (panel, `CAR`). A gene that the matrix lacks has no counts.
    genes
        `gene`, `symbol`, `present` (whether the matrix has it).
    """
    kept = shard.counts[positions]
    totals = np.bincount(kept.indices, weights=kept.data, minlength=kept.shape[1])
    order = np.argsort(-totals, kind="stable")
    position = pd.Series(order, index=shard.genes["symbol"].to_numpy()[order])
    position = position[~position.index.duplicated()].reindex(symbols)
    present = position.notna().to_numpy()
    column = position.fillna(0).to_numpy(dtype=np.int64)
    panel = kept[:, column] @ sparse.diags_array(present.astype(np.int32), dtype=np.int32)
    car = np.flatnonzero(is_car_feature(shard.genes["symbol"], car_features))
    car_sum = sparse.csr_array(np.asarray(kept[:, car].sum(axis=1)).reshape(-1, 1))
    names = np.where(present, shard.genes["gene"].to_numpy(dtype=str)[column], symbols)
    genes = pd.DataFrame(
        {
            "gene": [*names, "CAR"],
            "symbol": [*symbols, "CAR"],
            "present": [*present, bool(len(car))],
        }
    )
    return sparse.hstack([panel, car_sum], format="csr", dtype=np.int32), genes


def is_car_feature(symbols: pd.Series, pattern: str) -> np.ndarray:
    """Which symbols name a CAR transgene, by a case-insensitive pattern for the whole symbol."""
    return symbols.str.fullmatch(pattern, flags=re.IGNORECASE).to_numpy(dtype=bool)
