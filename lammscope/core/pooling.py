"""Sums over groups of cells and over neighborhoods."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

CHUNK = 50_000  # cells pooled at a time: limits memory and does not change results


def membership(
    groups: Sequence[str] | np.ndarray | pd.Series,
) -> tuple[np.ndarray, np.ndarray, sparse.csr_array]:
    """Return the names of groups, the group of each cell, and a matrix that sums cells by group.

    Groups of cells are given as positions in the names. The matrix (n_groups x n_cells) has a one
    for each cell in its group.
    """
    names, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    places = (codes, np.arange(len(codes)))
    shape = (len(names), len(codes))
    return names, codes, sparse.csr_array((np.ones(len(codes)), places), shape=shape)


def collapse_genes(
    counts: sparse.csr_array, *, symbols: Sequence[str], genes: Sequence[str]
) -> sparse.csr_array:
    """Return the columns `genes` of `counts`; columns with the same symbol are summed.

    Genes that are absent have counts of 0.
    """
    position = {gene: column for column, gene in enumerate(genes)}
    pairs = [(row, position[symbol]) for row, symbol in enumerate(symbols) if symbol in position]
    rows, columns = np.array(pairs, dtype=int).reshape(-1, 2).T
    chosen = sparse.csr_array(
        (np.ones(len(pairs), dtype=counts.dtype), (rows, columns)),
        shape=(len(symbols), len(genes)),
    )
    return sparse.csr_array(counts @ chosen)


def sum_columns(counts: sparse.csr_array, columns: Sequence[int]) -> np.ndarray:
    """Return the sum of some columns, given by position, in each row of cells x genes."""
    picked = np.zeros(counts.shape[1])
    picked[list(columns)] = 1
    return np.asarray(counts @ picked)


def neighbor_pooling(neighbors: np.ndarray, *, keep: np.ndarray | None = None) -> sparse.csr_array:
    """Return the matrix (n_cells x n_cells, of ones) that sums each cell and its neighbors.

    Neighbors of -1 are ignored. With `keep` (n_cells, bool) only these cells are summed, and all
    other cells have empty rows.
    """
    n_cells, k = neighbors.shape
    own = np.arange(n_cells, dtype=np.int32)[:, None]
    columns = np.hstack([own, neighbors.astype(np.int32)]).ravel()
    data = (columns >= 0).astype(np.float32)
    columns = np.maximum(columns, 0)
    if keep is not None:
        data *= keep[columns] & np.repeat(keep, k + 1)
    indptr = np.arange(0, n_cells * (k + 1) + 1, k + 1)
    pooling = sparse.csr_array((data, columns, indptr), shape=(n_cells, n_cells))
    pooling.eliminate_zeros()
    return pooling
