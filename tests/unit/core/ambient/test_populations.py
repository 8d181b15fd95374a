"""Ambient RNA in the populations of a sample."""

import numpy as np
import pytest
from scipy import sparse

from lammscope.core.ambient.populations import AmbientUmis, ambient_umis
from tests.unit.core.ambient.test_contamination import sample

AMBIENT_UMIS = 150.0  # per droplet


def droplets(
    sizes: tuple[int, ...], *, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray, np.ndarray]:
    """Draw cells of four sizes with the same ambient UMIs; return the share in each population."""
    rng = np.random.default_rng(seed)
    _, ambient, populations = sample(0.0)
    clean = sample(0.0, seed=seed)[0].toarray()
    thinned = rng.binomial(clean, np.array(sizes)[populations, None] / 3000)
    added = rng.multinomial(rng.poisson(AMBIENT_UMIS, len(populations)), ambient)
    own, extra = (np.bincount(populations, weights=x.sum(axis=1)) for x in (thinned, added))
    return sparse.csr_array(thinned + added), ambient, populations, extra / (own + extra)


def shares(found: AmbientUmis, counts: sparse.csr_array, populations: np.ndarray) -> np.ndarray:
    totals = np.asarray(counts.sum(axis=1)).ravel()
    return np.asarray(found.umis / np.bincount(populations, weights=totals))


def test_small_cells_have_a_larger_share_of_ambient_rna() -> None:
    counts, ambient, populations, truth = droplets((400, 1000, 2000, 3000))
    found = ambient_umis(counts, profile=ambient, populations=populations, contamination=0.09)
    assert truth.max() > 4 * truth.min()
    np.testing.assert_allclose(shares(found, counts, populations), truth, rtol=0.15)
    assert not found.is_limit.any()


def test_a_population_without_genes_that_it_lacks_has_the_fraction_of_the_sample() -> None:
    counts, ambient, populations = sample(0.1, n_markers=0)
    found = ambient_umis(counts, profile=ambient, populations=populations, contamination=0.1)
    np.testing.assert_allclose(shares(found, counts, populations), 0.1)
    assert not found.is_limit.any()
    one = ambient_umis(counts, profile=ambient, populations=populations * 0, contamination=0.07)
    np.testing.assert_allclose(shares(one, counts, populations * 0), 0.07)


@pytest.mark.parametrize("fraction", [0.02, 0.1])
def test_without_a_fraction_the_umis_are_an_upper_limit(fraction: float) -> None:
    counts, ambient, populations = sample(fraction)
    found = ambient_umis(counts, profile=ambient, populations=populations, contamination=np.nan)
    assert found.is_limit.all()
    assert (shares(found, counts, populations) > fraction).all()
    assert (shares(found, counts, populations) < 0.5).all()


def test_a_matrix_without_a_profile_gives_no_ambient_umis() -> None:
    counts, ambient, populations = sample(0.1)
    found = ambient_umis(counts, profile=ambient * 0, populations=populations, contamination=np.nan)
    assert not found.umis.any()
    assert found.is_limit.all()
