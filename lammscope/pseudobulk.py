"""Pseudobulks: sums of raw counts per sample and population, as one AnnData object."""

import anndata
import numpy as np
import pandas as pd
from scipy import sparse


def build_pseudobulk(sums: dict[str, pd.DataFrame]) -> anndata.AnnData:
    """Gather the per-sample sums.

    Parameters
    ----------
    sums
        Per sample, the table of `groups.group_frame` over populations.

    Returns
    -------
    AnnData
        One row per sample and population with `obs` columns `sample`, `population`, `n_cells`;
        `var` indexed by gene id with `symbol`; integer sums in `X` (CSR).
    """
    table = pd.concat(
        [part.assign(sample=sample) for sample, part in sorted(sums.items())], ignore_index=True
    )
    obs = table.drop_duplicates(["sample", "group"])[["sample", "group", "n_cells"]]
    obs = obs.sort_values(["sample", "group"]).rename(columns={"group": "population"})
    obs.index = pd.Index(obs["sample"] + "|" + obs["population"])
    var = table.drop_duplicates("gene").set_index("gene")[["symbol"]].sort_index()
    row = obs.index.get_indexer(pd.Index(table["sample"] + "|" + table["group"]))
    column = var.index.get_indexer(pd.Index(table["gene"]))
    counts = sparse.csr_matrix(
        (table["counts"].to_numpy(dtype=np.int64), (row, column)), shape=(len(obs), len(var))
    )
    return anndata.AnnData(counts, obs=obs, var=var)
