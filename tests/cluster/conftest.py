"""A Slurm of two nodes for all tests of this folder, and runs of Snakemake on it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.cluster.mini_slurm import MiniSlurm, why_not
from tests.workflow.conftest import finished, snakemake, tiny

__all__ = ["finished", "snakemake", "tiny"]
# Without waiting for slow disks or for a database of accounts, which this Slurm does not have.
QUICK = ["--cores=2", "--latency-wait=5", "--seconds-between-status-checks=2"]
QUICK += ["--slurm-init-seconds-before-status-checks=2", "--slurm-status-command=squeue"]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniSlurm]:
    """Start a Slurm of two nodes; `LAMMSCOPE_SLURM=required` forbids to skip its tests."""
    plugin = find_spec("snakemake_executor_plugin_slurm")
    reason = why_not() if plugin else "the executor plugin is missing: make setup-slurm"
    if reason:
        assert os.environ.get("LAMMSCOPE_SLURM") != "required", reason
        pytest.skip(reason)
    cluster = MiniSlurm(tmp_path_factory.mktemp("slurm"), nodes=2)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def submit(repository: Path, slurm: MiniSlurm) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Return a function that starts Snakemake in a folder, whose jobs Slurm runs.

    What it prints is in `run.log` of the folder. Runs that are left at the end are killed.
    """
    runs: list[subprocess.Popen[bytes]] = []

    def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "snakemake", "--directory", str(folder)]
        command += ["--profile", str(repository / "profiles" / "slurm"), *QUICK, *arguments]
        search = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        with (folder / "run.log").open("ab") as log:
            run = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "PATH": search},
                stdout=log,
                stderr=subprocess.STDOUT,
                # If the tests run in the background, they and their children ignore it.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            )
        runs.append(run)
        return run

    yield start
    for run in runs:
        run.kill()
