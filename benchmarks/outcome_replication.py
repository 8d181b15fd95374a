"""Pairs of simulated cohorts: how often the second replicates or contradicts, and coverage.

Patients have log odds of LAMM cells that differ between them, and binomial counts of their cells;
both cohorts go through the test of the workflow. The first cohort is one that was noticed: its
interval excludes 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from benchmarks.figures import Figure
from lammscope.abundance.comparisons import compare
from lammscope.abundance.fractions import OFFSET, Measure
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.core.names import ALPHA, Array
from lammscope.outcome.replication import CONTRADICTED, PART, REPLICATED, judge_replication
from lammscope.stats.meta import combine_effects

PART_NAME = "replication"
SPREAD = 0.6  # of log odds between patients of an arm; 1.3 times as much in the test arm
WIDER = 1.3
CELLS = 600  # median immune cells of a patient
BASE = 0.08  # LAMM cells among them
EFFECT = 1.0  # difference in log odds
SIZES = ((8, 8), (8, 20), (20, 8), (15, 15))  # patients per arm: first cohort, second cohort
HETEROGENEITY = (0.0, 0.4)  # standard deviation of effects between cohorts
N_COHORTS = (2, 3, 5)


@dataclass(frozen=True)
class Tested:
    """Estimates of cohorts: one value per cohort."""

    estimate: Array
    se: Array
    df: Array
    low: Array
    high: Array

    @classmethod
    def of(cls, rows: list[dict[str, Any]]) -> "Tested":
        """Read the rows of `compare`."""
        names = ("estimate", "se", "df", "ci_low", "ci_high")
        return cls(*(np.array([row[name] for row in rows], dtype=float) for name in names))

    @property
    def noticed(self) -> Array:
        """The cohorts whose interval excludes 0: estimates, and their bounds nearer to 0."""
        nearest = np.where(self.low > 0, self.low, self.high)
        return np.array([self.estimate, nearest])[:, (self.low > 0) | (self.high < 0)]


def comparison(n_per_arm: int) -> Comparison:
    """Return a comparison of so many patients in each arm."""
    arms = ["responder", "non_responder"] * n_per_arm
    names = [f"P{i}" for i in range(2 * n_per_arm)]
    samples = pd.DataFrame({"sample": names, "patient": names, "response": arms})
    samples = samples.assign(timepoint="D0", phase="pre", compartment="blood", sort="none")
    contrast: Contrast = make_contrast(
        kind="between", name="baseline", column="response", test="non_responder",
        reference="responder", where={"phase": ("pre",)}, adjust=(), match=(), choose=None,
    )  # fmt: skip
    return Comparison(samples, contrast)


def simulate(n_per_arm: int, effects: Array, rng: np.random.Generator) -> Tested:
    """Simulate and test one cohort for each true effect (difference in log odds)."""
    asked = comparison(n_per_arm)
    test = (asked.units["arm"] == "test").to_numpy()
    shape = (len(effects), len(test))
    total = np.round(CELLS * np.exp(0.4 * rng.standard_normal(shape))).astype(int) + 30
    odds = np.log(BASE / (1 - BASE)) + np.outer(effects, test)
    odds = odds + SPREAD * np.where(test, WIDER, 1.0) * rng.standard_normal(shape)
    count = rng.binomial(total, expit(odds))
    family = [
        Measure("LAMM", "immune", n[:, None], m[:, None], OFFSET, 10 * OFFSET, partition=False)
        for n, m in zip(count, total, strict=True)
    ]
    rows = compare(
        family, asked.units, asked.contrast, scale="logit", min_cells=20, permutations=None
    )
    return Tested.of(rows)


def noticed_estimates(n_per_arm: int, effect: float, n: int, rng: np.random.Generator) -> Array:
    """Return so many first cohorts whose interval excludes 0, 2 x n: see `Tested.noticed`."""
    found = [np.empty((2, 0))]
    while sum(each.shape[1] for each in found) < n:
        tested = simulate(n_per_arm, np.full(n, effect), rng)
        found.append(tested.noticed)
    return np.concatenate(found, axis=1)[:, :n]


def verdicts(first: Array, second: Tested) -> pd.Series:
    """Return the shares of the verdicts on pairs of cohorts."""
    numbers = zip(*first, second.estimate, second.se, second.df, strict=True)
    found = [
        judge_replication(one, nearest, estimate=estimate, se=se, df=df)["verdict"]
        for one, nearest, estimate, se, df in numbers
    ]
    return pd.Series(found).value_counts(normalize=True)


def pair_figures(n: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Measure verdicts on pairs of cohorts."""
    for sizes in SIZES:
        words = f"{sizes[0]} then {sizes[1]} patients per arm"
        first = noticed_estimates(sizes[0], EFFECT, n, rng)
        null = verdicts(first, simulate(sizes[1], np.zeros(n), rng))
        share = float(null.get(REPLICATED, 0.0))
        yield Figure(PART_NAME, f"replicated, no effect in the second, {words}", share, 0.03, 0.06)
        share = float(null.get(CONTRADICTED, 0.0))
        yield Figure(PART_NAME, f"contradicted, no effect in the second, {words}", share)
        same = verdicts(first, simulate(sizes[1], np.full(n, EFFECT), rng))
        yield Figure(
            PART_NAME, f"contradicted, same effect, {words}",
            float(same.get(CONTRADICTED, 0.0)), high=0.05,
        )  # fmt: skip
        yield Figure(
            PART_NAME, f"replicated, same effect, {words}", float(same.get(REPLICATED, 0.0))
        )
        mean = float(first[0].mean() / EFFECT)
        yield Figure(PART_NAME, f"first estimate relative to the truth, {words}", mean)


