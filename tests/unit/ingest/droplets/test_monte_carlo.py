"""Simulated barcodes of ambient RNA."""

import itertools

import numpy as np
import pytest
from scipy import sparse, stats

from lammscope.ingest.droplets import monte_carlo
from lammscope.ingest.droplets.likelihood import Ambient
from lammscope.ingest.droplets.monte_carlo import Statistic, compare_with_simulated

PROFILE = np.array([0.55, 0.0, 0.3, 0.1, 0.05])
N = 40_000


def every_barcode(total: int) -> np.ndarray:
    numbers = itertools.product(range(total + 1), repeat=4)
    of_total = np.array([each for each in numbers if sum(each) == total])
    return np.insert(of_total, 1, 0, axis=1)


def log_probabilities(counts: np.ndarray, concentration: float) -> np.ndarray:
    seen = PROFILE > 0
    totals = counts.sum(axis=1)
    if np.isfinite(concentration):
        model = stats.dirichlet_multinomial(concentration * PROFILE[seen], totals)
    else:
        model = stats.multinomial(totals, PROFILE[seen])
    return np.asarray(model.logpmf(counts[:, seen]))


def negative_deviance(counts: np.ndarray) -> np.ndarray:
    shares = counts / counts.sum(axis=1, keepdims=True)
    ratio = np.where(counts > 0, shares, 1) / np.where((PROFILE > 0) & (counts > 0), PROFILE, 1)
    return -2 * (counts * np.log(ratio)).sum(axis=1)


@pytest.mark.parametrize("statistic", ["likelihood", "deviance"])
@pytest.mark.parametrize("concentration", [2.0, 40.0, np.inf])
@pytest.mark.parametrize("block", [16_007, 250_000])
def test_p_values_and_z_scores_are_exact_but_for_simulation(
    statistic: Statistic, concentration: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monte_carlo, "BLOCK", block)
    parts = [every_barcode(total) for total in (1, 3, 6)]
    got = compare_with_simulated(
        sparse.csr_array(np.vstack(parts)),
        ambient=Ambient(PROFILE, concentration),
        statistic=statistic,
        n_iterations=N,
        rng=np.random.default_rng(0),
    )
    p_value, z_score = [], []
    for part in parts:
        log_p = log_probabilities(part, concentration)
        value = log_p if statistic == "likelihood" else negative_deviance(part)
        p_value += [np.exp(log_p[value <= own + 1e-9]).sum() for own in value]
        mean = np.exp(log_p) @ value
        z_score += list((mean - value) / np.sqrt(np.exp(log_p) @ (value - mean) ** 2))
    error = np.sqrt(np.multiply(p_value, np.subtract(1.0000001, p_value)) / N)
    assert (np.abs(got.hits / N - p_value) < 4.5 * error + 1e-4).all()
    np.testing.assert_allclose(got.z_score, z_score, rtol=0.05, atol=0.05)


def test_many_genes_and_umis_fit_a_sort_key() -> None:
    size = 70_000
    genes = np.random.default_rng(0).integers(0, size, size)
    got = compare_with_simulated(
        sparse.csr_array(np.bincount(genes, minlength=size)[None, :]),
        ambient=Ambient(np.full(size, 1 / size), np.inf),
        statistic="likelihood",
        n_iterations=200,
        rng=np.random.default_rng(1),
    )
    assert 2 < got.hits[0] < 198
    assert abs(got.z_score[0]) < 4


def test_one_gene_leaves_nothing_to_compare() -> None:
    got = compare_with_simulated(
        sparse.csr_array([[5], [9]]),
        ambient=Ambient(np.ones(1), np.inf),
        statistic="deviance",
        n_iterations=100,
        rng=np.random.default_rng(0),
    )
    assert got.hits.tolist() == [100, 100]
    assert np.isnan(got.z_score).all()


def test_no_barcode_needs_no_simulation() -> None:
    got = compare_with_simulated(
        sparse.csr_array((0, 5), dtype=int),
        ambient=Ambient(PROFILE, 10),
        statistic="likelihood",
        n_iterations=N,
        rng=np.random.default_rng(0),
    )
    assert len(got.hits) == len(got.z_score) == 0
