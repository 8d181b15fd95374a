"""Two jobs of a made-up workflow, one of which reads what the other has written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lammscope.core.runtime import job_log, whole_file
from lammscope.provenance.records import Job, Record, complete_record, contents, read_record


def made_up_jobs(folder: Path, settings: str = "1") -> tuple[Job, Job]:
    """Return a job that counts, and one that tests what was counted."""
    log = f"{folder}/logs/{{}}.log"
    count = Job("count", ("counts.tsv",), (), ("data.txt",), settings, log.format("count"))
    test = Job("test", ("a.tsv", "b.tsv"), ("counts.tsv",), (), settings, log.format("test"))
    return count, test


def run_job(job: Job, folder: Path, text: str) -> None:
    """Write the files of a job, as its script does."""
    Path(job.log).parent.mkdir(parents=True, exist_ok=True)
    with job_log(job.log):
        for name in job.outputs:
            with whole_file(folder / name) as temporary:
                temporary.write_text(f"{text} of {name}\n")


def complete(job: Job, folder: Path, *others: Job) -> Record | None:
    """Complete the record of a job as the main process does."""
    known = contents(r for other in others if (r := read_record(other.log)) is not None)
    return complete_record(job, results=folder, known=known)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Job, Job]:
    """Run both jobs in `results`."""
    monkeypatch.chdir(tmp_path)
    Path("data.txt").write_text("data")
    folder = Path("results")
    count, test = made_up_jobs(folder)
    run_job(count, folder, "counts")
    complete(count, folder)
    run_job(test, folder, "tests")
    complete(test, folder, count)
    return count, test


@pytest.fixture
def results(jobs: tuple[Job, Job]) -> Path:
    """Return the folder of results of both jobs."""
    assert jobs
    return Path("results")


Rerun = Callable[[Job, str], None]


@pytest.fixture
def rerun(results: Path, jobs: tuple[Job, Job]) -> Rerun:
    """Return a function that runs a job again with another text, to its end."""

    def run(job: Job, text: str) -> None:
        run_job(job, results, text)
        complete(job, results, *jobs)

    return run
