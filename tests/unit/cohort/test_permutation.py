"""Permutation tests agree with enumeration by full refits, and with scipy."""

from itertools import combinations, permutations, product
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, independent_columns
from lammscope.cohort.permutation import permutation_p
from lammscope.cohort.schemes import Scheme, label_scheme
from lammscope.stats.effect import effect_test


def question(kind: str = "between", adjust: tuple[str, ...] = ()) -> Contrast:
    return make_contrast(
        name="question", kind=kind, column="response", test="test", reference="reference",
        where={}, adjust=adjust, match=(), choose=None,
    )  # fmt: skip


def arms(labels: str, **covariates: list[object]) -> pd.DataFrame:
    names = {"T": "test", "R": "reference", "P": "pair"}
    return pd.DataFrame({"arm": [names[label] for label in labels], **covariates})


def scheme_of(
    units: pd.DataFrame, contrast: Contrast, *, max_exact: int = 20_000, n: int = 10_000
) -> Scheme:
    return contrast.permutations(units, max_exact=max_exact, n_draws=n)


def t_values(values: np.ndarray, design: np.ndarray, at: int) -> np.ndarray:
    return np.abs(effect_test(values, design, at).t)


@pytest.mark.parametrize(
    ("labels", "strata"),
    [("TTTRRR", "aaaaaa"), ("TTTRRRRR", "aaaaaaaa"), ("TTRRTTRR", "aaaabbbb"),
     ("TTRRTRR", "aaaabbc")],
)  # fmt: skip
def test_labels_within_strata_agree_with_refitting_every_assignment(
    labels: str, strata: str
) -> None:
    units, contrast = arms(labels, stratum=list(strata)), question(adjust=("stratum",))
    values = np.random.default_rng(1).normal(size=(40, len(labels)))
    arm, codes = (units["arm"] == "test").to_numpy(float), np.array(list(strata))
    dummies = (codes[:, None] == np.unique(codes)).astype(float)
    found = []
    for chosen in combinations(range(len(arm)), int(arm.sum())):
        moved = np.isin(np.arange(len(arm)), chosen).astype(float)
        if all(moved[codes == s].sum() == arm[codes == s].sum() for s in set(strata)):
            found.append(t_values(values, np.column_stack([moved, dummies]), 0))
    design = np.column_stack([arm, dummies])
    observed = t_values(values, design, 0)
    expected = np.mean(np.array(found) >= observed * (1 - 1e-9), axis=0)
    scheme = scheme_of(units, contrast)
    assert scheme.exact
    assert len(found) == scheme.n_assignments
    got = permutation_p(values, design, 0, scheme, seed=1)
    np.testing.assert_allclose(got, expected)
    assert got.min() >= scheme.floor


def test_two_groups_agree_with_scipy() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(size=(5, 9)) + np.r_[np.ones(4), np.zeros(5)]
    units = arms("TTTTRRRRR")
    design: Any = np.column_stack([np.ones(9), (units["arm"] == "test").to_numpy(float)])
    got = permutation_p(values, design, 1, scheme_of(units, question()), seed=1)

    def absolute_t(x: np.ndarray, y: np.ndarray, axis: int) -> float | np.ndarray:
        return np.abs(stats.ttest_ind(x, y, axis=axis, equal_var=False).statistic)

    expected = [
        stats.permutation_test(
            (row[:4], row[4:]), absolute_t, vectorized=True, n_resamples=np.inf,
            alternative="greater",
        ).pvalue
        for row in values
    ]  # fmt: skip
    np.testing.assert_allclose(got, expected)


def test_signs_of_pairs_agree_with_every_flip() -> None:
    values = np.random.default_rng(3).normal(0.5, 1, size=(30, 6))
    flips = np.array(list(product([1, -1], repeat=6)))
    t = [np.abs(stats.ttest_1samp(values * signs, 0, axis=1).statistic) for signs in flips]
    observed = np.abs(stats.ttest_1samp(values, 0, axis=1).statistic)
    expected = np.mean(np.array(t) >= observed * (1 - 1e-9), axis=0)
    scheme = scheme_of(arms("PPPPPP"), question("paired"))
    np.testing.assert_allclose(permutation_p(values, np.ones((6, 1)), 0, scheme, seed=1), expected)


