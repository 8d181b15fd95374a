"""False positives of the joint test over all specifications, in cohorts without a difference.

Simulated tables of counts: patients differ in their monocytic and LAMM cells, folders (other cells
and calls) agree with each other as those of the demo and of real cohorts do, two levels, two
probabilities, two denominators and two scales. Eight patients against eight, four against four, and
five against eleven; some patients have too few cells in some folders. Where the smaller arm varies
twice as much, values are drawn themselves: a wider spread of parts would shift mean fractions.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pandas as pd

from benchmarks.figures import Figure
from lammscope.abundance.fractions import Measure, unit_values
from lammscope.abundance.robustness import log_odds_slope
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.design import MIN_PATIENTS
from lammscope.cohort.permutation import Permutations
from lammscope.core.names import ALPHA, LAMM, Array
from lammscope.outcome.joint_test import test_jointly
from lammscope.outcome.specifications import Defined

PART = "multiverse"
# Non-responders, responders, and how much more the former vary.
ARMS = ((4, 4, 1.0), (8, 8, 1.0), (5, 11, 1.0), (5, 11, 2.0))
LIMITS = 0.035, 0.07
N_FOLDERS = 3
SPREAD, OF_FOLDER = 0.8, 0.15  # standard deviations of log odds: of patients, and of folders
N_CELLS = 60, 1500  # of a sample, the least and the most
SHARES = np.array([0.24, 0.45, 0.21, 0.10])  # monocytic cells, T, B, NK
UNCERTAIN = 0.15  # of cells that are not called, those that a lower probability calls
SCALES = ((False, "logit"), (False, "arcsine"), (True, "log_ratio"))
MIN_CELLS = 50
ALIKE = 0.8  # correlation of specifications whose values are drawn
N_DRAWS = 499  # p in steps of 1 in 500; 4 against 4 patients have 70 assignments


def measure(n_cohorts: int) -> Iterator[Figure]:
    """Yield the share of cohorts with a joint p under 0.05, for both statistics."""
    for n_test, n_reference, wider in ARMS:
        comparison = _comparison(n_test, n_reference)
        rng = np.random.default_rng(19)
        found, alike = [], []
        for _ in range(n_cohorts):
            defined = list(
                _wider_values(comparison, wider, rng)
                if wider != 1
                else _specifications(comparison, rng)
            )
            draws = Permutations(max_exact=100, n_draws=N_DRAWS, seed=int(rng.integers(2**31)))
            joint = test_jointly(defined, comparison, draws)
            if joint is not None:
                found.append((joint.p_median, joint.p_share))
            whole = [each.values for each in defined if len(each.values) == n_test + n_reference]
            if len(whole) > 1:
                alike.append(_middle_correlation(np.array(whole)))
        arms = f"{n_test}+{n_reference} patients" + f", spread x {wider:g}" * (wider != 1)
        names = ("median estimate", "share with p < 0.05")
        for name, p in zip(names, np.array(found).T, strict=True):
            share = float((p < ALPHA).mean())
            yield Figure(PART, f"joint p < 0.05, {name}, {arms}", share, *LIMITS)
        yield Figure(PART, f"median correlation of specifications, {arms}", float(np.mean(alike)))
        yield Figure(PART, f"cohorts tested, {arms}", float(len(found)), low=0.99 * n_cohorts)


def _middle_correlation(values: Array) -> float:
    """Return the median correlation between rows."""
    between = np.asarray(np.corrcoef(values))
    return float(np.median(between[np.triu_indices(len(values), 1)]))


def _comparison(n_test: int, n_reference: int) -> Comparison:
    names = [f"P{number:02d}" for number in range(n_test + n_reference)]
    arms = ["non_responder"] * n_test + ["responder"] * n_reference
    samples = pd.DataFrame({"sample": names, "patient": names, "response": arms})
    samples = samples.assign(timepoint="pre", phase="pre", compartment="blood", sort="none")
    contrast = make_contrast(
        name="baseline",
        kind="between",
        column="response",
        test="non_responder",
        reference="responder",
        where={},
        adjust=(),
        match=(),
        choose=None,
    )
    return Comparison(samples, contrast)


def _wider_values(
    comparison: Comparison, wider: float, rng: np.random.Generator
) -> Iterator[Defined]:
    """Draw values of specifications that agree with each other, more spread in the test arm."""
    patients = tuple(comparison.units["patient"].astype(str))
    n, n_specifications = len(patients), N_FOLDERS * 2 * 2 * len(SCALES)
    spread = SPREAD * np.where(comparison.units["arm"] == "test", wider, 1.0)
    common, others = rng.normal(size=n), np.full((n, 1), 1 / np.sqrt(n))
    for _ in range(n_specifications):
        own = np.sqrt(ALIKE) * common + np.sqrt(1 - ALIKE) * rng.normal(size=n)
        yield Defined(patients, spread * own, others, 1.0)


def _specifications(comparison: Comparison, rng: np.random.Generator) -> Iterator[Defined]:
    """Simulate a cohort without a difference, and yield the values of its specifications."""
    patients = comparison.units["patient"].to_numpy(dtype=str)
    arm = comparison.units["arm"].to_numpy(dtype=str)
    n = len(patients)
    n_cells = np.exp(rng.uniform(*np.log(N_CELLS), size=n)).astype(int)
    parts = np.log(SHARES) + SPREAD * rng.normal(size=(n, len(SHARES)))
    calls = (1.0 + SPREAD * rng.normal(size=n), -1.0 + 1.5 * SPREAD * rng.normal(size=n))
    for _ in range(N_FOLDERS):
        shifted = np.exp(parts + OF_FOLDER * rng.normal(size=parts.shape))
        counts = rng.multinomial(n_cells, shifted / shifted.sum(axis=1, keepdims=True))
        below = counts[:, 0]  # monocytic cells
        for level in calls:
            own = level + OF_FOLDER * rng.normal(size=n)
            surely = rng.binomial(below, 1 / (1 + np.exp(-own)))
            more = surely + rng.binomial(below - surely, UNCERTAIN)
            below = surely
            for count, (ratio, scale) in product((surely, more), SCALES):
                whole = counts[:, 1] if ratio else n_cells
                offsets = (0.5, 0.5) if ratio else (0.5, 0.5 * len(SHARES))
                fraction = Measure(
                    LAMM, "", count[:, None], whole[:, None], *offsets, False, ratio=ratio
                )
                keep = fraction.enough_cells(MIN_CELLS)
                if min((arm[keep] == name).sum() for name in ("test", "reference")) < MIN_PATIENTS:
                    continue
                values = unit_values(fraction, keep, scale)
                if np.ptp(values) > 0:
                    others = np.full((keep.sum(), 1), 1 / np.sqrt(keep.sum()))
                    slope = log_odds_slope(fraction, scale=scale)
                    yield Defined(tuple(patients[keep]), values, others, slope)
