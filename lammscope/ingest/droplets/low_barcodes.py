"""Barcodes with few UMIs, which hold ambient RNA only: their sums and their overdispersion."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.rates import gene_totals

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
    gene_above
        Genes x counts: barcodes with more than 0, 1, 2, ... UMIs of the gene.
    total_above
        Barcodes with more than 0, 1, 2, ... UMIs in total.
    """

    n_barcodes: int
    sums: np.ndarray
    gene_above: np.ndarray
    total_above: np.ndarray


def summarize_low_barcodes(
    counts: sparse.csr_array, *, totals: np.ndarray, lower: int
) -> LowBarcodes:
    """Summarize the barcodes (rows of `counts`) that have 1 to `lower` UMIs in `totals`."""
    rows = np.flatnonzero((totals > 0) & (totals <= lower))
    n_genes = counts.shape[1]
    sums = np.zeros(n_genes, dtype=np.int64)
    gene_counts = np.zeros((n_genes, 1), dtype=np.int64)
    for start in range(0, len(rows), BLOCK):
        part = counts[rows[start : start + BLOCK]]
        sums += gene_totals(part)
        size = int(part.data.max()) + 1
        keys = part.indices.astype(np.int64) * size + part.data
        block = np.bincount(keys, minlength=n_genes * size).reshape(n_genes, size)
        gene_counts = _widened(gene_counts, size)
        gene_counts[:, :size] += block
    total_counts = np.bincount(totals[rows].astype(np.int64), minlength=1)
    return LowBarcodes(len(rows), sums, _above(gene_counts), _above(total_counts))


def _widened(table: np.ndarray, size: int) -> np.ndarray:
    """Append columns of zeros up to `size` columns."""
    return np.pad(table, ((0, 0), (0, max(size - table.shape[1], 0))))


def _above(numbers: np.ndarray) -> np.ndarray:
    """Turn numbers with exactly 0, 1, 2, ... (last axis) into numbers with more than that."""
    at_least = np.cumsum(numbers[..., ::-1], axis=-1)[..., ::-1]
    return at_least[..., 1:]


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

    genes, above = np.nonzero(low.gene_above)
    weights, shares = low.gene_above[genes, above], profile[genes]
    thresholds = np.arange(len(low.total_above))

    def loss(log_alpha: float) -> float:
        """Return the negative log-likelihood: log-gamma functions are sums over the counts."""
        alpha = np.exp(log_alpha)
        of_totals = low.total_above @ np.log(alpha + thresholds)
        return float(of_totals - weights @ np.log(alpha * shares + above))

    bounds = tuple(np.log(ALPHA_BOUNDS))
    fit = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": STEP})
    return float(np.exp(fit.x))
