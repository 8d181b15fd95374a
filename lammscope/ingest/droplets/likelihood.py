"""Log-likelihood of a barcode's counts if it holds ambient RNA only."""

import numpy as np
from scipy import sparse
from scipy.special import gammaln

BLOCK = 10_000  # barcodes processed at a time


def log_likelihood(
    counts: sparse.csr_array, *, profile: np.ndarray, concentration: float
) -> np.ndarray:
    """Compute the log-likelihood of each barcode under a Dirichlet-multinomial distribution.

    Parameters
    ----------
    counts
        Barcodes x genes.
    profile
        Share of each gene in ambient RNA, above 0 where there are counts.
    concentration
        From `fit_concentration`; infinite for a multinomial distribution.

    Returns
    -------
    ndarray
        One value per barcode, natural logarithms: `LogProb` of DropletUtils' `testEmptyDrops`.
    """
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    constant = gammaln(totals + 1)
    if np.isfinite(concentration):
        constant += gammaln(concentration) - gammaln(totals + concentration)
    return constant + count_terms(counts, profile=profile, concentration=concentration)


def count_terms(
    counts: sparse.csr_array, *, profile: np.ndarray, concentration: float
) -> np.ndarray:
    """Compute the part of the log-likelihood that differs between barcodes of equal totals."""
    terms = [
        _block_terms(counts[start : start + BLOCK], profile, concentration)
        for start in range(0, counts.shape[0], BLOCK)
    ]
    return np.concatenate([np.zeros(0), *terms])


def _block_terms(counts: sparse.csr_array, profile: np.ndarray, concentration: float) -> np.ndarray:
    values = counts.data.astype(np.float64)
    if np.isfinite(concentration):
        prior = concentration * profile[counts.indices]
        terms = gammaln(prior + values) - gammaln(prior)
    else:
        terms = values * np.log(profile[counts.indices])
    terms -= gammaln(values + 1)
    rows = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    return np.bincount(rows, weights=terms, minlength=counts.shape[0])
