"""Cohorts and changed settings for `benchmarks.failed_reruns`.

Three small simulated cohorts reach every rule: one with the settings of most users, one with the
optional parts (scores of integration methods with scVI, labels of a model, contigs, other choices),
and one that replicates the first.
"""

import pickle
import shutil
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from lammscope.core.shards import read_shard
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings
from tests.contigs import chains_of, write_cell_ranger

PLAIN, OPTIONAL, REPLICATION = "plain", "optional", "replication"
FIRST_PATIENTS = {PLAIN: 1, OPTIONAL: 1, REPLICATION: 21}


@dataclass(frozen=True)
class Change:
    """A changed setting of a cohort, or a text that is replaced in a sheet."""

    name: str
    settings: dict[str, Any]
    cohort: str = PLAIN
    sheet: tuple[str, str, str] | None = None


# A change for each section of the config.
SECTIONS: dict[str, Any] = {
    "seed": 2,
    "threads": 1,
    "response": {"responder": ["CR"], "non_responder": ["PD", "SD"]},
    "timepoints": {"pre": ["day_7"], "post": ["baseline"]},
    "sorts": {"CD3": ["T"]},
    "inputs": {"compression": "gzip"},
    "qc": {"min_genes": 230},
    "ambient": {"correct": True},
    "doublets": {"simulated_per_cell": 1},
    "genes": {"n_top": 1500},
    "integration": {"harmony": {"theta": 3}},
    "clustering": {"n_neighbors": 15},
    "annotation": {"min_margin": 0.05},
    "lamm": {"fold": 3},
    "car": {"probability": 0.8},
    "contrasts": {
        name: {
            "kind": "between",
            "test": "non_responder",
            "reference": "responder",
            "where": {"phase": phase},
        }
        for name, phase in (("baseline", "pre"), ("late", "post"))
    },
    "primary": {"denominator": "all"},
    "abundance": {"min_cells": 25},
    "robustness": {"thresholds": [0.5, 0.9]},
    "multiverse": {"resolution": [0.5], "probability": [0.6]},
    "calibration": {"n_expression": 10},
    "neighborhoods": {"min_size": 40},
    "expression": {"min_cells": 12},
    "axis": {"min_lead": 0.6},
    "survival": {"response_day": 20},
    "assembly": {"log_normalised": False},
    "report": {"title": "Another title", "dpi": 60},
}
# Sections that name files or folders, or of which a part is a change of another one.
UNCHANGED = ("samples", "patients", "pathvars", "definition", "categories")
# Changes that rerun single rules.
SMALL: dict[str, dict[str, Any]] = {
    "report.dpi": {"report": {"dpi": 60}},
    "report.title": {"report": {"title": "Another title"}},
    "clustering.umap_epochs": {"clustering": {"umap_epochs": 150}},
    "clustering.resolutions": {"clustering": {"resolutions": [0.5]}},
    "clustering.n_markers": {"clustering": {"n_markers": 30}},
    "integration.method": {"integration": {"method": "auto"}},
    "axis.n_neighbors": {"axis": {"n_neighbors": 25}},
    "expression.min_set_genes": {"expression": {"min_set_genes": 5}},
    "abundance.n_draws": {"abundance": {"n_draws": 9000}},
}
# The settings of the other cohorts, and what is changed in them.
OPTIONS: dict[str, Any] = {
    "integration": {"candidates": ["scvi"], "scvi": {"max_epochs": 3}},
    "annotation": {"celltypist_model": "types.pkl"},
    "multiverse": {
        "crossing": "single",
        "qc": {"strict": {"min_genes": 300}},
        "doublets": ["kept"],
        "integration": ["scvi"],
        "ambient": [3],
    },
}
OTHERS = [
    Change("follow_up", {}, sheet=("patients.tsv", "\t628\t1\t677\t", "\t629\t1\t677\t")),
    Change("optional.contigs", {}, OPTIONAL, ("samples.tsv", "P01_baseline_contigs.csv.gz", "")),
    Change("optional.scvi", {"integration": {"scvi": {"max_epochs": 4}}}, OPTIONAL),
    Change("optional.trusted", {"annotation": {"celltypist_trusted": True}}, OPTIONAL),
    Change("optional.strict", {"multiverse": {"qc": {"strict": {"min_genes": 310}}}}, OPTIONAL),
    Change("replication.report", {"report": {"dpi": 60}}, REPLICATION),
    Change("replication.draws", {"abundance": {"n_draws": 9000}}, REPLICATION),
]


def all_changes() -> list[Change]:
    """Return the changes of sections, then those of other settings and cohorts."""
    sections = [Change(name, {name: value}) for name, value in SECTIONS.items()]
    return [*sections, *(Change(name, settings) for name, settings in SMALL.items()), *OTHERS]


def write_cohort(folder: Path, cohort: str, finished: Callable[[str], Path]) -> None:
    """Simulate a cohort with its config in a new folder.

    Parameters
    ----------
    folder, cohort
        Where, and which.
    finished
        Returns the folder of another cohort, with its results.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    settings = CohortSettings(
        patients_per_arm=3, cells=200, seed=3, first_patient=FIRST_PATIENTS[cohort]
    )
    with chdir(folder):
        simulate_cohort(settings, ".")
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config["report"] = {"dpi": 50}
    if cohort == OPTIONAL:
        config |= OPTIONS
        write_model(finished(PLAIN) / "results", folder / "types.pkl")
        write_contigs(finished(PLAIN) / "results", folder)
    if cohort == REPLICATION:
        shutil.copy(finished(PLAIN) / "results" / "definition.yaml", folder)
        config["definition"] = "definition.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def write_model(results: Path, path: Path) -> None:
    """Train a model of the types that a run found in its first sample, as CellTypist saves one."""
    cells = pd.read_parquet(
        results / "annotation" / "cells.parquet", columns=["cell", "sample", "cell_type"]
    )
    sample = cells["sample"].iloc[0]
    shard = read_shard(results / "shards" / f"{sample}.h5ad")
    cells = cells[cells["sample"] == sample]
    rows = pd.Index(shard.barcodes).get_indexer(cells["cell"].str.removeprefix(f"{sample}_"))
    types = cells["cell_type"].astype(str)
    counts = shard.counts[rows].toarray().astype(float)
    levels = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    scaler = StandardScaler().fit(levels)
    classifier = LogisticRegression().fit(scaler.transform(levels), types)
    classifier.features = shard.genes["symbol"].to_numpy(dtype=str)
    path.write_bytes(pickle.dumps({"Model": classifier, "Scaler_": scaler, "description": {}}))


def write_contigs(results: Path, folder: Path) -> None:
    """Write contigs of the T cells of a finished run's samples, and name them in the sheet."""
    cells = pd.read_parquet(results / "annotation" / "cells.parquet")
    cells = cells[cells["lineage"] == "T"]
    sheet = pd.read_table(folder / "samples.tsv", dtype=str, keep_default_na=False)
    rng = np.random.default_rng(1)
    for sample in sheet["sample"]:
        names = cells.loc[cells["sample"] == sample, "cell"].str.removeprefix(f"{sample}_").tolist()
        chains = chains_of(names, rng.geometric(0.05, len(names)).tolist())
        write_cell_ranger(chains, folder / f"{sample}_contigs.csv.gz")
    sheet["contigs"] = sheet["sample"] + "_contigs.csv.gz"
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
