"""The last lines of a run that failed."""

import logging
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake_interface_logger_plugins.common import LogEvent

from lammscope.core import failures
from lammscope.core.failures import FailureReport, oom_kills, signal_of

TAIL = "  what is finished is kept, and the same command goes on from there"


class Run:
    """A run of Snakemake as its log tells of it."""

    def __init__(self, folder: Path, left: tuple[str, ...] = ()) -> None:
        self.folder, self.shown = folder, list[str]()
        self.report = FailureReport(folder, left=lambda: left, show=self.shown.append)
        (folder / "logs").mkdir()

    def send(self, event: Any, message: str = "", **about: Any) -> None:
        record = logging.LogRecord("snakemake", logging.INFO, "x.py", 1, message, (), None)
        vars(record).update(about, event=event)
        self.report.handle(record)

    def begin(self, job: int, rule: str, **wildcards: str) -> Path:
        self.log = self.folder / "logs" / f"{rule}.log"
        about: dict[str, Any] = {"jobid": job, "rule_name": rule, "wildcards": wildcards}
        resources = SimpleNamespace(mem_mb=1000)
        self.send(LogEvent.JOB_INFO, **about, log=[str(self.log)], resources=resources)
        return self.log

    def fail(self, job: int, rule: str, end: str = "", message: str = "") -> None:
        if end:
            text = f"RuleException:\nCommand 'python /x/scripts/tmpab12.{rule}.py' {end}"
            self.send(LogEvent.ERROR, text)
        about: dict[str, Any] = {"jobid": job, "rule_name": rule, "log": []}
        self.send(LogEvent.JOB_ERROR, **about, rule_msg=message)

    @property
    def lines(self) -> list[str]:
        self.report.close()
        return "\n".join(self.shown).splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


STATUS = "returned non-zero exit status {}."


def test_a_failed_job_is_told_with_its_sample_message_and_log(run: Run) -> None:
    log = run.begin(1, "score_doublets", channel="P01")
    log.write_text("2026-12-01 00:00:01,000 ERROR x.h5: is\n damaged\nTraceback (most recent\n x\n")
    run.fail(1, "score_doublets", STATUS.format(1))
    assert run.lines == [
        "lammscope: 1 job failed:",
        "  score_doublets (P01) failed: x.h5: is damaged",
        f"    log: {log}",
        TAIL,
    ]


def test_a_killed_job_says_so_with_the_memory_it_asked_for_and_used(run: Run) -> None:
    run.begin(1, "embed").write_text("2026-12-01 00:00:01,000 INFO memory so far 2310 MiB\n")
    run.fail(1, "embed", STATUS.format(137))
    line = run.lines[1]
    assert "was killed (SIGKILL), most likely because memory ran out" in line
    assert "had asked for 1,000 MB and used 2,310 MiB when last seen" in line
    assert "--set-resources embed:mem_mb=4620" in line


def test_the_kernel_that_killed_a_job_is_known(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.begin(1, "embed")
    monkeypatch.setattr(failures, "oom_kills", lambda: 10**9)
    run.fail(1, "embed", "died with <Signals.SIGKILL: 9>.")
    assert "was killed (SIGKILL), because memory ran out" in run.lines[1]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("SLURM job '7' failed, SLURM status is: 'OUT_OF_MEMORY'", "needed more memory than asked"),
        ("SLURM job '7' failed, SLURM status is: 'TIMEOUT'", "ran longer than its time limit"),
        ("SLURM job '7' failed, SLURM status is: 'NODE_FAIL'", "lost its machine"),
    ],
)
def test_what_a_cluster_says_of_a_job_is_told(run: Run, message: str, words: str) -> None:
    run.begin(1, "embed")
    run.fail(1, "embed", message=message)
    assert words in run.lines[1]


