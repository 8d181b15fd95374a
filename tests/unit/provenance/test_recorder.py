"""Records are completed when Snakemake says that a job has ended, and else at the end."""

import logging
from pathlib import Path

import pytest

from lammscope.provenance.ancestry import find_stale, read_records
from lammscope.provenance.recorder import Recorder, key
from lammscope.provenance.records import Job
from tests.unit.provenance.conftest import run_job


@pytest.fixture
def recording(jobs: tuple[Job, Job]) -> tuple[Recorder, list[str]]:
    """A recorder of both jobs, and what it says."""
    records = filter(None, read_records(jobs).values())
    by_key = {key(job.rule, {}): job for job in jobs}
    said: list[str] = []
    return Recorder(by_key, records=records, results="results", warn=said.append), said


def event(name: str, **about: object) -> logging.LogRecord:
    return logging.makeLogRecord({"event": name, **about})


def end(handler: Recorder, job: Job) -> None:
    handler.emit(event("job_info", jobid=1, rule_name=job.rule, wildcards={}))
    handler.emit(event("job_finished", job_id=1))


def test_the_record_of_a_job_is_completed_when_it_ends(
    results: Path, jobs: tuple[Job, Job], recording: tuple[Recorder, list[str]]
) -> None:
    handler, said = recording
    for job in jobs:
        run_job(job, results, "other")
        end(handler, job)
    assert find_stale(read_records(jobs), results=results) == {}
    assert said == []


def test_jobs_whose_end_was_not_announced_are_completed_at_the_end(
    results: Path, jobs: tuple[Job, Job], recording: tuple[Recorder, list[str]]
) -> None:
    handler, said = recording
    for job in jobs:
        run_job(job, results, "other")
    assert set(find_stale(read_records(jobs), results=results)) == set(jobs)
    handler.complete_all()
    assert find_stale(read_records(jobs), results=results) == {}
    assert said == []


def test_a_job_of_another_workflow_is_left_alone(
    results: Path, recording: tuple[Recorder, list[str]]
) -> None:
    handler, said = recording
    end(handler, Job("other", ("x.tsv",), (), (), "1", f"{results}/logs/other.log"))
    assert said == []


def test_a_file_that_vanished_is_named_and_stops_nothing(
    results: Path, jobs: tuple[Job, Job], recording: tuple[Recorder, list[str]]
) -> None:
    handler, said = recording
    run_job(jobs[0], results, "other")
    (results / "counts.tsv").unlink()
    end(handler, jobs[0])
    (text,) = said
    assert "the record of count was not written" in text
