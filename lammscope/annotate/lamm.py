"""LAMM cells (CSF1R+ CD14+ CD68+ monocytic cells), called from counts alone.

Calls use neither patients nor response. `resources/lamm/README.md` explains the method.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaincc, gammaincinv

from lammscope.annotate.lamm_settings import CallSettings, background_levels
from lammscope.annotate.signature import judge_cells, score_cells
from lammscope.core.names import LAMM, PER
from lammscope.core.pooling import collapse_genes, membership, neighbor_pooling, sum_columns
from lammscope.joint.gene_names import check_definers
from lammscope.joint.panel_counts import PanelCounts

MONOCYTIC = "monocytic"  # the lineage of LAMM cells by their definition

NON_MYELOID = ("T", "NK", "B", "malignant")  # lineages: defining markers are ambient RNA there

NOT_LAMM, UNCERTAIN = "not_LAMM", "uncertain"  # other calls than LAMM

AMBIENT = "ambient"

JEFFREYS = 0.5  # counts added before a rate is computed: Jeffreys' prior of a Poisson rate
TINY = 1e-9  # depth if there are no non-myeloid cells: no counts either, so the rate is 0


def call_lamm(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    sample_neighbors: np.ndarray,
    cells: pd.DataFrame,
    settings: CallSettings,
) -> pd.DataFrame:
    """Call LAMM cells: the probabilities of both levels, and the call at one of them.

    The counts of the defining markers are summed over a monocytic cell and its monocytic neighbors.
    For each gene, the posterior of the neighborhood's rate (Gamma prior around the rate of the
    cell's type, Poisson counts) gives the probability that the rate exceeds `fold` times that in
    non-myeloid cells of the same samples; the product over the genes is the probability of a
    `positive` cell. A `macrophage_like` one is positive and in the state of tissue macrophages
    (`macrophage_state`), or in that of a user's signature (`signature`): the smaller of both
    probabilities.

    Parameters
    ----------
    counts : of n_cells, at least of the defining markers, the state's genes and those of exclusion
        criteria.
    neighbors : n_cells x k indices of the nearest cells, without the cell itself.
    sample_neighbors : the same for the state; cells of other samples are ignored.
    cells : n_cells rows: `lineage`, `cell_type`, `sample`, `group` (of libraries that are alike).
    settings : defining markers, state, references and thresholds.

    Returns
    -------
    One row per cell: `lamm_score` (of the state, -1 to 1; NaN outside the monocytic lineage),
    `lamm_positive`, `lamm_macrophage_like` (probabilities; 0 if excluded or not monocytic),
    `lamm_call` (LAMM, not_LAMM, uncertain), `lamm_veto` (the exclusion criterion, or ""),
    `lamm_reference` (what the state was compared with, or "").

    Raises
    ------
    ValueError
        If the data lack a defining marker, or if it has no reference levels.

    Follows the Gamma-Poisson model of low counts; see Gelman et al., Bayesian Data Analysis, 2.6.
    """
    check_definers(settings.definers, symbols=counts.symbols)
    lineage = cells["lineage"].to_numpy(dtype=str)
    samples = cells["sample"].to_numpy(dtype=str)
    monocytic, outside = lineage == MONOCYTIC, np.isin(lineage, NON_MYELOID)
    result = _nothing_called(len(monocytic))
    if not monocytic.any():
        return result
    totals = np.asarray(counts.totals, dtype=float)
    wanted = collapse_genes(counts.matrix, symbols=counts.symbols, genes=settings.genes)
    n_definers = len(settings.definers)  # they are the first of the genes

    rows = np.flatnonzero(monocytic)
    pooled = _pool_cells(wanted, totals=totals, neighbors=neighbors, keep=monocytic)
    depth = pooled.pooled_depth
    background = _sample_background(
        wanted[:, :n_definers],
        totals=totals,
        outside=outside,
        samples=samples,
        least=background_levels(settings.references, settings.definers),
        settings=settings,
    )
    # Rate expected from background alone: each pooled cell at the rate of its own sample.
    ambient = (pooled.pooling @ (background * totals[:, None])) / PER / depth[:, None]
    floor = settings.fold * ambient
    type_rates = _type_rates(
        pooled.single[:, :n_definers],
        totals=totals[rows],
        types=cells["cell_type"].to_numpy(dtype=str)[rows],
    )
    found = pooled.pooled[:, :n_definers]
    positive = _exceeds(found, depth, floor, prior_rate=type_rates, settings=settings).prod(axis=1)
    reason = _find_vetoes(pooled, floor=floor, settings=settings)
    positive[reason != ""] = 0.0

    score = score_cells(
        counts,
        neighbors=sample_neighbors,
        samples=samples,
        scored=monocytic,
        background=outside,
        genes=settings.state,
    )
    groups = cells["group"].to_numpy(dtype=str)
    state = judge_cells(score, groups=groups, genes=settings.state).iloc[rows]
    result["lamm_score"] = score
    result.loc[monocytic, "lamm_positive"] = positive
    result.loc[monocytic, "lamm_macrophage_like"] = np.minimum(positive, state["probability"])
    result.loc[monocytic, "lamm_veto"] = reason
    result.loc[monocytic, "lamm_reference"] = state["reference"]
    called = result[f"lamm_{settings.level}"].to_numpy()
    result["lamm_call"] = call_at(called, probability=settings.probability)
    return result


def call_at(probabilities: np.ndarray, *, probability: float) -> pd.Series:
    """Convert probabilities of one level to calls: LAMM, not_LAMM, or uncertain in between."""
    calls = np.full(len(probabilities), UNCERTAIN, dtype=object)
    calls[probabilities >= probability] = LAMM
    calls[1 - probabilities >= probability] = NOT_LAMM
    return pd.Series(calls, dtype="str")


@dataclass(frozen=True)
class _Cells:
    """Counts of some cells alone, and summed with their neighbors of the same kind.

    Counts are cells x genes, depths are in 10,000 UMIs; `pooling` (cells x all cells) sums over
    neighbors.
    """

    single: sparse.csr_array
    single_depth: np.ndarray
    pooled: np.ndarray
    pooled_depth: np.ndarray
    pooling: sparse.csr_array


def _pool_cells(
    counts: sparse.csr_array, *, totals: np.ndarray, neighbors: np.ndarray, keep: np.ndarray
) -> _Cells:
    """Pool the kept cells with their kept neighbors."""
    rows = np.flatnonzero(keep)
    pooling = neighbor_pooling(neighbors, keep=keep)[rows]
    pooled, depth = (pooling @ counts).toarray(), (pooling @ totals) / PER
    return _Cells(counts[rows], totals[rows] / PER, pooled, depth, pooling)


def _find_vetoes(cells: _Cells, *, floor: np.ndarray, settings: CallSettings) -> np.ndarray:
    """Return the first exclusion criterion that applies to each cell, or "".

    Counts are of the settings' genes; positive cells exceed `floor` (cells x defining markers).
    """
    depth, genes = cells.pooled_depth, settings.genes
    reason = np.full(len(depth), "", dtype=object)
    for veto in settings.vetoes:
        columns = [genes.index(gene) for gene in veto.genes]
        if veto.scope == "pool":
            found, umi = cells.pooled[:, columns].sum(axis=1), depth
        else:
            found, umi = sum_columns(cells.single, columns), cells.single_depth
        limit = np.full((len(depth), 1), float(veto.per_10k))
        exceeds = _exceeds(found[:, None], umi, limit, settings=settings)[:, 0]
        reason[(exceeds >= settings.probability) & (reason == "")] = veto.name
    definers = cells.pooled[:, : floor.shape[1]].sum(axis=1, keepdims=True)
    total_floor = floor.sum(axis=1, keepdims=True)
    above = _exceeds(definers, depth, total_floor, settings=settings)[:, 0]
    reason[(above <= 1 - settings.probability) & (reason == "")] = AMBIENT
    return reason


def _exceeds(
    counts: np.ndarray,
    depth: np.ndarray,
    limit: np.ndarray,
    *,
    settings: CallSettings,
    prior_rate: np.ndarray | None = None,
) -> np.ndarray:
    """Return the posterior probability that a rate exceeds `limit`, cells x genes.

    Counts are Poisson(rate * depth). The Gamma prior has the shape `prior_counts` and the mean
    `prior_rate`, or without one its median at the limit: even odds, so that a call is undecided
    without data. Neighbors are similar, not the same cell, and are chosen by these same counts.
    Therefore counts and depth are weighted down together, so that the counting error is never below
    a coefficient of variation of sqrt(dispersion) (the working weight of a negative binomial of
    that dispersion).
    """
    prior_counts = settings.prior_counts
    if prior_rate is None:
        prior_depth = gammaincinv(prior_counts, 0.5) / limit
    else:
        prior_depth = prior_counts / prior_rate
    expected = np.maximum(counts, limit * depth[:, None])
    weight = 1 / (1 + settings.dispersion * expected)
    shape = prior_counts + weight * counts
    return np.asarray(gammaincc(shape, (prior_depth + weight * depth[:, None]) * limit))


def _shrunken_rates(
    counts: np.ndarray, depth: np.ndarray, *, prior_rate: np.ndarray, settings: CallSettings
) -> np.ndarray:
    """Return the posterior mean of a rate whose Gamma prior has the mean `prior_rate`."""
    weight = settings.prior_counts
    return np.asarray((counts + weight) / (depth[:, None] + weight / prior_rate))


def _sample_background(
    definers: sparse.csr_array,
    *,
    totals: np.ndarray,
    outside: np.ndarray,
    samples: Sequence[str] | np.ndarray,
    least: np.ndarray,
    settings: CallSettings,
) -> np.ndarray:
    """Return rates in the cells `outside` of each cell's sample, cells x defining markers.

    In samples with few such cells, rates are shrunk towards those of the cohort. No rate is below
    `least`, so that one stray UMI in a clean library is not a signal.
    """
    weight = outside.astype(float)
    _, codes, member = membership(samples)
    counts = (member @ sparse.csr_array(definers * weight[:, None])).toarray()
    depth = (member @ (totals * weight)) / PER
    cohort = np.maximum(counts.sum(axis=0) / max(depth.sum(), TINY), least)
    rates = _shrunken_rates(counts, depth, prior_rate=cohort, settings=settings)
    return np.asarray(np.maximum(rates, least)[codes])


def _type_rates(definers: sparse.csr_array, *, totals: np.ndarray, types: np.ndarray) -> np.ndarray:
    """Return rates in all monocytic cells of each cell's type, with half a count added."""
    _, codes, member = membership(types)
    rates = ((member @ definers).toarray() + JEFFREYS) / (member @ totals / PER)[:, None]
    return np.asarray(rates[codes])


def _nothing_called(n_cells: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lamm_score": np.full(n_cells, np.nan),
            "lamm_positive": np.zeros(n_cells),
            "lamm_macrophage_like": np.zeros(n_cells),
            "lamm_call": pd.array([NOT_LAMM] * n_cells, dtype="str"),
            "lamm_veto": pd.array([""] * n_cells, dtype="str"),
            "lamm_reference": pd.array([""] * n_cells, dtype="str"),
        }
    )
