"""Exact tests of association between two groups and a covariate."""

import re
from collections import Counter
from math import comb, prod

import numpy as np
import pandas as pd

from lammscope.core.names import ALPHA, FILE_COLUMNS
from lammscope.core.words import as_text

MAX_STATES = 50_000  # distinct sums and weights of tables; above it, Fisher's test is simulated

N_DRAWS = 20_000

MAX_RANKED = 100  # patients; above it, the rank sum is approximately normal

NO_COVARIATES = {
    *("sample", "patient", *FILE_COLUMNS),
    *("response", "response_label", "phase"),
}

# Later outcomes of a patient follow the response, so they are not confounders.
OUTCOME = re.compile(
    r"(best_)?(response|relapsed?|progression|progressed|pfs|os|efs|dfs|rfs|dor|ttp|nrm|death|died"
    r"|survival|follow_?up|event|censored)(_|$)"
)

Row = tuple[str, object, str, str]  # item, value, status, message


def exact_association(groups: pd.Series, values: pd.Series) -> tuple[float, str]:
    """Test whether a covariate is associated with two groups; return p and the name of the test.

    Text is tested by Fisher's exact test over all tables with the same margins (Freeman and
    Halton), or by simulation with a fixed seed if there are too many. Numbers are tested by
    Wilcoxon's rank sum test, which is exact, with ties too, up to 100 patients.
    """
    if pd.api.types.is_numeric_dtype(values):
        first = (groups == groups.min()).to_numpy()
        return _rank_sum_p(values.astype(float).rank().to_numpy(), first), "rank sum test"
    table = pd.crosstab(as_text(values), groups).to_numpy()
    return fisher_p(table.sum(axis=1).tolist(), table[:, 0].tolist())


def covariates_of(samples: pd.DataFrame) -> list[str]:
    """Return possible confounders: all columns but identifiers, outcomes and the response."""
    return [
        str(column)
        for column in samples
        if column not in NO_COVARIATES and not OUTCOME.match(str(column).lower())
    ]


def association_rows(
    groups: pd.Series, values: pd.Series, *, between: str, adjusted: bool = False
) -> list[Row]:
    """Return a row on the association of a covariate and two groups, or none if it has no meaning.

    The name of `values` is the covariate. The status is `confounded` if the covariate splits the
    groups, else `warning` if they are associated (`note` if the model is adjusted for it).
    """
    known = values.notna()
    groups, values, column = groups[known], values[known], str(values.name)
    is_text = not pd.api.types.is_numeric_dtype(values)
    if groups.nunique() != 2 or values.nunique() < 2 or (is_text and values.is_unique):
        return []
    p, test = exact_association(groups, values)
    message = f"{column} and {between}: {test}, p = {p:.2g} ({len(values)} patients)."
    item, value = f"association_{column}", f"{p:.4g}"
    if splits_groups(groups, values, p=p):
        return [(item, value, "confounded", f"{split_words(groups, values)} {message}")]
    if p >= ALPHA and is_text and _apart(groups, values):
        message += " No value occurs in both groups, but most patients have a value of their own."
        return [(item, value, "note", message)]
    if p >= ALPHA:
        return [(item, value, "ok", message)]
    if adjusted:
        return [(item, value, "note", f"{message} The model is adjusted for it.")]
    message += f" They are associated, so a difference may be due to {column}."
    return [(item, value, "warning", message)]


def trend_rows(
    scores: pd.Series, values: pd.Series, *, of: str, adjusted: bool = False
) -> list[Row]:
    """Return a row on the association of a covariate and a number, or none if it has no meaning.

    Numbers are tested by Spearman's rank correlation, two levels by Wilcoxon's rank sum test, and
    more by Kruskal and Wallis's test. The status is `confounded` if one of two levels has the lower
    numbers, and the other the higher, with p < 0.05.

    Parameters
    ----------
    scores
        One per patient.
    values
        The covariate, whose name is used.
    of
        The name of the number, for messages.
    adjusted
        Whether the model is adjusted for the covariate.
    """
    known = values.notna()
    scores, values, column = scores[known].astype(float), values[known], str(values.name)
    is_text = not pd.api.types.is_numeric_dtype(values)
    if scores.nunique() < 2 or values.nunique() < 2 or (is_text and values.is_unique):
        return []
    levels = as_text(values)
    apart = False
    if levels.nunique() == 2:
        p, test = exact_association(levels, scores)
        low, high = scores.groupby(levels).min(), scores.groupby(levels).max()
        apart = p < ALPHA and bool(low.iloc[1] > high.iloc[0] or low.iloc[0] > high.iloc[1])
    else:
        from scipy import stats  # here: the import takes as long as the rest of a plan

        parts = [part.to_numpy() for _, part in scores.groupby(levels)]
        found = stats.kruskal(*parts) if is_text else stats.spearmanr(scores, values.astype(float))
        p, test = float(found.pvalue), "Kruskal-Wallis test" if is_text else "rank correlation"
    message = f"{column} and {of}: {test}, p = {p:.2g} ({len(values)} patients)."
    item, value = f"association_{column}", f"{p:.4g}"
    if apart and not adjusted:
        message = f"The two levels of {column} have no {of} in common. {message}"
        return [(item, value, "confounded", message)]
    if p >= ALPHA:
        return [(item, value, "ok", message)]
    if adjusted:
        return [(item, value, "note", f"{message} The model is adjusted for it.")]
    return [(item, value, "warning", f"{message} A trend may be due to {column}.")]


