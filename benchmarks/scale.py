"""Cost of a cohort of a given size by rule, and of scripts of other packages that do the same.

    python -m benchmarks.scale [--cells N] [--samples N] [--to report] [--reference]
        [--pegasus PYTHON] [--repeats N] [--work FOLDER]

Simulates a cohort (kept in FOLDER, so that a second run uses the same one), runs the workflow from
its matrices, and prints wall time, processor time and peak memory per rule. `--reference` then runs
`benchmarks.scanpy_reference` on the same matrices, and `--pegasus` `benchmarks.pegasus_reference`
with the Python of its own environment (`benchmarks/peers.txt` pins the versions). With `--repeats`,
all take turns, and medians are printed.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd
import yaml

from benchmarks.measures import rule_costs
from benchmarks.workflow import ROOT, Time, measured, run_workflow
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

# Digests of the scripts of other packages, so that times of different versions are comparable.
FROZEN = {
    "scanpy_reference.py": "0e59f10313e6f9db763aee0b4149101c7e545c3f1490baa62fa1146ffca3e248",
    "pegasus_reference.py": "ab20863648c1d0f0cb5632596235d166e25480e1cf7f1e161034dae858c56ed3",
}
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
    parser.add_argument("--pegasus", metavar="PYTHON", help="also time a pegasus script")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each, in turn")
    given = parser.parse_args(arguments)
    samples = given.samples or max(16, 4 * round(given.cells / 2083 / 4))
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        make_cohort(folder, cells=given.cells, samples=samples, threads=given.cores)
        config = cohort_config(folder, integration={"method": given.method})
        pythons = {"scanpy": sys.executable} if given.reference else {}
        pythons |= {"pegasus": given.pegasus} if given.pegasus else {}
        times: dict[str, list[Time]] = {"workflow": [], **{name: [] for name in pythons}}
        for _ in range(given.repeats):
            shutil.rmtree(folder / "results", ignore_errors=True)
            times["workflow"].append(
                run_workflow(folder, config, targets=TARGETS[given.to], cores=given.cores)
            )
            for name, python in pythons.items():
                times[name].append(_run_peer(name, python, folder, threads=given.cores))
        kept = len(pd.read_parquet(folder / "results/joint/cells.parquet", columns=["cell"]))
        costs = rule_costs(folder / "results")
        print(f"{machine()}; {samples} samples, {kept:,} cells kept; to: {given.to}")
        print(costs.round(1).to_string(index=False))
        total, begun = costs["cpu_s"].sum(), costs["start_s"].sum()
        print(
            f"jobs {total:.0f} s of processor time, {total - begun:.0f} s without their starts; ",
            end="",
        )
        print(f"largest job {costs['peak_mib'].max():.0f} MiB")
        print(_compared(times, n_cells=kept).to_string(index=False), flush=True)


def _run_peer(name: str, python: str, folder: Path, *, threads: int) -> Time:
    """Time the script of another package on the same matrices, with as many threads as cores."""
    module = f"benchmarks.{name}_reference"
    command = [python, "-m", module, str(folder / "cohort" / "samples.tsv")]
    counts = {f"{library}_NUM_THREADS": str(threads) for library in ("OMP", "OPENBLAS", "NUMBA")}
    with measured() as spent:
        subprocess.run(
            [*command, "--threads", str(threads)], cwd=ROOT, check=True, env=os.environ | counts
        )
    return spent


def _compared(times: Mapping[str, Sequence[Time]], *, n_cells: int) -> pd.DataFrame:
    """Tabulate medians of wall and processor time, and their ratios to the workflow's."""
    rows = [
        {
            "program": name,
            "runs": len(runs),
            "wall_s": median(run.wall for run in runs),
            "cpu_s": median(run.processor for run in runs),
        }
        for name, runs in times.items()
    ]
    table = pd.DataFrame(rows)
    for column in ("wall", "cpu"):
        table[f"{column}_ratio"] = (table[f"{column}_s"] / table[f"{column}_s"].iloc[0]).round(2)
    table["cpu_ms_a_cell"] = (1e3 * table["cpu_s"] / n_cells).round(2)
    return table.round({"wall_s": 1, "cpu_s": 1})


if __name__ == "__main__":
    main()
