"""Fail each rule once after a changed setting, run again, and compare with an undisturbed run.

`python -m benchmarks.failed_reruns FOLDER` simulates small cohorts in FOLDER and runs them
(`benchmarks.rerun_cases`). Then it changes a setting, for each section of the config, kills jobs
when they have written their first file, runs again, and compares every result with that of a run
in which nothing was killed. A further run must have nothing to do,
`lammscope.verify` nothing to say. One of the cohorts needs scVI (`make setup-scvi`).

Each rule is killed once, after the change that reruns the fewest others. The cohorts and
undisturbed runs stay in FOLDER, so that a part can be repeated (`--changes`).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from benchmarks.rerun_cases import (
    OPTIONAL,
    PLAIN,
    REPLICATION,
    Change,
    all_changes,
    write_cohort,
)
from benchmarks.same_results import differences
from benchmarks.workflow import ROOT
from lammscope.provenance.verification import verify_results

FAILED = re.compile(r"Error in rule (\w+?);")
COHORTS = (PLAIN, OPTIONAL, REPLICATION)  # in the order in which they need one another
# A module `sitecustomize`, which Python imports when it starts. It kills the job of a rule when it
# is about to name its second file: the first is in place. The script of a job holds the name of its
# rule, as the pickle that Snakemake puts there writes it.
KILLER = """
import os, signal, sys

renamed = []

def watch(event, arguments):
    if event == "os.rename":
        renamed.append(arguments)
        if len(renamed) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

def is_job_of(rules, path):
    if not path.endswith(".py") or "/.snakemake/scripts/" not in path:
        return False
    names = [b"\\x8c" + bytes([len(rule)]) + rule.encode() + b"\\x94" for rule in rules]
    with open(path) as file:
        text = file.read()
    return any(repr(name)[2:-1] in text for name in names)

if is_job_of(os.environ["KILLED"].split(), sys.orig_argv[-1]):
    sys.addaudithook(watch)
"""


@dataclass(frozen=True)
class Outcome:
    """What a run printed, its exit status, and its seconds."""

    status: int
    text: str
    seconds: float


def run(folder: Path, *arguments: str, killed: str = "") -> Outcome:
    """Run the workflow in a folder, and kill the job of a script."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", "2"]
    command += ["--workflow-profile", str(ROOT / "profiles" / "default"), *arguments]
    environment = {**os.environ, "KILLED": killed}
    if killed:
        environment["PYTHONPATH"] = str(folder.parent / "killer")
    else:
        environment.pop("PYTHONPATH", None)
    start = time.monotonic()
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout, time.monotonic() - start)


def prepare(folder: Path, cohort: str) -> Path:
    """Simulate and run a cohort, unless it is there; return its folder."""
    base = folder / cohort
    (folder / "killer").mkdir(parents=True, exist_ok=True)
    (folder / "killer" / "sitecustomize.py").write_text(KILLER)
    if not (base / "results" / "report.html").exists():
        write_cohort(base, cohort, finished=partial(prepare, folder))
        done = run(base)
        if done.status:
            sys.exit(f"{cohort}: {done.text[-4000:]}")
    return base


def changed(folder: Path, name: str, change: Change) -> Path:
    """Copy the finished cohort of a change, and change its config."""
    copy = folder / name
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder / change.cohort, copy, symlinks=True)
    path = copy / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for section, value in change.settings.items():
        own = config.get(section)
        both = isinstance(own, dict) and isinstance(value, dict)
        config[section] = {**own, **value} if both else value
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    if change.sheet is not None:
        name, old, new = change.sheet
        text = (copy / name).read_text()
        assert old in text, (name, old)
        (copy / name).write_text(text.replace(old, new))
    return copy


def undisturbed(folder: Path, change: Change) -> set[str]:
    """Run a change in which nothing fails, unless it is there; return the rules that ran."""
    listed = folder / f"rules_{change.name}.txt"
    if not listed.exists():
        done = run(changed(folder, f"undisturbed_{change.name}", change), "--printshellcmds")
        if done.status:
            sys.exit(f"{change.name}: {done.text[-4000:]}")
        rules = set(re.findall(r"^ *(?:local)?rule (\w+):$", done.text, re.M)) - {"all"}
        listed.write_text("\n".join(sorted(rules)))
    return set(listed.read_text().split())


