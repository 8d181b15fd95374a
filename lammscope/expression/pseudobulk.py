"""Pseudobulks: sums of raw counts per sample and population, in one AnnData object."""

from collections.abc import Iterable

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.sums import GroupSums


def build_pseudobulk(
    sums: Iterable[tuple[str, GroupSums]], *, genes: pd.DataFrame
) -> anndata.AnnData:
    """Gather the sums of all samples.

    Parameters
    ----------
    sums
        Names of samples with their sums per population; consumed one at a time.
    genes
        All genes of the cohort: `gene` (sorted) and `symbol`.

    Returns
    -------
    AnnData
        One row per sample and population with `obs` columns `sample`, `population`, `n_cells`;
        `var` indexed by gene id with `symbol`; integer sums in `X` (CSR). Genes without counts in
        the cohort are left out.
    """
    known = pd.Index(genes["gene"])
    rows, labels = [], []
    for sample, own in sums:
        counts = sparse.coo_array(own.counts)
        columns = known.get_indexer(pd.Index(own.genes["gene"]))[counts.col]
        shape = (len(own.groups), len(known))
        rows.append(sparse.csr_array((counts.data, (counts.row, columns)), shape=shape))
        groups = {"sample": sample, "population": own.groups, "n_cells": own.n_cells}
        labels.append(pd.DataFrame(groups))
    obs = pd.concat(labels, ignore_index=True)
    obs.index = pd.Index(obs["sample"].astype(str) + "|" + obs["population"].astype(str))
    matrix = sparse.csr_matrix(sparse.vstack(rows, format="csr"))
    seen = np.flatnonzero(np.asarray(matrix.sum(axis=0)).ravel())
    var = genes.set_index("gene")[["symbol"]].iloc[seen]
    return anndata.AnnData(matrix[:, seen], obs=obs, var=var)
