"""Share of a sample's UMIs that is ambient RNA (the contamination fraction)."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import gammaln

from lammscope.core.ambient.specific_genes import (
    MAX_CONTAMINATION,
    MIN_EXPECTED,
    SpecificGenes,
    find_specific_genes,
)

GRID = np.arange(0.001, MAX_CONTAMINATION + 0.0005, 0.001)
# Gamma prior that SoupX uses by default: its mode is 0.05, its standard deviation 0.34.
PRIOR_SHAPE, PRIOR_RATE = 1.16, 3.2
MAX_COUNT = 50  # UMIs a pair counts for: a gene's share in ambient RNA is uncertain by 15 %, too
FOLDS = (10, 10, 10, 20, 20)  # of the gene's highest rate above the contamination, per iteration
MIN_PAIRS = 10  # as in SoupX
MIN_GENES = 5  # our choice: pairs of a gene are not independent
MIN_SOURCE_GENES = 3  # our choice
N_DRAWS = 200  # of the weights of genes, for the interval
INTERVAL = (0.025, 0.975)


@dataclass(frozen=True)
class Contamination:
    """Contamination fraction of a sample.

    Attributes
    ----------
    estimate, lower, upper
        Share of UMIs that is ambient RNA, and its 95 % interval; NaN if it cannot be estimated.
    n_genes, n_pairs
        Genes, and pairs of a gene and a population that lacks it, that were used.
    problem
        Why it cannot be estimated; empty if it can.
    """

    estimate: float
    lower: float
    upper: float
    n_genes: int
    n_pairs: int
    problem: str


def estimate_contamination(
    counts: sparse.csr_array,
    *,
    profile: np.ndarray,
    own_profile: bool,
    populations: np.ndarray,
    rng: np.random.Generator,
) -> Contamination:
    """Estimate the contamination fraction of a sample, after SoupX [1]_ (`autoEstCont`).

    What a population shows of a gene that it lacks is ambient RNA. For each such pair, the gamma
    prior and the Poisson count give a posterior of the fraction; the estimate is where the mean of
    all posteriors is highest, since pairs in which the gene is expressed a little do not agree on a
    value. Different from SoupX, genes are chosen by the ratio of their rates, not by detection,
    which fails in contaminated samples; cells are excluded, not their whole clusters; no pair
    counts for more than 50 UMIs; and the interval is from a Bayesian bootstrap of genes.

    Parameters
    ----------
    counts
        Cells x genes.
    profile
        Share of each gene in ambient RNA.
    own_profile
        Whether the profile is that of the cells' sum, for want of empty droplets. Then the fraction
        is estimated for the genes of each population that expresses them, and averaged with the
        populations' UMIs as weights: ambient RNA may come from some more than from others. If it
        comes mainly from a few, the estimate is too low.
    populations
        Label of each cell: clusters, or lineages.
    rng
        Source of randomness, for the interval.

    Returns
    -------
    Contamination
        Between 0.001 and 0.8.

    References
    ----------
    .. [1] Young and Behjati, GigaScience 9, giaa151 (2020), doi 10.1093/gigascience/giaa151.
    """
    codes = np.unique(populations, return_inverse=True)[1]
    if len(codes) == 0 or codes.max() == 0:
        return _unknown(0, 0, "cells of one population")
    found = find_specific_genes(counts, profile=profile, populations=codes)
    densities = pair_densities(found)
    fraction, lacking = 0.0, np.zeros(found.observed.shape, dtype=bool)
    for fold in FOLDS:
        lacking = lacking_pairs(found, fraction=fraction, fold=fold)
        n_genes, n_pairs = int(lacking.any(axis=0).sum()), int(lacking.sum())
        if n_pairs < MIN_PAIRS or n_genes < MIN_GENES:
            return _unknown(n_genes, n_pairs, "too few genes that some population lacks")
        density = densities.sum_genes(lacking)
        fraction = float(GRID[density.sum(axis=0).argmax()])
    used = lacking.any(axis=0)
    source = found.source[used] if own_profile else np.zeros(n_genes, dtype=int)
    weights = found.weights if own_profile else np.ones(1)
    draws = np.vstack([np.ones(n_genes), rng.exponential(size=(N_DRAWS, n_genes))])
    fractions = _peaks(density, draws=draws, source=source, weights=weights)
    lower, upper = np.quantile(fractions[1:], INTERVAL)
    return Contamination(float(fractions[0]), float(lower), float(upper), n_genes, n_pairs, "")


def _unknown(n_genes: int, n_pairs: int, problem: str) -> Contamination:
    return Contamination(np.nan, np.nan, np.nan, n_genes, n_pairs, problem)


def lacking_pairs(found: SpecificGenes, *, fraction: float | np.ndarray, fold: float) -> np.ndarray:
    """Choose pairs of a population and a gene with little above the contamination so far.

    `fraction` is that of the sample, or one per population (populations x 1).
    """
    rate = found.observed / np.maximum(found.expected, 1e-9)
    limit = np.minimum(fraction + found.highest / fold, MAX_CONTAMINATION)
    return np.asarray((rate < limit) & (found.expected >= MIN_EXPECTED))


@dataclass(frozen=True)
class PairDensities:
    """Posterior densities of the pairs of a population and a gene that it may lack.

    Attributes
    ----------
    possible
        Populations x genes: the pairs that have a density.
    values
        Pairs x fractions of `GRID`, in the order of `possible`.
    """

    possible: np.ndarray
    values: np.ndarray

    def sum_genes(self, lacking: np.ndarray) -> np.ndarray:
        """Sum the densities of the chosen pairs: genes with any x fractions of `GRID`."""
        genes, used = np.nonzero(self.possible)[1], np.flatnonzero(lacking[self.possible])
        of_genes = (np.ones(len(used)), (genes[used], used))
        shape = (lacking.shape[1], len(genes))
        return np.asarray(
            (sparse.csr_array(of_genes, shape=shape) @ self.values)[lacking.any(axis=0)]
        )


def pair_densities(found: SpecificGenes) -> PairDensities:
    """Compute the densities of all pairs that `lacking_pairs` may choose."""
    possible = lacking_pairs(found, fraction=MAX_CONTAMINATION, fold=1)
    observed, expected = found.observed[possible], found.expected[possible]
    used = np.minimum(1, MAX_COUNT / np.maximum(observed, 1))
    shape = (PRIOR_SHAPE + used * observed)[:, None]
    rate = (PRIOR_RATE + used * expected)[:, None]
    logs = shape * np.log(rate) - gammaln(shape) + (shape - 1) * np.log(GRID) - rate * GRID
    return PairDensities(possible, np.exp(logs, out=logs))


def _peaks(
    density: np.ndarray, *, draws: np.ndarray, source: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Find the most probable fraction for each draw of the genes' weights.

    It is averaged over the populations that genes come from, if they have enough genes. A
    population's share of the profile includes its ambient RNA, so the odds are averaged.
    """
    sizes = np.bincount(source, minlength=len(weights))
    sources = np.flatnonzero(sizes >= min(MIN_SOURCE_GENES, int(sizes.max())))
    places = [
        (draws[:, source == each] @ density[source == each]).argmax(axis=1) for each in sources
    ]
    odds = np.average((GRID / (1 - GRID))[places], axis=0, weights=weights[sources])
    return np.asarray(odds / (1 + odds))