def fail_and_rerun(folder: Path, change: Change, rules: Sequence[str]) -> str:
    """Kill rules after a change, run again, and return what is wrong; empty if nothing is.

    Rules that depend on each other are killed in one run after the other.
    """
    expected = folder / f"undisturbed_{change.name}" / "results"
    disturbed = changed(folder, f"disturbed_{change.name}", change)
    left = set(rules)
    while left:
        failed = run(disturbed, "--keep-going", killed=" ".join(left))
        killed = left & set(FAILED.findall(failed.text))
        if not killed or failed.status == 0:
            return f"not killed: {' '.join(left)}"
        left -= killed
    again = run(disturbed)
    if again.status:
        return f"the rerun failed: {again.text[-300:]}"
    results = disturbed / "results"
    found = list(differences(expected, results, {}))
    if (expected / "report.html").read_bytes() != (results / "report.html").read_bytes():
        found.append("differs  report.html")
    found += verify_results(results)[0]
    if "Nothing to be done" not in run(disturbed, "--dry-run").text:
        found.append("a third run has something to do")
    if not found:
        shutil.rmtree(disturbed)
    return "; ".join(found[:5])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each change, and return 1 if anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--changes", nargs="+", help="only these of `benchmarks.rerun_cases`")
    parser.add_argument("--at-once", type=int, default=2, help="changes that run at a time")
    given = parser.parse_args(arguments)
    folder = given.folder.resolve()
    changes = {
        change.name: change
        for change in all_changes()
        if given.changes is None or change.name in given.changes
    }
    for cohort in COHORTS:
        if cohort == PLAIN or any(change.cohort == cohort for change in changes.values()):
            prepare(folder, cohort)
    with ThreadPoolExecutor(given.at_once) as pool:
        ran = dict(
            zip(changes, pool.map(partial(undisturbed, folder), changes.values()), strict=True)
        )
        cases = choose_rules(ran)
        wrong = len(unreached(folder, ran)) if given.changes is None else 0
        wrong += sum(pool.map(lambda name: report(folder, changes[name], cases[name]), cases))
    print(f"{len(cases)} changes, {sum(map(len, cases.values()))} rules killed, {wrong} wrong")
    return int(wrong > 0)


def unreached(folder: Path, ran: dict[str, set[str]]) -> set[str]:
    """Print and return the rules of the cohorts that ran after no change."""
    text = "".join(run(folder / cohort, "--list-rules").text for cohort in COHORTS)
    rules = set(re.findall(r"^(\w+) \(", text, re.M)) - set().union(*ran.values())
    for rule in sorted(rules):
        print(f"{rule}: no change of `benchmarks.rerun_cases` reruns it")
    return rules


def choose_rules(ran: dict[str, set[str]]) -> dict[str, list[str]]:
    """Choose the rules to kill after each change: each rule once, after a change that runs few.

    Parameters
    ----------
    ran
        The rules that run after each change.

    Returns
    -------
    dict
        The rules by change, the longest runs first. Each change has at least one.
    """
    shortest = {
        rule: min((name for name in ran if rule in ran[name]), key=lambda name: len(ran[name]))
        for rule in sorted(set().union(*ran.values()))
    }
    chosen = {name: list[str]() for name in sorted(ran, key=lambda name: -len(ran[name]))}
    for rule, name in shortest.items():
        chosen[name].append(rule)
    for name, rules in chosen.items():
        if not rules:  # the one that the fewest other changes run
            rules.append(
                min(sorted(ran[name]), key=lambda r: sum(r in own for own in ran.values()))
            )
    return chosen


def report(folder: Path, change: Change, rules: Sequence[str]) -> bool:
    """Print the line of one change, and return whether anything was wrong."""
    start = time.monotonic()
    problem = fail_and_rerun(folder, change, rules)
    seconds = time.monotonic() - start
    print(f"{change.name:24} {seconds:5.0f} s  {problem or 'same'}: {' '.join(rules)}", flush=True)
    return bool(problem)


if __name__ == "__main__":
    raise SystemExit(main())
