"""Real cells end to end: CAR-T patients by sorting, and blood cells of known types."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from benchmarks import lamm_calls, real_cells
from tests.browser.pages import check_report, open_browser
from tests.workflow.conftest import COARSE, Run

pytestmark = [pytest.mark.slow, pytest.mark.real_data]

COMPARTMENTS = {"PB": "blood", "BM": "marrow", "PROD": "product"}


@pytest.fixture(scope="module")
def carpall(
    real_data: Callable[[str], Path],
    repository: Path,
    snakemake: Callable[..., Run],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    source = real_data("carpall")
    folder = tmp_path_factory.mktemp("carpall")
    samples = pd.read_csv(source / "samples.tsv", sep="\t")
    samples["counts"] = [
        str(source / f"{sample}.filtered_feature_bc_matrix.h5") for sample in samples["sample"]
    ]
    samples["compartment"] = samples["source"].map(COMPARTMENTS)
    samples.to_csv(folder / "samples.tsv", sep="\t", index=False)
    patients = samples[["patient"]].drop_duplicates()
    patients.to_csv(folder / "patients.tsv", sep="\t", index=False)
    config = yaml.safe_load((repository / "tests" / "configs" / "carpall.yaml").read_text())
    config |= {"samples": str(folder / "samples.tsv"), "patients": str(folder / "patients.tsv")}
    config["report"] |= COARSE
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    run = snakemake(folder)
    assert run.code == 0, run.text[-4000:]
    return folder / "results"


def test_monocytic_and_positive_cells_are_higher_where_they_were_not_sorted_out(
    carpall: Path,
) -> None:
    counts = pd.read_csv(carpall / "abundance" / "counts.tsv", sep="\t")
    wide = counts.pivot(index="sample", columns="population", values="n_cells")
    partition = counts[counts["partition"]]
    total = partition.groupby("sample")["n_cells"].sum()
    monocytic = partition[partition["lineage"] == "monocytic"].groupby("sample")["n_cells"].sum()
    pairs = {
        "P02": ("CAR-T10310324", "CAR-T10310322"),
        "P03": ("CAR-T10484046", "CAR-T10484045"),
        "P08": ("CAR-T10484040", "CAR-T10484039"),
        "P10": ("CAR-T10310325", "CAR-T10310323"),
    }
    for whole, sorted_out in pairs.values():
        assert (monocytic / total)[whole] > (monocytic / total)[sorted_out]
        positive = wide["LAMM_positive"] / total
        assert positive[whole] > positive[sorted_out]


def test_the_contrast_finds_them_in_four_pairs_and_says_what_a_permutation_cannot(
    carpall: Path,
) -> None:
    table = pd.read_csv(carpall / "abundance" / "sort.tsv", sep="\t")
    row: Any = table[(table["scale"] == "logit") & (table["denominator"] == "all")]
    row = row.set_index("population").loc["LAMM_positive"]
    assert row["n_test"] == 4
    assert row["estimate"] > 0
    assert row["p_floor"] == pytest.approx(2 / 16)
    report = (carpall / "report.html").read_text(encoding="utf-8")
    assert "2/16" in report


def test_the_report_works_in_a_browser_on_a_phone_and_on_paper(carpall: Path) -> None:
    with open_browser() as browser:
        check_report(browser, carpall / "report.html", most_pages=30)


def test_very_poor_libraries_stay_in_every_table(carpall: Path) -> None:
    counts = pd.read_csv(carpall / "abundance" / "counts.tsv", sep="\t")
    assert counts["sample"].nunique() == 25
    summary: Any = pd.read_csv(carpall / "qc" / "summary.tsv", sep="\t").set_index("sample")
    assert summary.loc["CAR-T10593347", "n_cells"] <= 1


def test_no_job_needs_more_than_two_gibibytes(carpall: Path) -> None:
    peaks = {}
    for path in (carpall / "benchmarks").rglob("*.tsv"):
        peaks[path] = pd.read_csv(path, sep="\t", na_values="-")["max_rss"].max()
    assert max(value for value in peaks.values() if value == value) < 2048  # MiB


@pytest.mark.parametrize("name", ["pbmc_facs", "kang_ifnb"])
def test_cell_types_and_levels_agree_with_what_is_known_of_the_cells(
    name: str, real_data: Callable[[str], Path], tmp_path: Path
) -> None:
    data = real_data(name).parent
    for other in ("tumour_macrophages", "blood_chemistries", "pbmc_facs", "kang_ifnb"):
        real_data(other)
    sets = {name: real_cells.read_sets(data)[name]}
    called = lamm_calls.run_sets(tmp_path, sets, cores=2)
    typed = list(real_cells.figures_of(called.cells, name))
    figures = [*typed, *lamm_calls.set_figures(called, name)]
    assert typed
    assert len(figures) > len(typed)
    assert [figure for figure in figures if not figure.kept] == []
