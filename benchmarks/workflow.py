"""Run the workflow in its own folder, and measure the time of a program."""

import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Time:
    """Seconds of a block: on the clock, and of processors in the programs that it ran."""

    wall: float = 0.0
    processor: float = 0.0


@contextmanager
def measured() -> Iterator[Time]:
    """Measure the programs that a block runs and waits for, with all their own."""
    spent = Time()
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    yield spent
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent.wall = time.perf_counter() - start
    spent.processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run_workflow(
    folder: Path, config: dict[str, object], *, targets: Sequence[str], cores: int
) -> Time:
    """Run the workflow from matrices to targets (none: all), and return the time it takes.

    The output of Snakemake goes to `folder/log`. The program exits if the run fails, or if the
    folder has results of another run.
    """
    if (folder / "results").exists():
        raise SystemExit(f"{folder / 'results'} exists from another run: remove it")
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--directory", str(folder), "--configfile", str(file)]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default")]
    with measured() as spent, (folder / "log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, "--cores", str(cores), *targets],
            cwd=folder,
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        sys.exit((folder / "log").read_text(encoding="utf-8")[-4000:])
    return spent
