"""Self-diagnosis of the primary tests: whether their p-values may be too small in this cohort.

Abundance is tested in simulated cohorts without a difference, whose arms have the depth and the
spread of the real ones. Genes are tested under permuted labels of the patients: a true difference
leaks into these, and they cannot show what unequal arms do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from lammscope.abundance.comparisons import compare
from lammscope.abundance.incomplete import baseline_difference
from lammscope.abundance.null_cohorts import null_p_values
from lammscope.abundance.populations import Question
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, independent_columns, tested_column
from lammscope.cohort.permutation import Permutations, assignments
from lammscope.cohort.schemes import Scheme
from lammscope.core.names import ALPHA
from lammscope.expression.genes import test_expression

COLUMNS = ["test", "contrast", "n_null", "n_tests", "share", "status", "message"]
POPULATION = "LAMM"
N_COHORTS = 2000  # simulated; the standard error of a share of 5 % is 0.5 %
# Ratios of the arms, and the leverage of a patient, from which a warning is given. Our choice.
UNEQUAL_SPREAD, UNEQUAL_DEPTH, MAX_LEVERAGE = 2.0, 3.0, 0.9
NOT_TESTED = "The tests of {} were not checked for calibration ({})."
SIMULATED = (
    "In {n:,} simulated cohorts without a difference, with the depth and the spread of the {arms} "
    "as here, {percent:.1f} % of the tests of {test} had p < 0.05; 5 % are expected."
)
PERMUTED = (
    "Under {n:,} permutations of the patients' labels, {percent:.1f} % of the tests of {test} had "
    "p < 0.05; 5 % are expected."
)
TOO_MANY = (
    " The p-values of this test may be too small in this cohort; rely on the permutation test."
)
LEAKS = (
    " The p-values of this test may be too small in this cohort, although a true difference also "
    "leaks into permuted labels; rely on the permutation test."
)
SPREAD = (
    "The log odds of {what} vary {ratio:.1f} times as much between {more} as between {less} "
    "(standard deviations {high:.2g} and {low:.2g})."
)
SPREAD_WARNING = " The p of the row allows for that; `p_ordinary` and `p_moderated` do not."
DEPTH = "Samples of {more} have {ratio:.1f} times as many {denominator} cells as those of {less}."
DEPTH_WARNING = (
    " A fraction of few cells is less certain there, and a rare population may be missed."
)
LEVERAGE = (
    "Patient {patient} determines a coefficient of the model almost alone (leverage {value:.2f}), "
    "so a covariate is estimated from one patient; see the results without it."
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
    """Check the primary row (logit scale): its p without a difference, and how equal the arms are.

    Parameters
    ----------
    question
        The primary one.
    denominator
        Of the primary row.
    permutations
        Its `seed` is used.
    max_share
        A share of p < 0.05 above this gives a warning.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`: the simulated cohorts; spread of the arms, and depth of the arms or
        of the ends of a trend (neither for pairs); one row for each patient of a leverage of 0.9 or
        more; and whether patients who lack one sample of a pair or change differ in the other.
    """
    contrast, min_cells = question.contrast, question.min_cells
    what = f"LAMM cells as a fraction of {denominator} cells"
    about = {"test": what, "contrast": contrast.name}
    measure = question.measure(POPULATION, denominator)
    if measure is None:
        return _not_tested(about, "sorted_out")
    (row,) = compare(
        [measure], question.units, contrast, scale="logit", min_cells=min_cells, permutations=None
    )
    if row["status"] != "ok":
        return _not_tested(about, str(row["status"]))
    keep = (measure.total >= min_cells).all(axis=1)
    units = question.units[keep]
    design = independent_columns(design_matrix(units, contrast.adjust))
    at = tested_column(design)
    p = null_p_values(measure, keep, design, at, n_cohorts=N_COHORTS, seed=permutations.seed)
    simulated = SIMULATED.replace("{arms}", _groups(contrast))
    rows = [_result(about, len(p), p[np.isfinite(p)], max_share, simulated, TOO_MANY)]
    if contrast.has_arms:
        rows.append(_checked(about, *_spread(row, contrast, what)))
    if contrast.between_patients:
        rows.append(_checked(about, *_depth(measure.total[keep], units, contrast, denominator)))
    rows += [_checked(about, "warning", words) for words in _leverage(design, units)]
    single = question.measure(POPULATION, denominator, incomplete=True)
    left_out = single and baseline_difference(
        measure, single, question.comparison, min_cells=min_cells
    )
    rows += [_checked(about, *left_out)] if left_out else []
    return pd.concat(rows, ignore_index=True)


def _groups(contrast: Contrast) -> str:
    """Name what has a depth and a spread of its own."""
    if contrast.has_arms:
        return "arms"
    return "patients" if contrast.has_numbers else "pairs"


def _spread(row: Mapping[str, Any], contrast: Contrast, what: str) -> tuple[str, str]:
    """Compare the spread of the arms: status and message."""
    spread = {contrast.group(side): row[f"sd_{side}"] for side in ("test", "reference")}
    less, more = sorted(spread, key=lambda name: float(spread[name]))
    low, high = float(spread[less]), float(spread[more])
    ratio = high / low if low > 0 else np.inf
    words = SPREAD.format(what=what, ratio=ratio, more=more, less=less, high=high, low=low)
    unequal = ratio >= UNEQUAL_SPREAD
    return ("warning", words + SPREAD_WARNING) if unequal else ("ok", words)


def _depth(
    total: np.ndarray, units: pd.DataFrame, contrast: Contrast, denominator: str
) -> tuple[str, str]:
    """Compare the cells per sample of the arms (medians): status and message."""
    arm = contrast.groups(units)
    depth = {
        contrast.group(side): float(np.median(total[arm == side])) for side in ("test", "reference")
    }
    less, more = sorted(depth, key=lambda name: depth[name])
    ratio = depth[more] / depth[less]
    words = DEPTH.format(more=more, less=less, ratio=ratio, denominator=denominator)
    return ("warning", words + DEPTH_WARNING) if ratio >= UNEQUAL_DEPTH else ("ok", words)


def _leverage(design: pd.DataFrame, units: pd.DataFrame) -> list[str]:
    """Name patients who determine a coefficient almost alone."""
    basis, _ = np.linalg.qr(design.to_numpy(dtype=float))
    leverage = np.sum(basis**2, axis=1)
    return [
        LEVERAGE.format(patient=patient, value=value)
        for patient, value in zip(units["patient"], leverage, strict=True)
        if value >= MAX_LEVERAGE
    ]


def _checked(about: Mapping[str, str], status: str, message: str) -> pd.DataFrame:
    return pd.DataFrame([{**about, "status": status, "message": message}], columns=COLUMNS)


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

    Genes that ambient RNA may explain do not count.

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
    limma = {**settings, "engine": "limma_voom", "threads": 1, "permutations": None}
    tested = test_expression(lamm, comparison, **limma)
    tested = tested[tested["p"].notna()]
    if tested.empty:
        return _not_tested(about, "no gene could be tested")
    scheme = _scheme(units, contrast, max_exact=permutations.max_exact, n_draws=10 * n_relabelings)
    distinct = _other_labels(scheme, seed=permutations.seed)
    rng = np.random.default_rng(permutations.seed)
    chosen = rng.permutation(len(distinct))[:n_relabelings]
    p = []
    for assignment in distinct[chosen]:
        relabeled = contrast.relabel(comparison.used, units, assignment)
        other = Comparison(relabeled, replace(contrast, choose=None))
        table = test_expression(lamm, other, **limma)
        p.append(table.loc[~table["ambient"].astype(bool), "p"].dropna())
    found = np.concatenate([np.empty(0), *p])
    return _result(about, len(p), found, max_share, PERMUTED, LEAKS)


def _scheme(units: pd.DataFrame, contrast: Contrast, *, max_exact: int, n_draws: int) -> Scheme:
    """Permute labels (or signs) within strata; numeric covariates stay with their patients."""
    texts = [c for c in contrast.adjust if not pd.api.types.is_numeric_dtype(units[c])]
    unadjusted = replace(contrast, adjust=tuple(texts))
    return unadjusted.permutations(units, max_exact=max_exact, n_draws=n_draws)


def _other_labels(scheme: Scheme, *, seed: int) -> NDArray[Any]:
    """Return all assignments but the observed one, up to exchanging the arms."""
    drawn: NDArray[Any] = assignments(scheme, rng=np.random.default_rng(seed))
    assigned: NDArray[Any] = np.unique(drawn, axis=0)
    observed = scheme.observed
    same = (assigned == observed).all(axis=1) | (assigned == scheme.exchanged(observed)).all(axis=1)
    assigned = assigned[~same]
    if not scheme.exchanges_arms:
        return assigned
    # of two assignments with exchanged arms, that with the larger value where they first differ
    other = scheme.exchanged(assigned)
    first = np.argmax(assigned != other, axis=1)[:, None]
    larger = np.take_along_axis(assigned, first, 1) > np.take_along_axis(other, first, 1)
    return assigned[larger[:, 0]]


def _result(
    about: Mapping[str, str],
    n: int,
    p: np.ndarray,
    max_share: float,
    words: str,
    warning: str,
) -> pd.DataFrame:
    if n == 0:
        return _not_tested(about, "no other permutation of the labels exists")
    share = float(np.mean(p < ALPHA))
    message = words.format(n=n, percent=100 * share, test=about["test"])
    row = {"n_null": n, "n_tests": len(p), "share": share, "status": "ok"}
    if share > max_share:
        row["status"], message = "warning", message + warning
    return pd.DataFrame([{**about, **row, "message": message}], columns=COLUMNS)


def _not_tested(about: Mapping[str, str], why: str) -> pd.DataFrame:
    row = {"n_null": 0, "n_tests": 0, "share": np.nan, "status": "not_tested"}
    message = NOT_TESTED.format(about["test"], why)
    return pd.DataFrame([{**about, **row, "message": message}], columns=COLUMNS)
