"""Self-diagnosis: the primary tests repeated with the labels of the patients permuted.

This diagnoses one cohort only: its permutations are not independent cohorts, and a true difference
leaks into permuted labels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import stats

from lammscope.abundance.comparisons import Permutations, compare
from lammscope.abundance.fractions import unit_values
from lammscope.abundance.permutation import assigned_correlations, assignments
from lammscope.abundance.populations import Question
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.cohort.schemes import Scheme
from lammscope.core.names import ALPHA
from lammscope.expression.genes import test_expression

COLUMNS = ["test", "contrast", "n_relabellings", "n_tests", "share", "status", "message"]
POPULATION = "LAMM"
NOT_TESTED = "The tests of {} were not checked for calibration ({})."
CALIBRATED = (
    "Under {n:,} permutations of the patients' labels, {percent:.1f} % of the tests of {test} had "
    "p < 0.05; 5 % are expected."
)
TOO_MANY = (
    " The p-values of this test may be too small in this cohort, although a true difference also "
    "leaks into permuted labels; rely on the permutation test."
)


def diagnose_calibration(
    questions: Sequence[Question],
    pseudobulk: AnnData,
    *,
    denominator: str,
    expression: Mapping[str, Any],
    permutations: Permutations,
    n_expression: int,
    max_share: float,
) -> pd.DataFrame:
    """Run `diagnose_abundance` and `diagnose_expression` for each question.

    Parameters
    ----------
    questions
        The primary one; without any, the table is empty.
    expression
        `settings` of `diagnose_expression`.
    n_expression
        Permutations of the labels under which genes are tested.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`.
    """
    rows = [pd.DataFrame(columns=COLUMNS)]
    for question in questions:
        common: dict[str, Any] = {"permutations": permutations, "max_share": max_share}
        rows += [
            diagnose_abundance(question, denominator=denominator, **common),
            diagnose_expression(
                pseudobulk,
                question.comparison,
                settings=expression,
                n_relabelings=n_expression,
                **common,
            ),
        ]
    return pd.concat([row for row in rows if len(row)] or rows, ignore_index=True)


def diagnose_abundance(
    question: Question, *, denominator: str, permutations: Permutations, max_share: float
) -> pd.DataFrame:
    """Compute the share of p < 0.05 of the primary row (logit scale) under permuted labels.

    `denominator` is that of the primary row. A share above `max_share` gives a warning. Returns one
    row with the columns `COLUMNS`.
    """
    contrast, min_cells = question.contrast, question.min_cells
    about = {"test": f"LAMM cells as a fraction of {denominator} cells", "contrast": contrast.name}
    measure = question.measure(POPULATION, denominator)
    if measure is None:
        return _not_tested(about, "sorted_out")
    (row,) = compare(
        [measure],
        question.units,
        contrast,
        scale="logit",
        min_cells=min_cells,
        permutations=None,
    )
    if row["status"] != "ok":
        return _not_tested(about, str(row["status"]))
    keep = (measure.total >= min_cells).all(axis=1)
    units = question.units[keep]
    scheme = _scheme(
        units, contrast, max_exact=permutations.max_exact, n_draws=permutations.n_draws
    )
    design = independent_columns(design_matrix(units, contrast.adjust))
    values = unit_values(measure, keep, "logit")[None]
    others = _other_labels(scheme, seed=permutations.seed)
    squared = assigned_correlations(
        values, design.to_numpy(), tested_column(design), scheme, others
    )[:, 0]
    df = len(units) - design.shape[1]
    with np.errstate(divide="ignore"):  # t is infinite for a perfect fit
        p = 2 * stats.t.sf(np.sqrt(df * squared / (1 - squared)), df)
    return _result(about, len(p), p, max_share)


def diagnose_expression(
    pseudobulk: AnnData,
    comparison: Comparison,
    *,
    settings: Mapping[str, Any],
    permutations: Permutations,
    n_relabelings: int,
    max_share: float,
) -> pd.DataFrame:
    """Compute the share of p < 0.05 over the genes of LAMM cells under permuted labels.

    Parameters
    ----------
    pseudobulk, comparison
        As in `genes.test_expression`, whose other arguments are `settings`. The engine is always
        limma, which is much faster.
    permutations
        `max_exact` and `seed` are used.
    n_relabelings
        Maximum number of permutations to test, all distinct up to exchanging the arms.
    max_share
        A share above this gives a warning.

    Returns
    -------
    DataFrame
        One row with the columns `COLUMNS`.
    """
    contrast, units = comparison.contrast, comparison.units
    about = {"test": "genes in LAMM cells", "contrast": contrast.name}
    lamm = pseudobulk[(pseudobulk.obs["population"] == POPULATION).to_numpy()].copy()
    limma = {**settings, "engine": "limma_voom", "threads": 1}
    tested = test_expression(lamm, comparison, **limma)
    tested = tested[tested["p"].notna()]
    if tested.empty:
        return _not_tested(about, "no gene could be tested")
    scheme = _scheme(units, contrast, max_exact=permutations.max_exact, n_draws=10 * n_relabelings)
    distinct = np.unique(_other_labels(scheme, seed=permutations.seed), axis=0)
    if scheme.exchanges_arms:
        distinct = distinct[distinct[:, 0]]  # the other half has the arms exchanged
    rng = np.random.default_rng(permutations.seed)
    chosen = rng.permutation(len(distinct))[:n_relabelings]
    p = []
    for assignment in distinct[chosen]:
        relabeled = contrast.relabel(comparison.used, units, assignment)
        other = Comparison(relabeled, replace(contrast, choose=None))
        p.append(test_expression(lamm, other, **limma)["p"].dropna())
    return _result(about, len(p), np.concatenate([np.empty(0), *p]), max_share)


def _scheme(units: pd.DataFrame, contrast: Contrast, *, max_exact: int, n_draws: int) -> Scheme:
    """Permute labels (or signs) within strata; numeric covariates stay with their patients."""
    texts = [c for c in contrast.adjust if not pd.api.types.is_numeric_dtype(units[c])]
    unadjusted = replace(contrast, adjust=tuple(texts))
    return unadjusted.permutations(units, max_exact=max_exact, n_draws=n_draws)


def _other_labels(scheme: Scheme, *, seed: int) -> NDArray[np.bool_]:
    """Return all assignments but the observed one and its exchange of the arms."""
    assigned = assignments(scheme, rng=np.random.default_rng(seed))
    same: NDArray[np.bool_] = assigned == scheme.observed
    return assigned[~same.all(axis=1) & same.any(axis=1)]


def _result(about: Mapping[str, str], n: int, p: np.ndarray, max_share: float) -> pd.DataFrame:
    if n == 0:
        return _not_tested(about, "no other permutation of the labels exists")
    share = float(np.mean(p < ALPHA))
    message = CALIBRATED.format(n=n, percent=100 * share, test=about["test"])
    row = {"n_relabellings": n, "n_tests": len(p), "share": share, "status": "ok"}
    if share > max_share:
        row["status"], message = "warning", message + TOO_MANY
    return pd.DataFrame([{**about, **row, "message": message}], columns=COLUMNS)


def _not_tested(about: Mapping[str, str], why: str) -> pd.DataFrame:
    row = {"n_relabellings": 0, "n_tests": 0, "share": np.nan, "status": "not_tested"}
    message = NOT_TESTED.format(about["test"], why)
    return pd.DataFrame([{**about, **row, "message": message}], columns=COLUMNS)
