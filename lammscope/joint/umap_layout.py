"""The layout of a UMAP: neighbors attract each other, cells drawn at random repel each other.

It follows umap-learn, in NumPy: pairs are pulled together as often, with the same forces and steps.
In an epoch the pulls of each cell follow one another and those of different cells are computed at
once; then all cells are repelled. Nothing is compiled, and one thread computes it, so that a seed
always gives the same layout.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import sparse

from lammscope.core.pca import principal_components

# umap-learn's constants: width of the starting layout and the noise that parts identical cells,
# cells that repel a cell each time it is pulled, longest step, and what keeps a force finite.
WIDTH, NOISE, REPULSIONS, LONGEST, SOFTENING = 10.0, 1e-4, 5, 4.0, 1e-3
TINY = 1e-12  # avoids division by a squared distance of zero
# Cells drawn to repel each cell in an epoch, weighted by the cell's pulls. Our choice: umap-learn
# draws 40 for an average cell with 20 neighbors; with 20 of them fewer neighbors stay together.
DRAWS = 40
FITTED_TO, POINTS, STEPS, PRECISION = 3.0, 300, 100, 1e-10  # of the curve of attraction


class Curve(NamedTuple):
    """How similar two points are at a distance d: 1 / (1 + a d^(2 b))."""

    a: float
    b: float


def fit_curve(min_dist: float) -> Curve:
    """Fit UMAP's curve to 1 up to the minimum distance and an exponential decay beyond it.

    The least-squares fit of umap-learn's `find_ab_params` with spread 1, by Gauss and Newton's
    method, as importing an optimizer takes longer than this.
    """
    distance = np.linspace(0, FITTED_TO, POINTS)[1:]
    wanted = np.minimum(1, np.exp(min_dist - distance))
    terms = np.column_stack([np.ones_like(distance), 2 * np.log(distance)])
    logarithms = np.array([0.0, 1.0])  # of a, and b
    for _ in range(STEPS):
        power = np.exp(terms @ logarithms)
        fitted = 1 / (1 + power)
        slopes = -(power * fitted**2)[:, None] * terms
        step = np.linalg.lstsq(slopes, wanted - fitted)[0]
        logarithms += step
        if np.abs(step).max() < PRECISION:
            break
    return Curve(float(np.exp(logarithms[0])), float(logarithms[1]))


def starting_layout(space: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Start from the first two principal components, as umap-learn does with `init="pca"`.

    Parameters
    ----------
    space
        Cells x components.
    rng
        Draws the noise.

    Returns
    -------
    ndarray
        Cells x 2, float32, each axis from 0 to `WIDTH`.
    """
    layout = np.zeros((len(space), 2))
    values = sparse.csr_array(space)
    scores = principal_components(values, n_components=2).project(values)
    layout[:, : scores.shape[1]] = scores
    layout *= WIDTH / max(np.abs(layout).max(), TINY)
    layout += rng.normal(scale=NOISE, size=layout.shape)
    layout -= layout.min(axis=0)
    return (WIDTH * layout / layout.max(axis=0)).astype(np.float32)


def optimize_layout(
    layout: np.ndarray,
    graph: sparse.csr_array,
    *,
    min_dist: float,
    epochs: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Move the points until neighbors are near each other and other cells far apart.

    Parameters
    ----------
    layout
        Cells x 2, where they start.
    graph
        Weights of neighbors, from `umap_graph.fuzzy_graph`.
    min_dist
        Minimum distance of points.
    epochs
        Rounds of the optimization. The pair with the largest weight is pulled in each, others in
        proportion to their weight.
    rng
        Draws the cells that repel.

    Returns
    -------
    ndarray
        Cells x 2, float32.
    """
    curve = fit_curve(min_dist)
    points = np.ascontiguousarray(layout.T, dtype=np.float32)
    rates = (graph.data / graph.data.max()).astype(np.float32)
    pulled = np.zeros(len(rates), dtype=np.int32)
    for epoch in range(1, epochs):
        step = 1 - (epoch - 1) / epochs
        before, pulled = pulled, (rates * np.float32(epoch)).astype(np.int32)
        due = np.flatnonzero(pulled != before)
        n_pulls = np.diff(np.searchsorted(due, graph.indptr))
        for cells, neighbors in _pulls(n_pulls, graph.indices[due]):
            _attract(points, cells, neighbors, curve=curve, step=step)
        _repel(points, step * REPULSIONS * n_pulls, curve=curve, rng=rng)
    return np.ascontiguousarray(points.T)


def _pulls(n_pulls: np.ndarray, neighbors: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """List the first pulls of all cells in an epoch, then the second of those that have two, ..."""
    n_cells = len(n_pulls)
    cells = np.repeat(np.arange(n_cells, dtype=np.int32), n_pulls)
    first = np.repeat(np.cumsum(n_pulls) - n_pulls, n_pulls)
    turn = (np.arange(len(cells)) - first).astype(np.uint16)  # 16 bits are sorted fastest
    order = np.argsort(turn, kind="stable")
    cells, neighbors = cells[order], neighbors[order]
    ends = np.cumsum(np.bincount(turn)).tolist()
    for start, end in zip([0, *ends], ends, strict=False):
        yield cells[start:end], neighbors[start:end]


def _attract(
    points: np.ndarray, cells: np.ndarray, neighbors: np.ndarray, *, curve: Curve, step: float
) -> None:
    """Pull cells, each named once, and a neighbor of each towards each other."""
    x, y = points
    dx, dy = x[cells] - x[neighbors], y[cells] - y[neighbors]
    squared = np.maximum(dx * dx + dy * dy, TINY)
    power = curve.a * squared**curve.b
    force = -2 * curve.b * power / (squared * (power + 1))
    for axis, difference in ((x, dx), (y, dy)):
        pull = step * np.clip(force * difference, -LONGEST, LONGEST)
        axis[cells] += pull
        np.subtract.at(axis, neighbors, pull)  # cells may share a neighbor


def _repel(
    points: np.ndarray, strength: np.ndarray, *, curve: Curve, rng: np.random.Generator
) -> None:
    """Push every cell away from `DRAWS` others.

    The cells are shuffled, and each draw shifts them by a random number: arrays in order are read
    faster than random elements.
    """
    n_cells = points.shape[1]
    others = np.tile(points[:, rng.permutation(n_cells)], 2)
    pushes = np.zeros_like(points)
    for shift in rng.integers(n_cells, size=DRAWS).tolist():
        dx, dy = points - others[:, shift : shift + n_cells]
        squared = dx * dx + dy * dy
        force = curve.a * squared**curve.b
        force += 1
        squared += SOFTENING
        force *= squared
        np.divide(2 * curve.b, force, out=force)
        for push, difference in zip(pushes, (dx, dy), strict=True):
            difference *= force
            push += np.clip(difference, -LONGEST, LONGEST, out=difference)
    points += (strength / DRAWS).astype(np.float32) * pushes
