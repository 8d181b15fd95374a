"""Pseudobulks: sums of raw counts per sample and population, in one AnnData object."""

from collections.abc import Iterable

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.ambient import AmbientSums
from lammscope.annotate.sums import GroupSums

AMBIENT = "ambient"  # the layer of expected ambient UMIs
IS_LIMIT = "ambient_is_limit"


def build_pseudobulk(
    sums: Iterable[tuple[str, GroupSums]],
    *,
    genes: pd.DataFrame,
    ambient: Iterable[tuple[str, AmbientSums]] | None = None,
) -> anndata.AnnData:
    """Gather the sums of all samples.

    Parameters
    ----------
    sums
        Names of samples with their sums per population; consumed one at a time.
    genes
        All genes of the cohort: `gene` (sorted) and `symbol`.
    ambient
        The ambient RNA of the same samples and populations, in the same order.

    Returns
    -------
    AnnData
        One row per sample and population with `obs` columns `sample`, `population`, `n_cells`;
        `var` indexed by gene id with `symbol`; integer sums in `X` (CSR). Genes without counts in
        the cohort are left out. With `ambient`, the layer `ambient` holds expected ambient UMIs
        (float, never above the counts), and `ambient_is_limit` in `obs` tells whether they are an
        upper limit.

    Raises
    ------
    ValueError
        If `ambient` is of other samples or populations.
    """
    known = pd.Index(genes["gene"])
    rows, expected, labels = [], [], []
    of_samples = iter(ambient or ())
    for sample, own in sums:
        columns = known.get_indexer(pd.Index(own.genes["gene"]))
        groups = {"sample": sample, "population": own.groups, "n_cells": own.n_cells}
        rows.append(_in_columns(own.counts, columns, len(known)))
        if ambient is not None:
            other, found = next(of_samples, ("", None))
            if found is None or other != sample or found.groups.tolist() != own.groups.tolist():
                raise ValueError(f"ambient RNA of sample {sample} is missing: run again")
            expected.append(_in_columns(found.expected(own.counts), columns, len(known)))
            groups[IS_LIMIT] = found.is_limit
        labels.append(pd.DataFrame(groups))
    obs = pd.concat(labels, ignore_index=True)
    obs.index = pd.Index(obs["sample"].astype(str) + "|" + obs["population"].astype(str))
    matrix = sparse.csr_matrix(sparse.vstack(rows, format="csr"))
    seen = np.flatnonzero(np.asarray(matrix.sum(axis=0)).ravel())
    var = genes.set_index("gene")[["symbol"]].iloc[seen]
    layers = {AMBIENT: sparse.csr_matrix(sparse.vstack(expected))[:, seen]} if expected else None
    return anndata.AnnData(matrix[:, seen], obs=obs, var=var, layers=layers)


def _in_columns(values: np.ndarray, columns: np.ndarray, n_genes: int) -> sparse.csr_array:
    """Return values of a sample's genes in the columns of the cohort's genes."""
    own = sparse.coo_array(values)
    parts = (own.data, (own.row, columns[own.col]))
    return sparse.csr_array(parts, shape=(len(values), n_genes))
