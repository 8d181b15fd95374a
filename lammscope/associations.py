"""Exact association of two groups with a covariate, and covariates that split the groups."""

import re
from itertools import product
from math import comb, prod

import numpy as np
import pandas as pd
from scipy import stats

from lammscope.contrasts import as_text

ALPHA = 0.05
NO_COVARIATES = {"sample", "patient", "counts", "barcodes", "response", "response_label", "phase"}
# What happens to a patient later follows the response and confounds nothing.
OUTCOME = re.compile(r"(best_)?(response|relapsed?|progression|pfs|os|efs|death|survival)(_|$)")
Row = tuple[str, object, str, str]  # item, value, status, message


def exact_association(groups: pd.Series, values: pd.Series) -> tuple[float, str]:
    """p of no association between two groups and a covariate, and the test's name.

    Text: Fisher's exact test over all tables of the same margins (Freeman and Halton), by
    simulation (fixed seed) where there are too many tables. Numbers: Wilcoxon's rank sum, exact
    without ties in small groups.
    """
    if pd.api.types.is_numeric_dtype(values):
        first, second = (values[groups == g] for g in sorted(groups.unique()))
        return float(stats.mannwhitneyu(first, second).pvalue), "rank sum test"
    table = pd.crosstab(as_text(values), groups).to_numpy()
    sizes, n_first = table.sum(axis=1), int(table[:, 0].sum())
    if prod(int(size) + 1 for size in sizes) > 200_000:
        draws = np.random.default_rng(1).multivariate_hypergeometric(sizes, n_first, size=20_000)
        weights = _log_tables(sizes, draws)
        observed = _log_tables(sizes, table[:, 0])
        return float((1 + np.sum(weights <= observed + 1e-7)) / 20_001), "simulated Fisher test"
    every = np.array(list(product(*[range(int(size) + 1) for size in sizes])))
    every = every[every.sum(axis=1) == n_first]
    weights, observed = _log_tables(sizes, every), _log_tables(sizes, table[:, 0])
    log_p = weights[weights <= observed + 1e-7]
    total = np.log(float(comb(int(sizes.sum()), n_first)))
    return float(min(1.0, np.exp(log_p - total).sum())), "Fisher's exact test"


def covariates_of(samples: pd.DataFrame) -> list[str]:
    """Columns that a difference could be due to: neither names, nor outcomes, nor the response."""
    return [
        str(column)
        for column in samples
        if column not in NO_COVARIATES and not OUTCOME.match(str(column).lower())
    ]


def association_rows(
    groups: pd.Series, values: pd.Series, *, between: str, adjusted: bool = False
) -> list[Row]:
    """One row on a covariate (the name of `values`) and two groups; none if it says nothing.

    Its status is `confounded` where the covariate splits the groups, else `warning` where they
    are associated (`note` if the model is adjusted for it).
    """
    known = values.notna()
    groups, values, column = groups[known], values[known], str(values.name)
    unique_text = not pd.api.types.is_numeric_dtype(values) and values.is_unique
    if groups.nunique() != 2 or values.nunique() < 2 or unique_text:
        return []
    p, test = exact_association(groups, values)
    message = f"{column} and {between}: {test}, p = {p:.2g} ({len(values)} patients)."
    item, value = f"association_{column}", f"{p:.4g}"
    if splits_groups(groups, values, p=p):
        return [(item, value, "confounded", f"{split_words(groups, values)} {message}")]
    if p >= ALPHA:
        return [(item, value, "ok", message)]
    if adjusted:
        return [(item, value, "note", f"{message} The model is adjusted for it.")]
    message += f" They are associated; a difference may be due to {column}."
    return [(item, value, "warning", message)]


def splits_groups(groups: pd.Series, values: pd.Series, *, p: float) -> bool:
    """Whether a covariate tells the groups apart without a fault.

    Of values that patients share (most of them: in a hundred batches of one patient two that meet
    by chance say nothing) each occurs in one group only, however large p is. Numbers that are
    shared by few must lie apart and have p < 0.05: of six patients chance alone parts one
    covariate in ten.
    """
    text = as_text(values)
    shared = text.map(text.value_counts()) > 1
    if 2 * shared.sum() >= len(text):
        return bool((groups.groupby(text).nunique() == 1).all())
    if not pd.api.types.is_numeric_dtype(values) or p >= ALPHA:
        return False
    low, high = values.groupby(groups).min(), values.groupby(groups).max()
    return bool(low.iloc[1] > high.iloc[0] or low.iloc[0] > high.iloc[1])


def split_words(groups: pd.Series, values: pd.Series) -> str:
    """Say how a covariate splits the groups."""
    column, parts = str(values.name), []
    for group, part in values.groupby(groups):
        found = sorted(set(as_text(part)))
        numeric = pd.api.types.is_numeric_dtype(values) and len(found) > 3
        listed = f"{part.min():g} to {part.max():g}" if numeric else ", ".join(found[:8])
        parts.append(f"{group}: {listed}{', ...' if found[8:] and not numeric else ''}")
    return (
        f"Every value of {column} occurs on one side only ({'; '.join(parts)}): a difference "
        f"cannot be told from one of {column}."
    )


def _log_tables(sizes: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Log of the product of binomial coefficients, the weight of a two-column table."""
    log_factorial = np.concatenate([[0], np.cumsum(np.log(np.arange(1, sizes.max() + 1)))])
    parts = log_factorial[sizes] - log_factorial[first] - log_factorial[sizes - first]
    return np.asarray(parts.sum(axis=-1))
