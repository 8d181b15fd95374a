"""Summaries of barcodes with few UMIs, and how much their counts vary."""

import numpy as np
import pytest
from scipy import sparse

from lammscope.ingest.droplets import low_barcodes
from lammscope.ingest.droplets.low_barcodes import fit_concentration, summarize_low_barcodes


def ambient_counts(
    profile: np.ndarray, totals: np.ndarray, concentration: float, seed: int = 0
) -> sparse.csr_array:
    rng = np.random.default_rng(seed)
    if np.isfinite(concentration):
        profile = rng.dirichlet(concentration * profile, len(totals))
    return sparse.csr_array(rng.multinomial(totals, profile).astype(np.int32))


def test_a_summary_counts_barcodes_above_each_number(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    dense = rng.poisson(0.7, (60, 8))
    dense[:5] = 0
    dense[5:9] *= 9
    totals = dense.sum(axis=1)
    monkeypatch.setattr(low_barcodes, "BLOCK", 7)
    low = summarize_low_barcodes(sparse.csr_array(dense), totals=totals, lower=10)
    chosen = dense[(totals > 0) & (totals <= 10)]
    assert low.n_barcodes == len(chosen) < 60
    np.testing.assert_array_equal(low.sums, chosen.sum(axis=0))
    expected = [
        (gene, number, (chosen[:, gene] > number).sum())
        for gene in range(chosen.shape[1])
        for number in range(chosen[:, gene].max())
    ]
    assert list(zip(low.gene, low.threshold, low.n_above, strict=True)) == expected
    for number, above in enumerate(low.total_above):
        assert above == (chosen.sum(axis=1) > number).sum()
    assert low.n_above.sum() == low.total_above.sum() == chosen.sum()


def test_a_matrix_without_low_barcodes_has_an_empty_summary() -> None:
    counts = sparse.csr_array(np.array([[50, 60], [0, 0]]))
    low = summarize_low_barcodes(counts, totals=np.array([110, 0]), lower=100)
    assert low.n_barcodes == 0
    assert low.sums.tolist() == [0, 0]


@pytest.mark.parametrize("concentration", [30, 300, 3000])
def test_the_concentration_is_recovered(concentration: float) -> None:
    profile = np.random.default_rng(2).dirichlet(np.full(50, 0.5))
    totals = np.random.default_rng(3).integers(1, 200, 5000)
    counts = ambient_counts(profile, totals, concentration)
    low = summarize_low_barcodes(counts, totals=totals, lower=200)
    assert 0.9 < fit_concentration(low, profile=profile) / concentration < 1.1


def test_multinomial_counts_have_a_large_concentration() -> None:
    profile = np.random.default_rng(2).dirichlet(np.full(50, 0.5))
    totals = np.full(5000, 90)
    low = summarize_low_barcodes(ambient_counts(profile, totals, np.inf), totals=totals, lower=100)
    assert fit_concentration(low, profile=profile) > 20_000
