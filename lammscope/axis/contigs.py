"""T-cell receptor chains of cells, from contig tables of Cell Ranger or in the AIRR format."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from lammscope.cohort.contig_files import GIVE, read_contig_head
from lammscope.core.barcodes import nucleotides_of
from lammscope.core.files import named_errors, open_text
from lammscope.joint.shared_cells import BARCODES_OF_KIT

CHAINS = ("TRA", "TRB")
TRUE = ("true", "t", "1")
TEXT = ("barcode", "chain", "v", "j", "nucleotides", "amino_acids")
# Our choices. Contigs of the sample itself match most of its T cells, those of another one only by
# chance.
MIN_MATCHED = 0.05  # of the barcodes with a receptor, or of the T cells, beyond chance
FEW_MATCHED = 0.2  # of the T cells; fewer are named
OTHER_MATCHED = 0.3  # of the barcodes: the sample whose contigs these are
MIN_JUDGED = 10  # barcodes and cells; fewer show nothing
RARE_AFFIX = 0.1  # of the most frequent prefix and suffix; rarer ones match by chance


def read_contigs(path: str | Path) -> pd.DataFrame:
    """Read the productive alpha and beta chains of a table of contigs.

    Contigs must be of high confidence and of a cell, where the table says so. Contigs of a cell
    with the same CDR3 are one chain: a rearrangement is not made twice, but its V gene may be
    ambiguous.

    Returns
    -------
    DataFrame
        `barcode`, `chain` (TRA or TRB), `v`, `j` (genes without alleles), `nucleotides`,
        `amino_acids` (of the CDR3 with its conserved ends; empty if the table has none) and `umis`;
        one row per barcode and chain, those with the most UMIs first.

    Raises
    ------
    ValueError
        If the file cannot be read, lacks columns, or has a number of UMIs that is none.
    """
    separator, columns = read_contig_head(path)
    with named_errors(path), open_text(Path(path)) as handle:
        table = pd.read_csv(
            handle, sep=separator, usecols=list(columns), dtype="str", keep_default_na=False
        )
        table = table.rename(columns=columns).fillna("")
        table = table.reindex(columns=[*table, *(c for c in TEXT if c not in table)], fill_value="")
        for flag in ("productive", "is_cell", "high_confidence"):
            if flag in table:
                table = table[table[flag].str.lower().isin(TRUE)]
        for gene in ("v", "j"):
            table[gene] = table[gene].str.replace(r"[,*].*$|^None$", "", regex=True)
        for sequence in ("nucleotides", "amino_acids"):
            table[sequence] = table[sequence].str.upper().replace("NONE", "")
        named = table["chain"].where(table["chain"] != "", table["j"].str[:3])
        table["chain"] = named.str.upper()
        has_sequence = (table["nucleotides"] + table["amino_acids"]) != ""
        table = table[table["chain"].isin(CHAINS) & has_sequence & (table["barcode"] != "")]
        table["umis"] = _umis(table["umis"])
    order = ["barcode", "chain", "umis", "nucleotides", "amino_acids"]
    table = table.sort_values(order, ascending=[True, True, False, True, True])
    same = ["barcode", "chain", "nucleotides", "amino_acids"]
    sums = table.groupby(same)["umis"].transform("sum")
    table = table.assign(umis=sums).drop_duplicates(same)
    table = table.sort_values(order, ascending=[True, True, False, True, True], ignore_index=True)
    return table[[*TEXT, "umis"]]


def _umis(texts: pd.Series) -> pd.Series:
    umis = pd.to_numeric(texts, errors="coerce")
    wrong = umis.index[umis.isna() | (umis < 0)]
    if len(wrong):
        raise ValueError(
            f"row {wrong[0] + 2}: the number of UMIs is `{texts[wrong[0]]}`, not a number; {GIVE}"
        )
    return umis


def match_contigs(
    contigs: Mapping[str, pd.DataFrame], cells: pd.DataFrame, *, files: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Find the cells of all contigs.

    Parameters
    ----------
    contigs
        Chains from `read_contigs` by sample.
    cells
        The barcodes of all samples that pass quality control, doublets included: `cell`, `sample`,
        `barcode`, `kept` (in the cell index) and `is_t` (kept, and a T cell).
    files
        The file of each sample's contigs, for messages.

    Returns
    -------
    chains
        The chains whose barcode is such a cell, with `cell` and `sample`.
    matched
        Per sample with contigs: `sample`, `n_barcodes` (with a chain), `n_matched` (of these, cells
        that pass), `n_t_cells` (kept), `n_t_with_trb`, `n_other_with_trb` (kept cells of other
        lineages with a beta chain), and a `note`, empty if nothing is to be said.

    Raises
    ------
    ValueError
        If hardly any barcode of a sample's contigs is one of its cells; for all such samples: the
        file, the numbers, the sample whose contigs they may be, and the remedy.
    """
    by_sample = {str(sample): part for sample, part in cells.groupby("sample")}
    none = cells.iloc[:0]
    parts, rows, foreign = [], [], []
    for sample, table in contigs.items():
        own = by_sample.get(sample, none)
        names = pd.Index(table["barcode"].unique())
        found = find_cells(names, own)
        n_t = int(own["is_t"].sum())
        share_of_t = own.loc[own["is_t"], "cell"].isin(found).mean() if n_t else 0.0
        is_judged = min(len(names), len(own)) >= MIN_JUDGED
        beyond = len(found) / max(len(names), 1) - len(own) / BARCODES_OF_KIT
        beyond_of_t = share_of_t - len(names) / BARCODES_OF_KIT
        if is_judged and max(beyond, beyond_of_t) < MIN_MATCHED:
            foreign.append(_refusal(sample, names, len(found), by_sample, files[sample]))
        chains = table[table["barcode"].isin(found.index)].assign(sample=sample)
        chains = chains.assign(cell=chains["barcode"].map(found))
        about = {"sample": sample, "n_barcodes": len(names), "n_matched": len(found)}
        rows.append(about | _receptors_of(chains, own))
        parts.append(chains)
    if foreign:
        raise ValueError("\nlammscope: ".join(foreign))
    chains = pd.concat(parts, ignore_index=True)
    return chains[["cell", "sample", *TEXT[1:], "umis"]], pd.DataFrame(rows)


