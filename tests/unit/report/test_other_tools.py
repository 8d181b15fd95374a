"""`cohort.h5ad` in other tools: the code of docs/other_tools.md runs as it is written there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.panel import load_panel
from lammscope.core.names import UNASSIGNED
from lammscope.core.shards import Shard
from lammscope.report.cellxgene import NEEDED, add_schema_terms, read_cell_ontology
from lammscope.report.cohort_h5ad import LABELS, describe_cohort, write_cohort

ROOT = Path(__file__).parents[3]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
VALIDATOR = shutil.which("cellxgene-schema")
RSCRIPT = shutil.which("Rscript")
N_CELLS = 30
TERMS = {
    "tissue_ontology_term_id": "UBERON:0000178",
    "tissue_type": "tissue",
    "assay_ontology_term_id": "EFO:0009922",
    "suspension_type": "cell",
    "disease_ontology_term_id": "MONDO:0018905",
    "is_primary_data": 1,
}


def code_below(heading: str, language: str) -> list[str]:
    """Return the blocks of code in a section of the document."""
    text = (ROOT / "docs" / "other_tools.md").read_text(encoding="utf-8")
    section = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [code for found, code in BLOCK.findall(section) if found == language]


def real_genes() -> pd.DataFrame:
    """Return genes with their true ids, the transcript of a CAR, and two genes of one symbol."""
    table = pd.read_csv(ROOT / "resources" / "genes" / "sex_genes.tsv", sep="\t", comment="#")
    own = table.dropna().iloc[:40][["gene", "symbol"]]
    more = {
        "gene": ["ENSG00000170458", "CAT_scFv", "ENSG00000015479", "ENSG00000280987"],
        "symbol": ["CD14", "CAT_scFv", "MATR3", "MATR3"],
    }
    return pd.concat([own, pd.DataFrame(more)], ignore_index=True).drop_duplicates("gene")


def small_cohort(**columns: Any) -> tuple[anndata.AnnData, Shard]:
    """Describe a sample of one patient; `columns` are those of the sheets."""
    rng = np.random.default_rng(0)
    genes = real_genes()
    counts = sparse.csr_array(rng.poisson(1.5, (N_CELLS, len(genes))).astype(np.int32))
    barcodes = np.array([f"AC{number:014d}-1" for number in range(N_CELLS)])
    index = pd.DataFrame(
        {
            "cell": [f"s_{barcode}" for barcode in barcodes],
            "sample": "s",
            "barcode": barcodes,
            "position": np.arange(N_CELLS),
            "patient": "P1",
            "total_counts": counts.sum(axis=1),
            "n_genes": np.diff(counts.indptr),
        }
    )
    labels = pd.DataFrame({name: ["x"] * N_CELLS for name in LABELS})
    labels["cell_type"] = ["Macrophage", "CAR_T", "own_type"] * (N_CELLS // 3)
    sheet = {"sample": ["s"], "response": ["responder"], "sex": ["F"], "age": [54], **columns}
    cohort = describe_cohort(
        index,
        labels,
        pd.DataFrame(sheet),
        reference=genes.assign(n_samples=1),
        variable=genes["gene"][:5],
        spaces={"X_pca": rng.normal(size=(N_CELLS, 3)), "X_umap": rng.normal(size=(N_CELLS, 2))},
        in_use="X_pca",
    )
    return cohort, Shard(counts, barcodes, genes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write the cohort, with all terms of the schema, to `results/cohort.h5ad` of a folder."""
    cohort, shard = small_cohort(**{name: [value] for name, value in TERMS.items()})
    assert add_schema_terms(cohort, cell_types=read_cell_ontology(), title="Small") == []
    path = tmp_path / "results" / "cohort.h5ad"
    path.parent.mkdir()
    write_cohort(cohort, [(shard, np.arange(N_CELLS))], path, log_normalised=True)
    return tmp_path


