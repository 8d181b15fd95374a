"""Results that do not follow from config, inputs and code are found, with the reason."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from lammscope.core.written import record_path
from lammscope.provenance import records as records_module
from lammscope.provenance.ancestry import (
    CHANGED,
    DEPENDS,
    INPUTS,
    KEPT,
    NOT_RECORDED,
    SETTINGS,
    describe_results,
    find_incomplete,
    find_stale,
    library_notes,
    lost_notes,
    read_records,
    split_lost,
    stale_notes,
)
from lammscope.provenance.records import Job
from tests.unit.provenance.conftest import Rerun, complete, made_up_jobs, run_job


def reasons(results: Path, *jobs: Job) -> dict[str, str]:
    stale = find_stale(read_records(jobs), results=results)
    return {job.rule: reason for job, (reason, _) in stale.items()}


def test_finished_jobs_are_current(results: Path, jobs: tuple[Job, Job]) -> None:
    assert reasons(results, *jobs) == {}


def test_other_settings_or_code_are_noticed(results: Path, jobs: tuple[Job, Job]) -> None:
    count, test = jobs
    assert reasons(results, count, replace(test, settings="2")) == {"test": SETTINGS}


def test_a_job_that_failed_after_its_input_was_made_anew_is_noticed(
    results: Path, jobs: tuple[Job, Job], rerun: Rerun
) -> None:
    count, _ = jobs
    rerun(count, "other counts")
    assert reasons(results, *jobs) == {"test": INPUTS}


def test_an_input_made_anew_with_the_same_content_changes_nothing(
    results: Path, jobs: tuple[Job, Job], rerun: Rerun
) -> None:
    count, _ = jobs
    rerun(count, "counts")
    assert reasons(results, *jobs) == {}


def test_another_set_of_inputs_is_noticed(results: Path, jobs: tuple[Job, Job]) -> None:
    count, test = jobs
    assert reasons(results, count, replace(test, inputs=())) == {"test": INPUTS}


def test_a_changed_file_is_noticed_and_named_whatever_its_time(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    path = results / "b.tsv"
    state = path.stat()
    path.write_text(path.read_text().replace("t", "T", 1))
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    stale = find_stale(read_records(jobs), results=results)
    assert stale == {jobs[1]: (CHANGED, ("b.tsv",))}
    (note,) = stale_notes(stale)
    assert "b.tsv" in note
    assert "a.tsv" not in note


def test_a_large_file_with_a_checksum_is_read_only_if_its_time_is_another(
    results: Path, jobs: tuple[Job, Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records_module, "SMALL", 0)
    monkeypatch.setattr(records_module, "CHECKED", {".tsv"})
    path = results / "b.tsv"
    os.utime(path, (1, 1))
    assert reasons(results, *jobs) == {}
    path.write_text(path.read_text().replace("t", "T", 1))
    assert reasons(results, *jobs) == {"test": CHANGED}


def test_a_job_whose_main_process_was_killed_is_not_trusted(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    _, test = jobs
    run_job(test, results, "tests")
    assert reasons(results, *jobs) == {"test": NOT_RECORDED}


def test_a_job_that_was_not_run_gets_no_record_of_other_settings(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    """As with `snakemake --touch`."""
    count, test = jobs
    other = replace(test, settings="2")
    assert complete(other, results, count) is None
    assert reasons(results, count, other) == {"test": SETTINGS}


def test_a_missing_file_or_an_old_folder_of_results(results: Path, jobs: tuple[Job, Job]) -> None:
    (results / "a.tsv").unlink()
    assert reasons(results, *jobs) == {}  # the job is run anyway
    record_path(jobs[0].log).unlink()
    assert reasons(results, *jobs) == {"count": NOT_RECORDED}


def test_a_record_that_was_cut_counts_as_none(results: Path, jobs: tuple[Job, Job]) -> None:
    path = record_path(jobs[1].log)
    path.write_text(path.read_text()[:100])
    assert reasons(results, *jobs) == {"test": NOT_RECORDED}


def test_the_ancestry_depends_on_settings_and_content_and_on_no_path(
    jobs: tuple[Job, Job], tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    current, others = describe_results(jobs, results=results)
    assert others == {}
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    count, test = made_up_jobs(Path("out"))
    run_job(count, Path("out"), "counts")
    complete(count, Path("out"))
    run_job(test, Path("out"), "tests")
    complete(test, Path("out"), count)
    assert describe_results((count, test), results="out")[0] == current
    changed = replace(test, settings="2")
    run_job(changed, Path("out"), "tests")
    complete(changed, Path("out"), count)
    again, _ = describe_results((count, changed), results="out")
    assert again["a.tsv"]["sha256"] == current["a.tsv"]["sha256"]
    assert again["a.tsv"]["ancestry"] != current["a.tsv"]["ancestry"]


def test_what_depends_on_a_missing_result_is_not_current(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    (results / "counts.tsv").unlink()
    current, others = describe_results(jobs, results=results)
    assert current == {}
    assert others == {"counts.tsv": "missing", "a.tsv": DEPENDS, "b.tsv": DEPENDS}


def test_a_job_with_a_missing_file_is_incomplete_unless_its_input_is_gone(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    count, test = jobs
    assert find_incomplete(jobs, results=results) == []
    (results / "b.tsv").unlink()
    assert find_incomplete(jobs, results=results) == [test]
    (results / "counts.tsv").unlink()
    assert find_incomplete(jobs, results=results) == [count, test]
    Path("data.txt").unlink()
    assert find_incomplete(jobs, results=results) == [test]


def test_what_cannot_be_computed_again_is_kept_and_named(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    """As where the matrix of a sample is archived, and a setting of its job is changed."""
    count, test = jobs
    changed = replace(count, settings="2", given=("archived.h5",))
    stale, lost = split_lost(find_stale(read_records([changed, test]), results=results))
    assert (list(stale), list(lost)) == ([], [changed])
    assert "archived.h5 is not there to compute them again" in lost_notes(lost)[0]
    current, others = describe_results([changed, test], results=results)
    assert set(current) == {"counts.tsv", "a.tsv", "b.tsv"}
    assert others == {"counts.tsv": KEPT}


def test_another_version_of_a_library_is_named(results: Path, jobs: tuple[Job, Job]) -> None:
    path = record_path(jobs[0].log)
    content = json.loads(path.read_text())
    assert library_notes(filter(None, read_records(jobs).values())) == []
    content["libraries"]["numpy"] = "0.1"
    path.write_text(json.dumps(content))
    (note,) = library_notes(filter(None, read_records(jobs).values()))
    assert "numpy 0.1 (1 file; now " in note
    assert results.exists()
