"""Incomplete pairs and changes: false positives, power and bias with patients who lack a sample.

    python -m benchmarks.abundance_incomplete [cohorts] [--scenario ...]

Prints, for LAMM cells as a fraction of immune cells, the share of tested cohorts with p < 0.05 in
complete patients (the row's test) and with incomplete ones (random effect of patients), without
and with a planted difference, and the mean estimate without one. The exit status is 1 if a share
without a difference is outside its limits where samples are missing at random.
"""

import argparse
import sys
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.count_tables import (
    LAMM_TYPE,
    TEST,
    Counts,
    Floats,
    TableSettings,
    contrast_of,
    draw_counts,
    lineages,
    run_whole,
    sample_sheet,
)
from lammscope.abundance.fractions import Measure, families, unit_values
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.design import MIN_PATIENTS
from lammscope.core.names import LAMM
from lammscope.stats.effect import effect_test
from lammscope.stats.random_effect import random_effect_test

Flags = NDArray[np.bool_]
LOW, HIGH = 0.04, 0.07  # share of p < 0.05
SHIFT = 0.8  # planted change of the log weight of LAMM cells
N_CHECKED = 3  # cohorts that are tested again with the whole package
BATCH = 20  # cohorts who lose the same samples at random, so that one fit serves them
DENOMINATOR = "immune"


@dataclass(frozen=True)
class Scenario:
    """Cohorts with missing samples.

    Attributes
    ----------
    settings
        The cohorts.
    kind
        paired or change.
    missing
        Share of patients who lose a sample.
    why
        random; `baseline`: the patients with the highest fraction before infusion lack the sample
        after it; `outcome`: those with the highest fraction after it.
    arms
        Of the patients who lose a sample.
    promised
        Whether the run fails outside the limits.
    """

    settings: TableSettings
    kind: str = "change"
    missing: float = 0.2
    why: str = "random"
    arms: tuple[str, ...] = ("non_responder", "responder")
    promised: bool = True


LOOSE = TableSettings(sample_sd=0.35)  # samples of a patient correlate with 0.5, else with 0.75
PAIRS = TableSettings(n_test=8, n_reference=3)
UNEQUAL = TableSettings(n_test=4, n_reference=8)
ONE_ARM = ("non_responder",)
SCENARIOS = {
    "change, 6 and 6, 20 %": Scenario(TableSettings()),
    "change, 6 and 6, 40 %": Scenario(TableSettings(), missing=0.4),
    "change, 6 and 6, 40 %, correlation 0.5": Scenario(LOOSE, missing=0.4),
    "change, 4 and 8, 20 %": Scenario(UNEQUAL),
    "change, 4 and 8, 40 %": Scenario(UNEQUAL, missing=0.4),
    "change, 4 and 8, 40 %, correlation 0.5": Scenario(
        replace(UNEQUAL, sample_sd=0.35), missing=0.4
    ),
    "change, 4 and 8, 20 %, spread x 2 in test arm": Scenario(replace(UNEQUAL, lamm_test_spread=2)),
    "change, 4 and 8, 40 %, spread x 2 in test arm": Scenario(
        replace(UNEQUAL, lamm_test_spread=2), missing=0.4, promised=False
    ),
    "8 pairs, 20 %": Scenario(PAIRS, kind="paired"),
    "8 pairs, 40 %": Scenario(PAIRS, kind="paired", missing=0.4),
    "8 pairs, 40 %, correlation 0.5": Scenario(
        replace(PAIRS, sample_sd=0.35), kind="paired", missing=0.4
    ),
    "8 pairs, 40 % with the highest baseline": Scenario(
        PAIRS, kind="paired", missing=0.4, why="baseline", promised=False
    ),
    "8 pairs, 40 % with the highest outcome": Scenario(
        PAIRS, kind="paired", missing=0.4, why="outcome", promised=False
    ),
    "change, 8 and 8, 40 % of one arm with the highest baseline": Scenario(
        TableSettings(n_test=8, n_reference=8),
        missing=0.4,
        why="baseline",
        arms=ONE_ARM,
        promised=False,
    ),
    "change, 8 and 8, 40 % of one arm with the highest outcome": Scenario(
        TableSettings(n_test=8, n_reference=8),
        missing=0.4,
        why="outcome",
        arms=ONE_ARM,
        promised=False,
    ),
}


