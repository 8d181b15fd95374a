"""Shares of genes in ambient RNA."""

import numpy as np
import pytest

from lammscope.ingest.droplets.profile import ambient_profile, good_turing_proportions


@pytest.mark.parametrize("sums", [[9, 4, 1, 1, 0, 0], [6, 4, 3, 2, 0, 0], [5, 5, 5, 5, 0, 0]])
def test_every_seen_gene_has_a_share_and_no_other(sums: list[int]) -> None:
    seen = np.array([True, True, True, True, True, False])
    profile = ambient_profile(np.array(sums), seen=seen)
    np.testing.assert_allclose(profile.sum(), 1)
    assert ((profile > 0) == seen).all()
    assert profile[0] > profile[4]


def test_genes_that_were_not_seen_share_the_part_of_those_seen_once() -> None:
    shares = good_turing_proportions(np.array([1, 1, 8, 10, 0, 0]))
    np.testing.assert_allclose(shares[4:], 2 / 20 / 2)


def test_counts_without_two_distinct_values_are_not_smoothed() -> None:
    np.testing.assert_allclose(good_turing_proportions(np.array([1, 1, 0])), [0.5, 0.5, 0])
    np.testing.assert_allclose(good_turing_proportions(np.zeros(2)), [0, 0])


def test_a_profile_needs_counts() -> None:
    with pytest.raises(ValueError, match="no UMI"):
        ambient_profile(np.zeros(3, dtype=int), seen=np.ones(3, dtype=bool))
