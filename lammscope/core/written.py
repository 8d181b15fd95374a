"""What a job wrote: a checksum of each file, and the versions of its libraries."""

import hashlib
import importlib.metadata
import json
import os
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from lammscope.core.digests import checksum
from lammscope.core.disks import results_of

# Libraries whose version may change a result, by the module that a job imports.
LIBRARIES = {
    **{name: name for name in ("anndata", "h5py", "harmonypy", "igraph", "leidenalg")},
    **{name: name for name in ("matplotlib", "numba", "numpy", "pandas", "pyarrow", "pydeseq2")},
    **{name: name for name in ("pyedger", "scanpy", "scipy", "torch")},
    "faiss": "faiss-cpu",
    "scvi": "scvi-tools",
    "sklearn": "scikit-learn",
}
RECORDS = "records"  # the folder of records, beside that of the logs
_written: dict[str, "Content"] = {}


@dataclass(frozen=True)
class Content:
    """The content of a file: its size in bytes and its SHA-256."""

    bytes: int
    sha256: str


def content_of(path: str | Path) -> Content:
    """Read a file, or all files of a folder in the order of their names, for its checksum."""
    path = Path(path)
    if path.is_dir():
        files = sorted(each for each in path.rglob("*") if each.is_file())
        parts = [(each.relative_to(path).as_posix(), content_of(each)) for each in files]
        text = "\n".join(f"{name}\t{part.sha256}" for name, part in parts)
        size = sum(part.bytes for _, part in parts)
        return Content(size, hashlib.sha256(text.encode()).hexdigest())
    return Content(path.stat().st_size, checksum(path))


def note_written(path: str | Path, content: Content) -> None:
    """Remember the content of a file that this process wrote."""
    _written[Path(path).as_posix()] = content


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk, as far as its file system can tell."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # folders cannot be opened everywhere
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if path.is_file():
            raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    finally:
        os.close(handle)


def record_path(log: str | Path) -> Path:
    """Return where the record of the job with this log is.

    Examples
    --------
    >>> record_path("results/logs/test_abundance.log").as_posix()
    'results/records/test_abundance.json'
    """
    path, results = Path(log).with_suffix(".json"), results_of(log)
    logs = results / "logs"
    # logs of a folder of another name have their records beside them
    return results / RECORDS / path.relative_to(logs) if path.is_relative_to(logs) else path


def save_written(log: str | Path) -> None:
    """Write the record of this process's files and libraries, and forget them."""
    record = {
        "files": {path: asdict(content) for path, content in _written.items()},
        "libraries": loaded_libraries(),
    }
    _written.clear()
    record_path(log).parent.mkdir(parents=True, exist_ok=True)
    write_json(record, record_path(log))


def write_json(content: Any, path: Path) -> None:
    """Write a small JSON file so that a reader sees the old or the new one, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def loaded_libraries() -> dict[str, str]:
    """Return the versions of the libraries that this process has imported, and of Python."""
    loaded = {LIBRARIES[name] for name in LIBRARIES if name in sys.modules}
    versions = {name: version for name in sorted(loaded) if (version := installed_version(name))}
    return {"python": f"{sys.version_info.major}.{sys.version_info.minor}", **versions}


@cache
def installed_version(distribution: str) -> str | None:
    """Return the installed version of a library, or None."""
    if distribution == "python":
        return f"{sys.version_info.major}.{sys.version_info.minor}"
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
