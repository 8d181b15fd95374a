"""Leaving out one patient without a refit agrees with every refit."""

import numpy as np
import pytest

from lammscope.stats import linear
from lammscope.stats.influence import leave_one_out


@pytest.mark.parametrize("n_covariates", [0, 1, 3])
def test_each_left_out_unit_equals_a_refit(n_covariates: int) -> None:
    rng = np.random.default_rng(1)
    n = 9
    arm = (np.arange(n) < 4).astype(float)
    design = np.column_stack([np.ones(n), arm, rng.normal(size=(n, n_covariates))])
    values = rng.normal(size=(6, n)) + arm
    found = leave_one_out(values, design, 1)
    for unit in range(n):
        rest = np.delete(np.arange(n), unit)
        test = linear.ordinary(linear.lm_fit(values[:, rest], design[rest]))
        np.testing.assert_allclose(found.estimate[unit], test.coefficients[:, 1])
        np.testing.assert_allclose(found.se[unit], test.stdev_unscaled[:, 1] * test.sigma)
        np.testing.assert_allclose(found.p[unit], test.p_value[:, 1])
        assert found.df[unit] == test.df_residual[0]


def test_a_unit_that_alone_has_a_covariate_changes_nothing() -> None:
    design = np.column_stack([np.ones(7), [1, 1, 1, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1]]).astype(
        float
    )
    values = np.random.default_rng(2).normal(size=(3, 7))
    found = leave_one_out(values, design, 1)
    test = linear.ordinary(linear.lm_fit(values[:, :6], design[:6, :2]))
    np.testing.assert_allclose(found.estimate[6], test.coefficients[:, 1])
    np.testing.assert_allclose(found.p[6], test.p_value[:, 1])
    assert np.isfinite(found.p).all()


def test_without_the_only_unit_of_an_arm_nothing_is_estimated() -> None:
    design = np.column_stack([np.ones(5), [1.0, 0, 0, 0, 0]])
    found = leave_one_out(np.random.default_rng(3).normal(size=(2, 5)), design, 1)
    assert np.isnan(found.estimate[0]).all()
    assert np.isnan(found.p[0]).all()
    assert np.isfinite(found.estimate[1:]).all()
    assert np.isfinite(found.p[1:]).all()


def test_the_last_degree_of_freedom_leaves_no_p() -> None:
    found = leave_one_out(
        np.array([[1.0, 2.0, 4.0]]), np.column_stack([np.ones(3), [1.0, 0, 0]]), 1
    )
    assert np.isnan(found.p).all()
