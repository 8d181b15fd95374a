"""The probability that a T cell is a CAR-T cell, from its own CAR transcripts and its neighbors.

The T cells of a sample are a mixture. In CAR-T cells the UMIs of the CAR are negative binomial
around the sample's rate times the depth of the cell; in other T cells they are stray, as in cells
of other lineages. The share of CAR-T cells around a cell is that of its nearest T cells, shrunk
towards the share of the sample.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, gammaln, logit, xlogy

from lammscope.core.names import PER, Array

# Of sorted CAR-T cells in 14 libraries (Anderson 2023), `python -m benchmarks.car_calls`: medians
# of the rate and of the shape. The log rates of the libraries have a standard deviation of 0.6.
TYPICAL_RATE, RATE_SD = 5.0, 1.0  # UMIs per 10,000; the prior is wider than those libraries
SHAPE = 2.2  # of the negative binomial distribution; 1.7 to 2.8 where there are 150 cells
RATES = np.geomspace(0.05, 100, 77)  # UMIs per 10,000
STRAY_SHARE = 0.01  # UMIs of another cell per UMI of a T cell, if the cohort does not tell
STRAY_CELLS = 20.0  # that the cohort counts as, beside the other cells of a sample
MIN_STRAY = 1e-6  # UMIs per cell
# CAR-T cells, and as many others, that are added to a sample, as in a Jeffreys prior.
PRIOR_CELLS = 0.5
STRENGTHS = (0.5, 1.0, 2.0, 5.0, 12.0, 30.0, 75.0)  # cells that the share of the sample counts as
ROUNDS, TOLERANCE = 300, 1e-5  # of the share of a sample
LOCAL_ROUNDS = 40  # of the share around a cell


@dataclass(frozen=True)
class CarCounts:
    """CAR transcripts of one sample.

    Attributes
    ----------
    umi
        UMIs of the CAR in each T cell.
    totals
        All UMIs of each T cell.
    neighbors
        T cells x k, positions of the nearest T cells of the sample; -1 where there are no more.
    stray
        Expected UMIs of the CAR in a cell that is no CAR-T cell, from `stray_umis`.
    """

    umi: np.ndarray
    totals: np.ndarray
    neighbors: np.ndarray
    stray: float


@dataclass(frozen=True)
class CarMixture:
    """The fit of one sample.

    Attributes
    ----------
    probability
        Probability of each T cell of being a CAR-T cell.
    rate
        UMIs of the CAR per 10,000 UMIs of a CAR-T cell.
    share
        Share of CAR-T cells in the T cells.
    strength
        Number of cells that this share counts as beside the neighbors of a cell; infinite if
        neighbors do not tell CAR-T cells from others.
    """

    probability: Array
    rate: float
    share: float
    strength: float


def stray_umis(other: np.ndarray, n_other: np.ndarray, t_mean: np.ndarray) -> Array:
    """Estimate the stray UMIs of the CAR per cell in each sample.

    Droplets have similar amounts of ambient RNA, so cells of other lineages give the level. A
    sample with few of them has the cohort's ratio of stray UMIs to those of T cells.

    Parameters
    ----------
    other
        UMIs of the CAR in the cells of other lineages of each sample.
    n_other
        Number of these cells.
    t_mean
        Mean UMIs of the CAR in the sample's T cells.
    """
    n_typical = STRAY_CELLS
    share = (other.sum() + n_typical * STRAY_SHARE) / ((n_other * t_mean).sum() + n_typical)
    expected = STRAY_CELLS * np.minimum(share, 1.0) * t_mean
    return np.asarray(np.maximum((other + expected) / (n_other + STRAY_CELLS), MIN_STRAY))


def fit_car_mixture(counts: CarCounts) -> CarMixture:
    """Fit the mixture of CAR-T cells and other T cells of one sample.

    The rate is that of the zero-truncated distribution of cells with a transcript, so that it does
    not depend on how many others are CAR-T cells. How much neighbors count is chosen by how well
    they predict the UMIs of each cell: the weakest influence within one standard error of the best.
    """
    umi, depth = counts.umi.astype(float), counts.totals / PER
    probability = (umi > 0).astype(float)
    for _ in range(ROUNDS):
        rate = _fit_rate(umi, depth, probability)
        share = (probability.sum() + PRIOR_CELLS) / (len(umi) + 2 * PRIOR_CELLS)
        with_car = _log_negative_binomial(umi, rate * depth + counts.stray)
        without = xlogy(umi, counts.stray) - counts.stray - gammaln(umi + 1)
        updated = expit(logit(share) + with_car - without)
        moved = np.abs(updated - probability).max(initial=0)
        probability = updated
        if moved < TOLERANCE:
            break
    evidence = with_car - without
    found = [_local_share(evidence, counts.neighbors, share, strength) for strength in STRENGTHS]
    shares = np.array([*found, np.full(len(umi), share)])
    fits = np.logaddexp(np.log(shares) + with_car, np.log1p(-shares) + without)
    chosen = _weakest_within_error(fits)
    probability = np.asarray(expit(logit(shares[chosen]) + evidence))
    return CarMixture(probability, rate, float(share), (*STRENGTHS, np.inf)[chosen])


def _fit_rate(umi: np.ndarray, depth: np.ndarray, weight: np.ndarray) -> float:
    """Find the rate of weighted cells with a transcript, by its posterior on a grid."""
    seen = umi > 0
    mean = np.outer(RATES, depth[seen])
    missed = (SHAPE / (SHAPE + mean)) ** SHAPE
    logs = _log_negative_binomial(umi[seen], mean) - np.log1p(-missed)
    prior = -0.5 * (np.log(RATES / TYPICAL_RATE) / RATE_SD) ** 2
    return float(RATES[(logs @ weight[seen] + prior).argmax()])


def _log_negative_binomial(umi: np.ndarray, mean: np.ndarray) -> Array:
    logs = gammaln(umi + SHAPE) - gammaln(SHAPE) - gammaln(umi + 1)
    logs = logs + xlogy(umi, mean) + SHAPE * np.log(SHAPE) - (umi + SHAPE) * np.log(SHAPE + mean)
    return np.asarray(logs)


def _local_share(
    evidence: np.ndarray, neighbors: np.ndarray, share: float, strength: float
) -> Array:
    """Estimate the share of CAR-T cells around each cell; its own transcripts do not count.

    `evidence` is the log likelihood ratio of each cell, of which the mixture of a cell's neighbors
    is fitted by expectation maximization, with the sample's share as `strength` further cells.
    """
    known = neighbors >= 0
    ratio = np.exp(np.clip(evidence, -50, 50))[np.maximum(neighbors, 0)]
    n_cells = known.sum(axis=1) + strength
    local = np.full(len(evidence), share)
    for _ in range(LOCAL_ROUNDS):
        odds = (local / (1 - local))[:, None] * ratio
        local = ((odds / (1 + odds) * known).sum(axis=1) + strength * share) / n_cells
    return np.asarray(local)


def _weakest_within_error(fits: np.ndarray) -> int:
    """Choose a row of log likelihoods, fits x cells: the last within a standard error of the best.

    The rule is that of Breiman et al., Classification and Regression Trees (1984).
    """
    loss = fits[fits.sum(axis=1).argmax()] - fits
    error = loss.std(axis=1) * np.sqrt(fits.shape[1])
    return int(np.flatnonzero(loss.sum(axis=1) <= error)[-1])
