"""What decides how long a run takes: the chain of jobs up to its end, and idle cores by stage.

    python -m benchmarks.critical_path RUN/.snakemake/log/NAME.snakemake.log [--plot path.png]

Reads the start, end, inputs and outputs of each job from Snakemake's log, to the second. Going back
from the job that ended last, the one before is the last to end of those whose files a job reads.
If a job started later than that, it waited for cores: the one before is then the last job that
ended before its start.
"""

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from lammscope.joint.integration import METHODS

RULES = Path(__file__).resolve().parents[1] / "workflow" / "rules"
TIME = re.compile(r"\[(\w{3} \w{3} +\d+ \d\d:\d\d:\d\d \d{4})\]")
START = re.compile(r"(?:local)?(?:rule|checkpoint) (\w+):")
FIELD = re.compile(r"    (\w+): (.*)")
END = re.compile(r"Finished jobid: (\d+)")
CORES = re.compile(r"Provided cores: (\d+)")
SLACK = 2  # seconds between the end of a job and the start of the next that need no explanation


@dataclass
class Job:
    """A job of a run; times are in seconds of the clock, NaN if it did not end."""

    rule: str
    start: float
    end: float = float("nan")
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def threads(self) -> int:
        """The cores that the job has."""
        return int(self.fields.get("threads", 1))

    def files(self, of: str) -> set[str]:
        """Return the paths of its `input` or `output`."""
        return {path for path in self.fields.get(of, "").split(", ") if path}


def read_log(path: str | Path) -> tuple[list[Job], int]:
    """Read the jobs that ended, in the order of their start, and the number of cores."""
    text = Path(path).read_text(encoding="utf-8")
    now, current = 0.0, None
    jobs: list[Job] = []
    by_id: dict[str, Job] = {}
    for line in text.splitlines():
        if found := TIME.fullmatch(line):
            now, current = datetime.strptime(found[1], "%a %b %d %H:%M:%S %Y").timestamp(), None
        elif found := START.fullmatch(line):
            current = Job(found[1], now)
            jobs.append(current)
        elif current and (found := FIELD.match(line)):
            current.fields[found[1]] = found[2]
            by_id[current.fields.get("jobid", "")] = current
        elif found := END.match(line):
            by_id.get(found[1], Job("", now)).end = now
    cores = CORES.search(text)
    return [job for job in jobs if job.end >= job.start], int(cores[1]) if cores else 1


def chain(jobs: Sequence[Job]) -> list[tuple[Job, float]]:
    """List the jobs that decided about the end of a run, each with its wait for cores (seconds)."""
    maker = {path: job for job in jobs for path in job.files("output")}
    job = max(jobs, key=lambda each: each.end)
    found = []
    while True:
        needed = [maker[path] for path in job.files("input") if path in maker]
        ready = max(needed, key=lambda each: each.end, default=None)
        wait = job.start - (ready.end if ready else min(each.start for each in jobs))
        found.append((job, max(wait, 0.0)))
        if wait > SLACK:
            earlier = [each for each in jobs if each.end <= job.start and each.start < job.start]
            ready = max(earlier, key=lambda each: each.end, default=None)
        if ready is None:
            return found[::-1]
        job = ready


def stages() -> dict[str, str]:
    """Return the stage of each rule: the name of the file that has it."""
    found = {
        name: path.stem
        for path in sorted(RULES.glob("*.smk"))
        for name in re.findall(r"^rule (\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    return found | {f"integrate_{method}": "joint" for method in METHODS}


def busy_cores(jobs: Sequence[Job], cores: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the starts of intervals in which the same jobs run, and the busy cores in each."""
    times = np.unique([time for job in jobs for time in (job.start, job.end)])
    busy = np.zeros(len(times), dtype=int)
    for job in jobs:
        busy[(times >= job.start) & (times < job.end)] += job.threads
    return times, np.minimum(busy, cores)


def by_stage(jobs: Sequence[Job], cores: int) -> pd.DataFrame:
    """Sum by stage: seconds of jobs, core seconds idle while they ran, and seconds in the chain.

    Idle core seconds are divided among the stages of the jobs that run at the time.
    """
    stage_of = stages()
    names = [stage_of.get(job.rule, "") for job in jobs]
    table = pd.DataFrame({"stage": names, "jobs": 1, "seconds": [j.end - j.start for j in jobs]})
    times, busy = busy_cores(jobs, cores)
    idle = np.zeros(len(jobs))
    for start, end, n_busy in zip(times[:-1], times[1:], busy[:-1], strict=True):
        running = [i for i, job in enumerate(jobs) if job.start <= start < job.end]
        idle[running] += (end - start) * (cores - n_busy) / max(len(running), 1)
    table["idle"] = idle
    inside = {id(job) for job, _ in chain(jobs)}
    of_chain = np.array([id(job) in inside for job in jobs])
    table["in_chain"] = table["seconds"] * of_chain
    return table.groupby("stage", sort=False).sum().round(1)


def plot(jobs: Sequence[Job], cores: int, path: str | Path) -> None:
    """Draw the jobs of the chain, and the busy cores, over time."""
    first = min(job.start for job in jobs)
    links = chain(jobs)
    figure, (above, below) = plt.subplots(
        2,
        figsize=(9, 1.5 + 0.2 * len(links)),
        sharex=True,
        height_ratios=[len(links) + 1, 4],
        layout="constrained",
    )
    above.margins(y=0.01)
    for row, (job, wait) in enumerate(links):
        above.barh(row, job.end - job.start, left=job.start - first, color="tab:blue")
        above.barh(row, wait, left=job.start - wait - first, color="lightgray")
    above.set_yticks(range(len(links)), [job.rule for job, _ in links], fontsize=6)
    above.invert_yaxis()
    times, busy = busy_cores(jobs, cores)
    below.step(times - first, busy, where="post")
    below.set(xlabel="seconds", ylabel="busy cores", ylim=(0, cores + 0.2))
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _listed(rules: pd.Series) -> str:
    return ", ".join(rules.unique())


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the chain of a run and its stages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("log")
    parser.add_argument("--plot", help="file for a figure")
    given = parser.parse_args(arguments)
    jobs, cores = read_log(given.log)
    if not jobs:
        parser.error(f"{given.log} has no job that ended")
    first, last = min(job.start for job in jobs), max(job.end for job in jobs)
    print(f"{len(jobs)} jobs, {cores} cores, {last - first:.0f} s")
    links, stage_of = chain(jobs), stages()
    table = pd.DataFrame(
        {
            "stage": [stage_of.get(job.rule, "") for job, _ in links],
            "rules": [job.rule for job, _ in links],
            "start": [job.start - first for job, _ in links],
            "end": [job.end - first for job, _ in links],
            "longest_wait": [wait for _, wait in links],
        }
    )
    # successive jobs of one sample and the next are one line
    several = table["rules"].duplicated(keep=False) & ~table["stage"].eq("")
    run = (table["stage"].ne(table["stage"].shift()) | ~several).cumsum()
    grouped = table.groupby(run)
    shown = grouped.agg({"start": "min", "end": "max", "longest_wait": "max"})
    shown.insert(0, "rules", grouped["rules"].agg(_listed))
    shown["jobs"] = grouped.size()
    print(shown.to_string(index=False), by_stage(jobs, cores).to_string(), sep="\n\n")
    if given.plot:
        plot(jobs, cores, given.plot)


if __name__ == "__main__":
    main()
