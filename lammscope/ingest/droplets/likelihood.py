"""Log-likelihood of a barcode's counts if it holds ambient RNA only."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import gammaln

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
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
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
    terms -= gammaln(values + 1)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    return np.bincount(rows, weights=terms, minlength=counts.shape[0])
