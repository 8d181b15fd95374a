"""One cohort under other conditions: `python -m benchmarks.reproducibility FOLDER`.

Runs a small simulated cohort (two arms of three patients) to the report on other numbers of cores
and threads, in another clone at another path, and with other languages, time zones, hash seeds and
permissions, and compares every result with that of the first run. Prints a table for
docs/reproducibility.md; the exit status is 1 if a file differs.

`--against NAME=RESULTS` compares the results of the same cohort (FOLDER/cohort) that were made
elsewhere, for example on a cluster. Languages that are not installed are made with `localedef`,
where the system has their sources. Runs that FOLDER has are not repeated. Takes about ten minutes
on two free cores.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import yaml

from benchmarks.same_results import differences, results
from benchmarks.workflow import ROOT, measured
from lammscope.core.versions import software_versions
from lammscope.provenance.run import NAME
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

WHOLE = ("report.html", "config.yaml")  # files that `same_results` leaves out
SETTINGS = CohortSettings(patients_per_arm=3, cells=220, seed=3)


def threads(number: int) -> dict[str, str]:
    """Return the environment for a number of threads of native libraries."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMBA")
    return {f"{library}_NUM_THREADS": str(number) for library in libraries}


@dataclass(frozen=True)
class Condition:
    """How a run differs from the first one."""

    name: str
    cores: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    elsewhere: bool = False


CONDITIONS = [
    Condition("2 cores, 1 thread", environment=threads(1)),
    Condition("1 core, 2 threads", cores=1, environment=threads(2)),
    Condition("2 cores, 4 threads", environment=threads(4)),
    Condition(
        "another clone, folder with spaces, umask 077; LANG=C, Pacific/Kiritimati, hash seed 0",
        environment={"LC_ALL": "C", "TZ": "Pacific/Kiritimati", "PYTHONHASHSEED": "0"},
        umask=0o077,
        elsewhere=True,
    ),
    Condition(
        "LANG=tr_TR.UTF-8, America/St_Johns, hash seed 1",
        environment={"LC_ALL": "tr_TR.UTF-8", "TZ": "America/St_Johns", "PYTHONHASHSEED": "1"},
    ),
    Condition(
        "LANG=de_DE.ISO-8859-1, Asia/Kathmandu, hash seed 2",
        environment={"LC_ALL": "de_DE.ISO-8859-1", "TZ": "Asia/Kathmandu", "PYTHONHASHSEED": "2"},
    ),
]


def prepare(folder: Path) -> Path:
    """Simulate the cohort with paths relative to its folder, unless it is there."""
    cohort = folder / "cohort"
    if not (cohort / "config.yaml").exists():
        cohort.mkdir(parents=True)
        os.chdir(cohort)
        simulate_cohort(SETTINGS, ".")
        config = yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))
        Path("config.yaml").write_text(yaml.safe_dump(config | {"report": {"dpi": 50}}))
    return cohort


def make_locale(folder: Path, name: str) -> bool:
    """Make a locale in a folder, and return whether it can be used."""
    if name == "C":
        return True
    folder.mkdir(exist_ok=True)
    language, _, charset = name.partition(".")
    command = ["localedef", "-i", language, "-f", charset, str(folder / name)]
    subprocess.run(command, check=False, capture_output=True)
    check = [sys.executable, "-c", "import locale; locale.setlocale(locale.LC_ALL, '')"]
    environment = {**os.environ, "LOCPATH": str(folder), "LC_ALL": name}
    return subprocess.run(check, env=environment, check=False, capture_output=True).returncode == 0


def run(condition: Condition, *, cohort: Path, folder: Path) -> float:
    """Run the cohort in a folder under a condition, and return the seconds it took."""
    root = ROOT
    if condition.elsewhere:
        folder, root = folder / "a place with spaces", folder / "clone"
        ignored = shutil.ignore_patterns(".*", "results", "demo")
        shutil.copytree(ROOT, root, ignore=ignored)
    shutil.copytree(cohort, folder)
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(root / "Snakefile")]
    command += ["--configfile", "config.yaml", "--cores", str(condition.cores)]
    command += ["--workflow-profile", str(root / "profiles" / "default")]
    kept = {name: text for name, text in os.environ.items() if name not in {*threads(1), "TZ"}}
    environment = {**kept, "LOCPATH": str(cohort.parent / "locales"), **condition.environment}
    environment["PYTHONPATH"] = str(root)
    with measured() as spent, (folder / "log").open("w", encoding="utf-8") as log:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            umask=condition.umask,
            stdout=log,
            stderr=log,
            check=False,
        )
    if done.returncode:
        sys.exit((folder / "log").read_text(encoding="utf-8")[-4000:])
    return spent.wall


def compared(first: Path, other: Path) -> tuple[int, list[str]]:
    """Return the number of compared files of two results folders, and those that differ."""
    lines = [line for line in differences(first, other, {}) if not line.endswith(NAME)]
    whole = [name for name in WHOLE if (other / name).exists()]
    lines += [
        f"differs  {name}"
        for name in whole
        if (first / name).read_bytes() != (other / name).read_bytes()
    ]
    n_files = len([name for name in results(other) if name != NAME]) + len(whole)
    return n_files, lines


def main() -> int:
    """Print the table, and return 1 if a file differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", nargs="*", default=[], metavar="NAME=RESULTS")
    given = parser.parse_args()
    folder = given.folder.resolve()
    elsewhere = [(name, Path(path)) for name, _, path in (a.partition("=") for a in given.against)]
    elsewhere = [(name, path.resolve()) for name, path in elsewhere]
    cohort = prepare(folder)
    versions = ", ".join(f"{name} {number}" for name, number in software_versions().items())
    print(f"{date.today()}, Python {platform.python_version()}, {versions}, {platform.machine()}\n")
    print("| run | seconds | files compared | differ |\n|---|---|---|---|", flush=True)
    first, n_different = folder / "0" / "results", 0
    for number, condition in enumerate(CONDITIONS):
        language = condition.environment.get("LC_ALL", "C")
        if not make_locale(folder / "locales", language):
            print(f"| {condition.name} | not run: no locale {language} | | |", flush=True)
            continue
        place = folder / str(number)
        seconds = "" if place.exists() else f"{run(condition, cohort=cohort, folder=place):.0f}"
        made = place / "a place with spaces" if condition.elsewhere else place
        n_files, lines = compared(first, made / "results")
        n_different += len(lines)
        print(f"| {condition.name} | {seconds} | {n_files} | {len(lines)} |", flush=True)
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    for name, path in elsewhere:
        n_files, lines = compared(first, path)
        n_different += len(lines)
        print(f"| {name} | | {n_files} | {len(lines)} |", *lines, sep="\n", flush=True)
    return int(n_different > 0)


if __name__ == "__main__":
    raise SystemExit(main())
