"""Real data sets as input of the annotation: panel counts, neighbors and clusters."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem
from scipy import sparse

from lammscope.annotate.cell_types import annotate_cells
from lammscope.annotate.macrophage_state import load_state_genes
from lammscope.annotate.panel import load_panel, panel_symbols
from lammscope.joint.panel_counts import PanelCounts

PANEL = Path(__file__).parents[2] / "resources" / "markers" / "immune_blood_tumour.yaml"
STATE_GENES = PANEL.parents[1] / "lamm" / "state_genes.tsv"
DEFINERS = ["CSF1R", "CD14", "CD68"]
INTERFERON = [
    "ISG15",
    "IFI6",
    "IFIT1",
    "IFIT2",
    "IFIT3",
    "MX1",
    "ISG20",
    "IFITM3",
    "IFITM1",
    "LY6E",
]
VETOES: dict[str, dict[str, Any]] = {
    "doublet_t_monocyte": {
        "genes": ["CD3D", "CD3E", "CD3G", "TRAC", "TRBC1"],
        "per_10k": 2.5,
        "scope": "cell",
    },
    "dc3": {"genes": ["CD1C", "FCER1A"], "per_10k": 2, "scope": "pool"},
    "neutrophil": {"genes": ["FCGR3B", "CXCR2", "CMTM2"], "per_10k": 3, "scope": "pool"},
    "platelet": {"genes": ["PPBP", "PF4", "TUBB1"], "per_10k": 10, "scope": "cell"},
    "progenitor": {
        "genes": ["CD34", "MPO", "AZU1", "ELANE", "PRTN3"],
        "per_10k": 4,
        "scope": "pool",
    },
}
CARPALL_LIBRARIES = (
    "CAR-T10310325",  # P10 blood, unsorted
    "CAR-T10310323",  # P10 blood, CD3+CAT+
    "CAR-T10484040",  # P08 blood, unsorted
    "CAR-T10484039",  # P08 blood, CD3+CAT+
    "CAR-T10310324",  # P02 blood, unsorted
    "CAR-T10310322",  # P02 blood, CD3+CAT+
    "CAR-T11141510",  # P02 infusion product
)


@dataclass(frozen=True)
class Cohort:
    """Cells x panel genes with everything that annotation and LAMM calls need."""

    counts: PanelCounts
    space: np.ndarray
    neighbors: np.ndarray
    clusters: np.ndarray
    cells: pd.DataFrame  # obs, with the annotation's columns added


@cache
def pbmc_facs(folder: Path) -> Cohort:
    """Read bead-purified blood cells (Zheng 2017)."""
    with h5py.File(folder / "pbmc_facs.h5ad") as file:
        cells: Any
        counts, cells = read_elem(file["X"]), read_elem(file["obs"])
        symbols = read_elem(file["var"])["symbol"]
    cells = cells[["celltype"]].astype(str).reset_index(drop=True).assign(sample="pbmc")
    return _annotate(sparse.csr_array(counts), symbols.astype(str).tolist(), cells)


@cache
def kang_ifnb(folder: Path) -> Cohort:
    """Read lupus blood, control and stimulated (Kang 2018)."""
    with h5py.File(folder / "kang_ifnb_2000.h5ad") as file:
        cells: Any
        counts, cells = read_elem(file["X"]), read_elem(file["obs"])
        symbols = file["var"][file["var"].attrs["_index"]][:].astype(str).tolist()
    cells = cells[["stim", "seurat_annotations"]].astype(str).reset_index(drop=True)
    cells["sample"] = cells["stim"]
    return _annotate(sparse.csr_array(counts), symbols, cells)


@cache
def carpall(folder: Path) -> Cohort:
    """Read seven libraries of CAR-T patients (Anderson 2023)."""
    sheet = pd.read_table(folder / "samples.tsv").set_index("sample")
    parts, tables = [], []
    for library in CARPALL_LIBRARIES:
        with h5py.File(folder / f"{library}.filtered_feature_bc_matrix.h5") as file:
            group = file["matrix"]
            arrays = (group["data"][:], group["indices"][:], group["indptr"][:])
            counts = sparse.csr_array(sparse.csc_array(arrays, shape=group["shape"][:]).T)
            symbols = group["features/name"][:].astype(str).tolist()
        totals = counts.sum(axis=1)
        mito = [symbol.startswith("MT-") for symbol in symbols]
        pct_mt = 100 * (counts @ np.array(mito, dtype=float)) / np.maximum(totals, 1)
        passes = (totals >= 500) & (np.diff(counts.indptr) >= 250) & (pct_mt <= 15)
        parts.append(counts[passes])
        cells = {"sample": library, **sheet.loc[library].to_dict()}
        tables.append(pd.DataFrame(cells, index=range(int(passes.sum()))))
    return _annotate(
        sparse.csr_array(sparse.vstack(parts)), symbols, pd.concat(tables, ignore_index=True)
    )


@cache
def tissue(path: Path, label: str | None) -> Cohort:
    """Read one file of tumor or lymphoid tissue as one sample; `label` is a column of `obs`."""
    with h5py.File(path) as file:
        cells: Any
        counts, cells = read_elem(file["X"]), read_elem(file["obs"])
        symbols = read_elem(file["var"]).index.astype(str).tolist()
    labels = "" if label is None else cells[label].astype(str).to_numpy()
    table = pd.DataFrame({"label": labels, "sample": path.stem}, index=range(len(cells)))
    return _annotate(sparse.csr_array(counts), symbols, table)


def _annotate(counts: sparse.csr_array, symbols: list[str], cells: pd.DataFrame) -> Cohort:
    totals = counts.sum(axis=1)
    space, neighbors, clusters = _joint_space(counts, totals)
    panel = load_panel(PANEL)
    state = load_state_genes(STATE_GENES).symbols
    wanted = {*panel_symbols(panel), *DEFINERS, *INTERFERON, *state, "CAT_scFv"}
    wanted.update(gene for veto in VETOES.values() for gene in veto["genes"])
    keep = [column for column, symbol in enumerate(symbols) if symbol in wanted]
    of_panel = PanelCounts(counts[:, keep], [symbols[column] for column in keep], totals)
    calls, _ = annotate_cells(
        of_panel,
        clusters=clusters,
        neighbors=neighbors,
        samples=cells["sample"].to_numpy(dtype=str),
        panel=panel,
        min_score=0.25,
        min_margin=0.03,
        cluster_weight=2000,
    )
    return Cohort(of_panel, space, neighbors, clusters, cells.join(calls))


def _joint_space(
    counts: sparse.csr_array, totals: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a PCA of variable genes, the twenty nearest neighbors in it, and k-means clusters."""
    mean = counts.mean(axis=0)
    fano = counts.power(2).mean(axis=0) - mean**2
    variable = np.argsort(-np.where(mean > 0.005, fano / np.maximum(mean, 1e-9), 0))[:1500]
    rates = sparse.csr_array(counts[:, variable], dtype=float)
    logs = np.log1p(rates.toarray() / totals[:, None] * 1e4)
    logs = np.clip((logs - logs.mean(axis=0)) / np.maximum(logs.std(axis=0), 1e-6), -10, 10)
    _, vectors = np.linalg.eigh(logs.T @ logs)
    space = np.ascontiguousarray(logs @ vectors[:, -30:], dtype=np.float32)
    index = faiss.IndexFlatL2(space.shape[1])
    index.add(space)
    _, indices = index.search(space, 21)
    kmeans = faiss.Kmeans(space.shape[1], 20, seed=1, max_points_per_centroid=100_000)
    kmeans.train(space)
    _, labels = kmeans.index.search(space, 1)
    return space, indices[:, 1:].astype(np.int32), labels.ravel().astype(str)
