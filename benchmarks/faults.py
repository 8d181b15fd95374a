"""Break runs in every way that is known, and count what goes unnoticed.

    python -m benchmarks.faults FOLDER [--only PART ...]

The parts, in this order; each is a benchmark of its own, and prints a table:

    reruns    each rule and each section of the config: a job killed after a changed setting
    kills     30 runs killed at times spread over the whole run
    disks     12 runs whose disk fills up, at all stages (as root)
    damage    60 flipped bits and 12 cuts for each format of results
    clock     runs whose clock jumps, and results whose times are scrambled
    hostile   hostile input files: memory, time, code and files outside
    requests  memory and time that rules ask for, beside what they used

FOLDER gets a small simulated cohort and its runs. All parts take three hours on two free cores.
`make test-cluster` tries failures of a cluster. The exit status is 1 if a part found a fault.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.failed_reruns import prepare
from benchmarks.rerun_cases import PLAIN
from benchmarks.workflow import ROOT

PARTS = {
    "reruns": ("failed_reruns", "{folder}"),
    "kills": ("kills", "{base}", "30", "--folder", "{folder}/kills"),
    "disks": ("full_disks", "{base}", "--work", "{folder}/disks"),
    "damage": ("damage", "{base}/results"),
    "clock": ("clock", "{base}", "--folder", "{folder}/clock"),
    "hostile": ("hostile_inputs",),
    "requests": ("requests", "{base}"),
}


def main() -> int:
    """Run the parts, and return 1 if one found a fault."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    given = parser.parse_args()
    base = prepare(given.folder.resolve(), PLAIN)
    places = {"folder": base.parent, "base": base}
    failed = []
    for part in given.only:
        module, *arguments = PARTS[part]
        print(f"== {part}", flush=True)
        filled = [argument.format(**places) for argument in arguments]
        command = [sys.executable, "-m", f"benchmarks.{module}", *filled]
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(part)
    print(f"faults in: {', '.join(failed) or 'no part'}")
    return int(bool(failed))


if __name__ == "__main__":
    raise SystemExit(main())
