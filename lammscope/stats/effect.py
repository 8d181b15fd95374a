"""The test of one coefficient where patients of the arms may differ in spread.

An ordinary t-test takes the arms to vary alike. Of 4 against 8 patients, where the 4 vary twice as
much, 12 % of its p are below 0.05. Here each arm has its own variance. Without covariates this is
Welch's test.
"""

from dataclasses import dataclass

import numpy as np

from lammscope.stats import Array
from lammscope.stats.distributions import t_two_sided

EMPTY = 1e-10  # squared length of a column that the others explain, relative to its own
# Residual degrees of freedom that an arm needs, or its variance is not known. Our choice.
LEAST = 0.5


@dataclass(frozen=True)
class Effect:
    """Estimate, standard error, degrees of freedom, t and two-sided p, one value per feature.

    `spread` is the standard deviation of the residuals in each arm, 2 x features, the arm with the
    smaller value of the column first; 1 x features where the column does not divide the units into
    two arms. All are nan where the design or the data do not determine them.
    """

    estimate: Array
    se: Array
    df: Array
    t: Array
    p: Array
    spread: Array


def effect_test(
    values: Array,
    design: Array,
    at: int,
    *,
    one_variance: bool = False,
    arms: Array | None = None,
) -> Effect:
    """Test one coefficient of a linear model; between two arms, each has its own variance.

    The estimate is that of least squares. The variances of the arms are the unbiased combinations
    of the two sums of squared residuals (Rao 1970, doi 10.1080/01621459.1970.10481070), and the
    degrees of freedom are Satterthwaite's (1946, doi 10.2307/3002019). Without covariates the test
    is Welch's (1947). It is the ordinary t-test if the tested column does not divide the units into
    two arms (pairs, numbers).

    Parameters
    ----------
    values
        Features x units.
    design
        Units x coefficients.
    at
        Position of the tested coefficient.
    one_variance
        Whether to use the ordinary t-test for two arms, too.
    arms
        Membership in the two arms, 2 x units, where the tested column no longer has two values.

    Notes
    -----
    HC2 variances with the degrees of freedom of Bell and McCaffrey, which let each unit have its
    own variance, reject 0.5 % where one patient of each arm has the other arm's product, and 6 to
    8 % where the smaller arm varies more; this test 4.4 to 6.2 %.
    """
    others, x = split_column(design, at)
    squared = float(x @ x)
    if arms is None and not one_variance:
        arms = two_arms(design[:, at])
    free = len(design) - others.shape[1] - 1
    if squared == 0 or free <= 0:
        unknown = np.full(len(values), np.nan)
        spread = np.array([unknown] * (1 if arms is None else 2))
        return Effect(unknown, unknown, unknown, unknown, unknown, spread)
    rest = residuals(values, others)
    estimate = rest @ x / squared
    squares = (rest - np.outer(estimate, x)) ** 2
    if arms is None:
        variances = squares.sum(axis=1)[None] / free
        variance, df = variances[0] / squared, np.full(len(values), float(free))
    else:
        variances, variance, df = _of_arms(squares, others, x, arms)
    with np.errstate(divide="ignore", invalid="ignore"):  # no residual: t is infinite or nan
        t = estimate / np.sqrt(variance)
        p = t_two_sided(t, df)
    return Effect(estimate, np.sqrt(variance), df, t, p, spread=np.sqrt(variances))


def residuals(values: Array, others: Array) -> Array:
    """Return values (features x units) without what the columns of a basis explain."""
    return np.asarray(values - (values @ others) @ others.T)


def split_column(design: Array, at: int) -> tuple[Array, Array]:
    """Take a column of a design apart from the others.

    Returns
    -------
    An orthonormal basis of the other columns (units x their rank), and the column without what they
    explain (0 if all of it).
    """
    basis, length, _ = np.linalg.svd(np.delete(design, at, axis=1), full_matrices=False)
    others = basis[:, length > EMPTY * max(length.max(initial=0.0), 1)]
    column = design[:, at].astype(float)
    rest = column - others @ (others.T @ column)
    return others, rest if rest @ rest > EMPTY * (column @ column) else np.zeros_like(rest)


def two_arms(column: Array) -> Array | None:
    """Return membership of units in two arms (2 x units); None if the column has not two values."""
    if len(np.unique(column)) != 2:
        return None
    second = column == column.max()
    return np.array([~second, second], dtype=float)


