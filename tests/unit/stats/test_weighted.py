"""The test in which values that rest on few cells count less."""

import numpy as np
import pytest
from scipy import stats

from lammscope.stats import linear
from lammscope.stats.effect import effect_test
from lammscope.stats.weighted import WeightedEffect, weighted_test

NAMES = ("estimate", "se", "df", "t", "p")
ARM = np.repeat([1.0, 0.0], [4, 7])
AGE = np.random.default_rng(3).normal(size=11)
DESIGNS = {
    "between": (np.column_stack([np.ones(11), ARM]), 1),
    "adjusted": (np.column_stack([np.ones(11), ARM, AGE]), 1),
    "paired": (np.ones((11, 1)), 0),
    "trend": (np.column_stack([np.ones(11), AGE]), 1),
}


def values_of(n: int = 20) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(n, 11)) * np.where(ARM > 0, 2, 1)


@pytest.mark.parametrize("model", DESIGNS)
@pytest.mark.parametrize("sampling", [0.01, 1.0, 100.0])
def test_values_of_the_same_precision_give_the_test_without_weights(
    model: str, sampling: float
) -> None:
    design, at = DESIGNS[model]
    values = values_of()
    same = np.full_like(values, sampling)
    found = weighted_test(values, same, design, at, one_variance=True)
    plain = linear.ordinary(linear.lm_fit(values, design))
    np.testing.assert_allclose(found.p, plain.p_value[:, at], rtol=1e-7)
    np.testing.assert_allclose(found.estimate, effect_test(values, design, at).estimate)


@pytest.mark.parametrize("sampling", [(0.01, 0.01), (1.0, 0.2), (100.0, 3.0)])
def test_arms_of_the_same_precision_within_give_the_test_of_welch(
    sampling: tuple[float, float],
) -> None:
    values = values_of()
    of_arm = np.broadcast_to(np.where(ARM > 0, *sampling), values.shape)
    found = weighted_test(values, of_arm, *DESIGNS["between"])
    expected = stats.ttest_ind(values[:, :4], values[:, 4:], axis=1, equal_var=False)
    np.testing.assert_allclose(found.t, expected.statistic)
    np.testing.assert_allclose(found.p, expected.pvalue)
    np.testing.assert_allclose(found.df, expected.df)


def test_variance_between_patients_is_0_where_counts_explain_the_spread() -> None:
    values = values_of()
    few = weighted_test(values, np.full_like(values, 100.0), *DESIGNS["between"])
    assert (few.between == 0).all()
    many = weighted_test(values, np.full_like(values, 1e-6), *DESIGNS["between"])
    groups = values[:, 4:], values[:, :4]
    np.testing.assert_allclose(many.between, [g.var(axis=1, ddof=1) for g in groups], rtol=1e-4)


def test_an_imprecise_patient_counts_less() -> None:
    values = values_of()
    values[:, 0] += 50
    sampling = np.full_like(values, 0.1)
    sampling[:, 0] = 1e8
    found = weighted_test(values, sampling, *DESIGNS["between"])
    without = weighted_test(values[:, 1:], sampling[:, 1:], DESIGNS["between"][0][1:], 1)
    np.testing.assert_allclose(found.estimate, without.estimate, atol=1e-4)
    assert (np.abs(found.estimate - effect_test(values, *DESIGNS["between"]).estimate) > 10).all()


@pytest.mark.parametrize("model", DESIGNS)
def test_features_and_units_in_another_order_give_the_same(model: str) -> None:
    design, at = DESIGNS[model]
    rng = np.random.default_rng(5)
    values, sampling = values_of(), rng.uniform(0.01, 3, size=(20, 11))
    found = weighted_test(values, sampling, design, at)
    order, units = rng.permutation(20), rng.permutation(11)
    again = weighted_test(values[order][:, units], sampling[order][:, units], design[units], at)
    assert (found.added > 1e-6).all()
    for name in NAMES:
        np.testing.assert_allclose(getattr(again, name), getattr(found, name)[order], rtol=1e-6)
    assert np.isfinite(found.p).all()


def unknown(found: WeightedEffect) -> bool:
    """Tell whether nothing is known."""
    return all(np.isnan(getattr(found, name)).all() for name in (*NAMES, "between"))


def test_without_the_patients_for_a_variance_there_is_no_p() -> None:
    values, sampling = values_of(), np.full((20, 11), 0.5)
    one = np.column_stack([np.ones(11), np.eye(11)[0]])
    assert unknown(weighted_test(values, sampling, one, 1))  # one patient in an arm
    twice = np.column_stack([np.ones(11), ARM, ARM])
    assert unknown(weighted_test(values, sampling, twice, 1))  # a covariate that is the arm
    assert unknown(weighted_test(values[:, :2], sampling[:, :2], one[:2], 1))  # none left
    assert unknown(weighted_test(values[:, :1], sampling[:, :1], np.ones((1, 1)), 0))
    assert len(weighted_test(values[:0], sampling[:0], one, 1).p) == 0


def test_level_is_kept_with_few_patients_of_whom_some_are_imprecise() -> None:
    rng = np.random.default_rng(7)
    design = np.column_stack([np.ones(8), np.repeat([1.0, 0.0], 4)])
    sampling = np.where(rng.random((4000, 8)) < 0.3, 0.7, 0.07)
    values = rng.normal(size=(4000, 8)) * np.sqrt(sampling + 0.15)
    found = weighted_test(values, sampling, design, 1)
    assert np.isfinite(found.p).all()
    assert 0.03 < (found.p < 0.05).mean() < 0.053
    known = found.se**2 > found.added  # without what estimated weights add there are too many
    t = found.estimate / np.sqrt(found.se**2 - found.added)
    assert known.all()
    assert (2 * stats.t.sf(np.abs(t), found.df) < 0.05).mean() > 0.055
