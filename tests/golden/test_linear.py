"""Linear models agree with limma and edgeR in the cohort of `make_golden.R`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from lammscope.stats import linear
from lammscope.stats.camera import camera
from lammscope.stats.edger import filter_by_expression, tmm
from lammscope.stats.voom import voom

Golden = Callable[[str], Path]
EXACT = {"rtol": 1e-6, "atol": 1e-9}
CHANGE: dict[str, Any] = {
    "rtol": 1e-4,
    "atol": 1e-9,
}  # R's iteration for the correlation stops early
ROBUST = {"rtol": 1e-4, "atol": 1e-9}
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


def tag(scale: str, robust: bool) -> str:
    return f"{scale}_robust" if robust else scale


def within(robust: bool) -> dict[str, Any]:
    return ROBUST if robust else EXACT


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


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_proportions_between_arms_agree_with_limma(
    golden: Callable[[str], Path],
    samples: pd.DataFrame,
    proportions: dict[str, np.ndarray],
    scale: str,
    robust: bool,
) -> None:
    pre = (samples["timepoint"] == "pre").to_numpy()
    part = samples[pre]
    design = np.column_stack(
        [part["response"] == "R", part["response"] == "NR", part["product"] == "tisa"]
    )
    fit = linear.lm_fit(proportions[scale][:, pre], design)
    fit = linear.moderate(linear.contrast_fit(fit, [-1.0, 1.0, 0.0]), robust=robust, trend=False)
    assert_table(fit, golden(f"abundance_baseline_{tag(scale, robust)}.csv"), **within(robust))


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_proportions_of_pairs_agree_with_limma(
    golden: Callable[[str], Path],
    samples: pd.DataFrame,
    proportions: dict[str, np.ndarray],
    scale: str,
    robust: bool,
) -> None:
    paired = samples["patient"].duplicated(keep=False).to_numpy()
    part = samples[paired]
    patients = pd.get_dummies(part["patient"]).to_numpy(dtype=float)
    design = np.column_stack([patients, part["timepoint"] == "post"])
    fit = linear.moderate(
        linear.lm_fit(proportions[scale][:, paired], design), robust=robust, trend=False
    )
    assert_table(
        fit, golden(f"abundance_paired_{tag(scale, robust)}.csv"), column=-1, **within(robust)
    )


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("scale", ["logit", "asin"])
def test_change_of_proportions_agrees_with_limma(
    golden: Callable[[str], Path],
    samples: pd.DataFrame,
    proportions: dict[str, np.ndarray],
    scale: str,
    robust: bool,
) -> None:
    y, design, block = proportions[scale], groups(samples), samples["patient"]
    correlation = linear.duplicate_correlation(y, design, block=block).consensus
    expected = float(golden(f"abundance_change_{tag(scale, robust)}.correlation.txt").read_text())
    assert correlation == pytest.approx(expected, abs=2e-5)
    fit = linear.lm_fit(y, design, block=block, correlation=correlation)
    fit = linear.moderate(linear.contrast_fit(fit, CHANGE_CONTRAST), robust=robust, trend=False)
    assert_table(fit, golden(f"abundance_change_{tag(scale, robust)}.csv"), **CHANGE)


def test_voom_between_arms_agrees_with_limma_and_edger(
    golden: Callable[[str], Path], samples: pd.DataFrame, pseudobulk: np.ndarray
) -> None:
    pre = (samples["timepoint"] == "pre").to_numpy()
    counts, design = pseudobulk[:, pre], treatment(samples[pre])
    kept = filter_by_expression(counts, design)
    assert kept.tolist() == pd.read_csv(golden("expression_baseline_filter.csv"))["kept"].tolist()
    factors = tmm(counts[kept])
    expected = pd.read_csv(golden("expression_baseline_tmm.csv"))["tmm"]
    np.testing.assert_allclose(factors, expected, **EXACT)
    weighted = voom(counts[kept], design, norm_factors=factors)
    expected = pd.read_csv(golden("expression_baseline_voom_weights.csv"))["weight_mean"]
    np.testing.assert_allclose(weighted.weights.mean(axis=1), expected, **EXACT)
    fit = linear.lm_fit(weighted.y, design, weights=weighted.weights)
    for robust in (False, True):
        test = linear.moderate(fit, robust=robust, trend=False)
        path = golden(f"expression_baseline_{tag('voom', robust)}.csv")
        assert_table(test, path, column=1, **within(robust))


def test_voom_with_correlated_patients_agrees_with_limma(
    golden: Callable[[str], Path], samples: pd.DataFrame, pseudobulk: np.ndarray
) -> None:
    design, block = groups(samples), samples["patient"]
    counts = pseudobulk[filter_by_expression(pseudobulk, design)]
    factors = tmm(counts)
    weighted = voom(counts, design, norm_factors=factors)
    first = linear.duplicate_correlation(weighted.y, design, block=block, weights=weighted.weights)
    weighted = voom(counts, design, norm_factors=factors, block=block, correlation=first.consensus)
    second = linear.duplicate_correlation(weighted.y, design, block=block, weights=weighted.weights)
    correlation = second.consensus
    expected = float(golden("expression_change_voom.correlation.txt").read_text())
    assert correlation == pytest.approx(expected, abs=2e-5)
    fit = linear.lm_fit(
        weighted.y, design, weights=weighted.weights, block=block, correlation=correlation
    )
    fit = linear.moderate(linear.contrast_fit(fit, CHANGE_CONTRAST), robust=False, trend=False)
    assert_table(fit, golden("expression_change_voom.csv"), **CHANGE)


def test_gene_sets_agree_with_camera(
    golden: Callable[[str], Path], samples: pd.DataFrame, pseudobulk: np.ndarray
) -> None:
    pre = (samples["timepoint"] == "pre").to_numpy()
    counts, design = pseudobulk[:, pre], treatment(samples[pre])
    genes = pd.read_csv(golden("pseudobulk_counts.csv"), usecols=["gene"])["gene"].to_numpy()
    kept = filter_by_expression(counts, design)
    counts, names = counts[kept], genes[kept]
    weighted = voom(counts, design, norm_factors=tmm(counts))
    random = golden("enrichment_random_set.txt").read_text().split()
    sets = {
        "planted_up": np.isin(names, genes[0:99:2]),
        "planted_down": np.flatnonzero(np.isin(names, genes[1:100:2])),
        "random": np.isin(names, random),
    }
    expected = pd.read_csv(golden("enrichment_baseline_camera.csv")).set_index("set")
    for contrast in (1, [0.0, 1.0, 0.0]):
        found = camera(weighted.y, sets, design, contrast, weights=weighted.weights)
        assert found["n_genes"].tolist() == expected["NGenes"].tolist()
        assert found["direction"].tolist() == expected["Direction"].tolist()
        np.testing.assert_allclose(found["p"], expected["PValue"], **EXACT)
        np.testing.assert_allclose(found["fdr"], expected["FDR"], **EXACT)


# set.seed(7); y <- matrix(round(rnorm(12 * 8), 2), 12); y[3, ] <- round(y[3, ] * 6, 2)
# y[9, ] <- round(y[9, ] * 0.1, 2); y <- y + seq(0, 5.5, 0.5)
# d <- model.matrix(~ 0 + factor(rep(c("a", "b", "c"), c(3, 3, 2))))
# f <- eBayes(contrasts.fit(lmFit(y, d), cbind(c(-1, 1, 0), c(-1, 0, 1), c(0, -1, 1))),
#             robust = ROBUST, trend = TREND); f$F; f$F.p.value; f$df.total
Y = [
    [2.29, 2.28, 1.27, 1, 0.1, 0.08, -0.62, -0.79],
    [-0.7, 0.82, 0.68, -0.61, 1.43, 0.66, -0.37, 0.19],
    [-3.14, 12.4, 5.5, 0.16, -0.56, 4.24, -8.84, -1.1],
    [1.09, 1.97, 2.09, 1.81, 1.49, 2.2, 0.17, 1.2],
    [1.03, 1.11, 1.02, 3.22, 2.37, 2.32, 1.11, 0.21],
    [1.55, 2.19, 2.22, 1.8, 4.21, 3.61, 1.94, 3.09],
    [3.75, 3, 2.13, 2.71, 3.72, 3.77, 2.94, 4.64],
    [3.38, 4.49, 4.22, 2.19, 3.98, 4.65, 5.92, 2.85],
    [4.01, 4.08, 4.01, 3.96, 3.84, 4.13, 4.03, 4.06],
    [6.69, 5.21, 4.42, 4.1, 4.82, 5.2, 4.5, 4.74],
    [5.36, 6.31, 4.58, 6.35, 5.17, 5.43, 5.03, 5.85],
    [8.22, 4.11, 4.94, 6.09, 4.6, 4.58, 5.11, 4.93],
]
F_TESTS = {
    (False, False): (
        [
            17.074173,
            0.31641391,
            2.2553071,
            3.215232,
            14.10524,
            1.5807128,
            0.69404623,
            0.26358403,
            0.051773737,
            0.95282975,
            0.09991232,
            0.25380203,
        ],
        [
            0.0028145955,
            0.73964856,
            0.1821701,
            0.10872838,
            0.0046503798,
            0.27744496,
            0.53391317,
            0.77632569,
            0.94994149,
            0.43476255,
            0.9063154,
            0.78337781,
        ],
        [
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
            6.3307589,
        ],
    ),
    (False, True): (
        [
            15.459564,
            0.28669533,
            2.2079982,
            3.3005321,
            14.827603,
            1.6196261,
            0.71903335,
            0.2636331,
            0.087871115,
            0.95609317,
            0.097620993,
            0.24915604,
        ],
        [
            0.0038993124,
            0.7601802,
            0.18878936,
            0.10568733,
            0.004341296,
            0.27172779,
            0.52380844,
            0.77645385,
            0.91699938,
            0.43460828,
            0.90835948,
            0.78690546,
        ],
        [
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
            6.1984267,
        ],
    ),
    (True, False): (
        [
            14.363349,
            0.31692495,
            2.0078515,
            2.7573108,
            11.113377,
            1.6018995,
            0.69020515,
            0.28403443,
            0.025108933,
            0.94184559,
            0.095617898,
            0.27709255,
        ],
        [
            0.0029713248,
            0.73794961,
            0.21964695,
            0.12840526,
            0.0061329027,
            0.26513814,
            0.53151886,
            0.76071452,
            0.97528775,
            0.43273561,
            0.90993368,
            0.76563323,
        ],
        [
            7.2798442,
            7.2798442,
            5.6321157,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
            7.2798442,
        ],
    ),
    (True, True): (
        [
            0.77974057,
            0.22666337,
            1.4628893,
            2.5447426,
            13.631583,
            1.128108,
            0.50016487,
            0.22791133,
            0.32006775,
            0.69017653,
            0.074451683,
            0.32044792,
        ],
        [
            0.470287,
            0.79895093,
            0.25234724,
            0.1004007,
            0.00012503524,
            0.34092756,
            0.61288353,
            0.80369758,
            0.72928613,
            0.51158867,
            0.92847538,
            0.73265155,
        ],
        [
            22.970481,
            22.970481,
            22.970481,
            22.970481,
            22.970481,
            22.970481,
            22.970481,
            5.2364481,
            22.970481,
            22.970481,
            22.970481,
            10.5423,
        ],
    ),
}


@pytest.mark.parametrize(("robust", "trend"), F_TESTS)
def test_f_over_dependent_contrasts_agrees_with_limma(robust: bool, trend: bool) -> None:
    design = np.eye(3)[[0, 0, 0, 1, 1, 1, 2, 2]]
    fit = linear.contrast_fit(
        linear.lm_fit(Y, design), np.array([[-1, -1, 0], [1, 0, -1], [0, 1, 1]])
    )
    test = linear.moderate(fit, robust=robust, trend=trend)
    expected = F_TESTS[robust, trend]
    rtol = 1e-6
    np.testing.assert_allclose(test.df_total, expected[2], rtol=rtol)
    np.testing.assert_allclose(test.f, expected[0], rtol=rtol)
    np.testing.assert_allclose(test.f_p_value, expected[1], rtol=rtol)


# ---- closed forms and properties: no reference file needed ----


def cohort_design(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([np.ones(n), np.arange(n) % 2, rng.normal(size=n)])


def pair_design(n: int) -> np.ndarray:
    """Make a design with the side between the levels of the first and the other patients."""
    patients = np.eye(n // 2).repeat(2, axis=0)
    return np.column_stack([patients[:, :2], np.arange(n) % 2, patients[:, 2:]])


@pytest.mark.parametrize("correlation", [None, 0.4, -0.3])
@pytest.mark.parametrize("kind", ["covariate", "pairs", "groups"])
def test_weights_and_blocks_are_generalised_least_squares(
    kind: str, correlation: float | None
) -> None:
    rng = np.random.default_rng(1)
    n, block = 12, np.arange(12) % 6
    y, weights = rng.normal(size=(5, n)), rng.uniform(0.5, 2, (5, n))
    design = {
        "covariate": cohort_design(n, rng),
        "pairs": pair_design(n),
        "groups": np.eye(3)[np.arange(n) % 3],
    }[kind]
    blocks: dict[str, Any] = (
        {} if correlation is None else {"block": block, "correlation": correlation}
    )
    fit = linear.lm_fit(y, design, weights=weights, **blocks)
    shared = (block[:, None] == block) & ~np.eye(n, dtype=bool)
    common = np.eye(n) + (correlation or 0.0) * shared
    for i in range(5):
        inverse = np.linalg.inv(common / np.sqrt(np.outer(weights[i], weights[i])))
        covariance = np.linalg.inv(design.T @ inverse @ design)
        beta = covariance @ design.T @ inverse @ y[i]
        rest = y[i] - design @ beta
        np.testing.assert_allclose(fit.coefficients[i], beta)
        np.testing.assert_allclose(fit.stdev_unscaled[i] ** 2, np.diag(covariance))
        np.testing.assert_allclose(fit.sigma[i] ** 2, rest @ inverse @ rest / (n - design.shape[1]))


def test_equal_weights_change_nothing_and_order_of_samples_is_free() -> None:
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


def test_two_groups_are_the_t_test_and_a_contrast_is_a_coefficient() -> None:
    rng = np.random.default_rng(3)
    y, arm = rng.normal(size=(30, 11)), np.arange(11) < 5
    expected = stats.ttest_ind(y[:, arm], y[:, ~arm], axis=1)
    fit = linear.lm_fit(y, np.column_stack([arm, ~arm]).astype(float))
    test = linear.ordinary(linear.contrast_fit(fit, [1.0, -1.0]))
    np.testing.assert_allclose(test.t[:, 0], expected.statistic)
    np.testing.assert_allclose(test.p_value[:, 0], expected.pvalue)


def test_blocks_of_two_in_a_balanced_design_have_the_correlation_of_pairs() -> None:
    rng = np.random.default_rng(4)
    shared = rng.normal(size=(400, 15)).repeat(2, axis=1)
    y = np.sqrt(0.6) * shared + np.sqrt(0.4) * rng.normal(size=(400, 30))
    found = linear.duplicate_correlation(y, np.ones((30, 1)), block=np.repeat(np.arange(15), 2))
    assert found.consensus == pytest.approx(0.6, abs=0.02)
    centered = y - y.mean(axis=1, keepdims=True)
    pairs = centered.reshape(400, 15, 2)
    within = np.mean((pairs[:, :, 0] - pairs[:, :, 1]) ** 2 / 2, axis=1)
    between = np.sum(pairs.sum(axis=2) ** 2 / 2, axis=1) / 14
    expected = (between - within) / (between + within)  # analysis of variance, balanced
    np.testing.assert_allclose(found.values, expected, atol=1e-4)


@pytest.mark.parametrize("trend", [False, True])
def test_moderated_p_values_are_uniform_where_nothing_differs(trend: bool) -> None:
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


def test_library_factors_undo_composition() -> None:
    rng = np.random.default_rng(7)
    mean = rng.gamma(1, 100, 2000) + 5
    counts = rng.poisson(mean[:, None] * np.ones(6))
    counts[:40, :3] *= 30  # few genes have half of the reads of three libraries
    factors = tmm(counts)
    sizes = counts.sum(axis=0) * factors
    assert np.exp(np.log(factors).mean()) == pytest.approx(1)
    assert sizes[:3].mean() / sizes[3:].mean() == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: linear.lm_fit(np.ones((2, 4)), np.ones((4, 2))), "2 columns but rank 1"),
        (lambda: linear.lm_fit([[1.0, np.nan, 2.0]], np.ones((3, 1))), "missing or infinite"),
        (lambda: linear.lm_fit(np.ones((2, 4)), np.ones((3, 1))), "numbers of samples differ"),
        (lambda: linear.lm_fit(np.ones((1, 3)), np.ones((3, 1)), block=[1, 1, 2]), "together"),
        (lambda: tmm([[1, 0], [2, 0]]), "without counts"),
        (lambda: linear.duplicate_correlation(np.eye(6), np.ones((6, 1)), block=range(6)), "repea"),
        (
            lambda: linear.moderate(linear.lm_fit(np.eye(2), np.eye(2)), robust=False, trend=False),
            "no residual",
        ),
        (
            lambda: linear.duplicate_correlation(
                Y, pair_design(8), block=np.arange(8) // 2
            ),
            "a level for each block",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_fitted_is_refused(call: Callable[..., Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_f_of_one_contrast_is_t_squared() -> None:
    rng = np.random.default_rng(8)
    fit = linear.lm_fit(rng.normal(size=(20, 9)), cohort_design(9, rng))
    test = linear.moderate(linear.contrast_fit(fit, [0.0, 1.0, 0.0]), robust=False, trend=False)
    np.testing.assert_allclose(test.f, test.t[:, 0] ** 2)
    df = test.df_residual + test.df_prior
    np.testing.assert_allclose(test.f_p_value, 2 * stats.t.sf(np.abs(test.t[:, 0]), df))


def test_a_feature_of_extreme_variance_is_left_to_itself() -> None:
    rng = np.random.default_rng(9)
    y = rng.normal(size=(200, 12))
    y[7] *= 1e6
    design = np.column_stack([np.ones(12), np.arange(12) % 2])
    plain, robust = (
        linear.moderate(linear.lm_fit(y, design), robust=choice, trend=False)
        for choice in (False, True)
    )
    others = np.arange(200) != 7
    assert robust.df_prior[7] < 0.1 < 20 < robust.df_prior[others].min()
    assert plain.df_prior[0] < robust.df_prior[others].min()
    assert np.isfinite(robust.p_value).all()


def test_camera_finds_a_shifted_set_in_either_direction_and_no_other() -> None:
    rng = np.random.default_rng(10)
    n = 10
    design = np.column_stack([np.ones(n), np.arange(n) % 2])
    y = rng.normal(size=(1000, n))
    y[:40, 1::2] += 1.0
    y[40:80, 1::2] -= 1.0
    sets = {"up": np.arange(40), "down": np.arange(40, 80), "none": np.arange(80, 120)}
    for weights in (None, rng.uniform(0.5, 2, y.shape)):
        found = camera(y, sets, design, 1, weights=weights)
        assert found["direction"].tolist()[:2] == ["Up", "Down"]
        assert (found["p"].iloc[:2] < 1e-4).all()
        assert found["p"].iloc[2] > 0.01


def test_camera_has_no_p_for_a_set_of_nothing_or_of_everything() -> None:
    rng = np.random.default_rng(11)
    sets = {"empty": np.array([], dtype=int), "all": np.ones(30, dtype=bool), "one": np.array([3])}
    found = camera(rng.normal(size=(30, 6)), sets, cohort_design(6, rng), 1)
    assert found["n_genes"].tolist() == [0, 30, 1]
    assert found["p"].isna().tolist() == [True, True, False]
    assert camera(rng.normal(size=(30, 6)), {}, cohort_design(6, rng), 1).empty


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("n_features", [1, 2, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_features_without_variance_have_no_p(
    robust: bool, trend: bool, n_features: int, weighted: bool
) -> None:
    rng = np.random.default_rng(12)
    design = cohort_design(6, rng)
    y = rng.normal(size=(n_features, 3)) @ design.T * 1e3  # rounding remains
    weights = rng.uniform(0.5, 2, y.shape) if weighted else None
    fit = linear.lm_fit(y, design, weights=weights)
    for test in (linear.ordinary(fit), linear.moderate(fit, robust=robust, trend=trend)):
        assert np.isnan(test.p_value).all()
        assert np.isnan(test.f_p_value).all()


def test_one_feature_is_tested_with_its_own_variance() -> None:
    rng = np.random.default_rng(13)
    fit = linear.lm_fit(rng.normal(size=(1, 9)), cohort_design(9, rng))
    expected = linear.ordinary(fit).p_value
    for robust in (False, True):
        for trend in (False, True):
            test = linear.moderate(fit, robust=robust, trend=trend)
            np.testing.assert_allclose(test.p_value, expected)


def test_equal_variances_have_endless_prior_degrees_of_freedom() -> None:
    rng = np.random.default_rng(14)
    design = np.column_stack([np.ones(8), np.arange(8) % 2])
    pattern = rng.normal(size=8)
    y = rng.normal(size=(40, 2)) @ design.T + rng.choice([-1.0, 1.0], (40, 1)) * pattern
    for robust in (False, True):
        test = linear.moderate(linear.lm_fit(y, design), robust=robust, trend=False)
        assert np.isinf(test.df_prior).all()
        np.testing.assert_allclose(test.s2_post, test.s2_prior)
        np.testing.assert_allclose(test.df_total, 40 * 6)  # pooled
        np.testing.assert_allclose(test.f_p_value, stats.chi2.sf(2 * test.f, 2), rtol=1e-6)


@pytest.mark.parametrize("trend", [False, True])
@pytest.mark.parametrize("n_features", [10, 11, 25, 300])
def test_one_residual_degree_of_freedom_is_moderated_robustly(n_features: int, trend: bool) -> None:
    rng = np.random.default_rng(n_features)
    y = rng.normal(size=(n_features, 4)) * rng.choice([1, 50], (n_features, 1), p=[0.9, 0.1])
    fit = linear.lm_fit(y + rng.uniform(0, 5, (n_features, 1)), cohort_design(4, rng))
    test = linear.moderate(fit, robust=True, trend=trend)
    assert ((test.p_value > 0) & (test.p_value <= 1)).all()


@pytest.mark.parametrize("robust", [False, True])
@pytest.mark.parametrize("trend", [False, True])
def test_features_without_degrees_of_freedom_take_the_prior_of_the_others(
    robust: bool, trend: bool
) -> None:
    rng = np.random.default_rng(15)
    y = rng.normal(size=(40, 8)) * rng.uniform(0.5, 2, (40, 1)) + np.arange(40)[:, None] % 7
    whole, lost = linear.lm_fit(y, cohort_design(8, rng)), np.arange(40) < 3
    fit = replace(
        whole,
        sigma=np.where(lost, np.nan, whole.sigma),
        df_residual=np.where(lost, 0, whole.df_residual),
    )
    test = linear.moderate(fit, robust=robust, trend=trend)
    part = {name: value[~lost] for name, value in vars(whole).items() if len(value) == 40}
    others = linear.moderate(replace(whole, **part), robust=robust, trend=trend)
    np.testing.assert_allclose(test.p_value[~lost], others.p_value)
    np.testing.assert_allclose(test.s2_post[lost], test.s2_prior[lost])
    assert np.isfinite(test.p_value).all()
    assert others.df_prior.max() == test.df_prior[lost].max() == test.df_prior[lost].min()
    if trend:
        assert others.s2_prior.min() < test.s2_prior[lost].min()
        assert test.s2_prior[lost].max() < others.s2_prior.max()
    else:
        assert (test.s2_prior == others.s2_prior[0]).all()


def test_robust_moderation_refuses_unequal_degrees_of_freedom() -> None:
    rng = np.random.default_rng(16)
    fit = linear.lm_fit(rng.normal(size=(20, 6)), cohort_design(6, rng))
    fit = replace(fit, df_residual=np.repeat([2.0, 3.0], 10))
    with pytest.raises(ValueError, match="equal residual"):
        linear.moderate(fit, robust=True, trend=False)


def test_counts_that_never_vary_have_finite_voom_weights() -> None:
    design = np.column_stack([np.ones(6), np.arange(6) % 2])
    for counts in (np.full((20, 6), 50), np.zeros((20, 6)), np.arange(6.0).repeat(6).reshape(6, 6)):
        weights = voom(counts, design, norm_factors=np.ones(6)).weights
        assert (np.isfinite(weights) & (weights > 0)).all()
