"""Records of jobs: what each was computed from, and a checksum of each file that it wrote.

Records lie in the folder `records`, named like logs. A job itself writes checksums and versions of
libraries. When it has ended, the main process adds what it was computed from: its settings with its
code, and the checksum of each result that it read. A record without these is that of a job whose
main process was killed.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

from lammscope.core.digests import DIGITS
from lammscope.core.written import RECORDS, Content, content_of, record_path, write_json

SMALL = 2**22  # bytes; a file of this size is read in a few milliseconds
CHECKED = {".gz", ".h5ad", ".npz", ".parquet"}  # have a checksum; cohort.h5ad is read by no job


@dataclass(frozen=True)
class Job:
    """A job of the workflow as the config asks for it.

    Attributes
    ----------
    rule
        The name of its rule.
    outputs
        Its files, relative to the folder of results.
    inputs
        The results that it reads, relative to the folder of results.
    given
        The user's files that it reads. They are part of the settings, by size or checksum.
    settings
        A digest of the settings that it depends on and of its code.
    log, benchmark
        The paths of its log and of its benchmark.
    """

    rule: str
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    given: tuple[str, ...]
    settings: str
    log: str
    benchmark: str = ""


@dataclass(frozen=True)
class File:
    """A file as its job left it: content, and time of the last change in nanoseconds."""

    content: Content
    modified: int

    def is_at(self, path: Path) -> bool:
        """Test whether this file is at `path`.

        A large one in a format with a checksum, which its readers compare, is read only if its time
        is another.
        """
        try:
            state = path.stat()
            if not path.is_dir() and state.st_size != self.content.bytes:
                return False
            is_checked = state.st_size > SMALL and path.suffix in CHECKED
            is_untouched = is_checked and state.st_mtime_ns == self.modified
            return is_untouched or content_of(path) == self.content
        except OSError:
            return False


@dataclass(frozen=True)
class Record:
    """What a finished job was computed from, and what it wrote.

    Attributes
    ----------
    rule, settings
        As of the `Job`.
    inputs
        The SHA-256 of each result that it read, by path.
    files
        What it wrote, by path.
    libraries
        The versions of the libraries that it had imported.
    """

    rule: str
    settings: str
    inputs: Mapping[str, str]
    files: Mapping[str, File]
    libraries: Mapping[str, str] = field(default_factory=dict)

    @property
    def ancestry(self) -> str:
        """A digest of all that the files depend on: settings, code and the content of inputs."""
        parts = [self.settings, *(f"{path}\t{self.inputs[path]}" for path in sorted(self.inputs))]
        return sha256("\n".join(parts).encode()).hexdigest()[:DIGITS]

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read a record; raises a `KeyError` or `TypeError` for one that is not complete."""
        files = {
            path: File(Content(each["bytes"], each["sha256"]), each["modified"])
            for path, each in content["files"].items()
        }
        return cls(
            **{key: content[key] for key in ("rule", "settings", "inputs", "libraries")},
            files=files,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the record as it is saved."""
        files = {
            path: {**asdict(file.content), "modified": file.modified}
            for path, file in self.files.items()
        }
        return {
            "rule": self.rule,
            "settings": self.settings,
            "ancestry": self.ancestry,
            "inputs": dict(self.inputs),
            "files": files,
            "libraries": dict(self.libraries),
        }


def read_record(log: str | Path) -> Record | None:
    """Read the record of the job with this log; None without one, or if the job did not end."""
    return _read(record_path(log))


def _read(path: Path) -> Record | None:
    try:
        return Record.from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def read_all(results: str | Path) -> list[Record]:
    """Read the records of all finished jobs in a folder of results."""
    paths = sorted((Path(results) / RECORDS).rglob("*.json"))
    return [record for path in paths if (record := _read(path)) is not None]


def complete_record(
    job: Job, *, results: str | Path, known: Mapping[str, Content]
) -> Record | None:
    """Add to the record of a job that has just ended what it was computed from, and save it.

    Parameters
    ----------
    job
        The job.
    results
        The folder of results.
    known
        The content of each result that it read.

    Returns
    -------
    Record
        None if the job has written no record since the last one was completed: it did not run.

    Raises
    ------
    OSError
        If one of its files is not there.
    """
    folder = Path(results)
    own = _own_part(job.log)
    if own is None:
        return None
    written = {_absolute(path): Content(**each) for path, each in own["files"].items()}
    files = {}
    for output in job.outputs:
        path = folder / output
        content = written.get(_absolute(path)) or content_of(path)
        files[output] = File(content, path.stat().st_mtime_ns)
    inputs = {path: known[path].sha256 for path in job.inputs if path in known}
    record = Record(job.rule, job.settings, inputs, files, own["libraries"])
    write_json(record.to_json(), record_path(job.log))
    return record


def contents(records: Iterable[Record]) -> dict[str, Content]:
    """Return the content of each file of some records by its path."""
    return {path: file.content for record in records for path, file in record.files.items()}


def _own_part(log: str) -> dict[str, Any] | None:
    """Read what the job itself has recorded; None if the record is complete already."""
    try:
        content = json.loads(record_path(log).read_text(encoding="utf-8"))
        is_own = isinstance(content, dict) and set(content) == {"files", "libraries"}
    except (OSError, ValueError):
        return None
    return content if is_own else None


def _absolute(path: str | Path) -> str:
    return Path(path).absolute().as_posix()
