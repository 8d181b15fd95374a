"""How much more the patients of one arm vary in expression than those of the other."""

import numpy as np
from numpy.typing import NDArray

from lammscope.cohort.contrasts import Contrast
from lammscope.expression.engines import limma_fit
from lammscope.expression.models import Model
from lammscope.stats.distributions import chi2_quantile
from lammscope.stats.linear import lm_fit

NOTABLE = 1.5  # ratio of standard deviations; real donors in equal arms exceed it in 0 to 10 %
MIN_DF = 1.5  # residual degrees of freedom of an arm; a single residual says too little


def spread_ratio(model: Model) -> float:
    """Compare the residual standard deviations of the arms, test to reference.

    Residuals are those of the model, weighted by one mean-variance trend for all samples. The
    squares of a gene in an arm are summed, and the median over genes is compared with that of
    chi-squared with the residual degrees of freedom that fall to the arm. The ratio is NaN without
    two arms, or if an arm has too few degrees of freedom.
    """
    arm = model.sides["arm"].to_numpy(dtype=str)
    if set(arm) != {"test", "reference"}:
        return float("nan")
    design = model.design.to_numpy(dtype=float)
    free = 1 - np.sum(np.linalg.qr(design)[0] ** 2, axis=1)
    weighted = limma_fit(model)
    fit = lm_fit(weighted.y, design, weights=weighted.weights)
    squares = weighted.weights * (weighted.y - fit.coefficients @ design.T) ** 2

    def deviation(own: NDArray[np.bool_]) -> float:
        df = free[own].sum()
        if df < MIN_DF:
            return 0.0
        return float(np.sqrt(np.median(squares[:, own].sum(axis=1)) / chi2_quantile(0.5, df)))

    test, reference = deviation(arm == "test"), deviation(arm == "reference")
    return test / reference if min(test, reference) > 0 else float("nan")


def spread_note(model: Model, contrast: Contrast) -> str:
    """Say that one arm varies more, and what to set; empty if the arms vary alike."""
    ratio = spread_ratio(model)
    if not max(ratio, 1 / ratio) >= NOTABLE:  # also NaN
        return ""
    more, less = contrast.test, contrast.reference
    if ratio < 1:
        ratio, more, less = 1 / ratio, less, more
    return (
        f"{model.population}: expression varies {ratio:.1f} times as much between patients of "
        f"{more} as of {less}; `expression.engine: limma_voom_by_arm` allows for it"
    )
