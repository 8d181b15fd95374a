"""Runs whose disk fills up: `python -m benchmarks.full_disks FINISHED --work FOLDER` (as root).

`FINISHED` is a folder with the config, the sheets, the matrices and the results of a finished run
of this version, with relative paths. Of each case the folder is copied, and its results (or all of
it) to a small disk in memory (tmpfs, hence root). What a stage and later ones wrote is deleted, and
the disk has a few MiB more than the rest needs. The run must end with an exit code other than 0,
and its last lines must name the full disk. Then space is freed and the run is repeated: its results
must equal those of the finished run. Prints a line per case; the exit status is 1 if one failed.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.same_results import differences
from lammscope.core.resources import HOME

MIB = 2**20
FREED = 2000  # MiB of the disk when space was freed
COLUMNS = ("case", "free MiB", "stopped after s", "exit", "failed", "files differ", "ok")
NAMED = re.compile(r"the disk of .* is full")
FAILED = re.compile(r"^  (\w+)(?: \([^)]*\))? (?:failed|ended|was|crashed)", re.M)
NOT_COMPARED = "provenance.json"  # has the times of runs


class Case(NamedTuple):
    """A place where the disk fills up.

    Attributes
    ----------
    first
        A result; it and all that were written later are deleted before the run.
    free
        MiB that the disk has more than what is left needs.
    whole
        Whether the folder of the run lies on that disk, and not only the results.
    """

    first: str
    free: float
    whole: bool = False


CASES = {
    "matrices, at once": Case("shards/P01_baseline.h5ad", 0.0),
    "matrices": Case("shards/P01_baseline.h5ad", 12.0),
    "genes": Case("joint/hvg/001.npz", 1.0),
    "embedding": Case("joint/pca.npz", 0.5),
    "folder of the run": Case("joint/lamm_kept.tsv", 1.0, whole=True),
    "sums": Case("annotation/sums/001.npz", 40.0),
    "calls": Case("annotation/t_states.parquet", 0.1),
    "expression": Case("expression/pseudobulk.h5ad", 6.0),
    "pairs": Case("axis/pairs.on_treatment.tsv", 0.2),
    "cohort.h5ad": Case("cohort.h5ad", 9.0),
    "figures": Case("figures/baseline/volcano.pdf", 0.3),
    "report": Case("report.html", 1.0),
}


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk in memory at a folder; it has plenty of space at first."""
    command = ["mount", "-t", "tmpfs", "-o", f"size={FREED}m", "tmpfs", str(folder)]
    subprocess.run(command, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(folder: Path, size: float) -> None:
    """Give a mounted disk a size in MiB."""
    options = f"remount,size={max(4, round(1024 * size))}k"
    subprocess.run(["mount", "-o", options, str(folder)], check=True)


def used(folder: Path) -> float:
    """Return how many MiB of a disk are in use."""
    state = os.statvfs(folder)
    return (state.f_blocks - state.f_bfree) * state.f_frsize / MIB


def delete_later(results: Path, first: str) -> None:
    """Delete a result and all that were written later; logs and times of jobs stay."""
    since = (results / first).stat().st_mtime
    kept = {"logs", "benchmarks"}
    for path in [path for path in results.rglob("*") if path.is_file()]:
        if path.relative_to(results).parts[0] not in kept and path.stat().st_mtime >= since:
            path.unlink()


def run(folder: Path, cores: int) -> tuple[int, str, float]:
    """Run the workflow in a folder; return exit code, output and seconds."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(HOME / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", str(cores)]
    command += ["--workflow-profile", str(HOME / "profiles" / "default")]
    start = time.monotonic()
    paths = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": paths},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout, time.monotonic() - start


def try_case(name: str, *, finished: Path, work: Path, cores: int) -> tuple[object, ...]:
    """Run a case, and return its line of the table."""
    case, folder = CASES[name], work / re.sub(r"\W+", "_", name)
    disk = folder if case.whole else folder / "results"
    disk.mkdir(parents=True)
    with small_disk(disk):
        shutil.copytree(finished, folder, dirs_exist_ok=True, symlinks=True)
        delete_later(folder / "results", case.first)
        resize(disk, used(disk) + case.free)
        code, text, seconds = run(folder, cores)
        last = text[text.rfind("\nlammscope: ") :]
        (work / f"{folder.name}.first.log").write_text(text, encoding="utf-8")
        resize(disk, FREED)
        again, text, _ = run(folder, cores)
        (work / f"{folder.name}.again.log").write_text(text, encoding="utf-8")
        found = differences(finished / "results", folder / "results", {})
        differ = [line for line in found if not line.endswith(f"  {NOT_COMPARED}")]
    shutil.rmtree(folder)
    failed = ", ".join(FAILED.findall(last)) or "Snakemake"
    ok = code not in (0, None) and bool(NAMED.search(last)) and again == 0 and not differ
    print(*differ, sep="\n", file=sys.stderr)
    return name, case.free, round(seconds), code, failed, len(differ), "yes" if ok else "NO"


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("finished", type=Path, help="folder of a finished run")
    parser.add_argument("--work", type=Path, required=True, help="folder for copies and logs")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--case", choices=CASES, action="append", help="some cases, not all")
    given = parser.parse_args()
    print(*COLUMNS, sep="\t", flush=True)
    is_ok = True
    for name in given.case or CASES:
        line = try_case(
            name, finished=given.finished.absolute(), work=given.work, cores=given.cores
        )
        print(*line, sep="\t", flush=True)
        is_ok = is_ok and line[-1] == "yes"
    return int(not is_ok)


if __name__ == "__main__":
    raise SystemExit(main())
