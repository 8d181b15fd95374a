"""Genes that seem to differ because ambient RNA does, in cohorts mixed from real cells.

    python -m benchmarks.ambient_expression [cohorts] [--data FOLDER] [--set NAME ...]
                                          [--scenario NAME ...]

Libraries are those of `real_libraries`: contamination and expected ambient UMIs are estimated as in
the workflow. Patients of `carpall` are assigned to arms at random. Populations do not differ,
except in the scenarios of planted differences. Prints figures with their limits; the exit status is
1 if a limit is missed.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.figures import Figure, print_figures
from benchmarks.real_libraries import (
    CELL_SETS,
    CellSet,
    Recipe,
    mix_library,
    patient_levels,
    read_cell_set,
)
from benchmarks.workflow import ROOT
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_kinds import make_contrast
from lammscope.cohort.contrasts import Contrast
from lammscope.cohort.permutation import Permutations
from lammscope.core.verdicts import SUPPORTED
from lammscope.expression.genes import test_expression
from lammscope.expression.pseudobulk import build_pseudobulk

DATA = ROOT.parent / "shared" / "data"
N_PER_ARM = 6
PERMUTATIONS = Permutations(max_exact=1000, n_draws=1000, seed=1)
FDR = 0.05
BEYOND, MAX_LOST = 0.05, 0.1
N_PLANTED, FOLD, MIN_PER_MILLION = 200, 3, 50
SAMPLE_SD = 0.15  # of the log levels of the samples of one patient
B_GENES = ("IGKC", "CD79A", "CD74")
TEST, REFERENCE = "non_responder", "responder"


@dataclass(frozen=True)
class Scenario:
    """What differs between the samples of a cohort.

    Attributes
    ----------
    shares
        Share of each population in the samples of the reference (before infusion, for pairs) and of
        the test side. T cells fill up what is missing.
    ambient
        Share of ambient RNA in all UMIs; drawn for each library from 2 to 12 % if it is None.
    paired
        Whether phases of the same patients are compared, instead of arms.
    filtered
        Whether there are no empty droplets.
    planted
        Populations whose genes really differ.
    """

    name: str
    shares: tuple[Mapping[str, float], Mapping[str, float]]
    ambient: float | None = 0.06
    paired: bool = False
    filtered: bool = False
    planted: tuple[str, ...] = field(default=())


MANY, FEW = {"monocyte": 0.5, "NK": 0.1, "B": 0.1}, {"monocyte": 0.2, "NK": 0.16, "B": 0.16}
EQUAL = {"monocyte": 0.35, "NK": 0.13, "B": 0.13}
WITH_B, WITHOUT_B = {"monocyte": 0.25, "B": 0.25}, {"monocyte": 0.34, "B": 0.0}
SCENARIOS = (
    Scenario("nothing differs", (EQUAL, EQUAL)),
    Scenario("more monocytes", (FEW, MANY)),
    Scenario("more monocytes, 2 to 12 %", (FEW, MANY), ambient=None),
    Scenario("more monocytes, filtered", (FEW, MANY), filtered=True),
    Scenario("B cells vanish", (WITH_B, WITHOUT_B), paired=True),
    Scenario("T genes differ", (FEW, MANY), planted=("T",)),
    Scenario("genes differ everywhere", (FEW, MANY), planted=("T", "NK", "B", "monocyte")),
)


def main() -> int:
    """Run the scenarios on each set, and print the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("n_cohorts", nargs="?", type=int, default=10)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--set", nargs="*", dest="sets", choices=CELL_SETS, default=CELL_SETS)
    names = [each.name for each in SCENARIOS]
    parser.add_argument("--scenario", nargs="*", choices=names, default=names)
    arguments = parser.parse_args()
    max_share = resolve_config({})["expression"]["max_ambient_share"]
    rows = []
    for name in arguments.sets:
        cells = read_cell_set(name, arguments.data)
        for scenario in SCENARIOS:
            lacks_b = scenario.paired and "B" not in cells.pools
            if lacks_b or scenario.name not in arguments.scenario:
                continue
            rows += [
                _measured(cells, scenario, seed, max_share) for seed in range(arguments.n_cohorts)
            ]
            print(*_line(pd.DataFrame(rows), cells.name, scenario.name), sep="\t", flush=True)
    return int(print_figures(_figures(pd.DataFrame(rows))) > 0)


