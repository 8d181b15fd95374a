"""False positives and power of ligand-receptor pairs, and levels of PGE2 genes in real cells.

    python -m benchmarks.axis [cohorts] [--real COHORTS] [--data FOLDER] [--only PART ...]

Parts are `levels`, `null`, `power` and `real`.

`levels` prints the UMIs per 10,000 and the share of cells with a UMI of every gene of PGE2, by cell
type of the real sets. `real` draws cohorts from real cells of CAR-T patients. `null` and `power`
are simulated. The exit status is 1 if a figure misses its limit.
"""

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.axis_cohorts import Bench, Plan, axis_pairs, read_real, real_cohort, simulate_cohort
from benchmarks.axis_levels import print_levels
from benchmarks.figures import Figure, print_figures
from benchmarks.real_cells import DATA
from lammscope.axis.pair_tests import test_pairs
from lammscope.cohort.pairs import Pair, read_term
from lammscope.cohort.permutation import Permutations
from lammscope.core.names import ALPHA
from lammscope.core.verdicts import SUPPORTED

LOW, HIGH = 0.035, 0.07  # share of p < 0.05 without a difference
MOVED = 0.05  # log2: largest mean change of the strength if only the number of cells differs
POWER = 0.8
PERMUTATIONS = Permutations(max_exact=500, n_draws=500, seed=0)
PRIMARY = {"pair": "PGE2", "sender": "LAMM_positive", "receiver": "CD8"}
FALSE_RECEPTOR = Pair(
    "false_receptor", read_term("PTGS2"), read_term("CSF1R"), ("myeloid",), ("T",), "", True, ""
)
EQUAL = Plan()
NULL = {
    "8 and 8": EQUAL,
    "6 and 6": Plan(n_test=6, n_reference=6),
    "20 and 20": Plan(n_test=20, n_reference=20),
    "depth x 0.5": Plan(test_depth=0.5),
    "depth x 0.25": Plan(test_depth=0.25),
    "4 and 12": Plan(n_test=4, n_reference=12),
    "4 and 12, spread x 1.5": Plan(n_test=4, n_reference=12, test_spread=0.9),
    "ambient 2 and 15 %": Plan(ambient=0.02, test_ambient=0.15),
    "LAMM cells x 3": Plan(lamm_factor=3),
    "LAMM cells x 0.3": Plan(lamm_factor=0.3),
    "levels x 0.25": Plan(level=0.25),
    "pairs": Plan(kind="paired", n_test=4, n_reference=4),
    "change": Plan(kind="change"),
    "trend": Plan(kind="trend"),
}
REAL = {
    "8 and 8": EQUAL,
    "depth x 0.5": Plan(test_depth=0.5),
    "LAMM cells x 3": Plan(lamm_factor=3),
    "ambient 2 and 15 %": Plan(ambient=0.02, test_ambient=0.15),
    "4 and 12": Plan(n_test=4, n_reference=12),
    "pairs": Plan(kind="paired", n_test=4, n_reference=4),
}
PLANTED = {
    "both terms x 2": replace(EQUAL, ligand=1.0, receptor=1.0),
    "sender's term x 2": replace(EQUAL, ligand=1.0),
    "receiver's term x 2": replace(EQUAL, receptor=1.0),
}


def run_cohorts(job: tuple[str, Plan, int, int, Path | None]) -> pd.DataFrame:
    """Test cohorts of a plan, simulated or (with a folder of data) of real cells."""
    source, plan, seed, n_cohorts, data = job
    names = ("PGE2", "PGE2_cyclooxygenase") if source == "simulated" else ()
    extra = [FALSE_RECEPTOR] if source == "simulated" else []
    bench = Bench(plan, [pair for pair in axis_pairs(*names) if pair.is_tested] + extra)
    cells = None if data is None else read_real(data)
    tables = []
    for number in range(n_cohorts):
        rng = np.random.default_rng([seed, number])
        made = simulate_cohort(bench, rng) if cells is None else real_cohort(bench, cells, rng)
        table = test_pairs(made, permutations=PERMUTATIONS, primary=PRIMARY)
        tables.append(table.assign(cohort=f"{seed}.{number}"))
    return pd.concat(tables, ignore_index=True)


