"""Simulate cohorts as tables of cells per sample and population, and test many of them at once.

For calibration and power of the abundance tests, without count matrices: patients and samples have
normal effects on the log weight of every population, and cells are drawn from the resulting
proportions.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special

from lammscope.abundance.comparisons import MIN_EXPECTED, SEPARABLE, compare
from lammscope.abundance.fractions import Measure, families, unit_values
from lammscope.abundance.populations import Question, test_abundance
from lammscope.abundance.weighted import SCALES, add_weighted, sampling_variances
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.config import read_schema
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.design import design_matrix, tested_column
from lammscope.cohort.permutation import Permutations, permutation_p
from lammscope.core.names import LAMM, LAMM_ROWS
from lammscope.simulate.plan import CAR_T_WEIGHT, CohortSettings
from lammscope.simulate.profiles import read_programs
from lammscope.stats.effect import effect_test
from lammscope.stats.weighted import weighted_test

Key = tuple[str, str, str]  # population, denominator, scale
Floats = NDArray[np.float64]
PValues = dict[str, dict[Key, Floats]]  # kind of p, row -> one value per cohort
Counts = NDArray[np.int64]

# The benchmarks test with the defaults of the config.
DEFAULTS = read_schema("config")["properties"]["abundance"]["properties"]
TEST: dict[str, Any] = {key: entry["default"] for key, entry in DEFAULTS.items()}
TEST |= {"seed": 1, "sorts": {}}
PERMUTATIONS = Permutations(TEST["max_exact"], TEST["n_draws"], TEST["seed"])
P_VALUES = ("p", "p_permutation")
ARMS = {"test": "non_responder", "reference": "responder"}
QUESTIONS: dict[str, dict[str, Any]] = {
    "between": {"kind": "between", **ARMS, "where": {"phase": "pre"}},
    "paired": {
        "kind": "paired",
        "test": "post",
        "reference": "pre",
        "where": {"response": "non_responder"},
    },
    "change": {"kind": "change", **ARMS},
}
LAMM_TYPE = "LA_macrophage"  # here all cells of this type, and no others, are LAMM cells
LINEAGE = {
    "B": "B",
    "CAR_T": "T",
    "CD4_T": "T",
    "CD8_T": "T",
    "Classical_monocyte": "monocytic",
    LAMM_TYPE: "monocytic",
    "Macrophage": "monocytic",
    "Malignant_B": "malignant",
    "NK": "NK",
}
# % of the cells of a sample; LAMM cells are a fifth of the monocytic cells
FEW = dict(zip(LINEAGE, [9, 1.2, 28, 15, 15, 4.5, 2.3, 1.5, 9], strict=True))
MORE = {"MAIT": "T", "Gamma_delta_T": "T", "Plasma": "B"}


@dataclass(frozen=True)
class TableSettings:
    """A cohort: patients, composition, spread, depth and planted effects (natural logarithms)."""

    n_test: int = 6
    n_reference: int = 6
    composition: str = "few"  # 9 populations; "demo": 17 of the demo cohort; "demo and more": 20
    patient_sd: float = 0.35  # sd of a population's log weight between patients
    sample_sd: float = 0.20  # sd between samples of a patient
    lamm_spread: float = 1.0  # factor of both sd for LAMM
    spread_sd: float = 0.0  # sd of the log of this factor for other populations
    test_spread: float = 1.0  # factor of both sd in the test arm
    lamm_test_spread: float = 1.0  # the same for LAMM alone
    tails: float = np.inf  # degrees of freedom of the effects, at the same sd
    cells: float = 4000.0  # median cells per sample
    cells_sd: float = 0.4  # sd of their logarithm
    shallow: float = 0.0  # share of samples with a tenth of their cells
    test_cells: float = 1.0  # factor of the cells of the test arm
    lamm_share: float | None = None  # fraction of all cells; None: as in the composition
    lamm_shift: float = 0.0  # shift of the log weight of LAMM in the test arm
    shifted_phases: tuple[str, ...] = ("pre", "post")  # with this shift
    shifted: tuple[str, ...] = (LAMM_TYPE,)  # populations with this shift
    product_shift: float = 0.0  # shift of LAMM in one product; products unbalanced
    b_shift: float = 0.0  # shift of the log weight of B after infusion
    b_arms: tuple[str, ...] = ("non_responder", "responder")  # arms with this shift


@cache
def sample_sheet(settings: TableSettings) -> pd.DataFrame:
    """Make the samples of a cohort, before and after infusion of each patient; do not modify."""
    sizes = {"responder": settings.n_reference, "non_responder": settings.n_test}
    unbalanced = settings.product_shift != 0
    rows = []
    for arm, size in sizes.items():
        for i in range(size):
            axi = i % 2 == 0
            if unbalanced:  # all patients of an arm but one have the same product
                axi = (i == 0) == (arm == "responder")
            rows += [
                {
                    "sample": f"{arm}_{i}_{phase}",
                    "patient": f"{arm}_{i}",
                    "timepoint": phase,
                    "phase": phase,
                    "response": arm,
                    "response_label": arm,
                    "product": "axi" if axi else "tisa",
                }
                for phase in ("pre", "post")
            ]
    return pd.DataFrame(rows).assign(compartment="blood", sort="none", batch="b", counts="x.h5")


@cache
def composition(settings: TableSettings) -> pd.DataFrame:
    """Return lineage and mean share of each population; do not modify."""
    if settings.composition in ("demo", "demo and more"):
        # plasma cells are among `MORE`: R saw tables without them
        types, demo = read_programs().types.drop(index="Plasma"), CohortSettings()
        types = types.rename(index={LAMM: LAMM_TYPE})
        monocytic = types["lineage"] == "monocytic"
        share = types["fraction"].fillna(0.0)
        share["CAR_T"] = CAR_T_WEIGHT
        share[monocytic] *= (1 - demo.lamm_fraction) / share[monocytic].sum()
        share[LAMM_TYPE] = demo.lamm_fraction
        share[monocytic] *= demo.monocytic_fraction
        share[~monocytic] *= (1 - demo.monocytic_fraction) / share[~monocytic].sum()
        table = pd.DataFrame({"lineage": types["lineage"], "share": share})
        if settings.composition == "demo and more":
            for name, lineage in MORE.items():
                table.loc[name] = (lineage, 0.02)
            table["share"] /= table["share"].sum()
    else:
        table = pd.DataFrame({"lineage": LINEAGE, "share": FEW})
        table["share"] /= table["share"].sum()
    if settings.lamm_share is not None:
        others = table["share"].drop(LAMM_TYPE)
        table["share"] = (1 - settings.lamm_share) / others.sum() * others
        table.loc[LAMM_TYPE, "share"] = settings.lamm_share
    return table.sort_index()


def lineages(settings: TableSettings) -> dict[str, str]:
    """Return the lineage of each population, in the order of the counts."""
    return {str(name): str(lineage) for name, lineage in composition(settings)["lineage"].items()}


def draw_counts(
    settings: TableSettings,
    rng: np.random.Generator,
    *,
    n_cohorts: int,
    shift: Floats | float = 0.0,
) -> Counts:
    """Draw the cells of many cohorts: cohorts x samples (of `sample_sheet`) x populations.

    `shift` is added to the log weight of LAMM, in all samples or in each.
    """
    samples, table = sample_sheet(settings), composition(settings)
    lamm, b = (table.index.get_loc(name) for name in (LAMM_TYPE, "B"))
    patients, patient = np.unique(samples["patient"], return_inverse=True)
    shape = (n_cohorts, len(samples), len(table))
    spread = np.exp(settings.spread_sd * rng.standard_normal((n_cohorts, 1, len(table))))
    spread[:, :, lamm] = settings.lamm_spread
    test = (samples["response"] == "non_responder").to_numpy()
    spread = spread * np.where(test, settings.test_spread, 1.0)[:, None]
    spread[:, :, lamm] *= np.where(test, settings.lamm_test_spread, 1.0)
    own = _effects(settings, rng, (n_cohorts, len(patients), len(table)))[:, patient]
    effects = settings.patient_sd * own
    effects += settings.sample_sd * _effects(settings, rng, shape)
    logs = np.log(table["share"].to_numpy()) + spread * effects
    shifted = test & samples["phase"].isin(settings.shifted_phases).to_numpy()
    for name in settings.shifted:
        logs[:, shifted, table.index.get_loc(name)] += settings.lamm_shift
    logs[:, (samples["product"] == "axi").to_numpy(), lamm] += settings.product_shift
    logs[:, :, lamm] += shift
    falls = (samples["phase"] == "post") & samples["response"].isin(settings.b_arms)
    logs[:, falls.to_numpy(), b] += settings.b_shift
    depth = settings.cells * np.exp(settings.cells_sd * rng.standard_normal(shape[:2]))
    if settings.shallow:
        depth *= np.where(rng.random(depth.shape) < settings.shallow, 0.1, 1.0)
    cells = np.rint(depth * np.where(test, settings.test_cells, 1.0)).astype(np.int64)
    return rng.multinomial(cells, special.softmax(logs, axis=2))


def contrast_of(kind: str, samples: pd.DataFrame, *, adjust: tuple[str, ...] = ()) -> Contrast:
    """Make the contrast of a kind; pairs are of the test arm, as in the default contrasts."""
    entry = {**QUESTIONS[kind], **({"adjust": list(adjust)} if adjust else {})}
    return contrasts_from_config({kind: entry}, samples)[0]


def run_whole(
    counts: Counts,
    samples: pd.DataFrame,
    contrast: Contrast,
    lineage: Mapping[str, str],
    *,
    permute: bool = True,
) -> pd.DataFrame:
    """Test one cohort (samples x populations) with `test_abundance`."""
    wide = pd.DataFrame(counts, columns=list(lineage)).assign(sample=samples["sample"])
    long = wide.melt(id_vars="sample", var_name="population", value_name="n_cells")
    long = long.assign(lineage=long["population"].map(lineage), partition=True)
    called = long[long["population"] == LAMM_TYPE].assign(population=LAMM, partition=False)
    long = pd.concat([long, called], ignore_index=True)
    rules = {key: TEST[key] for key in ("min_cells", "exclude_pre_post", "sorts")}
    question = Question(long, Comparison(samples, contrast), **rules)
    return test_abundance(question, permutations=PERMUTATIONS if permute else Permutations(1, 1, 1))


def run_many(
    counts: Counts,
    samples: pd.DataFrame,
    contrast: Contrast,
    lineage: Mapping[str, str],
    *,
    kinds: Sequence[str] = P_VALUES,
    populations: Collection[str] | None = None,
) -> PValues:
    """Compute the p-values of every row for many cohorts; NaN if a row is not tested.

    The measures, the model and the permutations are those of the package, called once for all
    cohorts. Rows with too few cells are found here for all cohorts at once. `compare` tests the
    rows of cohorts that lose a sample. `differences` checks that the results agree.

    Parameters
    ----------
    counts
        Cohorts x samples x populations, populations as in `lineage`.
    kinds
        Some of `P_VALUES`, or `p_weighted`.
    populations
        Populations whose rows are tested; None for all.

    Returns
    -------
    dict
        For each of `kinds`: (population, denominator, scale) -> one value per cohort.
    """
    comparison = Comparison(samples, contrast)
    units = comparison.units
    position = {name: i for i, name in enumerate(samples["sample"])}
    sides = [c for c in units if str(c).startswith("samples")]
    at = [[position[names[0]] for names in units[side]] for side in sides]
    about = pd.DataFrame({"lineage": lineage, "partition": True})
    about.loc[LAMM] = ("monocytic", False)
    excluded = comparison.left_out(TEST["exclude_pre_post"])
    # populations x units x sides x cohorts, so that measures are computed for all cohorts at once
    cube = counts[:, at].transpose(3, 2, 1, 0).astype(float)
    cells = dict(zip(lineage, cube, strict=True))
    cells[LAMM] = cells[LAMM_TYPE]
    measures = [m for family in families(cells, about, excluded) for m in family]
    wanted = [m for m in measures if populations is None or m.population in populations]
    result: PValues = {name: {} for name in kinds}
    for measure in wanted:
        whole = _whole(measure)
        tested = whole & _testable(measure, contrast.groups(units))
        for scale in ["log_ratio"] if measure.ratio else ["logit", "arcsine"]:
            key = (measure.population, measure.denominator, scale)
            at_once = _p_values(_of(measure, tested), scale, units, contrast, kinds)
            singly = _compared(_of(measure, ~whole), scale, units, contrast, kinds)
            for name in kinds:
                result[name][key] = np.full(len(counts), np.nan)
                result[name][key][tested] = at_once[name]
                result[name][key][~whole] = singly[name]
    return result


def differences(many: PValues, number: int, table: pd.DataFrame) -> list[Key]:
    """List rows in which `run_many` and `run_whole` differ for the same cohort."""
    found = []
    for name, values in many.items():
        expected = dict(zip(keys_of(table), table[name], strict=True))
        found += [
            key
            for key in expected.keys() | values.keys()
            if key not in expected
            or key not in values
            or not np.isclose(values[key][number], expected[key], rtol=1e-9, atol=0, equal_nan=True)
        ]
    return sorted(found)


def keys_of(table: pd.DataFrame) -> list[Key]:
    """Return population, denominator and scale of each row."""
    return list(zip(table["population"], table["denominator"], table["scale"], strict=True))


def false_discovery_rates(many: Mapping[Key, Floats]) -> dict[Key, Floats]:
    """Adjust p by Benjamini-Hochberg over the populations of each denominator and scale."""
    groups: dict[tuple[str, str], list[Key]] = {}
    for key in many:
        if key[2] != "log_ratio" and key[0] not in (LAMM, "monocytic"):
            groups.setdefault(key[1:], []).append(key)
    rates: dict[Key, Floats] = {}
    for keys in groups.values():
        p = np.array([many[key] for key in keys])
        order = np.argsort(p, axis=0)  # missing p come last
        rank = np.arange(1, len(keys) + 1)[:, None]
        steps = np.take_along_axis(p, order, axis=0) * np.isfinite(p).sum(axis=0) / rank
        steps = np.fmin.accumulate(steps[::-1])[::-1]
        rate = np.empty_like(p)
        np.put_along_axis(rate, order, steps, axis=0)
        rates |= dict(zip(keys, np.where(np.isfinite(p), rate, np.nan), strict=True))
    return rates


def _effects(settings: TableSettings, rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    """Draw effects with standard deviation 1 from a normal or a t distribution."""
    if np.isinf(settings.tails):
        return rng.standard_normal(shape)
    return np.asarray(rng.standard_t(settings.tails, shape) * np.sqrt(1 - 2 / settings.tails))


def _whole(measure: Measure) -> NDArray[np.bool_]:
    """Mark cohorts in which every sample has enough cells of the denominator."""
    total = measure.total + measure.count if measure.ratio else measure.total
    return np.asarray((total >= TEST["min_cells"]).all(axis=(0, 1)))


def _testable(measure: Measure, arm: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Mark cohorts in which the package tests the row: enough expected cells, not nearly all."""
    count, total = measure.count.sum(axis=(0, 1)), measure.total.sum(axis=(0, 1))
    depth = [measure.total[arm == name].mean(axis=0).min(axis=0) for name in np.unique(arm)]
    share = count / np.maximum(total, 1)
    tested = (count > 0) & (np.min(depth, axis=0) * share >= MIN_EXPECTED)
    if measure.denominator == "monocytic" and measure.population in LAMM_ROWS:
        tested &= share <= SEPARABLE
    return np.asarray(tested)


