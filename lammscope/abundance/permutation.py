"""Permutation tests with the patient as the exchangeable unit.

The statistic is |t| of the ordinary linear model of the row, computed as the squared partial
correlation, which increases with |t| and is always finite.
"""

from collections.abc import Iterator
from itertools import combinations, permutations, product

import numpy as np
from numpy.typing import NDArray

from lammscope.cohort.schemes import RESIDUALS, SIGNS, Codes, Scheme, strata_members
from lammscope.core.names import Array

TIE = 1e-9  # squared correlations that differ by less are ties

ORDERS_AT_A_TIME = 1000


def permutation_p(values: Array, design: Array, at: int, scheme: Scheme, *, seed: int) -> Array:
    """Compute two-sided permutation p-values of one coefficient, one per feature.

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

    Returns
    -------
    ndarray
        The share of all assignments, including the observed one, whose |t| is at least as large;
        for random permutations (count + 1) / (draws + 1). nan without residual degrees of freedom.
    """
    n_units, n_coefficients = design.shape
    if n_units <= n_coefficients:
        return np.full(len(values), np.nan)
    observed = assigned_correlations(values, design, at, scheme, scheme.observed[None])[0]
    count, total = np.zeros(len(values)), 0
    for permuted in _permuted_correlations(values, design, at, scheme, seed=seed):
        count += (permuted >= observed - TIE).sum(axis=0)
        total += len(permuted)
    return count / total if scheme.exact else (count + 1) / (total + 1)


def assigned_correlations(
    values: Array, design: Array, at: int, scheme: Scheme, assigned: NDArray[np.bool_]
) -> Array:
    """Compute the squared partial correlation t^2 / (t^2 + df) of each feature and assignment.

    `assigned` is assignments x units, as from `assignments`. Returns assignments x features.
    """
    if scheme.kind == SIGNS:
        return _of_signs(values, np.where(assigned, 1.0, -1.0))
    others = np.delete(design, at, axis=1)
    return _of_columns(_residuals(values, others), _residuals(assigned.astype(float), others))


def assignments(scheme: Scheme, *, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Enumerate or draw assignments: assignments x units, True for units in the test arm.

    For pairs, True keeps the sign of the difference and False flips it.
    """
    return _sign_flips(scheme, rng) if scheme.kind == SIGNS else _permuted_labels(scheme, rng)


def _permuted_correlations(
    values: Array, design: Array, at: int, scheme: Scheme, *, seed: int
) -> Iterator[Array]:
    """Yield squared partial correlations under permutations, arrays of permutations x features."""
    rng = np.random.default_rng(seed)
    if scheme.kind != RESIDUALS:
        yield assigned_correlations(values, design, at, scheme, assignments(scheme, rng=rng))
        return
    others = np.delete(design, at, axis=1)
    residuals, column = _residuals(values, others), _residuals(design[:, at][None], others)[0]
    for orders in _orders(scheme, rng):
        moved = _residuals(residuals[:, orders].swapaxes(0, 1).reshape(-1, len(design)), others)
        moved = moved.reshape(len(orders), len(values), len(design))
        length = np.sum(moved**2, axis=2) * np.sum(column**2)
        yield _ratio((moved @ column) ** 2, length)


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


def _residuals(rows: Array, others: Array) -> Array:
    """Return the residuals of rows regressed on the other columns of the design."""
    basis, _ = np.linalg.qr(others)
    return rows - (rows @ basis) @ basis.T


def _of_columns(residuals: Array, columns: Array) -> Array:
    """Return columns x features, 0 for a permuted column that the covariates explain."""
    lengths = np.sum(columns**2, axis=1)
    columns = np.where(lengths[:, None] > 1e-10, columns, 0.0)  # the column of the arm is 0 or 1
    return _ratio((columns @ residuals.T) ** 2, lengths[:, None] * np.sum(residuals**2, axis=1))


def _of_signs(values: Array, signs: Array) -> Array:
    return _ratio((signs @ values.T) ** 2, len(values.T) * np.sum(values**2, axis=1)[None])


def _ratio(part: Array, whole: Array) -> Array:
    return np.asarray(part / np.where(whole > 0, whole, 1.0))
