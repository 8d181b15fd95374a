"""Patients weighted by their cells: false positives and power beside the row's test.

    python -m benchmarks.abundance_weighted [cohorts] [--donors TABLE]

Prints the share of cohorts with p < 0.05 in the row's test and with weighted patients, without and
with a planted difference: of simulated LAMM cells (1 % of all) as a ratio to T cells and as a
fraction of all cells, or with `--donors` of each cell type of real donors (a table of cells or
fractions, donors x types, whose other columns are left out), the mean over types and the largest.
Donors of a cohort are drawn at random and divided into two arms, and cells are drawn from each
donor's own fractions. The exit status is 1 if a share without a difference is outside its limits.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.count_tables import (
    Floats,
    TableSettings,
    contrast_of,
    draw_counts,
    keys_of,
    lineages,
    run_many,
    run_whole,
    sample_sheet,
)
from lammscope.abundance.comparisons import MIN_EXPECTED
from lammscope.abundance.fractions import OFFSET, Measure, thinnest_depth, unit_values
from lammscope.abundance.weighted import sampling_variances
from lammscope.core.names import LAMM
from lammscope.stats.effect import effect_test
from lammscope.stats.weighted import weighted_test

ALPHA = 0.05
HIGH = 0.07  # share of p < 0.05 without a difference
SHIFT = 0.8  # planted shift of the log weight of LAMM cells, or of the log odds of a type
KINDS = ("p", "p_weighted")
ROWS = {"LAMM/T": (LAMM, "T", "log_ratio"), "LAMM of all": (LAMM, "all", "logit")}
SIZES = ((4, 4), (6, 6), (8, 8), (4, 8))
N_CHECKED = 3  # cohorts that are tested again with the whole package
# Cells per sample: median, sd of the logarithm (0.7: tenfold from the 5th to the 95th percentile),
# share of samples that have a tenth of them, factor of the test arm
DEPTHS = {
    "equal depth": (1000.0, 0.0, 0.0, 1.0),
    "tenfold": (1000.0, 0.7, 0.0, 1.0),
    "three in ten a tenth as deep": (1000.0, 0.2, 0.3, 1.0),
    "test arm a quarter as deep": (2000.0, 0.4, 0.0, 0.25),
}
PHASES = {"change": (6, 6), "paired": (8, 3)}


def main() -> int:
    """Run all scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--donors", type=Path, help="table of cells or fractions, donors x types")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    columns = ("row", "weighted", "row, power", "weighted, power", "largest, row", "and weighted")
    print("depth", "contrast", "of", *columns, "", sep="\t", flush=True)
    lines = real(given.donors, given) if given.donors else simulated(given)
    return int(lines > 0)


def simulated(given: argparse.Namespace) -> int:
    """Print the lines of simulated cohorts; return how many are outside the limits."""
    missed = 0
    scenarios = [("between", sizes, depth) for sizes in SIZES for depth in DEPTHS]
    scenarios += [(kind, sizes, "tenfold") for kind, sizes in PHASES.items()]
    for number, (kind, (n_test, n_reference), depth) in enumerate(scenarios):
        cells, cells_sd, shallow, factor = DEPTHS[depth]
        settings = TableSettings(
            n_test=n_test, n_reference=n_reference, lamm_share=0.01,
            cells=cells, cells_sd=cells_sd, shallow=shallow, test_cells=factor,
        )  # fmt: skip
        phases = ("pre", "post") if kind == "between" else ("post",)
        shifted = replace(settings, lamm_shift=SHIFT, shifted_phases=phases)
        null = p_values(settings, kind, given.cohorts, seed=[given.seed, number])
        power = p_values(shifted, kind, given.cohorts, seed=[given.seed, number, 1])
        size = f"{n_test} pairs" if kind == "paired" else f"{n_test} and {n_reference}"
        for label in ROWS:
            rates = [_share(p[label]) for p in (null, power)]
            missed += _print((depth, f"{kind}, {size}", label), rates[0], rates[1])
    return missed


