"""Engines of the expression test: limma-voom in NumPy, PyDESeq2, and edgeR by pyedger."""

import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.expression.edger_ql import fit_edger_ql
from lammscope.expression.models import MIN_GENES, Model
from lammscope.stats import linear
from lammscope.stats.distributions import normal_quantile, t_quantile
from lammscope.stats.voom import Voom, residual_df, voom, voom_by_group

logger = logging.getLogger("lammscope")
QUANTILE = 0.975  # for 95 % intervals
ESTIMATES = ["log2fc", "ci_low", "ci_high", "t", "df", "p"]


@dataclass(frozen=True)
class LimmaFit:
    """A model fitted by limma-voom.

    `y` (log2 counts per million) and `weights` are genes x sides. `block` and `correlation` are
    None without blocks. `test` has the moderated test of the comparison as its only coefficient.
    """

    y: NDArray[np.float64]
    weights: NDArray[np.float64]
    block: np.ndarray | None
    correlation: float | None
    test: linear.TestedFit


@lru_cache(maxsize=16)  # the engine, the comparison of spreads and leaving patients out share it
def limma_fit(model: Model, *, by_arm: bool = False) -> LimmaFit:
    """Fit limma-voom: voom weights, then moderated t-statistics.

    The correlation within blocks is estimated twice, with the weights updated in between. With
    `by_arm`, each arm has a mean-variance trend of its own, if it can have one.
    """
    design, block = model.design.to_numpy(), model.block
    weigh: Callable[..., Voom] = voom
    if by_arm and not _no_trend_by_arm(model):
        weigh = partial(voom_by_group, group=model.sides["arm"].to_numpy(dtype=str))
    weigh = partial(weigh, model.counts, design, norm_factors=model.norm_factors)
    weighted, correlation = weigh(), None
    if block is not None:
        correlation = _correlation(weighted, design, block)
        weighted = weigh(block=block, correlation=correlation)
        correlation = _correlation(weighted, design, block)
    fit = linear.lm_fit(
        weighted.y, design, weights=weighted.weights, block=block, correlation=correlation
    )
    effect = (np.arange(design.shape[1]) == model.at).astype(float)
    test = linear.moderate(linear.contrast_fit(fit, effect), robust=False, trend=False)
    return LimmaFit(weighted.y, weighted.weights, block, correlation, test)


def fit_limma_voom(model: Model) -> pd.DataFrame:
    """Test each gene with limma-voom, as `limma_fit` does.

    Returns
    -------
    DataFrame
        One row per gene of the model, in its order: `mean_expression` (mean log2 counts per
        million), `log2fc` with `ci_low` and `ci_high` (95 %), `t`, `df`, `p`, `status`. A gene
        without variance has no p (`no_variation`).
    """
    return _limma_table(limma_fit(model))


def fit_limma_voom_by_arm(model: Model) -> pd.DataFrame:
    """Test each gene with limma and voom weights from a mean-variance trend for each arm.

    Where the patients of one arm vary more in all genes, they get less weight. Pairs and trends
    have one arm, and an arm without residual degrees of freedom or with too few genes has no trend;
    then the trend is common, which is logged.

    Returns
    -------
    DataFrame
        As from `fit_limma_voom`.
    """
    if problem := _no_trend_by_arm(model):
        logger.info(
            "%s: one mean-variance trend for all samples, since %s", model.population, problem
        )
    return _limma_table(limma_fit(model, by_arm=True))


def _limma_table(fit: LimmaFit) -> pd.DataFrame:
    test = fit.test
    change, p = test.coefficients[:, 0], test.p_value[:, 0]
    half = t_quantile(QUANTILE, test.df_total) * test.stdev_unscaled[:, 0] * np.sqrt(test.s2_post)
    return pd.DataFrame(
        {
            "mean_expression": test.mean,
            "log2fc": change,
            "ci_low": change - half,
            "ci_high": change + half,
            "t": test.t[:, 0],
            "df": test.df_total,
            "p": p,
            "status": np.where(np.isfinite(p), "ok", "no_variation"),
        }
    )


def _no_trend_by_arm(model: Model) -> str:
    """Say why the arms cannot have a trend each; empty if they can."""
    arm = model.sides["arm"].to_numpy(dtype=str)
    arms = np.unique(arm)
    if len(arms) < 2:
        return "the contrast has one arm"
    for name in arms:
        own = arm == name
        if residual_df(model.design.to_numpy()[own]) < 1:
            return f"the {name} arm has no residual degrees of freedom"
        if (model.counts[:, own].sum(axis=1) > 0).sum() < MIN_GENES:
            return f"the {name} arm has counts of fewer than {MIN_GENES} genes"
    return ""


