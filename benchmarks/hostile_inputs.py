"""Open hostile files, each by the function that a run uses, and print what it takes.

    python -m benchmarks.hostile_inputs [--only WORD]

Each file of `hostile_files` is opened in a process of its own. Printed are the outcome (refused, or
read), seconds of processor time, the largest memory of the process in MB, and the message. The exit
code is 1 if one takes over 20 seconds or 1 GB, if code of a file has run, if the text of a file
outside was read, or if a process ends otherwise than with a message of one of our readers.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.hostile_files import CANARY, FILES, OUTSIDE, SECRET

MOST_SECONDS, MOST_MB = 20, 1_000  # of processor time, since the machine may be shared
ENDLESS = 120  # seconds on the clock
ADDRESSES = 12 * 2**30  # bytes; protects this machine if a limit of ours fails
READ, REFUSED = 0, 3  # exit codes of the process that opens a file


class Outcome(NamedTuple):
    """What became of a file."""

    word: str
    seconds: float
    megabytes: float
    text: str


def open_file(door: str, path: Path) -> object:
    """Open a file as a run does, and return what was read; ValueError if it is refused."""
    from lammscope.annotate.celltypist import load_model
    from lammscope.annotate.lamm_settings import load_references
    from lammscope.annotate.panel import load_panel
    from lammscope.axis.contigs import read_contigs
    from lammscope.cohort.config import read_config_file, read_schema
    from lammscope.cohort.definition_file import read_definition
    from lammscope.cohort.sheet_file import read_sheet
    from lammscope.core.gene_sets import read_gene_sets
    from lammscope.ingest.matrices.barcodes import read_barcodes
    from lammscope.ingest.matrices.read import inspect_matrix, read_matrix

    def matrix(path: Path) -> object:
        inspect_matrix(path)
        shard = read_matrix(path)
        return shard.barcodes[:20], shard.genes.head(20)

    def sheet(path: Path) -> object:
        found = read_sheet(path, schema=read_schema("samples"))
        if found.mistakes:
            raise ValueError(found.mistakes[0])
        return found.table

    doors: dict[str, Callable[[Path], object]] = {
        "matrix": matrix,
        "sheet": sheet,
        "model": load_model,
        "references": load_references,
        "panel": load_panel,
        "contigs": read_contigs,
        "config": read_config_file,
        "definition": read_definition,
        "gene_sets": lambda path: read_gene_sets([path]),
        "barcodes": read_barcodes,
    }
    return doors[door](path)


def outcome_of(name: str, folder: Path) -> Outcome:
    """Make a file and open it in a process of its own."""
    door, make = FILES[name]
    own = folder / "own"
    own.mkdir()
    (folder / OUTSIDE).write_text(f"{SECRET}\n" * 20)
    path = make(own)
    command = [sys.executable, "-m", "benchmarks.hostile_inputs", "--open", door, str(path)]
    output = folder / "output.txt"
    start = time.monotonic()
    with output.open("w") as handle:
        child = subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT)
        status, used = None, None
        while time.monotonic() - start < ENDLESS:
            pid, code, used = os.wait4(child.pid, os.WNOHANG)
            if pid:
                status = child.returncode = os.waitstatus_to_exitcode(code)
                break
            time.sleep(0.02)
        else:
            child.kill()
            _, _, used = os.wait4(child.pid, 0)
            child.returncode = -9
    seconds = used.ru_utime + used.ru_stime if used else 0.0
    text = output.read_text(errors="replace")
    megabytes = used.ru_maxrss / 1024 if used else 0.0
    word = {READ: "read", REFUSED: "refused", None: "endless"}.get(status, f"ended with {status}")
    if (folder / CANARY).exists():
        word = "RAN CODE"
    elif SECRET in text:
        word = "READ A FILE OUTSIDE"
    elif seconds > MOST_SECONDS or megabytes > MOST_MB:
        word += ", TOO MUCH"
    return Outcome(word, seconds, megabytes, text.strip().splitlines()[-1] if text.strip() else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="files whose names have this word")
    parser.add_argument("--open", nargs=2, metavar=("DOOR", "PATH"), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.open:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
        try:
            print(open_file(given.open[0], Path(given.open[1])))
        except ValueError as error:
            print(error)
            return REFUSED
        return READ
    names = [name for name in FILES if given.only in name]
    print("file\toutcome\tseconds\tMB\tmessage")
    n_bad = 0
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            found = outcome_of(name, Path(folder))
        n_bad += found.word not in ("read", "refused")
        message = found.text.replace(f"{folder}/own/", "")[:150]
        print(
            *(name, found.word, f"{found.seconds:.1f}", f"{found.megabytes:.0f}", message),
            sep="\t",
            flush=True,
        )
    print(f"{len(names) - n_bad} of {len(names)} files were refused or read within the limits")
    return int(n_bad > 0)


if __name__ == "__main__":
    sys.exit(main())
