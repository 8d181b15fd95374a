"""The integrated embedding of unusual cohorts, with other methods and numbers of cores."""

import json
import shutil
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
    assert "No cell of sample P01 day 7 passes quality control" in report
    calls = pd.read_csv(odd / "results" / "annotation" / "calls.tsv", sep="\t").set_index("sample")
    assert calls.loc["P01_day_7", "n_cells"] == 0


def test_samples_that_fail_are_named_first_and_on_the_console(odd: Path) -> None:
    verdicts = pd.read_csv(odd / "results" / "qc" / "verdicts.tsv", sep="\t", index_col="sample")
    failed = verdicts[verdicts["verdict"] == "failed"]
    assert failed["reasons"].to_dict() == {"P01_day_7": "few_cells", "P02_day_7": "few_cells"}
    sexes = pd.read_csv(odd / "patients.tsv", sep="\t", index_col="patient")["sex"]
    samples = pd.read_csv(odd / "samples.tsv", sep="\t", index_col="sample")
    told = verdicts["sex"].dropna()
    assert len(told) == 6
    assert told.to_dict() == samples["patient"][told.index].map(sexes).to_dict()
    report = (odd / "results" / "report.html").read_text(encoding="utf-8")
    assert "Sample P01 day 7 fails quality control: 0 of" in report.split('id="cohort"')[0]
    log = (odd / "results" / "logs" / "judge_samples.log").read_text(encoding="utf-8")
    assert "WARNING sample P02_day_7 fails quality control: 1 of 1 barcodes pass" in log


def test_cells_of_failed_samples_are_left_out_on_demand(
    odd: Path, snakemake: Callable[..., Run], tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    shutil.copytree(odd, folder)
    sheet = pd.read_csv(folder / "patients.tsv", sep="\t")
    wrong = {"female": "male", "male": "female"}
    is_third = sheet["patient"] == "P03"
    sheet["sex"] = sheet["sex"].where(~is_third, sheet["sex"].map(wrong))
    sheet.to_csv(folder / "patients.tsv", sep="\t", index=False)
    write_config(folder, patients=str(folder / "patients.tsv"), qc={"on_failed": "drop"})
    run = snakemake(folder, "results/joint/cells.parquet")
    assert run.code == 0, run.text[-3000:]
    assert "sample P03_day_7 fails quality control: the patient is" in run.text
    cells = pd.read_parquet(folder / "results" / "joint" / "cells.parquet")
    before = pd.read_parquet(odd / "results" / "joint" / "cells.parquet")
    left_out = ["P01_day_7", "P02_day_7", "P03_baseline", "P03_day_7"]
    expected = before[~before["sample"].isin(left_out)]
    assert 0 < len(expected) < len(before) - 2
    assert cells["cell"].tolist() == expected["cell"].tolist()
    summary = pd.read_csv(folder / "results" / "qc" / "summary.tsv", sep="\t", index_col="sample")
    assert summary.loc[left_out, "n_dropped"].tolist()[0:2] == [0, 1]
    assert (summary.loc[left_out[2:], "n_dropped"] > 50).all()


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
    training = json.loads((joint / "scvi_model" / "training.json").read_text())
    assert training["accelerator"] == "cpu"
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
