"""How many patients the next cohort needs: power of the test of a row, from how patients vary.

A plan rests on three properties of a cohort: how much the patients of an arm differ, how many cells
of the denominator a sample has, and how often cells are called wrongly. A finished run has all
three (`run_spread`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import ceil, comb

import numpy as np
from numpy.typing import ArrayLike

from lammscope.core.names import ALPHA, Array
from lammscope.stats.distributions import chi2_quantile
from lammscope.stats.power import t_power, welch_power

CONFIDENCE = 0.8  # of the upper limit of the spread, after Browne (1995)
MOST = 2000  # patients per arm that are tried
PATIENT_NODES = 20  # of the quadrature over patients
FEWEST = 2  # patients of an arm, without which it has no variance


@dataclass(frozen=True)
class CallErrors:
    """How cells are called: the share of LAMM cells and the share of other cells called LAMM."""

    sensitivity: float = 1.0
    false_rate: float = 0.0


@dataclass(frozen=True)
class Spread:
    """How the values of a test vary, in squared log odds: per arm, or once for pairs and trends.

    Attributes
    ----------
    patients
        Variance between patients, apart from counting.
    counting
        Mean variance of a patient's value by the number of cells counted (for a change or a pair of
        both its samples).
    df
        Degrees of freedom that each variance was estimated with; `inf` if it is taken as known.
    fraction
        Called cells as a fraction of the denominator on the reference side.
    cells
        Cells of the denominator in a sample, on average; nan if counting is left out.
    inflation
        Factor by which covariates raise the variance of the estimate.
    spent
        Degrees of freedom that covariates, or the slope of a trend, take.
    """

    patients: tuple[float, ...]
    counting: tuple[float, ...]
    df: tuple[float, ...]
    fraction: float
    cells: float
    inflation: float = 1.0
    spent: int = 0

    def with_cells(self, cells: float) -> "Spread":
        """Return the spread of samples with another number of cells."""
        factor = self.cells / cells
        return replace(self, counting=tuple(factor * v for v in self.counting), cells=cells)

    def upper_limit(self, confidence: float = CONFIDENCE) -> "Spread":
        """Return the spread with upper confidence limits of the estimated variances.

        The spread of a few patients is often too small, and a plan with it then has too few
        patients (Browne 1995, doi 10.1002/sim.4780141709). The limit is one-sided, by the
        chi-squared distribution with Satterthwaite's degrees of freedom for the sum over both arms,
        which grow by one factor. The part of counting is known.
        """
        whole = np.array(self.patients) + np.array(self.counting)
        parts = whole**2 / np.array(self.df)  # 0 for variances that are known
        df = float(whole.sum() ** 2 / parts.sum()) if parts.any() else np.inf
        factor = df / float(chi2_quantile(1 - confidence, df)) if np.isfinite(df) else 1.0
        rest = np.maximum(factor * whole - np.array(self.counting), 0.0)
        return replace(self, patients=tuple(rest.tolist()), df=(np.inf,) * len(self.df))

    def power(self, difference: float, sizes: tuple[int, ...]) -> float:
        """Return the power of the two-sided test with a number of patients in each arm.

        The test is that of `stats.effect`: Welch's for two arms, Student's otherwise. Each arm
        loses its share of the degrees of freedom that covariates take.
        """
        n = np.array(sizes, dtype=float)
        df = n - 1 - self.spent * n / n.sum()
        if df.min() <= 0 or smallest_p(sizes) >= ALPHA:
            return 0.0
        variance = self.inflation * (np.array(self.patients) + np.array(self.counting)) / n
        if not variance.any():
            return 1.0
        if len(n) == 2:
            return welch_power(abs(difference), variance, df, alpha=ALPHA)
        return t_power(abs(difference) / float(np.sqrt(variance[0])), float(df[0]), alpha=ALPHA)


def counting_variance(count: Array, total: Array) -> Array:
    """Return the variance of log odds of `count` of `total` cells (Gart and Zweifel 1967).

    Arrays of one shape, in cells; half a cell is added to both parts (doi
    10.1093/biomet/54.1-2.181).
    """
    return np.asarray(1 / (count + 0.5) + 1 / (total - count + 0.5))


def smallest_p(sizes: tuple[int, ...]) -> float:
    """Return the smallest two-sided p of a permutation test of arms, or of the signs of pairs.

    A difference below it cannot be supported, whatever its size.
    """
    if len(sizes) == 1:
        return float(2.0 ** (1 - sizes[0]))
    ways = comb(sum(sizes), sizes[0])
    return (2 if sizes[0] == sizes[1] else 1) / ways


def observed_difference(
    difference: float, *, fraction: float, sd: float, errors: CallErrors
) -> float:
    """Return the mean difference in log odds of called cells for one of true LAMM cells.

    Parameters
    ----------
    difference
        In log odds of the true fraction, test minus reference.
    fraction
        Called cells in a typical reference patient, as a fraction of the denominator.
    sd
        Standard deviation between patients of the log odds of called cells. The difference is
        averaged over patients, since false calls hide more of it where LAMM cells are few.
    errors
        How cells are called, the same in both arms.

    Raises
    ------
    ValueError
        If false calls explain all called cells of the reference, or no fraction gives so many.
    """
    if errors == CallErrors():
        return difference
    if not errors.false_rate < fraction < errors.sensitivity:
        raise ValueError(
            f"a fraction of {fraction:.3g} in the reference does not fit calls that find "
            f"{100 * errors.sensitivity:.3g} % of the LAMM cells and {100 * errors.false_rate:.3g} "
            "% of the others: it must lie between the two"
        )
    gain = errors.sensitivity - errors.false_rate
    true = (fraction - errors.false_rate) / gain
    slope = gain * true * (1 - true) / (fraction * (1 - fraction))  # of called on true log odds
    nodes, weights = np.polynomial.hermite_e.hermegauss(PATIENT_NODES)
    patients = _log_odds(true) + sd / slope * nodes
    called = [
        _log_odds(errors.false_rate + gain / (1 + np.exp(-log_odds)))
        for log_odds in (patients + difference, patients)
    ]
    return float(weights @ (called[0] - called[1]) / weights.sum())


def patients_needed(
    spread: Spread, difference: float, *, power: float, ratio: float = 1.0
) -> tuple[int, ...] | None:
    """Return the fewest patients in each arm (or pairs) with a given power; None if over `MOST`.

    `ratio` is the number in the test arm divided by that in the reference arm.
    """
    sizes = [_sizes(n, spread, ratio) for n in range(FEWEST, MOST + 1)]
    low, high = 0, len(sizes)
    while low < high:  # power rises with the number of patients
        middle = (low + high) // 2
        if spread.power(difference, sizes[middle]) >= power:
            high = middle
        else:
            low = middle + 1
    return sizes[low] if low < len(sizes) else None


def power_curve(
    spread: Spread, difference: float, *, numbers: Sequence[int], ratio: float = 1.0
) -> Iterator[tuple[tuple[int, ...], float]]:
    """Yield the patients in each arm and the power, for numbers of the smaller arm or of pairs."""
    for n in numbers:
        sizes = _sizes(n, spread, ratio)
        yield sizes, spread.power(difference, sizes)


def _sizes(smaller: int, spread: Spread, ratio: float) -> tuple[int, ...]:
    """Return the number of patients in the test and the reference arm, or of pairs."""
    if len(spread.patients) == 1:
        return (smaller,)
    larger = ceil(smaller * max(ratio, 1 / ratio) - 1e-9)
    return (larger, smaller) if ratio > 1 else (smaller, larger)


def _log_odds(fraction: ArrayLike) -> Array:
    fraction = np.asarray(fraction)
    return np.asarray(np.log(fraction / (1 - fraction)))
