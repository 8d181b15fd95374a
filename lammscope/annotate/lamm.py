"""LAMM cells (CSF1R+ CD14+ CD68+ monocytic cells), called from counts alone.

Calls use neither patients nor response. `resources/lamm/README.md` explains the method.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaincc, gammaincinv

from lammscope.annotate.lamm_settings import CallSettings, reference_levels
from lammscope.annotate.refinement import JEFFREYS, refine
from lammscope.core.names import PER
from lammscope.core.pooling import collapse_genes, membership, neighbor_pooling, sum_columns
from lammscope.joint.gene_names import check_definers
from lammscope.joint.panel_counts import PanelCounts

MONOCYTIC = "monocytic"  # the lineage of LAMM cells by their definition

NON_MYELOID = ("T", "NK", "B", "malignant")  # lineages: defining markers are ambient RNA there

LAMM, NOT_LAMM, UNCERTAIN = "LAMM", "not_LAMM", "uncertain"

AMBIENT = "ambient"

TINY = 1e-9  # depth if there are no non-myeloid cells: no counts either, so the rate is 0


def call_lamm(
    counts: PanelCounts,
    *,
    neighbors: np.ndarray,
    lineage: Sequence[str] | np.ndarray,
    cell_type: Sequence[str] | np.ndarray,
    samples: Sequence[str] | np.ndarray,
    settings: CallSettings,
) -> pd.DataFrame:
    """Call LAMM cells: the probabilities of both levels, and the call at one of them.

    The counts of the defining markers are summed over a monocytic cell and its monocytic neighbors.
    For each gene, the posterior of the neighborhood's rate (Gamma prior, Poisson counts) gives the
    probability that the rate exceeds a reference; the product over the genes is the probability
    that all do. `positive` compares with `fold` times the rate in non-myeloid cells of the same
    samples, with a prior around the rate of the cell's type. `elevated` also compares with fixed
    levels of ordinary monocytes, with a neutral prior, and is then refined by the cell's own counts
    (`refinement.refine`).

    Parameters
    ----------
    counts : of n_cells, at least of the defining markers and the genes of exclusion criteria.
    neighbors : n_cells x k indices of the nearest cells, without the cell itself.
    lineage, cell_type, samples : n_cells labels.
    settings : defining markers, references and thresholds.

    Returns
    -------
    One row per cell: `lamm_score` (mean log2 ratio of the defining markers' rates to ordinary
    monocytes; NaN outside the monocytic lineage), `lamm_positive`, `lamm_elevated` (probabilities;
    0 if excluded or not monocytic), `lamm_call` (LAMM, not_LAMM, uncertain), `lamm_veto` (the
    exclusion criterion, or "").

    Raises
    ------
    ValueError
        If the data lack a defining marker, or if it has no reference levels.

    Follows the Gamma-Poisson model of low counts; see Gelman et al., Bayesian Data Analysis, 2.6.
    """
    check_definers(settings.definers, symbols=counts.symbols)
    lineage = np.asarray(lineage, dtype=str)
    monocytic = lineage == MONOCYTIC
    result = _nothing_called(len(monocytic))
    if not monocytic.any():
        return result
    totals = np.asarray(counts.totals, dtype=float)
    levels = reference_levels(settings.references, settings.definers)
    wanted = collapse_genes(counts.matrix, symbols=counts.symbols, genes=settings.genes)
    n_definers = len(settings.definers)  # they are the first of the genes

    rows = np.flatnonzero(monocytic)
    types = np.asarray(cell_type, dtype=str)[rows]
    cells = _pool_cells(wanted, totals=totals, neighbors=neighbors, keep=monocytic)
    single, depth = cells.single[:, :n_definers], cells.pooled_depth
    background = _sample_background(
        wanted[:, :n_definers],
        totals=totals,
        outside=np.isin(lineage, NON_MYELOID),
        samples=samples,
        least=levels["background"].to_numpy(),
        settings=settings,
    )
    # Rate expected from background alone: each pooled cell at the rate of its own sample.
    ambient = (cells.pooling @ (background * totals[:, None])) / PER / depth[:, None]
    prior_rates = _type_rates(single, totals=totals[rows], types=types)

    # Positive: does this type of cell express the genes? The rate of the type is a fair prior.
    # Elevated: does this neighborhood differ from its type? The prior gives even odds.
    found = cells.pooled[:, :n_definers]
    floor = settings.fold * ambient
    threshold = np.maximum(floor, levels["elevated"].to_numpy())
    positive = _exceeds(found, depth, floor, prior_rate=prior_rates, settings=settings).prod(axis=1)
    elevated = _exceeds(found, depth, threshold, settings=settings).prod(axis=1)

    reason = _find_vetoes(cells, floor=floor, settings=settings)
    positive[reason != ""] = elevated[reason != ""] = 0.0
    free = np.flatnonzero(reason == "")
    refined = refine(
        elevated[free],
        single[free].toarray().astype(float),
        depth=cells.single_depth[free],
        pooling=cells.pooling[free][:, rows[free]],
        types=types[free],
        bars=levels["elevated"].to_numpy(),
        sure=settings.probability,
        dispersion=settings.cell_dispersion,
    )
    elevated[free] = np.minimum(refined, positive[free])
    rates = _shrunken_rates(found, depth, prior_rate=prior_rates, settings=settings)
    result.loc[monocytic, "lamm_score"] = np.log2(rates / levels["typical"].to_numpy()).mean(axis=1)
    result.loc[monocytic, "lamm_positive"] = positive
    result.loc[monocytic, "lamm_elevated"] = elevated
    result.loc[monocytic, "lamm_veto"] = reason
    called = result[f"lamm_{settings.level}"].to_numpy()
    result["lamm_call"] = call_at(called, probability=settings.probability)
    return result


def call_at(probabilities: np.ndarray, *, probability: float) -> pd.Series:
    """Convert probabilities of one level to calls: LAMM, not_LAMM, or uncertain in between."""
    calls = np.full(len(probabilities), UNCERTAIN, dtype=object)
    calls[probabilities >= probability] = LAMM
    calls[1 - probabilities >= probability] = NOT_LAMM
    return pd.Series(calls, dtype="str")


def name_population(cell_type: Sequence[str] | np.ndarray, *, lamm_call: pd.Series) -> pd.Series:
    """Return `LAMM` if called, else the cell type: a partition of the cells."""
    types = np.asarray(cell_type, dtype=object)
    return pd.Series(np.where(np.asarray(lamm_call) == LAMM, LAMM, types), dtype="str")


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
            "lamm_elevated": np.zeros(n_cells),
            "lamm_call": pd.array([NOT_LAMM] * n_cells, dtype="str"),
            "lamm_veto": pd.array([""] * n_cells, dtype="str"),
        }
    )
