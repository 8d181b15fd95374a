"""Permutation tests with the patient as the exchangeable unit.

The statistic is |t| of the row's test, in which the arms may vary differently (`stats.effect`). It
is computed as t^2 / (1 + t^2), which is always finite. Where labels are permuted but the arms vary
differently, only such a statistic keeps its distribution (Janssen 1997; Chung and Romano 2013, doi
10.1214/13-AOS1090).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, combinations, permutations, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lammscope.cohort.schemes import NUMBERS, RESIDUALS, SIGNS, Codes, Scheme, strata_members
from lammscope.core.names import Array
from lammscope.stats.effect import (
    residuals,
    split_column,
    statistics_of_arms,
    statistics_of_numbers,
)

TIE = 1e-9  # statistics that differ by less are ties

ORDERS_AT_A_TIME = 1000
NUMBERS_AT_A_TIME = 2_000_000  # 16 MB


@dataclass(frozen=True)
class Permutations:
    """Up to `max_exact` assignments are enumerated; otherwise `n_draws` are drawn with `seed`."""

    max_exact: int
    n_draws: int
    seed: int


def permutation_p(
    values: Array, design: Array, at: int, scheme: Scheme, *, seed: int, side: int = 0
) -> Array:
    """Compute permutation p-values of one coefficient, one per feature.

    Parameters
    ----------
    values
        Features x units.
    design
        Units x coefficients, of full rank. The other columns stay in the model under every
        permutation.
    at
        Position of the tested coefficient: the arm, or the mean difference of pairs.
    scheme
        From `Contrast.permutations` for the same units.
    seed
        Seed of the random permutations.
    side
        0 for a two-sided test; 1 or -1 for a one-sided test of a coefficient above or below 0.

    Returns
    -------
    ndarray
        The share of all assignments, including the observed one, whose |t| (or t on this side) is
        at least as large; for random permutations (count + 1) / (draws + 1). nan without residual
        degrees of freedom.
    """
    n_units, n_coefficients = design.shape
    if n_units <= n_coefficients:
        return np.full(len(values), np.nan)
    observed = assigned_statistics(values, design, at, scheme, scheme.observed[None], side=side)[0]
    count, total = np.zeros(len(values)), 0
    for permuted in _permuted_statistics(values, design, at, scheme, seed=seed, side=side):
        count += (permuted >= observed - TIE).sum(axis=0)
        total += len(permuted)
    return count / total if scheme.exact else (count + 1) / (total + 1)


def assigned_statistics(
    values: Array,
    design: Array,
    at: int,
    scheme: Scheme,
    assigned: NDArray[np.bool_] | Array,
    *,
    side: int = 0,
) -> Array:
    """Compute t^2 / (1 + t^2) of each feature and assignment.

    `assigned` is assignments x units, as from `assignments`. With a `side`, as in `permutation_p`,
    it is negative where t is on the other one. Returns assignments x features.
    """
    if scheme.kind == SIGNS:
        signs = np.where(assigned, 1.0, -1.0)
        found = statistics_of_numbers(values, np.empty((len(design), 0)), signs)
        return _on_side(found, values, signs, side)
    others, _ = split_column(design, at)
    columns = assigned.astype(float)
    arms = np.array([1 - columns, columns])
    rest, columns = residuals(values, others), residuals(columns, others)
    if scheme.numbers is not None:
        found = statistics_of_numbers(rest, others, columns)
    else:
        found = statistics_of_arms(rest, others, columns, arms)
    return _on_side(found, rest, columns, side)


def _on_side(found: Array, values: Array, columns: Array, side: int) -> Array:
    """Make statistics negative where the coefficient is not on this side; 0: leave them."""
    return found * np.sign(side * (columns @ values.T)) if side else found


def assignments(scheme: Scheme, *, rng: np.random.Generator) -> NDArray[np.bool_] | Array:
    """Enumerate or draw assignments: assignments x units, True for units in the test arm.

    For pairs, True keeps the sign of the difference and False flips it. For trends, the number of
    each unit.
    """
    if scheme.kind == NUMBERS and scheme.numbers is not None:
        return _permuted_numbers(scheme, scheme.numbers, rng)
    return _sign_flips(scheme, rng) if scheme.kind == SIGNS else _permuted_labels(scheme, rng)


def _permuted_statistics(
    values: Array, design: Array, at: int, scheme: Scheme, *, seed: int, side: int
) -> Iterator[Array]:
    """Yield the statistics under permutations, arrays of permutations x features."""
    rng = np.random.default_rng(seed)
    if scheme.kind != RESIDUALS:
        for assigned in _parts(assignments(scheme, rng=rng), len(values)):
            yield assigned_statistics(values, design, at, scheme, assigned, side=side)
        return
    others, x = split_column(design, at)
    arms = np.array([~scheme.test, scheme.test], dtype=float)
    rest = residuals(values, others)
    for orders in chain.from_iterable(_parts(o, values.size) for o in _orders(scheme, rng)):
        moved = residuals(rest[:, orders].swapaxes(0, 1).reshape(-1, len(design)), others)
        if scheme.numbers is not None:
            found = statistics_of_numbers(moved, others, x[None])
        else:
            found = statistics_of_arms(moved, others, x[None], arms[:, None])
        found = _on_side(found, moved, x[None], side)
        yield found.reshape(len(orders), len(values))


def _parts(assigned: NDArray[Any], n_numbers: int) -> Iterator[NDArray[Any]]:
    """Split assignments, each with so many numbers, into parts that take little memory."""
    size = max(1, NUMBERS_AT_A_TIME // max(n_numbers, 1))
    for start in range(0, len(assigned), size):
        yield assigned[start : start + size]


def _permuted_labels(scheme: Scheme, rng: np.random.Generator) -> NDArray[np.bool_]:
    members = strata_members(scheme.strata)
    if not scheme.exact:
        labels = np.tile(scheme.test, (scheme.n_draws, 1))
        for stratum in members:
            labels[:, stratum] = rng.permuted(labels[:, stratum], axis=1)
        return labels
    choices = [
        list(combinations(np.flatnonzero(stratum), int(scheme.test[stratum].sum())))
        for stratum in members
    ]
    labels = np.zeros((scheme.n_assignments, len(scheme.test)), dtype=bool)
    for row, chosen in zip(labels, product(*choices), strict=True):
        row[[unit for part in chosen for unit in part]] = True
    return labels


def _permuted_numbers(scheme: Scheme, numbers: Array, rng: np.random.Generator) -> Array:
    members = [np.flatnonzero(stratum) for stratum in strata_members(scheme.strata)]
    if not scheme.exact:
        drawn = np.tile(numbers, (scheme.n_draws, 1))
        for stratum in members:
            drawn[:, stratum] = rng.permuted(drawn[:, stratum], axis=1)
        return drawn
    assigned = np.empty((scheme.n_assignments, len(numbers)))
    orders = product(*(_orders_of(numbers[stratum]) for stratum in members))
    for row, parts in zip(assigned, orders, strict=True):
        for stratum, part in zip(members, parts, strict=True):
            row[stratum] = part
    return assigned


def _orders_of(numbers: Array) -> list[Array]:
    """Return the different orders of numbers, of which some are the same."""
    levels, counts = np.unique(numbers, return_counts=True)
    found = [np.full(len(numbers), levels[-1])]
    left = [list(range(len(numbers)))]
    for level, count in zip(levels[:-1], counts[:-1], strict=True):
        longer, remaining = [], []
        for order, places in zip(found, left, strict=True):
            for chosen in combinations(places, int(count)):
                other = order.copy()
                other[list(chosen)] = level
                longer.append(other)
                remaining.append([place for place in places if place not in chosen])
        found, left = longer, remaining
    return found


def _sign_flips(scheme: Scheme, rng: np.random.Generator) -> NDArray[np.bool_]:
    n_pairs = len(scheme.test)
    if not scheme.exact:
        return np.asarray(rng.integers(0, 2, size=(scheme.n_draws, n_pairs)) == 0)
    return np.asarray((np.arange(scheme.n_assignments)[:, None] >> np.arange(n_pairs)) & 1 == 0)


def _orders(scheme: Scheme, rng: np.random.Generator) -> Iterator[Codes]:
    """Yield permutations of the units within strata, in batches."""
    members = [np.flatnonzero(stratum) for stratum in strata_members(scheme.strata)]
    if scheme.exact:
        orders = np.empty((scheme.n_assignments, len(scheme.strata)), dtype=np.int64)
        for row, parts in zip(orders, product(*map(permutations, members)), strict=True):
            for stratum, part in zip(members, parts, strict=True):
                row[stratum] = part
        yield orders
        return
    for start in range(0, scheme.n_draws, ORDERS_AT_A_TIME):
        n_orders = min(ORDERS_AT_A_TIME, scheme.n_draws - start)
        orders = np.tile(np.arange(len(scheme.strata)), (n_orders, 1))
        for stratum in members:
            orders[:, stratum] = rng.permuted(orders[:, stratum], axis=1)
        yield orders
