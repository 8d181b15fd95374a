"""Times of current results are put in order; those of others are left alone."""

import os
from pathlib import Path

import pytest

from lammscope.provenance.ancestry import find_stale, read_records
from lammscope.provenance.records import Job
from lammscope.provenance.times import order_times

EARLY, LATE = 1_000_000_000, 2_000_000_000


def order(results: Path, jobs: tuple[Job, Job], *, is_same: bool = True) -> None:
    records = read_records(jobs)
    stale = find_stale(records, results=results)
    order_times(records, stale=stale, results=results, is_same=lambda job: is_same)


def times(results: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in results.glob("*.tsv")}


def test_no_result_stays_older_than_what_it_was_made_from(
    results: Path, jobs: tuple[Job, Job]
) -> None:
    os.utime(results / "counts.tsv", (LATE, LATE))
    os.utime(results / "a.tsv", (EARLY, EARLY))
    order(results, jobs)
    now = times(results)
    assert now["counts.tsv"] == LATE * 10**9
    assert now["a.tsv"] == now["b.tsv"] == LATE * 10**9
    order(results, jobs)
    assert times(results) == now
    recorded = read_records(jobs)[jobs[1]]
    assert recorded is not None
    assert recorded.files["a.tsv"].modified == now["a.tsv"]


@pytest.mark.parametrize("is_same", [True, False])
def test_a_newer_matrix_counts_by_its_content(
    results: Path, jobs: tuple[Job, Job], is_same: bool
) -> None:
    os.utime("data.txt", (LATE, LATE))
    order(results, jobs, is_same=is_same)
    assert (times(results)["counts.tsv"] == LATE * 10**9) == is_same


def test_times_of_results_that_are_not_current_stay(results: Path, jobs: tuple[Job, Job]) -> None:
    os.utime(results / "counts.tsv", (LATE, LATE))
    (results / "a.tsv").write_text("changed\n")
    before = times(results)
    order(results, jobs)
    assert times(results) == before
