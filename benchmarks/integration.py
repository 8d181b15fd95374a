"""Test whether strong batch effects are removed and a population of two patients is kept.

    python -m benchmarks.integration [method ...] [--work FOLDER] [--cores N]

Simulates a cohort whose libraries differ twice as much as in the demo, removes one population from
all patients but two, runs the workflow up to the clusters with each method, and compares clusters
with the true types (adjusted Rand index). The exit status is 1 if a limit is missed.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.metrics import adjusted_rand_score

from benchmarks.scale import TARGETS, cohort_config
from benchmarks.workflow import run_workflow
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

RARE, KEEPERS = "pDC", ("P01", "P02")
SETTINGS = CohortSettings(patients_per_arm=4, cells=600, batch_strength=0.5, seed=21)
LOWEST = 0.9  # adjusted Rand index
OWN = 0.8  # fraction of the population in one cluster, and of that cluster in the population


def make_cohort(folder: Path, *, threads: int) -> pd.DataFrame:
    """Simulate the cohort, list the barcodes without the population, and return the truth."""
    cohort = simulate_cohort(SETTINGS, folder / "cohort", threads=threads)
    truth = cohort.cells
    taken_out = (truth["cell_type"] == RARE) & ~truth["sample"].str.startswith(KEEPERS)
    samples = cohort.samples.assign(barcodes="")
    for row in samples.index:
        name = str(samples.at[row, "sample"])
        path = folder / "cohort" / f"{name}.barcodes.txt"
        own = truth.loc[(truth["sample"] == name) & ~taken_out, "barcode"]
        path.write_text("\n".join(own) + "\n")
        samples.loc[row, "barcodes"] = str(path)
    samples.to_csv(folder / "cohort" / "samples.tsv", sep="\t", index=False)
    truth["cell"] = truth["sample"] + "_" + truth["barcode"]
    return truth[~truth["is_doublet"]].set_index("cell")


def compare(folder: Path, truth: pd.DataFrame) -> tuple[float, float, float]:
    """Return the adjusted Rand index, and recall and precision of the population's cluster."""
    clusters = pd.read_parquet(folder / "results" / "joint" / "clusters.parquet")
    both = clusters.join(truth["cell_type"], on="cell", how="inner")
    index = adjusted_rand_score(both["cell_type"], both["cluster"])
    table: Any = pd.crosstab(both["cluster"], both["cell_type"])
    best = table[RARE].idxmax()
    there = table.loc[best, RARE]
    return float(index), there / table[RARE].sum(), there / table.loc[best].sum()


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("methods", nargs="*", default=["none", "harmony", "scvi"])
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    given = parser.parse_args(arguments)
    missed = False
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve()
        truth = make_cohort(folder, threads=given.cores)
        for method in given.methods:
            run = folder / method
            run.mkdir(exist_ok=True)
            if not (run / "cohort").exists():
                (run / "cohort").symlink_to(folder / "cohort")
            config = cohort_config(run, integration={"method": method, "candidates": []})
            spent = run_workflow(run, config, targets=TARGETS["joint"], cores=given.cores)
            index, recall, purity = compare(run, truth)
            kept = index >= LOWEST and min(recall, purity) >= OWN
            missed |= not kept and method != "none"
            print(
                f"{method:8s} adjusted Rand index {index:.3f}; {RARE} in one cluster "
                f"{recall:.2f}, share of that cluster {purity:.2f}; {spent.wall:.0f} s",
                flush=True,
            )
            scores = pd.read_csv(run / "results/joint/integration_scores.tsv", sep="\t")
            print(scores.round(3).to_string(index=False))
    sys.exit(int(missed))


if __name__ == "__main__":
    main()
