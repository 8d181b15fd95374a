"""Local inverse Simpson index: the effective number of labels around a cell."""

import numpy as np

from lammscope.joint.neighbors import find_neighbors

NEIGHBORS = 3  # times the perplexity is the number of neighbors that are used
TOLERANCE, ROUNDS = 1e-5, 50  # of the search for the perplexity


def local_inverse_simpson(
    space: np.ndarray, labels: np.ndarray, *, perplexity: float, seed: int
) -> np.ndarray:
    """Compute LISI [1]_ of several labels at once.

    It equals `harmonypy.lisi.compute_lisi`, which searches the neighbors again for every label, and
    compares all pairs of cells for that.

    Parameters
    ----------
    space
        Cells x components.
    labels
        Cells x kinds of labels, numbers from 0.
    perplexity
        Effective number of neighbors; a cell needs more than three times as many others.
    seed
        Of the neighbor search, which is exact for as many cells as are scored here.

    Returns
    -------
    ndarray
        Cells x kinds of labels, from 1 (all neighbors have one label).

    References
    ----------
    .. [1] Korsunsky et al., Nat Methods 16, 1289-1296 (2019), doi 10.1038/s41592-019-0619-0.
    """
    n_neighbors = int(NEIGHBORS * perplexity)
    indices, distances = find_neighbors(space, n_neighbors=n_neighbors, seed=seed, threads=1)
    weights = _weights(distances.astype(float), np.log(perplexity))
    found = np.empty(labels.shape)
    for kind, own in enumerate(labels.T):
        sums = np.zeros((len(own), own.max() + 1))
        np.add.at(sums, (np.arange(len(own))[:, None], own[indices]), weights)
        found[:, kind] = 1 / (sums**2).sum(axis=1)
    return found


def _weights(distances: np.ndarray, entropy: float) -> np.ndarray:
    """Weight neighbors by exp(-rate x distance), with the rate that gives the entropy, in sum 1."""
    rate = np.ones(len(distances))
    low, high = np.zeros(len(distances)), np.full(len(distances), np.inf)
    for _ in range(ROUNDS):
        weights = np.exp(-distances * rate[:, None])
        total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)
        weights /= total[:, None]
        excess = np.log(total) + rate * (weights * distances).sum(axis=1) - entropy
        if (np.abs(excess) < TOLERANCE).all():
            break
        is_wide = excess > 0
        low, high = np.where(is_wide, rate, low), np.where(is_wide, high, rate)
        rate = np.where(np.isinf(high), 2 * rate, (low + high) / 2)
    return weights