def splits_groups(groups: pd.Series, values: pd.Series, *, p: float) -> bool:
    """Test whether a covariate separates the groups completely, so that they are confounded.

    Whatever p is, this holds if each value occurs in one group only, and values are shared by most
    patients or by all patients of a group. (If most patients have a batch of their own, two who
    share one may do so by chance.) Ranges of other numbers must not overlap, with p < 0.05: in six
    patients, one covariate in ten separates the groups by chance.
    """
    text = as_text(values)
    shared = text.map(text.value_counts()) > 1
    if 2 * shared.sum() >= len(text) or shared.groupby(groups).all().any():
        return _apart(groups, values)
    if not pd.api.types.is_numeric_dtype(values) or p >= ALPHA:
        return False
    low, high = values.groupby(groups).min(), values.groupby(groups).max()
    return bool(low.iloc[1] > high.iloc[0] or low.iloc[0] > high.iloc[1])


def split_words(groups: pd.Series, values: pd.Series) -> str:
    """Describe how a covariate splits the groups."""
    column, parts = str(values.name), []
    for group, part in values.groupby(groups):
        found = sorted(set(as_text(part)))
        numeric = pd.api.types.is_numeric_dtype(values) and len(found) > 3
        listed = f"{part.min():g} to {part.max():g}" if numeric else ", ".join(found[:8])
        parts.append(f"{group}: {listed}{', ...' if found[8:] and not numeric else ''}")
    return (
        f"Each value of {column} occurs in one group only ({'; '.join(parts)}), so a difference "
        f"cannot be separated from the effect of {column}."
    )


def _apart(groups: pd.Series, values: pd.Series) -> bool:
    """Return whether no value occurs in both groups."""
    return bool((groups.groupby(as_text(values)).nunique() == 1).all())


def _rank_sum_p(ranks: np.ndarray, first: np.ndarray) -> float:
    """Compute the two-sided p of the rank sum of `first` over all sets of the same size."""
    n_first, n = int(first.sum()), len(ranks)
    if n > MAX_RANKED:
        from scipy import stats  # here: the import takes as long as the rest of a plan

        return float(stats.mannwhitneyu(ranks[first], ranks[~first]).pvalue)
    doubled = np.rint(2 * ranks).astype(int)  # ties have half ranks
    ways = np.zeros((n_first + 1, int(doubled.sum()) + 1))  # by number of patients and rank sum
    ways[0, 0] = 1
    for rank in doubled:
        ways[1:, rank:] += ways[:-1, :-rank].copy()
    distance = np.abs(np.arange(ways.shape[1]) * n - n_first * int(doubled.sum()))
    extreme = distance >= distance[doubled[first].sum()]
    return float(ways[n_first, extreme].sum() / ways[n_first].sum())


def fisher_p(sizes: list[int], first: list[int]) -> tuple[float, str]:
    """Compute Fisher's p of a table with two columns, given row sums and the first column.

    Tables are enumerated row by row and counted by the sum of column one and by their weight, the
    product of binomial coefficients (an integer). Also returns the name of the test, since very
    many tables are not enumerated but simulated.
    """
    observed, n_first = prod(map(comb, sizes, first)), sum(first)
    tables, left = Counter({(0, 1): 1}), sum(sizes)
    for size in sorted(sizes):
        left -= size
        longer: Counter[tuple[int, int]] = Counter()
        for (total, weight), n in tables.items():
            for k in range(max(0, n_first - total - left), min(size, n_first - total) + 1):
                longer[total + k, weight * comb(size, k)] += n
        tables = longer
        if len(tables) > MAX_STATES:
            return _simulated_fisher_p(sizes, first), "simulated Fisher test"
    rare = sum(weight * n for (_, weight), n in tables.items() if weight <= observed)
    return rare / comb(sum(sizes), n_first), "Fisher's exact test"


def _simulated_fisher_p(sizes: list[int], first: list[int]) -> float:
    draws = np.random.default_rng(1).multivariate_hypergeometric(
        sizes, sum(first), size=N_DRAWS, method="marginals"
    )
    log_factorial = np.concatenate([[0], np.cumsum(np.log(np.arange(1, max(sizes) + 1)))])

    def log_weights(column: np.ndarray) -> np.ndarray:
        parts = log_factorial[column] + log_factorial[np.array(sizes) - column]
        return np.asarray(-parts.sum(axis=-1))

    rare = log_weights(draws) <= log_weights(np.array(first)) + 1e-7
    return float((1 + np.sum(rare)) / (N_DRAWS + 1))