def weak_figures(n: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Measure verdicts where the first cohort was too small for its effect, a winner's curse."""
    for effect, size in ((0.5, 20), (0.25, 20), (0.25, 60)):
        words = f"effect {effect}, 8 then {size} patients per arm"
        first = noticed_estimates(8, effect, n, rng)
        share = float((PART * first[0] > effect).mean())
        yield Figure(PART_NAME, f"half of the first estimate exceeds the truth, {words}", share)
        second = simulate(size, np.full(n, effect), rng)
        share = float(verdicts(first, second).get(CONTRADICTED, 0.0))
        yield Figure(PART_NAME, f"contradicted, same effect, {words}", share, high=0.05)


def coverage_figures(n: int, rng: np.random.Generator) -> Iterator[Figure]:
    """Measure the coverage of the intervals of several cohorts."""
    for spread in HETEROGENEITY:
        for k in N_COHORTS:
            effects = EFFECT + spread * rng.standard_normal((k, n))
            sizes = [(6, 10, 15, 8, 20)[i] for i in range(k)]
            tested = [simulate(size, own, rng) for size, own in zip(sizes, effects, strict=True)]
            other = EFFECT + spread * rng.standard_normal(n)
            common, fixed, predicted, narrow = [], [], [], []
            for i in range(n):
                estimates, se = (
                    np.array([getattr(each, name)[i] for each in tested])
                    for name in ("estimate", "se")
                )
                found = combine_effects(estimates, se, alpha=ALPHA)
                common.append(_inside(EFFECT, found.interval))
                fixed.append(_inside(EFFECT, found.fixed_interval))
                predicted.append(_inside(float(other[i]), found.prediction))
                lengths = [high - low for low, high in (found.interval, found.fixed_interval)]
                narrow.append(lengths[0] < lengths[1])
            words = f"{k} cohorts, effects with SD {spread}"
            yield Figure(PART_NAME, f"coverage, {words}", float(np.mean(common)), low=0.93)
            yield Figure(PART_NAME, f"coverage of a fixed effect, {words}", float(np.mean(fixed)))
            yield Figure(
                PART_NAME, f"narrower than a fixed effect, {words}", float(np.mean(narrow)), high=0
            )
            if k > 2:
                share = float(np.mean(predicted))
                yield Figure(PART_NAME, f"coverage of the prediction interval, {words}", share)


def measure(n: int) -> Iterator[Figure]:
    """Measure all figures of this part with so many pairs of cohorts each."""
    rng = np.random.default_rng(1)
    yield from pair_figures(n, rng)
    yield from weak_figures(n, rng)
    yield from coverage_figures(n, rng)


def _inside(value: float, interval: tuple[float, float]) -> bool:
    return interval[0] <= value <= interval[1]