def p_values(
    settings: TableSettings, kind: str, n_cohorts: int, *, seed: list[int]
) -> dict[str, Floats]:
    """Compute p of each row, 2 (of `KINDS`) x cohorts.

    Raises
    ------
    RuntimeError
        If a cohort tested by itself has another p.
    """
    samples, lineage = sample_sheet(settings), lineages(settings)
    contrast = contrast_of(kind, samples)
    counts = draw_counts(settings, np.random.default_rng(seed), n_cohorts=n_cohorts)
    many = run_many(counts, samples, contrast, lineage, kinds=KINDS, populations={LAMM})
    for number in range(min(N_CHECKED, n_cohorts)):
        table = run_whole(counts[number], samples, contrast, lineage, permute=False)
        expected = dict(zip(keys_of(table), table[list(KINDS)].to_numpy(dtype=float), strict=True))
        for key in ROWS.values():
            got = [many[name][key][number] for name in KINDS]
            if not np.allclose(got, expected[key], rtol=1e-6, equal_nan=True):
                raise RuntimeError(f"{kind}, cohort {number}: test_abundance differs in {key}")
    return {label: np.array([many[name][key] for name in KINDS]) for label, key in ROWS.items()}


def real(path: Path, given: argparse.Namespace) -> int:
    """Print the lines of cohorts of real donors; return how many are outside the limits."""
    table = pd.read_csv(path, sep=None, engine="python", index_col=0).select_dtypes("number")
    fractions = table.div(table.sum(axis=1), axis=0).to_numpy()
    missed = 0
    for n_test, n_reference in SIZES:
        if n_test + n_reference > len(fractions):
            continue
        arm = np.repeat(["test", "reference"], [n_test, n_reference])
        for number, depth in enumerate(DEPTHS):
            rates = []
            for shift in (0.0, SHIFT):
                rng = np.random.default_rng([given.seed, n_test, n_reference, number])
                order = rng.permuted(np.tile(np.arange(len(fractions)), (given.cohorts, 1)), axis=1)
                cells = _draw_cells(depth, arm, given.cohorts, rng)
                drawn = fractions[order[:, : len(arm)]]
                tested = [
                    _of_type(drawn[..., t], cells, arm, shift, rng) for t in range(drawn.shape[2])
                ]
                rates.append(np.array([share for share in tested if np.isfinite(share).all()]))
            size = f"between, {n_test} and {n_reference}"
            of = (depth, size, f"{len(rates[0])} types")
            missed += _print(
                of, *(each.mean(axis=0) for each in rates), largest=rates[0].max(axis=0)
            )
    return missed


def _draw_cells(
    depth: str, arm: np.ndarray, n_cohorts: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw cells per donor, cohorts x donors."""
    median, sd, shallow, factor = DEPTHS[depth]
    cells = median * np.exp(sd * rng.standard_normal((n_cohorts, len(arm))))
    cells *= np.where(rng.random(cells.shape) < shallow, 0.1, 1.0)
    return np.rint(cells * np.where(arm == "test", factor, 1.0)).astype(np.int64)


def _of_type(
    fraction: Floats, cells: np.ndarray, arm: np.ndarray, shift: float, rng: np.random.Generator
) -> Floats:
    """Return the share of p < 0.05 of the row and with weights; nan if few cohorts are tested."""
    odds = fraction / (1 - fraction) * np.where(arm == "test", np.exp(shift), 1.0)
    count = rng.binomial(cells, odds / (1 + odds)).T[:, None].astype(float)
    total = np.asarray(cells, dtype=float).T[:, None]  # donors x one side x cohorts
    share = count.sum(axis=(0, 1)) / total.sum(axis=(0, 1))
    thinnest = np.array([thinnest_depth(total[..., i], arm) for i in range(total.shape[2])])
    tested = thinnest * np.minimum(share, 1 - share) >= MIN_EXPECTED
    if tested.mean() < 0.5:
        return np.full(2, np.nan)
    parts = count[..., tested], total[..., tested]
    measure = Measure("", "all", *parts, OFFSET, 2 * OFFSET, partition=True)
    everyone = np.ones(len(arm), dtype=bool)
    values = unit_values(measure, everyone, "logit").T
    design = np.column_stack([np.ones(len(arm)), arm == "test"]).astype(float)
    sampling = sampling_variances(measure, everyone, arm).T
    return _share(
        np.array([effect_test(values, design, 1).p, weighted_test(values, sampling, design, 1).p])
    )


def _share(p: Floats) -> Floats:
    """Return the share of p < 0.05 among those tested, of each row."""
    tested = np.isfinite(p).all(axis=0)
    return np.asarray((p[:, tested] < ALPHA).mean(axis=1))


def _print(
    of: tuple[str, ...], null: Floats, power: Floats, *, largest: Floats | None = None
) -> bool:
    """Print a line in per cent; return whether weights have too many false positives."""
    numbers = [*null, *power, *([] if largest is None else largest)]
    missed = bool(null[1] > HIGH)
    print(*of, *(f"{100 * n:.1f}" for n in numbers), "MISSED" * missed, sep="\t", flush=True)
    return missed


if __name__ == "__main__":
    sys.exit(main())
