"""CAR-T cells: calls, and their evidence in each sample."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from lammscope.annotate.car_probability import CarCounts, fit_car_mixture, stray_umis
from lammscope.core.names import NO_CAR_FEATURE, UNASSIGNED, UNKNOWN_CAR_T
from lammscope.core.pooling import sum_columns
from lammscope.joint.panel_counts import PanelCounts

MIN_UMI = 1  # of a CAR feature in a CAR-T cell of a sorted library: the usual rule


def count_car(
    counts: sparse.csr_array,
    *,
    symbols: Sequence[str],
    cells: pd.DataFrame,
    samples: Mapping[str, str],
    has_feature: Mapping[str, bool],
) -> pd.DataFrame:
    """Count CAR-T cells and stray CAR transcripts in every sample, with an interpretation.

    Parameters
    ----------
    counts : n_cells x n_genes raw counts with the column `CAR`, rows as `cells`.
    symbols : n_genes.
    cells : `sample`, `lineage`, `car`, `car_probability`.
    samples : phase of every sample (`pre`, `post` or other).
    has_feature : whether the sample's matrix has a CAR feature.

    Returns
    -------
    DataFrame
        `sample`, `phase`, `n_t_cells`, `n_t_with_car`, `pct_of_t`, `n_positive`, `n_unknown` (T
        cells of this status), `n_expected` (CAR-T cells expected: the sum of the probabilities),
        `pct_missed` (of these, not called positive; missing if none is expected),
        `n_other_with_car` (cells of other lineages with a CAR UMI), `car_umi`, `reading`: `CAR-T
        cells`, `contamination` (UMIs before infusion, or in other cells only), `none seen`,
        `unknown: no CAR feature`.
    """
    umi = _car_umi(counts, symbols)
    is_t = (cells["lineage"] == "T").to_numpy()
    status, probability = cells["car"].to_numpy(), cells["car_probability"].fillna(0).to_numpy()
    sums = pd.DataFrame(
        {
            "n_t_cells": is_t,
            "n_t_with_car": is_t & (umi >= MIN_UMI),
            "n_positive": is_t & (status == "positive"),
            "n_unknown": is_t & (status == "unknown"),
            "n_expected": probability,
            "found": probability * (status == "positive"),
            "n_other_with_car": ~is_t & (umi >= MIN_UMI),
            "car_umi": umi,
        }
    )
    sums = sums.groupby(cells["sample"].astype(str).to_numpy()).sum()
    sums = sums.reindex(sorted(samples), fill_value=0)
    found = sums.pop("found")
    shares = ["n_expected"]
    table = sums.astype({name: int for name in sums if name not in shares})
    missed = 100 * (1 - found / table["n_expected"].where(table["n_expected"] >= 1))
    table.insert(2, "pct_of_t", 100 * table["n_t_with_car"] / table["n_t_cells"].replace(0, np.nan))
    table.insert(list(table).index("n_expected") + 1, "pct_missed", missed)
    table.insert(0, "phase", [samples[name] for name in table.index])
    table["reading"] = "CAR-T cells"
    stray = (table["phase"] == "pre") | (table["n_t_with_car"] == 0)
    table.loc[stray, "reading"] = "contamination"
    table.loc[table["car_umi"] == 0, "reading"] = "none seen"
    lacking = [not has_feature[str(name)] for name in table.index]
    table.loc[lacking, "reading"] = NO_CAR_FEATURE
    table.loc[lacking, "n_expected"] = np.nan
    return table.rename_axis("sample").reset_index()


def call_car(
    counts: PanelCounts,
    *,
    cells: pd.DataFrame,
    neighbors: np.ndarray,
    has_feature: ArrayLike,
    before_infusion: ArrayLike,
    sorted_out: ArrayLike,
    probability: float,
) -> pd.DataFrame:
    """Return the CAR status of each cell, and for T cells the probability of being a CAR-T cell.

    In unsorted libraries after infusion a T cell is positive or negative from a probability on, and
    unknown in between. In sorted ones the sort may have selected cells by their CAR: a T cell with
    a transcript is positive, other cells are unknown. Cells of other lineages with CAR UMIs are
    negative, since these are ambient or engulfed RNA, and so are all cells before infusion. The
    status is unknown if the sample's matrix has no CAR feature.

    Parameters
    ----------
    counts : of n_cells, with the column `CAR`.
    cells : `sample`, `lineage`.
    neighbors : n_cells x k T cells of the same sample, from `calls.lineage_neighbors`.
    has_feature, before_infusion, sorted_out : n_cells or one, bool, of the cell's sample: its
        matrix has a CAR feature; it was taken before infusion; its library was sorted.
    probability : from which a cell is positive, and below one minus which it is negative.

    Returns
    -------
    DataFrame
        `car`: positive, negative or unknown; `car_probability`: missing outside the T lineage,
        without a CAR feature, and in sorted libraries before infusion.
    """
    n_cells = len(cells)
    feature, before, sorted_ = (
        np.broadcast_to(np.asarray(flag, dtype=bool), n_cells)
        for flag in (has_feature, before_infusion, sorted_out)
    )
    is_t = (cells["lineage"] == "T").to_numpy()
    umi = _car_umi(counts.matrix, counts.symbols)
    chance = _probabilities(
        umi, totals=counts.totals, cells=cells, neighbors=neighbors, chosen=feature & ~before
    )
    chance[is_t & feature & before & ~sorted_] = 0
    positive = np.where(sorted_, (umi >= MIN_UMI) & ~before, chance >= probability) & is_t
    between = is_t & (chance > 1 - probability) & ~positive
    unknown = ~feature | np.where(sorted_, ~positive, between)
    status = np.where(unknown, "unknown", np.where(positive, "positive", "negative"))
    status = np.where(feature, status, "unknown")
    return pd.DataFrame({"car": status.astype(str), "car_probability": chance}, index=cells.index)


def _probabilities(
    umi: np.ndarray,
    *,
    totals: np.ndarray,
    cells: pd.DataFrame,
    neighbors: np.ndarray,
    chosen: np.ndarray,
) -> np.ndarray:
    """Fit the mixture of each sample; missing for cells of other lineages and of other samples."""
    chance = np.full(len(cells), np.nan)
    sample, is_t = cells["sample"].to_numpy(dtype=str), (cells["lineage"] == "T").to_numpy()
    names = np.unique(sample[chosen & is_t])
    rows = [np.flatnonzero(is_t & chosen & (sample == name)) for name in names]
    # Cells without a type may be T cells.
    is_other = ~is_t & (cells["lineage"] != UNASSIGNED).to_numpy() & chosen
    others = [is_other & (sample == name) for name in names]
    stray = stray_umis(
        np.array([umi[other].sum() for other in others]),
        np.array([other.sum() for other in others]),
        np.array([umi[own].mean() for own in rows]),
    )
    place = np.full(len(cells), -1)
    for own, level in zip(rows, stray, strict=True):
        place[own] = np.arange(len(own))
        near = np.where(neighbors[own] >= 0, place[neighbors[own]], -1)
        counts = CarCounts(umi[own], totals[own], near, float(level))
        chance[own] = fit_car_mixture(counts).probability
    return chance


def apply_car(cell_type: Sequence[str] | np.ndarray, *, car: pd.Series) -> pd.Series:
    """Rename the type of CAR-positive T cells to `CAR_T`; their lineage remains T."""
    types = np.asarray(cell_type, dtype=object)
    return pd.Series(np.where(np.asarray(car) == "positive", "CAR_T", types), dtype="str")


def set_unknown_apart(population: pd.Series, *, car: pd.DataFrame) -> pd.Series:
    """Give T cells that may be CAR-T cells a population of their own, which is not tested.

    Cells without a probability keep their population: of T cells in a matrix without a CAR feature
    nothing is known, and before infusion there are no CAR-T cells.

    Parameters
    ----------
    population : of each cell.
    car : of the same cells, from `call_car`.
    """
    apart = (car["car"] == "unknown") & car["car_probability"].notna()
    return population.where(~apart.to_numpy(), UNKNOWN_CAR_T)


def _car_umi(counts: sparse.csr_array, symbols: Sequence[str]) -> np.ndarray:
    """Return the UMIs of the CAR in each cell."""
    return sum_columns(counts, [at for at, symbol in enumerate(symbols) if symbol == "CAR"])
