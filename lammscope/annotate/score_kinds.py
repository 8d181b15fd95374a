"""Kinds of cells in the scores of a cohort, aligned between groups of libraries.

Without reference data, a state is known only by cells that score apart from other cells of the same
libraries. The mixture here asks for that: every group of libraries has its own offset, so that a
chemistry that captures more of a signature is no state.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse

from lammscope.annotate.macrophage_state import N_ALIKE
from lammscope.core.names import Array
from lammscope.core.pooling import membership

# A cell is scored with its neighbors, so that this many cells are one observation. It is the weight
# of a cell in likelihoods and in priors.
PER_CELL = 1 / (1 + N_ALIKE)
MOST_KINDS = 3
OFFSET = 0.15  # standard deviation of offsets between groups; two chemistries differ by up to 0.3
PRIOR_SHARE_CELLS = 3  # weight of the cohort's shares of kinds in a group
# A state is a kind whose mean is this many standard deviations (two: Ashman's bound of two modes),
# and this much of the score, above the next one, in a mixture whose BIC is better than that of one
# kind by this much. Our choice; benchmarks.signature_calls has what random genes reach.
MIN_SEPARATION, MIN_APART, MIN_BIC = 2.0, 0.2, 10.0
MIN_CELLS = 10  # of a kind that is a state: about one neighborhood
ROUNDS, TOLERANCE = 500, 1e-5  # the latter of a log likelihood per cell
LEAST_SPREAD = 0.01
SPREAD_CELLS = 5  # weight of the prior of a spread, a quarter of that of all scores


@dataclass(frozen=True)
class Kinds:
    """A mixture of normal distributions, the same in all groups but for offsets and shares.

    Attributes
    ----------
    names
        Of the n groups.
    mean, spread
        Of the kinds' scores, in ascending order of the means.
    share
        Groups x kinds.
    offset, offset_variance
        What a group's scores lie above the cohort's, and how uncertain this is.
    weight
        Cells x kinds, the probability of each kind.
    log_likelihood
        Of the scores, with a weight of `PER_CELL` for each.
    """

    names: np.ndarray
    mean: Array
    spread: Array
    share: Array
    offset: Array
    offset_variance: Array
    weight: Array
    log_likelihood: float

    @property
    def bic(self) -> float:
        """The Bayesian information criterion; offsets are left out, every mixture has them."""
        n_parameters = 3 * len(self.mean) - 1
        n_seen = len(self.weight) * PER_CELL
        return float(n_parameters * np.log(max(n_seen, 1)) - 2 * self.log_likelihood)

    @property
    def separation(self) -> Array:
        """Distances of neighboring kinds in standard deviations: Ashman's D, AJ 108:2348 (1994)."""
        spread = np.hypot(self.spread[1:], self.spread[:-1]) / np.sqrt(2)
        return np.asarray(np.diff(self.mean) / spread)


def fit_kinds(scores: Array, *, groups: np.ndarray, n_kinds: int) -> Kinds:
    """Fit a mixture of `n_kinds` to scores (n_cells) of `groups` (n_cells, names).

    Expectation maximization, from two starts. The offsets of a single kind have no prior: groups
    that differ are no evidence for two kinds.
    """
    names, codes, member = membership(groups)
    low, high = np.quantile(scores, [0.02, 0.98])
    starts = [
        np.quantile(scores, (np.arange(n_kinds) + 0.5) / n_kinds),
        low + (high - low) * (np.arange(n_kinds) + 1) / (n_kinds + 1),
    ]
    found = [_maximize(scores, codes, member, start) for start in starts[:n_kinds]]
    best = max(found, key=lambda fit: fit.log_likelihood - _penalty(fit))
    order = np.argsort(best.mean)
    return replace(
        best,
        names=names,
        mean=best.mean[order],
        spread=best.spread[order],
        share=best.share[:, order],
        weight=best.weight[:, order],
    )


def _penalty(kinds: Kinds) -> float:
    return float((kinds.offset**2).sum() / (2 * OFFSET**2))


