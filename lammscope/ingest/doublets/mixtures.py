"""Cells that a mixture of two lineages explains better than one cluster of single cells.

A cell's counts are compared with the profile of every cluster and with mixtures of two clusters of
different lineages, by multinomial likelihoods. The profiles hold the ambient RNA of the channel, so
monocyte transcripts at the level that T cells have anyway are no evidence of a doublet.

Abundant genes that every cell has, such as *MALAT1*, vary more than a multinomial allows. So both
lineages must also show in genes that are rare in the other one. There it counts whether a gene is
seen, not how often: a single gene, whatever its level, is little evidence.
"""

import numpy as np
from scipy import sparse

from lammscope.core.names import PER
from lammscope.core.rates import cell_totals
from lammscope.ingest.doublets.lineages import Profiles

# Our choices, tried on the libraries of `benchmarks.doublets`
SHARES = (0.3, 0.5, 0.7)  # of the first cluster in a mixture
SPECIFIC_FOLD = 4  # a gene's rate in one cluster over that in the other lineage; 2 to 4 are alike
MIN_RATE = 0.5  # UMIs per 10,000 of such a gene in its cluster: others are hardly ever seen
RNA_SHARES = (0.1, 0.2, 0.3, 0.5, 0.7)  # of a lineage in the RNA of a doublet
CHUNK = 2_000  # cells at a time


def find_mixtures(counts: sparse.csr_array, profiles: Profiles) -> tuple[np.ndarray, np.ndarray]:
    """Find the best mixture of two clusters of different lineages for each cell.

    Parameters
    ----------
    counts
        Cells x genes.
    profiles
        Of the clusters of single cells.

    Returns
    -------
    pair
        The row of `profiles.pairs`; all 0 if there are no pairs.
    support
        Log likelihood of the mixture, less that of the best single cluster; minus infinity if all
        clusters have one lineage.
    """
    pairs = profiles.pairs
    n_cells = counts.shape[0]
    if not len(pairs):
        return np.zeros(n_cells, dtype=int), np.full(n_cells, -np.inf)
    shares = profiles.shares
    first, second = shares[pairs[:, 0]], shares[pairs[:, 1]]
    mixtures = [share * first + (1 - share) * second for share in SHARES]
    logs = np.log(np.concatenate([shares, *mixtures])).T.astype(np.float32)
    likelihood = np.asarray(counts.astype(np.float32) @ logs)
    alone, mixed = np.split(likelihood, [len(shares)], axis=1)
    return mixed.argmax(axis=1) % len(pairs), mixed.max(axis=1) - alone.max(axis=1)


def evidence_of_both(counts: sparse.csr_array, profiles: Profiles, pair: np.ndarray) -> np.ndarray:
    """Return how well both lineages of a mixture show in genes of their own.

    Parameters
    ----------
    counts
        Cells x genes.
    profiles
        Of the clusters of single cells.
    pair
        Row of `profiles.pairs` of each cell.

    Returns
    -------
    ndarray
        Log likelihood ratio of the genes seen and not seen, for the lineage with less evidence:
        its cluster adds RNA, against the other lineage alone.
    """
    evidence, pairs = np.full(counts.shape[0], np.inf), profiles.pairs
    totals = cell_totals(counts)
    for number in np.unique(pair):
        both = pairs[number]
        members = np.flatnonzero(pair == number)
        for cells in np.array_split(members, len(members) // CHUNK + 1):
            chosen = counts[cells]
            for one, other in (both, both[::-1]):
                own, alone = profiles.shares[one], _rates_without(profiles, other)
                genes = np.flatnonzero((own >= SPECIFIC_FOLD * alone) & (own >= MIN_RATE / PER))
                seen = chosen[:, genes].toarray() > 0
                ratio = _ratio(seen, totals[cells], own=own[genes], alone=alone[genes])
                evidence[cells] = np.minimum(evidence[cells], ratio)
    return evidence


def _rates_without(profiles: Profiles, cluster: int) -> np.ndarray:
    """Return the share of each gene in a cluster, or in its lineage's mean if that is higher."""
    lineage = profiles.shares[profiles.lineages == profiles.lineages[cluster]].mean(axis=0)
    return np.asarray(np.maximum(profiles.shares[cluster], lineage))


def _ratio(
    seen: np.ndarray, totals: np.ndarray, *, own: np.ndarray, alone: np.ndarray
) -> np.ndarray:
    """Return the log likelihood ratio of seen genes (cells x genes), at the best share of RNA."""
    expected = totals[:, None] * alone
    ratios = []
    for share in RNA_SHARES:
        mixed = totals[:, None] * (share * own + (1 - share) * alone)
        seen_ratio = np.log(np.expm1(-mixed) / np.expm1(-expected))
        ratios.append(np.where(seen, seen_ratio, expected - mixed).sum(axis=1))
    return np.asarray(np.max(ratios, axis=0))
