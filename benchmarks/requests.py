"""What the rules ask for, beside what they used: `python -m benchmarks.requests FOLDER`.

FOLDER is where a run has finished, with its config file (`--configfile`) and `results`. A dry run
of all jobs says what each one asks for, now that all inputs exist; its log says what it used. The
table has the largest job of each rule:

    asked_mb    memory that the rule asks for
    minutes     run time that it asks for
    used_s      seconds that it took
    used_mb     peak memory of its process
    ratio       asked / used
    in_slurm    asked / (used + 125), since Snakemake itself runs in each job of a cluster

The exit status is 1 if a rule that uses more than 200 MB asks for less than 1.2 times what it used
in Slurm, or more than 3 times what it used, or if a job took more than half of its time.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from benchmarks.measures import SPENT
from benchmarks.workflow import ROOT

SNAKEMAKE = 125  # MB of the process of Snakemake that starts a script in a job of a cluster
LARGE = 200  # MB: the memory of smaller jobs is that of their libraries
LOWEST, HIGHEST = 1.2, 3.0
JOB = re.compile(r"^ +benchmark: (\S+)\n(?: +.*\n)*? +resources: (.*)$", re.MULTILINE)


def requests(folder: Path, config: str) -> Iterator[tuple[Path, int, int]]:
    """Yield the benchmark file of each job, with the memory and the minutes that it asks for."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), "--configfile", config]
    command += ["--dry-run", "--forceall", "--printshellcmds", "--cores", "2"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stdout[-4000:] + done.stderr[-4000:])
    for benchmark, resources in JOB.findall(done.stdout + done.stderr):
        asked = dict(re.findall(r"(mem_mb|runtime)=(\d+)", resources))
        yield folder / benchmark, int(asked["mem_mb"]), int(asked["runtime"])


def used(benchmark: Path) -> tuple[float, float, float]:
    """Return the seconds of a job, and its peak memory, sampled and by its own log."""
    table = pd.read_csv(benchmark, sep="\t", na_values="-").iloc[0]
    name = str(benchmark).replace("/benchmarks/", "/logs/", 1).removesuffix(".tsv")
    log = Path(f"{name}.log")
    found = SPENT.findall(log.read_text(encoding="utf-8")) if log.exists() else []
    return float(table["s"]), float(table["max_rss"]), float(found[-1][2] if found else "nan")


def compare(folder: Path, config: str) -> pd.DataFrame:
    """Return one row per rule: the job that used the most memory.

    Samples miss the peak of short jobs. A log has the peak, but none below that of the process of
    Snakemake that started the job, which is the smallest one of all logs.
    """
    rows = []
    for benchmark, asked, minutes in requests(folder, config):
        if benchmark.exists():
            nested = benchmark.parent.name != "benchmarks"
            rule = benchmark.parent.name if nested else benchmark.stem
            rows.append((rule, asked, minutes, *used(benchmark)))
    columns = ["rule", "asked_mb", "minutes", "used_s", "sampled", "logged"]
    table = pd.DataFrame(rows, columns=columns)
    is_known = table["logged"] > 1.05 * table["logged"].min()
    peak = table["sampled"].where(~is_known, table[["sampled", "logged"]].max(axis=1))
    table = table.drop(columns=["sampled", "logged"]).assign(
        used_mb=peak.round(),
        ratio=table["asked_mb"] / peak,
        in_slurm=table["asked_mb"] / (peak + SNAKEMAKE),
    )
    largest = table.sort_values("used_mb", ascending=False).drop_duplicates("rule")
    return largest.reset_index(drop=True)


def missed(table: pd.DataFrame) -> pd.Series:
    """Say which rules ask for too little or too much."""
    outside = (table["in_slurm"] < LOWEST) | (table["ratio"] > HIGHEST)
    return (table["used_mb"] > LARGE) & outside | (table["used_s"] > 30 * table["minutes"])


def main() -> int:
    """Print the table and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder of a finished run")
    parser.add_argument("--configfile", default="config.yaml", help="its config, in the folder")
    given = parser.parse_args()
    table = compare(given.folder.resolve(), given.configfile)
    bad = missed(table)
    shown = table.assign(missed=bad.map({True: "x", False: ""}))
    print(shown.to_string(index=False, float_format="%.2f"))
    n_large = int((table["used_mb"] > LARGE).sum())
    print(f"{n_large} rules used over {LARGE} MB; {int(bad.sum())} rules miss")
    return int(bad.any())


if __name__ == "__main__":
    raise SystemExit(main())
