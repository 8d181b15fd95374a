"""Cohorts at the edge: one sample, no monocytic cells, only macrophages, a sample per chemistry."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings
from tests.matrices import write_tenx_v3
from tests.workflow.conftest import COARSE, Run

pytestmark = pytest.mark.slow

CALLS = "results/annotation/calls.tsv"
MYELOID = "Monocyte|monocyte|Macrophage|LAMM|DC|Neutrophil"  # cell types of the simulator


def calls_of(folder: Path) -> pd.DataFrame:
    """Read the counts of calls by sample."""
    return pd.read_csv(folder / CALLS, sep="\t", index_col="sample", keep_default_na=False)


def real_cohort(folder: Path, sets: Mapping[str, tuple[Any, Any]], **config: Any) -> Path:
    """Write a cohort of patients of one sample each.

    `sets` are AnnData with the positions of some cells, by sample name.
    """
    rows = []
    for name, (cells, chosen) in sets.items():
        var = pd.DataFrame(index=cells.var_names.astype(str))
        obs = pd.DataFrame(index=cells.obs_names[chosen])
        own = anndata.AnnData(sparse.csr_matrix(cells.X)[chosen], obs=obs, var=var)
        own.write_h5ad(folder / f"{name}.h5ad")
        rows.append([name, name, "baseline", f"{name}.h5ad", f"chemistry_{name}", "blood"])
    columns = ["sample", "patient", "timepoint", "counts", "batch", "compartment"]
    sheet = pd.DataFrame(rows, columns=columns)
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    patients = sheet[["patient"]].assign(response=["CR", "PD", *[""] * 8][: len(sheet)])
    patients.to_csv(folder / "patients.tsv", sep="\t", index=False)
    about = {"samples": "samples.tsv", "patients": "patients.tsv", "report": COARSE}
    given = {"contrasts": {}, "genes": {"min_overlap": 0}, **about, **config}
    (folder / "config.yaml").write_text(yaml.safe_dump(given))
    return folder


def test_one_sample_without_monocytic_cells_is_reported(
    tmp_path: Path, snakemake: Callable[..., Run]
) -> None:
    simulate_cohort(CohortSettings(patients_per_arm=1, cells=150, seed=3), tmp_path)
    name = "P01_baseline"
    truth = pd.read_csv(tmp_path / "truth" / "cells.tsv.gz", sep="\t").query("sample == @name")
    second = truth["second_type"].fillna("").astype(str)
    kept = ~(truth["cell_type"].str.contains(MYELOID) | second.str.contains(MYELOID))
    path = tmp_path / "counts" / f"{name}.h5"
    shard = read_matrix(path)
    rows = np.flatnonzero(np.isin(shard.barcodes, truth.loc[kept, "barcode"]))
    write_tenx_v3(Shard(shard.counts[rows], shard.barcodes[rows], shard.genes), path)
    for sheet in ("samples", "patients"):
        table = pd.read_csv(tmp_path / f"{sheet}.tsv", sep="\t")
        table[table["patient"] == "P01"].iloc[:1].to_csv(
            tmp_path / f"{sheet}.tsv", sep="\t", index=False
        )
    config = yaml.safe_load((tmp_path / "config.yaml").read_text())
    between = {"kind": "between", "test": "non_responder", "reference": "responder"}
    trend = {"kind": "trend", "column": "ldh"}
    config |= {"contrasts": {"baseline": between, "ldh": trend}, "report": COARSE}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    run = snakemake(tmp_path)
    assert run.code == 0, run.text[-3000:]
    assert "at least 3 patients" in " ".join(run.text.split())
    assert "at least 5 patients with 3 different values" in " ".join(run.text.split())
    report = (tmp_path / "results" / "report.html").read_text(encoding="utf-8")
    assert "1 patient &middot; 1 sample &middot;" in report
    assert "This cohort has no monocytic cells" in report
    (calls,) = calls_of(tmp_path).to_dict("records")
    assert calls["n_cells"] > 50
    assert (calls["n_monocytic"], calls["n_lamm"], calls["reference"]) == (0, 0, "")
    for name in ("baseline", "ldh"):
        tests = pd.read_csv(tmp_path / "results" / "abundance" / f"{name}.tsv", sep="\t")
        assert tests["p"].isna().all()
    assert tests["n_test"].max() == 1


@pytest.mark.real_data
def test_only_macrophages_are_called_and_without_genes_of_the_state_all_are_uncertain(
    tmp_path: Path, snakemake: Callable[..., Run], real_data: Callable[[str], Path]
) -> None:
    wu: Any = anndata.read_h5ad(real_data("tumour_macrophages") / "tnbc_wu_cid4465.h5ad")
    chosen = np.flatnonzero(wu.obs["author_cell_type"] == "Macrophage")
    folder = real_cohort(tmp_path, {"tumor": (wu, chosen)}, lamm={"level": "macrophage_like"})
    run = snakemake(folder)
    assert run.code == 0, run.text[-3000:]
    (calls,) = calls_of(folder).to_dict("records")
    assert calls["n_monocytic"] > 90
    assert calls["n_positive"] > 0.9 * calls["n_monocytic"]
    assert calls["n_macrophage_like"] > 0.8 * calls["n_monocytic"]
    assert calls["n_supported"] == calls["n_lamm"]
    assert calls["reference"] == "prior only"
    report = (folder / "results" / "report.html").read_text(encoding="utf-8")
    assert "fewer than 20 ordinary monocytes in their batch" in report

    lines = [f"NO{i}\t{'macrophage' if i % 2 else 'monocyte'}\t1\tnone" for i in range(12)]
    table = "\n".join(["gene\tstate\tlevel\tsource", *lines])
    (folder / "genes.tsv").write_text(f"{table}\n")
    more = folder / "more.yaml"
    more.write_text(yaml.safe_dump({"lamm": {"state_genes": "genes.tsv"}}))
    run = snakemake(folder, CALLS, more_configs=(more,))
    assert run.code == 0, run.text[-3000:]
    assert "warning: sample tumor: too few genes of `lamm.state_genes`" in run.text
    assert "no matrix has 12 of its 12, e.g. NO0" in run.text
    (calls,) = calls_of(folder).to_dict("records")
    assert (calls["n_lamm"], calls["reference"]) == (0, "too few genes")
    assert calls["n_uncertain"] > 0.9 * calls["n_monocytic"]


@pytest.mark.real_data
def test_chemistries_of_one_sample_each_are_called_each_by_its_own_monocytes(
    tmp_path: Path, snakemake: Callable[..., Run], real_data: Callable[[str], Path]
) -> None:
    blood = real_data("blood_chemistries")
    facs: Any = anndata.read_h5ad(real_data("pbmc_facs") / "pbmc_facs.h5ad")
    monocytes = np.flatnonzero(facs.obs["celltype"] == "CD14+ Monocyte")
    others = np.flatnonzero(~facs.obs["celltype"].str.contains("CD14|CD34"))[::8]
    sets = {
        "v1": (anndata.read_h5ad(blood / "pbmc_frozen_v1.h5ad"), slice(0, None, 4)),
        "v2": (facs, np.concatenate([monocytes[:10], others])),  # ten monocytes
        "v3": (anndata.read_h5ad(blood / "pbmc_hao_v3.h5ad"), slice(0, None, 3)),
    }
    folder = real_cohort(tmp_path, sets)
    run = snakemake(folder, CALLS, "results/design/audit.tsv")
    assert run.code == 0, run.text[-3000:]
    audit = pd.read_csv(folder / "results" / "design" / "audit.tsv", sep="\t", index_col="item")
    assert audit.loc["batch_is_sample", "status"] == "warning"
    calls = calls_of(folder)
    assert calls["reference"].to_dict() == {
        "v1": "own monocytes",
        "v2": "prior only",
        "v3": "own monocytes",
    }
    assert (calls["n_positive"] >= 0.8 * calls["n_monocytic"]).all()
    assert calls["n_macrophage_like"].sum() <= 0.01 * calls["n_monocytic"].sum()
    assert calls["n_supported"].sum() >= 0.9 * calls["n_lamm"].sum()
