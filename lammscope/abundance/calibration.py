"""Self-diagnosis: what the run's own tests give when the labels of its patients mean nothing.

Labels are permuted among the patients and the tests repeated. This is a diagnostic of one cohort:
its permutations are not independent cohorts, and a true difference leaks into them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray
from scipy import stats

from lammscope.abundance.comparisons import compare
from lammscope.abundance.fractions import unit_values
from lammscope.abundance.permutation import assigned_correlations, assignments
from lammscope.abundance.populations import ask
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import (
    comparison_units,
    design_matrix,
    independent_columns,
    tested_column,
)
from lammscope.cohort.schemes import SIGNS, Scheme, permutation_scheme
from lammscope.cohort.selection import USED, select_samples
from lammscope.cohort.sorts import Sorts
from lammscope.core.names import ALPHA
from lammscope.expression.genes import test_expression

COLUMNS = ["test", "contrast", "n_relabellings", "n_tests", "share", "status", "message"]
POPULATION = "LAMM"
NOT_TESTED = "There was nothing to calibrate: {} ({})."
CALIBRATED = (
    "With the labels of the patients permuted in {n:,} ways, {percent:.1f} % of the tests of "
    "{test} had p < 0.05; 5 % are expected."
)
TOO_MANY = (
    " p-values of this test may be too small in this cohort, though a true difference leaks into "
    "permuted labels, too; rely on the permutation test."
)


def diagnose_calibration(
    counts: pd.DataFrame,
    pseudobulk: AnnData,
    samples: pd.DataFrame,
    contrasts: Sequence[Contrast],
    *,
    denominator: str,
    abundance: Mapping[str, Any],
    expression: Mapping[str, Any],
    n_expression: int,
    max_share: float,
    sorts: Sorts,
    seed: int,
) -> pd.DataFrame:
    """Both diagnoses of each contrast, `diagnose_abundance` and `diagnose_expression`.

    Parameters
    ----------
    contrasts
        The primary one, or none where the cohort cannot ask it (the table is empty then).
    abundance, expression
        The other arguments of `populations.test_abundance` and of `genes.test_expression`
        (without engine and threads).
    n_expression
        Relabellings under which genes are tested.

    Returns
    -------
    DataFrame
        The columns `COLUMNS`.
    """
    max_exact = abundance["max_exact"]
    rows = [pd.DataFrame(columns=COLUMNS)]
    for contrast in contrasts:
        common: dict[str, Any] = {"max_exact": max_exact, "max_share": max_share, "seed": seed}
        rows.append(
            diagnose_abundance(
                counts,
                samples,
                contrast,
                denominator=denominator,
                sorts=sorts,
                **(dict(abundance) | common),
            )
        )
        rows.append(
            diagnose_expression(
                pseudobulk, samples, contrast, settings=expression, n_draws=n_expression, **common
            )
        )
    return pd.concat([row for row in rows if len(row)] or rows, ignore_index=True)


def diagnose_abundance(
    counts: pd.DataFrame,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    denominator: str,
    min_cells: int,
    exclude_pre_post: Sequence[str],
    sorts: Sorts,
    max_exact: int,
    n_draws: int,
    max_share: float,
    seed: int,
) -> pd.DataFrame:
    """Share of p < 0.05 of the primary row (logit scale) under permuted labels.

    Parameters as in `populations.test_abundance`; `denominator` is that of the primary row, and a
    share over `max_share` is a warning. Returns one row of `COLUMNS`.
    """
    question = ask(counts, samples, contrast, exclude_pre_post=exclude_pre_post, sorts=sorts)
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
    scheme = _scheme(units, contrast, max_exact=max_exact, n_draws=n_draws)
    design = independent_columns(design_matrix(units, contrast.adjust))
    values = unit_values(measure, keep, "logit")[None]
    squared = assigned_correlations(
        values, design.to_numpy(), tested_column(design), scheme, _other_labels(scheme, seed=seed)
    )[:, 0]
    df = len(units) - design.shape[1]
    with np.errstate(divide="ignore"):  # a perfect fit has an infinite t
        p = 2 * stats.t.sf(np.sqrt(df * squared / (1 - squared)), df)
    return _result(about, len(p), p, max_share)


def diagnose_expression(
    pseudobulk: AnnData,
    samples: pd.DataFrame,
    contrast: Contrast,
    *,
    settings: Mapping[str, Any],
    max_exact: int,
    n_draws: int,
    max_share: float,
    seed: int,
) -> pd.DataFrame:
    """Share of p < 0.05 over the genes of LAMM cells under permuted labels.

    Parameters
    ----------
    pseudobulk, samples, contrast
        As in `genes.test_expression`, whose other arguments are `settings`; limma tests,
        whatever the engine of the run, since it is much faster.
    max_exact, n_draws
        Of all distinct relabellings (up to exchanging the arms) at most `n_draws` are tested.
    max_share
        A share over this is a warning.

    Returns
    -------
    DataFrame
        One row of `COLUMNS`.
    """
    about = {"test": "genes in LAMM cells", "contrast": contrast.name}
    lamm = pseudobulk[(pseudobulk.obs["population"] == POPULATION).to_numpy()].copy()
    limma = {**settings, "engine": "limma_voom", "threads": 1}
    tested = test_expression(lamm, samples, contrast, **limma)
    tested = tested[tested["p"].notna()]
    if tested.empty:
        return _not_tested(about, "no gene of theirs could be tested")
    units = comparison_units(samples, contrast)
    selection = select_samples(samples, contrast)
    used = samples[samples["sample"].isin(selection.loc[selection["use"] == USED, "sample"])]
    scheme = _scheme(units, contrast, max_exact=max_exact, n_draws=10 * n_draws)
    distinct = np.unique(_other_labels(scheme, seed=seed), axis=0)
    halves = (2 * scheme.test[scheme.strata == s].mean() == 1 for s in np.unique(scheme.strata))
    if scheme.kind == SIGNS or all(halves):
        distinct = distinct[distinct[:, 0]]  # the other half exchanges the arms
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(len(distinct))[:n_draws]
    p = [
        test_expression(
            lamm,
            _relabeled(used, units, contrast, distinct[i]),
            replace(contrast, choose=None),
            **limma,
        )["p"].dropna()
        for i in chosen
    ]
    return _result(about, len(p), np.concatenate([np.empty(0), *p]), max_share)


def _scheme(units: pd.DataFrame, contrast: Contrast, *, max_exact: int, n_draws: int) -> Scheme:
    """Labels (or signs) permuted within strata; numeric covariates stay with their patients."""
    texts = [c for c in contrast.adjust if not pd.api.types.is_numeric_dtype(units[c])]
    return permutation_scheme(
        units, replace(contrast, adjust=tuple(texts)), max_exact=max_exact, n_draws=n_draws
    )


def _other_labels(scheme: Scheme, *, seed: int) -> NDArray[np.bool_]:
    """The assignments without the observed one, and the one that only exchanges its arms."""
    assigned = assignments(scheme, rng=np.random.default_rng(seed))
    same = assigned == scheme.observed
    return assigned[~same.all(axis=1) & same.any(axis=1)]


def _relabeled(
    samples: pd.DataFrame, units: pd.DataFrame, contrast: Contrast, assignment: NDArray[np.bool_]
) -> pd.DataFrame:
    """The samples with the labels of an assignment in the column that the contrast compares."""
    label = samples[contrast.column].astype(object)
    by_value = {False: contrast.reference, True: contrast.test}
    if contrast.kind == "paired":
        exchanged = units[~assignment]
        for side, new in (("test", contrast.reference), ("reference", contrast.test)):
            names = [name for listed in exchanged[f"samples_{side}"] for name in listed]
            label[samples["sample"].isin(names)] = new
    else:
        arms = dict(zip(units["patient"], assignment, strict=True))
        label = samples["patient"].map(arms).map(by_value).astype(object)
    return samples.assign(**{contrast.column: label})


def _result(about: Mapping[str, str], n: int, p: np.ndarray, max_share: float) -> pd.DataFrame:
    if n == 0:
        return _not_tested(about, "these patients have no other labels")
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