def run_plan(
    pool: ProcessPoolExecutor, source: str, plan: Plan, n_cohorts: int, data: Path | None
) -> pd.DataFrame:
    """Test cohorts in two processes."""
    jobs = [(source, plan, seed, n_cohorts // 2, data) for seed in (1, 2)]
    return pd.concat(pool.map(run_cohorts, jobs), ignore_index=True)


def _share(flags: Any) -> float:
    return float(np.mean(flags)) if len(flags) else np.nan


def null_figures(pool: ProcessPoolExecutor, n_cohorts: int) -> Iterator[Figure]:
    """Measure simulated cohorts without a difference per cell."""
    for name, plan in NULL.items():
        table = run_plan(pool, "simulated", plan, n_cohorts, None)
        rows = table[table["pair"] == "PGE2"]
        tested = rows[rows["p"].notna()]
        part = f"null: {name}"
        yield Figure(part, "cohorts tested", _share(rows["p"].notna()))
        if len(tested) >= 0.1 * len(rows):
            yield Figure(part, "sum, p < 0.05", _share(tested["p"] < ALPHA), LOW, HIGH)
            for term in ("sender", "receiver"):
                yield Figure(part, f"{term}, p < 0.05", _share(tested[f"{term}_p"] < ALPHA))
            yield Figure(part, "supported", _share(tested["verdict"] == SUPPORTED), high=0.01)
            yield Figure(part, "mean estimate", float(tested["estimate"].mean()))
        if "LAMM" in name:
            moved = float(tested["estimate"].mean())
            yield Figure(part, "strength moved by", moved, -MOVED, MOVED)
            yield Figure(part, "supply moved by", float(tested["supply_estimate"].mean()))
        false = table[table["pair"] == "false_receptor"]
        yield Figure(part, "receptor of ambient RNA tested", _share(false["p"].notna()), high=0.05)


def real_figures(pool: ProcessPoolExecutor, n_cohorts: int, data: Path) -> Iterator[Figure]:
    """Measure cohorts of real cells: all pairs without a difference, and halved UMIs."""
    for name, plan in REAL.items():
        table = run_plan(pool, "real", plan, n_cohorts, data)
        part, tested = f"real: {name}", table[table["p"].notna()]
        shares = (tested["p"] < ALPHA).groupby(tested["pair"]).mean()
        number = tested.groupby("pair").size()
        common = shares[number >= 0.5 * table["cohort"].nunique()]
        yield Figure(part, "pairs tested in a cohort", len(tested) / table["cohort"].nunique())
        yield Figure(part, "p < 0.05, all pairs", _share(tested["p"] < ALPHA), LOW, HIGH)
        yield Figure(part, f"p < 0.05, worst pair ({common.idxmax()})", float(common.max()))
        worst = tested["verdict"].ne("inconclusive").groupby(tested["cohort"]).any()
        yield Figure(part, "cohorts with a false pair", _share(worst), high=0.07)
        yield Figure(part, "mean estimate, all pairs", float(tested["estimate"].mean()))
    for name, plan in PLANTED.items():
        table = run_plan(pool, "real", plan, n_cohorts, data)
        for pair in ("PGE2", "PGE2_cyclooxygenase"):
            yield from _power(f"real: {name}", pair, table)


def power_figures(pool: ProcessPoolExecutor, n_cohorts: int) -> Iterator[Figure]:
    """Measure simulated cohorts with a planted difference."""
    for name, plan in PLANTED.items():
        for level in (1.0, 0.5, 0.25):
            for n in (8, 6):
                own = replace(plan, level=level, n_test=n, n_reference=n)
                table = run_plan(pool, "simulated", own, n_cohorts, None)
                promised = level == 1 and n == 8
                part = f"planted: {name}, {n} and {n}, levels x {level:g}"
                yield from _power(part, "PGE2", table, promised=promised)


def _power(
    part: str, pair: str, table: pd.DataFrame, *, promised: bool = False
) -> Iterator[Figure]:
    rows = table[table["pair"] == pair]
    found = (rows["p"] < ALPHA) & (rows["estimate"] > 0)
    both = promised and "both" in part
    yield Figure(part, f"{pair} tested", _share(rows["p"].notna()))
    yield Figure(part, f"{pair} sum found", _share(found), POWER if both else -np.inf)
    for term in ("sender", "receiver"):
        own = (rows[f"{term}_p"] < ALPHA) & (rows[f"{term}_estimate"] > 0)
        yield Figure(part, f"{pair} {term}'s term found", _share(own))
    limit = np.inf if "both" in part or not promised else 0.05
    yield Figure(part, f"{pair} supported", _share(rows["verdict"] == SUPPORTED), high=limit)


def main() -> int:
    """Print all figures; return 1 if one misses its limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--real", type=int, default=400)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--only", nargs="+", default=["levels", "real", "null", "power"])
    options = parser.parse_args()
    missed = 0
    if "levels" in options.only:
        print_levels(options.data)
    with ProcessPoolExecutor(2) as pool:
        if "null" in options.only:
            missed += print_figures(null_figures(pool, options.cohorts))
        if "power" in options.only:
            missed += print_figures(power_figures(pool, options.cohorts))
        if "real" in options.only:
            missed += print_figures(real_figures(pool, options.real, options.data))
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
