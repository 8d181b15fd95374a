"""Cell types of real blood and tumors through the whole workflow, each set alone and all together.

    python -m benchmarks.real_cells [cohort ...] [--work FOLDER] [--data FOLDER] [--cores N]

A cohort is one set of `read_sets` alone, `blood`, `tissue`, or `together` (all sets). Each set is
a patient and a batch; each of its libraries a sample. Nobody's response is known, so nothing is
compared. The limits of quality control are off and called doublets stay, so that every labeled
cell is typed.

`run_cohort` runs the workflow up to cell types and LAMM calls and returns all cells with the labels
that were given to them. Prints the lineages and types of every label, then figures with their
limits. The exit status is 1 if a limit is missed.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.figures import Figure, print_figures
from benchmarks.workflow import ROOT, run_workflow

DATA = ROOT.parent / "shared" / "data"
CALLS = "results/annotation/cells.parquet"
NO_LABEL = "none"
OPEN_LIMITS = {  # of `qc`: every barcode passes
    **{"min_counts": 1, "min_genes": 1, "max_pct_mt": 100, "max_pct_hb": 100},
    **{"counts_mads": 1000, "mt_mads": 1000, "ambient_max_counts": 0, "min_cells": 1},
}
MYELOID = "C1QA C1QB C1QC CD68 CD14 CSF1R AIF1 SPI1 FCER1G TYROBP"
LYMPHOID = "CD3D CD3E CD79A MS4A1"
MAST = "TPSAB1 TPSB2 CPA3"
# Genes of tissue macrophages and of blood monocytes that the score of the state does not have
# (Mulder 2021, Immunity 54:1883; Villani 2017, Science 356:eaah4573).
HELD_OUT_HIGH = (
    "CTSD CTSL CTSB RNASE1 HMOX1 MS4A4A MS4A7 ACP5 FUCA1 CYP27A1 DAB2 STAB1 A2M MAF NUPR1 CD81"
)
HELD_OUT_LOW = (
    "S100A4 S100A6 CD52 THBS1 AQP9 MNDA PLBD1 PLAC8 CD48 CD55 CLEC12A TSPO SERPINA1 COTL1"
)


@dataclass(frozen=True)
class RealSet:
    """Cells x genes (AnnData) with `sample` and `label` in `obs`; in blood or tissue."""

    cells: Any
    compartment: str


def read_sets(data: Path) -> dict[str, RealSet]:
    """Read all labeled sets; a set without labels has `none` or those of a gate of marker genes."""
    tissue = data / "tumour_macrophages"
    blood = data / "blood_chemistries"
    facs: Any = anndata.read_h5ad(data / "pbmc_facs" / "pbmc_facs.h5ad")
    kang: Any = anndata.read_h5ad(data / "kang_ifnb" / "kang_ifnb_2000.h5ad")
    wu: Any = anndata.read_h5ad(tissue / "tnbc_wu_cid4465.h5ad")
    lymphoid: Any = anndata.read_h5ad(tissue / "lymphoid_spacexr.h5ad")
    skin: Any = anndata.read_h5ad(tissue / "ctcl_skin_scillus.h5ad")
    gate = skin.obs["mono_mac_gate"].astype(str).where(~mast_gate(skin), "mast gate")
    # Six of the 31 gated cells have 16 UMIs of GZMB or more: plasmacytoid dendritic and NK cells.
    granzyme = gene_counts(skin, "GZMB")[:, 0] >= 10
    gate[(gate == "mono_mac") & granzyme] = "mono_mac with GZMB"
    malt = anndata.read_h5ad(tissue / "malt_citeseq.h5ad")
    rare = np.where(myeloid_gate(malt), "myeloid gate", "other")
    hao = anndata.read_h5ad(blood / "pbmc_hao_v3.h5ad")
    frozen = anndata.read_h5ad(blood / "pbmc_frozen_v1.h5ad")
    return {
        "pbmc_facs": _real_set(facs, facs.obs["celltype"], "blood"),
        "kang_ifnb": _real_set(
            kang, kang.obs["seurat_annotations"], "blood", samples=kang.obs["stim"]
        ),
        "pbmc_hao_v3": _real_set(hao, NO_LABEL, "blood"),
        "pbmc_frozen_v1": _real_set(frozen, NO_LABEL, "blood"),
        "wu_tnbc": _real_set(wu, wu.obs["author_cell_type"], "tissue"),
        "ctcl_skin": _real_set(skin, gate, "tissue", samples=skin.obs["sample"]),
        # Its 22 libraries have 2 to 55 cells each.
        "lymphoid": _real_set(lymphoid, lymphoid.obs["author_cell_type"], "tissue"),
        "malt": _real_set(malt, rare, "tissue"),
    }


def _real_set(
    cells: Any,
    labels: Any,
    compartment: str,
    *,
    samples: Any = None,
) -> RealSet:
    obs = pd.DataFrame(index=cells.obs_names)
    obs["label"] = labels if isinstance(labels, str) else np.asarray(labels).astype(str)
    obs["sample"] = "all" if samples is None else samples.astype(str).to_numpy()
    obs["label"] = obs["label"].replace({"NA": NO_LABEL, "nan": NO_LABEL})
    obs["held_out"] = held_out_contrast(cells)
    var = pd.DataFrame(index=pd.Index(cells.var_names.astype(str)))
    return RealSet(anndata.AnnData(sparse.csr_matrix(cells.X), obs=obs, var=var), compartment)


def held_out_contrast(cells: Any) -> np.ndarray:
    """Compare macrophage with monocyte genes that the score does not have: log2 of the ratio.

    Two UMIs per 10,000 are added to the sum of each. Above 0 there are more of macrophages.
    """
    depth = np.maximum(np.asarray(cells.X.sum(axis=1)).ravel(), 1) / 1e4
    high, low = (
        gene_counts(cells, genes).sum(axis=1) / depth for genes in (HELD_OUT_HIGH, HELD_OUT_LOW)
    )
    return np.asarray(np.log2((high + 2) / (low + 2)))


def gene_counts(cells: Any, genes: str) -> np.ndarray:
    """Return cells x genes counts of space-separated symbols; 0 for genes that are missing."""
    columns = {str(symbol): column for column, symbol in enumerate(cells.var_names)}
    counts = sparse.csc_array(cells.X)
    parts = [
        counts[:, [columns[gene]]].toarray() if gene in columns else np.zeros((cells.n_obs, 1))
        for gene in genes.split()
    ]
    return np.hstack(parts)


def mast_gate(cells: Any) -> np.ndarray:
    """Find mast cells: five UMIs of tryptases and CPA3, and 20 per 10,000 (bool)."""
    totals = np.asarray(cells.X.sum(axis=1)).ravel()
    own = gene_counts(cells, MAST).sum(axis=1)
    return np.asarray((own >= 5) & (own >= 20e-4 * totals))


def myeloid_gate(cells: Any) -> np.ndarray:
    """Find myeloid cells: four of ten genes, and at most two UMIs of T, and of B cells (bool)."""
    several = (gene_counts(cells, MYELOID) > 0).sum(axis=1) >= 4
    t_cell, b_cell = np.split(gene_counts(cells, LYMPHOID), 2, axis=1)
    return np.asarray(several & (t_cell.sum(axis=1) <= 2) & (b_cell.sum(axis=1) <= 2))


def cohorts_of(sets: Mapping[str, RealSet]) -> dict[str, list[str]]:
    """Return the names of the sets in each cohort."""
    of = {
        part: [name for name, each in sets.items() if each.compartment == part]
        for part in ("blood", "tissue")
    }
    return {name: [name] for name in sets} | of | {"together": list(sets)}


def run_cohort(
    folder: Path,
    sets: Mapping[str, RealSet],
    *,
    cores: int,
    targets: Sequence[str] = (CALLS,),
    changed: Mapping[str, object] | None = None,
) -> pd.DataFrame:
    """Write a cohort of these sets, run the workflow to `targets`, and return the called cells.

    `changed` replaces sections of the config. Results that the folder has already are read instead.

    Returns the columns of `annotation/cells.parquet`, with `set`, `label`, `held_out` and
    `compartment`.
    """
    labels = write_cohort(folder, sets)
    config: dict[str, object] = {
        "samples": str(folder / "samples.tsv"),
        "patients": str(folder / "patients.tsv"),
        "contrasts": {},
        "qc": OPEN_LIMITS,
        "doublets": {"remove": False},
        # The sets have 9,000 to 34,000 genes; few of them share all.
        "genes": {"min_overlap": 0},
    }
    if not (folder / CALLS).exists():
        run_workflow(folder, config | dict(changed or {}), targets=targets, cores=cores)
    cells = pd.read_parquet(folder / CALLS)
    return cells.merge(labels, on="cell", how="left", validate="one_to_one")


def write_cohort(folder: Path, sets: Mapping[str, RealSet]) -> pd.DataFrame:
    """Write count matrices and both sheets, and return `cell`, `set`, `label` and more."""
    (folder / "counts").mkdir(parents=True, exist_ok=True)
    samples, labels = [], []
    for name, each in sets.items():
        for library in each.cells.obs["sample"].unique():
            sample = name if library == "all" else f"{name}.{library}"
            own = each.cells[(each.cells.obs["sample"] == library).to_numpy()].copy()
            path = folder / "counts" / f"{sample}.h5ad"
            if not path.exists():
                own.write_h5ad(path)
            samples.append((sample, name, "baseline", str(path), name, each.compartment))
            labels.append(
                pd.DataFrame(
                    {
                        "cell": [f"{sample}_{barcode}" for barcode in own.obs_names],
                        "set": name,
                        "label": own.obs["label"].to_numpy(),
                        "held_out": own.obs["held_out"].to_numpy(),
                        "compartment": each.compartment,
                    }
                )
            )
    columns = ["sample", "patient", "timepoint", "counts", "batch", "compartment"]
    sheet = pd.DataFrame(samples, columns=columns)
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    patients = pd.DataFrame({"patient": list(sets), "response": ""})
    patients.to_csv(folder / "patients.tsv", sep="\t", index=False)
    return pd.concat(labels, ignore_index=True)


# Lineages that are right for a label. Dendritic cells and monocytes of a shallow library lie close.
RIGHT: dict[str, dict[str, tuple[str, ...]]] = {
    "pbmc_facs": {
        "CD14+ Monocyte": ("monocytic", "dendritic"),
        "CD19+ B": ("B",),
        "CD56+ NK": ("NK",),
        "CD8+ Cytotoxic T": ("T",),
        "CD4+ T Helper2": ("T",),
        "CD4+/CD45RO+ Memory": ("T",),
        "CD8+/CD45RA+ Naive Cytotoxic": ("T",),
        "CD4+/CD25 T Reg": ("T",),
        "CD4+/CD45RA+/CD25- Naive T": ("T",),
    },
    "kang_ifnb": {
        "CD14 Mono": ("monocytic",),
        "CD16 Mono": ("monocytic",),
        "CD4 Naive T": ("T",),
        "CD4 Memory T": ("T",),
        "CD8 T": ("T",),
        "T activated": ("T",),
        "NK": ("NK",),
        "B": ("B",),
        "B Activated": ("B",),
        "DC": ("dendritic",),
        "pDC": ("dendritic",),
        "Mk": ("platelet",),
    },
    "wu_tnbc": {
        "Macrophage": ("monocytic",),
        "Monocyte": ("monocytic",),
        "Cycling_Myeloid": ("monocytic", "dendritic"),
        "DCs": ("dendritic",),
        "T cells CD4+": ("T",),
        "T cells CD8+": ("T",),
        "Cycling T-cells": ("T",),
        "NKT cells": ("T", "NK"),
        "NK cells": ("NK",),
        "B cells Memory": ("B",),
        "Plasmablasts": ("B",),
    },
    "lymphoid": {
        "B": ("B", "malignant"),  # tonsil and lymph node have germinal centers
        "B_Plasma": ("B",),
        "DC": ("dendritic",),
        "ILC": ("NK", "T"),
        "Macrophages": ("monocytic",),
        "Monocytes": ("monocytic",),
        "NK": ("NK",),
        "T_CD4": ("T",),
        "T_CD8": ("T",),
        "Endo": ("endothelial",),
        "VSMC": ("stromal",),
    },
    "ctcl_skin": {"mono_mac": ("monocytic",), "mast gate": ("mast",)},
    "malt": {"myeloid gate": ("monocytic", "dendritic")},
}
TISSUE_CELLS = {
    "CAFs": "stromal",
    "PVL": "stromal",
    "Cycling PVL": "stromal",
    "Endothelial": "endothelial",
    "Cancer": "epithelial",
    "Mature Luminal": "epithelial",
    "Luminal Progenitors": "epithelial",
}
NOT_BLOOD = ("stromal", "endothelial", "epithelial", "unassigned")


def right_lineages(name: str, label: str) -> tuple[str, ...]:
    """Return the lineages that are right for a label of a set; none if unknown."""
    if name == "wu_tnbc":
        for start, lineage in TISSUE_CELLS.items():
            if label.startswith(start):
                return (lineage,)
    return RIGHT.get(name, {}).get(label, ())


def shares(cells: pd.DataFrame, column: str) -> pd.DataFrame:
    """Return the % of each set's and label's cells in each value of `column`, with `n`."""
    keys = [cells["set"], cells["label"]]
    table = 100 * pd.crosstab(keys, cells[column], normalize="index")
    table.insert(0, "n", cells.groupby(["set", "label"]).size())
    return table.round(1)


def recall(cells: pd.DataFrame, name: str, *labels: str) -> float:
    """Return the share of cells with these labels whose lineage is right."""
    own = cells[(cells["set"] == name) & cells["label"].isin(labels)]
    right = [
        lineage in right_lineages(name, label)
        for label, lineage in zip(own["label"], own["lineage"], strict=True)
    ]
    return float(np.mean(right)) if right else np.nan


def facs_figures(cells: pd.DataFrame, part: str) -> Iterator[Figure]:
    """Compare with bead labels; CD34+ cells are left out, since some are monocytes."""
    own = cells[(cells["set"] == "pbmc_facs") & (cells["label"] != "CD34+")]
    true = own["label"] == "CD14+ Monocyte"
    called = (own["lineage"] == "monocytic") | (own["cell_type"] == "DC3")
    yield Figure(part, "CD14+ beads, recall", (called & true).sum() / true.sum(), low=0.97)
    yield Figure(part, "CD14+ beads, precision", (called & true).sum() / called.sum(), low=0.97)
    every = recall(own, "pbmc_facs", *RIGHT["pbmc_facs"])
    yield Figure(part, "all labels: right lineage", every, low=0.93)
    for label in RIGHT["pbmc_facs"]:
        yield Figure(part, f"{label}: right lineage", recall(own, "pbmc_facs", label), low=0.9)


def kang_figures(cells: pd.DataFrame, part: str) -> Iterator[Figure]:
    """Compare with the labels of lupus blood."""
    every = recall(cells, "kang_ifnb", *RIGHT["kang_ifnb"])
    yield Figure(part, "all labels: right lineage", every, low=0.9)
    for label in RIGHT["kang_ifnb"]:
        yield Figure(part, f"{label}: right lineage", recall(cells, "kang_ifnb", label))


def wu_figures(cells: pd.DataFrame, part: str) -> Iterator[Figure]:
    """Compare with the authors' labels of a breast cancer."""
    own = cells[cells["set"] == "wu_tnbc"]
    yield Figure(
        part,
        "macrophages and monocytes monocytic",
        recall(own, "wu_tnbc", "Macrophage", "Monocyte"),
        low=0.85,  # a third of these monocytes have CD1C or much HLA-DP and HLA-DQ
    )
    for label in RIGHT["wu_tnbc"]:
        yield Figure(part, f"{label}: right lineage", recall(own, "wu_tnbc", label))
    for start in ("CAFs", "PVL", "Endothelial", "Cancer"):
        right = TISSUE_CELLS[start]
        lineage = own.loc[own["label"].str.startswith(start), "lineage"]
        yield Figure(part, f"{start}: {right}", lineage.eq(right).mean(), low=0.9)
        blood = 1 - lineage.isin(NOT_BLOOD).mean()
        yield Figure(part, f"{start}: as a blood lineage", blood, high=0.05)
    lineage = own.loc[own["label"] == "Plasmablasts", "lineage"]
    wrong = 1 - lineage.isin(["B", "unassigned"]).mean()
    yield Figure(part, "plasmablasts: as another lineage", wrong, high=0.05)


