"""Deviance of barcodes from ambient RNA."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.ambient import AmbientCalls, find_ambient
from lammscope.ingest.quality.deviance import profile_of_calls, relative_deviance

N_GENES = 3000


def profile(seed: int) -> np.ndarray:
    shares = np.random.default_rng(seed).lognormal(0, 2, N_GENES)
    return np.asarray(shares / shares.sum())


def draws(shares: np.ndarray, totals: np.ndarray, seed: int) -> sparse.csr_array:
    return sparse.csr_array(np.random.default_rng(seed).multinomial(totals, shares))


@pytest.mark.parametrize("total", [30, 300, 3_000, 100_000])
def test_draws_from_ambient_rna_have_a_deviance_of_one_at_any_total(total: int) -> None:
    ambient = profile(1)
    found = relative_deviance(draws(ambient, np.full(300, total), 2), ambient)
    assert found.mean() == pytest.approx(1, abs=0.02)


def test_counts_of_other_genes_deviate_more_with_more_umis() -> None:
    ambient = profile(1)
    cells = 0.5 * ambient + 0.5 * profile(3)
    few, many = (
        relative_deviance(draws(cells, np.full(50, total), 4), ambient) for total in (500, 5_000)
    )
    assert few.min() > 1.3
    assert many.min() > few.max()


def test_the_deviance_is_that_of_a_multinomial_distribution() -> None:
    ambient = np.array([0.5, 0.3, 0.1992, 0.0005, 0.0003])  # the last two are summed
    counts = sparse.csr_array(np.array([[10, 5, 0, 0, 5], [8, 8, 4, 0, 0]]))
    found = relative_deviance(counts, ambient)
    pooled = np.array([0.5, 0.3, 0.1992, 0.0008])
    by_hand = [
        2 * sum(x * np.log(x / 20 / p) for x, p in zip(row, pooled, strict=True) if x)
        for row in ([10, 5, 0, 5], [8, 8, 4, 0])
    ]
    assert found[0] / found[1] == pytest.approx(by_hand[0] / by_hand[1])


def test_the_deviance_is_not_known_without_umis_or_ambient_rna() -> None:
    counts = sparse.csr_array(np.array([[3, 4], [0, 0]]))
    known, empty = relative_deviance(counts, np.array([0.5, 0.5]))
    assert np.isfinite(known)
    assert np.isnan(empty)
    assert np.isnan(relative_deviance(counts, np.zeros(2))).all()
    assert len(relative_deviance(counts[:0], np.array([0.5, 0.5]))) == 0
    assert np.isnan(relative_deviance(sparse.csr_array((4, 2)), np.array([0.5, 0.5]))).all()


def test_the_profile_is_that_of_the_calls_or_of_the_smallest_barcodes() -> None:
    small, large = profile(5), profile(6)
    counts = sparse.csr_array(
        sparse.vstack(
            [draws(small, np.full(200, 400), 7), draws(large, np.full(800, 5_000), 8)],
            format="csr",
        )
    )
    untested = AmbientCalls(np.zeros(1000, dtype=bool), "", np.zeros(N_GENES))
    found = profile_of_calls(counts, untested, lower=100)
    assert np.abs(found - small).sum() < 0.2 < np.abs(found - large).sum()
    tested = AmbientCalls(np.zeros(1000, dtype=bool), "empty droplets", large)
    assert (profile_of_calls(counts, tested, lower=100) == large).all()
    assert not profile_of_calls(counts, untested, lower=1_000_000).any()
    assert not profile_of_calls(counts[:50], untested, lower=100).any()


@pytest.mark.real_data
def test_ambient_rna_of_a_real_library_is_told_from_its_thinned_cells(
    real_data: Callable[[str], Path],
) -> None:
    """Cells of a good library at 1,500 UMIs, among draws from the library's own profile."""
    path = real_data("carpall") / "CAR-T10310325.filtered_feature_bc_matrix.h5"
    counts = read_matrix(path).counts
    rng = np.random.default_rng(1)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    soup = np.asarray(counts.sum(axis=0)).ravel() / totals.sum()
    cells = counts[rng.choice(np.flatnonzero(totals > 2_000), 50, replace=False)]
    kept = np.repeat(1_500 / np.asarray(cells.sum(axis=1)).ravel(), np.diff(cells.indptr))
    thinned = sparse.csr_array(
        (rng.binomial(cells.data, np.minimum(kept, 1)), cells.indices, cells.indptr),
        shape=cells.shape,
    )
    thinned.eliminate_zeros()
    ambient = sparse.csr_array(rng.multinomial(rng.integers(300, 900, 2_000), soup))
    mixed = sparse.csr_array(sparse.vstack([thinned, ambient], format="csr"))
    calls = find_ambient(mixed, ambient_max_counts=100, rng=rng)
    assert calls.source == "smallest barcodes"
    found = relative_deviance(mixed, profile_of_calls(mixed, calls, lower=100))
    assert found[50:].mean() == pytest.approx(1, abs=0.05)
    assert (found[:50, None] > found[None, 50:]).mean() > 0.98  # area under the curve
