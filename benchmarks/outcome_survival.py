"""Survival: false positives, coverage and power of the tests of a marker in small cohorts.

Times are exponential in the marker, patients enter over a while, and follow-up ends with the last
of the required events. In every second cohort, times are rounded up to months, so that many tie.
With a covariate, it changes the hazard and is correlated with the marker, which has no effect.
R's statistics are computed here in NumPy; `tests/golden/test_survival.py` compares them with R.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure
from lammscope.stats import Array
from lammscope.stats.cox import firth_cox
from lammscope.stats.cox_tests import permutation_p, score_test
from lammscope.stats.distributions import chi2_upper
from lammscope.stats.risk_sets import RiskSets

PART = "survival"
ALPHA = 0.05
HAZARD_RATIO = 2.5  # per standard deviation of the marker
SIZES = ((10, 5), (16, 5), (16, 10), (30, 5), (30, 10), (30, 20))  # patients and events
ADJUSTED = ((16, 10), (30, 10), (30, 20))
COVARIATE_EFFECT, CORRELATION = 0.7, 0.6
N_DRAWS = 1999
MEDIAN = 180.0  # days without an effect
MONTH = 30.0
MAX_STEPS, TOLERANCE = 60, 1e-10


@dataclass(frozen=True)
class Cohort:
    """Follow-up of patients in days, and their marker."""

    time: Array
    event: NDArray[np.bool_]
    marker: Array


def measure(cohorts: int) -> Iterator[Figure]:
    """Measure all figures, each in so many cohorts."""
    for marker in ("normal", "skewed"):
        for n, n_events in SIZES:
            yield from _figures(cohorts, n, n_events, marker)
        for n, n_events in ADJUSTED:
            for covariate in ("numeric", "categorical"):
                yield from _adjusted_figures(cohorts, n, n_events, marker, covariate)


def draw(
    rng: np.random.Generator, n: int, n_events: int, marker: str, *, effect: float, months: bool
) -> Cohort:
    """Draw a cohort whose follow-up ends with the last of `n_events` events."""
    x = rng.normal(size=n) if marker == "normal" else rng.exponential(size=n) - 1
    return follow(rng, x, effect * x, n_events, months=months)


def follow(
    rng: np.random.Generator, x: Array, log_hazard: Array, n_events: int, *, months: bool
) -> Cohort:
    """Draw times of patients with a marker and log hazards relative to the average."""
    survival = rng.exponential(MEDIAN / np.log(2), len(x)) * np.exp(-log_hazard)
    end = np.sort(survival)[n_events - 1]
    entry = rng.uniform(0, 0.4 * end, len(x))
    end = np.sort(entry + survival)[n_events - 1]
    event = entry + survival <= end
    unit = MONTH if months else 1.0
    return Cohort(np.ceil(np.minimum(survival, end - entry) / unit) * unit, event, x)


def statistics_of_r(time: Array, event: NDArray[np.bool_], x: Array) -> dict[str, float]:
    """Return p of what R offers: Wald, likelihood ratio, score, and log-rank by the median."""
    risk = RiskSets.of(time, event, x[:, None])
    coef, height, slope, curvature = 0.0, *_likelihood(risk, 0.0)
    start = height
    for _ in range(MAX_STEPS):
        step = slope / curvature if curvature > 0 else 0.0
        new = _likelihood(risk, coef + step)
        while new[0] < height and abs(step) > TOLERANCE:
            step /= 2
            new = _likelihood(risk, coef + step)
        gain, coef, (height, slope, curvature) = new[0] - height, coef + step, new
        if abs(gain) < TOLERANCE:
            break
    high = (x > np.median(x)).astype(float)
    chi = {
        "Wald": coef**2 * curvature,
        "likelihood ratio": 2 * (height - start),
        "score": score_test(time, event, x).z ** 2,
        "log-rank of the median": score_test(time, event, high).z ** 2,
    }
    return {name: float(chi2_upper(max(value, 0.0), 1)) for name, value in chi.items()}


def _figures(cohorts: int, n: int, n_events: int, marker: str) -> Iterator[Figure]:
    what = f"{n} patients, {n_events} events, {marker} marker"
    figure = partial(Figure, PART)
    power: dict[str, float] = {}
    fair: dict[str, float] = {}  # power if p is below 0.05 in 5 % of cohorts without an effect
    limits: dict[str, float] = {}  # p that a share of ALPHA is below without an effect
    for effect in (0.0, float(np.log(HAZARD_RATIO))):
        p, covered, finite = _run(cohorts, n, n_events, marker, effect=effect)
        shares = {name: float(np.mean(values < ALPHA)) for name, values in p.items()}
        name = f"hazard ratio {np.exp(effect):g}"
        yield figure(f"{what}: interval covers, {name}", covered, 0.93, 0.97)
        yield figure(f"{what}: finite fits, {name}", finite, 1.0)
        if not effect:
            yield figure(f"{what}: p < 0.05 without effect", shares.pop("ours"), 0.035, 0.07)
            limits = {name: float(np.quantile(values, ALPHA)) for name, values in p.items()}
            for method, share in shares.items():
                yield figure(f"{what}: p < 0.05 without effect, {method}", share)
        else:
            power = shares
            fair = {name: float(np.mean(values <= limits[name])) for name, values in p.items()}
    ours = power.pop("ours")
    yield figure(f"{what}: power", ours)
    for method, share in power.items():
        yield figure(f"{what}: power, {method}", share)
    yield figure(f"{what}: power less the best of R's", ours - max(power.values()), -0.05)
    difference = fair.pop("ours") - max(fair.values())
    yield figure(f"{what}: power less the best of R's, all at a level of 5 %", difference, -0.05)


def _adjusted_figures(
    cohorts: int, n: int, n_events: int, marker: str, kind: str
) -> Iterator[Figure]:
    """Measure the test given a covariate: residuals, or within the strata of a category."""
    rng = np.random.default_rng([n, n_events, marker == "skewed", kind == "numeric", 9])
    p, likelihood, covered = np.full(cohorts, np.nan), np.full(cohorts, np.nan), 0
    for number in range(cohorts):
        covariate = rng.normal(size=n)
        strata = np.zeros(n)
        if kind == "categorical":
            covariate = np.where(covariate > 0, 1.0, -1.0)
            covariate[0] *= -1 if np.ptp(covariate) == 0 else 1
            strata = covariate
        orders = np.tile(np.arange(n), (N_DRAWS, 1))
        for stratum in np.unique(strata):
            members = np.flatnonzero(strata == stratum)
            orders[:, members] = rng.permuted(orders[:, members], axis=1)
        noise = rng.normal(size=n) if marker == "normal" else rng.exponential(size=n) - 1
        x = CORRELATION * covariate + np.sqrt(1 - CORRELATION**2) * noise
        cohort = follow(rng, x, COVARIATE_EFFECT * covariate, n_events, months=number % 2 == 1)
        data = cohort.time, cohort.event
        fit = firth_cox(*data, np.column_stack([x, covariate]))
        others = covariate[:, None]
        p[number] = permutation_p(*data, x, orders, covariates=others, exact=False).p
        likelihood[number] = fit.p
        covered += fit.ci_low <= 0 <= fit.ci_high
    what = f"{n} patients, {n_events} events, {marker} marker, {kind} covariate"
    yield Figure(PART, f"{what}: interval covers", covered / cohorts, 0.93, 0.97)
    yield Figure(PART, f"{what}: p < 0.05", float(np.mean(p < ALPHA)), 0.035, 0.07)
    share = float(np.mean(likelihood < ALPHA))
    yield Figure(PART, f"{what}: p < 0.05, penalized likelihood ratio", share)


def _run(
    cohorts: int, n: int, n_events: int, marker: str, *, effect: float
) -> tuple[dict[str, Array], float, float]:
    """Return p of all cohorts by method, and the shares of intervals that cover and finite fits."""
    rng = np.random.default_rng([n, n_events, marker == "skewed", effect > 0])
    orders = rng.permuted(np.tile(np.arange(n), (N_DRAWS, 1)), axis=1)
    rows: list[dict[str, float]] = []
    covered = finite = 0
    for number in range(cohorts):
        cohort = draw(rng, n, n_events, marker, effect=effect, months=number % 2 == 1)
        data = cohort.time, cohort.event, cohort.marker
        fit = firth_cox(*data)
        covered += fit.ci_low <= effect <= fit.ci_high
        finite += bool(np.isfinite([fit.estimate, fit.se[0], fit.p]).all())
        ours = permutation_p(*data, orders, exact=False).p
        rows.append({"ours": ours, "penalized likelihood ratio": fit.p, **statistics_of_r(*data)})
    p = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return p, covered / cohorts, finite / cohorts


def _likelihood(risk: RiskSets, coef: float) -> tuple[float, float, float]:
    """Return the log likelihood of one column, its slope and its negative curvature."""
    weight, log_sum = risk.weights(np.array([coef]))
    mean = weight @ risk.x[:, 0]
    spread = (weight @ risk.x[:, 0] ** 2) - mean**2
    height = float(risk.total[0] * coef - log_sum.sum())
    return height, float(risk.total[0] - mean.sum()), float(spread.sum())
