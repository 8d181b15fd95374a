"""False positives of the neighborhood tests in simulated cohorts without a difference.

    python -m benchmarks.neighborhood_null [cohorts] [--kind ...] [--scenario ...] [--models]

Cells are points in eight dimensions, each population along an axis of cell states. Patients and
samples have normal effects on the log weight of every population, and on the states of its cells.
Neighborhoods are sampled and tested by the package with the defaults of the config.

Prints, in % of neighborhoods or cohorts: neighborhoods that are `tested`; `p` < 0.05 among them,
and among those of the population with the largest spread (`p widest`); cohorts with `any`
discovery. If a difference is planted (a third of the states of classical monocytes is more
frequent): cohorts in which it is `found`, the number of neighborhoods (`n found`), and the share of
`false` discoveries. `--models` adds other models: no moderation, a prior variance that depends on
the mean, and voom weights. The exit status is 1 outside the promised limits. With fewer than about
150 cohorts this can happen by chance.
"""

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from benchmarks.count_tables import (
    LAMM_TYPE,
    QUESTIONS,
    TableSettings,
    composition,
    contrast_of,
    sample_sheet,
)
from lammscope.abundance.fractions import sum_sides
from lammscope.abundance.neighborhood_tests import spatial_fdr, test_neighborhoods
from lammscope.abundance.neighborhoods import Neighborhoods, sample_neighborhoods
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, tested_column
from lammscope.stats import linear
from lammscope.stats.voom import voom

ALPHA, MAX_SPATIAL_FDR = 0.05, 0.1
LOW, HIGH, HIGH_ANY = 0.035, 0.07, 0.13  # the last allows for chance in 200 cohorts
LOST = ["B", "Malignant_B", "CAR_T"]  # left out of the library if phases are compared
MIN_CELLS, MIN_EXPECTED = 20, 2.0
N_DIMENSIONS, WIDEST, PLANTED = 8, "Malignant_B", "Classical_monocyte"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scenario:
    """A cohort: patients per arm, spread, depth and planted effect."""

    patients: int = 6
    patient_sd: float = 0.35  # sd of a population's log weight between patients
    widest: float = 3.0  # factor of this sd for malignant B cells
    sample_sd: float = 0.20  # sd between samples of a patient
    state_sd: float = 0.25  # sd of the states of a population; they span 3
    cells: float = 400.0  # per sample
    cells_sd: float = 0.0  # sd of their logarithm
    test_cells: float = 1.0  # factor of the cells of the test arm
    post_cells: float = 1.0  # factor of the cells of samples after infusion
    fold: float = 1.0  # planted fold change of the upper third of the states


SCENARIOS = {
    "equal spread": Scenario(widest=1),
    "one population x 3": Scenario(),
    "unequal depth": Scenario(cells_sd=0.7, cells=500),
    "test arm a third as deep": Scenario(test_cells=1 / 3, cells_sd=0.3, cells=600),
    "post samples a third as deep": Scenario(post_cells=1 / 3, cells_sd=0.3, cells=600),
    "large spread": Scenario(patient_sd=0.8, widest=1.5),
    "arms of 4": Scenario(patients=4),
    "arms of 12": Scenario(patients=12, cells=250),
    "doubled, arms of 10": Scenario(patients=10, fold=2),
    "tripled, arms of 6": Scenario(fold=3),
}


@dataclass(frozen=True)
class Cohort:
    """Neighborhoods of a simulated cohort, its cells, and the share of planted cells in each."""

    neighborhoods: Neighborhoods
    labels: pd.DataFrame
    samples: pd.DataFrame
    planted: Floats