def _measured(cells: CellSet, scenario: Scenario, seed: int, max_share: float) -> dict[str, Any]:
    """Count false and true genes of one cohort, before and after genes are marked."""
    cohort = make_cohort(cells, scenario, seed=seed)
    row: dict[str, Any] = {"set": cells.name, "scenario": scenario.name, "seed": seed}
    for when, share in (("before", 1.0), ("after", max_share)):
        table = _tested(cohort, share)
        of_others = table[table["cell_type"] != "monocyte"]
        found = of_others[of_others["fdr"] < FDR]
        differs = found["gene"].isin(cohort["planted"])
        differs &= found["cell_type"].isin(scenario.planted)
        row[f"false_{when}"] = int((~differs).sum())
        row[f"falsely_{when}"] = found.loc[~differs, "cell_type"].nunique()
        row["n_populations"] = of_others.loc[of_others["p"].notna(), "cell_type"].nunique()
        row[f"true_{when}"] = int(differs.sum())
        row[f"b_{when}"] = int(found["symbol"].isin(B_GENES).sum())
        if when == "after":
            supported = found["verdict"] == SUPPORTED
            row["false_supported"] = int((supported & ~differs).sum())
            row["true_supported"] = int((supported & differs).sum())
        row["marked"] = float(of_others["ambient"].mean())
    return row


def _line(rows: pd.DataFrame, name: str, scenario: str) -> Iterator[str]:
    """Yield the figures of a set, which have no limits of their own."""
    own = rows[(rows["set"] == name) & (rows["scenario"] == scenario)]
    yield from (name, scenario)
    for kind in ("false", "true", "b"):
        values = (f"{own[f'{kind}_{when}'].sum()}" for when in ("before", "after"))
        yield f"{kind} {' to '.join(values)}"
    some = (f"{own[f'falsely_{when}'].sum()}" for when in ("before", "after"))
    yield f"populations with false genes {' to '.join(some)} of {own['n_populations'].sum()}"
    yield f"marked {100 * own['marked'].mean():.1f} %"


def _figures(rows: pd.DataFrame) -> Iterator[Figure]:
    """Yield the figures of all sets together."""
    null = rows[rows["scenario"] == SCENARIOS[0].name]
    nominal = max(FDR, _share(null, "falsely_before")) if len(null) else FDR
    for scenario in SCENARIOS:
        own = rows[rows["scenario"] == scenario.name]
        if own.empty:
            continue
        name = scenario.name
        before, after = (_share(own, f"falsely_{when}") for when in ("before", "after"))
        yield Figure(name, "populations with a false gene, not marked", before)
        high = np.inf if scenario.planted else nominal + BEYOND  # discoveries allow false ones
        yield Figure(name, "populations with a false gene, marked", after, high=high)
        if scenario.paired:
            yield Figure(name, "genes of B cells in T cells", float(own["b_before"].sum()))
            yield Figure(name, "the same, marked", float(own["b_after"].sum()), high=0)
        if scenario.planted:
            found, kept = float(own["true_before"].sum()), float(own["true_after"].sum())
            yield Figure(name, "planted genes found, not marked", found)
            yield Figure(name, "of these lost", 1 - kept / max(found, 1), high=MAX_LOST)
            false = float(own["false_after"].sum())
            share = false / max(false + kept, 1)
            yield Figure(name, "false of all found, marked", share, high=FDR + BEYOND)
            some = own[["false_supported", "true_supported"]].sum()
            yield Figure(name, "of true ones, supported", some.iloc[1] / max(kept, 1))
            yield Figure(name, "false of all supported", some.iloc[0] / max(some.sum(), 1))


def _share(rows: pd.DataFrame, kind: str) -> float:
    return float(rows[kind].sum() / rows["n_populations"].sum())


