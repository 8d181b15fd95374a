"""Cost of a cohort of a given size by rule, and of a scanpy script that does the same.

    python -m benchmarks.scale [--cells N] [--samples N] [--to report] [--reference] [--work FOLDER]

Simulates a cohort (kept in FOLDER, so that a second run uses the same one), runs the workflow from
its matrices, and prints wall time, processor time and peak memory per rule. `--reference` then runs
`benchmarks.scanpy_reference` on the same matrices.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import yaml

from benchmarks.measures import rule_costs
from benchmarks.workflow import ROOT, run_workflow
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

JOINT = [
    f"results/joint/{name}"
    for name in ("clusters.parquet", "umap.npz", "stability.tsv", "integration_scores.tsv")
]
TARGETS = {
    "joint": [*JOINT, "results/annotation/markers.tsv"],
    "pseudobulk": [
        *(*JOINT, "results/annotation/markers.tsv"),
        "results/expression/pseudobulk.h5ad",
    ],
    "report": [],
}


def make_cohort(folder: Path, *, cells: int, samples: int, threads: int) -> None:
    """Simulate a cohort of about this size, unless the folder has one."""
    settings = CohortSettings(patients_per_arm=samples // 4, cells=round(cells / samples))
    if not (folder / "cohort" / "config.yaml").exists():
        simulate_cohort(settings, folder / "cohort", threads=threads)


def cohort_config(folder: Path, **changed: object) -> dict[str, object]:
    """Return the config of the simulated cohort with some keys changed."""
    text = (folder / "cohort" / "config.yaml").read_text(encoding="utf-8")
    config: dict[str, object] = yaml.safe_load(text)
    return config | changed


def machine() -> str:
    """Describe the processor, the usable cores and the memory."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].split(":")[1].strip() if models else name
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{len(os.sched_getaffinity(0))} cores of {name}, {memory:.0f} GiB"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=6400, help="healthy cells of the cohort")
    parser.add_argument("--samples", type=int, help="default: the demo's 16, or one per 2,083")
    parser.add_argument("--to", choices=TARGETS, default="report", help="how far to run")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--method", default="harmony", help="integration.method")
    parser.add_argument("--reference", action="store_true", help="also time a scanpy script")
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    given = parser.parse_args(arguments)
    samples = given.samples or max(16, 4 * round(given.cells / 2083 / 4))
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        make_cohort(folder, cells=given.cells, samples=samples, threads=given.cores)
        config = cohort_config(folder, integration={"method": given.method})
        seconds = run_workflow(folder, config, targets=TARGETS[given.to], cores=given.cores)
        kept = len(pd.read_parquet(folder / "results/joint/cells.parquet", columns=["cell"]))
        costs = rule_costs(folder / "results")
        print(f"{machine()}; {samples} samples, {kept:,} cells kept; to: {given.to}")
        print(costs.round(1).to_string(index=False))
        print(
            f"workflow {seconds:.0f} s on {given.cores} cores, {1e3 * seconds / kept:.2f} ms per "
            f"cell, largest job {costs['peak_mib'].max():.0f} MiB",
            flush=True,
        )
        if given.reference:
            command = [sys.executable, "-m", "benchmarks.scanpy_reference"]
            command += [str(folder / "cohort" / "samples.tsv"), "--threads", str(given.cores)]
            start = time.perf_counter()
            subprocess.run(command, cwd=ROOT, check=True)
            other = time.perf_counter() - start
            print(f"scanpy script {other:.0f} s, {other / seconds:.1f} times the workflow")


if __name__ == "__main__":
    main()
