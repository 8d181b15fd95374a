"""Sums of one sample's counts over groups of its cells: clusters, or populations."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.qc import to_rates
from lammscope.shards import Shard


@dataclass(frozen=True)
class GroupSums:
    """Sums over the cells of each group, for all genes of a shard.

    Attributes
    ----------
    groups
        Names of the groups that have cells.
    n_cells
        Cells per group.
    counts
        Groups x genes, sums of UMIs.
    rates
        Groups x genes, sums of UMIs per 10,000.
    expressed
        Groups x genes, number of cells with at least one UMI.
    """

    groups: np.ndarray
    n_cells: np.ndarray
    counts: np.ndarray
    rates: np.ndarray
    expressed: np.ndarray


def sum_groups(shard: Shard, *, positions: np.ndarray, labels: np.ndarray) -> GroupSums:
    """Sum a shard over groups of cells.

    Parameters
    ----------
    shard
        One sample.
    positions
        Rows of the shard that are kept cells.
    labels
        The group of each kept cell.
    """
    counts = shard.counts[positions]
    groups, code, n_cells = np.unique(
        np.asarray(labels, dtype=str), return_inverse=True, return_counts=True
    )
    shape = (len(groups), len(positions))
    member = sparse.csr_array((np.ones(len(code)), (code, np.arange(len(code)))), shape=shape)
    rates = to_rates(counts, np.asarray(counts.sum(axis=1)).ravel())
    expressed = sparse.csr_array(
        (np.ones_like(counts.data), counts.indices, counts.indptr), shape=counts.shape
    )
    return GroupSums(
        groups,
        n_cells,
        np.rint((member @ counts).toarray()).astype(np.int64),
        (member @ rates).toarray(),
        np.rint((member @ expressed).toarray()).astype(np.int64),
    )


def group_frame(sums: GroupSums, genes: pd.DataFrame) -> pd.DataFrame:
    """Long table of the non-zero sums: `group`, `n_cells`, `gene`, `symbol`, and the three sums."""
    row, column = np.nonzero(sums.counts)
    return pd.DataFrame(
        {
            "group": sums.groups[row],
            "n_cells": sums.n_cells[row],
            "gene": genes["gene"].to_numpy()[column],
            "symbol": genes["symbol"].to_numpy()[column],
            "counts": sums.counts[row, column],
            "rates": sums.rates[row, column],
            "expressed": sums.expressed[row, column],
        }
    )
