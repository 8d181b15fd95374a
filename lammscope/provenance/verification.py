"""Whether a folder of results is whole, and follows from one config and one set of cells."""

import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from lammscope.core.indexed import INDEX_KEY
from lammscope.core.words import counted, shortened
from lammscope.core.written import RECORDS, content_of
from lammscope.provenance.ancestry import KEPT
from lammscope.provenance.records import Record, contents, read_all
from lammscope.provenance.run import NAME

AGAIN = "run the workflow again, which computes it and what depends on it"
DELETE = "delete it, and run the workflow again, which computes it and what depends on it"
DAMAGED = "has another content than was written (SHA-256)"
PUT_BACK = "put it back (a dry run names it), and run the workflow again"
INDEX = "joint/cells.parquet"
UNRECORDED = ("logs", "benchmarks", RECORDS, NAME)


def verify_results(results: str | Path) -> tuple[list[str], list[str], int]:
    """Compare the results of a run with its records.

    Every file is read. Each must have the size and SHA-256 with which its job wrote it, follow from
    the settings of the run that ended last, and have been computed from the results that are there
    now, with the same cells.

    Parameters
    ----------
    results
        The folder of results.

    Returns
    -------
    problems
        A line for each file: what is wrong, and the remedy.
    notes
        What is not wrong but worth knowing.
    n_files
        The number of files that were compared.

    Raises
    ------
    ValueError
        If the folder has no readable `provenance.json`, or one of another format.
    """
    folder = Path(results)
    provenance = _read_provenance(folder / NAME)
    expected: Mapping[str, Mapping[str, Any]] = provenance["results"]
    records = {  # not those of rules that made the same files in earlier runs
        path: record
        for record in read_all(folder)
        for path in record.files
        if expected.get(path, {}).get("rule") == record.rule
    }
    used = list({id(record): record for record in records.values()}.values())
    problems = [
        f"{path}: {problem}: {DELETE if problem == DAMAGED else AGAIN}"
        for path, entry in expected.items()
        if (problem := _problem(folder / path, path, entry, records))
    ]
    not_current: Mapping[str, str] = provenance["not_current"]
    problems += _not_current(not_current)
    known = contents(used)
    for record in used:
        problems += _other_inputs(record, known)
    problems += _other_cells(folder, records)
    outcome = provenance["run"]["outcome"]
    if outcome != "finished":
        problems.append(f"{NAME}: the last run {outcome}: run the workflow again")
    return problems, list(_notes(folder, {*expected, *not_current})), len(expected)


def _not_current(reasons: Mapping[str, str]) -> Iterator[str]:
    """Name the files that the last run should have computed again and did not, by reason."""
    for reason in dict.fromkeys(reasons.values()):
        paths = [path for path, other in reasons.items() if other == reason]
        remedy = PUT_BACK if reason == KEPT else AGAIN
        yield f"{counted(len(paths), 'files')} ({shortened(paths, 3)}): {reason}: {remedy}"


def _read_provenance(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(
            f"{path}: there is none, so no run has ended here yet: run the workflow, or name the "
            "folder of its results"
        ) from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}): {AGAIN}") from error
    if "results" not in content or "not_current" not in content:
        raise ValueError(
            f"{path}: was written by an earlier version, without checksums of results: run the "
            "workflow again"
        )
    return content


def _problem(
    path: Path, name: str, entry: Mapping[str, Any], records: Mapping[str, Record]
) -> str | None:
    """Return what is wrong with a file, or None."""
    record = records.get(name)
    if not path.exists():
        return "is missing"
    if record is None:
        return "has no record of what it was computed from"
    try:
        content = content_of(path)
    except OSError as error:
        return f"cannot be read ({error})"
    written = record.files[name].content
    if content.bytes != written.bytes:
        return f"has {content.bytes:,} bytes, but was written with {written.bytes:,}"
    if content != written:
        return DAMAGED
    if record.settings != entry["settings"]:
        return "was computed with another config or version, by a run that did not end"
    if content.sha256 != entry["sha256"]:
        return "was computed again by a run that did not end"
    return None


def _other_inputs(record: Record, known: Mapping[str, Any]) -> Iterator[str]:
    """Say which results a job has read that are others now."""
    others = [
        path
        for path, sha256 in record.inputs.items()
        if path in known and known[path].sha256 != sha256
    ]
    if others:
        yield (
            f"{shortened(record.files, 2)}: computed from another {shortened(others, 2)} than "
            f"there is now: {AGAIN}"
        )


def _other_cells(folder: Path, records: Mapping[str, Record]) -> Iterator[str]:
    """Say which files belong to another cell index than that which their job read."""
    for name, record in records.items():
        index = next((path for path in record.inputs if path.endswith(INDEX)), None)
        if index is None:
            continue
        own, read = _index_of(folder / name), _index_of(folder / index)
        if own and read and own != read:
            yield f"{name}: belongs to other cells than {index}: {AGAIN}"


def _index_of(path: Path) -> str:
    """Return the checksum of the cell index that a file has, if it has one and can be read."""
    try:
        if path.suffix == ".parquet":
            metadata: Mapping[bytes, bytes] = pq.read_schema(path).metadata or {}
            return metadata.get(INDEX_KEY, b"").decode()
        if path.suffix == ".npz":
            with np.load(path) as file:
                return str(file["index"]) if "index" in file.files else ""
    except (OSError, ValueError, KeyError, pa.ArrowException):  # its checksum says that it differs
        return ""
    return ""


def _notes(folder: Path, expected: Collection[str]) -> Iterator[str]:
    """Name files that the run did not make."""
    others = sorted(
        name
        for path in folder.rglob("*")
        if path.is_file()
        and (name := path.relative_to(folder).as_posix()).split("/")[0] not in UNRECORDED
        and name not in expected
        and not any(parent.as_posix() in expected for parent in Path(name).parents)
    )
    if others:
        yield f"{counted(len(others), 'files')} of no job of the last run: {shortened(others, 3)}"
