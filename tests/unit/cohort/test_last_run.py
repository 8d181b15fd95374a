"""Files that changed since they were read in are noticed, also if they are older."""

import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from lammscope.cohort.checks import check_run
from lammscope.cohort.last_run import LastRun, input_states, read_last_run, without_changed
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.shards import write_shard
from lammscope.ingest.inputs import record_input
from tests.matrices import small_shard, write_folder, write_tenx_v3

CONTENT = {"a": "a.h5", "b": "b.h5", "m": "mtx"}
CONFIG = {
    "samples": "samples.tsv",
    "patients": "patients.tsv",
    "timepoints": {"pre": ["pre"], "post": []},
    "primary": {"contrast": "arms"},
    "contrasts": {
        "arms": {"kind": "between", "column": "sex", "test": "female", "reference": "male"}
    },
}


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a cohort of three samples, as far as the records go, and read it again."""
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(CONTENT.values()):
        shard = small_shard(seed=number)
        if path.endswith("h5"):
            write_tenx_v3(shard, Path(path))
        else:
            write_folder(shard, Path(path), version=2)
    rows = [f"{name}\t{name}\tpre\t{path}" for name, path in CONTENT.items()]
    header = "sample\tpatient\ttimepoint\tcounts"
    Path("samples.tsv").write_text("\n".join([header, *rows]) + "\n")
    Path("patients.tsv").write_text("patient\tsex\na\tmale\nb\tfemale\nm\tmale\n")
    resolved = check_run(CONFIG)
    for name in ("design", "qc", "shards"):
        Path("run", name).mkdir(parents=True)
    Path("run/config.yaml").write_text(yaml.safe_dump(resolved.config))
    Path("run/design/samples.tsv").write_text(sample_table_text(resolved.samples))
    return ingest


def ingest(*, compared: Any = "size") -> Any:
    """Write the per-sample count files of all samples, and read this run."""
    for number, (name, path) in enumerate(CONTENT.items()):
        shard = small_shard(seed=number)
        record = record_input(path, shard=shard, compared=compared)
        write_shard(shard, f"run/shards/{name}.h5ad", record=record)
        for table in ("parquet", "moments.parquet"):
            Path(f"run/qc/{name}.{table}").touch()
    last = read_last_run("run")
    assert isinstance(last, LastRun)
    return last


def edit(name: str, *, longer: bool = False) -> None:
    """Change the last byte of a file, or append one, and make the file older than it was."""
    path = Path(name)
    content = path.read_bytes()
    path.write_bytes(content + b"\n" if longer else content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(path, (1, 1))


def states(last: Any, *, compare: Any = "size") -> Any:
    return input_states(pd.read_table("samples.tsv"), last, compare=compare)


@pytest.mark.parametrize(
    ("path", "sample"), [("a.h5", "a"), ("mtx/matrix.mtx", "m"), ("mtx/genes.tsv", "m")]
)
def test_another_size_is_noticed_in_any_file_of_a_matrix(ran: Any, path: str, sample: str) -> None:
    last = ran()
    before = states(last)
    edit(path, longer=True)
    kept, changed = without_changed(last, compare="size")
    assert list(changed) == [(sample, CONTENT[sample])]
    assert set(kept.samples["sample"]) == set(CONTENT) - {sample}
    after = states(kept)
    assert {name for name in CONTENT if after[name] != before[name]} == {sample}


def test_the_same_size_is_noticed_by_the_checksum_alone(ran: Any) -> None:
    last = ran()
    edit("b.h5")
    assert without_changed(last, compare="size")[1] == {}
    kept, changed = without_changed(last, compare="checksum")
    assert list(changed.values()) == [
        f"still {Path('b.h5').stat().st_size:,} bytes, but with another checksum"
    ]
    assert states(kept, compare="checksum")["b"] != states(last)["b"]


@pytest.mark.parametrize("compared", ["size", "checksum"])
@pytest.mark.parametrize("compare", ["size", "checksum"])
def test_another_way_of_comparing_reruns_nothing(ran: Any, compared: Any, compare: Any) -> None:
    planned = input_states(pd.read_table("samples.tsv"), None, compare=compared)
    last = ran(compared=compared)
    assert without_changed(last, compare=compare)[1] == {}
    assert states(last, compare=compare) == planned


def test_a_sample_that_was_read_in_again_is_settled(ran: Any) -> None:
    last = ran()
    edit("b.h5")
    kept, _ = without_changed(last, compare="checksum")
    planned = states(kept, compare="checksum")["b"]
    again = ran(compared="checksum")
    assert without_changed(again, compare="size")[1] == {}
    assert states(again)["b"] == planned


def test_archived_files_have_the_state_in_which_they_were_read(ran: Any) -> None:
    last = ran()
    before = states(last)
    Path("a.h5").unlink()
    for path in Path("mtx").iterdir():
        path.unlink()
    for compare in ("size", "checksum"):
        assert without_changed(last, compare=compare)[1] == {}
        assert states(last, compare=compare) == before
    assert set(states(None)) == {"b"}


def test_a_changed_file_is_inspected_again_and_noted(ran: Any) -> None:
    last = ran()
    edit("a.h5", longer=True)
    run = check_run(CONFIG, last=last)
    size = Path("a.h5").stat().st_size
    assert [note for note in run.notes if "`compartment` is empty" not in note] == [
        f"samples.tsv: sample `a`: a.h5 changed since it was read in ({size - 1:,} bytes then, "
        f"{size:,} now); it is read in again"
    ]
    assert run.inputs["a"] == f"{size} bytes"
    Path("a.h5").write_text("<html>")
    with pytest.raises(ValueError, match=r"sample `a`: counts a\.h5: a web page"):
        check_run(CONFIG, last=last)


def test_jobs_look_at_no_file(ran: Any) -> None:
    run = check_run(CONFIG, look=False, last=ran())
    assert run.inputs == {}


def test_samples_that_were_read_in_with_the_same_cells_are_refused_at_the_start(ran: Any) -> None:
    ran()
    record = record_input("b.h5", shard=small_shard(seed=0), compared="size")
    write_shard(small_shard(seed=0), "run/shards/b.h5ad", record=record)
    last = read_last_run("run")
    with pytest.raises(ValueError, match=r"samples\.tsv: samples `a`, `b`: the same barcodes"):
        check_run(CONFIG, last=last)
