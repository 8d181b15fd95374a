"""Real libraries with lineages, and doublets planted in them, for `benchmarks.doublets`."""

from dataclasses import dataclass
from pathlib import Path

import anndata
import faiss
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.workflow import ROOT
from lammscope.annotate.cell_types import annotate_cells
from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.core.pca import principal_components
from lammscope.core.rates import normalize
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.metrics import cell_metrics
from lammscope.joint.clustering import cluster_cells
from lammscope.joint.neighbors import shared_neighbor_graph
from lammscope.joint.panel_counts import PanelCounts

PANEL = ROOT / "resources" / "markers" / "immune_blood_tumour.yaml"
BEADS = {"CD14+ Monocyte": "monocytic", "CD19+ B": "B", "CD34+": "progenitor", "CD56+ NK": "NK"}
WU = {
    "Myeloid": "monocytic",
    "T-cells": "T",
    "B-cells": "B",
    "Plasmablasts": "plasma",
}
LYMPHOID = {
    "Monocytes": "monocytic",
    "Macrophages": "monocytic",
    "T_CD4": "T",
    "T_CD8": "T",
    "B_Plasma": "plasma",
}
MIN_COUNTS, MIN_GENES, MAX_PCT_MT = 500, 250, 15


@dataclass(frozen=True)
class Library:
    """Cells of one channel, their lineages, and which are planted doublets of which lineages.

    Attributes
    ----------
    counts
        Cells x genes.
    symbols
        The genes' symbols.
    lineages
        The lineage of each cell; of a planted doublet that of its first cell.
    partners
        The lineage of the second cell of a planted doublet; empty for the other cells.
    """

    counts: sparse.csr_array
    symbols: np.ndarray
    lineages: np.ndarray
    partners: np.ndarray

    @property
    def planted(self) -> np.ndarray:
        """Whether each cell is a planted doublet."""
        return np.asarray(self.partners != "")

    def pairs(self, one: str, other: str) -> np.ndarray:
        """Whether each cell is a planted doublet of these two lineages."""
        first, second = self.lineages, self.partners
        return np.asarray(
            ((first == one) & (second == other)) | ((first == other) & (second == one))
        )

    def subset(self, cells: np.ndarray) -> "Library":
        """Return some of the cells."""
        return Library(self.counts[cells], self.symbols, self.lineages[cells], self.partners[cells])


def library(counts: sparse.csr_array, symbols: np.ndarray, lineages: np.ndarray) -> Library:
    """Return a library without planted doublets."""
    counts = sparse.csr_array(counts).astype(np.int32)
    return Library(counts, symbols.astype(str), lineages.astype(str), np.full(len(lineages), ""))


def read_beads(data: Path) -> tuple[Library, np.ndarray]:
    """Read bead-purified blood cells (Zheng 2017), and their purified types."""
    table = anndata.read_h5ad(data / "pbmc_facs" / "pbmc_facs.h5ad")
    types = table.obs["celltype"].astype(str).to_numpy()
    lineages = np.array([BEADS.get(name, "T") for name in types])
    symbols = table.var["symbol"].astype(str).to_numpy()
    return library(sparse.csr_array(table.X), symbols, lineages), types


def read_wu(data: Path) -> Library:
    """Read a breast cancer with the authors' types (Wu 2021)."""
    table = anndata.read_h5ad(data / "tumour_macrophages" / "tnbc_wu_cid4465.h5ad")
    major = table.obs["author_major"].astype(str)
    lineages = major.map(lambda name: WU.get(name, name)).to_numpy()
    return library(sparse.csr_array(table.X), table.var_names.to_numpy(), lineages)


def read_typed(path: Path) -> Library:
    """Read a library, keep the cells that pass QC, and type them by the marker panel."""
    shard = read_matrix(path)
    metrics = cell_metrics(shard)
    passes = (
        (metrics["total_counts"] >= MIN_COUNTS)
        & (metrics["n_genes"] >= MIN_GENES)
        & (metrics["pct_mt"] <= MAX_PCT_MT)
    )
    counts = shard.counts[np.flatnonzero(passes)]
    symbols = shard.genes["symbol"].astype(str).to_numpy()
    return library(counts, symbols, _lineages(counts, symbols))


def read_lymphoid(data: Path) -> Library:
    """Read cells of lymph node, spleen and tonsil with the authors' types, of many libraries."""
    table = anndata.read_h5ad(data / "tumour_macrophages" / "lymphoid_spacexr.h5ad")
    types = table.obs["author_cell_type"].astype(str)
    lineages = types.map(lambda name: LYMPHOID.get(name, name)).to_numpy()
    return library(sparse.csr_array(table.X), table.var_names.to_numpy(), lineages)


