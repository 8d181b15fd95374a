"""Cost of a run of the workflow, from its benchmark files and logs."""

import re
from pathlib import Path

import pandas as pd

MIB = 1024  # KiB, the unit of `ru_maxrss` on Linux
PEAK = re.compile(r"peak memory (\d+) MiB")


def rule_costs(results: Path) -> pd.DataFrame:
    """Return the cost of every rule that ran, slowest first.

    Returns
    -------
    DataFrame
        One row per rule: `rule`, `jobs`, `wall_s` and `cpu_s` (sums over its jobs), `longest_s`,
        `peak_mib` (of its largest job; exact, from the log, since benchmark files sample memory).
    """
    rows = []
    for path in sorted((results / "benchmarks").rglob("*.tsv")):
        name = path.relative_to(results / "benchmarks").with_suffix("")
        measured = pd.read_csv(path, sep="\t", na_values="-").iloc[0]
        log = (results / "logs" / name).with_name(f"{name.name}.log")
        peaks = PEAK.findall(log.read_text(encoding="utf-8")) if log.exists() else []
        rows.append(
            {
                "rule": name.parts[0],
                "wall_s": measured["s"],
                "cpu_s": measured["cpu_time"],
                "peak_mib": float(peaks[-1]) if peaks else measured["max_rss"],
            }
        )
    table = (
        pd.DataFrame(rows)
        .groupby("rule", as_index=False)
        .agg(
            jobs=("wall_s", "size"),
            wall_s=("wall_s", "sum"),
            cpu_s=("cpu_s", "sum"),
            longest_s=("wall_s", "max"),
            peak_mib=("peak_mib", "max"),
        )
    )
    return table.sort_values("wall_s", ascending=False, ignore_index=True)
