"""Ambient RNA in the populations of a sample: expected UMIs of each."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from lammscope.core.ambient.contamination import (
    FOLDS,
    GRID,
    MIN_GENES,
    lacking_pairs,
    pair_densities,
)
from lammscope.core.ambient.shares import maximum_scale
from lammscope.core.ambient.specific_genes import SpecificGenes, find_specific_genes
from lammscope.core.rates import cell_totals, gene_totals

MIN_AMBIENT = 20  # expected ambient UMIs of the genes that a population lacks; our choice
MAX_FDR = 0.1  # at which the largest contribution stops, as in DropletUtils


@dataclass(frozen=True)
class AmbientUmis:
    """Expected ambient UMIs in the summed counts of each population.

    Attributes
    ----------
    umis
        UMIs per population, of all genes together.
    is_limit
        Whether they are an upper limit, for want of an estimate for the sample.
    """

    umis: np.ndarray
    is_limit: np.ndarray


def ambient_umis(
    counts: sparse.csr_array,
    *,
    profile: np.ndarray,
    populations: np.ndarray,
    contamination: float,
) -> AmbientUmis:
    """Estimate how many UMIs of each population of a sample are ambient RNA.

    Droplets have similar amounts of ambient RNA, so its share is larger in small cells. It is
    estimated for each population from genes that it lacks and another one expresses. A population
    without such genes has the sample's fraction. In a sample without a fraction, the largest
    multiple of the profile that a population's counts allow is an upper limit.

    Parameters
    ----------
    counts
        Cells x genes.
    profile
        Share of each gene in ambient RNA.
    populations
        Position of each cell's population, from 0, all of them with cells.
    contamination
        The sample's contamination fraction; NaN if it could not be estimated.
    """
    totals = cell_totals(counts).astype(np.float64)
    sizes = np.bincount(populations, weights=totals)
    if np.isnan(contamination) or not profile.any():
        limits = _largest(counts, profile=profile, populations=populations)
        return AmbientUmis(limits, np.ones(len(sizes), dtype=bool))
    found = find_specific_genes(counts, profile=profile, populations=populations)
    fractions = _fractions(found, contamination=contamination)
    return AmbientUmis(fractions * sizes, np.zeros(len(sizes), dtype=bool))


def _fractions(found: SpecificGenes, *, contamination: float) -> np.ndarray:
    """Estimate the fraction of each population, with the sample's where there are few genes."""
    densities = pair_densities(found)
    fractions = np.full(len(found.observed), contamination)
    for fold in FOLDS:
        lacking = lacking_pairs(found, fraction=fractions[:, None], fold=fold)
        enough = lacking.sum(axis=1) >= MIN_GENES
        enough &= (found.expected * lacking).sum(axis=1) * contamination >= MIN_AMBIENT
        fractions = np.full(len(fractions), contamination)
        for row in np.flatnonzero(enough):
            own = lacking & (np.arange(len(lacking)) == row)[:, None]
            fractions[row] = GRID[densities.sum_genes(own).sum(axis=0).argmax()]
    return fractions


def _largest(
    counts: sparse.csr_array, *, profile: np.ndarray, populations: np.ndarray
) -> np.ndarray:
    """Find the largest ambient UMIs that agree with the counts of each population."""
    limits = np.zeros(populations.max(initial=-1) + 1)
    if profile.any():
        for number in range(len(limits)):
            sums = gene_totals(counts[populations == number]).astype(np.float64)
            limits[number] = maximum_scale(sums, profile=profile, threshold=MAX_FDR, dispersion=0)
    return limits
