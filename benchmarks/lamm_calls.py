"""Accuracy of cell types and LAMM calls on simulated cohorts and on real data of known types.

    python -m benchmarks.lamm_calls [part ...] [--work FOLDER] [--data FOLDER] [--cores N]

Each part runs the workflow up to the calls in its own folder and compares them with the truth over
all cells that passed quality control. Uncertain cells count as not called. Prints one row per
figure with its limit. The exit status is 1 if a limit is missed. Parts whose data are missing are
skipped with a message.

Simulated parts contain all look-alikes of LAMM cells (ordinary monocytes, macrophages, DC3,
neutrophils, doublets with T cells). `set aside` is a held-out cohort with other settings, on which
nothing was tuned (`SET_ASIDE`).
"""

import argparse
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
import yaml

from benchmarks.figures import Figure, print_figures
from benchmarks.workflow import ROOT, run_workflow
from lammscope.annotate.levels import definer_counts
from lammscope.core.indexed import CellIndex
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.droplets import MONOCYTIC_TYPES, DropletSettings
from lammscope.simulate.plan import CohortSettings

DATA = ROOT.parent / "shared" / "data"
CALLED = 0.9  # the default of `lamm.probability`
DEFINERS = ["CSF1R", "CD14", "CD68"]
TYPICAL_UMI = 3400.0  # median UMIs of a healthy cell if `depth` is 1
RARE: dict[str, Any] = {"lamm_fraction": 0.0205, "lamm_log_odds": 0.0, "change_log_odds": 0.0}
SET_ASIDE = CohortSettings(
    patients_per_arm=5,
    cells=500,
    lamm_distinctness=0.9,
    lamm_fraction=0.10,
    monocytic_fraction=0.22,
    batch_strength=0.35,
    patient_strength=0.2,
    seed=4711,
    droplets=DropletSettings(ambient_fraction=0.05, doublet_fraction=0.06, gene_sd=0.5),
)


@dataclass(frozen=True)
class Simulated:
    """A simulated cohort, and the minimum F1 of both levels."""

    settings: CohortSettings
    umi: float
    elevated: float | None = None
    positive: float | None = None
    recall: float | None = None
    uncertain: float = 0.10


SIMULATED = {
    "4,000 UMI": Simulated(CohortSettings(), 4000, elevated=0.90, positive=0.95),
    "1,500 UMI": Simulated(CohortSettings(), 1500, elevated=0.80, positive=0.90),
    "no LAMM cells": Simulated(CohortSettings(without=("LAMM",)), 4000),
    "rare": Simulated(CohortSettings(cells=1200, **RARE), 4000, recall=0.7),
    "rare, small cohort": Simulated(CohortSettings(seed=3, **RARE), 4000),
    "set aside": Simulated(SET_ASIDE, 4000, elevated=0.90, positive=0.95),
    "set aside, 1,500 UMI": Simulated(SET_ASIDE, 1500, elevated=0.80, positive=0.90),
}


@dataclass(frozen=True)
class Called:
    """Results of a run: cells in the order of the index, and counts of the defining markers."""

    cells: pd.DataFrame
    definers: np.ndarray
    seconds: dict[str, float] = field(default_factory=dict)


def run_to_calls(folder: Path, config: dict[str, object], *, cores: int) -> Called:
    """Run the workflow in `folder` up to the LAMM calls."""
    run_workflow(folder, config, targets=["results/annotation/cells.parquet"], cores=cores)
    results = folder / "results"
    cells = pd.read_parquet(results / "annotation" / "cells.parquet")
    index = CellIndex(results / "joint" / "cells.parquet")
    paths = sorted((results / "joint" / "panel").glob("*.npz"))
    panel = index.stack_counts(paths)[:2]
    definers = definer_counts([panel], definers=DEFINERS).to_numpy()
    seconds = {
        name: pd.read_csv(results / "benchmarks" / f"{name}.tsv", sep="\t")["s"].sum()
        for name in ("annotate_cells", "call_lamm")
    }
    return Called(cells, definers, seconds)


def f1(called: np.ndarray, true: np.ndarray) -> float:
    """Compute the harmonic mean of precision and recall; NaN without true cells."""
    return float(2 * (called & true).sum() / (called.sum() + true.sum())) if true.any() else np.nan


