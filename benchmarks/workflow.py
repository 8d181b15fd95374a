"""Run the workflow in its own folder."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


def run_workflow(
    folder: Path, config: dict[str, object], *, targets: Sequence[str], cores: int
) -> float:
    """Run the workflow from matrices to targets (none: all), and return the seconds.

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
    start = time.perf_counter()
    with (folder / "log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            [*command, "--cores", str(cores), *targets],
            cwd=folder,
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        sys.exit((folder / "log").read_text(encoding="utf-8")[-4000:])
    return time.perf_counter() - start
