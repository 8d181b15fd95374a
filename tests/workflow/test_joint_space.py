"""The integrated embedding of unusual cohorts, with other methods and numbers of cores."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.joint.integration import METHODS
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings
from tests.matrices import write_tenx_v3
from tests.workflow.conftest import COARSE, Run, write_config

pytestmark = pytest.mark.slow

HAS_SCVI = METHODS["scvi"].is_installed()
JOINT = [
    *("results/joint/umap.npz", "results/joint/stability.tsv", "results/annotation/markers.tsv"),
    "results/joint/integration_scores.tsv",
]


SMALL = CohortSettings(patients_per_arm=2, cells=220, seed=3)


@pytest.fixture(scope="module")
def cohort_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Simulate the small cohort in its own folder."""

    def make(name: str) -> Path:
        folder = tmp_path_factory.mktemp(name)
        simulate_cohort(SMALL, folder)
        write_config(folder, report=COARSE)
        return folder

    return make


def subset(folder: Path, sample: str, barcodes: np.ndarray, *, thin: float = 1.0) -> None:
    """Subsample the barcodes and molecules of the matrix of a sample."""
    path = folder / "counts" / f"{sample}.h5"
    shard = read_matrix(path)
    rows = np.flatnonzero(np.isin(shard.barcodes, barcodes))
    counts = shard.counts[rows]
    counts.data = np.random.default_rng(0).binomial(counts.data, thin).astype(np.int32)
    counts.eliminate_zeros()
    write_tenx_v3(Shard(counts, shard.barcodes[rows], shard.genes), path)


def healthy(folder: Path, sample: str) -> np.ndarray:
    """Barcodes of a sample's healthy single cells."""
    truth = pd.read_csv(folder / "truth" / "cells.tsv.gz", sep="\t")
    flawed = truth[["is_doublet", "is_empty", "is_dying"]].any(axis=1)
    return truth.loc[(truth["sample"] == sample) & ~flawed, "barcode"].to_numpy(dtype=str)


@pytest.fixture(scope="module")
def odd(cohort_in: Callable[[str], Path], snakemake: Callable[..., Run]) -> Path:
    """Run a cohort with a sample without passing cells, and one with a single cell."""
    folder = cohort_in("odd")
    subset(folder, "P01_day_7", healthy(folder, "P01_day_7"), thin=0.012)
    subset(folder, "P02_day_7", healthy(folder, "P02_day_7")[:1])
    write_config(folder, integration={"method": "auto", "candidates": ["none", "harmony"]})
    run = snakemake(folder)
    assert run.code == 0, run.text[-3000:]
    return folder


def test_a_sample_without_cells_stays_in_the_tables_and_is_named_in_the_report(odd: Path) -> None:
    summary: Any = pd.read_csv(odd / "results" / "qc" / "summary.tsv", sep="\t").set_index("sample")
    assert summary.loc["P01_day_7", "n_cells"] == 0
    assert summary.loc["P01_day_7", "n_barcodes"] > 0
    report = (odd / "results" / "report.html").read_text(encoding="utf-8")
    assert "No cell of sample P01_day_7 passes quality control" in report
    calls = pd.read_csv(odd / "results" / "annotation" / "calls.tsv", sep="\t").set_index("sample")
    assert calls.loc["P01_day_7", "n_cells"] == 0


def test_a_batch_of_one_cell_is_placed_among_the_others(odd: Path) -> None:
    cells = pd.read_parquet(odd / "results" / "annotation" / "cells.parquet")
    assert (cells["sample"] == "P02_day_7").sum() == 1
    with np.load(odd / "results" / "joint" / "auto.npz") as file:
        assert np.isfinite(file["space"]).all()
        assert len(file["space"]) == len(cells)


def test_auto_uses_one_of_its_candidates_and_says_which(odd: Path) -> None:
    scores = pd.read_csv(odd / "results" / "joint" / "integration_scores.tsv", sep="\t")
    assert scores["method"].tolist() == ["none", "harmony"]
    used = scores.loc[scores["used"], "method"].tolist()
    assert len(used) == 1
    file = {"none": "pca", "harmony": "harmony"}[used[0]]
    spaces = [
        np.load(odd / "results" / "joint" / f"{name}.npz")["space"] for name in ("auto", file)
    ]
    assert np.array_equal(*spaces)


def test_one_small_sample_needs_no_integration(
    cohort_in: Callable[[str], Path], snakemake: Callable[..., Run]
) -> None:
    folder = cohort_in("alone")
    subset(folder, "P01_baseline", healthy(folder, "P01_baseline")[:25])
    for name in ("samples", "patients"):
        table = pd.read_csv(folder / f"{name}.tsv", sep="\t").iloc[:1]
        table.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    write_config(folder, contrasts={})
    run = snakemake(folder, *JOINT)
    assert run.code == 0, run.text[-3000:]
    with np.load(folder / "results" / "joint" / "pca.npz") as file:
        n_cells, n_components = file["space"].shape
    assert n_components < 30
    assert n_components < n_cells
    scores = pd.read_csv(folder / "results" / "joint" / "integration_scores.tsv", sep="\t")
    assert scores["n_batches"].tolist() == [1, 1]
    log = (folder / "results" / "logs" / "integrate_harmony.log").read_text()
    assert "one batch: nothing to correct" in log


@pytest.mark.skipif(not HAS_SCVI, reason="scvi-tools is not installed (make setup-scvi)")
def test_scvi_gives_a_space_a_saved_model_and_keeps_the_populations(
    cohort_in: Callable[[str], Path], snakemake: Callable[..., Run]
) -> None:
    folder = cohort_in("scvi")
    scvi = {"max_epochs": 15, "n_latent": 10, "covariates": ["compartment"]}
    write_config(folder, integration={"method": "scvi", "scvi": scvi})
    run = snakemake(folder, "results/joint/integration_scores.tsv")
    assert run.code == 0, run.text[-3000:]
    joint = folder / "results" / "joint"
    with np.load(joint / "scvi.npz") as file:
        assert file["space"].shape[1] == 10
        assert np.isfinite(file["space"]).all()
    assert (joint / "scvi_model" / "model.pt").exists()
    scores: Any = pd.read_csv(joint / "integration_scores.tsv", sep="\t").set_index("method")
    assert scores.index.tolist() == ["none", "harmony", "scvi"]
    assert scores.loc["scvi", "structure"] > 0.8


@pytest.mark.skipif(HAS_SCVI, reason="scvi-tools is installed")
def test_scvi_that_is_not_installed_stops_the_run_with_the_command(
    cohort_in: Callable[[str], Path], snakemake: Callable[..., Run]
) -> None:
    folder = cohort_in("no_scvi")
    write_config(folder, integration={"method": "scvi"})
    run = snakemake(folder)
    assert run.code == 1
    assert "make setup-scvi" in run.text
    assert "Traceback" not in run.text


def test_the_cohort_file_is_read_backed_and_by_scanpy(odd: Path) -> None:
    import scanpy as sc

    path = odd / "results" / "cohort.h5ad"
    data = sc.read_h5ad(path)
    assert data.raw.shape == data.shape
    assert data.obsm["X_umap"].shape == (data.n_obs, 2)
    assert np.array_equal(data.obsm["X_joint"], data.obsm[data.uns["X_joint"]])
    with h5py.File(path) as file:
        assert file["raw/X"]["indices"].shape == file["X"]["indices"].shape
    config = yaml.safe_load((odd / "results" / "config.yaml").read_text())
    assert config["assembly"]["log_normalised"] is True
