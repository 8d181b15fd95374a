"""Cells with the beta chains of two clones, which support the call of a doublet."""

import numpy as np
import pandas as pd


def find_two_clones(beta: pd.DataFrame) -> set[str]:
    """Find cells with the beta chains of two clones, as a doublet of two T cells has.

    Each chain must be the only one of at least as many other cells of the patient as have the pair.
    A clone with two productive beta chains, as about one in a hundred T cells has, shows most often
    the pair. Doublets with a clone that has no other cell cannot be found.

    Parameters
    ----------
    beta
        Beta chains: `cell`, `patient`, `key`; the chains with the most UMIs first.
    """
    number = beta.groupby("cell")["key"].transform("size")
    alone = beta[number == 1].groupby(["patient", "key"]).size()
    several = beta[number > 1].copy()
    several["rank"] = several.groupby("cell").cumcount()
    pairs = several[several["rank"] < 2].pivot(index="cell", columns="rank", values="key")
    if pairs.empty:
        return set()
    patient = several.drop_duplicates("cell").set_index("cell")["patient"].reindex(pairs.index)
    ordered = np.sort(pairs[[0, 1]].to_numpy(dtype=str), axis=1)
    table = pd.DataFrame({"patient": patient, "a": ordered[:, 0], "b": ordered[:, 1]})
    n_pairs = table.groupby(["patient", "a", "b"])["a"].transform("size")
    is_double = pd.Series(True, index=table.index)
    for side in ("a", "b"):
        places = pd.MultiIndex.from_frame(table[["patient", side]])
        is_double &= alone.reindex(places).fillna(0).to_numpy() >= n_pairs
    return set(table.index[is_double])


def count_doublets(clones: pd.DataFrame) -> pd.DataFrame:
    """Count, per sample, cells by their beta chains, and how many of each are called doublets.

    Parameters
    ----------
    clones
        From `assign_clones`.

    Returns
    -------
    DataFrame
        `sample`; `n_one_trb`, `n_two_trb` (or more) and `n_two_clones` (cells that pass quality
        control), each with `..._called` (those that are called doublets); `n_kept_two_clones`,
        kept cells that have the chains of two clones.
    """
    groups = {
        "n_one_trb": clones["n_trb"] == 1,
        "n_two_trb": clones["n_trb"] > 1,
        "n_two_clones": clones["two_clones"],
    }
    flags: dict[str, pd.Series] = {}
    for name, chosen in groups.items():
        flags |= {name: chosen, f"{name}_called": chosen & clones["doublet"]}
    flags["n_kept_two_clones"] = clones["two_clones"] & clones["kept"]
    sums = pd.DataFrame(flags).astype(int).groupby(clones["sample"]).sum()
    return sums.reset_index()
