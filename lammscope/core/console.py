"""A quiet console: a line per stage of a run instead of several lines per job."""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from lammscope.core.disks import explain

USUAL = "DefaultStreamHandler"  # Snakemake's name of its console
INNER = ("workflow", "job_scheduler", "dag", "jobs")  # modules whose messages are not shown, but:
SHOWN = ("Nothing to be done", "Trying to restart", "Removing output files of failed")
# What Snakemake prints last of a failed run. `core.failures` says it with the reasons.
LAST = ("Exiting because a job", "WorkflowError:\nAt least one job did not")
STATUS = ("returned non-zero exit status", "died with <Signals")
THREAD = "lammscope progress"
PROGRESS_SECONDS = 60


class Running(NamedTuple):
    """A job that runs: its rule and stage, and when it began."""

    rule: str
    stage: str
    began: float


def make_quiet(
    log: logging.Logger, *, stages: Callable[[], Mapping[str, str]], dry_run: bool
) -> None:
    """Replace Snakemake's console by one with a line per stage; its log file stays complete.

    A console of another kind, such as a logger plugin, is left alone.

    Parameters
    ----------
    log
        Snakemake's logger.
    stages
        Returns the stage of each rule by name. It is called when the jobs of the run are known.
    dry_run
        Whether jobs are only planned.
    """
    for usual in [handler for handler in log.handlers if handler.name == USUAL]:
        log.removeHandler(usual)
        log.addHandler(StageConsole(usual, stages=stages, dry_run=dry_run))


class StageConsole(logging.Handler):
    """Prints progress by stage; warnings, errors and other messages take the usual way.

    Parameters
    ----------
    usual
        The console of Snakemake.
    stages
        Returns the stage of each rule by name; a rule without a stage is not counted.
    dry_run
        Whether jobs are only planned. Then Snakemake's table of jobs is printed.
    every
        Seconds without a line after which the progress of unfinished stages is printed.
    clock
        Returns the time in seconds.
    """

    def __init__(
        self,
        usual: logging.Handler,
        *,
        stages: Callable[[], Mapping[str, str]],
        dry_run: bool = False,
        every: float = PROGRESS_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._usual, self._stages, self._dry_run = usual, stages, dry_run
        self._every, self._clock = every, clock
        self._stage_of: Mapping[str, str] = {}
        self._jobs, self._done = Counter[str](), Counter[str]()  # by stage
        self._since: dict[str, float] = {}  # by stage: when jobs began to run
        self._spent = defaultdict[str, float](float)  # by stage: seconds in which jobs ran
        self._running: dict[int, Running] = {}  # by job
        self._failed: set[int] = set()  # jobs
        self._start = self._last = clock()
        self._ended = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        """Count the job that a record of Snakemake is about, or print the record."""
        about = vars(record)
        match str(about.get("event")):
            case "run_info":
                self._plan(record)
            case "job_info":
                self._begin(about["jobid"], about["rule_name"])
            case "job_finished":
                self._finish(about["job_id"])
            case "job_error":
                self._end(about["jobid"])
                self._failed.add(about["jobid"])
                logs = "".join(f"; details: {path}" for path in about["log"])
                self._print(f"Error in rule {about['rule_name']}{logs}", level=logging.ERROR)
            case _ if self._is_told_last(record):
                return
            case _ if record.levelno >= logging.WARNING or not _is_inner(record):
                self._usual.handle(record)

    def flush(self) -> None:
        """Write what the usual console has not written yet."""
        self._usual.flush()

    def close(self) -> None:
        """End the lines of progress, and close the usual console."""
        self._ended.set()
        self._usual.close()
        super().close()

    def show_progress(self) -> None:
        """Print how far the unfinished stages are and what is running, if nothing was printed."""
        self.acquire()
        try:
            now = self._clock()
            if self._running and now - self._last >= self._every:
                busy = {job.stage for job in self._running.values()}
                stages = [
                    f"{stage} {self._done[stage]} of {number} jobs"
                    for stage, number in self._jobs.items()
                    if stage in busy
                ]
                jobs = sorted(self._running.values(), key=lambda job: job.began, reverse=True)
                longest = {job.rule: duration(now - job.began) for job in jobs}
                running = ", ".join(f"{rule} ({time})" for rule, time in longest.items())
                passed = duration(now - self._start)
                self._print(f"after {passed}: {', '.join(stages)}; running: {running}")
        finally:
            self.release()

    def _plan(self, record: logging.LogRecord) -> None:
        """Count the jobs to run by stage."""
        if self._jobs:  # a dry run says it twice
            return
        self._stage_of = self._stages()
        numbers: Mapping[str, int] = vars(record)["stats"]  # by rule
        for rule, stage in self._stage_of.items():
            if rule in numbers:
                self._jobs[stage] += numbers[rule]
        if self._dry_run:
            self._usual.handle(record)
            self._print("Nothing was run (dry run). For every job: --printshellcmds")
            return
        parts = ", ".join(f"{stage} {number}" for stage, number in self._jobs.items())
        self._print(f"Jobs to run: {self._jobs.total()} ({parts})")
        threading.Thread(target=self._keep_showing, name=THREAD, daemon=True).start()

    def _keep_showing(self) -> None:
        while not self._ended.wait(self._every):
            self.show_progress()

    def _begin(self, job: int, rule: str) -> None:
        if rule in self._stage_of:
            stage, now = self._stage_of[rule], self._clock()
            if not self._is_busy(stage):
                self._since[stage] = now
            self._running[job] = Running(rule, stage, now)

    def _end(self, job: int) -> str | None:
        """Forget a job, and return its stage if it was running."""
        if job not in self._running:
            return None
        stage = self._running.pop(job).stage
        if not self._is_busy(stage):
            self._spent[stage] += self._clock() - self._since[stage]
        return stage

    def _finish(self, job: int) -> None:
        """Count a finished job, and print the line of a stage with its last job."""
        stage = self._end(job)
        self._failed.discard(job)
        if stage is None:
            return
        self._done[stage] += 1
        number = self._jobs[stage]
        if self._done[stage] == number:
            passed = duration(self._spent[stage])
            self._print(f"{stage}: {number} of {number} jobs done in {passed}")
        if self._done.total() == self._jobs.total():
            self._ended.set()
            self._print(f"All jobs done in {duration(self._clock() - self._start)}")

    def _is_told_last(self, record: logging.LogRecord) -> bool:
        """Test whether `core.failures` tells what a record says in the last lines of the run."""
        text = record.getMessage()
        if self._failed and text.startswith(LAST):
            return True
        is_error = str(vars(record).get("event")) == "error"
        is_of_job = any(words in text for words in STATUS)
        return is_error and (is_of_job or explain(text, folder=".") is not None)

    def _is_busy(self, stage: str) -> bool:
        return any(job.stage == stage for job in self._running.values())

    def _print(self, text: str, *, level: int = logging.INFO) -> None:
        self._last = self._clock()
        name = logging.getLevelName(level)
        self._usual.handle(
            logging.makeLogRecord({"msg": text, "levelno": level, "levelname": name})
        )


def duration(seconds: float) -> str:
    """Write a duration as a person would say it.

    Examples
    --------
    >>> duration(3700)
    '1 h 1 min'
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def _is_inner(record: logging.LogRecord) -> bool:
    """Test whether a message is about the inner working of Snakemake."""
    return record.module in INNER and not record.getMessage().startswith(SHOWN)
