"""Time the abundance tests, with permutations, in a cohort of 30 patients and 20 populations.

    python -m benchmarks.abundance_speed

Each kind of contrast is tested in all denominators, on both scales, with 10,000 permutations.
"""

import time

import numpy as np

from benchmarks.count_tables import (
    QUESTIONS,
    TableSettings,
    contrast_of,
    draw_counts,
    lineages,
    run_whole,
    sample_sheet,
)


def main() -> None:
    """Print the seconds per contrast."""
    settings = TableSettings(n_test=15, n_reference=15, composition="demo and more")
    samples, lineage = sample_sheet(settings), lineages(settings)
    counts = draw_counts(settings, np.random.default_rng(1), n_cohorts=1)[0]
    total = 0.0
    for kind in QUESTIONS:
        contrast = contrast_of(kind, samples)
        start = time.perf_counter()
        table = run_whole(counts, samples, contrast, lineage)
        seconds = time.perf_counter() - start
        total += seconds
        scheme = table["permutation_scheme"].iloc[0]
        print(f"{kind}\t{len(table)} rows\t{seconds:.2f} s\t{scheme}")
    print(f"all\t{total:.2f} s")


if __name__ == "__main__":
    main()