def main() -> int:
    """Run the chosen scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    print("scenario", "tested", "row", "incomplete", "row, power", "incomplete, power",
          "row, mean", "incomplete, mean", "", sep="\t")  # fmt: skip
    missed = 0
    for name in given.scenario:
        scenario = SCENARIOS[name]
        seed = [given.seed, list(SCENARIOS).index(name)]
        null = simulate(scenario, given.cohorts, seed=seed)
        shift = replace(scenario.settings, lamm_shift=SHIFT, shifted_phases=("post",))
        power = simulate(replace(scenario, settings=shift), given.cohorts, seed=[*seed, 1])
        share = null.tested.mean()
        rates = [np.nanmean(p < 0.05) for each in (null, power) for p in (each.row, each.added)]
        means = [np.nanmean(null.row_estimate), np.nanmean(null.added_estimate)]
        outside = scenario.promised and not LOW <= rates[1] <= HIGH
        missed += outside
        percent = [f"{100 * value:.1f}" for value in (share, *rates)]
        mean = [f"{value:.3f}" for value in means]
        print(name, *percent, *mean, "MISSED" * outside, sep="\t", flush=True)
    return int(missed > 0)


@dataclass(frozen=True)
class Tested:
    """p and estimates of the cohorts that can be tested, and which can."""

    tested: Flags
    row: Floats
    added: Floats
    row_estimate: Floats
    added_estimate: Floats


def simulate(scenario: Scenario, n_cohorts: int, *, seed: list[int]) -> Tested:
    """Draw cohorts, lose samples and test those with enough complete patients.

    Raises
    ------
    RuntimeError
        If a cohort tested by itself has another p.
    """
    rng = np.random.default_rng(seed)
    samples = sample_sheet(scenario.settings)
    contrast = contrast_of(scenario.kind, samples)
    units = Comparison(samples, contrast).units
    counts = draw_counts(scenario.settings, rng, n_cohorts=n_cohorts)
    values = _values(counts, scenario, samples, units)
    present = _present(scenario, values, units, rng)
    arm = units["arm"].to_numpy()
    complete = present.all(axis=2)
    enough = [complete[:, arm == name].sum(axis=1) >= MIN_PATIENTS for name in np.unique(arm)]
    tested = np.all(enough, axis=0) & ~complete.all(axis=1)
    found = np.full((4, n_cohorts), np.nan)
    groups: dict[bytes, list[int]] = {}
    for number in np.flatnonzero(tested):
        groups.setdefault(present[number].tobytes(), []).append(int(number))
    for numbers in groups.values():
        found[:, numbers] = _test(values[numbers], present[numbers[0]], arm)
    for number in np.flatnonzero(tested)[:N_CHECKED]:
        _check(scenario, counts[number], present[number], found[:, number])
    return Tested(tested, *found[:, tested])


def _values(
    counts: Counts, scenario: Scenario, samples: pd.DataFrame, units: pd.DataFrame
) -> Floats:
    """Compute the logits of LAMM cells, cohorts x patients x sides (test, reference)."""
    lineage = lineages(scenario.settings)
    position = {name: i for i, name in enumerate(samples["sample"])}
    at = [[position[names[0]] for names in units[f"samples_{s}"]] for s in ("test", "reference")]
    cube = counts[:, at].transpose(3, 0, 2, 1).reshape(len(lineage), -1, 1).astype(float)
    cells = dict(zip(lineage, cube, strict=True))
    cells[LAMM] = cells[LAMM_TYPE]
    about = pd.DataFrame({"lineage": lineage, "partition": True})
    about.loc[LAMM] = ("monocytic", False)
    comparison = Comparison(samples, contrast_of(scenario.kind, samples))
    excluded = comparison.left_out(TEST["exclude_pre_post"])
    measures: list[Measure] = [m for family in families(cells, about, excluded) for m in family]
    (lamm,) = [m for m in measures if (m.population, m.denominator) == (LAMM, DENOMINATOR)]
    flat = unit_values(lamm, np.ones(cube.shape[1], dtype=bool), "logit")
    return np.asarray(flat.reshape(len(counts), len(units), 2))


def _present(
    scenario: Scenario, values: Floats, units: pd.DataFrame, rng: np.random.Generator
) -> Flags:
    """Return which samples there are, cohorts x patients x sides."""
    may = units["patient"].str.startswith(scenario.arms).to_numpy()
    if scenario.why == "random":
        return ~_lost_at_random(scenario.missing, len(values), may, rng)
    side = ["outcome", "baseline"].index(scenario.why)
    return ~_lost_by_rank(np.where(may, values[:, :, side], -np.inf), scenario.missing * may.sum())


def _lost_at_random(missing: float, n_cohorts: int, may: Flags, rng: np.random.Generator) -> Flags:
    """Lose either sample of a patient; cohorts of a batch lose the same."""
    n_batches = -(-n_cohorts // BATCH)
    lost = (rng.random((n_batches, len(may))) < missing) & may
    side = rng.integers(0, 2, lost.shape)
    both = np.stack([lost & (side == 0), lost & (side == 1)], axis=2)
    return np.repeat(both, BATCH, axis=0)[:n_cohorts]


def _lost_by_rank(values: Floats, n_lost: float) -> Flags:
    """Lose the sample after infusion of patients with the highest values (cohorts x patients)."""
    rank = np.argsort(np.argsort(-values, axis=1), axis=1)
    return np.stack([rank < round(n_lost), np.zeros_like(rank, dtype=bool)], axis=2)


def _test(values: Floats, present: Flags, arm: NDArray[np.object_]) -> Floats:
    """Test cohorts with the same samples: p and estimate of the row, then with incomplete ones."""
    groups = np.ones((len(arm), 1))
    if set(arm) != {"pair"}:
        groups = np.column_stack([groups, (arm == "test").astype(float)])
    complete = present.all(axis=1)
    difference = values[:, complete, 0] - values[:, complete, 1]
    row = effect_test(difference, groups[complete], groups.shape[1] - 1)
    patient, side = np.nonzero(present)
    own = groups[patient]
    added = random_effect_test(
        values[:, patient, side],
        np.column_stack([own, own * (side == 0)[:, None]]),
        2 * groups.shape[1] - 1,
        patient=patient,
        arm=arm[patient],
    )
    return np.array([row.p, added.p, row.estimate, added.estimate])


def _check(scenario: Scenario, counts: Counts, present: Flags, found: Floats) -> None:
    """Test one cohort with the whole package, from its sheet without the missing samples."""
    samples = sample_sheet(scenario.settings)
    contrast = contrast_of(scenario.kind, samples)
    units = Comparison(samples, contrast).units
    lost = [
        names[0]
        for i, side in enumerate(("test", "reference"))
        for names, here in zip(units[f"samples_{side}"], present[:, i], strict=True)
        if not here
    ]
    kept = ~samples["sample"].isin(lost)
    table = run_whole(
        counts[kept],
        samples[kept].reset_index(drop=True),
        contrast,
        lineages(scenario.settings),
        permute=False,
    )
    rows = table.query(f"population == '{LAMM}' & denominator == '{DENOMINATOR}'")
    row = rows[rows["scale"] == "logit"].iloc[0]
    names = ["p", "p_incomplete", "estimate", "estimate_incomplete"]
    if not np.allclose(row[names].astype(float), found, rtol=1e-6, equal_nan=True):
        raise RuntimeError(f"{scenario.kind}: test_abundance differs: {row[names]}, {found}")


if __name__ == "__main__":
    sys.exit(main())
