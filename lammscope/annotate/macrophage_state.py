"""The tissue-macrophage state of monocytic cells: a score, and its probability.

The score compares genes of tissue macrophages with genes of blood monocytes in the same cell, so
that the capture of a chemistry, which changes both, changes it little. The probability is relative
to the ordinary monocytes of the cell's own libraries. `resources/lamm/README.md` has the method.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.agreement import agreement, kind_probabilities
from lammscope.annotate.panel import Marker
from lammscope.core.files import named_errors, open_text
from lammscope.core.names import PER, Array
from lammscope.core.pooling import collapse_genes, membership
from lammscope.core.rates import activity
from lammscope.core.signature_file import MIN_GENES
from lammscope.joint.panel_counts import PanelCounts

MACROPHAGE, MONOCYTE = "macrophage", "monocyte"  # sides of the score
STATE_COLUMNS = ("gene", "state", "level", "source")
# Neighbors that a cell is scored with, each as much as it agrees with the cell. Our choice.
N_NEIGHBORS = 20
N_ALIKE = 8  # of these, where agreement is not asked for; our choice
# Factor of log likelihoods of a cell's own counts, which decide about agreement. Our choice: with
# 0.5 more monocytes take the state of the macrophages around them, in a tumor at 664 UMIs.
TEMPER = 1.0

# Kinds of monocytic cells, by their score: classical monocytes; cells with few genes of either side
# (nonclassical and interferon-stimulated monocytes); macrophages. Mean, standard deviation of the
# mean between libraries, and standard deviation between cells, in eight sets of blood and tissue
# (`python -m benchmarks.lamm_calls`).
MEAN = np.array([-0.60, -0.10, 0.40])
BETWEEN = np.array([0.20, 0.10, 0.10])
SPREAD = np.array([0.12, 0.10, 0.17])
PRIOR_CELLS = 20  # weight of these numbers; our choice
PRIOR_SHARES = np.array([0.5, 0.4, 0.1])  # of the kinds, worth `PRIOR_SHARE_CELLS` cells
PRIOR_SHARE_CELLS = 3
MOST_SHIFTED = 2  # standard deviations between libraries that a mean may move
SPREADS = (0.5, 1.5)  # limits of a spread, relative to the prior's
MAX_SHARE = 0.5  # of macrophages in the odds of a cell: none is called for its neighbors' sake
MIN_ORDINARY = 20  # other monocytes of a group, or its calls rest on the prior; our choice
ROUNDS, TOLERANCE = 300, 1e-5

OWN, PRIOR_ONLY, TOO_FEW_GENES = "own monocytes", "prior only", "too few genes"


@dataclass(frozen=True)
class StateGenes:
    """Genes of the score.

    Attributes
    ----------
    symbols
        Gene symbols, each once.
    of_macrophages
        One bool per gene: whether macrophages express more of it than blood monocytes do.
    levels
        UMIs per 10,000 that count as full activity.
    """

    symbols: tuple[str, ...]
    of_macrophages: np.ndarray
    levels: np.ndarray

    @property
    def sides(self) -> tuple[np.ndarray, ...]:
        """The genes of macrophages, then those of monocytes, as masks of the symbols."""
        return (self.of_macrophages, ~self.of_macrophages)


def load_state_genes(path: str | Path) -> StateGenes:
    """Read genes, their side and level from a table and check them.

    Raises
    ------
    ValueError
        With file, row and remedy for a column that is missing, a gene that occurs twice, another
        state than `macrophage` and `monocyte`, or a level that is not above 0.
    """
    with named_errors(path), open_text(Path(path)) as handle:
        table = pd.read_csv(handle, sep="\t", dtype={"gene": str, "state": str})
    missing = [column for column in STATE_COLUMNS if column not in table]
    if missing:
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; add it")
    table["level"] = pd.to_numeric(table["level"], errors="coerce")
    problems = {
        "the gene occurs twice; keep one row": table["gene"].duplicated(),
        f"state is neither {MACROPHAGE} nor {MONOCYTE}": ~table["state"].isin(
            [MACROPHAGE, MONOCYTE]
        ),
        "level is not a number above 0": ~(table["level"] > 0),
    }
    for problem, rows in problems.items():
        for row in table.index[rows]:
            raise ValueError(f"{path}: row {row + 2} ({table.loc[row, 'gene']}): {problem}")
    return StateGenes(
        tuple(table["gene"]),
        (table["state"] == MACROPHAGE).to_numpy(),
        table["level"].to_numpy(dtype=float),
    )


def score_state(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    samples: np.ndarray,
    scored: np.ndarray,
    background: np.ndarray,
    genes: StateGenes,
    by_agreement: bool = True,
) -> np.ndarray:
    """Score the state of cells, each together with its neighbors of the same sample.

    A neighbor counts as much as it agrees with the cell: by the probability, from the own counts of
    each, that both express genes of macrophages, or of monocytes, or neither. So a monocyte among
    macrophages does not take their state. A cell with too few UMIs to tell agrees with all.

    Activities of genes are those of the marker panel, 0 to 1, of rates without the ambient RNA that
    cells of other lineages show. Genes that a library does not list do not count.

    Parameters
    ----------
    counts : of n_cells, at least of the state's genes.
    neighbors : n_cells x k indices, nearest first; at most 20 are used, none of other samples.
    samples : n_cells names.
    scored : n_cells, bool, cells to score; neighbors are of these, too.
    background : n_cells, bool, cells that do not express the genes.
    genes : of the state.
    by_agreement : False scores a cell with its eight nearest neighbors, whatever they express.

    Returns
    -------
    n_cells scores, the mean activity of macrophage genes less that of monocyte genes, from -1 to 1;
    NaN for other cells, and in libraries that list fewer than five genes of a side.
    """
    result = np.full(len(scored), np.nan)
    of_samples = neighborhood_rates(
        counts,
        neighbors=neighbors,
        samples=samples,
        scored=scored,
        background=background,
        genes=genes,
        by_agreement=by_agreement,
    )
    for rows, listed, rates in of_samples:
        if min((listed & side).sum() for side in genes.sides) < MIN_GENES:
            continue
        active = activity(rates, genes.levels)
        macrophage, *monocyte = (active[:, listed & side].mean(axis=1) for side in genes.sides)
        result[rows] = macrophage - sum(monocyte)
    return result


def neighborhood_rates(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    samples: np.ndarray,
    scored: np.ndarray,
    background: np.ndarray,
    genes: StateGenes,
    by_agreement: bool,
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Compute rates of genes in scored cells with their neighbors, a sample at a time.

    Parameters are those of `score_state`. Yields for each sample the positions of its scored cells,
    which genes its library lists (bool), and UMIs per 10,000 less the ambient ones, cells x genes.
    """
    wanted = collapse_genes(counts.matrix, symbols=counts.symbols, genes=genes.symbols)
    totals = np.asarray(counts.totals, dtype=float)
    names, codes, _ = membership(samples)
    absent = set(genes.symbols) - set(counts.symbols)
    ambient = _background_rates(wanted, totals=totals, codes=codes, outside=background)
    for code in np.unique(codes[scored]):
        listed = ~np.isin(genes.symbols, list(absent | set(counts.absent.get(names[code], ()))))
        cells = np.flatnonzero(codes == code)
        if by_agreement:
            n_neighbors = N_NEIGHBORS
            likely = kind_probabilities(
                wanted[cells],
                totals[cells],
                markers=[_markers(genes, side & listed) for side in genes.sides],
                genes=genes.symbols,
                temper=TEMPER,
            )
        else:
            n_neighbors, likely = N_ALIKE, np.ones((len(cells), 1))
        own = _own_pooling(neighbors[:, :n_neighbors], cells=cells, scored=scored, likely=likely)
        depth = np.maximum(own @ totals[cells], 1) / PER
        rates = (own @ wanted[cells]).toarray() / depth[:, None] - ambient[code]
        yield cells[scored[cells]], listed, np.maximum(rates, 0)


