"""What a killed run leaves behind: jobs that still run, and files that were not finished."""

import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

from lammscope.core.run_lock import try_lock
from lammscope.core.runtime import temporary_affixes
from lammscope.core.words import shortened
from lammscope.core.written import record_path

PROCESS = re.compile(r"process (\d+) on (\S+)$", re.MULTILINE)  # in the first line of a job's log
RANDOM = 8  # letters that `tempfile.mkstemp` puts into a name


def wait_for_jobs(
    logs: Path,
    *,
    say: Callable[[str], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until jobs that an earlier run has left running have ended."""
    while running := running_jobs(logs):
        (say or print_message)(
            f"jobs of an earlier run still run: {shortened(running)}. This run begins when they "
            "have ended"
        )
        while running_jobs(logs) == running:
            sleep(1)


def running_jobs(logs: Path) -> list[str]:
    """Describe the jobs whose logs are locked, as they are while a job runs."""
    found = []
    for path in sorted(logs.rglob("*.log")):
        try:
            with path.open("rb") as handle:
                if not try_lock(handle.fileno(), shared=True):
                    first = handle.readline().decode(errors="replace")
                    who = PROCESS.search(first)
                    name = path.relative_to(logs).with_suffix("").as_posix()
                    found.append(f"{name} (process {who[1]} on {who[2]})" if who else name)
        except FileNotFoundError:
            continue
    return found


def remove_temporaries(outputs: Iterable[str | Path], *, logs: Path) -> None:
    """Remove files that killed jobs did not finish. No job may be running.

    Parameters
    ----------
    outputs
        The files that jobs write.
    logs
        The folder of their logs, which tells that of their records.
    """
    by_folder = defaultdict[Path, set[tuple[str, str]]](set)
    for path in map(Path, outputs):
        by_folder[path.parent].add(temporary_affixes(path))
    for folder, affixes in by_folder.items():
        for path in folder.glob(".*-*"):
            if any(_is_between(path.name, *each) for each in affixes):
                path.unlink(missing_ok=True)
    for path in record_path(logs / "any.log").parent.rglob(".*.json.*"):
        path.unlink(missing_ok=True)


def _is_between(name: str, prefix: str, suffix: str) -> bool:
    """Test whether a name is a random word between two parts."""
    length = len(prefix) + RANDOM + len(suffix)
    return len(name) == length and name.startswith(prefix) and name.endswith(suffix)


def print_message(text: str) -> None:
    """Print a message on standard error."""
    print(f"lammscope: {text}", file=sys.stderr, flush=True)
