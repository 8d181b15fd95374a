"""False positives of the abundance tests in simulated cohorts without a difference.

    python -m benchmarks.abundance_null [cohorts] [--kind between paired change] [--scenario ...]

Prints the share of cohorts with p < 0.05 for the rows of LAMM cells, and the largest share among
other rows; the largest share, over denominators, of cohorts with a false discovery at a false
discovery rate of 0.05, and the mean share of false discoveries among all. The exit status is 1 if a
promised scenario is outside its limits.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.count_tables import (
    LAMM_TYPE,
    QUESTIONS,
    Key,
    PValues,
    TableSettings,
    contrast_of,
    differences,
    draw_counts,
    false_discovery_rates,
    lineages,
    run_many,
    run_whole,
    sample_sheet,
)

ALPHA = 0.05
LOW, HIGH = 0.035, 0.07  # share of p < 0.05; other shares and permutation p have no lower limit
ENOUGH = 0.1  # share of cohorts that must test a row for it to be shown
PHASES = ("paired", "change")
ROWS = {
    "all": ("all", "logit"),
    "immune": ("immune", "logit"),
    "monocytic": ("monocytic", "logit"),
    "LAMM/T": ("T", "log_ratio"),
    "all, arcsine": ("all", "arcsine"),
    "monocytic, arcsine": ("monocytic", "arcsine"),
}


@dataclass(frozen=True)
class Scenario:
    """Cohorts of one kind. If `promised`, the run fails outside the limits.

    If LAMM cells alone vary more in an arm, `rows` limits the check to their rows: the other
    fractions of a sample shift a little with the mean of its LAMM cells.
    """

    settings: TableSettings
    kinds: tuple[str, ...] = tuple(QUESTIONS)
    adjust: tuple[str, ...] = ()
    planted: tuple[str, ...] = ()
    promised: bool = True
    rows: str = "all"


SCENARIOS = {
    "equal spread": Scenario(TableSettings()),
    "LAMM spread x 3": Scenario(TableSettings(lamm_spread=3)),
    "demo types, equal spread": Scenario(TableSettings(composition="demo")),
    "demo types, LAMM spread x 3": Scenario(TableSettings(composition="demo", lamm_spread=3)),
    "B fall": Scenario(TableSettings(b_shift=-3), kinds=PHASES, planted=("B",)),
    "B fall, LAMM spread x 3": Scenario(
        TableSettings(b_shift=-3, lamm_spread=3), kinds=PHASES, planted=("B",)
    ),
    "B fall in test arm only": Scenario(
        TableSettings(b_shift=-3, b_arms=("non_responder",)), kinds=PHASES, planted=("B",)
    ),
    "arms of 4 and 8": Scenario(TableSettings(n_test=4, n_reference=8, lamm_spread=3)),
    "arms of 3 and 3": Scenario(TableSettings(n_test=3, n_reference=3, lamm_spread=3)),
    "LAMM 0.3 % of cells": Scenario(TableSettings(lamm_share=0.003)),
    "test arm a third as deep": Scenario(TableSettings(test_cells=1 / 3)),
    "400 cells a sample": Scenario(TableSettings(cells=400)),
    "products 5:1 and 1:5, adjusted": Scenario(
        TableSettings(product_shift=1.0), kinds=("between", "change"), adjust=("product",)
    ),
    "unequal spreads of all": Scenario(TableSettings(spread_sd=0.5)),
    "heavy tails (t, 3 df)": Scenario(TableSettings(tails=3), promised=False),
    "rare and shallow in test arm": Scenario(
        TableSettings(lamm_share=0.003, test_cells=0.2), promised=False
    ),
    "LAMM spread x 2 in test arm": Scenario(TableSettings(lamm_test_spread=2), rows="LAMM"),
    "LAMM spread x 2 in test arm, 4 and 8": Scenario(
        TableSettings(n_test=4, n_reference=8, lamm_test_spread=2), rows="LAMM"
    ),
    "LAMM spread x 3 in test arm, 4 and 12": Scenario(
        TableSettings(n_test=4, n_reference=12, lamm_test_spread=3), rows="LAMM"
    ),
    "LAMM spread x 2 in test arm, 5 and 15, adjusted": Scenario(
        TableSettings(n_test=5, n_reference=15, lamm_test_spread=2),
        kinds=("between", "change"),
        adjust=("product",),
        rows="LAMM",
    ),
    "test arm spread x 2": Scenario(TableSettings(test_spread=2), promised=False),
    "test arm spread x 2, 4 and 8": Scenario(
        TableSettings(n_test=4, n_reference=8, test_spread=2), promised=False
    ),
    "test arm spread x 2, 8 and 4": Scenario(
        TableSettings(n_test=8, n_reference=4, test_spread=2), promised=False
    ),
}


def main() -> int:
    """Run the chosen scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--kind", nargs="+", choices=list(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--check", type=int, default=5, help="cohorts to test again one by one")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    rows = []
    for name in given.scenario:
        scenario = SCENARIOS[name]
        for kind in [k for k in scenario.kinds if k in given.kind]:
            seed = (given.seed, list(SCENARIOS).index(name))
            many = simulate(scenario, kind, given.cohorts, seed=seed, check=given.check)
            rows.append({"scenario": name, "contrast": kind} | summarize(many, scenario.planted))
            rows[-1]["outside"] = (
                outside_limits(
                    rows[-1], planted=bool(scenario.planted), others=scenario.rows == "all"
                )
                if scenario.promised
                else ""
            )
    print(as_text(pd.DataFrame(rows)))
    return int(any(row["outside"] for row in rows))


