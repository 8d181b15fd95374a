"""Clones of T cells within patients: clonality of samples, and clones of CAR-T cells.

A clone is the cells of a patient with the same beta chain: V gene, J gene and CDR3 nucleotides.
Cell Ranger and scirpy (`define_clonotypes`, receptor_arms="all") also ask for the same alpha chain,
which many cells lack by chance, so that a clone falls apart. Bulk sequencing counts beta chains as
here.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import binom

from lammscope.axis.clone_doublets import find_two_clones
from lammscope.core.names import UNKNOWN_CAR_T, Array

T_LINEAGE = "T"  # the row of all T cells, and their lineage
CAR_T = "CAR_T"
N_DRAWN = 20  # cells in which expanded clones are counted; our choice
TOP = 10  # largest clones
MEASURES = ("clonality", "largest_clone", "expanded_of_20")  # of the measures table
COLUMNS = [  # of the table of cells
    *("cell", "sample", "patient", "clone", "trb_v", "trb_j", "trb_cdr3", "trb_cdr3_nt"),
    *("tra_cdr3", "n_trb", "n_tra", "two_clones"),
]
OF_CHAINS = {"v": "trb_v", "j": "trb_j", "amino_acids": "trb_cdr3", "nucleotides": "trb_cdr3_nt"}


def assign_clones(
    chains: pd.DataFrame, cells: pd.DataFrame, *, patients: Mapping[str, str]
) -> pd.DataFrame:
    """Give each cell with a receptor its clone.

    The clone is that of the beta chain with the most UMIs. If some beta chains of a patient have no
    nucleotides, the amino acids of all of that patient are compared.

    Parameters
    ----------
    chains
        From `contigs.match_contigs`; the chains of a cell with the most UMIs first.
    cells
        From `contigs.passing_cells`.
    patients
        The patient of each sample.

    Returns
    -------
    DataFrame
        Cells with a chain, those called doublets too: the columns of `cells`, `patient`, `clone`
        (such as `P01_clone1`, by the number of kept cells; missing without a beta chain), `trb_v`,
        `trb_j`, `trb_cdr3`, `trb_cdr3_nt`, `tra_cdr3`, `n_trb`, `n_tra`, and `two_clones`.
    """
    chains = chains.assign(patient=chains["sample"].map(patients))
    beta = chains[chains["chain"] == "TRB"].copy()
    lacking = set(beta.loc[beta["nucleotides"] == "", "patient"])
    by_protein = beta["patient"].isin(lacking) & (beta["amino_acids"] != "")
    sequence = beta["nucleotides"].mask(by_protein, beta["amino_acids"])
    beta["key"] = beta["v"] + " " + beta["j"] + " " + sequence
    main = beta.drop_duplicates("cell").set_index("cell").rename(columns=OF_CHAINS)
    alpha = chains[chains["chain"] == "TRA"]
    main_alpha = alpha.drop_duplicates("cell").set_index("cell")
    cdr3 = main_alpha["amino_acids"].where(
        main_alpha["amino_acids"] != "", main_alpha["nucleotides"]
    )
    table = cells[cells["cell"].isin(chains["cell"])].copy()
    table["patient"] = table["sample"].map(patients)
    for column in ("key", *OF_CHAINS.values()):
        table[column] = table["cell"].map(main[column])
    table["tra_cdr3"] = table["cell"].map(cdr3)
    for name, part in (("n_trb", beta), ("n_tra", alpha)):
        numbers = part["cell"].value_counts()
        table[name] = table["cell"].map(numbers).fillna(0).astype(int)
    table["clone"] = _clone_names(table)
    table["two_clones"] = table["cell"].isin(find_two_clones(beta))
    return table.drop(columns="key").reset_index(drop=True)


def _clone_names(table: pd.DataFrame) -> pd.Series:
    """Name the clones of each patient by their kept cells; equal ones by sequence."""
    known = table.dropna(subset="key")
    sizes = known.groupby(["patient", "key"])["kept"].sum().reset_index(name="size")
    sizes = sizes.sort_values(["patient", "size", "key"], ascending=[True, False, True])
    number = sizes.groupby("patient").cumcount() + 1
    sizes["name"] = sizes["patient"] + "_clone" + number.astype(str)
    names = sizes.set_index(["patient", "key"])["name"]
    found = names.reindex(pd.MultiIndex.from_frame(known[["patient", "key"]])).to_numpy()
    return pd.Series(found, index=known.index, dtype="str").reindex(table.index)


def clonality(sizes: Array) -> float:
    """Return the probability that two cells, drawn without replacement, are of one clone.

    The unbiased estimate of Simpson's index: its mean does not depend on the number of cells.

    Parameters
    ----------
    sizes : cells of each clone.

    Returns
    -------
    float
        0 (every cell of its own clone) to 1; missing with fewer than two cells.

    References
    ----------
    Simpson 1949, Measurement of diversity. Nature 163:688.
    """
    n_cells = sizes.sum()
    if n_cells < 2:
        return np.nan
    return float((sizes * (sizes - 1)).sum() / (n_cells * (n_cells - 1)))


def shannon_clonality(sizes: Array) -> float:
    """Return one minus the Shannon entropy relative to that of as many equal clones.

    It depends on the number of cells. A single clone gives 1. As in immunoSEQ and scirpy
    (`normalized_shannon_entropy`); missing with fewer than two cells.
    """
    if sizes.sum() < 2:
        return np.nan
    if len(sizes) == 1:
        return 1.0
    shares = sizes / sizes.sum()
    return float(1 + (shares * np.log(shares)).sum() / np.log(len(sizes)))


def expanded_share(sizes: Array, *, n_drawn: int) -> float:
    """Return the share of cells in clones of two or more, expected in `n_drawn` random cells.

    Of all cells, this share grows with their number. In a draw of fixed size it does not (Hurlbert
    1971, Ecology 52:577, rarefaction). With two cells it is `clonality`; missing with fewer cells
    than are drawn.
    """
    n_cells = sizes.sum()
    if n_cells < max(n_drawn, 2):
        return np.nan
    alone = binom(n_cells - sizes, n_drawn - 1) / binom(n_cells - 1, n_drawn - 1)
    return float(1 - (sizes / n_cells * alone).sum())


def _largest(sizes: Array) -> float:
    return float(sizes.max() / sizes.sum()) if sizes.sum() >= 2 else np.nan


def _ten_largest(sizes: Array) -> float:
    return float(np.sort(sizes)[-TOP:].sum() / sizes.sum()) if sizes.sum() >= 2 else np.nan


def _expanded(sizes: Array) -> float:
    return float(sizes[sizes > 1].sum() / sizes.sum()) if sizes.sum() >= 2 else np.nan


OF_CLONES: dict[str, Callable[[Array], float]] = {
    "clonality": clonality,
    "shannon_clonality": shannon_clonality,
    "largest_clone": _largest,
    "ten_largest_clones": _ten_largest,
    "expanded_clones": _expanded,
    "expanded_of_20": lambda sizes: expanded_share(sizes, n_drawn=N_DRAWN),
}


def measure_clones(clones: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Measure the clones of each sample with contigs: of all T cells, and of their populations.

    Parameters
    ----------
    clones
        From `assign_clones`; doublets that are not kept are not counted.
    cells
        From `contigs.passing_cells`, of the samples with contigs.

    Returns
    -------
    DataFrame
        `sample`, `population` (`T` for all T cells), `n_cells`, `n_with_clone`, `n_clones`, the
        measures `OF_CLONES` (shares, 0 to 1; missing with fewer than two cells with a clone, or 20
        for `expanded_of_20`), and of CAR-T cells `n_clones_of_negative`: the clones that are also
        seen in CAR-negative T cells of the patient, in any sample. All T cells are always a row.
    """
    cells = cells[cells["is_t"]]
    own = clones[clones["is_t"] & clones["clone"].notna()]
    negative = own[own["car"] == "negative"]
    of_negative = set(negative["clone"])  # names hold the patient
    rows = []
    for sample in sorted(cells["sample"].unique()):
        of_sample, with_clone = cells[cells["sample"] == sample], own[own["sample"] == sample]
        for population in (T_LINEAGE, *sorted(of_sample["population"].unique())):
            is_all = population == T_LINEAGE
            names = with_clone["clone"][is_all | (with_clone["population"] == population)]
            sizes = names.value_counts().to_numpy(dtype=float)
            n_cells = len(of_sample) if is_all else (of_sample["population"] == population).sum()
            row: dict[str, object] = {"sample": sample, "population": population}
            row |= {"n_cells": int(n_cells), "n_with_clone": len(names), "n_clones": len(sizes)}
            row |= {name: measure(sizes) for name, measure in OF_CLONES.items()}
            if population == CAR_T:
                row["n_clones_of_negative"] = len(set(names) & of_negative)
            rows.append(row)
    columns = ["sample", "population", "n_cells", "n_with_clone", "n_clones", *OF_CLONES]
    table = pd.DataFrame(rows, columns=[*columns, "n_clones_of_negative"])
    return table.astype({"n_clones_of_negative": "Int64"})


def measures_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return the measures that can be tested as patient values, in the format of measures.

    Parameters
    ----------
    table
        From `measure_clones`.

    Returns
    -------
    DataFrame
        `sample`, `population`, `measure`, `kind` (`mean`), `total` (value times cells) and
        `n_cells` (with a clone). Values that are missing have no row, nor have T cells that may be
        CAR-T cells, which are not tested.
    """
    tested = table[table["population"] != UNKNOWN_CAR_T]
    long = tested.melt(
        id_vars=["sample", "population", "n_with_clone"],
        value_vars=list(MEASURES),
        var_name="measure",
    ).dropna(subset="value")
    long = long.assign(kind="mean", total=long["value"] * long["n_with_clone"])
    long = long.rename(columns={"n_with_clone": "n_cells"})
    long = long.sort_values(["sample", "population", "measure"], ignore_index=True)
    return long[["sample", "population", "measure", "kind", "total", "n_cells"]]