def find_cells(names: pd.Index, cells: pd.DataFrame) -> pd.Series:
    """Find the cells that barcodes of a contig table name.

    Barcodes are compared as they are, then with names of cells (`sample_barcode`, as in tables that
    were joined), then by their nucleotides, without prefixes such as `P1_` and suffixes such as
    `-1`. The first way is taken that finds at least half as many as the last one.

    Parameters
    ----------
    names
        Barcodes, each once.
    cells
        `cell` and `barcode` of one sample.

    Returns
    -------
    Series
        The cell of each barcode that is found, by its name in the contig table.
    """
    by_nucleotides = _find_nucleotides(names, cells)
    for key in ("barcode", "cell"):
        known = cells.set_index(key, drop=False)["cell"]
        found = known.reindex(names).dropna()
        if len(found) and 2 * len(found) >= len(by_nucleotides):
            return found
    return by_nucleotides


def _find_nucleotides(names: pd.Index, cells: pd.DataFrame) -> pd.Series:
    """Find cells by nucleotides; those that are named twice are left out.

    A table of several libraries names each barcode with a prefix or suffix of its own. Only those
    are used that many of the found barcodes have: the others are of other libraries.
    """
    known = pd.Series(cells["cell"].to_numpy(), index=nucleotides_of(cells["barcode"]))
    known = known[known.index.notna() & ~known.index.duplicated(keep=False)]
    own = nucleotides_of(names.to_numpy())
    table = pd.DataFrame({"name": names, "nucleotides": own, "cell": own.map(known)}).dropna()
    affix = [a.replace(b, " ") for a, b in zip(table["name"], table["nucleotides"], strict=True)]
    number = pd.Series(affix, index=table.index).map(pd.Series(affix).value_counts())
    table = table[number >= RARE_AFFIX * number.max()]
    table = table[~table["cell"].duplicated(keep=False)]
    found: pd.Series = table.set_index("name")["cell"]
    return found


