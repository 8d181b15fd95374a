"""Voom with a mean-variance trend for each group of samples."""

import numpy as np
import pytest
from scipy import stats

from lammscope.stats.voom import residual_df, voom, voom_by_group

N_GENES = 400


def draw(sizes: tuple[int, int], spreads: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Draw counts of two groups whose logarithms vary differently; return them and the group."""
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1], sizes)
    mean = rng.gamma(1, 200, N_GENES) + 30
    spread = np.array(spreads)[group]
    rate = mean[:, None] * np.exp(spread * rng.standard_normal((N_GENES, len(group))))
    return rng.poisson(rate).astype(float), group


def design_of(group: np.ndarray) -> np.ndarray:
    return np.column_stack([np.ones(len(group)), group]).astype(float)


def test_one_group_has_the_weights_of_voom() -> None:
    counts, group = draw((6, 6), (0.3, 0.3))
    factors = np.linspace(0.9, 1.1, 12)
    common = voom(counts, design_of(group), norm_factors=factors)
    found = voom_by_group(
        counts, design_of(group), norm_factors=factors, group=np.zeros(12, dtype=int)
    )
    np.testing.assert_array_equal(found.y, common.y)
    ratio = found.weights / common.weights  # a constant, which no test depends on
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-12)


def test_the_group_that_varies_more_has_less_weight() -> None:
    counts, group = draw((8, 8), (0.3, 0.6))
    found = voom_by_group(counts, design_of(group), norm_factors=np.ones(16), group=group)
    ratio = found.weights[:, group == 0].mean(axis=1) / found.weights[:, group == 1].mean(axis=1)
    assert 3 < np.median(ratio) < 5  # the variances have the ratio 4


@pytest.mark.parametrize("sizes", [(3, 12), (4, 8)])
def test_small_groups_do_not_get_more_weight(sizes: tuple[int, int]) -> None:
    counts, group = draw(sizes, (0.4, 0.4))
    factors = np.ones(len(group))
    found = voom_by_group(counts, design_of(group), norm_factors=factors, group=group)
    ratio = found.weights[:, group == 0].mean(axis=1) / found.weights[:, group == 1].mean(axis=1)
    small, large = (stats.chi(n - 1).expect(lambda x, n=n: (x**2 / (n - 1)) ** 0.25) for n in sizes)
    uncorrected = (large / small) ** 4  # what voomByGroup would give
    assert abs(np.median(ratio) - 1) < 0.6 * (uncorrected - 1)


def test_blocks_and_a_covariate_that_a_group_lacks_are_accepted() -> None:
    counts, group = draw((6, 6), (0.3, 0.3))
    only_first = np.where(group == 0, np.arange(12) % 2, 0).astype(float)
    design = np.column_stack([design_of(group), only_first])
    found = voom_by_group(
        counts,
        design,
        norm_factors=np.ones(12),
        group=group,
        block=np.arange(12) // 2,
        correlation=0.3,
    )
    assert np.isfinite(found.weights).all()
    assert (found.weights > 0).all()


def test_a_group_without_residual_degrees_of_freedom_is_refused() -> None:
    counts, group = draw((6, 1), (0.3, 0.3))
    with pytest.raises(ValueError, match="group 1 has no residual degrees of freedom"):
        voom_by_group(counts, design_of(group), norm_factors=np.ones(7), group=group)


def test_dependent_columns_cost_no_degrees_of_freedom() -> None:
    ones = np.ones((5, 1))
    age = np.array([[50.0], [61], [72], [55], [68]])
    assert residual_df(np.hstack([ones, 2 * ones, np.zeros((5, 1))])) == 4
    assert residual_df(np.hstack([ones, 1e6 * age, 1e-6 * age])) == 3
