"""Cost of a run of the workflow, from its benchmark files and logs."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

MIB = 1024  # KiB, the unit of `ru_maxrss` on Linux
SPENT = re.compile(r"processor time ([\d.]+) s \(([\d.]+) s to start\), peak memory (\d+) MiB")


def rule_costs(results: Path) -> pd.DataFrame:
    """Return the cost of every rule that ran, slowest first.

    Returns
    -------
    DataFrame
        One row per rule: `rule`, `jobs`, `wall_s`, `cpu_s` and `start_s` (sums over its jobs; the
        latter is processor time until the imports are done), `longest_s`,
        `peak_mib` (of its largest job). Processor time and memory are from the log of each job: the
        files of Snakemake's benchmarks sample them, and miss what a short job does last.
    """
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        name = path.relative_to(results / "benchmarks").with_suffix("")
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        log = (results / "logs" / name).with_name(f"{name.name}.log")
        found = SPENT.findall(log.read_text(encoding="utf-8")) if log.exists() else []
        unknown = (measured["cpu_time"], np.nan, measured["max_rss"])
        cpu, begun, peak = map(float, found[-1]) if found else unknown
        rows.append(
            {
                "rule": name.parts[0],
                "wall_s": measured["s"],
                "cpu_s": cpu,
                "start_s": begun,
                "peak_mib": peak,
            }
        )
    table = (
        pd.DataFrame(rows)
        .groupby("rule", as_index=False)
        .agg(
            jobs=("wall_s", "size"),
            wall_s=("wall_s", "sum"),
            cpu_s=("cpu_s", "sum"),
            start_s=("start_s", "sum"),
            longest_s=("wall_s", "max"),
            peak_mib=("peak_mib", "max"),
        )
    )
    return table.sort_values("wall_s", ascending=False, ignore_index=True)
