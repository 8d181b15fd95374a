"""False positives and power of trends of abundance, in simulated cohorts.

    python -m benchmarks.trend_null [cohorts]

Prints the share of cohorts with p < 0.05 for the rows of LAMM cells (p of the row and of the
permutation test) without an effect, and with one, beside the two-arm test of the same patients: the
half with the higher values against the others. The exit status is 1 if a promised share is outside
its limits.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.count_tables import (
    TableSettings,
    differences,
    draw_counts,
    lineages,
    run_many,
    run_whole,
    sample_sheet,
)
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.core.names import ALPHA, LAMM

LOW, HIGH = 0.035, 0.07  # share of p < 0.05; permutation p have no lower limit
DENOMINATORS = ("all", "immune", "monocytic")
ORDER = ["PD", "SD", "PR", "CR"]
WHERE = {"where": {"phase": "pre"}}
NUMBER: dict[str, Any] = {"kind": "trend", "column": "marker", **WHERE}
ORDERED: dict[str, Any] = {"kind": "trend", "column": "best", "order": ORDER, **WHERE}
HALVES: dict[str, Any] = {
    "kind": "between", "column": "half", "test": "high", "reference": "low", **WHERE,
}  # fmt: skip
TWELVE, EIGHT = TableSettings(), TableSettings(n_test=4, n_reference=4)


@dataclass(frozen=True)
class Scenario:
    """Cohorts, the trend that is tested, and the shift of LAMM cells per standard deviation.

    `skew` is the standard deviation of the logarithm of the numbers; `by_arm` gives the test arm,
    whose LAMM cells may vary more, the higher ones.
    """

    settings: TableSettings = TWELVE
    entry: tuple[tuple[str, Any], ...] = tuple(NUMBER.items())
    effect: float = 0.0
    skew: float = 0.4
    by_arm: bool = False
    promised: bool = True


SCENARIOS = {
    "12 patients, number": Scenario(),
    "12 patients, number, log": Scenario(entry=(*NUMBER.items(), ("log", True))),
    "12 patients, skewed number": Scenario(skew=1.2),
    "12 patients, order": Scenario(entry=tuple(ORDERED.items())),
    "12 patients, number, adjusted": Scenario(entry=(*NUMBER.items(), ("adjust", ["product"]))),
    "12 patients, order, LAMM spread x 3": Scenario(
        TableSettings(lamm_spread=3), entry=tuple(ORDERED.items())
    ),
    "8 patients, number": Scenario(EIGHT),
    "8 patients, order": Scenario(EIGHT, entry=tuple(ORDERED.items())),
    "30 patients, number": Scenario(TableSettings(n_test=15, n_reference=15)),
    "heavy tails (t, 3 df)": Scenario(TableSettings(tails=3), promised=False),
    "LAMM spread x 2 with high numbers": Scenario(
        TableSettings(lamm_test_spread=2), by_arm=True, promised=False
    ),
    "the same, 4 high and 12 low": Scenario(
        TableSettings(n_test=4, n_reference=12, lamm_test_spread=2), by_arm=True, promised=False
    ),
    "effect, 12 patients, number": Scenario(effect=0.4),
    "effect, 12 patients, order": Scenario(entry=tuple(ORDERED.items()), effect=0.4),
    "effect, 8 patients, number": Scenario(EIGHT, effect=0.6),
    "effect, 30 patients, number": Scenario(
        TableSettings(n_test=15, n_reference=15), effect=0.25
    ),
}  # fmt: skip


def main() -> int:
    """Run all scenarios, and print their shares of p < 0.05 as per cent."""
    n_cohorts = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    rows = [
        run_scenario(name, scenario, n_cohorts, seed=[17, i])
        for i, (name, scenario) in enumerate(SCENARIOS.items())
    ]
    table = pd.DataFrame(rows)
    numbers = table.select_dtypes("number").columns
    table[numbers] = table[numbers] * 100
    print(table.to_csv(sep="\t", index=False, float_format="%.1f", na_rep="-"))
    return int((table["outside"] != "").any())


def run_scenario(
    name: str, scenario: Scenario, n_cohorts: int, *, seed: list[int]
) -> dict[str, object]:
    """Compute the shares of a scenario, and test two cohorts one by one, too.

    Raises
    ------
    RuntimeError
        If a cohort tested by itself has another p.
    """
    rng = np.random.default_rng(seed)
    samples = with_values(scenario, rng)
    score = samples["best"].map(ORDER.index) if "order" in dict(scenario.entry) else None
    value = np.log(samples["marker"]) if score is None else score
    shift = scenario.effect * ((value - value.mean()) / value.std()).to_numpy(dtype=float)
    counts = draw_counts(scenario.settings, rng, n_cohorts=n_cohorts, shift=shift)
    lineage, found = lineages(scenario.settings), {}
    for label, entry in (("", dict(scenario.entry)), ("halves, ", HALVES)):
        (contrast,) = contrasts_from_config({"trend": entry}, samples)
        many = run_many(counts, samples, contrast, lineage, populations=(LAMM,))
        for number in range(min(2, n_cohorts)):
            table = run_whole(counts[number], samples, contrast, lineage)
            table = table[table["population"] == LAMM]
            if wrong := differences(many, number, table):
                raise RuntimeError(f"{name}, cohort {number}: test_abundance differs in {wrong[0]}")
        for kind, rows in many.items():
            for denominator in DENOMINATORS:
                p = rows[LAMM, denominator, "logit"]
                short = "permutation, " * (kind == "p_permutation")
                found[f"{label}{short}{denominator}"] = float((p[np.isfinite(p)] < ALPHA).mean())
    checked = scenario.promised and not scenario.effect
    outside = [
        key
        for key, share in found.items()
        if "halves" not in key and (share > HIGH or (share < LOW and "permutation" not in key))
    ]
    return {"scenario": name, **found, "outside": ", ".join(outside) if checked else ""}


def with_values(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    """Give each patient a number, an ordered response, and a half; none follows the product."""
    samples = sample_sheet(scenario.settings).copy()
    patients = samples["patient"].unique()
    marker = np.sort(np.exp(rng.normal(5.6, scenario.skew, len(patients))))
    order = rng.permutation(len(patients))
    if scenario.by_arm:
        arm = samples.drop_duplicates("patient")["response"].eq("non_responder").to_numpy()
        order = np.argsort(np.argsort(arm, kind="stable"))
    values = pd.DataFrame({"marker": marker[order]}, index=patients)
    quarters = (np.arange(len(patients)) * len(ORDER) // len(patients))[order]
    values["best"] = np.array(ORDER)[quarters]
    values["half"] = np.where(order >= len(patients) // 2, "high", "low")
    return samples.join(values, on="patient")


if __name__ == "__main__":
    sys.exit(main())
