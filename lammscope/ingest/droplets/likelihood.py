"""How well a barcode's counts agree with ambient RNA: log-likelihood and deviance."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from lammscope.core.rates import cell_totals

BLOCK = 10_000  # barcodes processed at a time


@dataclass(frozen=True)
class Ambient:
    """Dirichlet-multinomial model of the counts of ambient RNA.

    Attributes
    ----------
    profile
        Share of each gene, with sum 1.
    concentration
        From `fit_concentration`; infinite for a multinomial distribution.
    """

    profile: np.ndarray
    concentration: float


def log_likelihood(counts: sparse.csr_array, *, ambient: Ambient) -> np.ndarray:
    """Compute the log-likelihood of each barcode under a Dirichlet-multinomial distribution.

    Parameters
    ----------
    counts
        Barcodes x genes.
    ambient
        Its profile is above 0 where there are counts.

    Returns
    -------
    ndarray
        One value per barcode, natural logarithms: `LogProb` of DropletUtils' `testEmptyDrops`.
    """
    totals = cell_totals(counts).astype(np.float64)
    constant = gammaln(totals + 1)
    if np.isfinite(ambient.concentration):
        constant += gammaln(ambient.concentration) - gammaln(totals + ambient.concentration)
    return count_terms(counts, ambient=ambient) + np.asarray(constant)


def count_terms(counts: sparse.csr_array, *, ambient: Ambient) -> np.ndarray:
    """Compute the part of the log-likelihood that differs between barcodes of equal totals."""
    terms = [
        _block_terms(counts[start : start + BLOCK], ambient)
        for start in range(0, counts.shape[0], BLOCK)
    ]
    return np.concatenate([np.zeros(0), *terms])


def _block_terms(counts: sparse.csr_array, ambient: Ambient) -> np.ndarray:
    values, shares = counts.data.astype(np.float64), ambient.profile[counts.indices]
    if np.isfinite(ambient.concentration):
        prior = ambient.concentration * shares
        terms = gammaln(prior + values) - gammaln(prior)
    else:
        terms = values * np.log(shares)
    return _row_sums(counts, terms - gammaln(values + 1))


def deviance_terms(counts: sparse.csr_array, *, ambient: Ambient) -> np.ndarray:
    """Compute minus half the deviance of each barcode from the profile, but for its total.

    That is the sum of x log(p / x) over its genes, with x UMIs and share p. To barcodes of equal
    totals the deviance from a multinomial distribution adds the same.
    """
    values = counts.data.astype(np.float64)
    return _row_sums(counts, values * np.log(ambient.profile[counts.indices] / values))


def _row_sums(counts: sparse.csr_array, terms: np.ndarray) -> np.ndarray:
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    return np.bincount(rows, weights=terms, minlength=counts.shape[0])


def pool_rare_genes(
    counts: sparse.csr_array, profile: np.ndarray, *, min_share: float
) -> tuple[sparse.csr_array, np.ndarray]:
    """Sum the genes with a smaller share in ambient RNA, as the last gene; they mostly add noise.

    Returns counts and profile of the other genes and of that sum, which is left out if its share
    is 0.
    """
    rare = profile < min_share
    if not profile[rare].sum():
        return counts, profile
    kept = np.flatnonzero(~rare)
    columns = np.full(len(profile), len(kept))
    columns[kept] = np.arange(len(kept))
    place = (np.arange(len(profile)), columns)
    pooling = sparse.csr_array((np.ones(len(profile), dtype=counts.dtype), place))
    pooled = sparse.csr_array(counts @ pooling)
    return pooled, np.append(profile[kept], profile[rare].sum())
