"""Barcodes whose counts differ from ambient RNA: the test of EmptyDrops."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.ingest.droplets.likelihood import Ambient, count_terms, log_likelihood
from lammscope.ingest.droplets.monte_carlo import count_as_unlikely


@dataclass(frozen=True)
class CallSettings:
    """How barcodes are tested.

    Attributes
    ----------
    retain
        Barcodes with at least this many UMIs are cells without a test: the knee, or infinite.
    max_counts
        UMIs used per barcode; of a larger one, a random subset of this size is tested, which bounds
        the time and keeps the false-positive rate.
    n_iterations
        Simulated barcodes (10,000 in DropletUtils).
    """

    retain: float
    max_counts: int
    n_iterations: int


def call_barcodes(
    counts: sparse.csr_array,
    *,
    ambient: Ambient,
    settings: CallSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Test whether barcodes differ from ambient RNA, as DropletUtils' `emptyDrops` [1]_ does.

    Parameters
    ----------
    counts
        Barcodes x genes, those with enough UMIs to be a cell. Genes with counts have a share above
        0 in the ambient profile.
    ambient
        Profile and concentration.
    settings
        What is retained, and how many UMIs and simulations are used.
    rng
        Source of randomness.

    Returns
    -------
    DataFrame
        One row per barcode: `total`, `log_likelihood` (of all counts), `p_value` (NaN if retained
        or without counts) and `fdr` (Benjamini-Hochberg over all with counts; retained barcodes
        have a p of 0 in it). The smallest p is 1 / (`n_iterations` + 1).

    References
    ----------
    .. [1] Lun et al., Genome Biol 20, 63 (2019), doi 10.1186/s13059-019-1662-y.
    """
    totals = np.asarray(counts.sum(axis=1)).ravel().astype(np.int64)
    tested = np.flatnonzero((totals > 0) & (totals < settings.retain))
    chosen = _thinned(counts[tested], max_counts=settings.max_counts, rng=rng)
    hits = count_as_unlikely(
        count_terms(chosen, ambient=ambient),
        totals=np.minimum(totals[tested], settings.max_counts),
        ambient=ambient,
        n_iterations=settings.n_iterations,
        rng=rng,
    )
    p_value = np.full(len(totals), np.nan)
    p_value[tested] = (hits + 1) / (settings.n_iterations + 1)
    return pd.DataFrame(
        {
            "total": totals,
            "log_likelihood": log_likelihood(counts, ambient=ambient),
            "p_value": p_value,
            "fdr": adjusted(np.where(totals >= settings.retain, 0, p_value)),
        }
    )


def _thinned(
    counts: sparse.csr_array, *, max_counts: int, rng: np.random.Generator
) -> sparse.csr_array:
    """Draw `max_counts` UMIs without replacement from each barcode that has more."""
    data = counts.data.astype(np.int64)
    for row in np.flatnonzero(np.asarray(counts.sum(axis=1)).ravel() > max_counts):
        own = slice(counts.indptr[row], counts.indptr[row + 1])
        data[own] = rng.multivariate_hypergeometric(data[own], max_counts, method="marginals")
    return sparse.csr_array((data, counts.indices, counts.indptr), shape=counts.shape)


def adjusted(p_value: np.ndarray) -> np.ndarray:
    """Adjust p-values by Benjamini and Hochberg; NaN stays NaN and does not count."""
    known = np.flatnonzero(~np.isnan(p_value))
    order = known[np.argsort(p_value[known], kind="stable")[::-1]]
    ranks = np.arange(len(order), 0, -1)
    adjusted = np.full(len(p_value), np.nan)
    adjusted[order] = np.minimum.accumulate(np.minimum(p_value[order] * len(order) / ranks, 1))
    return adjusted
