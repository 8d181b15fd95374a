"""Which results do not follow from the present config, inputs and code, and why.

Snakemake decides by times and by its own notes, which lie beside the folder of results and not in
it. Both can be wrong after an accident: a clock that was set back, a restored file, a second clone
with another config. Here each result is compared with the record of what it was computed from.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lammscope.core.words import counted, shortened
from lammscope.core.written import Content, installed_version
from lammscope.provenance.records import Job, Record, contents, read_record

NOT_RECORDED = "without a record of what they were computed from"
SETTINGS = "computed with other settings, inputs or code"
INPUTS = "computed from other results than there are now"
CHANGED = "not as their job wrote them"
DEPENDS = "computed from results that are out of date or missing"
KEPT = "out of date, but kept, since a file to compute them from is not there"

Reasons = dict[Job, tuple[str, tuple[str, ...]]]


def read_records(jobs: Iterable[Job]) -> dict[Job, Record | None]:
    """Read the record of each job; None where there is none, or where the job did not end."""
    return {job: read_record(job.log) for job in jobs}


def find_stale(records: Mapping[Job, Record | None], *, results: str | Path) -> Reasons:
    """Find jobs whose results exist but do not follow from the present config, inputs and code.

    Small files are read; large ones only if their time of change is not the recorded one, as after
    a copy.

    Parameters
    ----------
    records
        All jobs of the config with their records.
    results
        The folder of results.

    Returns
    -------
    dict
        For each job the reason, and the files that it is about. A job with a missing file is not
        among them: see `find_incomplete`.
    """
    folder = Path(results)
    now = contents(record for record in records.values() if record is not None)
    reasons = {}
    for job, record in records.items():
        if not _has_results(job, folder):
            continue
        if record is None or set(record.files) != set(job.outputs):
            reasons[job] = NOT_RECORDED, job.outputs
        elif record.settings != job.settings:
            reasons[job] = SETTINGS, job.outputs
        elif _has_other_inputs(job, record, now):
            reasons[job] = INPUTS, job.outputs
        elif changed := _changed_files(record, folder):
            reasons[job] = CHANGED, changed
    return reasons


def find_incomplete(jobs: Iterable[Job], *, results: str | Path) -> list[Job]:
    """Find jobs of which a file is missing, and whose own input is there.

    Snakemake runs such a job only if the file is asked for, or if what is made from it is missing
    or out of date, too. After a job was killed, results of its old files may still be there.
    """
    return [job for job in jobs if not _has_results(job, Path(results)) and _can_run(job)]


def split_lost(stale: Reasons) -> tuple[Reasons, Reasons]:
    """Divide jobs that are out of date: those that can run again, and those whose input is gone.

    The matrices of samples that were read in may be archived; the results of these jobs are kept.
    """
    lost = {job: why for job, why in stale.items() if not _can_run(job)}
    return {job: why for job, why in stale.items() if job not in lost}, lost


def describe_results(
    jobs: Iterable[Job], *, results: str | Path
) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Describe the results of a run that ends.

    Parameters
    ----------
    jobs
        All jobs of the config, inputs before what is made from them.
    results
        The folder of results.

    Returns
    -------
    current
        By path: rule, the digest of the settings that it follows from, that of its whole ancestry,
        size and SHA-256.
    others
        By path: why a file of the config is not among them, or is out of date but kept.
    """
    records = read_records(jobs)
    stale, lost = split_lost(find_stale(records, results=results))
    current, others = {}, {path: KEPT for job in lost for path in job.outputs}
    for job, record in records.items():
        for path in job.outputs:
            if job in stale or record is None or not (Path(results) / path).exists():
                others.setdefault(path, stale[job][0] if job in stale else "missing")
                continue
            if any(others.get(path, KEPT) != KEPT for path in job.inputs):
                others[path] = DEPENDS
                continue
            current[path] = {
                "rule": record.rule,
                "settings": record.settings,
                "ancestry": record.ancestry,
                **asdict(record.files[path].content),
            }
    return current, others


def stale_notes(reasons: Reasons) -> list[str]:
    """Say which results are out of date and why, a line for each reason."""
    by_reason: dict[str, list[str]] = {}
    for reason, paths in reasons.values():
        by_reason.setdefault(reason, []).extend(paths)
    return [
        f"{counted(len(paths), 'files')} of the results and what depends on them are out of date: "
        f"{reason} ({shortened(paths, 3)})"
        for reason, paths in by_reason.items()
    ]


def lost_notes(reasons: Reasons) -> list[str]:
    """Say which results are out of date but kept, since the user's files are gone."""
    return [
        f"{shortened(paths, 3)}: out of date ({reason}), but kept, since "
        f"{shortened([path for path in job.given if not Path(path).exists()], 2)} is not there to "
        "compute them again: put it back"
        for job, (reason, paths) in reasons.items()
    ]


def other_libraries(records: Iterable[Record]) -> dict[str, tuple[list[str], str, int]]:
    """Find libraries of which another version is installed than results were computed with.

    Returns
    -------
    dict
        By library: the recorded versions, the one installed now (empty if none is), and the number
        of files that were computed with another.
    """
    found: dict[str, tuple[set[str], str, int]] = {}
    for record in records:
        for name, version in record.libraries.items():
            now = installed_version(name) or ""
            if version != now:
                versions, _, n = found.get(name, (set(), now, 0))
                found[name] = (versions | {version}, now, n + len(record.files))
    return {name: (sorted(each[0]), each[1], each[2]) for name, each in sorted(found.items())}


def library_notes(records: Iterable[Record]) -> list[str]:
    """Say which results were computed with other versions of libraries, if any were."""
    found = other_libraries(records)
    if not found:
        return []
    parts = [
        f"{name} {', '.join(versions)} ({counted(n, 'files')}; now {now or 'not installed'})"
        for name, (versions, now, n) in found.items()
    ]
    return [
        f"results were computed with other versions of libraries: {'; '.join(parts)}. They are "
        "kept; `--forceall` computes everything with the present ones"
    ]


def _has_results(job: Job, folder: Path) -> bool:
    """Test whether all files of a job are there."""
    return all((folder / path).exists() for path in job.outputs)


def _can_run(job: Job) -> bool:
    """Test whether the user's files that a job reads are there."""
    return all(map(os.path.exists, job.given))


def _has_other_inputs(job: Job, record: Record, now: Mapping[str, Content]) -> bool:
    """Test whether a job would read other results than it has read."""
    if set(record.inputs) != set(job.inputs):
        return True
    return any(path not in now or now[path].sha256 != record.inputs[path] for path in job.inputs)


def _changed_files(record: Record, folder: Path) -> tuple[str, ...]:
    """Return the files that are not as their job wrote them."""
    return tuple(path for path, file in record.files.items() if not file.is_at(folder / path))
