"""Count terms and test pairs outside Snakemake: a whole cohort, and cohorts that lack cells."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.abundance.counts import count_cells
from lammscope.annotate.sums import GroupSums, all_genes, read_sums, write_sums
from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_kinds import as_values
from lammscope.cohort.pairs import all_genes as genes_of_pairs
from lammscope.cohort.pairs import read_pairs
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import CellIndex, read_table, write_index, write_table
from lammscope.core.resources import HOME
from lammscope.expression.pseudobulk import build_pseudobulk, write_pseudobulk
from tests.unit.example_cohorts import BASELINE, CHANGE, asked, make_samples

SAMPLES = make_samples(4)
LINEAGES = {
    **{"Macrophage": "monocytic", "Classical_monocyte": "monocytic", "CD4_T": "T"},
    **{"CD8_T": "T", "CAR_T": "T", "NK": "NK", "B": "B"},
}
PAIRS = HOME / "resources" / "interactions" / "lamm_t.tsv"
N_CELLS = 60


def run_cohort(
    folder: Path, run_script: Callable[..., str], populations: Sequence[str], **axis: Any
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Run both scripts; return the tables of the baseline and the change, and the supply."""
    config = resolve_config({"samples": "s.tsv", "patients": "p.tsv", "axis": axis})
    rng = np.random.default_rng(0)
    names = [*genes_of_pairs(read_pairs([PAIRS])), *(f"GENE{i}" for i in range(100))]
    cells = pd.DataFrame(
        [(s, p, i) for s in SAMPLES["sample"] for p in populations for i in range(N_CELLS)],
        columns=["sample", "population", "number"],
    )
    cells["cell"] = cells["sample"] + "_" + cells["population"] + cells["number"].astype(str)
    cells["lineage"] = cells["population"].map(LINEAGES)
    is_lamm = cells["population"] == "Macrophage"
    cells["lamm_call"] = np.where(is_lamm, "LAMM", "not_LAMM")
    cells["lamm_positive"] = cells["lamm_macrophage_like"] = is_lamm.astype(float)
    write_index(cells[["cell", "sample"]], folder / "cells.parquet")
    sums = {}
    for sample in SAMPLES["sample"]:
        groups = sorted(
            [*populations, *(["LAMM", "LAMM_macrophage_like"] if is_lamm.any() else [])]
        )
        counts = rng.poisson(rng.gamma(2, 20, len(names)), (len(groups), len(names)))
        table = pd.DataFrame({"gene": names, "symbol": names})
        n_cells = np.full(len(groups), N_CELLS)
        sums[sample] = GroupSums(np.array(groups), n_cells, table, counts, counts, counts)
    index = CellIndex(folder / "cells.parquet")
    write_sums(folder / "001.npz", sums, index)
    made = build_pseudobulk(
        read_sums([folder / "001.npz"], index), genes=all_genes([folder / "001.npz"])
    )
    write_pseudobulk(made, folder / "pseudobulk.h5ad")
    write_table(count_cells(cells, SAMPLES, probability=0.5), folder / "counts.tsv")
    (folder / "samples.tsv").write_text(sample_table_text(SAMPLES))
    contrasts = [asked(BASELINE, SAMPLES), asked(CHANGE, SAMPLES)]
    params = {
        "pairs": config["axis"]["pairs"],
        "groups": {role: config["axis"][role] for role in ("myeloid", "T", "other")},
        "primary": config["axis"]["primary"] | {"contrast": "question"},
        "level": "positive",
    }
    outputs = {name: folder / f"{name}.tsv" for name in ("libraries", "terms", "supply")}
    run_script(
        "count_terms",
        input={
            "pseudobulk": folder / "pseudobulk.h5ad",
            "sums": [folder / "001.npz"],
            "counts": folder / "counts.tsv",
        },
        output=outputs,
        params=params | {"min_cells": 10, "pair": "PGE2"},
    )
    results = [folder / f"{name}.tsv" for name in ("baseline", "change")]
    values = [folder / f"values.{name}.tsv.gz" for name in ("baseline", "change")]
    run_script(
        "test_pairs",
        input={name: outputs[name] for name in ("libraries", "terms")}
        | {"counts": folder / "counts.tsv", "samples": folder / "samples.tsv"},
        output={"tables": results, "values": values},
        params=params
        | {
            "contrasts": [as_values(contrast) for contrast in contrasts],
            "settings": {
                **{"min_cells": 10, "max_ambient_share": 0.25},
                **{"exclude_pre_post": ["B", "CAR_T"], "sorts": {}},
            },
            "permutation": {"max_exact": 1000, "n_draws": 200},
            "seed": 0,
        },
    )
    baseline, change = map(read_table, results)
    levels = read_table(values[0])
    assert set(levels["pair"]) <= set(baseline["pair"])
    return baseline, change, read_table(outputs["supply"])


def test_all_pairs_of_a_cohort_are_tested(tmp_path: Path, run_script: Callable[..., str]) -> None:
    baseline, change, supply = run_cohort(tmp_path, run_script, list(LINEAGES))
    rows = baseline[baseline["sender"].eq("LAMM_positive") & baseline["receiver"].eq("CD8")]
    pairs = [pair for pair in read_pairs([PAIRS]) if "myeloid" in pair.senders]
    assert set(rows["pair"]) == {pair.name for pair in pairs if "T" in pair.receivers}
    assert set(rows["status"]) == {"ok", "shown"}
    primary = baseline[baseline["role"] == "primary"]
    assert primary[["pair", "sender", "receiver"]].to_numpy().tolist() == [
        ["PGE2", "LAMM_positive", "CD8"]
    ]
    assert (change["n_test"].max(), change["n_reference"].max()) == (4, 4)
    assert set(supply["measure"]) == {"PGE2_supply", "PGE2_cyclooxygenase_supply"}
    assert set(supply["sample"]) == set(SAMPLES["sample"])


@pytest.mark.parametrize(
    ("lacking", "words"),
    [
        (("Macrophage",), r"no LAMM_positive cells in these samples"),
        (("CD8_T", "CD4_T", "CAR_T"), r"no CD8 cells \(CD8_T\) in these samples"),
        (("Macrophage", "Classical_monocyte"), r"no LAMM_positive cells"),
    ],
)
def test_a_cohort_without_some_cells_says_so_in_its_rows(
    tmp_path: Path, run_script: Callable[..., str], lacking: tuple[str, ...], words: str
) -> None:
    kept = [name for name in LINEAGES if name not in lacking]
    baseline, _, _ = run_cohort(tmp_path, run_script, kept)
    primary = baseline[baseline["role"] == "primary"]
    assert primary["words"].str.contains(words).all()
    assert len(primary) == 1
    if "Macrophage" not in lacking:
        assert (baseline["status"] == "ok").any()


def test_without_tables_of_pairs_nothing_is_tested(
    tmp_path: Path, run_script: Callable[..., str]
) -> None:
    tables = run_cohort(tmp_path, run_script, ["Macrophage", "CD8_T"], pairs=[])
    assert [len(table) for table in tables] == [0, 0, 0]
    assert "verdict" in tables[0]
