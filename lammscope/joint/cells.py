"""The cell index: the barcodes that all later steps use."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd


def select_cells(
    qc: dict[str, pd.DataFrame],
    doublets: pd.DataFrame,
    *,
    patients: dict[str, str],
    dropped: Collection[str] = (),
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
    dropped
        Samples whose cells are left out.

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
        table = qc[sample] if sample not in dropped else qc[sample].iloc[:0]
        passed = table.assign(position=np.arange(len(table), dtype=np.int64))[table["passes"]]
        passed = passed.sort_values("barcode").drop(columns=NOT_OF_CELLS, errors="ignore")
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
            + (", or set `qc.on_failed: keep`" if dropped else "")
        )
    first = ["cell", "sample", "barcode", "position", "patient"]
    return cells[first + [name for name in cells if name not in first]].reset_index(drop=True)


def summarize_qc(
    qc: Mapping[str, pd.DataFrame],
    cells: pd.DataFrame,
    *,
    shared: Mapping[str, str],
    dropped: Collection[str] = (),
) -> pd.DataFrame:
    """Count barcodes per sample: read, removed by first reason, removed as doublets, and kept.

    `shared_barcodes` says with which samples a sample shares many (`shared_cells.check_samples`).
    `n_dropped` are the barcodes that pass in samples whose cells are left out (`dropped`).
    """
    kept = cells["sample"].value_counts()
    rows = []
    for sample in sorted(qc):
        table = qc[sample]
        is_dropped = sample in dropped
        passing = table[table["passes"]]
        rows.append(
            {
                "sample": sample,
                **_numbers(table, n_cells=int(kept.get(sample, 0)), is_dropped=is_dropped),
                "median_counts": passing["total_counts"].median(),
                "median_genes": passing["n_genes"].median(),
                "median_pct_mt": passing["pct_mt"].median(),
                "shared_barcodes": shared[sample],
            }
        )
    return pd.DataFrame(rows)


def summarize_lineages(
    qc: Mapping[str, pd.DataFrame], cells: pd.DataFrame, *, dropped: Collection[str] = ()
) -> pd.DataFrame:
    """Count barcodes per sample and likely lineage: as `summarize_qc`, and what share is lost.

    Returns
    -------
    DataFrame
        `sample`, `likely_lineage`, `n_barcodes`, `n_<reason>` by first reason, `n_doublets`,
        `n_dropped`, `n_cells`, and `pct_lost`: of the barcodes that are no ambient RNA and have
        enough UMIs and genes.
    """
    positions = cells.groupby("sample")["position"]
    rows = []
    for sample in sorted(qc):
        table = qc[sample]
        is_cell = np.zeros(len(table), dtype=bool)
        if sample in positions.groups:
            is_cell[positions.get_group(sample)] = True
        for lineage, own in table.assign(is_cell=is_cell).groupby("likely_lineage"):
            numbers = _numbers(own, n_cells=int(own["is_cell"].sum()), is_dropped=sample in dropped)
            large = numbers["n_barcodes"] - sum(numbers[f"n_{reason}"] for reason in SMALL)
            lost = 100 * (1 - numbers["n_cells"] / large) if large else np.nan
            rows.append({"sample": sample, "likely_lineage": lineage, **numbers, "pct_lost": lost})
    return pd.DataFrame(rows)


def _numbers(table: pd.DataFrame, *, n_cells: int, is_dropped: bool) -> dict[str, int]:
    """Count barcodes: all, removed by first reason, as doublets or with their sample, and kept."""
    passed = int(table["passes"].sum())
    first_reason = table.loc[~table["passes"], "reasons"].str.split(",").str[0]
    removed = first_reason.value_counts()
    return {
        "n_barcodes": len(table),
        **{f"n_{name}": int(removed.get(name, 0)) for name in REASONS},
        "n_doublets": 0 if is_dropped else passed - n_cells,
        "n_dropped": passed if is_dropped else 0,
        "n_cells": n_cells,
    }


# columns of quality control alone
NOT_OF_CELLS = ["ambient_deviance", "passes", "reasons", "likely_lineage"]
SMALL = ("ambient", "low_counts", "few_genes")  # reasons of barcodes that may hold no cell
REASONS = (*SMALL, "high_mt", "high_hb", "high_counts")
