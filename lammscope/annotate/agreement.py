"""Agreement of two cells in type, from their own counts.

A cell is typed together with its neighbors. A rare cell has neighbors of other types, and so has
one at the edge of its population: in a lymph node with ten macrophages, their neighbors are T and
B cells. So a neighbor counts as much as it agrees with the cell. A cell with too few UMIs to tell
agrees with all its neighbors.
"""

from collections.abc import Sequence

import numpy as np
from scipy import sparse
from scipy.special import logit, softmax

from lammscope.annotate.panel import Marker, Panel
from lammscope.core.names import PER, Array

# Rate of a marker in cells of other types: this share of its level, or of its mean rate in the
# sample (ambient RNA in a cell with as many UMIs as the median), if that is more. Our choices.
LEAK, AMBIENT = 0.02, 0.1
MOST_LEAK = 0.5  # of the level: in a sample of one type, the mean rate is that of the type

# Shape of the negative binomial of a marker's counts between cells of a type: levels differ by
# factors between chemistries, patients and states, so a missing marker proves little. Our choice.
SHAPE = 1.0

# Factor of log likelihoods, since markers of a type are not independent. Our choice: with 1 there
# is little difference on real cells; if the ratio of single genes is limited (to e^2 or e^5), rare
# cells are lost.
TEMPER = 0.5

STATE_PRIOR = 0.05  # share of cells in a state, before their counts are seen; our choice
CHUNK = 10_000  # cells at a time: limits memory and does not change results


def type_probabilities(
    counts: sparse.csr_array, totals: Array, *, panel: Panel, genes: Sequence[str]
) -> np.ndarray:
    """Compute the probability of each type of a panel from a cell's own counts.

    In a cell of a type, the positive markers of the type and of its branch are at their levels, and
    all other genes are at the rate that ambient RNA explains. Counts are negative binomial.

    Parameters
    ----------
    counts : n_cells x n_genes of one sample.
    totals : n_cells, all UMIs of a cell.
    panel : whose types are compared.
    genes : symbols of the columns; markers that are not among them are ignored.

    Returns
    -------
    n_cells x (n_types + 1); the last column is a cell that expresses no marker. Rows add up to 1.
    """
    markers = [(*branch.markers, *own.markers) for branch in panel.branches for own in branch.types]
    return kind_probabilities(counts, totals, markers=markers, genes=genes, temper=TEMPER)


def kind_probabilities(
    counts: sparse.csr_array,
    totals: Array,
    *,
    markers: Sequence[Sequence[Marker]],
    genes: Sequence[str],
    temper: float,
) -> np.ndarray:
    """Compute the probability of each kind of cell from a cell's own counts.

    The parameters and the model are those of `type_probabilities`, with the markers of each kind
    instead of a panel, and `temper` as the factor of log likelihoods.

    Returns
    -------
    n_cells x (n_kinds + 1); the last column is a cell of no kind. Rows add up to 1.
    """
    scores = temper * _log_odds(counts, totals, markers=markers, genes=genes)
    return np.asarray(softmax(np.pad(scores, ((0, 0), (0, 1))), axis=1))


def name_states(
    counts: sparse.csr_array, totals: Array, *, panel: Panel, genes: Sequence[str]
) -> np.ndarray:
    """Name the likeliest state of each cell, by the same model from its own counts alone.

    A neighbor's state says little about a cell's: cycling cells lie among others of their type.

    Returns
    -------
    n_cells names; "" for cells in none.
    """
    names = np.array(["", *(state.name for state in panel.states)])
    markers = [state.markers for state in panel.states]
    scores = TEMPER * _log_odds(counts, totals, markers=markers, genes=genes) + logit(STATE_PRIOR)
    return names[np.pad(scores, ((0, 0), (1, 0))).argmax(axis=1)]


def agreement(neighbors: np.ndarray, likely: np.ndarray, *, rows: np.ndarray) -> sparse.csr_array:
    """Compute the probability that a cell and its neighbor are of one type.

    Parameters
    ----------
    neighbors : n_rows x k indices of cells; -1 is ignored.
    likely : n_cells x n_types, from `type_probabilities`.
    rows : n_rows indices of the cells whose neighbors these are.

    Returns
    -------
    n_rows x n_cells, with n_rows x k values at most.
    """
    weights = np.zeros(neighbors.shape)
    for column in range(neighbors.shape[1]):
        other = np.maximum(neighbors[:, column], 0)
        weights[:, column] = np.einsum("ij,ij->i", likely[rows], likely[other])
    one, place = np.nonzero(neighbors >= 0)
    shape = (len(rows), len(likely))
    return sparse.csr_array((weights[one, place], (one, neighbors[one, place])), shape=shape)


def _log_odds(
    counts: sparse.csr_array,
    totals: Array,
    *,
    markers: Sequence[Sequence[Marker]],
    genes: Sequence[str],
) -> np.ndarray:
    """Compute log odds of expressing each set of markers, against ambient RNA, for each cell.

    Genes are taken to be independent; see `TEMPER`.
    """
    position = {gene: row for row, gene in enumerate(genes)}
    expressed, levels = np.zeros((len(genes), len(markers))), np.ones(len(genes))
    for column, own in enumerate(markers):
        for marker in own:
            if marker.gene not in position:
                continue
            levels[position[marker.gene]] = marker.level
            if marker.weight > 0:
                expressed[position[marker.gene], column] = min(marker.weight, 1)
    mean = counts.sum(axis=0) / max(totals.sum(), 1) * PER
    usual = np.median(totals) if len(totals) else 0.0
    parts = []
    for start in range(0, len(totals), CHUNK):
        rows = slice(start, start + CHUNK)
        depth = totals[rows] / PER
        # Every droplet has about as much ambient RNA: it is more of a cell with few UMIs.
        ambient = AMBIENT * np.maximum(usual / np.maximum(totals[rows], 1), 1)
        background = np.clip(np.outer(ambient, mean), LEAK * levels, MOST_LEAK * levels)
        high, low = np.outer(depth, levels), depth[:, None] * background
        spread = np.log((SHAPE + high) / (SHAPE + low))
        evidence = counts[rows].toarray() * (np.log(levels / background) - spread)
        parts.append((evidence - SHAPE * spread) @ expressed)
    return np.concatenate(parts)
