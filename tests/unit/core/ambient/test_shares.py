"""Shares of a population's counts that ambient RNA explains."""

import numpy as np
import pytest

from lammscope.core.ambient.shares import (
    ambient_share_maximum,
    ambient_share_negative,
    maximum_scale,
    negative_scales,
)

AMBIENT = np.array([100.0, 50, 30, 20, 0])
OWN = np.array([0.0, 0, 500, 3000, 40])


def test_the_largest_share_is_near_one_where_a_population_expresses_nothing() -> None:
    sums = np.array([10 * AMBIENT + OWN])
    shares = ambient_share_maximum(sums, profile=AMBIENT, threshold=0.1, dispersion=0)[0]
    assert (shares[:2] > 0.95).all()
    np.testing.assert_allclose(shares[2:], [0.39, 0.065, 0], rtol=0.1)


def test_overdispersion_allows_more_ambient_rna() -> None:
    sums = 10 * AMBIENT + OWN
    scales = [
        maximum_scale(sums, profile=AMBIENT, threshold=0.1, dispersion=dispersion)
        for dispersion in (0, 1e-6, 0.05)
    ]
    np.testing.assert_allclose(scales[0], scales[1], rtol=1e-3)
    assert 10 < scales[0] < 1.3 * scales[0] < scales[2] <= sums.sum() / AMBIENT.sum()


def test_a_population_of_ambient_rna_is_explained_by_it() -> None:
    assert maximum_scale(7 * AMBIENT, profile=AMBIENT, threshold=0.1, dispersion=0) == 7


def test_genes_without_counts_have_no_share() -> None:
    sums = np.array([[0, 40, 60, 0, 5], [0, 0, 0, 0, 0]])
    largest = ambient_share_maximum(sums, profile=AMBIENT, threshold=0.1, dispersion=0)
    lacking = ambient_share_negative(sums, profile=AMBIENT, gene_sets=[np.array([1])])
    for shares in (largest, lacking):
        assert (np.isnan(shares) == (sums == 0)).all()
    assert ambient_share_maximum(sums[:0], profile=AMBIENT, threshold=0.1, dispersion=0).shape == (
        0,
        5,
    )


def test_genes_that_are_not_expressed_give_the_scale() -> None:
    sums = np.array([10 * AMBIENT + OWN, 2 * AMBIENT])
    lacking, also, expressed = np.array([0]), np.array([1]), np.array([3])
    for sets in ([lacking], [lacking, expressed], [lacking, also, expressed]):
        np.testing.assert_allclose(negative_scales(sums, profile=AMBIENT, gene_sets=sets), [10, 2])


@pytest.mark.parametrize("sets", [[], [np.array([4])]])
def test_sets_without_ambient_rna_are_refused(sets: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="ambient profile"):
        ambient_share_negative(np.array([OWN]), profile=AMBIENT, gene_sets=sets)
