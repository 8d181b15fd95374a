"""Freeze and replicate outside Snakemake: a cohort with and without a primary contrast."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.definition_file import read_definition
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import read_table, write_table
from lammscope.core.shards import InputRecord, write_shard
from lammscope.report.figures.catalog import drawing_functions
from tests.definitions import baseline, definition_content
from tests.matrices import small_shard
from tests.unit.abundance.questions import run_abundance
from tests.unit.outcome.test_replication import SETTINGS, cohort

PERMUTATION = {key: SETTINGS[key] for key in ("max_exact", "n_draws")}
RULES = {key: SETTINGS[key] for key in ("min_cells", "exclude_pre_post")}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, Path]:
    """The files that both scripts read."""
    counts, samples = cohort()
    paths = {name: tmp_path / f"{name}.tsv" for name in ("counts", "samples", "abundance")}
    write_table(counts, paths["counts"])
    paths["samples"].write_text(sample_table_text(samples))
    write_table(run_abundance(counts, samples, baseline(), **SETTINGS), paths["abundance"])
    return paths


def freeze(
    run_script: Callable[..., str], tables: dict[str, Path], folder: Path, *, has_contrast: bool
) -> Path:
    """Write the definition of the cohort."""
    shard = folder / "A.h5ad"
    write_shard(small_shard(), shard, record=InputRecord("size", 77, "", "abcdef0123456789"))
    run_script(
        "write_definition",
        input={
            "abundance": [tables["abundance"]] * has_contrast,
            "samples": tables["samples"],
            "shards": [shard],
        },
        output={"definition": folder / "definition.yaml"},
        params={
            "config": resolve_config({}),
            "contrasts": {"baseline": as_values(baseline())} if has_contrast else {},
        },
    )
    return folder / "definition.yaml"


def test_the_definition_holds_the_primary_row_and_names_no_patient(
    run_script: Callable[..., str], tables: dict[str, Path], tmp_path: Path
) -> None:
    path = freeze(run_script, tables, tmp_path, has_contrast=True)
    found = read_definition(path)
    table = read_table(tables["abundance"])
    row = table.query("population == 'LAMM' and denominator == 'immune' and scale == 'logit'")
    for key in ("estimate", "se", "df", "ci_low", "ci_high", "n_test"):
        assert found.estimate[key] == pytest.approx(row[key].iloc[0]), key
    assert found.estimate["direction"] == "higher in non_responder"
    assert found.cohort["timepoint"] == {"pre": 10}
    assert found.cohort["cells"] == ["abcdef01"]
    assert found.cohort["bytes"] == [77]
    assert found.record["versions"]["lammscope"]
    samples = pd.read_csv(tables["samples"], sep="\t")
    text = path.read_text()
    assert str(tmp_path) not in text
    assert not [name for name in samples["sample"] if name in text]
    first = path.read_bytes()
    assert freeze(run_script, tables, tmp_path, has_contrast=True).read_bytes() == first


def test_a_cohort_without_the_primary_contrast_still_has_a_definition(
    run_script: Callable[..., str], tables: dict[str, Path], tmp_path: Path
) -> None:
    found = read_definition(freeze(run_script, tables, tmp_path, has_contrast=False))
    assert found.estimate["status"] == "not tested"
    assert found.estimate["reason"] == "the cohort has no contrast `baseline`"
    assert found.settings["contrasts"] == {}
    assert "response" not in found.settings


def test_one_row_is_tested_and_drawn(
    run_script: Callable[..., str], tables: dict[str, Path], tmp_path: Path
) -> None:
    first: dict[str, Any] = definition_content()["estimate"]
    output = tmp_path / "outcome" / "replication.tsv"
    inputs = {name: tables[name] for name in ("counts", "samples")}
    run_script(
        "test_replication",
        input={**inputs, "abundance": [tables["abundance"]]},
        output={"replication": output},
        params={
            "first": first,
            "contrast": as_values(baseline()),
            "settings": RULES,
            "permutation": PERMUTATION,
            "sorts": {},
            "seed": 1,
        },
    )
    table = read_table(output)
    assert table["verdict"].tolist() == ["replicated"]
    png = tmp_path / "figures" / "replication.png"
    run_script(
        "draw_replication",
        input={"replication": output},
        output={"pngs": [png]},
        params={"dpi": 60, "figures": drawing_functions("replication")},
    )
    assert png.stat().st_size > 1000
    assert png.with_suffix(".pdf").stat().st_size > 1000
