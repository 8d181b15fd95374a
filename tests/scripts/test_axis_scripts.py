"""Scripts of the LAMM-T axis: from counts of T cells to tests and associations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.gene_sets import read_signatures
from lammscope.core.indexed import CellIndex, read_table, write_index, write_table
from tests.unit.example_cohorts import BASELINE, CHANGE, asked, cohort

N_CELLS = 40  # per sample, half of them T cells
LEVELS = ("LAMM_positive", "LAMM_macrophage_like")


@pytest.fixture
def files(repository: Path, tmp_path: Path) -> dict[str, Path]:
    """Write what the jobs read: cells of 8 patients before and after infusion."""
    samples = cohort(4)
    rng = np.random.default_rng(5)
    names = np.repeat(sorted(samples["sample"]), N_CELLS)
    is_t = np.tile([True, False], len(names) // 2)
    cells = pd.DataFrame(
        {
            "cell": [f"{name}_{i:04d}" for i, name in enumerate(names)],
            "sample": names,
            "lineage": np.where(is_t, "T", "monocytic"),
            "population": np.where(is_t, "CD8_T", "Classical_monocyte"),
            "car_probability": np.where(is_t, 0.2, np.nan),
            "total_counts": 5000,
        }
    )
    sets = read_signatures((repository / "resources" / "signatures").glob("*.gmt"))
    genes = sorted({gene for own in sets.values() for gene in own})
    symbols = [*genes, "CAR"]
    paths = {
        name: tmp_path / name
        for name in ("cells.parquet", "annotated.parquet", "panel.npz", "near.npz", "space.npz")
    }
    write_index(cells[["cell", "sample", "total_counts"]], paths["cells.parquet"])
    index = CellIndex(paths["cells.parquet"])
    index.write_table(cells.drop(columns="total_counts"), paths["annotated.parquet"])
    index.write_counts(
        paths["panel.npz"],
        sparse.csr_array(rng.poisson(1, (len(cells), len(symbols)))),
        genes=pd.DataFrame({"gene": symbols, "symbol": symbols}),
        n_cells=np.full(len(samples), N_CELLS),
        present=np.ones((len(samples), len(symbols)), dtype=bool),
    )
    index.write_arrays(paths["near.npz"], indices=np.full((len(cells), 1), -1, dtype=np.int32))
    index.write_arrays(paths["space.npz"], space=rng.normal(size=(len(cells), 5)))
    rows = [("Classical_monocyte", 20, True), ("CD8_T", 20, True), *((n, 8, False) for n in LEVELS)]
    counts = pd.DataFrame(
        [(sample, *row) for sample in samples["sample"] for row in rows],
        columns=["sample", "population", "n_cells", "partition"],
    )
    counts["lineage"] = np.where(counts["population"] == "CD8_T", "T", "monocytic")
    tables = {
        "counts": counts,
        "scores": pd.DataFrame(
            {"sample": samples["sample"], "total_score": rng.normal(size=16), "n_scored": 20}
        ),
        "quality": pd.DataFrame({"sample": samples["sample"], "median_counts": 5000}),
    }
    for name, table in tables.items():
        paths[name] = tmp_path / f"{name}.tsv"
        write_table(table, paths[name])
    paths["samples"] = tmp_path / "samples.tsv"
    texts = dict.fromkeys(samples.select_dtypes(exclude="number"), "str")
    paths["samples"].write_text(sample_table_text(samples.astype(texts)), encoding="utf-8")
    return paths


def test_t_cells_are_scored_summed_tested_and_associated(
    files: dict[str, Path], run_script: Callable[..., str], tmp_path: Path
) -> None:
    config: dict[str, Any] = resolve_config({})
    suffixes = {"scores": "parquet", "t_scores": "parquet"}
    names = ("scores", "t_scores", "means", "sets", "programs", "measures")
    output = {name: tmp_path / "out" / f"{name}.{suffixes.get(name, 'tsv')}" for name in names}
    run_script(
        "score_states",
        input={
            "counts": [files["panel.npz"]],
            "index": files["cells.parquet"],
            "cells": files["annotated.parquet"],
            "neighbors": files["near.npz"],
            "space": files["space.npz"],
        },
        output=output,
        params={
            "min_cells": 5,
            "gene_sets": config["annotation"]["states"],
            "programs": config["axis"]["states"],
            "states": {key: config["axis"][key] for key in ("leading", "min_lead")},
            "search": {"n_neighbors": 5, "seed": 1, "threads": 1},
            "car_sorted": ["N1_D7"],
        },
    )
    scores = pd.read_parquet(output["t_scores"])
    assert scores["T_naive"].notna().sum() == 16 * N_CELLS // 2
    assert set(scores["state"].dropna()) <= {*config["axis"]["leading"], "unresolved"}
    assert set(read_table(output["programs"])["status"]) == {"ok"}
    measures = read_table(output["measures"])
    share = measures[measures["measure"] == "CAR_T"]
    assert len(share) == 15  # not of the sorted sample
    samples = cohort(4)
    extra = tmp_path / "clones.tsv"
    write_table(measures[measures["measure"] == "T_naive"].assign(measure="clonality"), extra)
    tables = [tmp_path / "axis" / f"states.{name}.tsv" for name in ("baseline", "change")]
    associations = tmp_path / "axis" / "associations.tsv"
    patients = tmp_path / "axis" / "associations_patients.tsv.gz"
    run_script(
        "test_states",
        input={
            "measures": [output["measures"], extra],
            "supply": [],
            **{name: files[name] for name in ("counts", "scores", "quality", "samples")},
        },
        output={"tables": tables, "associations": associations, "patients": patients},
        params={
            "contrasts": [as_values(asked(entry, samples)) for entry in (BASELINE, CHANGE)],
            "min_cells": {"lamm": 20, "t": 10},
            "permutation": {"max_exact": 100, "n_draws": 100},
            "timepoints": {"pre": ["D0"], "post": ["D7"]},
            "sorts": {},
            "seed": 1,
        },
    )
    for table in map(read_table, tables):
        tested = table[(table["population"] == "T") & (table["kind"] == "mean")]
        assert set(tested["status"]) == {"ok"}
        assert "clonality" in tested["measure"].tolist()
    found = read_table(associations)
    assert set(found["when"]) == {"pre", "post", "pre_then_post", "pre_then_change"}
    assert len(read_table(patients)) == found["n"].sum()
