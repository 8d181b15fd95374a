"""Fail each rule once after a changed setting, run again, and compare with an undisturbed run.

`python -m benchmarks.failed_reruns FOLDER` simulates a small cohort in FOLDER and runs it. Then,
for each section of the config and for each rule, it changes a setting, kills the job of one rule
when it has written its first file, runs again, and compares every result with that of a run in
which nothing was killed. A further run must have nothing to do, `lammscope.verify` nothing to say.

Each rule is killed after the change that reruns the fewest others. The files of the cohort and of
undisturbed runs stay in FOLDER, so that a part can be repeated (`--rules`, `--sections`).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.same_results import differences
from benchmarks.workflow import ROOT
from lammscope.provenance.verification import verify_results
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

# A module `sitecustomize`, which Python imports when it starts. It kills the job of a script when
# it is about to name its second file: the first is in place.
KILLER = """
import os, signal, sys

renamed = []

def watch(event, arguments):
    if event == "os.rename":
        renamed.append(arguments)
        if len(renamed) == 2:
            os.kill(os.getpid(), signal.SIGKILL)

if sys.orig_argv[-1].endswith(tuple(f".{name}.py" for name in os.environ["KILLED"].split())):
    sys.addaudithook(watch)
"""
# A change for each section of the config; None: what a run computes does not depend on it.
CHANGES: dict[str, Any] = {
    "seed": 2,
    "threads": 1,
    "response": {"responder": ["CR"], "non_responder": ["PD", "SD"]},
    "timepoints": {"pre": ["day_7"], "post": ["baseline"]},
    "sorts": {"CD3": ["T"]},
    "inputs": {"compression": "gzip"},
    "qc": {"min_genes": 230},
    "ambient": {"correct": True},
    "doublets": {"simulated_per_cell": 1},
    "genes": {"n_top": 1500},
    "integration": {"harmony": {"theta": 3}},
    "clustering": {"n_neighbors": 15},
    "annotation": {"min_margin": 0.05},
    "lamm": {"fold": 3},
    "car": {"probability": 0.8},
    "contrasts": {
        name: {
            "kind": "between",
            "test": "non_responder",
            "reference": "responder",
            "where": {"phase": phase},
        }
        for name, phase in (("baseline", "pre"), ("late", "post"))
    },
    "primary": {"denominator": "all"},
    "abundance": {"min_cells": 25},
    "robustness": {"thresholds": [0.5, 0.9]},
    "multiverse": {"resolution": [0.5], "probability": [0.6]},
    "calibration": {"n_expression": 10},
    "neighborhoods": {"min_size": 40},
    "expression": {"min_cells": 12},
    "axis": {"min_lead": 0.6},
    "survival": {"response_day": 20},
    "assembly": {"log_normalised": False},
    "report": {"title": "Another title", "dpi": 60},
}
# Sections that name files or folders, or of which a part is a change of another one.
UNCHANGED = ("samples", "patients", "pathvars", "definition", "categories")
# Changes that rerun single rules.
SMALL: dict[str, dict[str, Any]] = {
    "report.dpi": {"report": {"dpi": 60}},
    "report.title": {"report": {"title": "Another title"}},
    "clustering.umap_epochs": {"clustering": {"umap_epochs": 150}},
    "clustering.resolutions": {"clustering": {"resolutions": [0.5]}},
    "clustering.n_markers": {"clustering": {"n_markers": 30}},
    "axis.n_neighbors": {"axis": {"n_neighbors": 25}},
    "expression.min_set_genes": {"expression": {"min_set_genes": 5}},
    "abundance.n_draws": {"abundance": {"n_draws": 9000}},
}


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


def prepare(folder: Path) -> Path:
    """Simulate and run the cohort, unless there is one; return its folder."""
    base = folder / "base"
    (folder / "killer").mkdir(parents=True, exist_ok=True)
    (folder / "killer" / "sitecustomize.py").write_text(KILLER)
    if not (base / "results" / "report.html").exists():
        shutil.rmtree(base, ignore_errors=True)
        base.mkdir()
        with chdir(base):
            simulate_cohort(CohortSettings(patients_per_arm=3, cells=200, seed=3), ".")
        config = yaml.safe_load((base / "config.yaml").read_text())
        config["report"] = {"dpi": 50}
        (base / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
        done = run(base)
        if done.status:
            sys.exit(done.text[-4000:])
    return base


def changed(base: Path, name: str, change: dict[str, Any]) -> Path:
    """Copy the finished cohort, and change its config."""
    folder = base.parent / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(base, folder, symlinks=True)
    path = folder / "config.yaml"
    config = yaml.safe_load(path.read_text())
    for section, value in change.items():
        own = config.get(section)
        both = isinstance(own, dict) and isinstance(value, dict)
        config[section] = {**own, **value} if both else value
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return folder


def undisturbed(base: Path, name: str, change: dict[str, Any]) -> tuple[Path, set[str]]:
    """Return the folder of a run with a change in which nothing failed, and the rules that ran."""
    folder, listed = base.parent / f"undisturbed_{name}", base.parent / f"rules_{name}.txt"
    if not listed.exists():
        changed(base, folder.name, change)
        done = run(folder, "--printshellcmds")
        if done.status:
            sys.exit(f"{name}: {done.text[-4000:]}")
        rules = set(re.findall(r"^ *(?:local)?rule (\w+):$", done.text, re.M)) - {"all"}
        listed.write_text("\n".join(sorted(rules)))
    return folder, set(listed.read_text().split())


def script_of(rule: str) -> str:
    """Return the script of a rule: rules of parts, methods and other choices share one."""
    name = re.sub(r"_again$", "", re.sub(r"_\d+$", "", rule))
    name = re.sub(r"_again$", "", name)
    there = (ROOT / "workflow" / "scripts" / f"{name}.py").exists()
    return name if there else "integrate_cells"


def fail_and_rerun(base: Path, name: str, change: dict[str, Any], rule: str) -> str:
    """Kill a rule after a change, run again, and return what is wrong; empty if nothing is."""
    expected, _ = undisturbed(base, name, change)
    folder = changed(base, "disturbed", change)
    failed = run(folder, killed=script_of(rule))
    if failed.status == 0:
        return "the job was not killed"
    again = run(folder)
    if again.status:
        return f"the rerun failed: {again.text[-300:]}"
    found = list(differences(expected / "results", folder / "results", {}))
    if (expected / "results/report.html").read_bytes() != (
        folder / "results/report.html"
    ).read_bytes():
        found.append("differs  report.html")
    found += verify_results(folder / "results")[0]
    if "Nothing to be done" not in run(folder, "--dry-run").text:
        found.append("a third run has something to do")
    return "; ".join(found[:5])


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each section and rule, and return 1 if anything differed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sections", nargs="*", help="only these; none: no section")
    parser.add_argument("--rules", nargs="*", help="only these; none: no rule")
    given = parser.parse_args(arguments)
    base = prepare(given.folder.resolve())
    changes: dict[str, dict[str, Any]] = {name: {name: value} for name, value in CHANGES.items()}
    changes.update(SMALL)
    sections = [name for name in CHANGES if given.sections is None or name in given.sections]
    if given.rules != []:
        ran = {name: undisturbed(base, name, change)[1] for name, change in changes.items()}
        rules = sorted(set().union(*ran.values()))
    else:
        ran, rules = {}, []
    wrong = 0
    for name in sections:
        _, own = undisturbed(base, name, changes[name])
        rule = sorted(own - {"write_report", "save_config"})[len(own) // 2 % max(1, len(own) - 2)]
        wrong += report(base, name, changes[name], rule)
    for rule in [rule for rule in rules if given.rules is None or rule in given.rules]:
        name = min((name for name in ran if rule in ran[name]), key=lambda name: len(ran[name]))
        wrong += report(base, name, changes[name], rule)
    print(f"{wrong} wrong")
    return int(wrong > 0)


def report(base: Path, name: str, change: dict[str, Any], rule: str) -> bool:
    """Print the line of one case, and return whether anything was wrong."""
    start = time.monotonic()
    problem = fail_and_rerun(base, name, change, rule)
    seconds = time.monotonic() - start
    print(f"{name:24} {rule:28} {seconds:5.0f} s  {problem or 'same'}", flush=True)
    return bool(problem)


if __name__ == "__main__":
    raise SystemExit(main())