def lymphoid_figures(cells: pd.DataFrame, part: str) -> Iterator[Figure]:
    """Compare with the authors' labels of lymph node, spleen and tonsil."""
    own = cells[cells["set"] == "lymphoid"]
    for label, right in RIGHT["lymphoid"].items():
        # Eight of the 30 NK cells have CD3D or CD8A, and neither KLRF1 nor FCER1G.
        low = {"ILC": -np.inf, "NK": 0.7}.get(label, 0.8)
        yield Figure(part, f"{label}: right lineage", recall(own, "lymphoid", label), low=low)
        if right[0] in NOT_BLOOD:
            blood = 1 - own.loc[own["label"] == label, "lineage"].isin(NOT_BLOOD).mean()
            yield Figure(part, f"{label}: as a blood lineage", blood, high=0.05)


def gate_figures(cells: pd.DataFrame, part: str) -> Iterator[Figure]:
    """Look at the cells that gates of marker genes find in skin and in a lymphoma."""
    name = cells["set"].iloc[0]
    for label in RIGHT[name]:
        own = cells[cells["label"] == label]
        low = 0.8 if name == "ctcl_skin" else -np.inf
        yield Figure(
            part, f"{label} ({len(own)}): right lineage", recall(own, name, label), low=low
        )
        lymphoid = own["lineage"].isin(["T", "NK", "B", "malignant"]).mean()
        yield Figure(part, f"{label}: as T, NK or B", lymphoid, high=0)


