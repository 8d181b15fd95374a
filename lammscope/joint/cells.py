"""The cell index: the barcodes that all later steps use."""

from collections.abc import Mapping

import numpy as np
import pandas as pd


def select_cells(
    qc: dict[str, pd.DataFrame], doublets: pd.DataFrame, *, patients: dict[str, str]
) -> pd.DataFrame:
    """Make the cell index: barcodes that pass QC and are not doublets.

    Parameters
    ----------
    qc
        Per sample, the flagged metrics of all its barcodes, in the order of its counts.
    doublets
        Columns `cell` (sample_barcode), `doublet_score` and `doublet`, of all channels.
    patients
        The patient of each sample.

    Returns
    -------
    DataFrame
        `cell`, `sample`, `barcode`, `position` (row of the counts), `patient`, the metrics and
        `doublet_score`; sorted by sample, then barcode.

    Raises
    ------
    ValueError
        If no cell is left, or if two cells have the same name.
    """
    parts = []
    for sample in sorted(qc):
        table = qc[sample]
        passed = table.assign(position=np.arange(len(table), dtype=np.int64))[table["passes"]]
        passed = passed.sort_values("barcode").drop(columns=NOT_OF_CELLS)
        parts.append(passed.assign(sample=sample, patient=patients[sample]))
    cells = pd.concat(parts, ignore_index=True)
    cells["cell"] = cells["sample"] + "_" + cells["barcode"]
    repeated = cells.loc[cells["cell"].duplicated(), "cell"]
    if len(repeated):
        raise ValueError(
            f"cell {repeated.iloc[0]} is the name of two cells, because names of cells are sample "
            "and barcode joined by `_`; rename one of the samples"
        )
    scores = doublets.set_index("cell").reindex(cells["cell"])
    cells["doublet_score"] = scores["doublet_score"].to_numpy(dtype=float)
    cells = cells[~scores["doublet"].fillna(False).to_numpy(dtype=bool)]
    if cells.empty:
        raise ValueError(
            "no cell of the cohort passes quality control: check results/qc, and loosen `qc` in "
            "the config if the limits do not suit these libraries"
        )
    first = ["cell", "sample", "barcode", "position", "patient"]
    return cells[first + [name for name in cells if name not in first]].reset_index(drop=True)


def summarize_qc(
    qc: dict[str, pd.DataFrame], cells: pd.DataFrame, *, shared: Mapping[str, str]
) -> pd.DataFrame:
    """Count barcodes per sample: read, removed by first reason, removed as doublets, and kept.

    `shared_barcodes` says with which samples a sample shares many (`shared_cells.check_samples`).
    """
    kept = cells["sample"].value_counts()
    rows = []
    for sample in sorted(qc):
        table = qc[sample]
        first_reason = table["reasons"].str.split(",").str[0]
        passed = int(table["passes"].sum())
        n_kept = int(kept.get(sample, 0))
        removed = first_reason[~table["passes"]].value_counts()
        rows.append(
            {
                "sample": sample,
                "n_barcodes": len(table),
                **{f"n_{name}": int(removed.get(name, 0)) for name in REASONS},
                "n_doublets": passed - n_kept,
                "n_cells": n_kept,
                "median_counts": table.loc[table["passes"], "total_counts"].median(),
                "median_genes": table.loc[table["passes"], "n_genes"].median(),
                "median_pct_mt": table.loc[table["passes"], "pct_mt"].median(),
                "shared_barcodes": shared[sample],
            }
        )
    return pd.DataFrame(rows)


NOT_OF_CELLS = ["passes", "reasons", "likely_lineage"]  # columns of quality control alone
REASONS = ("ambient", "low_counts", "few_genes", "high_mt", "high_hb", "high_counts")
