"""Share of a population's counts of each gene that ambient RNA can explain.

Two estimates for populations of cells whose counts are summed: the largest contribution that the
counts allow, and the contribution that genes show which the population certainly lacks. Both follow
DropletUtils (`ambientContribMaximum`, `ambientContribNegative`) [1]_.

References
----------
.. [1] https://bioconductor.org/books/3.18/OSCA.multisample/ambient-problems.html
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import betainc, pdtr

BISECTIONS = 45  # of the scaling: to 3e-14 of its range


def ambient_share_maximum(
    sums: np.ndarray, *, profile: np.ndarray, threshold: float, dispersion: float
) -> np.ndarray:
    """Compute an upper limit of the share of counts that is ambient RNA.

    The profile is scaled up until a gene has significantly fewer counts than it predicts.

    Parameters
    ----------
    sums
        Populations x genes, summed UMIs.
    profile
        Share (or counts) of each gene in ambient RNA.
    threshold
        False discovery rate over the genes of a population at which the scaling stops (0.1 in
        DropletUtils).
    dispersion
        Of the negative binomial distribution of the counts; 0 for a Poisson distribution.

    Returns
    -------
    ndarray
        Populations x genes, at most 1; NaN where there are no counts.
    """
    scales = np.array(
        [
            maximum_scale(row, profile=profile, threshold=threshold, dispersion=dispersion)
            for row in sums
        ]
    )
    return _shares(sums, scales.reshape(-1, 1) * profile)


def maximum_scale(
    sums: np.ndarray, *, profile: np.ndarray, threshold: float, dispersion: float
) -> float:
    """Find the largest multiple of the profile that agrees with one population's counts.

    It is at most the multiple with the population's total. Parameters are those of
    `ambient_share_maximum`; DropletUtils searches a grid, and this bisects.
    """
    present = profile > 0
    counts, shares = sums[present], profile[present]
    low, high = 0.0, float(counts.sum() / shares.sum())
    if not _too_few(counts, high * shares, threshold, dispersion):
        return high
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if _too_few(counts, middle * shares, threshold, dispersion):
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _too_few(counts: np.ndarray, expected: np.ndarray, threshold: float, dispersion: float) -> bool:
    """Return whether any gene has fewer counts than expected, at a false discovery rate."""
    if dispersion:
        size = 1 / dispersion
        p_value = betainc(size, counts + 1.0, size / (size + expected))
    else:
        p_value = pdtr(counts, expected)
    ranked = np.sort(p_value)
    return bool((ranked <= threshold * np.arange(1, len(ranked) + 1) / len(ranked)).any())


def ambient_share_negative(
    sums: np.ndarray, *, profile: np.ndarray, gene_sets: Sequence[np.ndarray]
) -> np.ndarray:
    """Estimate the share of counts that is ambient RNA from genes that are not expressed.

    Parameters are those of `negative_scales`. The result is populations x genes, at most 1; NaN
    where there are no counts.
    """
    scales = negative_scales(sums, profile=profile, gene_sets=gene_sets)
    return _shares(sums, scales[:, None] * profile)


def negative_scales(
    sums: np.ndarray, *, profile: np.ndarray, gene_sets: Sequence[np.ndarray]
) -> np.ndarray:
    """Find the multiple of the profile that explains the counts of genes that are not expressed.

    Parameters
    ----------
    sums
        Populations x genes, summed UMIs.
    profile
        Share (or counts) of each gene in ambient RNA.
    gene_sets
        Positions of the genes of each set. If there is one set, no population expresses it. Of
        several, each population expresses at most one: of two sets the smaller scaling of the
        profile is used, of more the second largest.

    Returns
    -------
    ndarray
        One multiple per population.

    Raises
    ------
    ValueError
        If there is no set, or the genes of a set have no ambient RNA.
    """
    expected = np.array([profile[genes].sum() for genes in gene_sets])
    if not len(expected) or not expected.all():
        raise ValueError("no gene of a set is in the ambient profile: choose other genes")
    observed = np.column_stack([sums[:, genes].sum(axis=1) for genes in gene_sets])
    ratios = np.sort(observed / expected, axis=1)
    chosen: np.ndarray = ratios[:, 0] if len(expected) < 3 else ratios[:, -2]
    return chosen


def _shares(sums: np.ndarray, ambient: np.ndarray) -> np.ndarray:
    """Divide ambient counts by all counts."""
    shares = np.full(sums.shape, np.nan)
    np.divide(ambient, sums, out=shares, where=sums > 0)
    return shares.clip(max=1)
