"""The lock of a folder of results: who may write, whose lock was left, whose jobs still run."""

import errno
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from lammscope.core.run_lock import STARTED_BY, refuse_if_replaced
from lammscope.core.runtime import job_log, whole_file
from lammscope.provenance import lock as module
from lammscope.provenance.leftovers import remove_temporaries, running_jobs, wait_for_jobs
from lammscope.provenance.lock import Guard, Holder, Lock, LockedError

ENDED = 2**22 + 1  # no process has this number: the kernel's largest is 2**22
JOB = """
import sys
from lammscope.core.runtime import job_log, whole_file

with job_log(sys.argv[1]), whole_file(sys.argv[2]) as temporary:
    temporary.write_text("1")
    print("runs", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what a lock tells the jobs of this process."""
    monkeypatch.setenv(STARTED_BY, "{}")


@pytest.fixture
def leave(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that leaves the lock of another run in a folder."""

    def write(**changes: Any) -> Path:
        path = tmp_path / ".lock"
        path.write_text(json.dumps(asdict(replace(Holder.here(), **changes))))
        return path

    return write


def test_one_run_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    first, second = Lock(tmp_path / "results"), Lock(tmp_path / "results")
    first.take()
    with pytest.raises(LockedError, match=rf"process {os.getpid()} on .*Wait until it has ended"):
        second.take()
    first.release()
    second.take()
    second.release()
    assert list((tmp_path / "results").iterdir()) == []


def test_folders_are_locked_each_for_itself(tmp_path: Path) -> None:
    locks = [Lock(tmp_path / name) for name in ("first", "second")]
    for lock in locks:
        lock.take()
    assert len(json.loads(os.environ[STARTED_BY])) == 2
    for lock in locks:
        lock.release()
    assert json.loads(os.environ[STARTED_BY]) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"process": ENDED},
        {"began": "1"},  # another process has the number now
        pytest.param(
            {"boot": "another"},
            marks=pytest.mark.skipif(not module.BOOT.exists(), reason="no number of this start"),
        ),
    ],
    ids=["ended", "number used again", "machine started again"],
)
def test_the_lock_of_a_run_that_is_gone_is_taken_over(
    leave: Callable[..., Path], changes: dict[str, Any]
) -> None:
    path, notes = leave(**changes), list[str]()
    number = changes.get("process", os.getpid())
    lock = Lock(path.parent, say=notes.append)
    lock.take()
    assert f"the last run (process {number} on " in notes[0]
    assert json.loads(path.read_text())["process"] == os.getpid()
    lock.release()
    assert not path.exists()


def test_a_run_that_the_system_does_not_lock_is_seen_by_its_process(
    leave: Callable[..., Path],
) -> None:
    """As on file systems without locks."""
    path = leave()
    with pytest.raises(LockedError, match="Wait until it has ended"):
        Lock(path.parent).take()
    assert path.exists()


@pytest.mark.parametrize(("silent", "guess"), [(300, "s ago. If"), (900, "probably ended")])
def test_a_run_of_another_host_is_refused_with_the_remedy(
    leave: Callable[..., Path], silent: int, guess: str
) -> None:
    path = leave(host="node7", process=12)
    past = path.stat().st_mtime - silent
    os.utime(path, (past, past))
    with pytest.raises(LockedError, match=r"process 12 on node7.*snakemake --unlock") as refused:
        Lock(path.parent).take()
    assert guess in str(refused.value)
    assert [each.name for each in path.parent.iterdir()] == [".lock"]


def test_unlock_frees_a_folder_unless_its_run_is_seen_to_run(leave: Callable[..., Path]) -> None:
    path, notes = leave(host="node7"), list[str]()
    Lock(path.parent, say=notes.append).free()
    assert "was removed (process" in notes[-1]
    assert not path.exists()
    leave()
    Lock(path.parent, say=notes.append).free()
    assert "still runs" in notes[-1]
    assert path.exists()


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"host": "a"}'])
def test_a_damaged_lock_is_refused_until_it_is_removed(tmp_path: Path, text: str) -> None:
    (tmp_path / ".lock").write_text(text)
    with pytest.raises(LockedError, match="snakemake --unlock"):
        Lock(tmp_path).take()
    Lock(tmp_path, say=lambda _: None).free()
    lock = Lock(tmp_path)
    lock.take()
    lock.release()


def test_a_run_that_was_planned_while_another_one_wrote_does_not_begin(tmp_path: Path) -> None:
    other = Lock(tmp_path)
    other.take()
    late = Lock(tmp_path)
    other.release()
    with pytest.raises(LockedError, match="while this one was planned"):
        late.take()
    with pytest.raises(LockedError, match="while this one was planned"):
        Lock(tmp_path).take(is_unchanged=lambda: False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_is_locked_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    lock = Lock(tmp_path)
    lock.take()
    with pytest.raises(LockedError):
        Lock(tmp_path).take()
    lock.release()
    assert list(tmp_path.iterdir()) == []


def test_the_next_run_waits_for_jobs_of_a_killed_one(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "ingest" / "001.log"
    log.parent.mkdir(parents=True)
    command = [sys.executable, "-c", JOB, str(log), str(tmp_path / "a.tsv")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == "runs\n"
        (found,) = running_jobs(tmp_path / "logs")
        assert found.startswith(f"ingest/001 (process {job.pid} on ")
        notes = list[str]()

        def end_it(_: float) -> None:
            job.communicate("\n")

        wait_for_jobs(tmp_path / "logs", say=notes.append, sleep=end_it)
    assert len(notes) == 1
    assert (tmp_path / "a.tsv").read_text() == "1"
    assert running_jobs(tmp_path / "logs") == []


def test_a_job_of_a_replaced_run_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = Lock(tmp_path)
    first.take()
    with whole_file(tmp_path / "a.tsv") as temporary:
        temporary.write_text("1")
    passed = os.environ[STARTED_BY]
    first.release()
    os.environ[STARTED_BY] = passed
    refuse_if_replaced()  # nobody else has the folder
    second = Lock(tmp_path)
    second.take()
    os.environ[STARTED_BY] = passed
    refused = pytest.raises(OSError, match="another one has begun")
    with refused, whole_file(tmp_path / "a.tsv") as temporary:
        temporary.write_text("2")
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        pytest.fail("the job ran")
    assert "writes nothing" in capsys.readouterr().err
    second.release()
    assert (tmp_path / "a.tsv").read_text() == "1"


def test_a_run_without_jobs_of_its_rules_takes_no_lock(
    tmp_path: Path, leave: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    leave()
    guard = Guard(
        Lock(tmp_path), rules=["a"], logs=tmp_path / "logs", outputs=(), is_unchanged=lambda: True
    )
    for about in ({"event": "job_info"}, {"event": "run_info", "stats": {"all": 1, "total": 1}}):
        guard.handle(logging.makeLogRecord(about))
    with pytest.raises(SystemExit):
        guard.handle(logging.makeLogRecord({"event": "run_info", "stats": {"a": 1, "total": 1}}))
    assert "Nothing was run" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "results").write_text("")
    lock = Lock(tmp_path / "results")
    guard = Guard(lock, rules=["a"], logs=tmp_path, outputs=(), is_unchanged=lambda: True)
    with pytest.raises(SystemExit):
        guard.handle(logging.makeLogRecord({"event": "run_info", "stats": {"a": 1}}))
    said = capsys.readouterr().err
    assert said.startswith("lammscope: the results cannot be locked; nothing was run: ")
    assert str(tmp_path / "results") in said


def test_a_full_disk_is_named_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = Lock(tmp_path)
    guard = Guard(lock, rules=["a"], logs=tmp_path / "logs", outputs=(), is_unchanged=lambda: True)
    monkeypatch.setattr(os, "write", write)
    with pytest.raises(SystemExit):
        guard.handle(logging.makeLogRecord({"event": "run_info", "stats": {"a": 1}}))
    assert f"nothing was run: the disk of {tmp_path} is full" in capsys.readouterr().err


def test_unfinished_files_of_killed_jobs_are_removed_and_others_kept(tmp_path: Path) -> None:
    code = JOB.replace("sys.stdin.readline()", "os.kill(os.getpid(), 9)").replace(
        "sys", "os, sys", 1
    )
    outputs = [tmp_path / name for name in ("a.tsv.gz", "b.parquet")]
    for path in outputs:
        log = tmp_path / "logs" / f"{path.name}.log"
        log.parent.mkdir(exist_ok=True)
        command = [sys.executable, "-c", code, str(log), str(path)]
        assert subprocess.run(command, check=False).returncode < 0
    own = [tmp_path / name for name in (".a-abcdefgh.tsv", ".notes-abcdefgh.tsv.gz", "a-bcd")]
    for path in own:
        path.write_text("")
    assert len(list(tmp_path.glob(".*-*"))) == 4
    remove_temporaries(outputs, logs=tmp_path / "logs")
    assert sorted(tmp_path.glob("*-*")) == sorted(own)