def test_residuals_agree_with_freedman_and_lane_by_hand() -> None:
    rng = np.random.default_rng(4)
    age, labels = rng.normal(size=6), "TTTRRR"
    units = arms(labels, age=age.tolist())
    values = rng.normal(size=(10, 6)) + age
    arm = (units["arm"] == "test").to_numpy(float)
    reduced, design = np.column_stack([np.ones(6), age]), np.column_stack([np.ones(6), arm, age])
    fitted = values @ reduced @ np.linalg.inv(reduced.T @ reduced) @ reduced.T
    found = [
        t_values(fitted + (values - fitted)[:, list(order)], design, 1)
        for order in permutations(range(6))
    ]
    expected = np.mean(np.array(found) >= t_values(values, design, 1) * (1 - 1e-9), axis=0)
    scheme = scheme_of(units, question(adjust=("age",)))
    assert scheme.exact
    assert "approximate" in scheme.words
    np.testing.assert_allclose(permutation_p(values, design, 1, scheme, seed=1), expected)


@pytest.mark.parametrize(
    ("labels", "contrast", "covariates"),
    [("TTTTTRRRRR", question(), {}), ("P" * 10, question("paired"), {}),
     ("TTTTTRRRRR", question(adjust=("age",)), {"age": list(range(10))})],
)  # fmt: skip
def test_draws_come_close_to_enumeration_and_are_repeatable(
    labels: str, contrast: Contrast, covariates: dict[str, Any]
) -> None:
    rng = np.random.default_rng(5)
    units = arms(labels, **covariates)
    values = rng.normal(0.3, 1, size=(8, 10)) * np.r_[np.ones(5), 2 * np.ones(5)]
    design: Any = np.column_stack([np.ones(10), (units["arm"] == "test").to_numpy(float)])
    at = 1 if "T" in labels else 0
    design = design[:, : at + 1]
    if covariates:
        design = np.column_stack([design, (np.arange(10) - 4.5) / 3])
    drawn = scheme_of(units, contrast, max_exact=100, n=20_000)
    assert not drawn.exact
    first, again = (permutation_p(values, design, at, drawn, seed=7) for _ in range(2))
    assert (first == again).all()
    assert (permutation_p(values, design, at, drawn, seed=8) != first).any()
    assert first.min() >= drawn.floor
    if covariates:
        exact = permutation_p(
            values, design, at, scheme_of(units, contrast, max_exact=5, n=60_000), seed=2
        )
    else:
        exact = permutation_p(values, design, at, scheme_of(units, contrast), seed=1)
    np.testing.assert_allclose(first, exact, atol=0.015)


def test_a_covariate_that_a_permuted_arm_repeats_is_no_evidence() -> None:
    units = arms("TTRR", stratum=list("abab"))
    design = np.column_stack([np.ones(4), [1.0, 1, 0, 0], [0.0, 1, 0, 1]])
    scheme = scheme_of(units, question())  # the covariate is not a stratum
    p = permutation_p(np.array([[3.0, 3.1, 0.0, 0.2]]), design, 1, scheme, seed=1)
    assert 0 < p[0] <= 1


def test_without_residual_degrees_of_freedom_there_is_no_p() -> None:
    units = arms("TR")
    design = np.column_stack([np.ones(2), [1.0, 0.0]])
    assert np.isnan(
        permutation_p(np.ones((3, 2)), design, 1, scheme_of(units, question()), seed=1)
    ).all()


@pytest.mark.parametrize("adjust", [(), ("product",), ("age",)])
def test_one_sided_p_counts_the_assignments_on_its_side_only(adjust: tuple[str, ...]) -> None:
    rng = np.random.default_rng(3)
    arms = np.array(["test", "reference"] * 4)
    units = pd.DataFrame(
        {"arm": arms, "product": list("aabb") * 2, "age": rng.permuted(np.arange(30.0, 70, 5))}
    )
    design = independent_columns(design_matrix(units, adjust))
    at = list(design).index("arm")
    scheme = label_scheme(units, adjust, max_exact=50_000, n_draws=100)
    values = rng.normal(size=(3, 8)) + 0.8 * (arms == "test")

    def p(side: int) -> np.ndarray:
        return permutation_p(values, design.to_numpy(), at, scheme, seed=1, side=side)

    both, above, below = p(0), p(1), p(-1)
    assert scheme.exact
    estimate = np.linalg.lstsq(design.to_numpy(), values.T, rcond=None)[0][at]
    assert (np.where(estimate > 0, above, below) < both).all()
    assert (above + below >= 1).all()  # the observed assignment is on both sides