def simulated(name: str, folder: Path, *, cores: int) -> Iterator[Figure]:
    """Measure a simulated cohort."""
    part = SIMULATED[name]
    droplets = replace(part.settings.droplets, depth=part.umi / TYPICAL_UMI)
    cohort = simulate_cohort(replace(part.settings, droplets=droplets), folder)
    called = run_to_calls(folder, yaml.safe_load((folder / "config.yaml").read_text()), cores=cores)
    truth = cohort.cells.assign(cell=cohort.cells["sample"] + "_" + cohort.cells["barcode"])
    truth = truth.set_index("cell").loc[called.cells["cell"]].reset_index()
    cells = called.cells
    single = ~truth["is_doublet"].to_numpy()
    types = truth["cell_type"].to_numpy(dtype=str)
    lamm = truth["is_lamm"].to_numpy(dtype=bool)
    expresses = np.isin(types, MONOCYTIC_TYPES) & single
    monocytic = (cells["lineage"] == "monocytic").to_numpy()
    elevated, positive = (cells[f"lamm_{level}"].to_numpy() for level in ("elevated", "positive"))
    gate = (called.definers > 0).all(axis=1)
    yield Figure(name, "median UMI", float(truth["total_counts"].median()))
    yield Figure(name, "LAMM cells, % of all", 100 * lamm.mean())
    if lamm.any():
        yield Figure(name, "F1 elevated", f1(elevated >= CALLED, lamm), low=part.elevated or 0)
        yield Figure(name, "  precision", (lamm[elevated >= CALLED]).mean())
        yield Figure(name, "  recall", (elevated[lamm] >= CALLED).mean(), low=part.recall or 0)
        yield Figure(name, "F1 of the gate per cell, elevated", f1(gate, lamm))
    else:
        share = 100 * (elevated >= CALLED).mean()
        yield Figure(name, "elevated, % of all cells", share, high=0.5)
    yield Figure(name, "F1 positive", f1(positive >= CALLED, expresses), low=part.positive or 0)
    yield Figure(name, "F1 of the gate per cell, positive", f1(gate, expresses))
    for level, values, true in (("elevated", elevated, lamm), ("positive", positive, expresses)):
        unsure = monocytic & (values > 1 - CALLED) & (values < CALLED)
        share = unsure.sum() / monocytic.sum()
        yield Figure(name, f"uncertain {level}, of monocytic", share, high=part.uncertain)
        for low, high, limits in ((0.8, 1.0, {"low": 0.85}), (0.0, 0.2, {"high": 0.10})):
            given = (values >= low) & (values <= high)
            if true.any() and given.any():
                what = f"true {level} where {low:g} to {high:g} is given"
                yield Figure(name, what, true[given].mean(), **limits)


def pbmc_facs(name: str, folder: Path, *, data: Path, cores: int) -> Iterator[Figure]:
    """Measure bead-purified blood cells (Zheng 2017)."""
    source = data / "pbmc_facs" / "pbmc_facs.h5ad"
    cells, called = _run_h5ad(folder, source, {"pbmc": None}, cores=cores)
    beads = cells["celltype"].astype(str)
    names = {"CD14+ Monocyte": "monocytic", "CD19+ B": "B", "CD34+": "progenitor"}
    names["CD56+ NK"] = "NK"
    truth = beads.map(lambda label: names.get(label, "T"))
    lineage, monocytes = called.cells["lineage"], (truth == "monocytic").to_numpy()
    in_lineage = (lineage == "monocytic").to_numpy()
    positive, elevated = (
        (called.cells[f"lamm_{level}"] >= CALLED).to_numpy() for level in ("positive", "elevated")
    )
    # DC3 have CD14, so that the beads bind them, too.
    with_cd14 = in_lineage | (called.cells["cell_type"] == "DC3").to_numpy()
    yield Figure(name, "CD14+ beads in the monocytic lineage", in_lineage[monocytes].mean())
    yield Figure(
        name, "CD14+ beads monocytic or CD14+ dendritic", with_cd14[monocytes].mean(), low=0.97
    )
    lymphocytes = sorted(set(beads) - {"CD14+ Monocyte", "CD34+"})
    worst = max(in_lineage[(beads == label).to_numpy()].mean() for label in lymphocytes)
    yield Figure(name, "largest share of a lymphocyte type there", worst, high=0.01)
    yield Figure(
        name, "lineage right, 10 types", (lineage.to_numpy() == truth.to_numpy()).mean(), low=0.93
    )
    yield Figure(name, "positive, of CD14+ beads", positive[monocytes].mean(), low=0.80)
    others = beads.isin(lymphocytes).to_numpy()
    yield Figure(name, "positive, of lymphocytes", positive[others].mean(), high=0.005)
    yield Figure(name, "elevated, of CD14+ beads", elevated[monocytes].mean(), high=0.05)


def kang_ifnb(name: str, folder: Path, *, data: Path, cores: int) -> Iterator[Figure]:
    """Measure lupus blood, control and stimulated (Kang 2018)."""
    source = data / "kang_ifnb" / "kang_ifnb_2000.h5ad"
    samples = {stim: lambda obs, stim=stim: obs["stim"] == stim for stim in ("ctrl", "stim")}
    cells, called = _run_h5ad(folder, source, samples, cores=cores)
    names = dict.fromkeys(["CD4 Naive T", "CD4 Memory T", "CD8 T", "T activated"], "T")
    names |= {"B": "B", "B Activated": "B", "NK": "NK", "DC": "dendritic", "pDC": "dendritic"}
    names |= {"CD14 Mono": "monocytic", "CD16 Mono": "monocytic"}
    truth = cells["seurat_annotations"].astype(str).map(names)
    agrees = (called.cells["lineage"].to_numpy() == truth.to_numpy())[truth.notna()]
    yield Figure(name, f"lineage as given, {len(agrees)} cells", agrees.mean(), low=0.90)