def _receptors_of(chains: pd.DataFrame, cells: pd.DataFrame) -> dict[str, object]:
    """Count cells with a beta chain, and say what is to be known of a sample's contigs."""
    with_trb = cells["cell"].isin(chains.loc[chains["chain"] == "TRB", "cell"])
    n_t, n_found = int(cells["is_t"].sum()), int((with_trb & cells["is_t"]).sum())
    note = ""
    if chains.empty:
        note = "no productive chain of these contigs is of a cell of the sample"
    elif n_t >= MIN_JUDGED and n_found < FEW_MATCHED * n_t:
        note = f"only {n_found} of {n_t} T cells have a beta chain: are these all contigs of it?"
    elif n_t < MIN_JUDGED:
        note = f"too few T cells ({n_t}) to tell whether the contigs are of this sample"
    return {
        "n_t_cells": n_t,
        "n_t_with_trb": n_found,
        "n_other_with_trb": int((with_trb & cells["kept"] & ~cells["is_t"]).sum()),
        "note": note,
    }


def _refusal(
    sample: str, names: pd.Index, n_found: int, by_sample: Mapping[str, pd.DataFrame], file: str
) -> str:
    """Say that contigs are not of their sample, and of which they may be."""
    shares = {
        other: len(find_cells(names, cells)) / len(names)
        for other, cells in by_sample.items()
        if other != sample
    }
    best = max(shares, key=lambda other: shares[other], default="")
    hint = ""
    if best and shares[best] >= OTHER_MATCHED:
        hint = f" ({100 * shares[best]:.0f} % are cells of `{best}`: are the files swapped?)"
    own = by_sample[sample]["barcode"]
    return (
        f"{file}: contigs of sample `{sample}`: only {n_found} of {len(names)} barcodes with a "
        f"receptor are among the sample's {len(own)} cells (contigs name {names[0]}, the matrix "
        f"{own.iloc[0]}); they are likely the contigs of another sample{hint}. "
        "Correct `contigs` in the sample sheet, or leave it empty"
    )


def passing_cells(
    qc: Mapping[str, pd.DataFrame],
    index: pd.DataFrame,
    annotated: pd.DataFrame,
    *,
    doublets: pd.DataFrame,
) -> pd.DataFrame:
    """Return the barcodes that may have a receptor: those that pass, doublets included.

    Parameters
    ----------
    qc
        `barcode` and `passes` of the samples with contigs.
    index
        The cell index, whose `cell`, `sample` and `barcode` stand for the other samples.
    annotated
        `cell`, `lineage`, `population`, `car` of the kept cells.
    doublets
        `cell` and `doublet` of the samples with contigs.

    Returns
    -------
    DataFrame
        `cell`, `sample`, `barcode`, `doublet`, `kept`, `is_t`; and of kept cells `lineage`,
        `population` and `car`.
    """
    parts = [index.loc[~index["sample"].isin(list(qc)), ["cell", "sample", "barcode"]]]
    for sample, table in qc.items():
        barcode = table.loc[table["passes"].astype(bool), "barcode"].astype(str)
        about = {"cell": sample + "_" + barcode, "sample": sample, "barcode": barcode}
        parts.append(pd.DataFrame(about))
    cells = pd.concat(parts, ignore_index=True)
    called = doublets.set_index("cell")["doublet"].astype(bool)
    cells["doublet"] = cells["cell"].map(called).fillna(False).astype(bool)
    cells["kept"] = cells["cell"].isin(annotated["cell"])
    of_cells = annotated[["cell", "lineage", "population", "car"]]
    cells = cells.merge(of_cells, on="cell", how="left", validate="one_to_one")
    return cells.assign(is_t=np.asarray(cells["lineage"] == "T", dtype=bool))
