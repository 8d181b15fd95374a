"""Gene programs and states of T cells, and their sums per sample.

A cell's score of a program is the mean over its genes of the cell's standardized rate: UMIs per
10,000, less the mean of the cohort's T cells, in units of their standard deviation. The score is
linear in the rates, so its mean over the cells of a sample does not depend on sequencing depth, and
it uses the cell's own counts only. Levels pooled over the neighbors of other samples, as in
`annotate.gene_set_scores`, would mix patients, and their logarithms depend on depth.

A state needs more counts than a cell has. Each cell is therefore taken together with its nearest T
cells of the same sample, weighted by UMIs, which is the same as to sum their counts. The leading
program of these scores is the state, if it is above the average T cell of the cohort and leads by
enough. With fewer counts neighborhoods mix, so fractions of states depend on depth, unlike mean
scores (`docs/benchmarks.md` has figures).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import sparse

from lammscope.annotate.gene_set_scores import MIN_FOUND, differences, match_sets
from lammscope.core.names import Array
from lammscope.core.pooling import collapse_genes, neighbor_pooling
from lammscope.core.rates import to_rates
from lammscope.joint.panel_counts import PanelCounts

T = "T"  # the lineage, and the population of all its cells
STATE, UNRESOLVED = "state", "unresolved"


@dataclass(frozen=True)
class TPrograms:
    """Gene programs of T cells, and the rule of the states.

    Attributes
    ----------
    gene_sets
        Genes by program. A program `X_up` that has a partner `X_down` is scored as up minus down
        under the name `X`.
    leading
        The program of each exclusive state.
    min_lead
        Lead over the second program below which a cell is unresolved, in standard deviations of the
        pooled scores of all T cells.
    """

    gene_sets: Mapping[str, Sequence[str]]
    leading: Mapping[str, str]
    min_lead: float


def score_t_cells(
    counts: PanelCounts, *, cells: pd.DataFrame, neighbors: np.ndarray, programs: TPrograms
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Score the programs of each T cell, CAR-T cells included, and name its state.

    Parameters
    ----------
    counts : of n_cells, at least of the programs' genes.
    cells : n_cells rows: `sample`, `lineage`.
    neighbors : n_cells x k indices of the nearest T cells of the same sample, -1 for none.
    programs : gene sets, and the rule of the states.

    Returns
    -------
    scores : n_cells rows: a column per program, and `state` (of `programs.leading`, `unresolved`,
        or missing where a program has no score). All are missing for cells of other lineages, and a
        score for cells whose sample's matrix lacks over half of its genes.
    sets : as in `annotate.gene_set_scores.score_states`.
    """
    members, sets = match_sets(programs.gene_sets, counts.symbols)
    is_t = (cells["lineage"] == T).to_numpy(dtype=bool)
    names = list(differences(pd.DataFrame(columns=list(members))))
    scores = pd.DataFrame(np.nan, index=cells.index, columns=names)
    states = pd.Series(None, index=cells.index, dtype=object)
    genes = sorted({gene for found in members.values() for gene in found})
    if is_t.any() and genes:
        place = np.full(len(is_t), -1)
        place[is_t] = np.arange(is_t.sum())
        own = neighbors[is_t]
        values = _own_scores(
            collapse_genes(counts.matrix[is_t], symbols=counts.symbols, genes=genes),
            totals=counts.totals[is_t],
            samples=cells.loc[is_t, "sample"].to_numpy(dtype=str),
            genes=genes,
            members=members,
            absent=counts.absent,
        )
        scored = differences(pd.DataFrame(values, columns=list(members)))
        scores.loc[is_t] = scored.to_numpy()
        near = np.where(own >= 0, place[own], -1)
        states[is_t] = _states(scored, counts.totals[is_t], near, programs)
    return scores.assign(**{STATE: states}), sets


def _own_scores(
    counts: sparse.csr_array,
    *,
    totals: np.ndarray,
    samples: np.ndarray,
    genes: Sequence[str],
    members: Mapping[str, Sequence[str]],
    absent: Mapping[str, Sequence[str]],
) -> Array:
    """Return the scores of T cells, cells x programs, from their own counts (cells x genes).

    A gene is standardized over the samples whose matrices have it, and left out in the others.
    """
    rates = to_rates(counts, totals).astype(np.float64)
    names, codes = np.unique(samples, return_inverse=True)
    has = np.array([~np.isin(genes, list(absent.get(str(name), ()))) for name in names])
    n_cells = np.maximum(np.bincount(codes) @ has, 1)
    mean = rates.sum(axis=0) / n_cells
    spread = np.sqrt(np.maximum(rates.power(2).sum(axis=0) / n_cells - mean**2, 0))
    scale = np.divide(1, spread, out=np.zeros(len(genes)), where=spread > 0)
    belongs = np.array([np.isin(genes, found) for found in members.values()], dtype=float).T
    scores = np.full((len(totals), len(members)), np.nan)
    for present in np.unique(has, axis=0):
        rows = np.flatnonzero((has == present).all(axis=1)[codes])
        inside = belongs * present[:, None]
        n_found = inside.sum(axis=0)
        enough = n_found >= np.maximum(MIN_FOUND * belongs.sum(axis=0), 1)
        weights = scale[:, None] * inside[:, enough] / n_found[enough]
        scores[np.ix_(rows, np.flatnonzero(enough))] = rates[rows] @ weights - mean @ weights
    return scores


