"""LAMM calls on simulated cohorts, a part of `python -m benchmarks.lamm_calls`.

Simulated cohorts have all look-alikes of LAMM cells (ordinary monocytes, DC3, neutrophils, doublets
with T cells). Macrophages and LAMM cells are the truth for `macrophage-like`, all monocytic cells
for `positive`. The figures say what shallow, rare or ambient does to calls; that calls are right is
shown on real cells. `set aside` has other settings, on which nothing was tuned.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from benchmarks.figures import Figure
from benchmarks.workflow import run_workflow
from lammscope.annotate.lamm import MONOCYTIC
from lammscope.core.indexed import CellIndex
from lammscope.joint.panel_counts import read_panel
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.droplets import MACROPHAGE_LIKE_TYPES, MONOCYTIC_TYPES, DropletSettings
from lammscope.simulate.plan import CohortSettings

CALLED = 0.9  # the default of `lamm.probability`
DEFINERS = ("CSF1R", "CD14", "CD68")
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
    """A simulated cohort, and the smallest F1 of `positive`."""

    settings: CohortSettings
    umi: float = 4000
    positive: float = 0.9


SIMULATED = {
    "4,000 UMI": Simulated(CohortSettings(), positive=0.95),
    "1,500 UMI": Simulated(CohortSettings(), 1500),
    "12 % ambient": Simulated(CohortSettings(droplets=DropletSettings(ambient_fraction=0.12))),
    "no macrophages": Simulated(CohortSettings(without=MACROPHAGE_LIKE_TYPES)),
    "rare": Simulated(CohortSettings(cells=1200, without=("Macrophage",), **RARE)),
    "set aside": Simulated(SET_ASIDE, positive=0.95),
    "set aside, 1,500 UMI": Simulated(SET_ASIDE, 1500),
}
PARTS = (*SIMULATED, "speed")
MIN_RECALL, MIN_PRECISION = 0.8, 0.9  # of macrophage-like cells
MAX_FALSE = 0.1  # % of all cells where there are no macrophages


def measure(name: str, folder: Path, *, cores: int) -> Iterator[Figure]:
    """Simulate and run a part, and measure it."""
    if name == "speed":
        return _speed(folder, cores=cores)
    return _accuracy(name, folder, cores=cores)


def _accuracy(name: str, folder: Path, *, cores: int) -> Iterator[Figure]:
    part = SIMULATED[name]
    droplets = replace(part.settings.droplets, depth=part.umi / TYPICAL_UMI)
    cohort = simulate_cohort(replace(part.settings, droplets=droplets), folder)
    cells = _run(folder, cores=cores)
    truth = cohort.cells.assign(cell=cohort.cells["sample"] + "_" + cohort.cells["barcode"])
    truth = truth.set_index("cell").loc[cells["cell"]].reset_index()
    single = ~truth["is_doublet"].to_numpy(dtype=bool)
    types = truth["cell_type"].to_numpy(dtype=str)
    macrophages = np.isin(types, MACROPHAGE_LIKE_TYPES) & single
    expresses = np.isin(types, MONOCYTIC_TYPES) & single
    monocytic = (cells["lineage"] == MONOCYTIC).to_numpy()
    like, positive = (
        cells[f"lamm_{level}"].to_numpy() for level in ("macrophage_like", "positive")
    )
    yield Figure(name, "median UMI", float(truth["total_counts"].median()))
    yield Figure(name, "macrophages and LAMM cells, % of all", 100 * macrophages.mean())
    if macrophages.any():
        recall, precision = (like[macrophages] >= CALLED).mean(), macrophages[like >= CALLED].mean()
        yield Figure(name, "macrophage-like, recall", recall, low=MIN_RECALL)
        yield Figure(name, "  precision", precision, low=MIN_PRECISION)
    else:
        share = 100 * (like >= CALLED).mean()
        yield Figure(name, "macrophage-like, % of all cells", share, high=MAX_FALSE)
    yield Figure(name, "positive, F1", f1(positive >= CALLED, expresses), low=part.positive)
    yield Figure(name, "  of the gate per cell", f1(_gate(folder), expresses))
    for level, values, true in (
        ("macrophage-like", like, macrophages),
        ("positive", positive, expresses),
    ):
        unsure = monocytic & (values > 1 - CALLED) & (values < CALLED)
        share = unsure.sum() / monocytic.sum()
        yield Figure(name, f"{level}, uncertain, of monocytic", share)
        for low, high in ((0.8, 1.0), (0.0, 0.2)):
            given = (values >= low) & (values <= high)
            if true.any() and given.any():
                what = f"true {level} where {low:g} to {high:g} is given"
                yield Figure(name, what, true[given].mean())


def f1(called: np.ndarray, true: np.ndarray) -> float:
    """Compute the harmonic mean of precision and recall; NaN without true cells."""
    return float(2 * (called & true).sum() / (called.sum() + true.sum())) if true.any() else np.nan


def _run(folder: Path, *, cores: int) -> pd.DataFrame:
    config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    run_workflow(folder, config, targets=["results/annotation/cells.parquet"], cores=cores)
    return pd.read_parquet(folder / "results" / "annotation" / "cells.parquet")


def _gate(folder: Path) -> np.ndarray:
    """Return the cells with at least one UMI of each defining marker."""
    joint = folder / "results" / "joint"
    panel, _ = read_panel(
        sorted((joint / "panel").glob("*.npz")), CellIndex(joint / "cells.parquet")
    )
    columns = [panel.symbols.index(gene) for gene in DEFINERS]
    return np.asarray((panel.matrix[:, columns].toarray() > 0).all(axis=1))


def _speed(folder: Path, *, cores: int) -> Iterator[Figure]:
    """Time the two jobs for 100,000 cells."""
    simulate_cohort(CohortSettings(patients_per_arm=12, cells=2080), folder)
    cells = _run(folder, cores=cores)
    seconds = [
        pd.read_csv(folder / "results" / "benchmarks" / f"{rule}.tsv", sep="\t")["s"].sum()
        for rule in ("annotate_cells", "call_lamm")
    ]
    yield Figure("speed", "cells", len(cells))
    yield Figure("speed", "seconds from cells to calls", float(sum(seconds)), high=60)
