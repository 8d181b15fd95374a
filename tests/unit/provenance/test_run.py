"""Provenance: what made the results, kept over several runs, and whether inputs are the same."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from scipy import sparse

from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.digests import file_digest
from lammscope.core.shards import InputRecord, Shard, write_shard
from lammscope.provenance import run as provenance
from lammscope.provenance.run import Invocation, commit_of, compare_inputs, without_secrets

CALL = ("snakemake", "--cores", "2", "--configfile", "config.yaml")


@pytest.fixture
def run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a sheet, a matrix, and the results of reading it in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    results = tmp_path / "results"
    for folder in ("design", "qc", "shards", "data"):
        (results / folder).mkdir(parents=True)
    (tmp_path / "samples.tsv").write_text("sample\tcounts\nS1\tdata.txt\n")
    matrix = tmp_path / "data.txt"
    matrix.write_text("counts")
    (results / "config.yaml").write_text(yaml.safe_dump({"qc": {"min_counts": 400}}))
    table = pd.DataFrame({"sample": ["S1"], "patient": ["P1"], "counts": ["data.txt"]})
    (results / "design" / "samples.tsv").write_text(sample_table_text(table))
    shard = Shard(
        sparse.csr_array(np.ones((1, 1), dtype=int)),
        np.array(["A"]),
        pd.DataFrame({"gene": ["ENSG1"], "symbol": ["A"]}),
    )
    record = InputRecord("size", matrix.stat().st_size, file_digest(matrix), "")
    write_shard(shard, results / "shards" / "S1.h5ad", record=record)
    for name in ("S1.parquet", "S1.moments.parquet"):
        (results / "qc" / name).touch()
    return results


@pytest.fixture
def save(run_folder: Path) -> Callable[..., dict[str, Any]]:
    """Save the provenance of a call of the workflow, and return it."""

    def saved(*command: str, outcome: str = "finished") -> dict[str, Any]:
        started = datetime.now(UTC) - timedelta(seconds=90)
        provenance.save_provenance(
            run_folder,
            Invocation(started, outcome, command or CALL, ["a.log"]),
            config={"seed": 1, "samples": f"{run_folder.parent}/samples.tsv"},
            files=[("samples", "samples.tsv"), ("panel", "gone.yaml")],
        )
        content: dict[str, Any] = json.loads((run_folder / "provenance.json").read_text())
        return content

    return saved


def test_it_has_command_time_versions_machine_config_and_checksums(
    save: Callable[..., dict[str, Any]], run_folder: Path
) -> None:
    content = save()
    run = content["run"]
    assert run["outcome"] == "finished"
    assert run["command"] == " ".join(CALL)
    assert 90 <= run["wall_seconds"] < 100
    assert datetime.fromisoformat(run["ended"]).utcoffset() == timedelta(0)
    assert content["packages"]["numpy"] == np.__version__
    assert list(content["packages"]) == sorted(content["packages"], key=str.lower)
    assert content["machine"]["cores"] >= 1
    assert content["config"]["seed"] == 1
    sheet, panel = content["inputs"]
    whole = hashlib.sha256(Path("samples.tsv").read_bytes()).hexdigest()
    assert sheet == {"what": "samples", "path": "samples.tsv", "sha256": whole}
    assert "gone.yaml" in panel["problem"]
    assert content["matrices"] == [
        {"sample": "S1", "path": "data.txt", "bytes": 6, "digest": file_digest("data.txt")}
    ]


def test_earlier_runs_stay_listed_and_a_damaged_file_is_replaced(
    save: Callable[..., dict[str, Any]], run_folder: Path
) -> None:
    save("snakemake", "--until", "call_lamm", outcome="failed")
    content = save()
    assert [run["outcome"] for run in content["earlier_runs"]] == ["failed"]
    assert "call_lamm" in content["earlier_runs"][0]["command"]
    assert len(save()["earlier_runs"]) == 2
    (run_folder / "provenance.json").write_text("{")
    assert save()["earlier_runs"] == []


def test_neither_the_user_nor_the_host_nor_a_secret_is_named(
    save: Callable[..., dict[str, Any]], run_folder: Path
) -> None:
    home = str(run_folder.parent)
    text = json.dumps(save("snakemake", f"--config=a={home}/b", "--storage-s3-secret-key", "abc"))
    assert home not in text
    assert "a=~/b" in text
    assert "abc" not in text
    command = ["--token=abc", "--api-key", "abc", "-n", "--cores", "2"]
    assert without_secrets(command) == ["--token=***", "--api-key", "***", "-n", "--cores", "2"]


def test_the_commit_is_that_of_a_checkout_of_its_own(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=A", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        subprocess.run(command, check=True, capture_output=True)

    assert commit_of(tmp_path) == {}
    git("init")
    (tmp_path / "Snakefile").write_text("1")
    git("add", "Snakefile")
    git("commit", "-m", "First")
    found = commit_of(tmp_path)
    assert len(found["commit"]) == 40
    assert found["changed"] is False
    (tmp_path / "results").write_text("untracked")
    assert commit_of(tmp_path) == found
    (tmp_path / "Snakefile").write_text("2")
    assert commit_of(tmp_path) == found | {"changed": True}
    (tmp_path / "inner").mkdir()
    assert commit_of(tmp_path / "inner") == {}


def test_inputs_are_compared_with_those_of_the_run(
    save: Callable[..., dict[str, Any]], run_folder: Path
) -> None:
    save()
    file = run_folder / "provenance.json"
    assert compare_inputs(file) == [
        ("samples.tsv", "same"),
        ("gone.yaml", "missing"),
        ("data.txt", "same"),
    ]
    Path("samples.tsv").write_text("sample\tcounts\nS2\tdata.txt\n")
    Path("data.txt").write_text("COUNTS")
    (_, sheet), _, (_, matrix) = compare_inputs(file)
    assert sheet.startswith("changed: SHA-256 ")
    assert matrix == "still 6 bytes, but with another checksum"
    Path("data.txt").unlink()
    assert compare_inputs(file)[-1] == ("data.txt", "missing")
