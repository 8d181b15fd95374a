"""limma's and edgeR's numbers, reproduced: the reference cohort of `make_golden.R`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope import linear

Golden = Callable[[str], Path]
EXACT = {"rtol": 1e-6, "atol": 1e-9}
CHANGE = {"rtol": 1e-4, "atol": 1e-9}  # R's iteration for the correlation stops early
CHANGE_CONTRAST = [1.0, -1.0, -1.0, 1.0]


@pytest.fixture
def samples(golden: Golden) -> pd.DataFrame:
    return pd.read_csv(golden("samples.csv"))


@pytest.fixture
def proportions(golden: Golden) -> dict[str, np.ndarray]:
    counts = pd.read_csv(golden("celltype_counts.csv"), index_col="sample").to_numpy().T
    total, n_types = counts.sum(axis=0), len(counts)
    shifted = (counts + 0.5) / (total + 0.5 * n_types)
    return {"logit": np.log(shifted / (1 - shifted)), "asin": np.arcsin(np.sqrt(counts / total))}


@pytest.fixture
def pseudobulk(golden: Golden, samples: pd.DataFrame) -> np.ndarray:
    table = pd.read_csv(golden("pseudobulk_counts.csv"), index_col="gene")
    return table[samples["sample"]].to_numpy()


def groups(samples: pd.DataFrame) -> np.ndarray:
    labels = samples["response"] + "." + samples["timepoint"]
    return np.column_stack([labels == g for g in ("R.pre", "R.post", "NR.pre", "NR.post")]) * 1.0


def treatment(samples: pd.DataFrame) -> np.ndarray:
    return np.column_stack(
        [np.ones(len(samples)), samples["response"] == "NR", samples["product"] == "tisa"]
    )


def assert_table(
    fit: linear.TestedFit, path: Path, *, column: int = 0, rtol: float, atol: float
) -> None:
    expected = pd.read_csv(path)
    got = {
        "estimate": fit.coefficients[:, column],
        "se": fit.stdev_unscaled[:, column] * np.sqrt(fit.s2_post),
        "t": fit.t[:, column],
        "df": fit.df_total,
        "p": fit.p_value[:, column],
        "fdr": stats.false_discovery_control(fit.p_value[:, column]),
    }
    for name, values in got.items():
        np.testing.assert_allclose(values, expected[name], rtol=rtol, atol=atol, err_msg=name)


@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_proportions_between_arms_agree_with_limma(golden, samples, proportions, scale):
    pre = (samples["timepoint"] == "pre").to_numpy()
    part = samples[pre]
    design = np.column_stack(
        [part["response"] == "R", part["response"] == "NR", part["product"] == "tisa"]
    )
    fit = linear.lm_fit(proportions[scale][:, pre], design)
    fit = linear.moderate(linear.contrast_fit(fit, [-1.0, 1.0, 0.0]), robust=False, trend=False)
    assert_table(fit, golden(f"abundance_baseline_{scale}.csv"), **EXACT)


@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_proportions_of_pairs_agree_with_limma(golden, samples, proportions, scale):
    paired = samples["patient"].duplicated(keep=False).to_numpy()
    part = samples[paired]
    patients = pd.get_dummies(part["patient"]).to_numpy(dtype=float)
    design = np.column_stack([patients, part["timepoint"] == "post"])
    fit = linear.moderate(
        linear.lm_fit(proportions[scale][:, paired], design), robust=False, trend=False
    )
    assert_table(fit, golden(f"abundance_paired_{scale}.csv"), column=-1, **EXACT)


@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_change_of_proportions_agrees_with_limma(golden, samples, proportions, scale):
    y, design, block = proportions[scale], groups(samples), samples["patient"]
    correlation = linear.duplicate_correlation(y, design, block=block).consensus
    expected = float(golden(f"abundance_change_{scale}.correlation.txt").read_text())
    assert correlation == pytest.approx(expected, abs=2e-5)
    fit = linear.lm_fit(y, design, block=block, correlation=correlation)
    fit = linear.moderate(linear.contrast_fit(fit, CHANGE_CONTRAST), robust=False, trend=False)
    assert_table(fit, golden(f"abundance_change_{scale}.csv"), **CHANGE)


def test_voom_between_arms_agrees_with_limma_and_edger(golden, samples, pseudobulk):
    pre = (samples["timepoint"] == "pre").to_numpy()
    counts, design = pseudobulk[:, pre], treatment(samples[pre])
    kept = linear.filter_by_expression(counts, design)
    assert kept.tolist() == pd.read_csv(golden("expression_baseline_filter.csv"))["kept"].tolist()
    factors = linear.tmm(counts[kept])
    expected = pd.read_csv(golden("expression_baseline_tmm.csv"))["tmm"]
    np.testing.assert_allclose(factors, expected, **EXACT)
    voom = linear.voom(counts[kept], design, norm_factors=factors)
    expected = pd.read_csv(golden("expression_baseline_voom_weights.csv"))["weight_mean"]
    np.testing.assert_allclose(voom.weights.mean(axis=1), expected, **EXACT)
    fit = linear.moderate(
        linear.lm_fit(voom.y, design, weights=voom.weights), robust=False, trend=False
    )
    assert_table(fit, golden("expression_baseline_voom.csv"), column=1, **EXACT)


def test_voom_with_correlated_patients_agrees_with_limma(golden, samples, pseudobulk):
    design, block = groups(samples), samples["patient"]
    counts = pseudobulk[linear.filter_by_expression(pseudobulk, design)]
    factors = linear.tmm(counts)
    voom = linear.voom(counts, design, norm_factors=factors)
    first = linear.duplicate_correlation(voom.y, design, block=block, weights=voom.weights)
    voom = linear.voom(
        counts, design, norm_factors=factors, block=block, correlation=first.consensus
    )
    second = linear.duplicate_correlation(voom.y, design, block=block, weights=voom.weights)
    correlation = second.consensus
    expected = float(golden("expression_change_voom.correlation.txt").read_text())
    assert correlation == pytest.approx(expected, abs=2e-5)
    fit = linear.lm_fit(voom.y, design, weights=voom.weights, block=block, correlation=correlation)
    fit = linear.moderate(linear.contrast_fit(fit, CHANGE_CONTRAST), robust=False, trend=False)
    assert_table(fit, golden("expression_change_voom.csv"), **CHANGE)


# ---- closed forms and properties: no reference file needed ----


def cohort_design(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([np.ones(n), np.arange(n) % 2, rng.normal(size=n)])


def test_weights_and_blocks_are_generalised_least_squares():
    rng = np.random.default_rng(1)
    n, block = 12, np.repeat(np.arange(6), 2)
    y, weights, design = rng.normal(size=(5, n)), rng.uniform(0.5, 2, (5, n)), cohort_design(n, rng)
    fit = linear.lm_fit(y, design, weights=weights, block=block, correlation=0.4)
    common = np.where(block[:, None] == block, 0.4, 0.0) + 0.6 * np.eye(n)
    for i in range(5):
        inverse = np.linalg.inv(common / np.sqrt(np.outer(weights[i], weights[i])))
        covariance = np.linalg.inv(design.T @ inverse @ design)
        beta = covariance @ design.T @ inverse @ y[i]
        rest = y[i] - design @ beta
        np.testing.assert_allclose(fit.coefficients[i], beta)
        np.testing.assert_allclose(fit.stdev_unscaled[i] ** 2, np.diag(covariance))
        np.testing.assert_allclose(fit.sigma[i] ** 2, rest @ inverse @ rest / (n - 3))


def test_equal_weights_change_nothing_and_order_of_samples_is_free():
    rng = np.random.default_rng(2)
    y, design, block = rng.normal(size=(40, 16)), cohort_design(16, rng), np.repeat(np.arange(8), 2)
    plain = linear.moderate(linear.lm_fit(y, design), robust=False, trend=False)
    weighted = linear.lm_fit(y, design, weights=np.full(y.shape, 3.0))
    np.testing.assert_allclose(plain.t, linear.moderate(weighted, robust=False, trend=False).t)
    order = rng.permutation(16)
    for weights in (None, rng.uniform(0.5, 2, y.shape)):
        values = [
            linear.duplicate_correlation(
                y[:, o],
                design[o],
                block=block[o],
                weights=None if weights is None else weights[:, o],
            ).values
            for o in (np.arange(16), order)
        ]
        np.testing.assert_allclose(*values, atol=1e-6)


def test_two_groups_are_the_t_test_and_a_contrast_is_a_coefficient():
    rng = np.random.default_rng(3)
    y, arm = rng.normal(size=(30, 11)), np.arange(11) < 5
    expected = stats.ttest_ind(y[:, arm], y[:, ~arm], axis=1)
    fit = linear.lm_fit(y, np.column_stack([arm, ~arm]).astype(float))
    test = linear.ordinary(linear.contrast_fit(fit, [1.0, -1.0]))
    np.testing.assert_allclose(test.t[:, 0], expected.statistic)
    np.testing.assert_allclose(test.p_value[:, 0], expected.pvalue)


def test_blocks_of_two_in_a_balanced_design_have_the_correlation_of_pairs():
    rng = np.random.default_rng(4)
    shared = rng.normal(size=(400, 15)).repeat(2, axis=1)
    y = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=(400, 30))
    found = linear.duplicate_correlation(y, np.ones((30, 1)), block=np.repeat(np.arange(15), 2))
    assert found.consensus == pytest.approx(0.6, abs=0.02)
    centred = y - y.mean(axis=1, keepdims=True)
    pairs = centred.reshape(400, 15, 2)
    within = np.mean((pairs[:, :, 0] - pairs[:, :, 1]) ** 2 / 2, axis=1)
    between = np.sum(pairs.sum(axis=2) ** 2 / 2, axis=1) / 14
    expected = (between - within) / (between + within)  # analysis of variance, balanced
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


@pytest.mark.parametrize("trend", [False, True])
def test_moderated_p_values_are_uniform_where_nothing_differs(trend):
    rng = np.random.default_rng(6)
    n_features = 3000
    level = rng.uniform(0, 10, (n_features, 1))
    spread = np.sqrt(8 / rng.chisquare(8, (n_features, 1))) * np.exp(-0.2 * level * trend)
    y = level + spread * rng.normal(size=(n_features, 8))
    design = np.column_stack([np.ones(8), np.arange(8) % 2])
    fit = linear.moderate(linear.lm_fit(y, design), robust=False, trend=trend)
    low, high = stats.binom.ppf([0.0005, 0.9995], n_features, 0.05) / n_features
    assert low <= (fit.p_value[:, 1] < 0.05).mean() <= high
    assert 5 < fit.df_prior[0] < 13


def test_library_factors_undo_composition():
    rng = np.random.default_rng(7)
    mean = rng.gamma(1, 100, 2000) + 5
    counts = rng.poisson(mean[:, None] * np.ones(6))
    counts[:40, :3] *= 30  # few genes take half of the reads of three libraries
    factors = linear.tmm(counts)
    sizes = counts.sum(axis=0) * factors
    assert np.exp(np.log(factors).mean()) == pytest.approx(1)
    assert sizes[:3].mean() / sizes[3:].mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear.lm_fit(np.ones((2, 4)), np.ones((4, 2))), "2 columns but rank 1"),
        (lambda: linear.lm_fit([[1.0, np.nan, 2.0]], np.ones((3, 1))), "missing or infinite"),
        (lambda: linear.lm_fit(np.ones((2, 4)), np.ones((3, 1))), "samples do not agree"),
        (lambda: linear.lm_fit(np.ones((1, 3)), np.ones((3, 1)), block=[1, 1, 2]), "together"),
        (lambda: linear.tmm([[1, 0], [2, 0]]), "without counts"),
        (lambda: linear.duplicate_correlation(np.eye(6), np.ones((6, 1)), block=range(6)), "repea"),
        (lambda: linear.moderate(linear.lm_fit(np.eye(2), np.eye(2)), robust=False, trend=False), "no residual"),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()