def simulate(scenario: Scenario, kind: str, rng: np.random.Generator) -> Cohort:
    """Draw the cells of a cohort and sample its neighborhoods."""
    settings = TableSettings(n_test=scenario.patients, n_reference=scenario.patients)
    samples, shares = sample_sheet(settings), composition(settings)["share"]
    names, fixed = shares.index.to_numpy(dtype=object), np.random.default_rng(2)
    centers = fixed.normal(0, 2.5, (len(names), N_DIMENSIONS))
    axes = fixed.normal(0, 0.7, (len(names), N_DIMENSIONS))
    centers[names == LAMM_TYPE] = centers[names == PLANTED] + 3 * axes[names == PLANTED]
    patients, patient = np.unique(samples["patient"], return_inverse=True)
    spread = scenario.patient_sd * np.where(names == WIDEST, scenario.widest, 1.0)
    test = (samples["response"] == "non_responder").to_numpy()
    post = (samples["phase"] == "post").to_numpy()
    own = rng.standard_normal((2, len(patients), len(names)))[:, patient]
    weights = np.log(shares.to_numpy()) + spread * (own[0] + 0.7 * post[:, None] * own[1])
    weights += scenario.sample_sd * rng.standard_normal(weights.shape)
    shift = scenario.state_sd * rng.standard_normal((len(patients), len(names)))[patient]
    depth = scenario.cells * np.exp(scenario.cells_sd * rng.standard_normal(len(samples)))
    depth *= np.where(test, scenario.test_cells, 1) * np.where(post, scenario.post_cells, 1)
    risen = test & (post if kind != "between" else ~post)
    tables, states = [], []
    for i, sample in enumerate(samples["sample"]):
        drawn = max(int(depth[i]), 60)
        code = rng.choice(len(names), size=drawn, p=special.softmax(weights[i]))
        state = rng.uniform(-1.5, 1.5, drawn)
        if risen[i]:
            inside = (names[code] == PLANTED) & (state > 0.5)
            odds = np.where(inside, scenario.fold, 1.0)
            again = rng.choice(drawn, size=drawn, p=odds / odds.sum())
            code, state = code[again], state[again]
        position = state + shift[i][code] + 0.1 * rng.standard_normal()
        states.append(centers[code] + position[:, None] * axes[code])
        labels = pd.DataFrame({"sample": sample, "population": names[code]})
        tables.append(labels.assign(planted=(names[code] == PLANTED) & (state > 0.5)))
    labels = pd.concat(tables, ignore_index=True)
    labels["cell"] = [f"{name}_{i}" for i, name in enumerate(labels["sample"])]
    space = np.concatenate(states) + 0.4 * rng.standard_normal((len(labels), N_DIMENSIONS))
    neighborhoods = sample_neighborhoods(
        space,
        labels,
        share=0.1,
        max_number=2000,
        cells_per_sample=5,
        min_size=50,
        seed=1,
        threads=1,
    )
    planted = labels["planted"].to_numpy()[neighborhoods.members].mean(axis=1)
    return Cohort(neighborhoods, labels, samples, planted)


def measure(cohort: Cohort, contrast: Contrast, *, models: bool) -> dict[str, float]:
    """Compute the rates of one cohort in one contrast; without tests only `tested`."""
    table = test_neighborhoods(
        cohort.neighborhoods,
        cohort.labels,
        Comparison(cohort.samples, contrast),
        min_cells=MIN_CELLS,
        min_expected=MIN_EXPECTED,
        exclude_pre_post=LOST,
    )
    tested = (table["status"] == "ok").to_numpy()
    row = {"tested": float(tested.mean())}
    if not tested.any():
        return row
    planted = (cohort.planted > 0.3) & (table["log2fc"] > 0).to_numpy()
    widest = (table["population"] == WIDEST).to_numpy()
    values = {"": table["p"].to_numpy()[tested]}
    if models:
        values[" unmoderated"] = table["p_unmoderated"].to_numpy()[tested]
        values |= {name: model(cohort, contrast, tested) for name, model in MODELS.items()}
    for name, p in values.items():
        rate = spatial_fdr(p, distance=cohort.neighborhoods.distance[tested])
        found = rate <= MAX_SPATIAL_FDR
        true = found & planted[tested]
        row[f"p{name}"] = float((p < ALPHA).mean())
        if widest[tested].any():
            row[f"p widest{name}"] = float((p[widest[tested]] < ALPHA).mean())
        row[f"any{name}"] = float(found.any())
        row[f"found{name}"], row[f"n found{name}"] = float(true.any()), float(true.sum())
        row[f"false{name}"] = float((found & ~true).sum() / max(int(found.sum()), 1))
    return row


