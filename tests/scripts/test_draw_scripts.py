"""Scripts that draw: from files to every picture of their group."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.evidence import count_calls
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import CellIndex, write_index, write_table
from lammscope.expression.pseudobulk import write_pseudobulk
from lammscope.report.figures.catalog import drawing_functions, figure_names
from tests.unit.example_pairs import ROLES, association_tables, axis_data, state_table
from tests.unit.example_pseudobulks import make_pseudobulk
from tests.unit.example_results import (
    BASELINE,
    DEFINERS,
    abundance_table,
    example,
    expression_table,
    quality_data,
    robustness_table,
)
from tests.unit.real_cohorts import PANEL


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[str]]:
    """The files that the figures are drawn from, by name, of one made-up cohort."""
    folder = tmp_path_factory.mktemp("results")
    cohort: Any = example(n_patients=6, n_cells=30)
    cells, n_cells = cohort.cells, len(cohort.cells)
    write_index(cells[["cell"]].assign(total_counts=4000), folder / "index.parquet")
    index = CellIndex(folder / "index.parquet")
    tables = {
        "summary.tsv": cohort.qc_summary,
        "counts.tsv": cohort.counts,
        "abundance.tsv": abundance_table(cohort.counts),
        "robustness.tsv": robustness_table(),
        "expression.tsv.gz": expression_table(),
        "clusters.tsv": pd.DataFrame(
            {"cluster": [0], "cell_type": ["CD4_T"], "n_cells": [9], "top_markers": ["IL7R"]}
        ),
        "cluster_genes.tsv": pd.DataFrame(
            {"cluster": 0, "gene": [*DEFINERS, "IL7R"], "per_10k": 2.0, "pct_detected": 40.0}
        ),
        "states.tsv": pd.DataFrame(
            {"population": ["LAMM"], "state": ["LA_TAM"], "mean": [0.5], "n_cells": [40]}
        ),
        "calls.tsv": count_calls(
            cells.assign(lamm_own_patient=0.8),
            samples=cohort.samples["sample"],
            reasons=["dc3"],
            probability=0.9,
        ),
        "neighborhoods.tsv": pd.DataFrame(
            {"cell": cells["cell"][:4], "population": ["Classical_monocyte", "NK", "NK", "B"],
             "population_fraction": 0.9, "n_cells": 20, "log2fc": [2.0, 1.0, -1.0, 0.1],
             "spatial_fdr": [0.01, 0.05, 0.1, 0.9], "status": "ok"}
        ),
    }  # fmt: skip
    for name, table in tables.items():
        write_table(table, folder / name)
    quality = quality_data(cohort)
    write_table(quality.lineages, folder / "lineages.tsv")
    write_table(quality.verdicts, folder / "verdicts.tsv")
    for sample, table in cohort.qc.items():
        write_table(table, folder / f"{sample}.parquet")
        write_table(quality.doublets[sample], folder / f"{sample}_doublets.parquet")
        row = quality.contamination[quality.contamination["sample"] == sample]
        write_table(row, folder / f"{sample}_contamination.tsv")
    index.write_table(cells, folder / "cells.parquet")
    samples = sample_table_text(cohort.samples.astype("str"))
    (folder / "samples.tsv").write_text(samples, encoding="utf-8")
    write_pseudobulk(make_pseudobulk(cohort.samples), folder / "pseudobulk.h5ad")
    index.write_arrays(folder / "umap.npz", umap=cohort.umap)
    neighbors = np.arange(n_cells)[:, None]
    index.write_arrays(folder / "neighbors.npz", indices=neighbors)
    index.write_counts(
        folder / "panel.npz",
        sparse.csr_matrix(np.expm1(cohort.definers).round().to_numpy()),
        genes=pd.DataFrame({"gene": DEFINERS, "symbol": DEFINERS}),
        present=np.ones((1, len(DEFINERS)), dtype=bool),
    )
    files = {path.name.partition(".")[0]: str(path) for path in folder.iterdir()}
    lists = {
        "panel": [files["panel"]],
        "qc": [files[sample] for sample in cohort.qc],
        "doublets": [files[f"{sample}_doublets"] for sample in cohort.qc],
        "contamination": [files[f"{sample}_contamination"] for sample in cohort.qc],
    }
    return files | lists, list(cohort.qc)


@pytest.mark.parametrize(
    "group", ["quality", "cohort", "evidence", "contrast", "expression", "neighborhoods"]
)
def test_a_script_draws_every_figure_of_its_group(
    group: str,
    results: tuple[dict[str, Any], list[str]],
    run_script: Callable[..., str],
    tmp_path: Path,
) -> None:
    files, samples = results
    contrast = {"contrasts": [as_values(BASELINE)]}
    shown = {"max_points": 50, "seed": 1}
    thresholds = {"min_counts": 500, "min_genes": 250, "max_pct_mt": 15}
    params: dict[str, dict[str, Any]] = {
        "quality": {"samples": samples, "channels": samples, "thresholds": thresholds},
        "cohort": {
            "samples": samples,
            "definers": list(DEFINERS),
            "thresholds": thresholds,
            "min_cells": 5,
            **shown,
        },
        "evidence": {"definers": list(DEFINERS), "panel": str(PANEL), "min_cells": 5},
        "contrast": {
            "lamm": {"level": "macrophage_like", "probability": 0.9},
            "cells": {"min_cells": 5, "exclude_pre_post": ["CAR_T"]},
            "denominator": "monocytic",
            "max_fdr": 0.05,
            "n_labels": 8,
            **contrast,
        },
        "expression": {"min_cells": 10, **contrast},
        "neighborhoods": {
            "limits": {"max_spatial_fdr": 0.1, "min_fraction": 0.7},
            **shown,
            **contrast,
        },
    }
    of_contrasts = {name: [files[name]] for name in ("abundance", "robustness", "expression")}
    inputs = {
        "contrast": of_contrasts,
        "expression": {"tables": [files["expression"]]},
        "neighborhoods": {"tables": [files["neighborhoods"]]},
    }
    paths = [tmp_path / "figures" / f"{name}.png" for name in figure_names(group)]
    run_script(
        f"draw_{group}",
        input=files | inputs.get(group, {}),
        output={"pngs": paths, "pdfs": [path.with_suffix(".pdf") for path in paths]},
        params={
            **params[group],
            "labels": {name: f"{name}, labeled" for name in samples},
            "figures": drawing_functions(group),
            "dpi": 20,
        },
    )
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize("is_empty", [False, True])
def test_pairs_states_and_associations_are_drawn_with_and_without_rows(
    run_script: Callable[..., str], tmp_path: Path, is_empty: bool
) -> None:
    data = axis_data(BASELINE)
    tables = {
        "libraries.tsv": data.levels.libraries,
        "terms.tsv.gz": data.levels.terms,
        "baseline.tsv": data.table,
        "values.tsv.gz": data.values,
        "states.tsv": state_table(),
        **dict(zip(("associations.tsv", "patients.tsv.gz"), association_tables(), strict=True)),
    }
    for name, table in tables.items():
        write_table(table.iloc[:0] if is_empty else table, tmp_path / name)
    samples = sample_table_text(data.comparison.samples.astype("str"))
    (tmp_path / "samples.tsv").write_text(samples, encoding="utf-8")
    files = {name.partition(".")[0]: str(tmp_path / name) for name in (*tables, "samples.tsv")}
    pngs = [tmp_path / "baseline" / f"{name}.png" for name in figure_names("axis")]
    of_cohort = [tmp_path / "cohort" / f"{name}.png" for name in figure_names("associations")]
    run_script(
        "draw_axis",
        input={
            **{name: files[name] for name in ("libraries", "terms", "samples")},
            "tables": [files["baseline"]],
            "values": [files["values"]],
            "states": [files["states"]],
            "associations": [files["associations"], files["patients"]],
        },
        output={"pngs": pngs, "cohort_pngs": of_cohort},
        params={
            "contrasts": [as_values(BASELINE)],
            "groups": ROLES,
            "primary": {"pair": "PGE2", "sender": "LAMM", "receiver": "CD8"},
            "level": "macrophage_like",
            "min_cells": 10,
            "dpi": 20,
            "figures": drawing_functions("axis"),
            "cohort_figures": drawing_functions("associations"),
        },
    )
    for path in (*pngs, *of_cohort):
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.with_suffix(".pdf").read_bytes().startswith(b"%PDF")


def test_the_map_of_cells_is_gathered_with_the_genes_that_samples_have(
    results: tuple[dict[str, Any], list[str]], run_script: Callable[..., str], tmp_path: Path
) -> None:
    files, samples = results
    output = tmp_path / "cell_map.json"
    labels = {name: f"Label of {name}" for name in samples}
    run_script(
        "gather_cell_map",
        input=files,
        output={"data": output},
        params={"definers": list(DEFINERS), "labels": labels, "seed": 1},
    )
    data = json.loads(output.read_text(encoding="utf-8"))
    n_cells = len(pd.read_parquet(files["cells"]))
    assert data["n_all"] == data["n_shown"] == n_cells
    genes = [value["label"] for value in data["values"] if value["family"] == "Genes"]
    assert genes == list(DEFINERS)
    (of_samples,) = (group["names"] for group in data["groups"] if group["key"] == "sample")
    assert set(of_samples) <= set(labels.values())
