"""Count cells per sample and population, and LAMM fractions for figures."""

from collections.abc import Collection, Sequence

import pandas as pd

from lammscope.core.lamm_rows import is_at_level, lamm_rows
from lammscope.core.names import LAMM_ROWS, LEVELS, NOT_IMMUNE


def count_cells(cells: pd.DataFrame, samples: pd.DataFrame, *, probability: float) -> pd.DataFrame:
    """Count cells per sample and population, zeros included.

    Parameters
    ----------
    cells
        `sample`, `population`, `lineage`, `lamm_call`, `lamm_positive`, `lamm_macrophage_like` per
        cell.
    samples
        The sample table. Samples without cells are counted as well.
    probability
        Probability from which a cell is called at a LAMM level.

    Returns
    -------
    DataFrame
        `sample`, `population`, `lineage`, `n_cells`, `partition`. There are always rows of LAMM
        (called cells), LAMM_positive and LAMM_macrophage_like (cells at either level): monocytic
        cells that are counted in their population, too (`partition` False).
    """
    pairs = cells[["population", "lineage"]].drop_duplicates("population").astype(str)
    lineages = dict(zip(pairs["population"], pairs["lineage"], strict=True))
    names = sorted(samples["sample"])
    table = pd.crosstab(cells["sample"].astype(str), cells["population"].astype(str))
    table = table.reindex(index=names, columns=sorted(lineages), fill_value=0)
    for row, called in lamm_rows(cells, probability=probability).items():
        table[row] = _count(cells[called], names)
    table = table.astype(int).reset_index(names="sample")
    long = table.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long = long.sort_values(["sample", "population"], ignore_index=True)
    long["lineage"] = long["population"].map(lineages | dict.fromkeys(LAMM_ROWS, "monocytic"))
    long["partition"] = ~long["population"].isin(LAMM_ROWS)
    return long[["sample", "population", "lineage", "n_cells", "partition"]]


def count_thresholds(
    cells: pd.DataFrame, samples: pd.DataFrame, *, thresholds: Sequence[float]
) -> pd.DataFrame:
    """Count LAMM cells per sample at other thresholds on the probability of a call.

    The parameters are those of `count_cells`. Returns `sample`, `level`, `threshold` and `n_cells`,
    zeros included.
    """
    names = sorted(samples["sample"])
    tables = []
    for level in LEVELS:
        for threshold in sorted(set(thresholds)):
            n_cells = _count(cells[is_at_level(cells, level, probability=threshold)], names)
            about = {"sample": names, "level": level, "threshold": threshold}
            tables.append(pd.DataFrame(about | {"n_cells": n_cells.to_numpy()}))
    return pd.concat(tables, ignore_index=True)


def sum_scores(
    cells: pd.DataFrame, samples: pd.DataFrame, *, corrected: pd.DataFrame
) -> pd.DataFrame:
    """Sum the LAMM score of the monocytic cells of each sample, and the probabilities of all.

    Parameters
    ----------
    cells
        `sample`, `lamm_score` (missing for other cells), `lamm_positive`, `lamm_macrophage_like`.
    samples
        The sample table.
    corrected
        From `recall.correct_samples`.

    Returns
    -------
    DataFrame
        `sample`, `n_scored` (cells), `total_score`, `mean_score` (missing without cells);
        `expected_positive`, `expected_macrophage_like`, the expected number of cells at each level;
        and `corrected_macrophage_like`, the number of called cells corrected for recall.
    """
    names = sorted(samples["sample"])
    columns = ["lamm_score", *(f"lamm_{level}" for level in LEVELS)]
    sums = cells[columns].groupby(cells["sample"].astype(str)).sum().reindex(names, fill_value=0)
    n_scored = _count(cells[cells["lamm_score"].notna()], names)
    about = {
        "sample": names,
        "n_scored": n_scored.to_numpy(),
        "total_score": sums["lamm_score"].to_numpy(),
        "mean_score": (sums["lamm_score"] / n_scored.where(n_scored > 0)).to_numpy(),
    }
    expected = {f"expected_{level}": sums[f"lamm_{level}"].to_numpy() for level in LEVELS}
    numbers = corrected.set_index("sample")["n_corrected"].reindex(names, fill_value=0.0)
    return pd.DataFrame(about | expected | {"corrected_macrophage_like": numbers.to_numpy()})


def _count(cells: pd.DataFrame, names: list[str]) -> pd.Series:
    return cells["sample"].value_counts().reindex(names, fill_value=0)


# --- LAMM fractions -------------------------------------------------------------------------------


def lamm_fractions(
    counts: pd.DataFrame, *, level: str, excluded: Collection[str] = ()
) -> pd.DataFrame:
    """Compute LAMM cells per sample at a level, and their fractions.

    Populations in `excluded` are left out of denominators, but for monocytic ones, since LAMM cells
    may be among them (as in `fractions.families`).

    Returns
    -------
    DataFrame
        Indexed by `sample`: `n_lamm`; and for `monocytic`, `immune` and `all` cells `n_immune`, ...
        and `of_immune`, ... (0 to 1; missing if the denominator is empty).
    """
    left_out = counts["population"].isin(list(excluded)) & (counts["lineage"] != "monocytic")
    parts = counts[counts["partition"].astype(bool) & ~left_out]
    rows = counts[counts["population"] == f"LAMM_{level}"]
    table = pd.DataFrame({"n_all": parts.groupby("sample")["n_cells"].sum()})
    lineage = parts["lineage"]
    members = {"monocytic": lineage == "monocytic", "immune": ~lineage.isin(NOT_IMMUNE)}
    for name, chosen in members.items():
        n_cells = parts[chosen].groupby("sample")["n_cells"].sum()
        table[f"n_{name}"] = n_cells.reindex(table.index).fillna(0).astype(int)
    table["n_lamm"] = rows.groupby("sample")["n_cells"].sum().reindex(table.index).fillna(0)
    table["n_lamm"] = table["n_lamm"].astype(int)
    for denominator in ("monocytic", "immune", "all"):
        whole = table[f"n_{denominator}"].where(table[f"n_{denominator}"] > 0)
        table[f"of_{denominator}"] = table["n_lamm"] / whole
    return table
