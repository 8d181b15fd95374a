"""Simulated barcodes of ambient RNA."""

import itertools

import numpy as np
import pytest
from scipy import sparse, stats

from lammscope.ingest.droplets import monte_carlo
from lammscope.ingest.droplets.likelihood import Ambient, count_terms
from lammscope.ingest.droplets.monte_carlo import count_as_unlikely

PROFILE = np.array([0.55, 0.0, 0.3, 0.1, 0.05])
N = 40_000


def every_barcode(total: int) -> np.ndarray:
    numbers = itertools.product(range(total + 1), repeat=4)
    of_total = np.array([each for each in numbers if sum(each) == total])
    return np.insert(of_total, 1, 0, axis=1)


@pytest.mark.parametrize("concentration", [2.0, 40.0, np.inf])
@pytest.mark.parametrize("block", [16, 250_000])
def test_p_values_are_exact_ones_but_for_simulation(
    concentration: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if block == 16:
        monkeypatch.setattr(monte_carlo, "BLOCK", 16 * 1000 + 7)
    ambient = Ambient(PROFILE, concentration)
    parts = [every_barcode(total) for total in (1, 3, 6)]
    counts = np.vstack(parts)
    terms = count_terms(sparse.csr_array(counts), ambient=ambient)
    got = count_as_unlikely(
        terms,
        totals=counts.sum(axis=1),
        ambient=ambient,
        n_iterations=N,
        rng=np.random.default_rng(0),
    )
    seen = PROFILE > 0
    expected = []
    for part in parts:
        total = part.sum(axis=1)
        if np.isfinite(concentration):
            model = stats.dirichlet_multinomial(concentration * PROFILE[seen], total)
        else:
            model = stats.multinomial(total, PROFILE[seen])
        log_p = model.logpmf(part[:, seen])
        expected += [np.exp(log_p[log_p <= own + 1e-9]).sum() for own in log_p]
    error = np.sqrt(np.multiply(expected, np.subtract(1.0000001, expected)) / N)
    assert (np.abs(got / N - expected) < 4.5 * error + 1e-4).all()


def test_many_genes_and_umis_fit_a_sort_key() -> None:
    profile = np.full(70_000, 1 / 70_000)
    totals = np.array([70_000])
    ambient = Ambient(profile, np.inf)
    genes = np.random.default_rng(0).integers(0, 70_000, 70_000)
    counts = sparse.csr_array(np.bincount(genes, minlength=70_000)[None, :])
    hits = count_as_unlikely(
        count_terms(counts, ambient=ambient),
        totals=totals,
        ambient=ambient,
        n_iterations=200,
        rng=np.random.default_rng(1),
    )
    assert 2 < hits[0] < 198


def test_no_barcode_needs_no_simulation() -> None:
    hits = count_as_unlikely(
        np.zeros(0),
        totals=np.zeros(0, dtype=int),
        ambient=Ambient(PROFILE, 10),
        n_iterations=N,
        rng=np.random.default_rng(0),
    )
    assert hits.shape == (0,)
