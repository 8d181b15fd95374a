"""Doublets of two lineages: cells that the sum of two lineages' profiles explains better than one.

Cells are clustered, and each cluster is given a lineage by a few canonical markers. A cell's counts
are compared with the profile of every cluster and with mixtures of two clusters of different
lineages, by multinomial likelihoods. The profiles hold the ambient RNA of the channel, so monocyte
transcripts at the level that T cells have anyway are no evidence of a doublet. In a channel of one
lineage there is no mixture, and nothing to call.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.k_means import k_means
from lammscope.core.names import PER

# Markers and their typical rates (UMIs per 10,000) in cells of the lineage: those of
# `resources/markers/immune_blood_tumour.yaml`, which names their sources; the rates of the last
# three lineages are estimates. Of several sets the one with the highest activity counts. T and NK
# cells share a lineage, and so do B and plasma cells: many single cells lie between them.
LINEAGES: dict[str, tuple[dict[str, float], ...]] = {
    "T or NK": (
        {"CD3D": 10, "CD3E": 10, "CD3G": 3, "TRAC": 3, "TRBC1": 3, "CD2": 3},
        {"NKG7": 60, "GNLY": 100, "KLRD1": 4.5, "KLRF1": 5, "PRF1": 10},
    ),
    "B": (
        {"CD79A": 25, "CD79B": 18, "MS4A1": 9, "BANK1": 2.5, "CD22": 1.5, "CD19": 1.5},
        {"MZB1": 10, "DERL3": 4, "TNFRSF17": 2, "JCHAIN": 20},
    ),
    "myeloid": (
        {"LYZ": 40, "S100A8": 150, "S100A9": 60, "CD14": 9, "FCN1": 18, "VCAN": 8, "MNDA": 3},
        {"LYZ": 40, "CST3": 40, "AIF1": 15, "MS4A7": 8, "SPI1": 6, "CSF1R": 1.5},
    ),
    "epithelial": ({"EPCAM": 3, "KRT8": 5, "KRT18": 5, "KRT19": 5},),
    "endothelial": ({"PECAM1": 3, "VWF": 5, "CLDN5": 3, "CDH5": 2},),
    "stromal": ({"COL1A1": 20, "COL1A2": 15, "COL3A1": 20, "DCN": 10, "LUM": 8},),
}
MIXED = "mixed"

# Our choices, tried on the libraries of `benchmarks.doublets`
PRESENT = 0.2  # mean activity of a lineage's markers (1 at their typical rates) in its clusters
SECOND = 0.5  # of the first lineage's activity: with more, a cluster may consist of doublets
AMBIENT = 0.3  # of a gene's mean rate: ambient RNA is assumed to add no more than this
MAX_CLUSTERS = 12  # the time grows with their square
CELLS_PER_CLUSTER = 20  # on average, at least
NAMED = 0.5  # of the single cells must have a lineage, or no mixture is tried
MIN_CLUSTER = 5  # cells of a cluster whose doublets are looked for
SHARES = (0.3, 0.5, 0.7)  # of the first cluster in a mixture
PRIOR_UMI = 200  # weight of the channel's profile in that of a cluster
OWN_FOLD = 4  # a gene of a group's own has this many times the highest rate of any cluster
OWN_COUNTS = 5  # UMIs of such a gene in the group, at least
CLUSTER_FOLD, CLUSTER_COUNTS = 2, 20  # the same for clusters, which have more UMIs
OWN_GENES = 5  # that many make a group a population of its own


@dataclass(frozen=True)
class Profiles:
    """Clusters of single cells: share of every gene (clusters x genes), lineage and cells."""

    shares: np.ndarray
    lineages: np.ndarray

    @property
    def pairs(self) -> np.ndarray:
        """The pairs of clusters of different lineages (pairs x 2)."""
        first, second = np.triu_indices(len(self.lineages), 1)
        one, other = self.lineages[first], self.lineages[second]
        return np.asarray(
            np.column_stack([first, second])[(one != other) & (one != "") & (other != "")]
        )


def marker_columns(symbols: np.ndarray) -> np.ndarray:
    """Return the columns of the markers of all lineages."""
    known = {gene for sets in LINEAGES.values() for markers in sets for gene in markers}
    return np.flatnonzero(np.isin(symbols, list(known)))


def cluster_profiles(
    counts: sparse.csr_array,
    points: np.ndarray,
    *,
    totals: np.ndarray,
    symbols: np.ndarray,
    rng: np.random.Generator,
) -> Profiles:
    """Cluster cells that are likely single, and return the profiles of the clusters.

    Parameters
    ----------
    counts
        Cells x genes (variable genes and markers).
    points
        Cells x components.
    totals
        UMIs per cell, of all genes.
    symbols
        The genes' symbols.
    rng
        Source of randomness.

    Returns
    -------
    Profiles
        Without clusters that may consist of doublets: those with the markers of no lineage or of
        two, and without genes that no other cluster has.
    """
    wanted = min(MAX_CLUSTERS, max(1, len(points) // CELLS_PER_CLUSTER))
    labels = k_means(points, n_clusters=wanted, rng=rng)
    n_clusters = labels.max() + 1
    member = sparse.csr_array(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(n_clusters, len(labels))
    )
    sums = np.asarray((member @ counts).toarray(), dtype=float)
    rates = sums / np.maximum(member @ totals, 1)[:, None] * PER
    lineages = lineages_of(rates, symbols)
    overall = (sums.sum(axis=0) + 0.5) / (sums.sum() + 0.5 * sums.shape[1])
    sizes = sums.sum(axis=1, keepdims=True)
    shares = (sums + PRIOR_UMI * overall) / (sizes + PRIOR_UMI)
    named = (lineages != "") & (lineages != MIXED)
    if named[labels].mean() < NAMED:
        return Profiles(shares, np.full(len(lineages), "", dtype=str))
    own = (sums >= CLUSTER_COUNTS) & (shares > CLUSTER_FOLD * shares[named].max(axis=0))
    single = named | (own.sum(axis=1) >= OWN_GENES)
    names = np.where(named & (np.bincount(labels) >= MIN_CLUSTER), lineages, "")
    return Profiles(shares[single], names[single])


def lineages_of(rates: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return the lineage of each cluster, from UMIs per 10,000 (clusters x genes).

    Empty if no lineage's markers are active, and `MIXED` if those of two lineages are.
    """
    own = rates - np.minimum(rates.min(axis=0), AMBIENT * rates.mean(axis=0))
    column = {symbol: position for position, symbol in enumerate(symbols)}
    activity = np.zeros((len(rates), len(LINEAGES)))
    for number, sets in enumerate(LINEAGES.values()):
        for markers in sets:
            found = [gene for gene in markers if gene in column]
            if 2 * len(found) >= len(markers):
                levels = np.array([markers[gene] for gene in found])
                part = np.minimum(own[:, [column[gene] for gene in found]] / levels, 1)
                activity[:, number] = np.maximum(activity[:, number], part.mean(axis=1))
    first, second = -np.sort(-activity, axis=1)[:, :2].T
    names = np.array(list(LINEAGES))[activity.argmax(axis=1)].astype(object)
    names[(second >= PRESENT) & (second > SECOND * first)] = MIXED
    names[first < PRESENT] = ""
    return np.asarray(names, dtype=str)


