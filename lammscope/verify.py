"""Verify a folder of results: every file whole, and all of one config and one set of cells.

`python -m lammscope.verify results` reads every file and compares it with what its job recorded.
With `--inputs`, the user's own files are compared, too: matrices, sheets and files that the config
names. Their paths are relative to the folder where the workflow ran. One that is gone may have been
archived, and is not counted as a problem.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lammscope.core.words import counted
from lammscope.provenance.run import NAME, compare_inputs
from lammscope.provenance.verification import verify_results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code: 0 if nothing is wrong."""
    parser = argparse.ArgumentParser(prog="python -m lammscope.verify", description=__doc__)
    parser.add_argument("results", type=Path, help="folder of results")
    parser.add_argument("--inputs", action="store_true", help="compare the inputs, too")
    options = parser.parse_args(arguments)
    try:
        problems, notes, n_files = verify_results(options.results)
        if options.inputs:
            problems += _changed_inputs(options.results)
    except ValueError as error:
        print(f"verify: {error}", file=sys.stderr)
        return 1
    for note in notes:
        print(f"note: {note}")
    for problem in problems:
        print(problem)
    if problems:
        print(f"{options.results}: {counted(len(problems), 'problems')} in {n_files:,} files")
        return 1
    print(f"{options.results}: {n_files:,} files are whole, of one config and one set of cells")
    return 0


def _changed_inputs(results: Path) -> list[str]:
    return [
        f"{path}: {finding}"
        for path, finding in compare_inputs(results / NAME)
        if finding not in ("same", "not recorded", "missing")
    ]


if __name__ == "__main__":
    raise SystemExit(main())
