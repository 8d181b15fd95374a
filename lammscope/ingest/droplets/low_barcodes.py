"""Barcodes with few UMIs, which hold ambient RNA only: their sums and their overdispersion."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.rates import gene_totals, take_cells

BLOCK = 100_000  # barcodes processed at a time
# Of the concentration. DropletUtils stops at 10,000; multinomial counts would then seem too even.
ALPHA_BOUNDS = (0.01, 1_000_000.0)
STEP = 1e-6  # precision of the logarithm of the concentration


@dataclass(frozen=True)
class LowBarcodes:
    """Counts of barcodes with few UMIs, summarized in one pass.

    The likelihood of a Dirichlet-multinomial distribution depends on nothing else, so that its size
    does not depend on the number of barcodes.

    Attributes
    ----------
    n_barcodes
        Barcodes with a UMI.
    sums
        UMIs per gene.
    gene, threshold, n_above
        For each gene and each count from 0 to the one below its highest: the gene, the count, and
        the barcodes with more UMIs of the gene than that.
    total_above
        Barcodes with more than 0, 1, 2, ... UMIs in total.
    """

    n_barcodes: int
    sums: np.ndarray
    gene: np.ndarray
    threshold: np.ndarray
    n_above: np.ndarray
    total_above: np.ndarray


def summarize_low_barcodes(
    counts: sparse.csr_array, *, totals: np.ndarray, lower: int
) -> LowBarcodes:
    """Summarize the barcodes (rows of `counts`) that have 1 to `lower` UMIs in `totals`."""
    rows = np.flatnonzero((totals > 0) & (totals <= lower))
    n_genes = counts.shape[1]
    blocks = [rows[start : start + BLOCK] for start in range(0, len(rows), BLOCK)]
    sums, highest = np.zeros((2, n_genes), dtype=np.int64)
    for block in blocks:
        part = take_cells(counts, block)
        sums += gene_totals(part)
        np.maximum.at(highest, part.indices, part.data)
    # counts 1, 2, ... of the first gene, then of the second, ...: their numbers of barcodes
    ends = np.cumsum(highest)
    numbers = np.zeros(ends[-1] if n_genes else 0, dtype=np.int64)
    for block in blocks:
        part = take_cells(counts, block)
        filled = part.data > 0
        place = (ends - highest)[part.indices[filled]] + part.data[filled] - 1
        numbers += np.bincount(place, minlength=len(numbers))
    gene = np.repeat(np.arange(n_genes), highest)
    at_least = np.cumsum(numbers[::-1])[::-1]  # of this gene and those behind it
    behind = np.append(at_least, 0)[ends]
    total_above = _above(np.bincount(totals[rows].astype(np.int64), minlength=1))
    return LowBarcodes(
        n_barcodes=len(rows),
        sums=sums,
        gene=gene,
        threshold=np.arange(len(gene)) - (ends - highest)[gene],
        n_above=at_least - behind[gene],
        total_above=total_above,
    )


def _above(numbers: np.ndarray) -> np.ndarray:
    """Turn numbers with exactly 0, 1, 2, ... into numbers with more than that."""
    return np.cumsum(numbers[::-1])[::-1][1:]


def fit_concentration(low: LowBarcodes, *, profile: np.ndarray) -> float:
    """Estimate how little barcodes with ambient RNA vary, by maximum likelihood.

    Their counts are taken as Dirichlet-multinomial with parameters concentration x profile. The
    estimate is DropletUtils' `alpha`; the larger it is, the closer the counts are to multinomial.

    Parameters
    ----------
    low
        Counts of the barcodes.
    profile
        Share of each gene in ambient RNA, above 0 where `low` has UMIs.

    Returns
    -------
    float
        Between 0.01 and 1,000,000.
    """
    from scipy.optimize import minimize_scalar  # imported here: small jobs do without it

    shares = profile[low.gene]
    thresholds = np.arange(len(low.total_above))

    def loss(log_alpha: float) -> float:
        """Return the negative log-likelihood: log-gamma functions are sums over the counts."""
        alpha = np.exp(log_alpha)
        of_totals = low.total_above @ np.log(alpha + thresholds)
        return float(of_totals - low.n_above @ np.log(alpha * shares + low.threshold))

    bounds = tuple(np.log(ALPHA_BOUNDS))
    fit = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": STEP})
    return float(np.exp(fit.x))