def test_a_crash_on_a_full_disk_is_told_as_a_full_disk(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.begin(1, "write")
    monkeypatch.setattr(failures, "is_full", lambda folder: True)
    run.fail(1, "write", STATUS.format(139))
    assert "ended with SIGSEGV: the disk of" in run.lines[1]


def test_a_job_whose_retry_succeeds_did_not_fail(run: Run) -> None:
    run.begin(1, "embed")
    run.fail(1, "embed", STATUS.format(1))
    run.begin(1, "embed")
    run.send(LogEvent.JOB_FINISHED, job_id=1)
    assert run.lines == []


def test_the_log_of_an_earlier_run_is_not_quoted(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    log = run.folder / "logs" / "embed.log"
    log.write_text("2026-12-01 00:00:01,000 ERROR an old message\n")
    later = time.time() + 100
    monkeypatch.setattr(failures, "time", SimpleNamespace(time=lambda: later))
    run.begin(1, "embed")
    run.fail(1, "embed", STATUS.format(1))
    assert "failed; its own message is above" in run.lines[1]


def test_a_log_that_a_full_disk_cut_off_is_no_message(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run.begin(1, "embed").write_text("2026-12-01 00:00:01,000 ERROR Traceback (most recent ca")
    monkeypatch.setattr(failures, "is_full", lambda folder: True)
    run.fail(1, "embed", STATUS.format(1))
    assert "embed failed: the disk of" in run.lines[1]


def test_statuses_go_to_the_jobs_of_their_script(run: Run) -> None:
    for job, rule in enumerate(("read_001", "draw")):
        run.begin(job, rule)
    for script, status in (("draw", 143), ("read", 137)):
        text = f"Command 'python /x/tmp1.{script}.py' {STATUS.format(status)}"
        run.send(LogEvent.ERROR, text)
    run.fail(0, "read_001")
    run.fail(1, "draw")
    told = {line.split()[0]: line for line in run.lines if " was " in line}
    assert "SIGKILL" in told["read_001"]
    assert "SIGTERM" in told["draw"]


def test_old_results_are_named_and_the_report_first(tmp_path: Path) -> None:
    run = Run(tmp_path, left=("report.html", "a.tsv", "b.tsv"))
    run.begin(1, "embed")
    run.fail(1, "embed", STATUS.format(1))
    assert run.lines[-2:] == [
        "  the report is of an earlier run; out of date in the results: 3 files (a.tsv, b.tsv, "
        "report.html)",
        TAIL,
    ]


def test_what_stops_snakemake_itself_is_one_line(run: Run) -> None:
    text = "Traceback (most recent call last):\n x\nOSError: [Errno 30] Read-only file system: '.s'"
    run.send(LogEvent.ERROR, text)
    heading, reason = run.lines  # of results nothing is said: no job has run
    assert heading == "lammscope: the run stopped:"
    assert "the disk is read-only" in reason


def test_other_errors_of_snakemake_are_left_to_it(run: Run) -> None:
    run.send(LogEvent.ERROR, "WorkflowError:\nTarget rules may not contain wildcards.")
    assert run.lines == []


@pytest.mark.parametrize(
    ("end", "name"),
    [("exit status 137", "SIGKILL"), ("exit status 1", None), ("exit status 135", "SIGBUS")],
)
def test_the_exit_status_tells_the_signal(end: str, name: str | None) -> None:
    assert signal_of(f"returned non-zero {end}") == name


def test_kills_are_counted_for_both_kinds_of_control_groups(tmp_path: Path) -> None:
    files = {
        "proc/self/cgroup": "4:memory:/job\n0::/slice\n",
        "sys/fs/cgroup/memory/job/memory.oom_control": "oom_kill_disable 0\noom_kill 2\n",
        "sys/fs/cgroup/slice/memory.events": "low 0\noom_kill 3\n",
        "proc/vmstat": "nr_free 1\noom_kill 5\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert oom_kills(tmp_path) == 10
    assert oom_kills(tmp_path / "none") == 0
