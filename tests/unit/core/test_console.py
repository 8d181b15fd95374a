"""The console of a run: a line per stage, progress, warnings and errors."""

import io
import logging
import threading
from typing import Any

import pytest
from snakemake.logging import ColorizingTextHandler, DefaultFormatter
from snakemake_interface_logger_plugins.common import LogEvent

from lammscope.core.console import THREAD, StageConsole, duration, make_quiet

STAGES = {"read": "ingest", "score": "ingest", "embed": "joint", "draw": "report"}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Console:
    """A quiet console with the records that a run of Snakemake sends."""

    def __init__(self, *, dry_run: bool = False) -> None:
        self.stream, self.clock = io.StringIO(), Clock()
        usual = ColorizingTextHandler(stream=self.stream, formatter=DefaultFormatter())
        self.handler = StageConsole(
            usual, stages=lambda: STAGES, dry_run=dry_run, every=60, clock=self.clock
        )

    @property
    def lines(self) -> list[str]:
        """What was printed."""
        return self.stream.getvalue().splitlines()

    def send(
        self,
        message: str | None = None,
        *,
        event: Any = None,
        level: Any = logging.INFO,
        module: Any = "workflow",
        **about: Any,
    ) -> None:
        record = logging.LogRecord("snakemake", level, f"{module}.py", 1, message, (), None)
        vars(record).update(about, event=event)
        self.handler.handle(record)

    def plan(self, **numbers: Any) -> None:
        stats = {**numbers, "all": 1, "total": sum(numbers.values()) + 1}
        self.send("Job stats:\nread  2", event=LogEvent.RUN_INFO, stats=stats)

    def begin(self, job: Any, rule: Any, at: Any) -> None:
        self.clock.now = at
        self.send(event=LogEvent.JOB_INFO, jobid=job, rule_name=rule)

    def finish(self, job: Any, at: Any) -> None:
        self.clock.now = at
        self.send(event=LogEvent.JOB_FINISHED, job_id=job)

    def fail(self, job: Any, rule: Any, at: Any) -> None:
        self.clock.now = at
        self.send(
            event=LogEvent.JOB_ERROR, level=logging.ERROR, jobid=job, rule_name=rule,
            log=[f"logs/{rule}.log"], shellcmd="a very long command",
        )  # fmt: skip


@pytest.fixture
def console() -> Any:
    made = Console()
    yield made
    made.handler.close()


def test_each_stage_has_one_line_with_counts_and_time(console: Any) -> None:
    console.plan(embed=1, read=2, score=1)
    for job, (rule, begin, end) in enumerate(
        [("read", 0, 4), ("read", 4, 9), ("embed", 9, 100), ("score", 110, 115)]
    ):
        console.begin(job, rule, begin)
        console.send("Select jobs to execute...", module="job_scheduler")
        console.send("", event=LogEvent.SHELLCMD, cmd="a very long command", module="jobs")
        console.finish(job, end)
    assert console.lines == [
        "Jobs to run: 4 (ingest 3, joint 1)",
        "joint: 1 of 1 jobs done in 1 min 31 s",
        "ingest: 3 of 3 jobs done in 14 s",  # of the time in which its jobs ran
        "All jobs done in 1 min 55 s",
    ]


def test_jobs_side_by_side_do_not_count_their_time_twice(console: Any) -> None:
    console.plan(read=2)
    console.begin(1, "read", 0)
    console.begin(2, "read", 5)
    console.finish(1, 10)
    console.finish(2, 20)
    assert "ingest: 2 of 2 jobs done in 20 s" in console.lines


def test_long_stages_show_progress_where_nothing_else_was_printed(console: Any) -> None:
    console.plan(read=2, embed=1, draw=1)
    console.begin(1, "read", 0)
    console.finish(1, 30)
    console.begin(2, "read", 30)
    console.begin(3, "embed", 50)
    console.clock.now = 59
    console.handler.show_progress()
    assert len(console.lines) == 1
    console.clock.now = 4000
    console.handler.show_progress()
    console.handler.show_progress()
    assert console.lines[1:] == [
        "after 1 h 6 min: ingest 1 of 2 jobs, joint 0 of 1 jobs; running: embed (1 h 5 min), "
        "read (1 h 6 min)"
    ]


def test_a_failed_job_has_its_log_and_is_counted_when_its_retry_succeeds(console: Any) -> None:
    console.plan(read=1)
    console.begin(1, "read", 0)
    console.fail(1, "read", 7)
    console.send("Trying to restart job 1.", module="job_scheduler")
    console.begin(1, "read", 8)
    console.finish(1, 10)
    assert console.lines[1:] == [
        "Error in rule read; details: logs/read.log",
        "Trying to restart job 1.",
        "ingest: 1 of 1 jobs done in 9 s",
        "All jobs done in 10 s",
    ]


SENT = {  # message, level, module: whether it is shown
    "a warning": (("Directory is locked", logging.WARNING, "workflow"), True),
    "an error": (("At least one job did not complete", logging.ERROR, "exceptions"), True),
    "nothing to do": (("Nothing to be done (all ...).", logging.INFO, "workflow"), True),
    "removed outputs": (("Removing output files of failed job x", logging.INFO, "jobs"), True),
    "an environment": (("Creating conda environment x.yaml...", logging.INFO, "conda"), True),
    "the log file": (("Complete log(s): x.log", logging.INFO, "logging"), True),
    "the shell": (("Using shell: /bin/bash", logging.INFO, "workflow"), False),
    "the graph": (("Building DAG of jobs...", logging.INFO, "workflow"), False),
    "selected jobs": (("Execute 2 jobs...", logging.INFO, "job_scheduler"), False),
    "no text": ((None, logging.INFO, "workflow"), False),
}


@pytest.mark.parametrize("name", SENT)
def test_what_a_user_can_act_on_is_shown(console: Any, name: str) -> None:
    (message, level, module), shown = SENT[name]
    console.send(message, level=level, module=module)
    assert console.lines == ([message] if shown else [])


def test_a_dry_run_prints_the_table_of_jobs_once() -> None:
    console = Console(dry_run=True)
    console.plan(read=2)
    console.begin(1, "read", 0)
    console.plan(read=2)
    assert console.lines == [
        *("Job stats:", "read  2"),
        "Nothing was run (dry run). For every job: --printshellcmds",
    ]


def test_the_thread_of_progress_ends_with_the_console(console: Any) -> None:
    others = set(threading.enumerate())
    console.plan(read=1)
    (thread,) = set(threading.enumerate()) - others
    assert thread.name == THREAD
    console.handler.close()
    thread.join(30)
    assert not thread.is_alive()


def test_only_the_usual_console_is_replaced() -> None:
    log, file, plugin = logging.Logger("snakemake"), logging.StreamHandler(), logging.Handler()
    usual = ColorizingTextHandler(stream=io.StringIO())
    usual.name = "DefaultStreamHandler"
    for handler in (usual, file, plugin):
        log.addHandler(handler)
    make_quiet(log, stages=dict, dry_run=False)
    assert log.handlers[:2] == [file, plugin]
    assert isinstance(log.handlers[2], StageConsole)
    log.handlers[2].close()
    log.handlers = [plugin]
    make_quiet(log, stages=dict, dry_run=False)
    assert log.handlers == [plugin]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        *((0.2, "0 s"), (59.6, "1 min 0 s"), (151, "2 min 31 s"), (3700, "1 h 1 min")),
        (90000, "25 h 0 min"),
    ],
)
def test_durations_are_written_as_a_person_would(seconds: Any, words: Any) -> None:
    assert duration(seconds) == words
