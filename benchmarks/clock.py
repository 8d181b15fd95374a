"""Runs on a machine whose clock jumps: `python -m benchmarks.clock FINISHED --folder FOLDER`.

FINISHED is the folder of a finished run of a small cohort, by this version of the workflow. A clock
that goes back by a day is one by which all files lie a day in the future, so the times of all
results are moved. Printed is for each case whether the results are those of an undisturbed run, and
how many jobs the next run would have:

    scrambled   all times of a finished run at random, within a year before and after
    back        a day back in the middle of a run
    matrices    times of all matrices a year in the future, before a run from the start
    changed     a day back after a run has ended; then a setting is changed, a run makes the
                integrated embedding alone, and another run the rest
"""

import argparse
import os
import random
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.kills import compared, copy_run, run, take_back

SETTING = ("--config", "integration={harmony: {theta: 3}}")
DAY, YEAR = 86400.0, 365 * 86400.0
ROW = "{:<10}  {:>6}  {:>9}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a row per case, and return 1 if a result differs or the next run is not idle."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("finished", type=Path)
    parser.add_argument("--folder", type=Path, required=True, help="for copies of the run")
    given = parser.parse_args(arguments)
    print(ROW.format("case", "differ", "next jobs"))
    bad = 0
    for name, case in {
        "scrambled": scrambled,
        "back": back,
        "matrices": matrices,
        "changed": changed,
    }.items():
        folder = copy_run(given.finished, given.folder / name)
        expected, arguments = case(folder, given.finished)
        n_different = len(compared(expected, folder))
        n_next = jobs_of(*run(folder, "--dry-run", *arguments))
        print(ROW.format(name, n_different, n_next), flush=True)
        bad += (n_different, n_next) != (0, 0)
    return int(bool(bad))


def scrambled(folder: Path, finished: Path) -> tuple[Path, Sequence[str]]:
    """Change all times; there is nothing to run."""
    chance = random.Random(1)
    change_times(folder / "results", lambda time: time + chance.uniform(-YEAR, YEAR))
    return finished, ()


def back(folder: Path, finished: Path) -> tuple[Path, Sequence[str]]:
    """Run the second half after the clock went back."""
    take_back(folder / "results", 0.4)
    change_times(folder / "results", lambda time: time + DAY)
    must(folder)
    return finished, ()


def matrices(folder: Path, finished: Path) -> tuple[Path, Sequence[str]]:
    """Run from the start with matrices from the future."""
    shutil.rmtree(folder / "results")
    change_times(folder / "counts", lambda time: time + YEAR)
    must(folder)
    return finished, ()


def changed(folder: Path, finished: Path) -> tuple[Path, Sequence[str]]:
    """Change a setting after the clock went back, in two runs, and beside it in one."""
    undisturbed = copy_run(finished, folder.with_name("undisturbed"))
    must(undisturbed, *SETTING)
    change_times(folder / "results", lambda time: time + DAY)
    must(folder, *SETTING, "--until", "integrate_harmony")
    must(folder, *SETTING)
    return undisturbed, SETTING


def change_times(results: Path, change: Callable[[float], float]) -> None:
    """Change the time of each file of a run."""
    for path in results.rglob("*"):
        time = change(path.stat().st_mtime)
        os.utime(path, (time, time))


def must(folder: Path, *arguments: str) -> None:
    """Run the workflow; the program exits if it fails."""
    text, code = run(folder, *arguments)
    if code:
        raise SystemExit(text[-4000:])


def jobs_of(text: str, code: int) -> int:
    """Return the number of jobs of a dry run; -1 if it failed."""
    found = re.search(r"^total +(\d+)", text, re.MULTILINE)
    if code or not (found or "Nothing to be done" in text):
        return -1
    return int(found[1]) if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
