"""Log-likelihoods of barcodes of ambient RNA."""

import numpy as np
import pytest
from scipy import sparse, stats

from lammscope.ingest.droplets import likelihood
from lammscope.ingest.droplets.likelihood import (
    Ambient,
    deviance_terms,
    log_likelihood,
    pool_rare_genes,
)


@pytest.mark.parametrize("concentration", [3.0, 500.0, np.inf])
def test_log_likelihoods_are_those_of_scipy(
    concentration: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    profile = rng.dirichlet(np.ones(20))
    counts = rng.poisson(1.5, (30, 20))
    counts[4] = 0
    totals = counts.sum(axis=1)
    monkeypatch.setattr(likelihood, "BLOCK", 8)
    got = log_likelihood(sparse.csr_array(counts), ambient=Ambient(profile, concentration))
    if np.isfinite(concentration):
        model = stats.dirichlet_multinomial(concentration * profile, totals)
    else:
        model = stats.multinomial(totals, profile)
    np.testing.assert_allclose(got, model.logpmf(counts), atol=1e-9)


def test_no_barcode_has_no_log_likelihood() -> None:
    got = log_likelihood(sparse.csr_array((0, 3)), ambient=Ambient(np.full(3, 1 / 3), 10))
    assert got.shape == (0,)


def test_deviance_terms_differ_from_the_deviance_by_a_term_of_the_total() -> None:
    rng = np.random.default_rng(1)
    profile = rng.dirichlet(np.ones(20))
    counts = rng.multinomial(50, profile, size=4)
    saturated = stats.multinomial.logpmf(counts, 50, counts / 50)
    deviance = 2 * (saturated - stats.multinomial.logpmf(counts, 50, profile))
    got = deviance_terms(sparse.csr_array(counts), ambient=Ambient(profile, np.inf))
    np.testing.assert_allclose(-2 * got, deviance + 2 * 50 * np.log(50))


def test_rare_genes_are_summed_into_the_last() -> None:
    counts = sparse.csr_array([[1, 2, 0, 4, 5], [0, 0, 3, 0, 0]])
    pooled, profile = pool_rare_genes(counts, np.array([0.5, 0.04, 0.4, 0.0, 0.06]), min_share=0.1)
    assert pooled.toarray().tolist() == [[1, 0, 11], [0, 3, 0]]
    np.testing.assert_allclose(profile, [0.5, 0.4, 0.1])
    same, _ = pool_rare_genes(counts, np.array([0.5, 0.1, 0.4, 0.0, 0.0]), min_share=0.1)
    assert same is counts