def support_for_two(counts: sparse.csr_array, profiles: Profiles) -> np.ndarray:
    """Return how much better two lineages explain each cell than one cluster.

    Returns
    -------
    ndarray
        Per cell the log likelihood of the best mixture of two clusters of different lineages, less
        that of the best single cluster; minus infinity if all clusters have one lineage.
    """
    pairs = profiles.pairs
    if not len(pairs):
        return np.full(counts.shape[0], -np.inf)
    shares = profiles.shares
    first, second = shares[pairs[:, 0]], shares[pairs[:, 1]]
    mixtures = [share * first + (1 - share) * second for share in SHARES]
    logs = np.log(np.concatenate([shares, *mixtures])).T.astype(np.float32)
    likelihood = np.asarray(counts.astype(np.float32) @ logs)
    n_single = len(shares)
    return np.asarray(likelihood[:, n_single:].max(axis=1) - likelihood[:, :n_single].max(axis=1))


def have_own_genes(counts: sparse.csr_array, groups: np.ndarray, profiles: Profiles) -> np.ndarray:
    """Tell whether small groups of cells have genes that no cluster of single cells has.

    The RNA of a doublet is that of its cells. A group with genes of its own is a rare population.

    Parameters
    ----------
    counts
        Cells x genes.
    groups
        Groups x members, indices of cells.
    profiles
        Of the clusters of single cells.
    """
    pooled = np.zeros((len(groups), counts.shape[1]))
    for member in groups.T:
        pooled += counts[member].toarray()
    expected = profiles.shares.max(axis=0) * pooled.sum(axis=1, keepdims=True)
    own = (pooled >= OWN_COUNTS) & (pooled > OWN_FOLD * expected)
    return np.asarray(own.sum(axis=1) >= OWN_GENES)
