"""The scripts of the multiverse outside Snakemake: counts, limits, the test and its figure."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.multiverse import read_multiverse
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import read_table, write_table
from lammscope.core.shards import Shard, read_shard, write_shard
from lammscope.ingest.quality.assess import assess_sample
from lammscope.report.figures.catalog import drawing_functions
from tests.matrices import small_shard
from tests.unit.example_cohorts import BASELINE, asked, make_samples

SAMPLES = make_samples(4)


def count_folder(folder: Path, run_script: Callable[..., str], *, seed: int) -> dict[str, Path]:
    """Count simulated calls as `count_calls` does, and return the paths of its tables."""
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame({"sample": np.repeat(SAMPLES["sample"].to_numpy(), 120)})
    odds = cells["sample"].str.startswith("n") * 0.2 + 0.3
    is_monocyte = rng.random(len(cells)) < odds
    cells["population"] = np.where(is_monocyte, "Classical_monocyte", "CD4_T")
    cells["lineage"] = np.where(is_monocyte, "monocytic", "T")
    surely = np.where(is_monocyte, rng.random(len(cells)), 0.0)
    cells["lamm_positive"], cells["lamm_macrophage_like"] = surely, surely**3
    cells["lamm_call"] = np.where(surely >= 0.9, "LAMM", "not_LAMM")
    folder.mkdir(parents=True)
    write_table(cells, folder / "cells.parquet")
    output = {name: folder / f"{name}.tsv" for name in ("counts", "thresholds")}
    run_script(
        "count_calls",
        input={"cells": folder / "cells.parquet"},
        output=output,
        params={
            "samples": SAMPLES["sample"].tolist(),
            "probability": 0.9,
            "thresholds": [0.1, 0.5, 0.9],
        },
    )
    return output


def test_counts_of_folders_become_a_curve(tmp_path: Path, run_script: Callable[..., str]) -> None:
    config = resolve_config({"multiverse": {"resolution": [0.5], "probability": [0.5]}})
    found = read_multiverse(config, adjust=())
    counts = [
        count_folder(tmp_path / name, run_script, seed=i)
        for i, name in enumerate(("run", "resolution_0.5"))
    ]
    (tmp_path / "samples.tsv").write_text(sample_table_text(SAMPLES))
    tables = ("specifications", "summary", "choices")
    output: dict[str, Path] = {name: tmp_path / "multiverse" / f"{name}.tsv" for name in tables}
    shared: dict[str, Any] = {
        "contrast": as_values(asked(BASELINE, SAMPLES)),
        "choices": dict(found.choices),
    }
    log = run_script(
        "test_multiverse",
        input={
            "counts": [each["counts"] for each in counts],
            "thresholds": [each["thresholds"] for each in counts],
            "samples": tmp_path / "samples.tsv",
        },
        output=output,
        params=shared
        | {
            "folders": ["run", "resolution_0.5"],
            "folder_of": [found.folder_of(each) or "run" for each in found.specifications],
            "specifications": found.specifications,
            "covariates": dict(found.covariates),
            "settings": {"min_cells": 20, "exclude_pre_post": [], "sorts": {}},
            "permutation": {"max_exact": 1000, "n_draws": 99},
            "seed": 1,
        },
    )
    assert "4 of 4 specifications defined" in log
    table = read_table(output["specifications"])
    assert table["folder"].tolist() == ["run", "run", "resolution_0.5", "resolution_0.5"]
    assert read_table(output["summary"]).loc[0, "n_defined"] == 4
    assert set(read_table(output["choices"])["choice"]) == {"resolution", "probability"}
    png = tmp_path / "figures" / "cohort" / "specification_curve.png"
    run_script(
        "draw_multiverse",
        input={"specifications": output["specifications"]},
        output={"pngs": [png], "pdfs": [png.with_suffix(".pdf")]},
        params=shared | {"dpi": 50, "figures": drawing_functions("multiverse")},
    )
    assert png.stat().st_size > 1000


def test_other_limits_flag_barcodes_as_reading_the_matrix_again_would(
    tmp_path: Path, run_script: Callable[..., str]
) -> None:
    limits = dict(resolve_config({})["qc"])
    del limits["min_cells"], limits["on_failed"]
    limits |= {"min_counts": 1, "min_genes": 1, "ambient_max_counts": 0}
    matrix: Shard = small_shard()

    def assess(own: dict[str, float]) -> tuple[Shard, pd.DataFrame]:
        rng = np.random.default_rng(0)
        shard, qc, _ = assess_sample(matrix, sample="a", barcodes=[], limits=own, rng=rng)
        return shard, qc

    shard, qc = assess(limits)
    strict = limits | {"min_genes": float(qc["n_genes"].median()) + 1}
    write_shard(shard, tmp_path / "a.h5ad", compression="lz4")
    write_table(qc, tmp_path / "a.parquet")
    output = {"qc": [tmp_path / "new.parquet"], "moments": [tmp_path / "moments.parquet"]}
    run_script(
        "reassess_samples",
        input={"shards": [tmp_path / "a.h5ad"], "qc": [tmp_path / "a.parquet"]},
        output=output,
        params={"limits": {"a": strict}},
    )
    again, expected = read_table(output["qc"][0]), assess(strict)[1]
    assert 0 < expected["passes"].sum() < qc["passes"].sum()
    pd.testing.assert_frame_equal(again, expected, check_dtype=False)
    moments = read_table(output["moments"][0])
    assert (moments["n_cells"] == expected["passes"].sum()).all()
    assert len(read_shard(tmp_path / "a.h5ad").barcodes) == len(again)