def simulate(
    scenario: Scenario,
    kind: str,
    n_cohorts: int,
    *,
    seed: Sequence[int],
    check: int,
    **selection: Any,
) -> PValues:
    """Compute p-values of many cohorts of a scenario, and test the first `check` one by one, too.

    `selection` is passed to `run_many`.

    Raises
    ------
    RuntimeError
        If a cohort tested by itself has another p.
    """
    settings = scenario.settings
    rng = np.random.default_rng(seed)
    samples, lineage = sample_sheet(settings), lineages(settings)
    contrast = contrast_of(kind, samples, adjust=scenario.adjust)
    counts = draw_counts(settings, rng, n_cohorts=n_cohorts)
    many = run_many(counts, samples, contrast, lineage, **selection)
    for number in range(min(check, n_cohorts)):
        table = run_whole(counts[number], samples, contrast, lineage)
        if found := differences(many, number, table):
            raise RuntimeError(f"{kind}, cohort {number}: test_abundance differs in {found[0]}")
    return many


def summarize(many: PValues, planted: tuple[str, ...]) -> dict[str, object]:
    """Compute shares of cohorts with p < 0.05, over rows without a planted difference."""
    shares = {name: _shares(many[name]) for name in many}
    result: dict[str, object] = {}
    for label, (denominator, scale) in ROWS.items():
        result[label] = shares["p"].get(("LAMM", denominator, scale), np.nan)
    for denominator in ("all", "monocytic"):
        key = ("LAMM", denominator, "logit")
        result[f"permutation, {denominator}"] = shares["p_permutation"].get(key, np.nan)
    other = {k: v for k, v in shares["p"].items() if k[0] not in ("LAMM", LAMM_TYPE, *planted)}
    result["largest other"], result["of row"] = _largest(other)
    any_false, false_share = _discoveries(many, planted)
    result["any FDR"], result["of denominator"] = _largest(any_false)
    result["false share"], _ = _largest(false_share)
    return result


def outside_limits(row: Mapping[str, object], *, planted: bool, others: bool = True) -> str:
    """List the shares outside their limits.

    Without `others`, only LAMM rows are checked, and not on the arcsine scale, on which unequal
    spread is a difference of means. If a difference is planted, the false discovery rate controls
    the share of false discoveries among all, not the probability of any.
    """
    both = [
        name
        for name in ROWS
        if not LOW <= _number(row[name], LOW) <= HIGH and (others or "arcsine" not in name)
    ]
    upper = ["permutation, all", "permutation, monocytic"]
    upper += ["largest other", "false share"] if others else []
    upper += [] if planted or not others else ["any FDR"]
    return ", ".join([*both, *(name for name in upper if _number(row[name], 0.0) > HIGH)])


def as_text(table: pd.DataFrame) -> str:
    """Format shares as per cent."""
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers] * 100
    return table.to_csv(sep="\t", index=False, float_format="%.1f", na_rep="-")


def _shares(rows: Mapping[Key, np.ndarray]) -> dict[Key, float]:
    """Compute the share of p < 0.05 of each row that enough cohorts test."""
    tested = {key: p[np.isfinite(p)] for key, p in rows.items()}
    enough = {key: len(p) > ENOUGH * len(rows[key]) for key, p in tested.items()}
    return {key: float((p < ALPHA).mean()) for key, p in tested.items() if enough[key]}


def _discoveries(
    many: PValues, planted: tuple[str, ...]
) -> tuple[dict[tuple[str, ...], float], dict[tuple[str, ...], float]]:
    """Compute shares of cohorts with a false discovery, and mean shares of false discoveries."""
    false: dict[tuple[str, ...], np.ndarray] = {}
    every: dict[tuple[str, ...], np.ndarray] = {}
    for (population, *family), rate in false_discovery_rates(many["p"]).items():
        found = (rate < ALPHA).astype(int)
        every[tuple(family)] = every.get(tuple(family), 0) + found
        false[tuple(family)] = false.get(tuple(family), 0) + found * (population not in planted)
    any_false = {key: float((n > 0).mean()) for key, n in false.items()}
    share = {key: float((n / np.maximum(every[key], 1)).mean()) for key, n in false.items()}
    return any_false, share


def _largest(shares: Mapping[Any, float]) -> tuple[float, str]:
    key = max(shares, key=lambda k: shares[k])
    return shares[key], " ".join(key)


def _number(value: object, otherwise: float) -> float:
    """Return a share, or `otherwise` if the row was not tested."""
    share = float(value)  # type: ignore[arg-type]
    return share if np.isfinite(share) else otherwise


if __name__ == "__main__":
    sys.exit(main())