def _states(
    scores: pd.DataFrame, totals: np.ndarray, neighbors: np.ndarray, programs: TPrograms
) -> np.ndarray:
    """Return the state of each T cell from its scores and those of its neighbors."""
    leading = {state: name for state, name in programs.leading.items() if name in scores}
    if len(leading) < 2:
        return np.full(len(scores), None, dtype=object)
    pooling = neighbor_pooling(neighbors)
    own = scores[list(leading.values())].to_numpy() * totals[:, None]
    pooled = (pooling @ own) / np.maximum(pooling @ totals, 1)[:, None]
    known = np.isfinite(pooled).all(axis=1)
    spread = pooled[known].std(axis=0)
    level = (pooled - pooled[known].mean(axis=0)) / np.where(spread > 0, spread, 1)
    second, first = np.sort(level, axis=1)[:, -2:].T
    state = np.array(list(leading), dtype=object)[np.argmax(level, axis=1)]
    state[(first <= 0) | (first - second < programs.min_lead)] = UNRESOLVED
    state[~known] = None
    return np.asarray(state)


# --- sums per sample ------------------------------------------------------------------------------

CAR_T = "CAR_T"  # the population, and the measure of its share of T cells
MEAN, FRACTION = "mean", "fraction"
MEASURES = ["sample", "population", "measure", "kind", "total", "n_cells"]


def sum_measures(
    scores: pd.DataFrame,
    cells: pd.DataFrame,
    *,
    states: Sequence[str],
    has_car: np.ndarray,
    car_sorted: Sequence[str],
) -> pd.DataFrame:
    """Sum scores and count states in every sample and T population, and expected CAR-T cells.

    Parameters
    ----------
    scores : n_cells rows, from `score_t_cells`.
    cells : n_cells rows: `sample`, `lineage`, `population`, `car_probability`.
    states : names of the exclusive states; `unresolved` is added.
    has_car : n_cells, bool: the matrix of the cell's sample has a CAR feature.
    car_sorted : samples whose libraries may be sorted by the CAR: they have no CAR-T share.

    Returns
    -------
    DataFrame
        The columns `MEASURES`: one row per sample, population (`T` is the whole lineage) and
        measure. `mean`: `total` is the sum of a program's score over `n_cells`. `fraction`: `total`
        of `n_cells` cells are in a state; the row `CAR_T` of the population `T` has the expected
        number of CAR-T cells, the sum of their probabilities, which take the depth of cells into
        account; called cells are fewer the lower the depth.
    """
    is_t = (cells["lineage"] == T).to_numpy(dtype=bool)
    own, scored = cells[is_t], scores[is_t]
    sample, state = own["sample"].astype(str), scored[STATE]
    values = scored.drop(columns=STATE)
    indicators = pd.DataFrame({name: state == name for name in [*states, UNRESOLVED]})
    counted = indicators.astype(float).where(state.notna(), axis=0)
    parts = []
    for population in (pd.Series(T, index=own.index), own["population"].astype(str)):
        keys = [sample.rename("sample"), population.rename("population")]
        parts += [_sums(values, keys, MEAN), _sums(counted, keys, FRACTION)]
    may = has_car[is_t] & ~sample.isin(list(car_sorted)).to_numpy()
    share = own[["car_probability"]].where(may[:, None]).set_axis([CAR_T], axis=1)
    keys = [sample.rename("sample"), pd.Series(T, index=own.index, name="population")]
    parts.append(_sums(share, keys, FRACTION))
    found = pd.concat(parts, ignore_index=True)
    order = ["sample", "population", "kind"]
    return found.sort_values(order, kind="stable", ignore_index=True)[MEASURES]


def _sums(values: pd.DataFrame, keys: list[pd.Series], kind: str) -> pd.DataFrame:
    """Sum the columns of some cells by their keys; rows of measures with a value in some cell."""
    grouped = values.groupby(keys)
    names = ["sample", "population", "measure"]
    long = pd.DataFrame(
        {
            "total": grouped.sum().rename_axis(columns="measure").stack(),
            "n_cells": grouped.count().rename_axis(columns="measure").stack(),
        }
    )
    long = long.rename_axis(names).reset_index()
    return long[long["n_cells"] > 0].assign(kind=kind)
