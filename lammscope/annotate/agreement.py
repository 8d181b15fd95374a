"""How well two cells agree in type, from their own counts alone.

A cell is typed together with its neighbors. A rare cell has neighbors of other types, and so has
one at the edge of its population; their counts would change its type. So neighbors count as much as
they agree with the cell, and cells with too few UMIs to tell agree with all.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.special import softmax

from lammscope.annotate.panel import Panel
from lammscope.core.names import PER, Array
from lammscope.core.pooling import CHUNK

# Off: the rate in cells of other types, as a share of the level, and of the sample's mean rate: its
# ambient RNA, with some of the cells that express the gene. Our choice.
LEAK, AMBIENT = 0.02, 0.1
# Negative binomial shape of a marker's rate between cells of a type: chemistries, patients and
# states differ by factors, so a missing marker is weak evidence. Our choice.
SHAPE = 1.0
TEMPER = 0.5  # of log likelihoods: markers of a type are not independent. Our choice.


def agreement(neighbors: np.ndarray, likely: np.ndarray, rows: np.ndarray) -> sparse.csr_array:
    """Return the agreement of some cells with their neighbors.

    It is the probability that both are of one type, from their own counts.

    Parameters
    ----------
    neighbors : n_rows x k indices of cells; -1 is ignored.
    likely : n_cells x n_types, from `type_probabilities`.
    rows : n_rows indices of the cells whose neighbors these are.

    Returns
    -------
    n_rows x n_cells.
    """
    one = np.repeat(np.arange(len(rows)), neighbors.shape[1])
    other = neighbors.ravel()
    one, other = one[other >= 0], other[other >= 0]
    weights = np.einsum("ij,ij->i", likely[rows[one]], likely[other])
    return sparse.csr_array((weights, (one, other)), shape=(len(rows), len(likely)))


def type_probabilities(
    counts: sparse.csr_array, totals: Array, *, panel: Panel, genes: Sequence[str]
) -> np.ndarray:
    """Compute the probability of each type from a cell's own counts.

    Each gene of a type and of its branch is on, at its level, all others are off; the last column
    is a cell with all genes off. Counts are negative binomial.

    Parameters
    ----------
    counts : n_cells x n_genes of one sample.
    totals : n_cells, all UMIs.
    genes : symbols of the columns.

    Returns
    -------
    n_cells x (n_types + 1), rows add up to 1.
    """
    expresses, levels = expressed_genes(panel, genes)
    mean = counts.sum(axis=0) / max(totals.sum(), 1) * PER
    background = np.minimum(np.maximum(LEAK * levels, AMBIENT * mean), levels / 2)
    parts = []
    for start in range(0, len(totals), CHUNK):
        own, depth = counts[start : start + CHUNK].toarray(), totals[start : start + CHUNK] / PER
        high, low = np.outer(depth, levels), np.outer(depth, background)
        spread = np.log((SHAPE + high) / (SHAPE + low))
        evidence = own * (np.log(levels / background) - spread) - SHAPE * spread
        parts.append(TEMPER * (evidence @ expresses))
    scores = np.pad(np.concatenate(parts), ((0, 0), (0, 1)))
    return softmax(scores, axis=1)


def expressed_genes(panel: Panel, genes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    position = {gene: row for row, gene in enumerate(genes)}
    expresses = np.zeros((len(genes), len(panel.types)))
    levels = np.ones(len(genes))
    for branch in panel.branches:
        for own in branch.types:
            column = panel.types.index(own)
            for marker in (*branch.markers, *own.markers):
                if marker.gene not in position:
                    continue
                levels[position[marker.gene]] = marker.level
                if marker.weight > 0:
                    expresses[position[marker.gene], column] = min(marker.weight, 1)
            # for marker in own.markers: negative of the type overrides the branch's
    return expresses, levels
