"""Clusters of single cells, their lineages and profiles, for finding doublets of two lineages.

Cells that few simulated doublets resemble are clustered, and each cluster is given a lineage by a
few canonical markers. In a channel of one lineage there is no mixture, and nothing to call.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.k_means import k_means
from lammscope.core.names import PER
from lammscope.ingest.doublets.threshold import MAX_RATE
from lammscope.ingest.lineage_markers import CONTINUOUS, LINEAGES

MIXED = "mixed"

# Our choices, tried on the libraries of `benchmarks.doublets`
PRESENT = 0.15  # mean activity of a lineage's markers (1 at their typical rates) in its clusters
SECOND = 0.5  # of the first lineage's activity: with more, a cluster may consist of doublets
AMBIENT = 0.3  # of a gene's mean rate: ambient RNA is assumed to add no more than this
MAX_CLUSTERS = 12  # the time grows with their square
CELLS_PER_CLUSTER = 20  # on average, at least
NAMED = 0.5  # of the single cells must have a lineage, or no mixture is tried
MIN_CLUSTER = 5  # cells of a cluster whose doublets are looked for
N_STARTS = 5  # of k-means
PRIOR_UMI = 200  # weight of the channel's profile in that of a cluster
OWN_FOLD = 4  # a gene of a group's own has this many times the highest rate of any cluster
OWN_COUNTS = 5  # UMIs of such a gene in the group, at least
CLUSTER_FOLD, CLUSTER_COUNTS = 2, 20  # the same for clusters, which have more UMIs
OWN_GENES = 5  # that many make a group a population of its own


@dataclass(frozen=True)
class Profiles:
    """Clusters of single cells: share of every gene (clusters x genes), and lineage.

    The lineage is empty for clusters that are not combined with others.
    """

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

    @property
    def combinations(self) -> np.ndarray:
        """The number of the combination of lineages of each pair (pairs,)."""
        names = np.sort(self.lineages[self.pairs], axis=1)
        return np.asarray(np.unique(names, axis=0, return_inverse=True)[1])


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
    labels = k_means(points, n_clusters=wanted, rng=rng, n_starts=N_STARTS)
    n_clusters = labels.max() + 1
    member = sparse.csr_array(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(n_clusters, len(labels))
    )
    sums = np.asarray((member @ counts).toarray(), dtype=float)
    rates = sums / np.maximum(member @ totals, 1)[:, None] * PER
    activity = lineage_activity(rates, symbols)
    lineages = lineages_of(activity)
    overall = (sums.sum(axis=0) + 0.5) / (sums.sum() + 0.5 * sums.shape[1])
    sizes = sums.sum(axis=1, keepdims=True)
    shares = (sums + PRIOR_UMI * overall) / (sizes + PRIOR_UMI)
    named = ~np.isin(lineages, ["", MIXED, *CONTINUOUS])
    if named[labels].mean() < NAMED:
        return Profiles(shares, np.full(len(lineages), "", dtype=str))
    own = (sums >= CLUSTER_COUNTS) & (shares > CLUSTER_FOLD * shares[named].max(axis=0))
    n_cells = np.bincount(labels)
    single = named | (own.sum(axis=1) >= OWN_GENES) | _too_many(activity, lineages, n_cells)
    names = np.where(named & (n_cells >= MIN_CLUSTER), lineages, "")
    return Profiles(shares[single], names[single])


def _too_many(activity: np.ndarray, lineages: np.ndarray, n_cells: np.ndarray) -> np.ndarray:
    """Return which mixed clusters have more cells than doublets of their lineages can be.

    Random pairs at the highest rate give no more; the cluster is a population, such as dividing
    cells of both lineages.
    """
    names = np.array(list(LINEAGES))
    order = np.argsort(-activity, axis=1, kind="stable")
    shares = [
        np.array([n_cells[lineages == name].sum() for name in names[order[:, place]]])
        / n_cells.sum()
        for place in (0, 1)
    ]
    possible = MAX_RATE * 2 * shares[0] * shares[1] * n_cells.sum()
    return np.asarray((lineages == MIXED) & (n_cells > possible))


def lineage_activity(rates: np.ndarray, symbols: np.ndarray) -> np.ndarray:
    """Return the activity of each lineage's markers in each cluster, 0 to 1.

    Parameters
    ----------
    rates
        UMIs per 10,000 (clusters x genes).
    symbols
        The genes' symbols.

    Returns
    -------
    ndarray
        Clusters x `LINEAGES`; 1 at the typical rates. What ambient RNA may explain is left out.
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
    return activity


def lineages_of(activity: np.ndarray) -> np.ndarray:
    """Return the lineage of each cluster from its activities (clusters x `LINEAGES`).

    Empty if no lineage's markers are active, and `MIXED` if those of two lineages are.
    """
    first, second = -np.sort(-activity, axis=1)[:, :2].T
    names = np.array(list(LINEAGES))[activity.argmax(axis=1)].astype(object)
    names[(second >= PRESENT) & (second > SECOND * first)] = MIXED
    names[first < PRESENT] = ""
    return np.asarray(names, dtype=str)


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
