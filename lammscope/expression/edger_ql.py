"""edgeR's quasi-likelihood test of genes, by pyedger."""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.expression.models import Model
from lammscope.expression.packages import missing_package
from lammscope.stats.distributions import t_quantile

QUANTILE = 0.975  # for 95 % intervals
ESTIMATES = ["log2fc", "ci_low", "ci_high", "t", "df", "p"]


def fit_edger_ql(model: Model) -> pd.DataFrame:
    """Test each gene with edgeR: a negative binomial model and the quasi-likelihood F-test.

    Quasi-dispersions are moderated towards their trend with the mean, with the deviances and
    degrees of freedom of edgeR 4, which are unbiased for small counts (Chen et al. 2025, doi
    10.1093/nar/gkaf018). The library is pyedger.

    Returns
    -------
    DataFrame
        As from `engines.fit_limma_voom`. `t` is the root of F with the sign of the fold change, so
        that p is that of F. The interval is Wald's, with the moderated quasi-dispersion. A gene
        whose fit fails has neither (`not_converged`).

    Raises
    ------
    ValueError
        If pyedger is not installed.
    """
    if message := missing_package("edger_ql", own_environment=False):
        raise ValueError(message)
    import pyedger

    design = model.design.to_numpy(dtype=float)
    data = pyedger.DGEList(pd.DataFrame(model.counts), norm_factors=model.norm_factors)
    fit = pyedger.glm_ql_fit(data, design=design)
    found = pyedger.glm_qlf_test(fit, coef=model.at).table.reset_index(drop=True)
    change = found["logFC"].to_numpy(dtype=float)
    df = np.minimum(fit.df_prior + fit.df_residual_adj, np.sum(fit.df_residual))
    # without a difference, rounding may leave a statistic just below 0
    root = np.sqrt(np.maximum(found["F"].to_numpy(dtype=float), 0))
    half = t_quantile(QUANTILE, df) * _standard_errors(fit, design, at=model.at)
    table = pd.DataFrame(
        {
            "mean_expression": model.log_cpm.mean(axis=1),
            "log2fc": change,
            "ci_low": change - half,
            "ci_high": change + half,
            "t": np.sign(change) * root,
            "df": df,
            "p": found["PValue"].to_numpy(dtype=float),
        }
    )
    lost = ~np.isfinite(table[ESTIMATES]).all(axis=1)
    table.loc[lost, ESTIMATES] = np.nan
    return table.assign(status=np.where(lost, "not_converged", "ok"))


def _standard_errors(fit: Any, design: NDArray[np.float64], *, at: int) -> NDArray[np.float64]:
    """Compute Wald's standard errors of log2 fold changes, at the reported coefficients.

    These have a small prior count, so that the information is finite where all counts of a group
    are zero.
    """
    mean = np.exp(fit.coefficients @ design.T + fit.offset)
    precision = mean / (1 + mean * fit.dispersion / fit.average_ql_dispersion)
    information = np.einsum("gs,si,sj->gij", precision, design, design, optimize=True)
    variance = np.linalg.inv(information)[:, at, at] * fit.s2_post
    return np.asarray(np.sqrt(variance) / np.log(2))