def make_cohort(cells: CellSet, scenario: Scenario, *, seed: int) -> dict[str, Any]:
    """Mix the libraries of a cohort.

    Returns
    -------
    dict
        `pseudobulk`; `comparison`; `planted`, the genes that differ in the populations of the
        scenario; `contamination`, the estimates.
    """
    rng = np.random.default_rng(seed)
    samples = _samples(scenario, rng)
    order = rng.permutation(max(cells.n_patients, 2 * N_PER_ARM))
    raised, lowered = _planted(cells, scenario, rng)
    levels = {name: patient_levels(cells, rng) for name in samples["patient"].unique()}
    of_sums, of_ambient, estimates = [], [], []
    for row in samples.to_dict("records"):
        is_test = row["phase"] == "post" if scenario.paired else row["response"] == TEST
        own = {name: values.copy() for name, values in levels[row["patient"]].items()}
        if cells.n_patients == 1:  # samples of a patient differ, too
            for values in own.values():
                values *= np.minimum(rng.lognormal(-SAMPLE_SD, SAMPLE_SD, len(values)), 1)
        for name in set(scenario.planted) & set(own):
            own[name][lowered if is_test else raised] /= FOLD
        recipe = Recipe(
            _composition(cells, scenario.shares[is_test]),
            rng.uniform(0.02, 0.12) if scenario.ambient is None else scenario.ambient,
            own,
            scenario.filtered,
        )
        patient = int(order[samples["patient"].unique().tolist().index(row["patient"])])
        sums, ambient, estimate = mix_library(cells, recipe, patient=patient, rng=rng)
        of_sums.append((row["sample"], sums))
        of_ambient.append((row["sample"], ambient))
        estimates.append(estimate)
    genes = cells.genes.sort_values("gene", ignore_index=True)
    return {
        "pseudobulk": build_pseudobulk(of_sums, genes=genes, ambient=of_ambient),
        "comparison": Comparison(samples, _contrast(scenario)),
        "planted": set(cells.genes["gene"].iloc[np.r_[raised, lowered]]),
        "contamination": np.array(estimates),
    }


def _samples(scenario: Scenario, rng: np.random.Generator) -> pd.DataFrame:
    phases = ("pre", "post") if scenario.paired else ("pre",)
    rows = [
        {"patient": f"{arm[0]}{i}", "response": arm, "phase": phase}
        for arm in (REFERENCE, TEST)
        for i in range(N_PER_ARM)
        for phase in phases
    ]
    table = pd.DataFrame(rows).assign(compartment="blood", sort="none", timepoint="D0")
    return table.assign(sample=table["patient"] + "_" + table["phase"])


def _contrast(scenario: Scenario) -> Contrast:
    plain: dict[str, Any] = {"where": {}, "adjust": (), "choose": None, "name": "question"}
    if scenario.paired:
        pair = {"column": "phase", "test": "post", "reference": "pre"}
        return make_contrast(kind="paired", **pair, match=("compartment", "sort"), **plain)
    arms = {"column": "response", "test": TEST, "reference": REFERENCE}
    return make_contrast(kind="between", **arms, match=(), **plain)


def _composition(cells: CellSet, shares: Mapping[str, float]) -> dict[str, float]:
    own = {name: share for name, share in shares.items() if name in cells.pools}
    return {"T": 1 - sum(own.values()), **own}


def _planted(
    cells: CellSet, scenario: Scenario, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Choose genes to raise and genes to lower in the test arm, among those of T cells."""
    if not scenario.planted:
        return np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    sums = np.sum([np.asarray(pool.sum(axis=0)).ravel() for pool in cells.pools["T"]], axis=0)
    expressed = np.flatnonzero(1e6 * sums / sums.sum() >= MIN_PER_MILLION)
    chosen = rng.permutation(expressed)[:N_PLANTED]
    return chosen[: N_PLANTED // 2], chosen[N_PLANTED // 2 :]


def _tested(cohort: Mapping[str, Any], max_share: float) -> pd.DataFrame:
    return test_expression(
        cohort["pseudobulk"],
        cohort["comparison"],
        min_cells=10,
        exclude=[],
        max_ambient_share=max_share,
        engine="limma_voom",
        threads=1,
        permutations=PERMUTATIONS,
    )


if __name__ == "__main__":
    raise SystemExit(main())
