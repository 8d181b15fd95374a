"""Times of results in the order in which they follow from each other.

Snakemake runs a job again if an input is newer than an output. After a copy, or when a clock was
set back, times say nothing. Where the content of results is known to be current, their times are
moved forward so that none is older than what it was computed from.
"""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from lammscope.core.written import record_path, write_json
from lammscope.provenance.records import Job, Record

CHECK = "check_output_mtime"  # of Snakemake's DAG
STAMP = ".snakemake_timestamp"  # whose time is that of a folder, for Snakemake


def accept_older_outputs(dag: type) -> None:
    """Let no job fail because its input seems to be newer than what it has written.

    So it seems where a matrix has a time in the future, where a clock was set back, and where the
    clocks of two machines differ. Snakemake fails the job then, since its next run would repeat it.
    Ours does not: it puts the times in order.

    Parameters
    ----------
    dag
        Snakemake's class of this name. Other versions may have no such check.
    """

    async def accept(*_: object) -> None:
        return

    if hasattr(dag, CHECK):
        setattr(dag, CHECK, accept)


def order_times(
    records: Mapping[Job, Record | None],
    *,
    stale: Collection[Job],
    results: str | Path,
    is_same: Callable[[Job], bool],
) -> dict[Job, Record | None]:
    """Move the times of current results forward where they are older than their inputs.

    Parameters
    ----------
    records
        All jobs with their records, inputs before what is made from them.
    stale
        Jobs whose results are not current; they are left alone.
    results
        The folder of results.
    is_same
        Tests by content whether the user's files that a job has read are still the same. It is
        called only if one of them is newer than what was made from it.

    Returns
    -------
    dict
        All jobs with their records, which have the new times.
    """
    folder = Path(results)
    ordered = dict(records)
    for job, record in records.items():
        if record is None or job in stale:
            continue
        try:
            ordered[job] = _order(job, record, folder, is_same)
        except OSError:  # of another owner, or read-only: Snakemake decides
            continue
    return ordered


def _order(job: Job, record: Record, folder: Path, is_same: Callable[[Job], bool]) -> Record:
    paths = {output: _timed(folder / output) for output in job.outputs}
    if job.benchmark and Path(job.benchmark).exists():  # whose time counts, too
        paths[job.benchmark] = Path(job.benchmark)
    times = {output: path.stat().st_mtime_ns for output, path in paths.items()}
    oldest = min(times.values())
    after = max((_timed(folder / path).stat().st_mtime_ns for path in job.inputs), default=0)
    given = max((_timed(Path(path)).stat().st_mtime_ns for path in _present(job)), default=0)
    if given > oldest and is_same(job):
        after = max(after, given)
    for output, path in paths.items():
        if times[output] < after:
            os.utime(path, ns=(after, after))
            times[output] = path.stat().st_mtime_ns
    files = {
        output: replace(file, modified=(folder / output).stat().st_mtime_ns)
        for output, file in record.files.items()
    }
    if files == record.files:
        return record
    changed = replace(record, files=files)
    write_json(changed.to_json(), record_path(job.log))
    return changed


def _present(job: Job) -> list[str]:
    return [path for path in job.given if Path(path).exists()]


def _timed(path: Path) -> Path:
    """Return the file whose time counts for a path."""
    return path / STAMP if path.is_dir() and (path / STAMP).exists() else path