def _markers(genes: StateGenes, chosen: np.ndarray) -> list[Marker]:
    """Return the chosen genes of the state as markers of a kind of cell."""
    places = np.flatnonzero(chosen)
    return [Marker(genes.symbols[place], 1.0, genes.levels[place], "") for place in places]


def _own_pooling(
    neighbors: np.ndarray, *, cells: np.ndarray, scored: np.ndarray, likely: np.ndarray
) -> sparse.csr_array:
    """Return weights that sum each scored cell of a sample with its neighbors there.

    `cells` are the indices of the sample's cells, and `likely` the probabilities of their kinds.
    Returns n_scored x n_cells of the sample: 1 for the cell, its agreement for a neighbor.
    """
    place = np.full(len(scored) + 1, -1)  # in the sample; the last one is for neighbors of -1
    place[cells] = np.where(scored[cells], np.arange(len(cells)), -1)
    rows = np.flatnonzero(scored[cells])
    near = place[neighbors[cells[rows]]]
    alone = sparse.csr_array(
        (np.ones(len(rows)), (np.arange(len(rows)), rows)), shape=(len(rows), len(cells))
    )
    return sparse.csr_array(alone + agreement(near, likely, rows=rows))


def _background_rates(
    counts: sparse.csr_array, *, totals: np.ndarray, codes: np.ndarray, outside: np.ndarray
) -> np.ndarray:
    """Return rates of genes in the cells `outside` of each sample (samples x genes).

    One UMI per 10,000 of depth is added, so that a few cells are no background.
    """
    weight = outside.astype(float)
    place = (codes, np.arange(len(codes)))
    member = sparse.csr_array((weight, place), shape=(codes.max() + 1, len(codes)))
    depth = member @ totals / PER + 1
    return np.asarray((member @ counts).toarray() / depth[:, None])


