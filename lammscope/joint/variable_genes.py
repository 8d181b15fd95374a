"""Highly variable genes, ranked by the pooled moments of the samples."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from lammscope.core.shards import NOTHING_SHARED
from lammscope.joint.gene_names import locate_genes
from lammscope.joint.panel_counts import is_car_feature

N_BINS = 20  # of mean expression, as in the reference implementations


def pool_moments(moments: Iterable[pd.DataFrame], *, reference: pd.DataFrame) -> pd.DataFrame:
    """Compute mean and within-sample variance over a cohort from the samples' moments.

    The variance is pooled within samples, so a gene that differs only between libraries (a batch
    effect) is not variable. Genes that are missing from any sample are left out.

    Parameters
    ----------
    moments
        Moments of each sample, from `gene_moments`; read one at a time.
    reference
        The cohort's genes, from `gene_names.match_genes`.

    Returns
    -------
    DataFrame
        `gene`, `symbol`, `n_expressed`, `mean` and `variance` (UMIs per 10,000).
    """
    n_have, n_expressed = np.zeros((2, len(reference)), dtype=np.int64)
    total, within = np.zeros((2, len(reference)))
    n_samples = n_cells = 0
    for table, rows in locate_genes(moments, reference):
        own = int(table["n_cells"].max()) if len(table) else 0
        if own == 0:
            continue
        n_samples += 1
        n_cells += own
        n_have[rows] += 1
        n_expressed[rows] += table["n_expressed"]
        total[rows] += table["total"]
        within[rows] += table["total_squares"] - table["total"] ** 2 / own
    if n_samples == 0:
        raise ValueError("no sample has a cell that passes quality control")
    shared: np.ndarray = n_have == n_samples
    if not shared.any():
        raise ValueError(NOTHING_SHARED)
    freedom = max(n_cells - n_samples, 1)
    return (
        reference[["gene", "symbol"]]
        .assign(
            n_expressed=n_expressed,
            mean=total / n_cells,
            variance=np.maximum(within / freedom, 0),
        )[shared]
        .reset_index(drop=True)
    )


def select_genes(
    moments: pd.DataFrame,
    *,
    n_top: int,
    min_cells: int,
    exclude: list[str],
    car_features: str,
) -> pd.DataFrame:
    """Select the highly variable genes, by dispersion standardized within bins of the mean.

    Follows the `seurat` flavor of `scanpy.pp.highly_variable_genes` [1]_.

    Parameters
    ----------
    moments
        From `pool_moments`.
    n_top
        Number of genes to select.
    min_cells
        Genes expressed in fewer cells of the cohort are not considered.
    exclude
        Regular expressions of symbols that are not used for the embedding: sex genes, the CAR
        transgene, receptor and immunoglobulin variable segments.
    car_features
        Pattern for the symbols of CAR transgenes, which are never used.

    Returns
    -------
    DataFrame
        `gene`, `symbol`, `mean`, `dispersion` (standardized), sorted by gene.

    References
    ----------
    .. [1] Satija et al., Nat Biotechnol 33, 495-502 (2015), doi 10.1038/nbt.3192.
    """
    excluded = is_car_feature(moments["symbol"], car_features)
    for pattern in exclude:
        search = re.compile(pattern).search
        excluded = excluded | np.array([search(symbol) is not None for symbol in moments["symbol"]])
    usable = moments[(moments["n_expressed"] >= min_cells) & (moments["mean"] > 0) & ~excluded]
    if len(usable) < 10:
        raise ValueError(
            f"only {len(usable)} genes are expressed in {min_cells} or more cells of the cohort: "
            "too few for an embedding; check the matrices, or lower `genes.min_cells`"
        )
    log_mean = np.log1p(usable["mean"])
    ratio = (usable["variance"] / usable["mean"]).to_numpy(copy=True)
    ratio[ratio == 0] = np.nan
    dispersion = pd.Series(np.log(ratio), index=usable.index)
    bins = pd.cut(log_mean, N_BINS)
    grouped = dispersion.groupby(bins, observed=True)
    center, spread = grouped.transform("mean"), grouped.transform("std")
    alone = spread.isna()
    spread = spread.mask(alone, center)
    center = center.mask(alone, 0)
    standardized = ((dispersion - center) / spread.replace(0, np.nan)).fillna(-np.inf)
    order = np.lexsort((usable["gene"].to_numpy(), -standardized.to_numpy()))
    chosen = usable.assign(dispersion=standardized).iloc[order[:n_top]]
    columns = ["gene", "symbol", "mean", "dispersion"]
    return chosen.sort_values("gene")[columns].reset_index(drop=True)
