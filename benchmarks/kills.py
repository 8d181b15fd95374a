"""Kill runs at moments spread over the whole workflow, run them again, and compare the tables.

`python -m benchmarks.kills FINISHED N --folder FOLDER`

FINISHED is the folder of a finished run of a small cohort, by this version of the workflow. Case i
of N starts from a copy of it without the results of all jobs from place i / N on (in the order in
which they ended) and without Snakemake's own notes, as if the run had come so far. A run is
started and killed a random time later. It is then started again at once, as a user does. All
results must be those of the finished run (`benchmarks.same_results`), no unfinished file may be
left, and a third run must have nothing to do.

What is killed, in turn:

    main        SIGKILL to Snakemake alone; its jobs stand still for 20 seconds and then go on
    all         SIGKILL to Snakemake and all its processes
    job         SIGKILL to the script of one job
    terminate   SIGTERM to Snakemake
    interrupt   SIGINT to Snakemake and all its processes, as ^C does
"""

import argparse
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from benchmarks.same_results import differences
from benchmarks.workflow import ROOT
from lammscope.core.written import RECORDS

KINDS = ("main", "all", "job", "terminate", "interrupt")
LATEST = 8.0  # seconds between the first job and the kill
PAUSE = 20.0  # seconds for which jobs stand still, so that the next run meets them
PATIENCE = 1800  # seconds that a run may take
UNFINISHED = re.compile(r"\..+-[a-z0-9_]{8}(\..*)?|\.lock.*|\..*\.json\..*")
ROW = "{:>4}  {:<9}  {:>5}  {:<28}  {:>5}  {:>7}  {:>6}  {:>10}  {:>4}  {:>6}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row per kill, and return 1 if a result differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("finished", type=Path)
    parser.add_argument("number", type=int)
    parser.add_argument("--folder", type=Path, required=True, help="for copies of the run")
    parser.add_argument("--cases", type=int, nargs="*", help="numbers of cases, from 0; else all")
    given = parser.parse_args(arguments)
    titles = ("case", "killed", "after", "running", "jobs", "waited", "rerun")
    print(ROW.format(*titles, "unfinished", "idle", "differ"))
    bad = 0
    for case in given.cases or range(given.number):
        row, is_good = one_case(given.finished, given.folder / f"case_{case}", case, given.number)
        print(ROW.format(*row), "" if is_good else "FAILED", flush=True)
        bad += not is_good
    print(f"{bad} failed")
    return int(bool(bad))


def one_case(
    finished: Path, folder: Path, case: int, number: int
) -> tuple[tuple[object, ...], bool]:
    """Kill a run and compare what the next one gives; the folder stays only if they differ."""
    kind, chance = KINDS[case % len(KINDS)], random.Random(case)
    copy_run(finished, folder)
    n_jobs = take_back(folder / "results", case / number)
    after = chance.uniform(0.2, min(LATEST, n_jobs))
    running, was_killed = kill_run(folder, kind, after=after, chance=chance)
    start = time.monotonic()
    text, code = run(folder)
    seconds = time.monotonic() - start
    idle, _ = run(folder)
    names = [path.name for path in (folder / "results").rglob(".*")]
    unfinished = sum(UNFINISHED.fullmatch(name) is not None for name in names)
    lines = compared(finished, folder)
    is_idle = "Nothing to be done" in idle
    is_good = was_killed and not code and not unfinished and not lines and is_idle
    (folder / "rerun.log").write_text(text + idle + "\n".join(lines))
    if is_good:
        shutil.rmtree(folder)
    waited = "yes" if "jobs of an earlier run" in text else "no"
    shown = (f"{after:.1f}", running[:28] or "-", n_jobs, waited, f"{seconds:.0f}")
    return (case, kind, *shown, unfinished, "yes" if is_idle else "no", len(lines)), is_good


def copy_run(finished: Path, folder: Path) -> Path:
    """Copy a run without Snakemake's own notes; an older copy is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    ignored = shutil.ignore_patterns(".snakemake")
    return Path(shutil.copytree(finished, folder, ignore=ignored, symlinks=True))


def compared(finished: Path, folder: Path) -> list[str]:
    """Name the results that are not those of another run; `provenance.json` has times."""
    lines = differences(finished / "results", folder / "results", {})
    return [line for line in lines if "provenance.json" not in line]


def take_back(results: Path, share: float) -> int:
    """Remove the results of the jobs that ended last, and return how many jobs that are."""
    found = (results / RECORDS).rglob("*.json")
    records = sorted(found, key=lambda path: path.stat().st_mtime_ns)
    removed = records[int(share * len(records)) :]
    for record in removed:
        for name in json.loads(record.read_text())["files"]:
            (results / name).unlink(missing_ok=True)
        record.unlink()
    if not removed:
        raise SystemExit(f"{results}: no records of jobs to take back")
    return len(removed)


def kill_run(folder: Path, kind: str, *, after: float, chance: random.Random) -> tuple[str, bool]:
    """Start a run and kill it some seconds after its first job began.

    Returns the names of the jobs that ran, and whether the run did not end well by itself.
    """
    with (folder / "killed.log").open("w") as log:
        process = subprocess.Popen(
            command(folder),
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # A program that was started in the background ignores it, and so do its children.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
        own = psutil.Process(process.pid)
        while process.poll() is None and not scripts(own):
            time.sleep(0.05)
        time.sleep(after)
        while kind == "job" and process.poll() is None and not scripts(own):
            time.sleep(0.05)
        children = list(processes(own))
        running = scripts(own)
        names = sorted(map(rule_of, running))
        if kind == "job" and running:
            send([chance.choice(running)], signal.SIGKILL)
        how = {"terminate": signal.SIGTERM, "interrupt": signal.SIGINT}.get(kind, signal.SIGKILL)
        if kind != "job":
            send([own, *(children if kind in ("all", "interrupt") else [])], how)
        if kind == "main":
            send(running, signal.SIGSTOP)
            threading.Timer(PAUSE, send, (running, signal.SIGCONT)).start()
        process.wait(PATIENCE)
    return " ".join(names), process.returncode != 0


def send(targets: Sequence[psutil.Process], how: signal.Signals) -> None:
    """Send a signal to those processes that have not ended."""
    for each in targets:
        with suppress(psutil.NoSuchProcess):
            each.send_signal(how)


def processes(own: psutil.Process) -> Iterator[psutil.Process]:
    """Yield all processes that a process has started."""
    try:
        yield from own.children(recursive=True)
    except psutil.NoSuchProcess:
        return


def scripts(own: psutil.Process) -> list[psutil.Process]:
    """Return the processes that run the script of a job."""
    return [each for each in processes(own) if rule_of(each)]


def rule_of(process: psutil.Process) -> str:
    """Return the name of the script that a process runs, as Snakemake copies it; or nothing."""
    try:
        words = process.cmdline()
    except psutil.Error:
        return ""
    found = re.search(r"\.snakemake/scripts/.*\.(\w+)\.py$", words[-1] if words else "")
    return found[1] if found and "python" in words[0] else ""


def run(folder: Path, *arguments: str) -> tuple[str, int]:
    """Run the workflow, and return what it prints and its exit code."""
    done = subprocess.run(
        [*command(folder), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return done.stdout, done.returncode


def command(folder: Path) -> list[str]:
    """Return the command line of a run in a folder."""
    base = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    base += ["--directory", str(folder), "--configfile", str(folder / "config.yaml")]
    base += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--cores", "2"]
    return [*base, "--rerun-triggers", "params", "input", "software-env"]


if __name__ == "__main__":
    raise SystemExit(main())