@dataclass(frozen=True)
class Kinds:
    """Kinds of monocytic cells in a group of libraries: classical, with few genes, macrophages.

    Attributes
    ----------
    mean, spread, share
        Of the scores of each kind.
    n_ordinary
        Expected number of cells that are not macrophages.
    """

    mean: Array
    spread: Array
    share: Array
    n_ordinary: float


def fit_kinds(scores: Array) -> Kinds:
    """Fit the kinds of cells to the scores of a group of libraries.

    A mixture of three normal distributions, by expectation maximization of the posterior; see
    Fraley and Raftery, J Classif 24, 155-181 (2007) for the priors.
    """
    mean, spread, share = MEAN.copy(), SPREAD.copy(), PRIOR_SHARES.copy()
    weight = _weights(scores, mean, spread, share)
    for _ in range(ROUNDS):
        size = weight.sum(axis=0)
        before = mean
        mean = (PRIOR_CELLS * MEAN + weight.T @ scores) / (PRIOR_CELLS + size)
        mean = np.clip(mean, MEAN - MOST_SHIFTED * BETWEEN, MEAN + MOST_SHIFTED * BETWEEN)
        squares = (weight * (scores[:, None] - mean) ** 2).sum(axis=0)
        spread = np.sqrt((PRIOR_CELLS * SPREAD**2 + squares) / (PRIOR_CELLS + size))
        spread = np.clip(spread, SPREADS[0] * SPREAD, SPREADS[1] * SPREAD)
        prior = PRIOR_SHARE_CELLS * PRIOR_SHARES
        share = (size + prior) / (len(scores) + PRIOR_SHARE_CELLS)
        weight = _weights(scores, mean, spread, share)
        if np.abs(mean - before).max() < TOLERANCE:
            break
    # The mean of a kind with few cells is uncertain: as between libraries, without cells.
    unsure = BETWEEN**2 * PRIOR_CELLS / (PRIOR_CELLS + weight.sum(axis=0))
    spread = np.sqrt(spread**2 + unsure)
    return Kinds(mean, spread, share, float(weight[:, :2].sum()))


def probability_of_macrophages(scores: Array, kinds: Kinds) -> Array:
    """Compute the probability that cells are macrophages, from their scores.

    A score above the mean of macrophages counts as that mean, one below that of cells with few
    genes as theirs: the tails of normal distributions say nothing there.
    """
    largest = min(float(kinds.share[2]), MAX_SHARE)
    others = kinds.share[:2] / kinds.share[:2].sum() * (1 - largest)
    limited = np.clip(scores, kinds.mean[1], kinds.mean[2])
    share = np.append(others, largest)
    return np.asarray(_weights(limited, kinds.mean, kinds.spread, share)[:, 2])


def _weights(scores: Array, mean: Array, spread: Array, share: Array) -> Array:
    """Return the posterior probabilities of the kinds, cells x kinds."""
    logs = np.log(share / spread) - ((scores[:, None] - mean) / spread) ** 2 / 2
    weight = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True))


def state_probabilities(scores: Array, *, groups: Sequence[str] | np.ndarray) -> pd.DataFrame:
    """Compute the probability of the macrophage state, relative to each group's other monocytes.

    Parameters
    ----------
    scores : n_cells, from `score_state`; NaN outside the monocytic lineage.
    groups : n_cells, names of groups of libraries that are alike, such as batches.

    Returns
    -------
    DataFrame
        One row per cell: `probability` (0.5 in a library with too few genes), `reference` (`own
        monocytes`; `prior only` if the group has fewer than 20 ordinary ones; `too few genes`).
    """
    found = pd.DataFrame(
        {"probability": np.full(len(scores), 0.5), "reference": TOO_FEW_GENES},
        index=range(len(scores)),
    )
    names = np.asarray(groups, dtype=str)
    known = ~np.isnan(scores)
    for name in np.unique(names[known]):
        rows = np.flatnonzero(known & (names == name))
        kinds = fit_kinds(scores[rows])
        found.loc[rows, "probability"] = probability_of_macrophages(scores[rows], kinds)
        found.loc[rows, "reference"] = OWN if kinds.n_ordinary >= MIN_ORDINARY else PRIOR_ONLY
    return found
