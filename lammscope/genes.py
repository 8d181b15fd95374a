"""Which genes the joint space is built from: moments per sample, pooled, then ranked."""

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.identifiers import locate_genes
from lammscope.shards import Shard

NOTHING_SHARED = (
    "the samples have no gene in common: were they counted against different references (Ensembl "
    "ids here, symbols there)?"
)
BLOCK = 1_000  # cells whose rates are in memory at a time
N_BINS = 20  # of mean expression, as in the reference implementations


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


def pool_moments(moments: Iterable[pd.DataFrame], *, reference: pd.DataFrame) -> pd.DataFrame:
    """Mean and within-sample variance over a cohort, from the samples' moments.

    The variance is pooled within samples, so a gene that differs only between libraries (a batch
    effect) is not variable. Genes that some sample's matrix lacks are left out.

    Parameters
    ----------
    moments
        Of each sample, from `gene_moments`; read one at a time.
    reference
        The cohort's genes, from `identifiers.match_genes`.

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
    shared = n_have == n_samples
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
    """The highly variable genes, by dispersion standardised within bins of the mean.

    Follows the `seurat` flavour of `scanpy.pp.highly_variable_genes` [1]_.

    Parameters
    ----------
    moments
        From `pool_moments`.
    n_top
        How many genes to take.
    min_cells
        Genes seen in fewer cells of the cohort are not considered.
    exclude
        Regular expressions of symbols that must not shape the joint space: sex genes, the CAR
        transgene, receptor and immunoglobulin variable segments.
    car_features
        Pattern for the symbols of CAR transgenes, which never shape it.

    Returns
    -------
    DataFrame
        `gene`, `symbol`, `mean`, `dispersion` (standardised), sorted by gene.

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
            f"only {len(usable)} genes are seen in {min_cells} or more cells of the cohort: too "
            "few to build a joint space; check the matrices, or lower `genes.min_cells`"
        )
    log_mean = np.log1p(usable["mean"])
    ratio = (usable["variance"] / usable["mean"]).to_numpy(copy=True)
    ratio[ratio == 0] = np.nan
    dispersion = pd.Series(np.log(ratio), index=usable.index)
    bins = pd.cut(log_mean, N_BINS)
    grouped = dispersion.groupby(bins, observed=True)
    centre, spread = grouped.transform("mean"), grouped.transform("std")
    alone = spread.isna()
    spread = spread.mask(alone, centre)
    centre = centre.mask(alone, 0)
    standardised = ((dispersion - centre) / spread.replace(0, np.nan)).fillna(-np.inf)
    order = np.lexsort((usable["gene"].to_numpy(), -standardised.to_numpy()))
    chosen = usable.assign(dispersion=standardised).iloc[order[:n_top]]
    columns = ["gene", "symbol", "mean", "dispersion"]
    return chosen.sort_values("gene")[columns].reset_index(drop=True)


def shared_ids(ids: list[pd.Series]) -> pd.Index:
    """Gene ids that all samples have, in the order of the first."""
    shared = pd.Index(ids[0])
    for other in ids[1:]:
        shared = shared.intersection(pd.Index(other), sort=False)
    if shared.empty:
        raise ValueError(NOTHING_SHARED)
    return shared


def gene_columns(shard: Shard, genes: pd.Series | pd.Index) -> np.ndarray:
    """Columns of a shard that hold the given gene ids, all of which must be there."""
    return pd.Index(shard.genes["gene"]).get_indexer(genes)


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
