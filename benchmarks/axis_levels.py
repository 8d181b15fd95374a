"""UMIs of the genes of PGE2 in the cell types of real sets."""

from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.gene_set_cohorts import read_cells
from benchmarks.real_cells import gene_counts, read_sets

GENES = {
    "cyclooxygenase": "PTGS1 PTGS2",
    "committed synthase": "PTGES",
    "synthases of nearly all cells": "PTGES2 PTGES3",
    "breakdown, uptake, export": "HPGD SLCO2A1 ABCC4",
    "receptors": "PTGER1 PTGER2 PTGER3 PTGER4",
}
MIN_CELLS = 20


def print_levels(data: Path) -> None:
    """Print UMIs per 10,000 and the share of cells with a UMI; a dash for genes of no matrix."""
    names = " ".join(GENES.values()).split()
    rows = []
    for name, real in read_sets(data).items():
        counts, has = gene_counts(real.cells, " ".join(names)), set(real.cells.var_names)
        total = np.asarray(real.cells.X.sum(axis=1)).ravel()
        labels = real.cells.obs["label"].to_numpy(dtype=str)
        rows += [
            _row(name, label, labels == label, counts, total, has, names)
            for label in sorted(set(labels))
        ]
    for name, cells in read_cells(data).items():
        place = {gene: i for i, gene in enumerate(cells.genes)}
        own = [gene for gene in names if gene in place]
        counts = np.zeros((cells.counts.shape[0], len(names)))
        for gene in own:
            counts[:, names.index(gene)] = cells.counts[:, [place[gene]]].toarray()[:, 0]
        total = np.asarray(cells.counts.sum(axis=1)).ravel()
        everyone = np.ones(len(total), dtype=bool)
        if name.startswith("CAR-T"):
            rows.append(_row("carpall", name, everyone, counts, total, set(own), names))
    table = pd.DataFrame(rows)
    table = table[table["cells"] >= MIN_CELLS]
    print(table.to_string(index=False))


def _row(
    name: str,
    label: str,
    mine: np.ndarray,
    counts: np.ndarray,
    total: np.ndarray,
    has: set[str],
    names: list[str],
) -> dict[str, object]:
    row: dict[str, object] = {"set": name, "label": label[:24], "cells": int(mine.sum())}
    for i, gene in enumerate(names):
        rate = 1e4 * counts[mine, i].sum() / max(total[mine].sum(), 1)
        percent = 100 * np.mean(counts[mine, i] > 0) if mine.any() else 0.0
        row[gene] = f"{rate:.2f} ({percent:.0f} %)" if gene in has else "-"
    return row
