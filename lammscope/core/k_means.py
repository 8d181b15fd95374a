"""Clusters of cells by k-means, for steps that only need a rough division."""

import numpy as np

N_ITERATIONS = 15


def k_means(
    points: np.ndarray, *, n_clusters: int, rng: np.random.Generator, n_starts: int = 1
) -> np.ndarray:
    """Cluster cells by k-means, from starts that lie far apart, so that few cells get one too.

    Parameters
    ----------
    points
        Cells x components.
    n_clusters
        Clusters to find; there are fewer if the cells have fewer distinct points.
    rng
        Source of randomness.
    n_starts
        Clusterings to make; the one with the smallest sum of squared distances is returned.

    Returns
    -------
    ndarray of int
        The cluster of each cell, from 0, all of them with cells.
    """
    tries = [_cluster(points, n_clusters=n_clusters, rng=rng) for _ in range(n_starts)]
    labels = min(tries, key=lambda made: made[1])[0]
    return np.asarray(np.unique(labels, return_inverse=True)[1])


def _cluster(
    points: np.ndarray, *, n_clusters: int, rng: np.random.Generator
) -> tuple[np.ndarray, float]:
    """Cluster from one start; return the labels and the sum of squared distances to the centers."""
    n_cells = len(points)
    lengths = (points.astype(float) ** 2).sum(axis=1)[:, None]
    centers = points[rng.integers(n_cells)][None, :]
    while len(centers) < n_clusters:
        distance = _distances(points, lengths, centers).min(axis=1)
        if not distance.any():
            break
        centers = np.vstack([centers, points[rng.choice(n_cells, p=distance / distance.sum())]])
    for _ in range(N_ITERATIONS):
        labels = _distances(points, lengths, centers).argmin(axis=1)
        centers = np.array([points[labels == label].mean(axis=0) for label in np.unique(labels)])
    distance = _distances(points, lengths, centers)
    return distance.argmin(axis=1), float(distance.min(axis=1).sum())


def _distances(points: np.ndarray, lengths: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Compute squared distances (points x centers), given the points' squared lengths (x 1)."""
    squares = lengths + (centers**2).sum(axis=1)
    return np.asarray(np.maximum(squares - 2 * points @ centers.T, 0))
