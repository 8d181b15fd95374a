"""Probabilities refined by a cell's own counts and its neighbours' probabilities."""

from typing import Any

import numpy as np
import pytest
from scipy import sparse, stats

from lammscope.annotate.refinement import _log_ratio, refine

HIGH, LOW = np.array([12.0, 16.0, 22.0]), np.array([1.3, 8.0, 5.5])
BARS = np.array([6.7, 7.7, 9.0])
DISPERSION = 0.25


def mixed(
    *,
    n: int = 600,
    n_elevated: int = 200,
    at_edge: int = 60,
    k: int = 20,
    depth: float = 0.4,
    seed: int = 0,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Elevated and ordinary cells; some elevated ones have mostly ordinary neighbours."""
    rng = np.random.default_rng(seed)
    is_elevated = np.arange(n) < n_elevated
    own_share = np.where(is_elevated & (np.arange(n) < at_edge), 0.25, 0.95)
    same = rng.random((n, k)) < own_share[:, None]
    neighbors = np.where(
        same == is_elevated[:, None],
        rng.integers(0, n_elevated, (n, k)),
        rng.integers(n_elevated, n, (n, k)),
    )
    rows = np.repeat(np.arange(n), k)
    pooling = sparse.csr_array((np.ones(n * k), (rows, neighbors.ravel())), shape=(n, n))
    levels = np.where(is_elevated[:, None], HIGH, LOW)
    levels = levels * rng.gamma(1 / DISPERSION, DISPERSION, levels.shape)
    counts = rng.poisson(levels * depth).astype(float)
    first = np.where(is_elevated, np.where(np.arange(n) < at_edge, 0.05, 0.95), 0.02)
    return is_elevated, {
        "probability": first,
        "counts": counts,
        "depth": np.full(n, depth),
        "pooling": pooling,
        "types": np.full(n, "Classical_monocyte"),
        "bars": BARS,
        "sure": 0.9,
        "dispersion": DISPERSION,
    }


def test_cells_at_the_edge_are_found_by_their_own_counts() -> None:
    is_elevated, data = mixed()
    refined = refine(**data)
    edge = np.arange(len(refined)) < 60
    assert (refined[edge] >= 0.9).mean() > 0.6  # none at first
    assert (refined[~is_elevated] >= 0.9).mean() < 0.01
    calls = refined >= 0.9
    assert is_elevated[(refined >= 0.8)].mean() > 0.95
    assert calls[is_elevated].mean() > 0.85


def test_a_few_cells_are_no_population() -> None:
    _, data = mixed()
    data["probability"] = np.minimum(data["probability"], 0.85)
    data["probability"][:4] = 0.99
    assert refine(**data) is data["probability"]


def test_a_population_under_the_bar_is_none() -> None:
    _, data = mixed()
    data["bars"] = np.array([6.7, 7.7, 30.0])
    assert refine(**data) is data["probability"]


def test_the_likelihood_ratio_is_that_of_the_negative_binomial() -> None:
    rng = np.random.default_rng(1)
    counts, depth = rng.poisson(4, (50, 3)).astype(float), rng.uniform(0.1, 1, 50)
    size = 1 / DISPERSION

    def log_probability(levels: np.ndarray) -> np.ndarray:
        mean = levels * depth[:, None]
        return stats.nbinom.logpmf(counts, size, size / (size + mean)).sum(axis=1)

    found = _log_ratio(counts, depth, high=HIGH, low=np.tile(LOW, (50, 1)), dispersion=DISPERSION)
    np.testing.assert_allclose(found, log_probability(HIGH) - log_probability(LOW), rtol=1e-9)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_cells_changes_nothing(seed: int) -> None:
    _, data = mixed(n=300, n_elevated=80)
    order = np.random.default_rng(seed).permutation(300)
    moved = {
        **data,
        **{name: data[name][order] for name in ("probability", "counts", "depth", "types")},
        "pooling": data["pooling"][order][:, order],
    }
    np.testing.assert_allclose(refine(**moved), refine(**data)[order], atol=1e-9)
