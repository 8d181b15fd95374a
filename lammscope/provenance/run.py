"""Provenance of a run: what was computed when, from what, with what and on what.

`provenance.json` has a date, so it is the output of no rule: the workflow writes it when it ends,
and nothing that a rule reads or writes depends on it. Names of users and machines are left out, and
the home folder is written as `~`, since the file is passed on with the results.

`python -m lammscope.verify RESULTS` compares results and inputs with it.
"""

import json
import math
import os
import platform
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from lammscope import __version__
from lammscope.cohort.last_run import read_last_run, without_changed
from lammscope.cohort.remote import is_address
from lammscope.core.digests import checksum
from lammscope.core.resources import HOME, find_resource
from lammscope.core.runtime import whole_file
from lammscope.core.shards import CHECKSUM
from lammscope.provenance.ancestry import describe_results
from lammscope.provenance.records import Job

FORMAT = 2
NAME = "provenance.json"  # in the folder of results
MOST_RUNS = 100  # earlier ones that are kept
GIT_SECONDS = 10
CPU_INFO = Path("/proc/cpuinfo")
SECRET = re.compile(r"(secret|token|passw|credential|access.?key|api.?key)", re.IGNORECASE)
STORAGE = "--storage-"  # begins the options of storage plugins
HIDDEN = "***"


@dataclass(frozen=True)
class Invocation:
    """One call of the workflow.

    Attributes
    ----------
    started
        When it began.
    outcome
        `finished` or `failed`.
    command
        The command line.
    logs
        Snakemake's logs.
    deployment
        How environments of jobs were made, such as `conda`; empty for that of the main process.
    """

    started: datetime
    outcome: str
    command: Sequence[str]
    logs: Sequence[str]
    deployment: Sequence[str] = ()

    def record(self, *, ended: datetime) -> dict[str, Any]:
        """Return what is kept of the call, with the software that made it."""
        return {
            "outcome": self.outcome,
            "started": self.started.isoformat(timespec="seconds"),
            "ended": ended.isoformat(timespec="seconds"),
            "wall_seconds": round((ended - self.started).total_seconds()),
            "command": shlex.join(without_secrets(self.command)),
            "logs": list(self.logs),
            "software_deployment": list(self.deployment),
            "lammscope": __version__,
            **commit_of(HOME),
        }


def save_provenance(
    results: str | Path,
    invocation: Invocation,
    *,
    config: Mapping[str, Any],
    files: Sequence[tuple[str, str]],
    jobs: Iterable[Job] = (),
) -> None:
    """Write `provenance.json`; earlier runs that made the same results stay listed in it.

    Parameters
    ----------
    results
        The folder of results.
    invocation
        The call that ends.
    config
        The resolved config.
    files
        What each file is that was read, beside the count matrices, and its path.
    jobs
        All jobs of the config.
    """
    path = Path(results) / NAME
    made, not_current = describe_results(jobs, results=results)
    content = {
        "format": FORMAT,
        "run": invocation.record(ended=datetime.now(UTC)),
        "earlier_runs": _earlier_runs(path),
        "python": platform.python_version(),
        "packages": installed_packages(),
        "machine": describe_machine(),
        "inputs": [_input(what, name) for what, name in files],
        "matrices": list(_matrices(results)),
        "results": made,
        "not_current": not_current,
        "config": config,
    }
    with whole_file(path) as temporary:
        text = json.dumps(without_home(content), indent=1, ensure_ascii=False, default=str)
        temporary.write_text(text + "\n", encoding="utf-8")