def fit_pydeseq2(model: Model) -> pd.DataFrame:
    """Test each gene with PyDESeq2: a negative binomial model and the Wald test.

    Size factors are medians of ratios over genes without zeros, or over positive counts if every
    gene has a zero. Outliers by Cook's distance are replaced if at least seven sides share their
    row of the design, as in DESeq2 (Love, Huber and Anders 2014, doi 10.1186/s13059-014-0550-8;
    Muzellec et al. 2023, doi 10.1093/bioinformatics/btad547). Independent filtering is not used.

    Returns
    -------
    DataFrame
        As from `fit_limma_voom`. `t` is the Wald statistic, which is compared with the normal
        distribution, so that `df` is infinite. Genes with an outlier that was not replaced keep
        their fold change and have no p (`outlier`). A fit that did not converge has neither
        (`not_converged`).
    """
    table = pd.DataFrame({"mean_expression": model.log_cpm.mean(axis=1)})
    found = _wald_tests(model)
    if found is None:
        return table.assign(**dict.fromkeys(ESTIMATES, np.nan), status="not_converged")
    half = normal_quantile(QUANTILE) * found["se"]
    table = table.assign(
        log2fc=found["change"],
        ci_low=found["change"] - half,
        ci_high=found["change"] + half,
        t=found["wald"],
        df=np.inf,
        p=found["p"].where(~found["outlier"]),
        status=np.where(found["outlier"], "outlier", "ok"),
    )
    lost = ~found["converged"] | found["wald"].isna()
    table.loc[lost, ESTIMATES] = np.nan
    table.loc[lost, "status"] = "not_converged"
    return table


ENGINES: dict[str, Callable[[Model], pd.DataFrame]] = {
    "limma_voom": fit_limma_voom,
    "limma_voom_by_arm": fit_limma_voom_by_arm,
    "pydeseq2": fit_pydeseq2,
    "edger_ql": fit_edger_ql,
}
# Patients with one phase stay in their models as correlated blocks; other engines have no blocks.
BY_ARM = "limma_voom_by_arm"
LIMMA = ("limma_voom", BY_ARM)
FORESEEN = (  # warnings that are not passed on, and why
    "The 'future.infer_string' option",  # anndata with pandas 3.1
    "The inplace keyword in Series.drop",  # PyDESeq2 with pandas 3.1
    "As the residual degrees of freedom is less than 3",  # documented
    "The dispersion trend curve fitting did not converge",  # logged below
)


def _correlation(weighted: Voom, design: NDArray[np.float64], block: np.ndarray) -> float:
    found = linear.duplicate_correlation(weighted.y, design, block=block, weights=weighted.weights)
    return found.consensus


def _wald_tests(model: Model) -> pd.DataFrame | None:
    """Run PyDESeq2 and return one row per gene; None if no gene is overdispersed.

    The steps are those of its `deseq2`, which fails if no count varies more than Poisson counts,
    since there is no trend towards which dispersions could be shrunk.
    """
    from pydeseq2.dds import DeseqDataSet
    from pydeseq2.ds import DeseqStats

    sides = model.design.index.astype(str)
    some_zero = (model.counts == 0).any(axis=1)
    contrast = (np.arange(model.design.shape[1]) == model.at).astype(float)
    with warnings.catch_warnings():
        for message in FORESEEN:
            warnings.filterwarnings("ignore", message=message)
        data = DeseqDataSet(
            counts=pd.DataFrame(model.counts.T.astype(int), index=sides, columns=model.genes),
            metadata=pd.DataFrame(index=sides),
            design=model.design.set_axis(sides),
            size_factors_fit_type="poscounts" if some_zero.all() else "ratio",
            n_cpus=1,
            quiet=True,
        )
        data.fit_size_factors()
        data.fit_genewise_dispersions()
        if not (data.var["genewise_dispersions"] >= 100 * data.min_disp).any():
            return None
        data.fit_dispersion_trend()
        data.fit_dispersion_prior()
        data.fit_MAP_dispersions()
        data.fit_LFC()
        data.calculate_cooks()
        data.refit()
        outlier = data.cooks_outlier().to_numpy(dtype=bool)
        tests = DeseqStats(
            data, contrast=contrast, independent_filter=False, inference=data.inference, quiet=True
        )
        tests.summary()
    if data.uns["disp_function_type"] != "parametric":
        logger.info(
            "%s: dispersions have no parametric trend; their mean is used",
            model.population,
        )
    found = tests.results_df.reset_index(drop=True)
    return pd.DataFrame(
        {
            "change": found["log2FoldChange"],
            "se": found["lfcSE"],
            "wald": found["stat"],
            "p": found["pvalue"],
            "outlier": outlier | (found["lfcSE"] == 0),  # the latter if only zeros remain
            "converged": data.var["_LFC_converged"].to_numpy(dtype=bool),
        }
    )
