"""False discovery rates among barcodes of similar size."""

import numpy as np

from lammscope.ingest.droplets.empty_drops import adjusted
from lammscope.ingest.droplets.false_discoveries import LARGEST, adjusted_by_size


def test_large_cells_need_a_less_low_p_where_most_barcodes_are_small() -> None:
    rng = np.random.default_rng(0)
    totals = np.concatenate([np.full(LARGEST, 900), rng.integers(300, 600, 5_000)])
    p_value = np.concatenate([np.full(LARGEST, 0.004), rng.random(5_000)])
    order = rng.permutation(len(totals))
    found = np.empty(len(totals))
    found[order] = adjusted_by_size(p_value[order], totals[order])
    assert (found[:LARGEST] == 0.004).all()
    assert (adjusted(p_value)[:LARGEST] > 0.1).all()
    assert (found[LARGEST:] > 0.01).all()


def test_no_group_has_fewer_barcodes_than_the_one_before() -> None:
    rng = np.random.default_rng(1)
    n = 2 * LARGEST  # a second group would have one less than the first
    p_value, totals = rng.random(n), rng.permutation(n)
    np.testing.assert_array_equal(adjusted_by_size(p_value, totals), adjusted(p_value))
    p_value, totals = rng.random(n + 1), np.arange(n + 1, 0, -1)
    halves = [adjusted(p_value[:LARGEST]), adjusted(p_value[LARGEST:])]
    np.testing.assert_array_equal(adjusted_by_size(p_value, totals), np.concatenate(halves))
    assert len(adjusted_by_size(p_value[:0], totals[:0])) == 0


def test_missing_p_values_stay_missing_and_do_not_count() -> None:
    p_value = np.array([0.01, np.nan, 0.5])
    found = adjusted_by_size(p_value, np.array([300, 400, 500]))
    np.testing.assert_array_equal(found, [0.02, np.nan, 0.5])


def test_of_random_p_values_few_are_found() -> None:
    """Of 200 libraries without a cell, a rate of 0.05 finds something in few of each group."""
    rng = np.random.default_rng(2)
    totals = rng.integers(300, 900, 1_000)
    hits = np.array([adjusted_by_size(rng.random(1_000), totals) <= 0.05 for _ in range(200)])
    largest = np.argsort(-totals, kind="stable")[:LARGEST]
    assert 0.01 < hits[:, largest].any(axis=1).mean() < 0.1