def carpall(name: str, folder: Path, *, data: Path, cores: int) -> Iterator[Figure]:
    """Measure blood and marrow after CD19 CAR-T therapy (Anderson 2023)."""
    source = data / "carpall"
    samples = pd.read_csv(source / "samples.tsv", sep="\t")
    samples["counts"] = [
        str(source / f"{sample}.filtered_feature_bc_matrix.h5") for sample in samples["sample"]
    ]
    samples["compartment"] = samples["source"].map(
        {"PB": "blood", "BM": "marrow", "PROD": "product"}
    )
    config = yaml.safe_load((ROOT / "tests" / "configs" / "carpall.yaml").read_text())
    called = run_to_calls(folder, config | _write_sheets(folder, samples), cores=cores)
    about = samples.set_index("sample").loc[called.cells["sample"]].reset_index()
    positive = (called.cells["lamm_positive"] >= CALLED).to_numpy()
    monocytic = (called.cells["lineage"] == "monocytic").to_numpy()
    place = [about[column].to_numpy() for column in ("patient", "source", "timepoint", "sort")]
    pairs = (("P02", "PB", "M02"), ("P03", "BM", "M06"), ("P08", "PB", "M03"), ("P10", "PB", "M03"))
    for what, values in (("monocytic", monocytic), ("positive", positive)):
        share = pd.Series(values).groupby(place).mean()
        for pair in pairs:
            ratio = share[(*pair, "NoSo")] / max(share[(*pair, "CD3+CAT+")], 1e-4)
            yield Figure(name, f"{what}, unsorted / sorted, {' '.join(pair)}", ratio, low=1.0)
    product = (about["source"] == "PROD").to_numpy()
    yield Figure(name, "positive, of the infusion product", positive[product].mean(), high=0.005)
    elevated = (called.cells["lamm_elevated"] >= CALLED).to_numpy()
    yield Figure(name, "elevated, of monocytic cells", elevated[monocytic].mean())


def speed(name: str, folder: Path, *, cores: int) -> Iterator[Figure]:
    """Time the two jobs for 100,000 cells."""
    settings = CohortSettings(patients_per_arm=12, cells=2080)
    simulate_cohort(settings, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    called = run_to_calls(folder, config, cores=cores)
    yield Figure(name, "cells", len(called.cells))
    yield Figure(name, "seconds from cells to calls", sum(called.seconds.values()), high=60)


def _run_h5ad(
    folder: Path,
    source: Path,
    samples: Mapping[str, Callable[[pd.DataFrame], pd.Series] | None],
    *,
    cores: int,
) -> tuple[pd.DataFrame, Called]:
    """Run one file as several samples; return its cell table and the calls in the same order."""
    import anndata

    obs = cast(pd.DataFrame, anndata.read_h5ad(source, backed="r").obs)
    rows, parts = [], []
    for sample, chosen in samples.items():
        own = obs if chosen is None else obs[chosen(obs).to_numpy()]
        row = {"sample": sample, "patient": sample, "timepoint": "pre", "counts": str(source)}
        if chosen is not None:
            row["barcodes"] = str(folder / f"{sample}.txt")
            Path(row["barcodes"]).write_text("".join(f"{name}\n" for name in own.index))
        rows.append(row)
        parts.append(own.set_axis([f"{sample}_{name}" for name in own.index]))
    config = {"contrasts": {}} | _write_sheets(folder, pd.DataFrame(rows))
    called = run_to_calls(folder, config, cores=cores)
    return pd.concat(parts).loc[called.cells["cell"]], called


def _write_sheets(folder: Path, samples: pd.DataFrame) -> dict[str, object]:
    paths = {name: str(folder / f"{name}.tsv") for name in ("samples", "patients")}
    samples.to_csv(paths["samples"], sep="\t", index=False)
    samples[["patient"]].drop_duplicates().to_csv(paths["patients"], sep="\t", index=False)
    return dict(paths)


REAL = {"pbmc_facs": pbmc_facs, "kang_ifnb": kang_ifnb, "carpall": carpall}


def main() -> int:
    """Measure all parts, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = [*SIMULATED, *REAL, "speed"]
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {'; '.join(parts)}")
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(parts))
    if unknown:
        parser.error(f"unknown part: {'; '.join(unknown)}")
    work = given.work or Path(tempfile.mkdtemp())
    missed = 0
    try:
        for name in given.parts or parts:
            if name in REAL and not (given.data / name).exists():
                print(f"{name}\tskipped: {given.data / name} does not exist")
                continue
            folder = work / name.replace(" ", "_").replace(",", "")
            folder.mkdir(parents=True, exist_ok=True)
            if name in REAL:
                figures = REAL[name](name, folder, data=given.data, cores=given.cores)
            else:
                figures = (speed if name == "speed" else simulated)(name, folder, cores=given.cores)
            missed += print_figures(figures)
    finally:
        if given.work is None:
            shutil.rmtree(work)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
