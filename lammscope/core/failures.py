"""The last lines of a run that failed: which job, why, what to do, and what the results are now."""

import logging
import re
import signal
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lammscope.core.disks import explain, full_disk, is_full
from lammscope.core.runtime import MEMORY
from lammscope.core.words import counted, shortened

SCRIPT = re.compile(r"/tmp\w+\.(\w+)\.py\b")  # Snakemake's copy of a script
EXIT = re.compile(r"returned non-zero exit status (\d+)|died with <Signals\.(\w+)")
ERROR = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ ERROR (.*?)(?=Traceback \(|\Z)", re.M | re.S)
USED = re.compile(rf"{MEMORY} (\d+) MiB")
TAIL = 2**16  # bytes at the end of a log that are read for its last message
OUT_OF_MEMORY = ("OUT_OF_ME", "OOM")
CLUSTER = {  # words of cluster engines for the end of a job
    "TIMEOUT": "ran longer than its time limit",
    "DEADLINE": "ran longer than its time limit",
    "NODE_FAIL": "lost its machine",
    "BOOT_FAIL": "lost its machine",
    "PREEMPTED": "had to make way for another job",
    "CANCELLED": "was canceled",
}
SIGNALS = {
    "SIGINT": "was interrupted",
    "SIGTERM": "was ended (SIGTERM), by a person or by the system",
    "SIGXCPU": "used more processor time than its limit allows (SIGXCPU)",
    "SIGXFSZ": "wrote a larger file than `ulimit -f` allows (SIGXFSZ)",
}
REPORT = "report.html"
FIRST = 5  # failed jobs that are described; the others are counted


@dataclass(frozen=True)
class Started:
    """A job as it was announced.

    Attributes
    ----------
    name
        Its rule with the sample, contrast or part.
    rule
        The name of its rule.
    logs
        The paths of its logs.
    memory
        The memory that it asked for in MB; None if that is not known.
    began
        Time of the clock in seconds.
    """

    name: str
    rule: str
    logs: tuple[str, ...] = ()
    memory: int | None = None
    began: float = 0.0


class FailureReport(logging.Handler):
    """Listens to Snakemake's log, and says at the end which jobs failed, why, and what is left.

    Parameters
    ----------
    results
        The folder of results.
    left
        Returns the results that the run should have computed again and that are still there.
    show
        Prints a message.
    """

    def __init__(
        self,
        results: str | Path,
        *,
        left: Callable[[], Iterable[str]],
        show: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    ) -> None:
        super().__init__()
        self._results, self._left, self._show = Path(results), left, show
        self._jobs: dict[int, Started] = {}
        self._ends: list[tuple[str, str]] = []  # script and exit status of failed jobs
        self._failed: dict[int, tuple[Started, str]] = {}
        self._others: list[str] = []  # of Snakemake itself
        self._killed = oom_kills()

    def emit(self, record: logging.LogRecord) -> None:
        """Note a job that starts, fails or succeeds, and what else went wrong."""
        about = vars(record)
        match str(about.get("event")):
            case "job_info":
                self._jobs[about["jobid"]] = _started(about)
            case "job_finished":
                self._failed.pop(about["job_id"], None)
            case "job_error":
                job = self._jobs.get(about["jobid"]) or _started(about)
                end = f"{self._end_of(job.rule)} {about.get('rule_msg') or ''}"
                self._failed[about["jobid"]] = job, self._reason(job, end)
            case "error":
                self._note(record.getMessage())

    def close(self) -> None:
        """Print the last lines, if anything failed."""
        failed, others = list(self._failed.values()), list(dict.fromkeys(self._others))
        self._failed, self._others = {}, []
        if failed or others:
            self._show("\n".join(self._lines(failed, others)))
        super().close()

    def _lines(self, failed: list[tuple[Started, str]], others: list[str]) -> list[str]:
        heading = f"{counted(len(failed), 'jobs')} failed" if failed else "the run stopped"
        lines = [f"lammscope: {heading}:"]
        for job, reason in failed[:FIRST]:
            lines += [f"  {job.name} {reason}", *(f"    log: {log}" for log in job.logs)]
        if len(failed) > FIRST:
            lines.append(f"  and {shortened(job.name for job, _ in failed[FIRST:])}")
        known = " ".join(lines)
        lines += [f"  {text}" for text in others if text not in known]
        return [*lines, *(f"  {text}" for text in held(self._left()) if self._jobs)]

    def _note(self, text: str) -> None:
        """Keep what an error says: the exit status of a job, or what stopped Snakemake."""
        end, script = EXIT.search(text), SCRIPT.search(text)
        if end:
            self._ends.append((script[1] if script else "", end[0]))
        elif known := explain(text, folder=self._results):
            self._others.append(known)

    def _end_of(self, rule: str) -> str:
        """Return the exit status of a job of a rule."""
        own = [place for place, (script, _) in enumerate(self._ends) if rule.startswith(script)]
        return self._ends.pop(own[0] if own else 0)[1] if self._ends else ""

    def _reason(self, job: Started, end: str) -> str:
        """Say why a job failed, and what helps."""
        name = signal_of(end)
        text = log_since(job.logs, job.began)
        if any(word in end for word in OUT_OF_MEMORY):
            return f"was killed because it needed more memory than asked for{memory(job, text)}"
        for word, what in CLUSTER.items():
            if word in end:
                return f"{what} ({word}): ask for more with `--set-resources`, or start again"
        messages = [" ".join(message.split()) for message in ERROR.findall(text)]
        if messages and messages[-1]:
            return f"failed: {messages[-1]}"
        if is_full(self._results) and name not in SIGNALS:
            how = "failed" if name is None else f"ended with {name}"
            return f"{how}: {full_disk(self._results)}"
        if name == "SIGKILL":
            ran_out = oom_kills() > self._killed
            why = "because memory ran out" if ran_out else "most likely because memory ran out"
            return f"was killed (SIGKILL), {why}{memory(job, text)}"
        if name is not None:
            return SIGNALS.get(name, f"crashed ({name}), which is a fault of a library")
        return "failed; its own message is above"


def held(left: Iterable[str]) -> list[str]:
    """Say what the folder of results has now, given the files that were not computed again."""
    old = sorted(left)
    lines = ["what is finished is kept, and the same command goes on from there"]
    if old:
        report = "the report is of an earlier run; " if REPORT in old else ""
        number = counted(len(old), "files")
        lines.insert(0, f"{report}out of date in the results: {number} ({shortened(old, 3)})")
    return lines


def memory(job: Started, text: str) -> str:
    """Say how much memory a killed job had asked for and used, and what helps."""
    used = [int(each) for each in USED.findall(text)]
    asked = "" if job.memory is None else f"it had asked for {job.memory:,} MB"
    seen = f"used {used[-1]:,} MiB when last seen" if used else ""
    parts = " and ".join(filter(None, [asked, seen]))
    need = 2 * max([job.memory or 0, *used]) or 8000
    return (
        f"{'; ' if parts else ''}{parts}. Run fewer jobs at once (`--cores 1`), or give it more "
        f"(`--set-resources {job.rule}:mem_mb={need}`)"
    )


def signal_of(end: str) -> str | None:
    """Return the signal that ended a job: shells report 128 plus its number.

    Examples
    --------
    >>> signal_of("returned non-zero exit status 137")
    'SIGKILL'
    """
    found = EXIT.search(end)
    if found is None:
        return None
    if found[2]:
        return found[2]
    numbers = {128 + each: each.name for each in signal.Signals}
    return numbers.get(int(found[1]))


def log_since(logs: Iterable[str], began: float) -> str:
    """Return the end of the log of a job, if it has written one since it began."""
    for log in logs:
        try:
            path = Path(log)
            if path.stat().st_mtime < began - 1:
                continue
            with path.open("rb") as handle:
                handle.seek(max(0, path.stat().st_size - TAIL))
                return handle.read().decode(errors="replace")
        except OSError:
            continue
    return ""


def oom_kills(root: Path = Path("/")) -> int:
    """Count the processes that the kernel has killed for lack of memory, as far as it tells."""
    groups, counts = [Path("sys/fs/cgroup/memory.events")], [0]
    try:
        for line in (root / "proc/self/cgroup").read_text().splitlines():
            _, kinds, path = line.split(":", 2)
            if not kinds:
                groups.append(Path("sys/fs/cgroup") / path.lstrip("/") / "memory.events")
            elif "memory" in kinds.split(","):
                groups.append(
                    Path("sys/fs/cgroup/memory") / path.lstrip("/") / "memory.oom_control"
                )
    except (OSError, ValueError):
        pass
    for file in [*groups, Path("proc/vmstat")]:
        try:
            lines = dict(line.split() for line in (root / file).read_text().splitlines())
            counts.append(int(lines.get("oom_kill", 0)))
        except (OSError, ValueError):
            continue
    return sum(counts)


def _started(about: Mapping[str, Any]) -> Started:
    """Read what a record of Snakemake says of a job."""
    named = [str(value) for value in dict(about.get("wildcards") or {}).values()]
    asked = getattr(about.get("resources"), "mem_mb", None)
    return Started(
        name=" ".join([about["rule_name"], *([f"({', '.join(named)})"] if named else [])]),
        rule=about["rule_name"],
        logs=tuple(map(str, about.get("log") or ())),
        memory=asked if isinstance(asked, int) else None,
        began=time.time(),
    )
