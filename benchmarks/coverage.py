"""Intervals of differences in LAMM cells between arms, when calls are imperfect.

    python -m benchmarks.coverage [cohorts] [--work FOLDER] [--data FOLDER] [--cores N]

1. *Error rates* are measured on labeled real cells: mixtures of tissue macrophages among monocytes
   of a blood sample (`mixtures`), one half of the labeled cells, called by the package. FOLDER
   may have a finished run of `benchmarks.lamm_calls together`; otherwise the workflow runs first.
2. *Cohorts* are tables of true cells (`count_tables`) with a planted difference of the arms: each
   is of one laboratory (one mixture), and each cell's probability is drawn from those of labeled
   cells of its kind in a mixture with a similar number of macrophages.
3. *Correction*: recall by number of cells as the package measures it (`annotate.recall`) in a
   cohort of the same mixture, from the other half of the cells and without labels.
4. *Tests* are those of the package: of called cells, of sums of probabilities (`expected`), of
   corrected numbers, and of true cells, which shows the model alone.

The planted difference is that of the model: the shift of the log weight of the cells in the test
arm. Log odds of a patient shift by the same number whatever the effects of the patient, so it is
the mean difference of patients' log odds, not the log odds ratio of mean fractions.

Prints coverage of the 95 % intervals, bias, mean width and the share of p < 0.05. The exit status
is 1 if the coverage of corrected numbers (macrophage-like) or of sums of probabilities (positive)
is outside its limits where they are promised.
"""

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.count_tables import (
    ARMS,
    LAMM_TYPE,
    LINEAGE,
    QUESTIONS,
    TEST,
    Counts,
    Floats,
    TableSettings,
    draw_counts,
    lineages,
    sample_sheet,
)
from benchmarks.lamm_calls import CALLED, LYMPHOCYTES, Called, run_sets
from benchmarks.mixtures import N_NEIGHBORS, Mixture, read_mixtures
from benchmarks.real_cells import DATA, read_sets
from lammscope.abundance.fractions import Measure, families, unit_values
from lammscope.abundance.populations import Question
from lammscope.abundance.robustness import test_robustness
from lammscope.annotate.recall import ALL_GROUPS, correct_numbers, measure_recall
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, tested_column
from lammscope.core.names import ALPHA, LAMM, LAMM_ROWS, LEVELS
from lammscope.stats.effect import effect_test

LOW, HIGH = 0.93, 0.97  # of the coverage
MEASURED = ("coverage", "bias", "width", "p < 0.05")
BEST = {"macrophage_like": "corrected", "positive": "expected"}  # numbers with these limits
PLANTED = (0.0, 0.5, 1.0)
CONTRASTS: dict[str, dict[str, Any]] = {
    "baseline": QUESTIONS["between"],
    "after infusion": {"kind": "between", **ARMS, "where": {"phase": "post"}},
    "change": QUESTIONS["change"],
}
MONOCYTES = tuple(name for name, lineage in LINEAGE.items() if lineage == "monocytic")
# Edges of probabilities: cells are called from the last but three.
EDGES = np.array([0, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 0.99, 2])
MIXED_COHORTS = 8  # called for error rates, and half as many for recall, of each mixture
MIXED_SAMPLES = 12


@dataclass(frozen=True)
class Scenario:
    """Cohorts of one kind; `promised` if coverage has limits."""

    settings: TableSettings
    level: str = "macrophage_like"
    promised: bool = True


# % of all cells, and the median number in a sample of 4,000 cells.
SCENARIOS = {
    "positive, 22 % of cells": Scenario(TableSettings(shifted=MONOCYTES), level="positive"),
    "5 %, 200 a sample": Scenario(TableSettings()),
    "1 %, 40 a sample": Scenario(TableSettings(lamm_share=0.01)),
    "0.5 %, 20 a sample": Scenario(TableSettings(lamm_share=0.005)),
    "0.3 %, 12 a sample": Scenario(TableSettings(lamm_share=0.003)),
    "0.1 %, 4 a sample": Scenario(TableSettings(lamm_share=0.001), promised=False),
}


