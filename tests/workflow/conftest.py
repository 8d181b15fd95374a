"""Run the workflow as a user does, in its own folder."""

import os
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

COARSE = {"dpi": 50}  # figures of whole runs are not looked at, so they are small


@dataclass(frozen=True)
class Run:
    """A finished run of Snakemake: exit code, output, processor time in seconds."""

    code: int
    text: str
    seconds: float


# A starting process holds the open files of all threads, and HDF5's locks with them, for a moment.
STARTING = threading.Lock()


def run_snakemake(
    repository: Path,
    folder: Path,
    *arguments: str,
    snakefile: Path | None = None,
    configs: tuple[Path | str, ...] = ("config.yaml",),
    cores: int = 2,
    prefix: tuple[str, ...] = (),
) -> Run:
    """Run Snakemake in a folder."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment.pop("SNAKEMAKE_PROFILE", None)
    command = [*prefix, sys.executable, "-m", "snakemake", "--directory", str(folder)]
    command += ["--snakefile", str(snakefile or repository / "Snakefile")]
    command += ["--configfile", *map(str, configs)] if configs else []
    command += ["--workflow-profile", str(repository / "profiles" / "default")]
    with tempfile.TemporaryFile() as printed:
        with STARTING:
            process = subprocess.Popen(
                [*command, "--cores", str(cores), *arguments],
                cwd=folder,
                env=environment,
                stdout=printed,
                stderr=subprocess.STDOUT,
            )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read().decode()
    return Run(process.returncode, text, used.ru_utime + used.ru_stime)


def planned(text: str) -> dict[str, int]:
    """Parse the job table of a dry run: number of jobs by rule, without the number of its part."""
    table = text.split("Job stats:")[1].split("total")[0] if "Job stats:" in text else ""
    jobs = Counter[str]()
    for name, number in re.findall(r"^(\w+?)(?:_\d+)? +(\d+)$", table, re.M):
        jobs[name] += int(number)
    return dict(jobs)


@pytest.fixture(scope="session")
def snakemake(repository: Path) -> Callable[..., Run]:
    """Return a function that runs the workflow in a folder with its config."""

    def run(
        folder: Path, *arguments: str, more_configs: tuple[Path, ...] = (), **kwargs: Any
    ) -> Run:
        configs = (folder / "config.yaml", *more_configs)
        return run_snakemake(repository, folder, *arguments, configs=configs, **kwargs)

    return run


def write_config(folder: Path, **changes: object) -> Path:
    """Change top-level keys of a simulated cohort's config."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Simulate a tiny cohort with relative paths: three patients per arm, before and after."""
    folder = tmp_path_factory.mktemp("tiny")
    with chdir(folder):
        simulate_cohort(CohortSettings(patients_per_arm=3, cells=220, seed=3), ".")
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump({**config, "report": COARSE}, sort_keys=False))
    return folder


@pytest.fixture(scope="session")
def finished(tiny: Path, snakemake: Callable[..., Run]) -> Path:
    """Run the tiny cohort to the report."""
    run = snakemake(tiny)
    assert run.code == 0, run.text[-4000:]
    return tiny
