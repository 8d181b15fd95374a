"""Log-likelihoods of barcodes of ambient RNA."""

import numpy as np
import pytest
from scipy import sparse, stats

from lammscope.ingest.droplets import likelihood
from lammscope.ingest.droplets.likelihood import Ambient, log_likelihood


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
