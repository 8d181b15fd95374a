"""How far the counts of barcodes deviate from ambient RNA: a metric, also where nothing is tested.

A simple deviance separates cells from ambient RNA well in poor libraries. In a filtered matrix of a
good library, ambient RNA is not known; then the profile is that of the barcodes with the fewest
UMIs, which hold relatively much of it.
"""

import numpy as np
from scipy import sparse

from lammscope.core.rates import cell_totals, gene_totals
from lammscope.ingest.droplets.profile import ambient_profile
from lammscope.ingest.quality.ambient import MIN_LOW, MIN_SHARE, MIN_UMIS, AmbientCalls

NEVER = 1e-12  # share of genes that the profile lacks
SMALLEST = 0.2  # share of the barcodes whose profile stands in for ambient RNA; our choice
N_TOTALS = 40  # totals whose expected deviance is computed; between them, it is nearly linear
# Poisson means below which the expected deviance is summed. Above, it is 1 + 1 / (6 mean).
LARGE_MEAN = 30.0
N_COUNTS = 120  # counts in that sum: more have a probability below 1e-30


def profile_of_calls(counts: sparse.csr_array, calls: AmbientCalls, *, lower: int) -> np.ndarray:
    """Return the ambient profile of a matrix, or of its smallest barcodes if nothing was tested.

    Parameters
    ----------
    counts
        All barcodes of a matrix x genes.
    calls
        From `find_ambient`.
    lower
        Barcodes with fewer UMIs are nearly empty, and are left out.

    Returns
    -------
    ndarray
        Share of each gene; zeros if there are too few barcodes or UMIs.
    """
    if calls.source:
        return calls.profile
    totals = cell_totals(counts)
    filled = np.flatnonzero(totals >= lower)
    order = filled[np.argsort(totals[filled], kind="stable")]
    smallest = order[: max(int(SMALLEST * len(order)), MIN_LOW)]
    if len(order) < MIN_LOW or totals[smallest].sum() < MIN_UMIS:
        return np.zeros(counts.shape[1])
    sums = gene_totals(counts[smallest])
    seen = np.zeros(counts.shape[1], dtype=bool)
    seen[counts.indices] = True
    return ambient_profile(sums, seen=seen)


def relative_deviance(counts: sparse.csr_array, profile: np.ndarray) -> np.ndarray:
    """Compute the deviance of each barcode from a profile, relative to that of draws from it.

    Genes with a share below `MIN_SHARE` are summed. The deviance is that of a multinomial
    distribution, and its expectation that of as many UMIs.

    Parameters
    ----------
    counts
        Barcodes x genes.
    profile
        Share of each gene, with sum 1, or zeros if it is not known.

    Returns
    -------
    ndarray
        One value per barcode: about 1 if its counts are drawn from the profile, above it if they
        differ. NaN for barcodes without UMIs, and if the profile is not known.
    """
    totals = cell_totals(counts).astype(np.float64)
    result = np.full(len(totals), np.nan)
    if not profile.any() or not totals.any():
        return result
    common = profile >= MIN_SHARE
    chosen = np.flatnonzero(common[counts.indices])
    values, shares = counts.data[chosen].astype(np.float64), profile[counts.indices[chosen]]
    before = np.searchsorted(chosen, counts.indptr)
    rows = np.repeat(np.arange(len(totals)), np.diff(before))
    rest = totals - np.bincount(rows, weights=values, minlength=len(totals))
    pooled = np.append(profile[common], profile[~common].sum())
    known = totals > 0
    terms = np.bincount(
        rows, weights=values * np.log(values / shares), minlength=len(totals)
    ) + rest * np.log(np.maximum(rest, 1) / max(pooled[-1], NEVER))
    deviance = 2 * (terms - totals * np.log(np.maximum(totals, 1)))
    result[known] = deviance[known] / _expected_deviance(totals[known], pooled[pooled > 0])
    return result


def _expected_deviance(totals: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """Compute the expected deviance of multinomial draws of each total.

    It is that of independent Poisson counts less that of their sum, which is not random here.
    """
    sizes = np.geomspace(totals.min(), totals.max() + 1, N_TOTALS)
    means = np.append(sizes[:, None] * profile, sizes[:, None], axis=1)
    deviance = _poisson_deviance(means)
    expected = deviance[:, :-1].sum(axis=1) - deviance[:, -1]
    return np.asarray(np.interp(np.log(totals), np.log(sizes), np.maximum(expected, 1e-9)))


def _poisson_deviance(mean: np.ndarray) -> np.ndarray:
    """Compute the expectation of 2 x log(x / mean), with x from a Poisson distribution."""
    from scipy.special import gammaln  # imported here: small jobs do without it

    x = np.arange(1, N_COUNTS)
    grid = np.geomspace(1e-8, LARGE_MEAN, 200)[:, None]
    probability = np.exp(x * np.log(grid) - grid - gammaln(x + 1))
    small = (probability * 2 * x * np.log(x / grid)).sum(axis=1)
    low = np.interp(np.log(np.clip(mean, 1e-8, LARGE_MEAN)), np.log(grid[:, 0]), small)
    return np.asarray(np.where(mean < LARGE_MEAN, low, 1 + 1 / (6 * mean)))