def _earlier_runs(path: Path) -> list[Any]:
    """Return the runs that an earlier file has, the latest first."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        return [before["run"], *before["earlier_runs"]][:MOST_RUNS]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def _input(what: str, name: str) -> dict[str, str]:
    """Describe a file that was read; one that has vanished has no checksum."""
    try:
        return {"what": what, "path": name, "sha256": checksum(find_resource(name))}
    except OSError as error:
        return {"what": what, "path": name, "problem": str(error)}


def _matrices(results: str | Path) -> Iterator[dict[str, Any]]:
    """Describe the count matrix of each sample as it was read in.

    `digest` is that of `lammscope.core.digests.file_digest`: the first 16 digits of the SHA-256 of
    the SHA-256s of all files of the matrix.
    """
    last = read_last_run(results)
    if last is None:
        return
    for sample, counts in zip(last.samples["sample"], last.samples["counts"], strict=True):
        record = last.records.get(sample)
        known = {} if record is None else {"bytes": record.size, "digest": record.checksum}
        yield {"sample": str(sample), "path": str(counts), **known}


def commit_of(folder: Path) -> dict[str, Any]:
    """Return the commit of a git checkout, and whether its files differ from it; else nothing.

    A folder within another project's checkout has no commit of its own.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    commit = _git(folder, "rev-parse", "HEAD")
    if not top or not commit or Path(top).resolve() != folder.resolve():
        return {}
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "changed": None if changes is None else bool(changes)}


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of a git command, or None if it fails."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=GIT_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def installed_packages() -> dict[str, str]:
    """Return the versions of all installed packages, by name."""
    found = {each.metadata["Name"]: each.version for each in distributions()}
    return {name: found[name] for name in sorted(filter(None, found), key=str.lower)}


def describe_machine() -> dict[str, Any]:
    """Describe the machine of the main process; on a cluster, jobs ran on others."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "system": platform.platform(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "usable_cores": usable,
        "memory_gib": _memory_gib(),
    }


def _processor() -> str:
    """Return the model of the processor, as far as the system tells."""
    if CPU_INFO.is_file():
        model = re.search(r"^model name\s*:\s*(.+)$", CPU_INFO.read_text(), re.MULTILINE)
        if model:
            return model[1].strip()
    return platform.processor()


def _memory_gib() -> float | None:
    """Return the memory of the machine in GiB; None where the system does not tell."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    return round(pages * size / 2**30, 1)


def without_secrets(command: Sequence[str]) -> list[str]:
    """Return a command line without the values of options that look like secrets.

    Options of storage plugins may have several values, such as a key for each server.

    Examples
    --------
    >>> without_secrets(["--storage-s3-secret-key", "abc", "--cores", "2"])
    ['--storage-s3-secret-key', '***', '--cores', '2']
    """
    shown, left = [], 0.0  # values that are still to be hidden
    for word in command:
        is_option = word.startswith("-")
        if left and not is_option:
            shown.append(HIDDEN)
            left -= 1
            continue
        name, equals, _ = word.partition("=")
        is_stored = name.startswith(STORAGE)
        is_secret = is_stored or bool(SECRET.search(name))
        shown.append(f"{name}={HIDDEN}" if equals and is_secret else word)
        if is_option:
            left = math.inf if is_stored else int(is_secret and not equals)
    return shown


def without_home(value: Any) -> Any:
    """Return a value of JSON with the home folder written as `~`, which has the user's name."""
    home = os.path.expanduser("~").rstrip("/")
    if isinstance(value, str) and home.startswith("/"):
        return re.sub(rf"{re.escape(home)}(?=/|$)", "~", value)
    if isinstance(value, Mapping):
        return {str(without_home(key)): without_home(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_home(item) for item in value]
    return value


def compare_inputs(path: str | Path) -> list[tuple[str, str]]:
    """Compare the inputs of a run with the files that are there now.

    Parameters
    ----------
    path
        `provenance.json` in the folder of results. Paths are relative to the folder where the
        workflow ran.

    Returns
    -------
    list
        Path and finding: `same`, `missing`, or what changed.
    """
    path = Path(path)
    content = json.loads(path.read_text(encoding="utf-8"))
    found = [(each["path"], _compared(each)) for each in content["inputs"]]
    last = read_last_run(path.parent)
    changed = {} if last is None else without_changed(last, compare=CHECKSUM)[1]
    for each in content["matrices"]:
        name = each["path"]
        if is_address(name):
            found.append((name, "on a server, not read again"))
            continue
        there = Path(name).expanduser().exists()
        finding = "same" if "digest" in each else "not recorded"
        found.append((name, changed.get((each["sample"], name), finding) if there else "missing"))
    return found


def _compared(entry: Mapping[str, str]) -> str:
    """Compare one input with its checksum."""
    try:
        now = checksum(find_resource(Path(entry["path"]).expanduser()))
    except OSError:
        return "missing"
    return "same" if now == entry.get("sha256") else f"changed: SHA-256 {now}"
