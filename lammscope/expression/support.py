"""What supports the difference of a gene or a gene set besides its p, and the verdict on it.

The evidence is that of abundance (`core.verdicts`): a permutation test, and the result without any
one patient. A gene can have a very small p because of one patient with thousands of its UMIs.
"""

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import EFFECT, independent_columns
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import ALPHA, Array
from lammscope.core.verdicts import INCONCLUSIVE, NOT_TESTABLE, Evidence
from lammscope.expression.engines import LimmaFit
from lammscope.expression.models import Model
from lammscope.expression.set_scores import patient_values
from lammscope.stats import linear
from lammscope.stats.distributions import t_two_sided
from lammscope.stats.influence import largest_p

NO_EVIDENCE: dict[str, Any] = {
    **dict.fromkeys(("p_permutation", "p_floor", "influence_p_max"), np.nan),
    "influence_patient": "",
}
EVIDENCE = list(NO_EVIDENCE)
COLUMNS = [*EVIDENCE, "verdict", "doubts"]
MAY_BE_AMBIENT = "may be ambient RNA"


def gene_support(
    model: Model,
    contrast: Contrast,
    fit: LimmaFit,
    rows: NDArray[np.int64],
    permutations: Permutations,
) -> pd.DataFrame:
    """Test genes by permutation, and without each patient.

    Parameters
    ----------
    model
        Of a population.
    contrast
        What is compared.
    fit
        limma-voom's fit of the model.
    rows
        Rows of the genes in the model.
    permutations
        Of the labels or signs of the patients' log counts per million, without weights.

    Returns
    -------
    DataFrame
        The columns `EVIDENCE`, one row per gene, in the order of `rows`. `influence_p_max` is the
        largest p of limma-voom without one patient, with the weights and the prior variance of all
        patients, and `influence_patient` that patient; nan and "" if none can be left out.
    """
    patients = patient_values(model, contrast)
    scheme = contrast.permutations(
        patients.units, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    p = permutation_p(
        patients.values[rows], patients.design, patients.at, scheme, seed=permutations.seed
    )
    left_out, patient = without_patients(model, fit, rows)
    return pd.DataFrame(
        {
            "p_permutation": p,
            "p_floor": scheme.floor,
            "influence_p_max": left_out,
            "influence_patient": patient,
        },
        index=rows,
    )


def without_patients(
    model: Model, fit: LimmaFit, rows: NDArray[np.int64]
) -> tuple[Array, NDArray[np.object_]]:
    """Return the largest p of genes without one patient, and that patient (`largest_p`)."""
    patients = model.sides["patient"].to_numpy()
    names = np.unique(patients)
    p = np.array([_without(model, fit, rows, patients != name) for name in names])
    return largest_p(p, names)


def _without(
    model: Model, fit: LimmaFit, rows: NDArray[np.int64], kept: NDArray[np.bool_]
) -> Array:
    """Compute the p of genes in some of the sides; nan if the effect cannot be estimated."""
    design = independent_columns(model.design[kept])
    if EFFECT not in design or len(design) <= design.shape[1]:
        return np.full(len(rows), np.nan)
    block = None if fit.block is None else fit.block[kept]
    part = linear.lm_fit(
        fit.y[np.ix_(rows, kept)],
        design.to_numpy(),
        weights=fit.weights[np.ix_(rows, kept)],
        block=block,
        correlation=fit.correlation,
    )
    at = list(design).index(EFFECT)
    prior, df_prior = fit.test.s2_prior[rows], fit.test.df_prior[rows]
    variance = linear.squeeze(part, s2_prior=prior, df_prior=df_prior)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = part.coefficients[:, at] / (part.stdev_unscaled[:, at] * np.sqrt(variance))
    return np.asarray(t_two_sided(t, part.df_residual + df_prior))


def judge(rows: pd.DataFrame, *, ambient: NDArray[np.bool_] | None = None) -> pd.DataFrame:
    """Give each gene or gene set its verdict.

    Of thousands of genes, 5 % have p below 0.05 by chance, so a difference counts from an FDR below
    0.05 on.

    Parameters
    ----------
    rows
        `p`, `fdr` and, where the FDR is below 0.05, the columns `EVIDENCE`.
    ambient
        Genes whose counts may be ambient RNA.

    Returns
    -------
    DataFrame
        `verdict` (of `core.verdicts.VERDICTS`) and `doubts`: what keeps a difference with an FDR
        below 0.05 from being supported, and that a gene may be ambient RNA; "" for other rows.
    """
    p, fdr = rows["p"].to_numpy(dtype=float), rows["fdr"].to_numpy(dtype=float)
    verdict = np.where(np.isfinite(p), INCONCLUSIVE, NOT_TESTABLE).astype(object)
    doubts = np.full(len(rows), "", dtype=object)
    if ambient is not None:
        doubts[(p < ALPHA) & ambient] = MAY_BE_AMBIENT
    candidates = np.flatnonzero(fdr < ALPHA)
    for i, row in zip(candidates, rows.iloc[candidates].to_dict("records"), strict=True):
        evidence = Evidence.of_row(row, corrected=float(row["fdr"]), correction="FDR")
        verdict[i], doubts[i] = evidence.verdict, "; ".join(evidence.doubts)
    return pd.DataFrame({"verdict": verdict, "doubts": doubts}, index=rows.index)