def statistics_of_arms(values: Array, others: Array, columns: Array, arms: Array) -> Array:
    """Compute t^2 / (1 + t^2) of each column of arms and each feature.

    Parameters
    ----------
    values
        Features x units, without what the other columns explain.
    others
        Basis of the other columns, from `split_column`.
    columns
        Assignments x units: columns of arms without what the other columns explain.
    arms
        2 x assignments x units: membership in the arms.

    Returns
    -------
    Assignments x features. 0 for a column that the others explain. Where the variance of an arm is
    not known, both arms have that of all residuals.
    """
    squared = np.sum(columns**2, axis=1)
    squared = np.where(squared > EMPTY, squared, 1.0)[:, None]
    estimates = columns @ values.T / squared
    first, second = np.maximum(squares_by_arm(values, estimates, columns, arms), 0.0)
    share = [np.sum(arm * columns**2, axis=1)[:, None] / squared**2 for arm in arms]
    expected = expected_squares(others, columns, arms)[..., None]
    (a, b), (_, d) = expected
    known = np.minimum(a, d) >= LEAST
    determinant = np.where(known, a * d - b * b, 1.0)
    common = (first + second) / max(len(others) - others.shape[1] - 1, 1)
    one = np.where(known, np.maximum((d * first - b * second) / determinant, 0.0), common)
    two = np.where(known, np.maximum((a * second - b * first) / determinant, 0.0), common)
    return share_of_squares(estimates, share[0] * one + share[1] * two)


def statistics_of_numbers(values: Array, others: Array, columns: Array) -> Array:
    """Compute t^2 / (1 + t^2) of each column and each feature, with one variance for all units.

    Parameters
    ----------
    values, others
        As in `statistics_of_arms`.
    columns
        Assignments x units: columns without what the other columns explain.

    Returns
    -------
    Assignments x features. 0 for a column that the others explain. With r the share of squares that
    a column explains and d residual degrees of freedom, t^2 is d r / (1 - r).
    """
    squared, total = np.sum(columns**2, axis=1), np.sum(values**2, axis=1)
    known = np.where(squared > EMPTY, squared, np.inf)[:, None]
    share = np.minimum((columns @ values.T) ** 2 / (known * np.where(total > 0, total, 1.0)), 1.0)
    odds = max(len(others) - others.shape[1] - 1, 1) * share
    return np.asarray(odds / (odds + 1 - share))


def share_of_squares(estimate: Array, variance: Array) -> Array:
    """Return t^2 / (1 + t^2), which is finite where the variance is 0; 0 if both are 0."""
    whole = estimate**2 + variance
    return np.asarray(estimate**2 / np.where(whole > 0, whole, 1.0))


def squares_by_arm(values: Array, estimates: Array, columns: Array, arms: Array) -> Array:
    """Sum the squared residuals of each arm: 2 x assignments x features.

    `values` are features x units and `columns` assignments x units, both without what the other
    columns of a design explain, and `estimates` assignments x features.
    """
    return np.array(
        [
            arm @ values.T**2
            - 2 * estimates * ((arm * columns) @ values.T)
            + estimates**2 * np.sum(arm * columns**2, axis=1)[:, None]
            for arm in arms
        ]
    )


def expected_squares(others: Array, columns: Array, arms: Array) -> Array:
    """Return the expected sum of squared residuals of an arm for a unit variance in another.

    Shape 2 x 2 x assignments: the squares of the residual maker, summed over both arms' units. Its
    entries are those of the other columns' maker less x x' / x'x.
    """
    maker = np.eye(len(others)) - others @ others.T
    squared = np.sum(columns**2, axis=1)
    squared = np.where(squared > EMPTY, squared, 1.0)
    lengths = [np.sum(arm * columns**2, axis=1) for arm in arms]
    return np.array(
        [
            [
                np.sum((one @ maker**2) * two, axis=1)
                - 2 * np.sum(((one * columns) @ maker) * (two * columns), axis=1) / squared
                + lengths[i] * lengths[j] / squared**2
                for j, two in enumerate(arms)
            ]
            for i, one in enumerate(arms)
        ]
    )


def _of_arms(squares: Array, others: Array, x: Array, arms: Array) -> tuple[Array, Array, Array]:
    """Return the variance in each arm (2 x features), and that of the estimate with its df.

    `squares` are squared residuals, features x units. All are nan if an arm has too few degrees of
    freedom.
    """
    expected = expected_squares(others, x[None], arms[:, None])[..., 0]
    if expected.diagonal().min() < LEAST:
        unknown = np.full((2, len(squares)), np.nan)
        return unknown, unknown[0], unknown[0]
    variances = np.maximum(np.linalg.solve(expected, arms @ squares.T), 0.0)
    share = arms @ x**2 / (x @ x) ** 2
    variance = share @ variances
    # The variance is a quadratic form of the residuals; this is the variance of that form.
    weight = np.linalg.solve(expected, share) @ arms
    maker = np.eye(len(x)) - others @ others.T - np.outer(x, x) / (x @ x)
    inner = arms @ (maker @ (weight[:, None] * maker)) ** 2 @ arms.T
    with np.errstate(divide="ignore", invalid="ignore"):
        df = variance**2 / np.einsum("if,ij,jf->f", variances, inner, variances)
    return variances, variance, df