def run(*command: str, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_what_the_sheets_and_the_panel_tell_is_written_as_terms_and_the_rest_is_unknown() -> None:
    cohort, _ = small_cohort(organism_ontology_term_id=["NCBITaxon:9606"], tissue_type=["tissue"])
    missing = add_schema_terms(cohort, cell_types=read_cell_ontology(), title="A title")
    first = cohort.obs.iloc[:3]
    terms = ["CL:0000235", "CL:0000084", "unknown"]  # the type of another panel has no term here
    assert first["cell_type_ontology_term_id"].tolist() == terms
    assert set(first["sex_ontology_term_id"]) == {"PATO:0000383"}
    assert set(first["development_stage_ontology_term_id"]) == {"unknown"}
    assert set(first["donor_id"]) == {"P1"}
    assert (cohort.uns["title"], cohort.uns["default_embedding"]) == ("A title", "X_umap")
    assert cohort.uns["organism_ontology_term_id"] == "NCBITaxon:9606"
    assert "organism_ontology_term_id" not in cohort.obs  # the schema forbids it there
    assert missing == [name for name in NEEDED if name != "tissue_type"]


def test_a_column_that_some_samples_lack_is_named(caplog: pytest.LogCaptureFixture) -> None:
    given = {**TERMS, "tissue_type": pd.NA, "sex": pd.NA}
    cohort, _ = small_cohort(**{name: [value] for name, value in given.items()})
    with caplog.at_level("INFO", logger="lammscope"):
        missing = add_schema_terms(cohort, cell_types=read_cell_ontology(), title="")
    assert missing == ["tissue_type"]
    assert "the sheets lack tissue_type" in caplog.text
    assert set(cohort.obs["sex_ontology_term_id"]) == {"unknown"}


def test_each_type_of_the_panel_has_a_term() -> None:
    panel = load_panel(ROOT / "resources" / "markers" / "immune_blood_tumour.yaml")
    assert set(panel.lineages) - {UNASSIGNED} == set(read_cell_ontology())


def test_symbols_that_genes_share_are_told_apart_and_others_stay(folder: Path) -> None:
    names = anndata.read_h5ad(folder / "results" / "cohort.h5ad").var["feature_name"]
    assert names.is_unique
    assert names["ENSG00000170458"] == "CD14"
    assert names["ENSG00000015479"] == "MATR3_ENSG00000015479"


def test_scanpy_reads_it(folder: Path) -> None:
    (code,) = code_below("scanpy", "python")
    run(sys.executable, "-c", code, folder=folder)
    assert (folder / "umap.png").stat().st_size > 1000


def test_r_reads_it(folder: Path) -> None:
    if not RSCRIPT or subprocess.run([RSCRIPT, "-e", "library(hdf5r)"], check=False).returncode:
        pytest.skip("R with hdf5r is not installed")
    code = code_below("R: Seurat and SingleCellExperiment", "r")[0]
    told = 'cat(sum(cohort$counts), cohort$counts["CD14", 2], dim(cohort$embeddings$X_umap))\n'
    told += 'cat("", as.character(cohort$cells$cell_type[1:2]), cohort$genes["CD14", "gene"])'
    text = run(str(RSCRIPT), "-e", code + told, folder=folder)
    cohort = anndata.read_h5ad(folder / "results" / "cohort.h5ad")
    counts = cohort.raw.X
    second = counts[1, cohort.var_names.get_loc("ENSG00000170458")]
    expected = f"{counts.sum():g} {second:g} {N_CELLS} 2 Macrophage CAR_T ENSG00000170458"
    assert text.endswith(expected)


@pytest.mark.skipif(VALIDATOR is None, reason="cellxgene-schema is not installed")
def test_the_copy_for_submission_is_valid(folder: Path) -> None:
    (code,) = code_below("Submission to CELLxGENE Discover", "python")
    python = str(Path(str(VALIDATOR)).parent / "python")
    assert "genes are not in the reference" in run(python, "-c", code, folder=folder)
    text = run(str(VALIDATOR), "validate", "submission.h5ad", folder=folder)
    assert "is_valid=True" in text