def _maximize(scores: Array, codes: np.ndarray, member: sparse.csr_array, mean: Array) -> Kinds:
    """Fit a mixture from a start of its means."""
    n_kinds, n_groups = len(mean), member.shape[0]
    precision = 1 / OFFSET**2 if n_kinds > 1 else 0.0
    prior_spread = max(float(scores.std()) / 4, LEAST_SPREAD)
    spread = np.full(n_kinds, max(float(scores.std()) / n_kinds, LEAST_SPREAD))
    share = np.full((n_groups, n_kinds), 1 / n_kinds)
    offset, variance = np.zeros(n_groups), np.zeros(n_groups)
    weight, likelihood = _expect(scores, mean, spread, share[codes])
    for _ in range(ROUNDS):
        before = likelihood
        size = member @ weight
        of_cohort = size.sum(axis=0) / len(scores)
        share = size + PRIOR_SHARE_CELLS * of_cohort
        share = np.maximum(share / share.sum(axis=1, keepdims=True), 1e-12)
        known = PER_CELL * (size / spread**2).sum(axis=1) + precision
        moved = member @ (weight * (scores[:, None] - mean) / spread**2).sum(axis=1)
        offset, variance = PER_CELL * moved / known, 1 / known
        offset = offset - offset.mean()
        aligned = scores - offset[codes]
        filled = np.maximum(weight.sum(axis=0), LEAST_SPREAD)
        mean = weight.T @ aligned / filled
        squares = (weight * (aligned[:, None] - mean) ** 2).sum(axis=0)
        spread = np.sqrt((squares + SPREAD_CELLS * prior_spread**2) / (filled + SPREAD_CELLS))
        spread = np.maximum(spread, LEAST_SPREAD)
        weight, likelihood = _expect(aligned, mean, spread, share[codes])
        if abs(likelihood - before) < TOLERANCE * len(scores):
            break
    names = np.arange(n_groups)
    return Kinds(names, mean, spread, share, offset, variance, weight, float(likelihood * PER_CELL))


def _expect(aligned: Array, mean: Array, spread: Array, share: Array) -> tuple[Array, float]:
    """Return the probability of each kind (cells x kinds), and the log likelihood."""
    logs = np.log(share / spread) - ((aligned[:, None] - mean) / spread) ** 2 / 2
    most = logs.max(axis=1, keepdims=True)
    weight = np.exp(logs - most)
    total = weight.sum(axis=1, keepdims=True)
    likelihood = (most + np.log(total)).sum() - len(aligned) * np.log(2 * np.pi) / 2
    return np.asarray(weight / total), float(likelihood)


def find_state(scores: Array, *, groups: np.ndarray) -> tuple[Kinds, int]:
    """Find the kinds of cells, and which of them are in the state.

    Of mixtures of two and three kinds that are better than one kind, and whose BIC is near the best
    (`MIN_BIC`), that with the most separate state is taken.

    Returns the mixture, and how many of its kinds are ordinary; one kind, if none is separate.
    """
    fits = [fit_kinds(scores, groups=groups, n_kinds=k + 1) for k in range(MOST_KINDS)]
    most = min(min(fit.bic for fit in fits) + MIN_BIC, fits[0].bic - MIN_BIC)
    found = [(fit, _ordinary_kinds(fit)) for fit in fits[1:] if fit.bic <= most]
    separate = [(fit, n) for fit, n in found if n < len(fit.mean)]
    return max(separate, key=lambda each: each[0].separation[each[1] - 1], default=(fits[0], 1))


def _ordinary_kinds(kinds: Kinds) -> int:
    """Return how many kinds lie below the highest gap that separates kinds; all without one."""
    above = np.cumsum(kinds.weight.sum(axis=0)[::-1])[::-1][1:]
    separate = (
        (kinds.separation >= MIN_SEPARATION)
        & (np.diff(kinds.mean) >= MIN_APART)
        & (above >= MIN_CELLS)
    )
    return int(np.flatnonzero(separate)[-1]) + 1 if separate.any() else len(kinds.mean)
