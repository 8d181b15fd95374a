"""The workflow on a Slurm of two nodes: tables as on one machine, also after accidents."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.same_results import differences
from tests.cluster.mini_slurm import MiniSlurm

HERE = Path(__file__).parent
Submit = Callable[..., subprocess.Popen[bytes]]


def wait_for(is_true: Callable[[], object], *, seconds: int) -> None:
    """Wait until something is true, and fail after some time."""
    end = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(1)


@pytest.fixture(scope="module")
def accidents(
    submit: Submit, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.Popen[bytes]]:
    """Start jobs that fail once while the other tests go on."""
    folder = tmp_path_factory.mktemp("accidents")
    return folder, submit(folder, "--snakefile", str(HERE / "accidents.smk"))


@pytest.fixture(scope="module")
def cohort(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the tiny cohort without results."""
    folder = tmp_path_factory.mktemp("cohort") / "run"
    leave_out = shutil.ignore_patterns("results", ".snakemake")
    return Path(shutil.copytree(tiny, folder, ignore=leave_out))


@pytest.fixture(scope="module")
def start(repository: Path, cohort: Path, submit: Submit) -> Callable[[], subprocess.Popen[bytes]]:
    """Return a function that starts the workflow on the cohort."""
    arguments = ["--snakefile", str(repository / "Snakefile"), "--configfile", "config.yaml"]
    return lambda: submit(cohort, *arguments)


@pytest.mark.usefixtures("accidents")
def test_an_interrupted_run_leaves_no_job(
    slurm: MiniSlurm, cohort: Path, start: Callable[[], subprocess.Popen[bytes]]
) -> None:
    run = start()
    of_run = f"WorkDir={cohort}"
    wait_for(lambda: slurm.running(of_run), seconds=180)
    run.send_signal(signal.SIGINT)
    assert run.wait(120) != 0
    wait_for(lambda: not slurm.running(of_run), seconds=60)


@pytest.mark.usefixtures("accidents")
def test_tables_are_those_of_a_local_run_although_a_node_fails(
    slurm: MiniSlurm,
    cohort: Path,
    finished: Path,
    start: Callable[[], subprocess.Popen[bytes]],
) -> None:
    run = start()
    embedded = cohort / "results" / "joint" / "pca.npz"
    wait_for(lambda: embedded.exists() or run.poll() is not None, seconds=900)
    (job,) = slurm.running(f"WorkDir={cohort}")
    failed = slurm.node_of(job)
    slurm.kill_node(failed)
    assert run.wait(1500) == 0, (cohort / "run.log").read_text()[-4000:]
    assert f"JobId={job} " in slurm.finished("NODE_FAIL")
    different = set(differences(finished / "results", cohort / "results", {}))
    assert different <= {"differs  provenance.json"}  # it has dates


def test_a_job_out_of_memory_or_time_is_repeated_with_more(
    slurm: MiniSlurm, accidents: tuple[Path, subprocess.Popen[bytes]]
) -> None:
    folder, run = accidents
    assert run.wait(600) == 0, (folder / "run.log").read_text()[-4000:]
    assert int((folder / "memory.txt").read_text()) == 800
    assert int((folder / "time.txt").read_text()) == 2
    assert f"WorkDir={folder}" in slurm.finished("TIMEOUT")
