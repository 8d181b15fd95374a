"""Completes the record of each job when Snakemake says that it has ended."""

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lammscope.core.written import Content
from lammscope.provenance.records import Job, Record, complete_record, contents

Key = tuple[str, tuple[tuple[str, str], ...]]  # rule and wildcards


class Recorder(logging.Handler):
    """Listens to Snakemake's log, and completes the record of each job that ends.

    Parameters
    ----------
    jobs
        The jobs of the config, each with its wildcards.
    records
        Those of earlier runs.
    results
        The folder of results.
    warn
        Prints a message.
    """

    def __init__(
        self,
        jobs: Mapping[Key, Job],
        *,
        records: Iterable[Record],
        results: str | Path,
        warn: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
    ) -> None:
        super().__init__()
        self._jobs, self._results, self._warn = jobs, results, warn
        self._known: dict[str, Content] = contents(records)
        self._running: dict[int, Key] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note which job starts, and complete the record of one that ends."""
        about = vars(record)
        match str(about.get("event")):
            case "job_info":
                self._running[about["jobid"]] = key(about["rule_name"], about["wildcards"])
            case "job_finished":
                job = self._jobs.get(self._running.pop(about["job_id"], ("", ())))
                if job is not None:
                    self._complete(job)

    def complete_all(self) -> None:
        """Complete the records of jobs whose end was not announced, as with `--quiet`."""
        for job in self._jobs.values():  # inputs before what is made from them
            self._complete(job)

    def _complete(self, job: Job) -> None:
        try:
            record = complete_record(job, results=self._results, known=self._known)
        except OSError as error:
            self._warn(
                f"lammscope: warning: the record of {job.rule} was not written ({error}); the "
                "next run computes its results again"
            )
            return
        if record is not None:
            self._known |= contents([record])


def key(rule: str, wildcards: Mapping[str, str]) -> Key:
    """Return what tells a job from all others."""
    return rule, tuple(sorted((name, str(value)) for name, value in wildcards.items()))
