"""Count cells per sample and population, and LAMM fractions for figures."""

from collections.abc import Sequence

import pandas as pd

from lammscope.core.names import LAMM_LEVELS, LEVELS


def count_cells(cells: pd.DataFrame, samples: pd.DataFrame, *, probability: float) -> pd.DataFrame:
    """Count cells per sample and population, zeros included.

    Parameters
    ----------
    cells
        `sample`, `population`, `lineage`, `lamm_positive`, `lamm_elevated` per cell.
    samples
        The sample table. Samples without cells are counted as well.
    probability
        Probability from which a cell is called at a LAMM level.

    Returns
    -------
    DataFrame
        `sample`, `population`, `lineage`, `n_cells`, `partition`. There are always rows of LAMM.
        LAMM_positive and LAMM_elevated count the same cells at either level (`partition` False).
    """
    pairs = cells[["population", "lineage"]].drop_duplicates("population").astype(str)
    lineages = dict(zip(pairs["population"], pairs["lineage"], strict=True))
    lineages = dict(sorted({**lineages, "LAMM": "monocytic"}.items()))
    names = sorted(samples["sample"])
    table = pd.crosstab(cells["sample"].astype(str), cells["population"].astype(str))
    table = table.reindex(index=names, columns=list(lineages), fill_value=0)
    for level in LEVELS:
        table[f"LAMM_{level}"] = _count_called(cells, names, level=level, threshold=probability)
    table = table.astype(int).reset_index(names="sample")
    long = table.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long = long.sort_values(["sample", "population"], ignore_index=True)
    lineages |= dict.fromkeys(LAMM_LEVELS, "monocytic")
    long["lineage"] = long["population"].map(lineages)
    long["partition"] = ~long["population"].isin(LAMM_LEVELS)
    return long[["sample", "population", "lineage", "n_cells", "partition"]]


def count_thresholds(
    cells: pd.DataFrame, samples: pd.DataFrame, *, thresholds: Sequence[float]
) -> pd.DataFrame:
    """Count LAMM cells per sample at other thresholds on the probability of a call.

    The parameters are those of `count_cells`. Returns `sample`, `level` (positive, elevated),
    `threshold` and `n_cells`, zeros included.
    """
    names = sorted(samples["sample"])
    tables = []
    for level in LEVELS:
        for threshold in sorted(set(thresholds)):
            n_cells = _count_called(cells, names, level=level, threshold=threshold)
            about = {"sample": names, "level": level, "threshold": threshold}
            tables.append(pd.DataFrame(about | {"n_cells": n_cells.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def _count_called(
    cells: pd.DataFrame, names: list[str], *, level: str, threshold: float
) -> pd.Series:
    """Count LAMM cells of each sample at a threshold on the probability of a level."""
    called = cells.loc[cells[f"lamm_{level}"] >= threshold, "sample"].value_counts()
    return called.reindex(names, fill_value=0)


# --- LAMM fractions -------------------------------------------------------------------------------


def lamm_fractions(counts: pd.DataFrame, *, level: str) -> pd.DataFrame:
    """Compute LAMM cells per sample at a level, and their fractions of monocytic and all cells.

    Returns
    -------
    DataFrame
        Indexed by `sample`: `n_lamm`, `n_monocytic`, `n_all`, `of_monocytic`, `of_all` (0 to 1;
        missing if the denominator is empty).
    """
    parts = counts[counts["partition"].astype(bool)]
    rows = counts[counts["population"] == f"LAMM_{level}"]
    if rows.empty:
        rows = parts[parts["population"] == "LAMM"]
    table = pd.DataFrame({"n_all": parts.groupby("sample")["n_cells"].sum()})
    monocytic = parts[parts["lineage"] == "monocytic"].groupby("sample")["n_cells"].sum()
    table["n_monocytic"] = monocytic.reindex(table.index).fillna(0).astype(int)
    table["n_lamm"] = rows.groupby("sample")["n_cells"].sum().reindex(table.index).fillna(0)
    table["n_lamm"] = table["n_lamm"].astype(int)
    for denominator in ("monocytic", "all"):
        whole = table[f"n_{denominator}"].where(table[f"n_{denominator}"] > 0)
        table[f"of_{denominator}"] = table["n_lamm"] / whole
    return table
