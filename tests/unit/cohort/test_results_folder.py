"""The folder of results: another cohort's is refused, and what is out of date is named."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.results_folder import (
    SUBFOLDERS,
    other_cohort,
    out_of_date,
    refuse_other_cohort,
    suggest_results,
)
from lammscope.cohort.sample_table import sample_table_text
from lammscope.report.catalog import read_catalog

PATTERNS = [path for entry in read_catalog().values() for path in entry.paths]
PRESENT = {
    **{"sample": ["A1", "B.2"], "channel": ["A1", "B.2"], "part": ["001"], "contrast": ["base"]},
    "folder": ["doublets_kept"],
}


def table(*names: Any, folder: str = "data", **columns: Any) -> Any:
    """Make a sample table of matrices in a folder."""
    counts = [f"{folder}/{name}.h5" for name in names]
    return pd.DataFrame({"sample": names, "counts": counts, **columns}).astype("str")


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a folder of results of samples A1 and A2."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results" / "design").mkdir(parents=True)
    saved = tmp_path / "results" / "design" / "samples.tsv"
    saved.write_text(sample_table_text(table("A1", "A2")), encoding="utf-8")
    return tmp_path / "results"


COHORTS = {  # samples of this run, whether they are another cohort
    "the same": (table("A1", "A2"), False),
    "one more": (table("A1", "A2", "A3"), False),
    "one in common": (table("A2", "B1"), False),
    "moved matrices": (table("A1", "A2", folder="archive"), False),
    "renamed samples": (table("A1", "A2").assign(sample=["x", "y"]), False),
    "other samples": (table("B1", "B2"), True),
    "other samples in another folder": (table("B1", folder="other"), True),
    "other cells of the same matrix": (
        table("A1", "A2", barcodes=["b1", "b2"]).assign(sample=["x", "y"]),
        True,
    ),
}


@pytest.mark.parametrize("name", COHORTS)
def test_a_cohort_without_a_common_sample_is_another(results: Any, name: str) -> None:
    samples, is_other = COHORTS[name]
    assert other_cohort(results, samples) == (["A1", "A2"] if is_other else [])
    if is_other:
        message = (
            r"holds the results of another cohort: none of its samples \(A1, A2\) is in my study/"
            r"samples.tsv; give .* `pathvars: {results: results/my_study}` in the config, or remove"
        )
        with pytest.raises(ValueError, match=message):
            refuse_other_cohort(results, samples, sheet="my study/samples.tsv")
    else:
        refuse_other_cohort(results, samples, sheet="samples.tsv")


def test_a_folder_without_a_sample_table_is_known_by_its_count_files(results: Any) -> None:
    (results / "design" / "samples.tsv").write_text("half a")
    assert other_cohort(results, table("B1")) == []
    (results / "shards").mkdir()
    (results / "shards" / "A1.h5ad").touch()
    assert other_cohort(results, table("B1")) == ["A1"]
    assert other_cohort(results, table("A1", "B1")) == []
    assert other_cohort(results.with_name("absent"), table("B1")) == []


CURRENT = (
    *("shards/A1.h5ad", "qc/A1.moments.parquet", "qc/B.2.parquet", "qc/summary.tsv"),
    *("abundance/base.tsv", "abundance/counts.tsv", "abundance/robustness.base.tsv"),
    *("abundance/counts.thresholds.tsv", "figures/base/lamm.png", "figures/cohort/umap.png"),
    *("joint/hvg/001.npz", "expression/base.tsv.gz", "logs/x.log", "study/shards/C1.h5ad"),
    *("multiverse/doublets_kept/abundance/counts.tsv", "multiverse/specifications.tsv"),
)
FORMER = {  # files, the note
    "a sample": (
        ["shards/C1.h5ad", "qc/C1.parquet", "qc/C1.moments.parquet"],
        "files of samples that are not in the sample sheet: C1 (3 files); they are not updated",
    ),
    "a sample with a point": (["qc/B.3.moments.parquet"], "sheet: B.3 (1 file);"),
    "a channel": (["doublets/L1.parquet"], "channels that are not in the sample sheet: L1 (1"),
    "a contrast": (
        ["abundance/late.tsv", "figures/late/lamm.png", "abundance/neighborhoods.late.tsv"],
        "contrasts that are not in the config: late (3 files)",
    ),
    "a group of samples": (["joint/hvg/002.npz"], "groups of samples that do not exist: 002 (1"),
    "choices": (
        ["multiverse/resolution_2/joint/clusters.parquet", "multiverse/resolution_2/qc.tsv"],
        "choices that `multiverse` in the config does not list: resolution_2 (1 file); they are "
        "not updated, so remove them (e.g. multiverse/resolution_2/)",
    ),
    "nothing": ([], ""),
    "notes of a person": (["abundance/my notes.docx", "todo.txt", "abundance/a b.tsv"], ""),
}


@pytest.mark.parametrize("name", FORMER)
def test_files_of_former_samples_and_contrasts_are_named_and_kept(
    tmp_path: Path, name: str
) -> None:
    files, message = FORMER[name]
    for path in (*CURRENT, *files):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    notes = out_of_date(tmp_path, patterns=PATTERNS, present=PRESENT)
    assert len(notes) == bool(message)
    assert all(message in note and files[0] in note for note in notes if len(files) == 1)
    assert all(message in note for note in notes)
    assert all((tmp_path / path).exists() for path in files)


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("my_cohort", "results/my_cohort"),
        ("a/b c (2)/", "results/b_c_2"),
        ("../Köln", "results/K_ln"),
        (".hidden", "results/hidden"),
        ("患者", "results/cohort"),
        ("{x}", "results/x"),
        ("QC", "results/QC_cohort"),
    ],
)
def test_a_folder_of_results_has_a_safe_name(folder: Path, expected: Any) -> None:
    assert suggest_results(folder) == expected


def test_the_default_folder_has_no_other_subfolders() -> None:
    assert {path.partition("/")[0] for path in PATTERNS if "/" in path} == SUBFOLDERS
