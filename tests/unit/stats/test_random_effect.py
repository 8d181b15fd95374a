"""The random patient effect: complete pairs, incomplete ones, and what cannot be tested."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lammscope.stats import linear
from lammscope.stats.effect import effect_test
from lammscope.stats.random_effect import MixedEffect, random_effect_test

PAIRS = np.ones((9, 2), dtype=bool)
ARMS = np.repeat([1.0, 0.0], [4, 5])
AGE = np.linspace(-1.2, 1.9, 9) ** 2


def draw(rho: float, *, shape: tuple[int, ...] = (30, 9), seed: int = 1) -> NDArray[np.float64]:
    """Draw features x patients x sides (test, reference) with a correlation of either sign."""
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(*shape, 1)) * np.sqrt(abs(rho))
    sides = shared * [1, np.sign(rho) or 1]
    return np.asarray(sides + rng.normal(size=(*shape, 2)) * np.sqrt(1 - abs(rho)))


def fit(
    values: NDArray[Any],
    present: NDArray[np.bool_],
    *,
    groups: NDArray[np.float64] | None = None,
    arm: NDArray[np.float64] | None = None,
) -> MixedEffect:
    """Fit features x patients x sides; the last column of `groups` is tested in its change."""
    patient, side = np.nonzero(present)
    test_side = (side == 0).astype(float)
    groups = np.ones((len(present), 1)) if groups is None else groups
    own = groups[patient]
    design = np.column_stack([own, own * test_side[:, None]])
    arms = np.ones(len(present)) if arm is None else arm
    at = design.shape[1] - 1
    return random_effect_test(
        values[:, patient, side], design, at, patient=patient, arm=arms[patient]
    )


def change_groups(*covariates: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack([np.ones(9), *covariates, ARMS])


@pytest.mark.parametrize("rho", [0.8, 0.0, -0.5])
def test_complete_pairs_give_the_paired_t_test_whatever_the_correlation(rho: float) -> None:
    values = draw(rho)
    got = fit(values, PAIRS)
    paired = effect_test(values[..., 0] - values[..., 1], np.ones((9, 1)), 0)
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(getattr(got, name), getattr(paired, name), rtol=1e-9)


def test_complete_pairs_of_two_arms_give_welch_of_the_differences() -> None:
    values = draw(0.4) * np.where(ARMS == 1, 3.0, 1.0)[:, None]
    got = fit(values, PAIRS, groups=change_groups(), arm=ARMS)
    welch = effect_test(values[..., 0] - values[..., 1], np.column_stack([np.ones(9), ARMS]), 1)
    for name in ("estimate", "se", "df", "p"):
        np.testing.assert_allclose(getattr(got, name), getattr(welch, name), rtol=1e-8)


def test_complete_pairs_with_one_variance_give_the_ordinary_test_with_covariates() -> None:
    values = draw(0.4)
    got = fit(values, PAIRS, groups=change_groups(AGE))
    design = np.column_stack([np.ones(9), AGE, ARMS])
    plain = linear.ordinary(linear.lm_fit(values[..., 0] - values[..., 1], design))
    np.testing.assert_allclose(got.estimate, plain.coefficients[:, 2], rtol=1e-8)
    np.testing.assert_allclose(got.p, plain.p_value[:, 2], rtol=1e-8)


def test_a_patient_with_one_sample_counts_more_the_less_the_samples_correlate() -> None:
    present = PAIRS.copy()
    present[:3, 0] = False  # no test side
    moved = []
    for rho in (0.95, 0.0):
        values = draw(rho, shape=(200, 9))
        shifted = values.copy()
        shifted[:, :3, 1] += 0.1
        moved.append(
            np.median(np.abs(fit(shifted, present).estimate - fit(values, present).estimate))
        )
    assert 0 < moved[0] < moved[1] / 3
    assert moved[1] == pytest.approx(0.1 / 3, rel=0.5)


def test_scale_shift_and_order_of_samples_change_nothing() -> None:
    values, present = draw(0.5), PAIRS.copy()
    present[[0, 5], 0] = present[7, 1] = False
    first = fit(values, present, groups=change_groups(), arm=ARMS)
    scaled = fit(1000 * values + 7, present, groups=change_groups(), arm=ARMS)
    order = np.random.default_rng(3).permutation(9)
    moved = fit(values[:, order], present[order], groups=change_groups()[order], arm=ARMS[order])
    for other in (scaled, moved):
        np.testing.assert_allclose(other.p, first.p, rtol=1e-7)
    np.testing.assert_allclose(scaled.se, 1000 * first.se, rtol=1e-7)


def test_level_is_kept_where_arms_differ_in_spread_and_some_are_incomplete() -> None:
    present = np.ones((14, 2), dtype=bool)
    present[[4, 5, 6, 13], [0, 0, 1, 0]] = False
    arm = np.repeat([1.0, 0.0], [5, 9])
    values = draw(0.4, shape=(4000, 14)) * np.where(arm == 1, 2.0, 1.0)[:, None]
    groups = np.column_stack([np.ones(14), arm])
    own, one = (fit(values, present, groups=groups, arm=each).p for each in (arm, None))
    assert 0.04 < (own < 0.05).mean() < 0.07
    assert (one < 0.05).mean() > 0.08  # why each arm has its own variances


@pytest.mark.parametrize(
    ("present", "arm"),
    [
        (np.eye(2, dtype=bool)[[0, 0, 0, 0, 1, 1, 1, 1, 1]], None),  # no complete pair
        (np.eye(2, dtype=bool)[[0] * 9], None),  # one phase only
        (np.vstack([[[True, True]], np.eye(2, dtype=bool)[[0, 1] * 4]]), None),  # one pair
        (np.vstack([np.eye(2, dtype=bool)[[0, 1, 0, 1]], PAIRS[:5]]), ARMS),  # an arm without
        (np.vstack([np.eye(2, dtype=bool)[[0] * 4], PAIRS[:5]]), ARMS),  # an arm of one phase
    ],
)
def test_too_few_pairs_have_no_p(
    present: NDArray[np.bool_], arm: NDArray[np.float64] | None
) -> None:
    groups = None if arm is None else change_groups()
    got = fit(draw(0.3), present, groups=groups, arm=arm)
    for name in ("estimate", "se", "df", "p", "within", "between"):
        assert np.isnan(getattr(got, name)).all(), name


def test_values_without_spread_have_no_p() -> None:
    present = PAIRS.copy()
    present[0, 0] = False
    values = np.zeros((3, 9, 2))
    values[1, :, 0] = 1  # all patients change alike
    values[2] = draw(0.5)[0, :, :1] + [1, 0]  # patients differ, but change alike
    got = fit(values, present)
    assert np.isnan(got.p).all()


def test_a_patient_has_at_most_two_samples() -> None:
    with pytest.raises(ValueError, match="more than two samples"):
        random_effect_test(
            np.ones((1, 3)), np.ones((3, 1)), 0, patient=np.zeros(3), arm=np.zeros(3)
        )


def test_a_covariate_that_the_others_explain_changes_nothing() -> None:
    values, present = draw(0.5), PAIRS.copy()
    present[[0, 5], 0] = False
    once = fit(values, present, groups=change_groups(AGE), arm=ARMS)
    twice = fit(values, present, groups=change_groups(AGE, 2 * AGE), arm=ARMS)
    np.testing.assert_allclose(once.p, twice.p, rtol=1e-7)
    aliased = fit(values, present, groups=change_groups(ARMS), arm=ARMS)
    assert np.isnan(aliased.p).all()