FIGURES: dict[str, Callable[[pd.DataFrame, str], Iterator[Figure]]] = {
    "pbmc_facs": facs_figures,
    "kang_ifnb": kang_figures,
    "wu_tnbc": wu_figures,
    "lymphoid": lymphoid_figures,
    "ctcl_skin": gate_figures,
    "malt": gate_figures,
}
MOST_APART = 0.05  # between the figures of a set alone and in a joint cohort, if they have limits


def figures_of(cells: pd.DataFrame, cohort: str) -> Iterator[Figure]:
    """Measure all sets of a cohort."""
    for name, measure in FIGURES.items():
        if (cells["set"] == name).any():
            yield from measure(cells[cells["set"] == name], f"{cohort}: {name}")


def differences(found: Mapping[str, list[Figure]]) -> Iterator[Figure]:
    """Compare each set's figures with limits alone and in joint cohorts."""
    for cohort in ("blood", "tissue", "together"):
        for figure in found.get(cohort, []):
            name = figure.part.split(": ")[1]
            alone = [each for each in found.get(name, []) if each.what == figure.what]
            for each in alone:
                if each.low == -np.inf and each.high == np.inf:
                    continue
                apart = figure.value - each.value
                yield Figure(
                    f"{cohort} - alone: {name}", figure.what, apart, -MOST_APART, MOST_APART
                )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="*", help="default: each set alone, and together")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    given = parser.parse_args(arguments)
    sets = read_sets(given.data)
    cohorts = cohorts_of(sets)
    found: dict[str, list[Figure]] = {}
    with tempfile.TemporaryDirectory() as temporary, pd.option_context("display.width", 200):
        for cohort in given.cohorts or [*sets, "together"]:
            own = {name: sets[name] for name in cohorts[cohort]}
            folder = (given.work or Path(temporary)).resolve() / cohort
            cells = run_cohort(folder, own, cores=given.cores)
            total = sum(each.cells.n_obs for each in own.values())
            print(f"\n{cohort}: {len(cells)} of {total} cells typed")
            print(shares(cells, "lineage").to_string())
            print(shares(cells, "cell_type").to_string())
            found[cohort] = list(figures_of(cells, cohort))
    missed = print_figures(figure for figures in found.values() for figure in figures)
    missed += print_figures(differences(found))
    raise SystemExit(int(missed > 0))


if __name__ == "__main__":
    main()
