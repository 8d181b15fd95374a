"""Knee and inflection of the curve of totals."""

import numpy as np
import pytest

from lammscope.ingest.droplets.ranks import barcode_ranks


def test_the_knee_lies_above_the_inflection_and_below_the_cells() -> None:
    rng = np.random.default_rng(0)
    cells = rng.lognormal(np.log(5000), 0.4, 2000).astype(int)
    empty = rng.geometric(1 / 40, 50_000)
    totals = rng.permutation(np.concatenate([cells, empty]))
    points = barcode_ranks(totals, lower=100, exclude_top=50)
    assert 100 < points.inflection < np.quantile(cells, 0.02)
    assert points.inflection < points.knee < np.quantile(cells, 0.7)
    assert points == barcode_ranks(np.sort(totals), lower=100, exclude_top=50)


@pytest.mark.parametrize("totals", [[], [5, 5, 5], [200, 200, 300, 7]])
def test_too_few_distinct_totals_have_no_knee(totals: list[int]) -> None:
    points = barcode_ranks(np.array(totals, dtype=int), lower=100, exclude_top=50)
    assert np.isnan([points.knee, points.inflection]).all()


def test_a_short_curve_has_its_knee_at_its_top() -> None:
    points = barcode_ranks(np.array([900, 800, 150]), lower=100, exclude_top=0)
    assert (points.knee, points.inflection) == (900, 800)
