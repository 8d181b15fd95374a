"""Plans of cohorts: whether a planned cohort reaches its power, and how often a pilot's plan does.

Real donors: cohorts are drawn, with replacement, from the cell fractions of 20 people (blood;
Huang 2021, as in the propeller paper), and one arm is shifted. Simulated counts of cells: patients
of an arm differ by a normal deviation of their log odds, and cells are drawn and called from it.
The test is that of the rows of abundance tables.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.figures import Figure
from benchmarks.real_cells import DATA
from lammscope.core.names import ALPHA, POWER, Array
from lammscope.outcome.planning import (
    CallErrors,
    Spread,
    counting_variance,
    observed_difference,
    patients_needed,
)
from lammscope.stats.effect import effect_test

DONORS = DATA / "abundance_propeller" / "speckle_pbmc_props.tsv"
MYELOID = ("CD14", "CD16", "INTER", "CDC2")  # monocytes, and dendritic cells
RATIO_OF_DONORS = float(np.log(2))
CELLS = 500
CLOSE = 0.03  # between planned and simulated power
PILOT = 4  # patients per arm


@dataclass(frozen=True)
class Setting:
    """Cohorts to plan: spread of each arm (or of pairs) in log odds, and the odds ratio."""

    sd: tuple[float, ...]
    ratio: float
    fraction: float = 0.1
    sides: int = 1  # samples of a patient
    errors: CallErrors = field(default_factory=CallErrors)
    arms: float = 1.0


SETTINGS = {
    "between": Setting((0.6, 0.6), 2.5),
    "between, one arm varies twice as much": Setting((1.0, 0.5), 3),
    "between, 1 % of cells": Setting((0.6, 0.6), 2.5, fraction=0.01),
    "between, twice as many test patients": Setting((0.6, 0.6), 2.5, arms=2),
    "between, calls with errors": Setting((0.6, 0.6), 2.5, errors=CallErrors(0.8, 0.02)),
    "change": Setting((0.5, 0.5), 2.5, sides=2),
    "paired": Setting((0.6,), 2.0, sides=2),
}


def measure(n_cohorts: int) -> Iterator[Figure]:
    """Measure plans: simulated minus planned power, and plans from pilots that reach the power."""
    rng = np.random.default_rng(1)
    yield from _real_donors(n_cohorts, rng)
    for name, setting in SETTINGS.items():
        spread = _known_spread(setting)
        difference = _observed(setting, spread)
        sizes = patients_needed(spread, difference, power=POWER, ratio=setting.arms)
        assert sizes is not None
        planned = spread.power(difference, sizes)
        found = _simulated_power(setting, sizes, n_cohorts, rng)
        words = f"{name}: {' + '.join(map(str, sizes))} patients, planned power"
        yield Figure("planning", words, planned, POWER)
        words = f"{name}: simulated minus planned power"
        yield Figure("planning", words, found - planned, -CLOSE, CLOSE)
    reached = _plans_of_pilots(SETTINGS["between"], min(n_cohorts, 1000), rng)
    words = f"plans from {PILOT} and {PILOT} patients that reach {POWER:g}"
    yield Figure("planning", f"{words}: by the estimated spread", reached[0])
    yield Figure("planning", f"{words}: by its upper limit", reached[1], 0.75, 0.9)


def _real_donors(n_cohorts: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Plan with the spread of real donors, and test cohorts that are drawn from them."""
    if not DONORS.is_file():
        return
    fractions = pd.read_csv(DONORS, sep="\t", index_col=0)
    for name in MYELOID:
        row = fractions.loc[name].to_numpy(dtype=float)
        values = np.log(row / (1 - row))
        variance = float(values.var())
        spread = Spread((variance,) * 2, (0.0, 0.0), (np.inf,) * 2, float(np.median(row)), np.nan)
        sizes = patients_needed(spread, RATIO_OF_DONORS, power=POWER)
        assert sizes is not None
        arms = [rng.choice(values, (n_cohorts, n)) for n in sizes]
        found = _share_found([arms[0] + RATIO_OF_DONORS, arms[1]])
        planned = spread.power(RATIO_OF_DONORS, sizes)
        words = f"real donors, {name}: {' + '.join(map(str, sizes))}, SD {variance**0.5:.2f}"
        yield Figure("planning", f"{words}: planned power", planned, POWER)
        yield Figure("planning", f"{words}: drawn minus planned", found - planned, -CLOSE, CLOSE)


