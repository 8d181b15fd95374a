"""Many assignments at once give the numbers of one test at a time."""

import numpy as np
import pytest

from lammscope.stats.assigned import effects_of_arms, effects_of_numbers, effects_of_signs
from lammscope.stats.effect import effect_test, split_column


@pytest.mark.parametrize("n_covariates", [0, 2])
def test_each_assignment_of_arms_has_the_numbers_of_its_own_test(n_covariates: int) -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(4, 12))
    covariates = rng.normal(size=(12, n_covariates))
    design = np.column_stack([np.ones(12), np.zeros(12), covariates])
    assigned = np.array([rng.permutation([True] * 4 + [False] * 8) for _ in range(20)])
    others, _ = split_column(design, 1)
    found = effects_of_arms(values, others, assigned)
    for i, column in enumerate(assigned):
        design[:, 1] = column
        test = effect_test(values, design, 1)
        np.testing.assert_allclose(found.estimate[i], test.estimate, atol=1e-12)
        np.testing.assert_allclose(found.t[i], test.t)
        np.testing.assert_allclose(found.df[i], test.df)


def test_each_assignment_of_numbers_or_signs_has_the_numbers_of_its_own_test() -> None:
    rng = np.random.default_rng(2)
    values, numbers = rng.normal(size=(3, 9)), rng.normal(size=9)
    design = np.column_stack([np.ones(9), np.zeros(9), rng.normal(size=9)])
    assigned = np.array([rng.permutation(numbers) for _ in range(10)])
    found = effects_of_numbers(values, split_column(design, 1)[0], assigned)
    signs = rng.random((10, 9)) < 0.5
    flipped = effects_of_signs(values, signs)
    for i in range(10):
        design[:, 1] = assigned[i]
        test = effect_test(values, design, 1)
        np.testing.assert_allclose(found.t[i], test.t)
        np.testing.assert_allclose(found.df[i], test.df)
        own = effect_test(values * np.where(signs[i], 1, -1), np.ones((9, 1)), 0)
        np.testing.assert_allclose(flipped.t[i], own.t)
        np.testing.assert_allclose(flipped.df[i], own.df)


def test_an_assignment_that_leaves_an_arm_empty_has_no_numbers() -> None:
    assigned = np.array([[False] * 6, [True, False, False, False, True, True]])
    values = np.random.default_rng(3).normal(size=(2, 6))
    found = effects_of_arms(values, split_column(np.ones((6, 2)), 1)[0], assigned)
    assert np.isnan(found.t[0]).all()
    assert np.isfinite(found.t[1]).all()