def _of(measure: Measure, cohorts: NDArray[np.bool_] | int) -> Measure:
    return replace(measure, count=measure.count[..., cohorts], total=measure.total[..., cohorts])


def _p_values(
    measure: Measure, scale: str, units: pd.DataFrame, contrast: Contrast, kinds: Sequence[str]
) -> dict[str, Floats]:
    """Compute each kind of p for all cohorts at once."""
    if measure.count.size == 0:
        return {name: np.empty(0) for name in kinds}
    values = unit_values(measure, np.ones(len(units), dtype=bool), scale).T
    table = design_matrix(units, contrast.adjust)
    design, at = table.to_numpy(), tested_column(table)
    found = {"p": effect_test(values, design, at).p}
    if "p_weighted" in kinds:
        groups = units["arm"].to_numpy()
        sampling = sampling_variances(measure, np.ones(len(units), dtype=bool), groups).T
        known = scale in SCALES
        found["p_weighted"] = (
            weighted_test(values, sampling, design, at).p if known else np.full(len(values), np.nan)
        )
    if "p_permutation" in kinds:
        scheme = contrast.permutations(units, max_exact=TEST["max_exact"], n_draws=TEST["n_draws"])
        found["p_permutation"] = permutation_p(values, design, at, scheme, seed=TEST["seed"])
    return {name: found[name] for name in kinds}


def _compared(
    measure: Measure, scale: str, units: pd.DataFrame, contrast: Contrast, kinds: Sequence[str]
) -> dict[str, Floats]:
    """Compute each kind of p for each cohort with the patients that it keeps."""
    permutations = PERMUTATIONS if "p_permutation" in kinds else None
    family = [_of(measure, i) for i in range(measure.count.shape[-1])]
    rows = compare(
        family,
        units,
        contrast,
        scale=scale,
        min_cells=TEST["min_cells"],
        permutations=permutations,
    )
    if "p_weighted" in kinds:
        rows = add_weighted(rows, family, units, contrast, min_cells=TEST["min_cells"])
    return {name: np.array([row[name] for row in rows], dtype=float) for name in kinds}
