"""CAR-T cells: calls, and their evidence in each sample."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import sparse

from lammscope.core.pooling import sum_columns

NO_FEATURE = "unknown: no CAR feature"
MIN_UMI = 1  # of a CAR feature in a CAR-T cell: the usual rule


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
    cells : `sample`, `lineage`.
    samples : phase of every sample (`pre`, `post` or other).
    has_feature : whether the sample's matrix has a CAR feature.

    Returns
    -------
    DataFrame
        `sample`, `phase`, `n_t_cells`, `n_t_with_car`, `pct_of_t`, `n_other_with_car` (cells of
        other lineages with a CAR UMI), `car_umi`, `reading`: `CAR-T cells`, `contamination` (UMIs
        before infusion, or in other cells only), `none seen`, `unknown: no CAR feature`.
    """
    columns = [column for column, symbol in enumerate(symbols) if symbol == "CAR"]
    umi = np.asarray(counts[:, columns].sum(axis=1)).ravel()
    is_t = (cells["lineage"] == "T").to_numpy()
    table = pd.DataFrame(
        {
            "n_t_cells": is_t,
            "n_t_with_car": is_t & (umi >= MIN_UMI),
            "n_other_with_car": ~is_t & (umi >= MIN_UMI),
            "car_umi": umi,
        }
    )
    table = table.groupby(cells["sample"].astype(str).to_numpy()).sum()
    table = table.reindex(sorted(samples), fill_value=0).astype(int)
    table.insert(2, "pct_of_t", 100 * table["n_t_with_car"] / table["n_t_cells"].replace(0, np.nan))
    table.insert(0, "phase", [samples[name] for name in table.index])
    table["reading"] = "CAR-T cells"
    stray = (table["phase"] == "pre") | (table["n_t_with_car"] == 0)
    table.loc[stray, "reading"] = "contamination"
    table.loc[table["car_umi"] == 0, "reading"] = "none seen"
    table.loc[[not has_feature[str(name)] for name in table.index], "reading"] = NO_FEATURE
    return table.rename_axis("sample").reset_index()


def call_car(
    counts: sparse.csr_array,
    *,
    symbols: Sequence[str],
    car_symbols: Sequence[str],
    lineage: Sequence[str] | np.ndarray | pd.Series,
    has_feature: ArrayLike,
    before_infusion: ArrayLike,
    sorted_out: ArrayLike,
) -> pd.Series:
    """Return the CAR status of each cell: positive, negative or unknown.

    A T cell with at least one UMI of a CAR feature is positive. Other cells with CAR UMIs are
    negative, since these are ambient or engulfed RNA, and so are all cells before infusion. The
    status is unknown if the sample's matrix has no CAR feature, and for a cell of a sorted library
    without a transcript, since it may have been sorted by its CAR. One UMI is the usual rule; it
    misses transduced cells because of dropout, so `negative` means "not seen".

    Parameters
    ----------
    counts : n_cells x n_genes raw counts.
    symbols : n_genes gene symbols.
    car_symbols : those of CAR features.
    lineage : n_cells.
    has_feature, before_infusion, sorted_out : n_cells, bool, of the cell's sample: its matrix has a
        CAR feature; it was taken before infusion; its library was sorted.
    """
    columns = [column for column, symbol in enumerate(symbols) if symbol in set(car_symbols)]
    seen = (sum_columns(counts, columns) >= MIN_UMI) & ~np.asarray(before_infusion, dtype=bool)
    positive = seen & (np.asarray(lineage, dtype=str) == "T")
    unknown = ~np.asarray(has_feature, dtype=bool) | (
        np.asarray(sorted_out, dtype=bool) & ~positive
    )
    status = np.where(positive, "positive", "negative")
    return pd.Series(np.where(unknown, "unknown", status), dtype="str")


def apply_car(cell_type: Sequence[str] | np.ndarray, *, car: pd.Series) -> pd.Series:
    """Rename the type of CAR-positive T cells to `CAR_T`; their lineage remains T."""
    types = np.asarray(cell_type, dtype=object)
    return pd.Series(np.where(np.asarray(car) == "positive", "CAR_T", types), dtype="str")