def trend_p(cohort: Cohort, contrast: Contrast, tested: NDArray[np.bool_]) -> Floats:
    """Test with a prior variance that depends on the mean log frequency."""
    cells, library, design, at = _counts(cohort, contrast, tested)
    values = np.log2((cells + 0.5) / (library + 1))
    differences = values[:, 0] - values[:, 1] if values.shape[1] == 2 else values[:, 0]
    fit = linear.lm_fit(differences, design)
    fit = linear.Fit(**{**vars(fit), "mean": values.mean(axis=(1, 2))})
    return np.asarray(linear.moderate(fit, robust=True, trend=True).p_value[:, at])


def voom_p(cohort: Cohort, contrast: Contrast, tested: NDArray[np.bool_]) -> Floats:
    """Test with voom weights; with two sides, each patient has its own level."""
    cells, library, design, at = _counts(cohort, contrast, tested)
    n_units = cells.shape[2]
    if cells.shape[1] == 2:
        levels = np.vstack([np.eye(n_units)] * 2)
        design = np.column_stack([np.vstack([design, 0 * design]), levels])
    # cells outside the tested neighborhoods are one more feature, so that the library is complete
    cells, library = cells.reshape(len(cells), -1), library.reshape(-1)
    cells = np.vstack([cells, np.maximum(library - cells.sum(axis=0), 0)])
    factors = library / cells.sum(axis=0)
    weighted = voom(cells, design, norm_factors=factors)
    fit = linear.lm_fit(weighted.y[:-1], design, weights=weighted.weights[:-1])
    return np.asarray(linear.moderate(fit, robust=True, trend=False).p_value[:, at])


MODELS: dict[str, Callable[[Cohort, Contrast, NDArray[np.bool_]], Floats]] = {
    " trend": trend_p,
    " voom": voom_p,
}


def _counts(
    cohort: Cohort, contrast: Contrast, tested: NDArray[np.bool_]
) -> tuple[Floats, Floats, Floats, int]:
    """Return cells and library of the units, their design, and the position of the effect."""
    comparison = Comparison(cohort.samples, contrast)
    units, excluded = comparison.units, comparison.left_out(LOST)
    labels = cohort.labels[~cohort.labels["population"].isin(excluded)]
    counts = pd.DataFrame(cohort.neighborhoods.counts.T, index=cohort.neighborhoods.samples)
    sizes = labels["sample"].value_counts().reindex(counts.index, fill_value=0)
    library = sum_sides(sizes.to_frame(), units)[0]
    design = design_matrix(units, contrast.adjust)
    cells = sum_sides(counts, units)[tested]
    return cells, library, design.to_numpy(), tested_column(design)


def run(
    scenario: Scenario, kinds: list[str], n_cohorts: int, *, seed: list[int], models: bool
) -> dict[str, pd.Series]:
    """Average the rates per kind of contrast; without a planted effect all kinds share cohorts."""
    rows: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    for number in range(n_cohorts):
        cohort = None
        for kind in kinds:
            if cohort is None or scenario.fold != 1:
                cohort = simulate(scenario, kind, np.random.default_rng([*seed, number]))
            contrast = contrast_of(kind, cohort.samples)
            rows[kind].append(measure(cohort, contrast, models=models))
    return {kind: pd.DataFrame(found).mean() for kind, found in rows.items()}


def outside_limits(rates: pd.Series, scenario: Scenario) -> list[str]:
    """List the rates outside their limits, if nothing is planted."""
    if scenario.fold != 1 or "p" not in rates:
        return []
    wrong = {"p": not LOW <= rates["p"] <= HIGH, "any": rates["any"] > HIGH_ANY}
    return [name for name, flag in wrong.items() if flag]


def main() -> int:
    """Run the chosen scenarios and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=200)
    parser.add_argument("--kind", nargs="+", choices=list(QUESTIONS), default=list(QUESTIONS))
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--models", action="store_true", help="also test other models")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    failed = False
    for name in given.scenario:
        scenario, seed = SCENARIOS[name], [given.seed, list(SCENARIOS).index(name)]
        means = run(scenario, given.kind, given.cohorts, seed=seed, models=given.models)
        for kind, rates in means.items():
            outside = outside_limits(rates, scenario)
            failed |= bool(outside)
            shown = [
                f"{key} {value * (1 if 'n found' in str(key) else 100):.1f}"
                for key, value in rates.items()
                if scenario.fold != 1 or not re.match("found|n found|false", str(key))
            ]
            print(name, kind, ", ".join(shown), *outside, sep="\t", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
