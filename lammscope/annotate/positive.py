"""Positive cells: monocytic cells whose neighborhood expresses the defining markers.

A call uses the nearest cells of all patients. Support uses the cells of the same patient only.
`resources/lamm/README.md` explains the method.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.special import gammaincc, gammaincinv

from lammscope.annotate.lamm_settings import CallSettings, background_levels
from lammscope.core.names import PER
from lammscope.core.pooling import collapse_genes, membership, neighbor_pooling, sum_columns
from lammscope.joint.panel_counts import PanelCounts

AMBIENT = "ambient"  # exclusion criterion: the defining markers are not above the background

JEFFREYS = 0.5  # counts of a prior that says little: Jeffreys' prior of a Poisson rate
# Depth, in 10,000 UMIs, at the reference's rate that is added to non-myeloid cells, so that a few
# macrophages that are taken for lymphocytes are no background; our choice.
REFERENCE_DEPTH = 10


@dataclass(frozen=True)
class Markers:
    """Counts of the genes that calls use, and the cells that are called or are background.

    Attributes
    ----------
    counts
        n_cells x genes of the settings; the defining markers are the first.
    totals
        UMIs of each cell.
    monocytic, outside
        n_cells, bool: cells that are called, and those that do not express the defining markers.
    samples
        n_cells names.
    types
        n_cells cell types.
    """

    counts: sparse.csr_array
    totals: np.ndarray
    monocytic: np.ndarray
    outside: np.ndarray
    samples: np.ndarray
    types: np.ndarray

    @classmethod
    def select(
        cls,
        counts: PanelCounts,
        *,
        monocytic: np.ndarray,
        outside: np.ndarray,
        cells: pd.DataFrame,
        settings: CallSettings,
    ) -> Self:
        """Select the genes of the settings; `cells` has `sample` and `cell_type`."""
        return cls(
            collapse_genes(counts.matrix, symbols=counts.symbols, genes=settings.genes),
            np.asarray(counts.totals, dtype=float),
            monocytic,
            outside,
            cells["sample"].to_numpy(dtype=str),
            cells["cell_type"].to_numpy(dtype=str),
        )

    def definers(self, settings: CallSettings) -> sparse.csr_array:
        """Return the counts of the defining markers, n_cells x definers."""
        return self.counts[:, : len(settings.definers)]


@dataclass(frozen=True)
class Prior:
    """A Gamma prior of rates: `shape` counts seen in a `depth` of 10,000 UMIs, cells x genes."""

    shape: np.ndarray | float
    depth: np.ndarray

    @classmethod
    def of_even_odds(cls, limit: np.ndarray, *, counts: float) -> Self:
        """Make a prior with its median at the limit, so that without data a call is undecided."""
        return cls(counts, gammaincinv(counts, 0.5) / limit)


def call_positive(
    markers: Markers, *, neighbors: np.ndarray, settings: CallSettings
) -> pd.DataFrame:
    """Compute the probability that each monocytic cell is positive, with the cells of all patients.

    Counts of the defining markers are summed over a monocytic cell and its monocytic neighbors. For
    each gene, the posterior of the neighborhood's rate (Gamma prior around the rate of the cell's
    type, Poisson counts) gives the probability that the rate exceeds `fold` times that in
    non-myeloid cells of the same samples. A cell's probability is the product over the genes.

    Parameters
    ----------
    markers : of n_cells.
    neighbors : n_cells x k indices of the nearest cells, without the cell itself.
    settings : defining markers, references, exclusion criteria and thresholds.

    Returns
    -------
    One row per monocytic cell: `probability` (0 if excluded), `veto` (the exclusion criterion, or
    "").

    Raises
    ------
    ValueError
        If a defining marker has no reference level.
    """
    pooled = _pool_cells(markers, neighbors=neighbors)
    floor = _expected_floor(markers, pooled, within=None, settings=settings)
    rates = _type_rates(markers, settings=settings)
    prior = Prior(settings.prior_counts, settings.prior_counts / rates)
    return _positive_or_vetoed(pooled, floor=floor, prior=prior, settings=settings)


def support_positive(
    markers: Markers, *, neighbors: np.ndarray, patients: np.ndarray, settings: CallSettings
) -> np.ndarray:
    """Compute the probability that monocytic cells are positive from their patient's cells alone.

    As `call_positive`, but no cell of another patient has a say: neighbors are of the same patient,
    background is that of the patient's samples, and the prior rests on the patient's other cells of
    the same type. These start from even odds (Jeffreys' prior with its median at the limit), and
    count for at most `prior_counts` counts. A neighborhood's own cells are not part of its prior.

    Parameters
    ----------
    markers, settings : as in `call_positive`.
    neighbors : n_cells x k indices of the nearest cells of the same patient.
    patients : n_cells names.

    Returns
    -------
    One probability per monocytic cell. Without evidence it is one half for each defining marker:
    one in eight for three.
    """
    pooled = _pool_cells(markers, neighbors=neighbors)
    floor = _expected_floor(markers, pooled, within=patients, settings=settings)
    counts, depth = _rest_of_type(markers, pooled, patients=patients, settings=settings)
    weight = settings.prior_counts / np.maximum(
        np.maximum(counts, floor * depth[:, None]), settings.prior_counts
    )
    even = Prior.of_even_odds(floor, counts=JEFFREYS)
    prior = Prior(even.shape + weight * counts, even.depth + weight * depth[:, None])
    found = _positive_or_vetoed(pooled, floor=floor, prior=prior, settings=settings)
    return found["probability"].to_numpy()


@dataclass(frozen=True)
class _Cells:
    """Counts of some cells alone, and summed with their neighbors of the same kind.

    Counts are cells x genes, depths are in 10,000 UMIs; `pooling` (cells x all cells) sums over
    neighbors.
    """

    rows: np.ndarray
    single: sparse.csr_array
    single_depth: np.ndarray
    pooled: np.ndarray
    pooled_depth: np.ndarray
    pooling: sparse.csr_array


def _pool_cells(markers: Markers, *, neighbors: np.ndarray) -> _Cells:
    """Pool the monocytic cells with their monocytic neighbors."""
    rows, totals = np.flatnonzero(markers.monocytic), markers.totals
    pooling = neighbor_pooling(neighbors, keep=markers.monocytic)[rows]
    pooled, depth = (pooling @ markers.counts).toarray(), (pooling @ totals) / PER
    return _Cells(rows, markers.counts[rows], totals[rows] / PER, pooled, depth, pooling)


def _expected_floor(
    markers: Markers, cells: _Cells, *, within: np.ndarray | None, settings: CallSettings
) -> np.ndarray:
    """Return the rates that positive neighborhoods exceed, cells x defining markers.

    They are `fold` times those expected from background alone: each pooled cell has the rate of its
    own sample.
    """
    background = _sample_background(markers, within=within, settings=settings)
    expected = cells.pooling @ (background * markers.totals[:, None])
    return np.asarray(settings.fold * expected / PER / cells.pooled_depth[:, None])


def _positive_or_vetoed(
    cells: _Cells, *, floor: np.ndarray, prior: Prior, settings: CallSettings
) -> pd.DataFrame:
    """Return the probability of a positive cell, 0 if excluded, and the exclusion criterion."""
    found = cells.pooled[:, : floor.shape[1]]
    above = _exceeds(found, cells.pooled_depth, floor, prior=prior, settings=settings)
    veto = _find_vetoes(cells, floor=floor, settings=settings)
    return pd.DataFrame(
        {"probability": np.where(veto == "", above.prod(axis=1), 0.0), "veto": veto}
    )


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
        exceeds = _exceeds_evenly(found[:, None], umi, limit, settings=settings)
        reason[(exceeds >= settings.probability) & (reason == "")] = veto.name
    definers = cells.pooled[:, : floor.shape[1]].sum(axis=1, keepdims=True)
    total_floor = floor.sum(axis=1, keepdims=True)
    above = _exceeds_evenly(definers, depth, total_floor, settings=settings)
    reason[(above <= 1 - settings.probability) & (reason == "")] = AMBIENT
    return reason


def _exceeds_evenly(
    counts: np.ndarray, depth: np.ndarray, limit: np.ndarray, *, settings: CallSettings
) -> np.ndarray:
    """Return the probability that the rate of one gene exceeds `limit`, from even odds."""
    prior = Prior.of_even_odds(limit, counts=settings.prior_counts)
    return _exceeds(counts, depth, limit, prior=prior, settings=settings)[:, 0]


def _exceeds(
    counts: np.ndarray,
    depth: np.ndarray,
    limit: np.ndarray,
    *,
    prior: Prior,
    settings: CallSettings,
) -> np.ndarray:
    """Return the posterior probability that a rate exceeds `limit`, cells x genes.

    Counts are Poisson(rate * depth). Neighbors are similar, not the same cell, and are chosen by
    these same counts. Therefore counts and depth are weighted down together, so that the counting
    error is never below a coefficient of variation of sqrt(dispersion) (the working weight of a
    negative binomial of that dispersion).
    """
    expected = np.maximum(counts, limit * depth[:, None])
    weight = 1 / (1 + settings.dispersion * expected)
    shape = prior.shape + weight * counts
    return np.asarray(gammaincc(shape, (prior.depth + weight * depth[:, None]) * limit))


def _sample_background(
    markers: Markers, *, within: np.ndarray | None, settings: CallSettings
) -> np.ndarray:
    """Return rates in the cells `outside` of each cell's sample, cells x defining markers.

    In samples with few such cells, rates are shrunk towards those of the cells `within` the same
    group, such as the patient, or of all cells, and these towards the reference. No rate is below
    the reference, so that one stray UMI in a clean library is not a signal.
    """
    least = background_levels(settings.references, settings.definers)
    wider = np.zeros(len(markers.samples)) if within is None else within
    counts, depth = _sum_outside(markers, markers.samples, settings=settings)
    wide_counts, wide_depth = _sum_outside(markers, wider, settings=settings)
    added = wide_counts + REFERENCE_DEPTH * least
    mean = np.maximum(added / (wide_depth[:, None] + REFERENCE_DEPTH), least)
    weight = settings.prior_counts
    rates = (counts + weight) / (depth[:, None] + weight / mean)  # mean of the Gamma posterior
    return np.asarray(np.maximum(rates, least))


def _sum_outside(
    markers: Markers, groups: np.ndarray, *, settings: CallSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and depth of the cells `outside` in each cell's group."""
    weight = markers.outside.astype(float)
    _, codes, member = membership(groups)
    counts = member @ sparse.csr_array(markers.definers(settings) * weight[:, None])
    return counts.toarray()[codes], ((member @ (markers.totals * weight)) / PER)[codes]


def _type_rates(markers: Markers, *, settings: CallSettings) -> np.ndarray:
    """Return rates in all monocytic cells of each cell's type, with half a count added."""
    rows = np.flatnonzero(markers.monocytic)
    _, codes, member = membership(markers.types[rows])
    counts = (member @ markers.definers(settings)[rows]).toarray()
    rates = (counts + JEFFREYS) / (member @ markers.totals[rows] / PER)[:, None]
    return np.asarray(rates[codes])


def _rest_of_type(
    markers: Markers, cells: _Cells, *, patients: np.ndarray, settings: CallSettings
) -> tuple[np.ndarray, np.ndarray]:
    """Return counts and depth of the patient's other cells of each cell's type.

    Other cells are those outside the cell's neighborhood.
    """
    of_patient = np.unique(patients, return_inverse=True)[1]
    of_type = np.unique(markers.types, return_inverse=True)[1]
    groups = np.where(markers.monocytic, of_patient * len(of_type) + of_type, -1)
    _, codes, member = membership(groups)
    definers, own = markers.definers(settings), codes[cells.rows]
    near = sparse.csr_array(cells.pooling, copy=True)
    near.data *= codes[near.indices] == np.repeat(own, np.diff(near.indptr))
    counts = (member @ definers).toarray()[own] - (near @ definers).toarray()
    depth = (member @ markers.totals)[own] - near @ markers.totals
    return np.maximum(counts, 0), np.maximum(depth, 0) / PER
