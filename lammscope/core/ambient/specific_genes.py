"""Genes that some populations of a sample lack, and what they show there."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.special import pdtrc

from lammscope.core.rates import cell_totals

MIN_SHARE = 5e-5  # of a gene in ambient RNA: rarer ones are too uncertain in the profile
MIN_CELLS = 10  # of a population that is taken to express a gene
MIN_EXPECTED = 10  # UMIs if all were ambient RNA; fewer say nothing
MIN_FOLD = 3  # between the highest rate of a gene and the upper limit of its lowest
MAX_GENES = 25  # per population that expresses them; SoupX takes 100 in all
MAX_CONTAMINATION = 0.8  # as in SoupX
ALPHA = 0.05  # false discovery rate at which a cell is taken to express a gene, as in SoupX


@dataclass(frozen=True)
class SpecificGenes:
    """Counts of specific genes by population.

    Attributes
    ----------
    genes
        Positions of the genes.
    observed, expected
        Populations x genes: UMIs, and UMIs if all were ambient RNA, in cells that do not
        significantly express the gene.
    highest
        Largest rate of each gene in any population, as a multiple of its share in ambient RNA.
    source
        Population that expresses most of each gene.
    weights
        Share of each population in the sample's UMIs.
    """

    genes: np.ndarray
    observed: np.ndarray
    expected: np.ndarray
    highest: np.ndarray
    source: np.ndarray
    weights: np.ndarray


def find_specific_genes(
    counts: sparse.csr_array, *, profile: np.ndarray, populations: np.ndarray
) -> SpecificGenes:
    """Find genes with a much higher rate in one population of a sample than in another.

    Rates are relative to ambient RNA. The lowest rate is an upper limit, so that no gene is chosen
    because it was missed by chance. In the populations that may lack a gene, cells with
    significantly more UMIs than at the highest plausible contamination are left out.

    Parameters
    ----------
    counts
        Cells x genes.
    profile
        Share of each gene in ambient RNA.
    populations
        Position of each cell's population, from 0.

    Returns
    -------
    SpecificGenes
        At most 25 genes of each population, so that none decides alone.
    """
    totals = cell_totals(counts).astype(np.float64)
    common = np.flatnonzero(profile >= MIN_SHARE)
    members = _membership(populations)
    observed = (members @ counts).toarray()[:, common]
    expected = (members @ totals)[:, None] * profile[common]
    large = np.bincount(populations) >= MIN_CELLS
    highest = np.where(large[:, None], observed / np.maximum(expected, 1e-9), 0).max(axis=0)
    lowest = _lowest_upper_limit(observed, expected)
    fold = highest / lowest
    source = (observed - np.minimum(lowest, highest) * expected).argmax(axis=0)
    ranked = np.argsort(-fold, kind="stable")
    ranked = ranked[fold[ranked] > MIN_FOLD]
    chosen = np.concatenate(
        [ranked[source[ranked] == each][:MAX_GENES] for each in range(len(observed))]
    )
    genes = common[chosen]
    counted, ambient = counts[:, genes].toarray(), totals[:, None] * profile[genes]
    silent = ~_expressing(counted, MAX_CONTAMINATION * ambient)
    return SpecificGenes(
        genes=genes,
        observed=members @ (counted * silent),
        expected=members @ (ambient * silent),
        highest=highest[chosen],
        source=source[chosen],
        weights=members @ totals / max(float(totals.sum()), 1),
    )


def _membership(populations: np.ndarray) -> sparse.csr_array:
    """Return a matrix, populations x cells, that sums over the cells of each."""
    n_cells = len(populations)
    place = (populations, np.arange(n_cells))
    return sparse.csr_array((np.ones(n_cells), place), shape=(populations.max() + 1, n_cells))


def _lowest_upper_limit(observed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return, per gene, the lowest rate of a population, each at an upper limit of 95 %."""
    upper = observed + 2 * np.sqrt(observed) + 3  # close to the exact limit of a Poisson mean
    rates = np.where(expected >= MIN_EXPECTED, upper / np.maximum(expected, 1e-9), np.inf)
    return rates.min(axis=0)


def _expressing(counted: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Return whether each cell has significantly more UMIs than expected, gene by gene."""
    p_value = np.where(counted > 0, pdtrc(counted - 1.0, expected), 1)
    ranked = np.sort(p_value, axis=0)
    limits = ALPHA * np.arange(1, len(ranked) + 1)[:, None] / len(ranked)
    cutoff = np.where(ranked <= limits, ranked, -1).max(axis=0)
    return np.asarray(p_value <= cutoff)
