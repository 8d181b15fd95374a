"""Simulated libraries beside real ones: ambient RNA, UMIs, dying cells, doublets, gene levels.

    python -m benchmarks.realism [--data FOLDER]

The same figures are computed in the same way, without the truth, in real libraries and in a
simulated cohort with default settings. Prints a table (Markdown) with the median, the lowest and
the highest library of each. Shares of T cells with genes of other cells are those of libraries
with monocytes. Libraries with few cells, and data sets that are missing, are left out.

A second table has the levels of the defining markers of LAMM and of genes of macrophages and of
monocytes: the cells of a label pooled, real labels above, simulated types (by the truth) below.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.doublets import call
from benchmarks.quality import DATA, LIMITS
from benchmarks.real_cells import NO_LABEL, gene_counts, myeloid_gate, read_sets
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.assess import assess
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

REAL = (
    "carpall/*.h5",
    "blood_chemistries/*.h5ad",
    "tumour_macrophages/malt_citeseq.h5ad",
    "tumour_macrophages/tnbc_wu_cid4465.h5ad",
)
AMBIENT_GENES = ("LYZ", "CD14", "S100A8", "HBB")  # T cells express none of them
T_GENES = ("CD3D", "CD3E", "CD3G", "TRAC")
LINEAGES = ("T_NK", "B", "plasma", "monocyte_DC", "macrophage", "neutrophil", "platelet")
MIN_KEPT, MIN_T = 150, 50  # cells that pass, and T cells among them, in a library
MIN_MONOCYTES = 0.1  # share of the kept cells; sorted T cells have no RNA of monocytes around them
DEFINERS = ("CSF1R", "CD14", "CD68")
STATE_GENES = (
    *("C1QA", "C1QB", "C1QC", "APOE", "APOC1", "TREM2", "SPP1", "CD163", "GPNMB", "FOLR2", "LGMN"),
    *("MRC1", "FCGR3A", "MS4A7", "CDKN1C", "S100A8", "S100A9", "S100A12", "VCAN", "FCN1", "LYZ"),
)
SEEN = "all three seen, %"
LABELS = {  # of real sets, in the order of the table; blood without labels is gated
    "pbmc_hao_v3": ("CD16- gate", "CD16+ gate"),
    "pbmc_frozen_v1": ("CD16- gate", "CD16+ gate"),
    "pbmc_facs": ("CD14+ Monocyte",),
    "wu_tnbc": ("Macrophage", "Monocyte"),
    "ctcl_skin": ("mono_mac",),
    "lymphoid": ("Macrophages", "Monocytes"),
}
SIMULATED = ("Classical_monocyte", "Nonclassical_monocyte", "Macrophage", "LAMM", "DC3", "CD4_T")
CD16 = 2.5  # UMIs of FCGR3A per 10,000 of a CD16+ monocyte in the gate
FEW = 10  # cells of a lineage or barcodes, for a median


def figures(shard: Shard) -> dict[str, float] | None:
    """Compute the figures of a library, or nothing if it has few cells.

    Returns
    -------
    dict
        NaN for lineages and kinds of barcodes with few members.
    """
    barcodes, qc, contamination = assess(
        shard,
        np.arange(len(shard.barcodes)),
        LIMITS,
        ambient_max_counts=100,
        rng=np.random.default_rng(0),
    )
    symbols = barcodes.genes["symbol"].astype(str).str.upper().to_numpy()
    passes = qc["passes"].to_numpy()
    is_t = passes & (qc["likely_lineage"] == "T_NK").to_numpy()
    is_t &= _umis(barcodes, symbols, T_GENES) > 0
    if passes.sum() < MIN_KEPT or is_t.sum() < MIN_T:
        return None
    monocytes = (qc["likely_lineage"] == "monocyte_DC").to_numpy()
    unsorted = monocytes[passes].mean() >= MIN_MONOCYTES
    found: dict[str, float] = {}
    for gene in AMBIENT_GENES:
        share = 100 * float((_umis(barcodes, symbols, (gene,))[is_t] > 0).mean())
        found[f"T cells with {gene}, %"] = share if unsorted else np.nan
    found["ambient RNA, % of UMIs"] = 100 * float(contamination["contamination"].iloc[0])
    counts = qc["total_counts"].to_numpy()
    typical = float(np.median(counts[is_t]))
    found["UMIs of a T cell, median"] = typical
    for lineage in LINEAGES:
        own = np.log(counts[passes & (qc["likely_lineage"] == lineage).to_numpy()])
        enough = len(own) >= FEW
        if lineage != "T_NK":
            ratio = float(np.exp(np.median(own))) / typical if enough else np.nan
            found[f"UMIs of {lineage}, relative to T cells"] = ratio
        found[f"UMIs of {lineage}, sd of log"] = float(own.std()) if enough else np.nan
    found |= _shares(qc, typical)
    _, called = call(barcodes.counts[np.flatnonzero(passes)], symbols, method="simulated")
    return found | {"cells called doublets, %": 100 * float(called.mean())}


def _shares(qc: pd.DataFrame, typical: float) -> dict[str, float]:
    """Return figures on mitochondrial UMIs and on barcodes without a cell."""
    reasons = qc["reasons"].str.split(",")
    is_ambient = np.array(["ambient" in row for row in reasons])
    high = np.array(["high_mt" in row for row in reasons])
    pct_mt = qc.loc[qc["passes"], "pct_mt"]
    has_mt = qc["pct_mt"].max() > 0
    empty = qc["total_counts"].to_numpy()[is_ambient]
    size = float(np.median(empty)) / typical if len(empty) >= FEW else np.nan
    return {
        "% mitochondrial, median of kept": float(pct_mt.median()) if has_mt else np.nan,
        "% mitochondrial, 95th percentile": float(pct_mt.quantile(0.95)) if has_mt else np.nan,
        "removed for % mitochondrial, %": 100 * float(high.mean()) if has_mt else np.nan,
        "UMIs of barcodes without a cell, relative to T cells": size,
    }


def _umis(shard: Shard, symbols: np.ndarray, genes: Iterable[str]) -> np.ndarray:
    chosen = np.flatnonzero(np.isin(symbols, list(genes)))
    return np.asarray(shard.counts[:, chosen].sum(axis=1)).ravel()


def of_files(paths: Iterable[Path]) -> pd.DataFrame:
    """Return the figures of the libraries in some files (libraries x figures)."""
    found = {}
    for path in paths:
        own = figures(read_matrix(path))
        if own is not None:
            found[path.name.split(".")[0]] = own
    return pd.DataFrame.from_dict(found, orient="index")


def levels(counts: sparse.csr_matrix, symbols: Sequence[str], labels: np.ndarray) -> pd.DataFrame:
    """Return the levels of genes in the pooled cells of each label.

    Returns
    -------
    DataFrame
        Labels x `n` (cells), UMIs per 10,000 of each gene (NaN if the genes of the set lack it),
        and the % of cells with UMIs of all three defining markers.
    """
    columns = {symbol: column for column, symbol in reversed(list(enumerate(symbols)))}
    rows = {}
    for label in np.unique(labels):
        own = counts[np.flatnonzero(labels == label)]
        sums = np.asarray(own.sum(axis=0)).ravel()
        row = {"n": float(own.shape[0])}
        for gene in (*DEFINERS, *STATE_GENES):
            known = gene in columns
            row[gene] = 1e4 * float(sums[columns[gene]]) / float(sums.sum()) if known else np.nan
        seen = own[:, [columns[gene] for gene in DEFINERS]].toarray() > 0
        row[SEEN] = 100 * float(seen.all(axis=1).mean())
        rows[str(label)] = row
    return pd.DataFrame.from_dict(rows, orient="index")


def real_levels(data: Path) -> pd.DataFrame:
    """Return the levels of the real labels that the table shows."""
    sets = read_sets(data)
    parts = []
    for name, shown in LABELS.items():
        cells = sets[name].cells
        counts, labels = sparse.csr_matrix(cells.X), np.array(cells.obs["label"], dtype=str)
        if (labels == NO_LABEL).all():
            totals = np.asarray(counts.sum(axis=1)).ravel()
            cd16 = 1e4 * gene_counts(cells, "FCGR3A").ravel() / totals >= CD16
            gated = np.where(cd16, "CD16+ gate", "CD16- gate")
            labels = np.where(myeloid_gate(cells), gated, NO_LABEL)
        found = levels(counts, list(cells.var_names), labels).loc[list(shown)]
        found.index = pd.Index([f"{name}: {label}" for label in shown])
        parts.append(found)
    return pd.concat(parts)


def simulated_levels(folder: Path) -> pd.DataFrame:
    """Return the levels of the simulated types, healthy single cells of all libraries."""
    truth = pd.read_csv(folder / "truth" / "cells.tsv.gz", sep="\t")
    odd = truth[["is_doublet", "is_empty", "is_dying"]].any(axis=1)
    truth["label"] = truth["cell_type"].where(~odd, NO_LABEL)
    shards = {
        name: read_matrix(folder / "counts" / f"{name}.h5") for name in truth["sample"].unique()
    }
    counts = sparse.vstack([shard.counts for shard in shards.values()]).tocsr()
    keys = [(name, barcode) for name, shard in shards.items() for barcode in shard.barcodes]
    labels = truth.set_index(["sample", "barcode"])["label"].loc[keys].to_numpy(dtype=str)
    symbols = next(iter(shards.values())).genes["symbol"].astype(str)
    return levels(counts, symbols.tolist(), labels).loc[list(SIMULATED)]


def print_levels(table: pd.DataFrame) -> None:
    """Print levels as a Markdown table, genes below each other; `-` where a set lacks the gene."""
    print(f"\n| | {' | '.join(table.index)} |")
    print("|---" * (len(table) + 1) + "|")
    for gene, values in table.items():
        digits = np.select([values < 1, values < 10], [2, 1], 0)
        words = [
            "-" if np.isnan(value) else f"{value:.{n}f}"
            for value, n in zip(values, digits, strict=True)
        ]
        print(f"| {gene} | {' | '.join(words)} |")


def summary(table: pd.DataFrame) -> pd.Series:
    """Return the median of each figure, with its lowest and highest value and their number."""
    words = {}
    for name, values in table.items():
        known = values.dropna()
        low, middle, high = known.quantile([0, 0.5, 1])
        spread = f"{middle:.3g} ({low:.3g} to {high:.3g}; {len(known)})"
        words[name] = spread if len(known) else "none"
    return pd.Series(words)


def main() -> int:
    """Compute the figures of both kinds of libraries and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    given = parser.parse_args()
    paths = [path for pattern in REAL for path in sorted(given.data.glob(pattern))]
    if not paths:
        print(f"no real data in {given.data}: name its folder with --data", file=sys.stderr)
        return 1
    real = of_files(paths)
    with tempfile.TemporaryDirectory() as folder:
        simulate_cohort(CohortSettings(cells=1500, patients_per_arm=2), Path(folder))
        simulated = of_files(sorted((Path(folder) / "counts").glob("*.h5")))
        of_types = simulated_levels(Path(folder)).rename(index="simulated: {}".format)
    table = pd.DataFrame({"real": summary(real), "simulated": summary(simulated)})
    table = table.reindex(real.columns).fillna("none")
    print(f"{len(real)} real libraries, {len(simulated)} simulated ones: median (range; libraries)")
    print("\n| figure | real | simulated |\n|---|---|---|")
    for name, row in table.iterrows():
        print(f"| {name} | {row['real']} | {row['simulated']} |")
    print("\nUMIs per 10,000, cells of a label pooled")
    print_levels(pd.concat([real_levels(given.data), of_types]))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
