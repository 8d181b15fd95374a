"""Combine the primary results of several cohorts that were run with the same definition.

`python -m lammscope.combine results results/cohort_2 --output results/combined` reads the
`definition.yaml` in each folder of results, and writes tables, a forest plot and a page.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lammscope.cohort.definition_file import NAME, Definition, read_definition
from lammscope.outcome.meta import combine_cohorts
from lammscope.report.combined import combined_sentence, write_combined


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m lammscope.combine", description=__doc__)
    parser.add_argument("results", type=Path, nargs="+", help="folders of results")
    parser.add_argument(
        "--output", type=Path, default=Path("combined"), help="folder to write to (combined)"
    )
    options = parser.parse_args(arguments)
    try:
        definitions = _read(options.results)
        combined = combine_cohorts(definitions)
        page = write_combined(options.output, combined)
    except (ValueError, OSError) as error:
        heading = "combine: these cohorts cannot be combined; nothing was written:"
        print(heading, *str(error).splitlines(), sep="\n  ", file=sys.stderr)
        return 1
    print(combined_sentence({str(k): v for k, v in combined.combined.iloc[0].items()}))
    print(f"Report: {page}")
    return 0


def _read(folders: Sequence[Path]) -> dict[str, Definition]:
    """Read the definition of each folder, by the shortest end of its path that tells them apart."""
    definitions, mistakes = [], []
    for folder in folders:
        try:
            definitions.append(read_definition(folder if folder.is_file() else folder / NAME))
        except ValueError as error:
            mistakes += str(error).splitlines()
    if mistakes:
        raise ValueError("\n".join(mistakes))
    return dict(zip(_names(folders), definitions, strict=True))


def _names(folders: Sequence[Path]) -> list[str]:
    """Return a name per folder; the same folder twice has two names, and is refused later."""
    parts = [folder.resolve().parts for folder in folders]
    for n in range(1, max(map(len, parts)) + 1):
        names = ["/".join(each[-n:]) for each in parts]
        if len(set(names)) == len(names):
            return names
    return [f"{folder} ({number})" for number, folder in enumerate(folders, 1)]


if __name__ == "__main__":
    sys.exit(main())