def read_skin(data: Path) -> Library:
    """Read skin, with and without lymphoma, of six donors.

    The panel has no skin cells, so only cells that pass a gate of markers are monocytic.
    """
    table = anndata.read_h5ad(data / "tumour_macrophages" / "ctcl_skin_scillus.h5ad")
    counts = sparse.csr_array(table.X).astype(np.int32)
    symbols = table.var_names.to_numpy().astype(str)
    gated = (table.obs["mono_mac_gate"] == "mono_mac").to_numpy()
    others = _lineages(counts, symbols)
    others[others == "monocytic"] = "unassigned"
    return library(counts, symbols, np.where(gated, "monocytic", others))


def plant(
    base: Library, *, rate: float, averaged: bool, rng: np.random.Generator, n_cells: int = 0
) -> Library:
    """Replace cells by sums of random pairs, so that a share `rate` of the result are doublets.

    No cell is used twice. If `averaged`, each doublet is thinned to half of its UMIs.
    """
    size = base.counts.shape[0]
    order = rng.permutation(size)[: n_cells or size]
    n_doublets = round(rate * len(order) / (1 + rate))
    first, second = order[:n_doublets], order[n_doublets : 2 * n_doublets]
    sums = base.counts[first] + base.counts[second]
    if averaged:
        sums.data = rng.binomial(sums.data, 0.5).astype(sums.data.dtype)
        sums.eliminate_zeros()
    singles = np.sort(order[2 * n_doublets :])
    counts = sparse.csr_array(sparse.vstack([base.counts[singles], sums], format="csr"))
    return Library(
        counts,
        base.symbols,
        np.concatenate([base.lineages[singles], base.lineages[first]]),
        np.concatenate([np.full(len(singles), ""), base.lineages[second]]),
    )


def plant_of(
    base: Library, one: str, other: str, *, rate: float, rng: np.random.Generator
) -> Library:
    """Replace cells by sums of a cell of each of two lineages, with half of their UMIs.

    No cell is used twice, and at least half of the cells of each lineage stay: where there are too
    few, the share of doublets is lower than `rate`.
    """
    first, second = (rng.permutation(np.flatnonzero(base.lineages == of)) for of in (one, other))
    wanted = round(rate * len(base.lineages) / (1 + rate))
    n_doublets = min(wanted, len(first) // 2, len(second) // 2)
    first, second = first[:n_doublets], second[:n_doublets]
    sums = base.counts[first] + base.counts[second]
    sums.data = rng.binomial(sums.data, 0.5).astype(sums.data.dtype)
    sums.eliminate_zeros()
    singles = np.setdiff1d(np.arange(len(base.lineages)), np.append(first, second))
    return Library(
        sparse.csr_array(sparse.vstack([base.counts[singles], sums], format="csr")),
        base.symbols,
        np.concatenate([base.lineages[singles], base.lineages[first]]),
        np.concatenate([base.partners[singles], base.lineages[second]]),
    )


def _lineages(counts: sparse.csr_array, symbols: np.ndarray) -> np.ndarray:
    """Type cells by the package's marker panel, within the library."""
    totals = np.asarray(counts.sum(axis=1)).ravel()
    mean = np.asarray(counts.mean(axis=0)).ravel()
    fano = np.asarray(counts.power(2).mean(axis=0)).ravel() / np.maximum(mean, 1e-9) - mean
    variable = np.argsort(-np.where(mean > 0.005, fano, 0))[:1500]
    values = normalize(counts, totals)[:, np.sort(variable)]
    space = principal_components(values, n_components=30).project(values)
    index = faiss.IndexFlatL2(space.shape[1])
    index.add(space)
    neighbors = index.search(space, 21)[1][:, 1:]
    clusters = cluster_cells(shared_neighbor_graph(neighbors), resolution=1.5, seed=1)
    panel = load_panel(PANEL)
    wanted = set(panel_symbols(panel))
    keep = [column for column, symbol in enumerate(symbols) if symbol in wanted]
    calls, _ = annotate_cells(
        PanelCounts(counts[:, keep], [symbols[column] for column in keep], totals),
        clusters=clusters,
        neighbors=neighbors,
        samples=np.full(len(totals), "library"),
        panel=panel,
        min_score=0.25,
        min_margin=0.03,
        cluster_weight=2000,
    )
    return pd.Series(calls["lineage"]).astype(str).to_numpy()