def _observed(setting: Setting, spread: Spread) -> float:
    """Return the difference of called cells."""
    return observed_difference(
        float(np.log(setting.ratio)),
        fraction=spread.fraction,
        sd=float(np.sqrt(spread.patients[-1])),
        errors=setting.errors,
    )


def _known_spread(setting: Setting) -> Spread:
    """Return the spread that draws many patients: of values, without and with counting."""
    rng = np.random.default_rng(0)
    patients, counting = [], []
    for place in range(len(setting.sd)):
        values, counted = _draw(setting, place, (100_000,), rng)
        counting.append(float(counted.mean()))
        patients.append(max(float(values.var(ddof=1)) - counting[-1], 0.0))
    errors = setting.errors
    called = errors.false_rate + (errors.sensitivity - errors.false_rate) * setting.fraction
    known = (np.inf,) * len(setting.sd)
    return Spread(tuple(patients), tuple(counting), known, called, CELLS)


def _draw(
    setting: Setting, place: int, shape: tuple[int, ...], rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw values of patients of an arm and their counting variances; arm 0 has the difference."""
    base = np.log(setting.fraction / (1 - setting.fraction))
    effect = np.log(setting.ratio) if place == 0 else 0.0
    own = rng.normal(0, setting.sd[place], shape)
    sides = [base + effect + own, np.full(shape, base)][: setting.sides]
    values, counting = [], []
    for log_odds in sides:
        true = rng.binomial(CELLS, 1 / (1 + np.exp(-log_odds)))
        called = rng.binomial(true, setting.errors.sensitivity)
        called = called + rng.binomial(CELLS - true, setting.errors.false_rate)
        values.append(np.log((called + 0.5) / (CELLS - called + 0.5)))
        counting.append(counting_variance(called, np.full(shape, CELLS)))
    value = values[0] - values[1] if setting.sides == 2 else values[0]
    return np.asarray(value), np.asarray(sum(counting))


def _simulated_power(
    setting: Setting, sizes: tuple[int, ...], n_cohorts: int, rng: np.random.Generator
) -> float:
    """Return the share of cohorts with p < 0.05, each tested as a row is."""
    arms = [_draw(setting, i, (n_cohorts, n), rng)[0] for i, n in enumerate(sizes)]
    return _share_found(arms)


def _share_found(arms: list[Array]) -> float:
    """Return the share of cohorts with p < 0.05: one row per cohort in each arm (or of pairs)."""
    sizes = [arm.shape[1] for arm in arms]
    ones = np.ones(sum(sizes))
    if len(sizes) == 1:
        p = effect_test(arms[0], ones[:, None], 0).p
    else:
        is_test = np.repeat([1.0, 0.0], sizes)
        p = effect_test(np.concatenate(arms, axis=1), np.column_stack([ones, is_test]), 1).p
    return float(np.mean(p < ALPHA))


def _plans_of_pilots(
    setting: Setting, n_pilots: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the share of pilots whose plan reaches the power, by estimate and by upper limit."""
    truth = _known_spread(setting)
    difference = _observed(setting, truth)
    shape, reached = (n_pilots, PILOT), np.zeros(2)
    arms = [_draw(setting, place, shape, rng) for place in range(len(setting.sd))]
    for i in range(n_pilots):
        whole = [float(values[i].var(ddof=1)) for values, _ in arms]
        counting = [min(float(c[i].mean()), v) for (_, c), v in zip(arms, whole, strict=True)]
        own = tuple(v - c for v, c in zip(whole, counting, strict=True))
        pilot = Spread(own, tuple(counting), (PILOT - 1.0,) * len(own), truth.fraction, CELLS)
        for k, spread in enumerate((pilot, pilot.upper_limit())):
            sizes = patients_needed(spread, difference, power=POWER)
            reached[k] += sizes is None or truth.power(difference, sizes) >= POWER
    by_estimate, by_limit = (reached / n_pilots).tolist()
    return by_estimate, by_limit