@dataclass(frozen=True)
class ErrorRates:
    """Probabilities of labeled cells of one mixture, in bins (`EDGES`), and curves of recall.

    Attributes
    ----------
    numbers
        Macrophages in each of n_samples.
    macrophages, monocytes
        Level -> n_samples x bins, shares.
    lymphocytes
        Level -> bins, shares.
    curves
        From `measure_recall`, one for each cohort of the other half of the cells.
    """

    numbers: np.ndarray
    macrophages: Mapping[str, Floats]
    monocytes: Mapping[str, Floats]
    lymphocytes: Mapping[str, Floats]
    curves: Sequence[pd.DataFrame]


def measure_rates(
    mixture: Mixture, lymphocytes: pd.DataFrame, true: np.ndarray, rng: np.random.Generator
) -> ErrorRates:
    """Call cohorts of a mixture with numbers of macrophages drawn from `true`."""
    labeled, other = mixture.half(0), mixture.half(1)
    found = []
    for _ in range(MIXED_COHORTS):
        numbers = labeled.sizes(rng.choice(true, MIXED_SAMPLES))
        cells = labeled.call(numbers, rng).cells
        cells = cells[cells["true"] | cells["row"].isin(labeled.monocytes)]
        found += [part for _, part in cells.groupby("sample")]
    curves = []
    for at in range(MIXED_COHORTS // 2):
        called = other.call(other.sizes(rng.choice(true, MIXED_SAMPLES)), rng)
        curves.append(
            measure_recall(called, probability=CALLED, n_neighbors=N_NEIGHBORS, seed=at, threads=1)
        )
    run = labeled.called.cells
    macrophages, monocytes = (
        {
            # Recall of positive cells does not depend on their number, but neighbors of all
            # samples count: that of the run.
            "positive": np.tile(_binned(run.loc[rows, "lamm_positive"]), (len(found), 1)),
            "macrophage_like": np.array(
                [_binned(part.loc[part["true"] == kind, "lamm_macrophage_like"]) for part in found]
            ),
        }
        for kind, rows in ((True, labeled.macrophages), (False, labeled.monocytes))
    )
    numbers = np.array([part["true"].sum() for part in found])
    outside = {level: _binned(lymphocytes[f"lamm_{level}"]) for level in LEVELS}
    return ErrorRates(numbers, macrophages, monocytes, outside, curves)


def _binned(probabilities: pd.Series) -> Floats:
    """Return the share of cells in each bin; all in the first if there are none."""
    counts = np.histogram(probabilities, EDGES)[0].astype(float)
    counts[0] += counts.sum() == 0
    return np.asarray(counts / counts.sum())


def labeled_lymphocytes(called: Called) -> pd.DataFrame:
    """Return the labeled lymphocytes of blood of a run."""
    cells = called.cells
    chosen = np.zeros(len(cells), dtype=bool)
    for name in ("pbmc_facs", "kang_ifnb"):
        starts = tuple(LYMPHOCYTES[name].split("|"))
        chosen |= ((cells["set"] == name) & cells["label"].str.startswith(starts)).to_numpy()
    return cells[chosen]


def pass_through(
    counts: Counts, settings: TableSettings, rates: ErrorRates, level: str, rng: np.random.Generator
) -> dict[str, Floats]:
    """Draw called and expected cells of each sample (cohorts x samples), and correct them."""
    kind = np.array([_kind(name) for name in lineages(settings)])
    cells = {name: counts[..., kind == name].sum(axis=-1) for name in np.unique(kind)}
    numbers = cells["macrophage"]
    apart = np.abs(np.log(numbers[..., None] + 0.5) - np.log(rates.numbers + 0.5))
    at = (apart + 1e-6 * rng.random(apart.shape)).argmin(axis=-1)  # random among equally near ones
    bins = rng.multinomial(numbers, rates.macrophages[level][at])
    bins = bins + rng.multinomial(cells["monocyte"], rates.monocytes[level][at])
    bins = bins + rng.multinomial(cells["other"], rates.lymphocytes[level])
    middle = (EDGES[:-1] + np.minimum(EDGES[1:], 1)) / 2
    called = bins[..., EDGES[:-1] >= CALLED].sum(axis=-1).astype(float)
    true = numbers if level == "macrophage_like" else numbers + cells["monocyte"]
    found = {"true": true.astype(float), "called": called, "expected": bins @ middle}
    if level == "macrophage_like":
        corrected = np.array(
            [_corrected(row, rates.curves[i % len(rates.curves)]) for i, row in enumerate(called)]
        )
        found["corrected"] = np.minimum(corrected, numbers + cells["monocyte"])
    return found


def _kind(population: str) -> str:
    if population == LAMM_TYPE:
        return "macrophage"
    return "monocyte" if population in MONOCYTES else "other"


def _corrected(called: Floats, curve: pd.DataFrame) -> Floats:
    own = _of_mixture(curve)
    numbers = {key: own[key].to_numpy(dtype=float) for key in ("n_cells", "recall")}
    return correct_numbers(called, **numbers)


def _of_mixture(curve: pd.DataFrame) -> pd.DataFrame:
    return curve[curve["group"] != ALL_GROUPS]


def intervals(
    found: Floats, counts: Counts, settings: TableSettings, contrast: Contrast
) -> pd.DataFrame:
    """Test numbers of LAMM cells (cohorts x samples) as a fraction of immune cells, all at once."""
    samples = sample_sheet(settings)
    comparison = Comparison(samples, contrast)
    units = comparison.units
    measure = _measure(found, counts, settings, comparison)
    values = unit_values(measure, np.ones(len(units), dtype=bool), "logit").T
    table = design_matrix(units, contrast.adjust)
    test = effect_test(values, table.to_numpy(), tested_column(table))
    half = stats.t.ppf(0.975, test.df) * test.se
    return pd.DataFrame({"estimate": test.estimate, "half": half, "p": test.p})


def check_first(
    found: Mapping[str, Floats],
    counts: Counts,
    settings: TableSettings,
    contrast: Contrast,
    level: str,
) -> None:
    """Test the first cohort with `test_robustness`, too.

    Raises
    ------
    RuntimeError
        If an estimate, p or the lower end of an interval differs.
    """
    samples, lineage = sample_sheet(settings), lineages(settings)
    wide = pd.DataFrame(counts[0], columns=list(lineage))
    called = pd.DataFrame(dict.fromkeys(LAMM_ROWS, found["called"][0].astype(int)))
    long = wide.join(called).assign(sample=samples["sample"])
    long = long.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long["lineage"] = long["population"].map(lineage).fillna("monocytic")
    long["partition"] = ~long["population"].isin(LAMM_ROWS)
    scores = pd.DataFrame({"sample": samples["sample"], "n_scored": 1, "total_score": 0.0})
    scores[f"expected_{level}"] = found["expected"][0]
    scores["corrected_macrophage_like"] = found.get("corrected", found["called"])[0]
    rules = {key: TEST[key] for key in ("min_cells", "exclude_pre_post", "sorts")}
    table = test_robustness(
        Question(long, Comparison(samples, contrast), **rules, scores=scores),
        pd.DataFrame(
            {"sample": samples["sample"], "level": level, "threshold": CALLED, "n_cells": 0}
        ),
        denominator="immune",
        level=level,
        probability=CALLED,
    ).set_index("analysis")
    rows = {"called": "main", "expected": "expected", "corrected": "corrected"}
    for what in found.keys() & rows.keys():
        row = table.loc[rows[what]]
        if row["status"] == "too_few_cells":  # not tested by the package
            continue
        (own,) = intervals(found[what][:1], counts[:1], settings, contrast).to_dict("records")
        expected = [own["estimate"], own["estimate"] - own["half"], own["p"]]
        if not np.allclose(row[["estimate", "ci_low", "p"]].astype(float), expected):
            raise RuntimeError(f"{contrast.name}: test_robustness differs in {what}")


def _measure(
    found: Floats, counts: Counts, settings: TableSettings, comparison: Comparison
) -> Measure:
    position = {name: i for i, name in enumerate(comparison.samples["sample"])}
    units = comparison.units
    sides = [c for c in units if str(c).startswith("samples")]
    at = [[position[names[0]] for names in units[side]] for side in sides]
    lineage = lineages(settings)
    cube = counts[:, at].transpose(3, 2, 1, 0).astype(float)
    cells = dict(zip(lineage, cube, strict=True)) | {LAMM: found[:, at].transpose(2, 1, 0)}
    about = pd.DataFrame({"lineage": lineage, "partition": True})
    about.loc[LAMM] = ("monocytic", False)
    for family in families(cells, about, comparison.left_out(TEST["exclude_pre_post"])):
        for measure in family:
            if (measure.population, measure.denominator) == (LAMM, "immune"):
                return measure
    raise RuntimeError("no row of LAMM cells of immune cells")


def main() -> int:
    """Measure error rates, simulate cohorts, print coverage, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=2000)
    parser.add_argument("--scenario", nargs="+", choices=list(SCENARIOS), default=list(SCENARIOS))
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    if not given.data.exists():
        print(f"coverage\tskipped: {given.data} does not exist")
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.work or Path(temporary)).resolve() / "together"
        folder.mkdir(parents=True, exist_ok=True)
        called = run_sets(folder, read_sets(given.data), cores=given.cores)
        mixtures = list(read_mixtures(called, folder))
    lymphocytes = labeled_lymphocytes(called)
    missed = 0
    for name in given.scenario:
        missed += run_scenario(name, mixtures, lymphocytes, n_cohorts=given.cohorts)
    return int(missed > 0)


def run_scenario(
    name: str, mixtures: Sequence[Mixture], lymphocytes: pd.DataFrame, *, n_cohorts: int
) -> int:
    """Print the figures of a scenario, and return how many missed a limit."""
    scenario = SCENARIOS[name]
    rng = np.random.default_rng([1, list(SCENARIOS).index(name)])
    samples = sample_sheet(scenario.settings)
    true = draw_counts(scenario.settings, rng, n_cohorts=50)
    lamm = list(lineages(scenario.settings)).index(LAMM_TYPE)
    rates = [
        measure_rates(mixture, lymphocytes, true[..., lamm].ravel(), rng) for mixture in mixtures
    ]
    print_rates(name, mixtures, rates)
    missed = 0
    print("scenario", "contrast", "planted", "numbers", *MEASURED, sep="\t")
    for (question, entry), planted in product(CONTRASTS.items(), PLANTED):
        contrast = contrasts_from_config({"tested": entry}, samples)[0]
        phases = ("post",) if question == "change" else ("pre", "post")
        settings = replace(scenario.settings, lamm_shift=planted, shifted_phases=phases)
        tables: dict[str, list[pd.DataFrame]] = {}
        for part in rates:
            counts = draw_counts(settings, rng, n_cohorts=-(-n_cohorts // len(rates)))
            found = pass_through(counts, settings, part, scenario.level, rng)
            for what, numbers in found.items():
                table = intervals(numbers, counts, settings, contrast)
                tables.setdefault(what, []).append(table)
        check_first(found, counts, settings, contrast, scenario.level)
        for what, parts in tables.items():
            values = measured(pd.concat(parts), planted)
            limited = scenario.promised and what == BEST[scenario.level]
            outside = limited and not LOW <= values[0] <= HIGH
            missed += outside
            words = "MISSED" if outside else ""
            texts = [f"{value:.3f}" for value in values]
            print(name, question, planted, what, *texts, words, sep="\t", flush=True)
    return missed


def measured(table: pd.DataFrame, planted: float) -> tuple[float, ...]:
    """Return the values named in `MEASURED`."""
    error = table["estimate"] - planted
    covered = error.abs() <= table["half"]
    significant = table["p"] < ALPHA
    means = (covered, error, 2 * table["half"], significant)
    return tuple(float(column.mean()) for column in means)


def print_rates(name: str, mixtures: Sequence[Mixture], rates: Sequence[ErrorRates]) -> None:
    """Print which shares of labeled cells are called, and the recall that the package measures."""
    print(
        "scenario", "blood", "tissue", "called, by number", "recall measured", "monocytes", sep="\t"
    )
    for mixture, part in zip(mixtures, rates, strict=True):
        macrophages, monocytes = (
            shares["macrophage_like"][:, EDGES[:-1] >= CALLED].sum(axis=1)
            for shares in (part.macrophages, part.monocytes)
        )
        size = 2 ** np.log2(np.maximum(part.numbers, 1)).astype(int)
        found = pd.Series(macrophages).groupby(size).mean()
        curve = _of_mixture(part.curves[0]).set_index("n_cells")["recall"]
        by_number = (
            " ".join(f"{number}:{share:.2f}" for number, share in each.items())
            for each in (found, curve)
        )
        about = (name, mixture.blood, mixture.tissue)
        print(*about, *by_number, f"{monocytes.mean():.4f}", sep="\t", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
