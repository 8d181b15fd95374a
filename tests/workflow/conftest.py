"""Run the workflow as a user does, in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lammscope.cohorts import CohortSettings
from lammscope.simulate import simulate_cohort


@dataclass(frozen=True)
class Run:
    """What a run of Snakemake came to."""

    code: int
    text: str


@pytest.fixture(scope="session")
def snakemake(repository) -> Callable[..., Run]:
    """Run Snakemake with a config in a folder; give exit code and everything printed."""

    def run(
        folder: Path,
        *arguments: str,
        config: str = "config.yaml",
        more_configs: tuple[Path, ...] = (),
        cores: int = 2,
    ) -> Run:
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        environment.pop("SNAKEMAKE_PROFILE", None)
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(repository / "Snakefile")]
        command += ["--directory", str(folder), "--configfile", str(folder / config)]
        command += [str(path) for path in more_configs]
        command += ["--workflow-profile", str(repository / "profiles" / "default")]
        done = subprocess.run(
            [*command, "--cores", str(cores), *arguments],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout + done.stderr)

    return run


def write_config(folder: Path, **changes: object) -> Path:
    """Change top-level keys of a simulated cohort's config."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **changes}))
    return path


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """A folder with a tiny simulated cohort: three patients per arm, before and after infusion."""
    folder = tmp_path_factory.mktemp("tiny")
    simulate_cohort(CohortSettings(patients_per_arm=3, cells=220, seed=3), folder)
    return folder


@pytest.fixture(scope="session")
def finished(tiny, snakemake) -> Path:
    """The tiny cohort, run to the report."""
    run = snakemake(tiny)
    assert run.code == 0, run.text[-4000:]
    return tiny
