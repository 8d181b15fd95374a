"""Survival, other choices, replication and planning: false positives, coverage and power.

    python -m benchmarks.outcome [cohorts] [--only PART ...]

Each part is a module `benchmarks.outcome_PART`. The exit status is 1 if a figure misses its limit.
"""

import argparse
import sys
from collections.abc import Callable, Iterator

from benchmarks import (
    outcome_landmark,
    outcome_multiverse,
    outcome_planning,
    outcome_replication,
    outcome_survival,
)
from benchmarks.figures import Figure, print_figures

# Each takes the number of cohorts and measures the figures of its part.
PARTS: dict[str, Callable[[int], Iterator[Figure]]] = {
    "survival": outcome_survival.measure,
    "landmark": outcome_landmark.measure,
    "multiverse": outcome_multiverse.measure,
    "replication": outcome_replication.measure,
    "planning": outcome_planning.measure,
}


def main() -> int:
    """Measure the figures of the chosen parts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.outcome", description=__doc__)
    parser.add_argument("cohorts", type=int, nargs="?", default=2000, help="cohorts per figure")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts")
    options = parser.parse_args()
    return int(sum(print_figures(PARTS[part](options.cohorts)) for part in options.only) > 0)


if __name__ == "__main__":
    sys.exit(main())
