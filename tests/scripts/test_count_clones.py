"""Count clones outside Snakemake: the tables of a small cohort, and contigs of another sample."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.core.indexed import CellIndex, write_index, write_table
from lammscope.report.catalog import read_catalog
from tests.contigs import chains_of, write_airr, write_cell_ranger
from tests.result_tables import column_mistakes, read_columns

SAMPLES = {  # patient, phase, day
    "P1_pre": ("P1", "pre", -6),
    "P1_post": ("P1", "post", 7),
    "P2_pre": ("P2", "pre", -6),
    "P2_none": ("P2", "post", 7),  # without contigs
}
N_CELLS = 80
OUTPUTS = {
    "clones": "clones.tsv",
    "cells": "clones.parquet",
    "measures": "clone_measures.tsv",
    "tracking": "clone_tracking.tsv",
    "contigs": "contigs.tsv",
    "doublets": "clone_doublets.tsv",
}


@dataclass(frozen=True)
class Cohort:
    """Files of a small cohort, and the clone of each cell of samples with contigs."""

    folder: Path
    inputs: dict[str, Any]
    cells: pd.DataFrame

    @property
    def outputs(self) -> dict[str, Path]:
        """The paths of the result tables."""
        return {name: self.folder / "axis" / file for name, file in OUTPUTS.items()}


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """Make samples of 80 barcodes: 60 T cells, five of them doublets, and 20 others."""
    rng = np.random.default_rng(1)
    parts = []
    for i, (sample, (patient, phase, _)) in enumerate(SAMPLES.items()):
        letters = rng.choice(list("ACGT"), (N_CELLS, 16))
        part = pd.DataFrame({"barcode": sorted(f"{''.join(row)}-1" for row in letters)})
        part["sample"], part["patient"] = sample, patient
        part["population"] = ["CD8_T"] * 40 + ["CAR_T"] * 20 + ["NK"] * 20
        if phase == "pre":
            part["population"] = part["population"].replace("CAR_T", "CD4_T")
        part["clone"] = rng.integers(0, 25, N_CELLS) + 1000 * (patient == "P2")
        part["doublet"] = np.arange(N_CELLS) < 5
        parts.append(part.assign(order=i))
    cells = pd.concat(parts, ignore_index=True)
    cells["cell"] = cells["sample"] + "_" + cells["barcode"]
    cells["lineage"] = np.where(cells["population"] == "NK", "NK", "T")
    cells["car"] = np.where(cells["population"] == "CAR_T", "positive", "negative")
    kept = cells[~cells["doublet"]]
    write_index(kept[["cell", "sample", "barcode"]], tmp_path / "cells.parquet")
    index = CellIndex(tmp_path / "cells.parquet")
    about = kept[["cell", "sample", "lineage", "population", "car"]]
    index.write_table(about, tmp_path / "annotated.parquet")
    named = list(SAMPLES)[:3]
    for sample in SAMPLES:
        part = cells[cells["sample"] == sample]
        flags = part.assign(passes=True)[["barcode", "passes"]]
        write_table(flags, tmp_path / f"{sample}.qc.parquet")
        write_table(part[["cell", "doublet"]], tmp_path / f"{sample}.doublets.parquet")
        chosen = part[part["lineage"] == "T"]
        chains = chains_of(chosen["barcode"].tolist(), chosen["clone"].tolist())
        write_airr(chains, tmp_path / f"{sample}.tsv")
        write_cell_ranger(chains, tmp_path / f"{sample}.csv")
    inputs = {
        "contigs": [str(tmp_path / f"{sample}.csv") for sample in named],
        "qc": [tmp_path / f"{sample}.qc.parquet" for sample in named],
        "doublets": [tmp_path / f"{sample}.doublets.parquet" for sample in named],
        "index": tmp_path / "cells.parquet",
        "cells": tmp_path / "annotated.parquet",
    }
    return Cohort(tmp_path, inputs, kept)


def params() -> dict[str, Any]:
    rows = [(name, *about) for name, about in SAMPLES.items()][:3]
    columns = dict(
        zip(("sample", "patient", "phase", "day"), map(list, zip(*rows, strict=True)), strict=True)
    )
    return {"samples": columns | {"compartment": ["blood"] * 3}}


def test_each_table_has_the_columns_of_the_catalog(
    run_script: Callable[..., str], cohort: Cohort
) -> None:
    run_script("count_clones", input=cohort.inputs, output=cohort.outputs, params=params())
    by_path = {file.paths[0]: file for file in read_catalog().values()}
    for path in cohort.outputs.values():
        assert not list(column_mistakes(by_path[f"axis/{path.name}"], read_columns(path)))


def test_clones_are_measured_as_planted(run_script: Callable[..., str], cohort: Cohort) -> None:
    run_script("count_clones", input=cohort.inputs, output=cohort.outputs, params=params())
    table = pd.read_csv(cohort.outputs["clones"], sep="\t").set_index(["sample", "population"])
    assert set(table.index.get_level_values("sample")) == set(list(SAMPLES)[:3])
    for sample, population in table.index:
        row = table.loc[(sample, population)]
        own = cohort.cells[(cohort.cells["sample"] == sample) & (cohort.cells["lineage"] == "T")]
        own = own if population == "T" else own[own["population"] == population]
        assert row["n_cells"] == row["n_with_clone"] == len(own)
        pairs = [a == b for a, b in combinations(own["clone"], 2)]
        assert row["clonality"] == pytest.approx(np.mean(pairs))
        largest = Counter(own["clone"]).most_common(1)[0][1]
        assert row["largest_clone"] == pytest.approx(largest / len(own))
    tracking = pd.read_csv(cohort.outputs["tracking"], sep="\t").set_index("population")
    of = {name: cohort.cells[cohort.cells["sample"] == name] for name in SAMPLES}
    before = of["P1_pre"].loc[of["P1_pre"]["lineage"] == "T", "clone"]
    after = of["P1_post"]
    car = after.loc[after["population"] == "CAR_T", "clone"]
    assert tracking["step"].unique().tolist() == ["pre to post"]
    assert tracking.loc["CAR_T", "n_seen"] == car.isin(before).sum()
    negative = set(before) | set(after.loc[after["population"] == "CD8_T", "clone"])
    assert table.loc[("P1_post", "CAR_T"), "n_clones_of_negative"] == len(set(car) & negative)
    receptors = CellIndex(cohort.inputs["index"]).read_table(cohort.outputs["cells"])
    assert len(receptors) == 3 * 55  # T cells that are no doublets
    assert receptors["cell"].is_monotonic_increasing
    assert not receptors["two_clones"].any()
    doublets = pd.read_csv(cohort.outputs["doublets"], sep="\t")
    assert doublets["n_one_trb"].tolist() == [60] * 3
    assert doublets["n_one_trb_called"].tolist() == [5] * 3


def test_airr_tables_give_the_same_results_as_cell_ranger(
    run_script: Callable[..., str], cohort: Cohort
) -> None:
    run_script("count_clones", input=cohort.inputs, output=cohort.outputs, params=params())
    before = {name: path.read_bytes() for name, path in cohort.outputs.items()}
    airr = [path.replace(".csv", ".tsv") for path in cohort.inputs["contigs"]]
    mixed = {**cohort.inputs, "contigs": [airr[0], *cohort.inputs["contigs"][1:]]}
    for inputs in ({**cohort.inputs, "contigs": airr}, mixed):
        run_script("count_clones", input=inputs, output=cohort.outputs, params=params())
        assert {name: path.read_bytes() for name, path in cohort.outputs.items()} == before


def test_contigs_of_other_samples_end_the_job_with_a_line_for_each(
    run_script: Callable[..., str], cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, third = cohort.inputs["contigs"]
    swapped = {**cohort.inputs, "contigs": [second, first, third]}
    with pytest.raises(SystemExit):
        run_script("count_clones", input=swapped, output=cohort.outputs, params=params())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"lammscope: {second}: contigs of sample `P1_pre`: only 0 of 60")
    assert "are cells of `P1_post`: are the files swapped?" in lines[0]
    assert lines[1].startswith(f"lammscope: {first}: contigs of sample `P1_post`: only 0 of 60")
    assert not list((cohort.folder / "axis").iterdir())


def test_contigs_of_the_sample_without_any_are_recognized(
    run_script: Callable[..., str], cohort: Cohort, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = str(cohort.folder / "P2_none.csv")
    inputs = {**cohort.inputs, "contigs": [*cohort.inputs["contigs"][:2], wrong]}
    with pytest.raises(SystemExit):
        run_script("count_clones", input=inputs, output=cohort.outputs, params=params())
    assert "are cells of `P2_none`" in capsys.readouterr().err


def test_cells_without_receptors_are_warned_of(
    run_script: Callable[..., str], cohort: Cohort
) -> None:
    path = Path(cohort.inputs["contigs"][0])
    path.write_text(
        "".join(path.read_text().splitlines(keepends=True)[:23])
    )  # eleven cells, five of them doublets
    log = run_script("count_clones", input=cohort.inputs, output=cohort.outputs, params=params())
    assert "contigs of sample `P1_pre`: only 6 of 55 T cells have a beta chain" in log
    table = pd.read_csv(cohort.outputs["contigs"], sep="\t").set_index("sample")
    assert table["n_t_with_trb"].tolist() == [6, 55, 55]
    assert table["note"].isna().tolist() == [False, True, True]
