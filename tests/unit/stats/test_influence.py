"""Leaving out one patient at a time."""

import numpy as np
from scipy import stats

from lammscope.stats.effect import effect_test
from lammscope.stats.influence import leave_one_out


def test_each_left_out_unit_has_the_test_of_welch_without_it() -> None:
    arm = np.arange(9) < 4
    design = np.column_stack([np.ones(9), arm])
    values = np.random.default_rng(1).normal(size=(6, 9)) + arm
    found = leave_one_out(values, design, 1)
    for unit in range(9):
        rest = np.arange(9) != unit
        test = stats.ttest_ind(
            values[:, arm & rest], values[:, ~arm & rest], axis=1, equal_var=False
        )
        np.testing.assert_allclose(found.p[unit], test.pvalue)
        means = values[:, arm & rest].mean(axis=1) - values[:, ~arm & rest].mean(axis=1)
        np.testing.assert_allclose(found.estimate[unit], means)
        np.testing.assert_allclose(found.se[unit], np.abs(means / test.statistic))


def test_a_unit_that_alone_has_a_covariate_changes_nothing() -> None:
    design = np.column_stack([np.ones(8), np.arange(8) < 4, np.arange(8) == 7])
    values = np.random.default_rng(2).normal(size=(3, 8))
    found = leave_one_out(values, design, 1)
    test = effect_test(values[:, :7], design[:7, :2], 1)
    np.testing.assert_allclose(found.estimate[7], test.estimate)
    np.testing.assert_allclose(found.p[7], test.p)
    assert np.isfinite(found.p).all()


def test_without_the_only_unit_of_an_arm_nothing_is_estimated() -> None:
    design = np.column_stack([np.ones(6), np.arange(6) < 1])
    found = leave_one_out(np.random.default_rng(3).normal(size=(2, 6)), design, 1)
    assert np.isnan(found.estimate[0]).all()
    assert np.isnan(found.p).all()  # the spread of one unit is not known


def test_the_last_degree_of_freedom_leaves_no_p() -> None:
    found = leave_one_out(
        np.array([[1.0, 2.0, 4.0]]), np.column_stack([np.ones(3), [1.0, 0, 0]]), 1
    )
    assert np.isnan(found.p).all()
