"""False positives and power of the tests of gene sets, in cohorts made from real cells.

    python -m benchmarks.gene_sets_null [cohorts] [--scenario ...] [--data FOLDER]

Three parts. *Null*: cohorts without a difference, drawn from real cells of donors (lupus blood, of
which some cells were stimulated with interferon-beta; libraries of CAR-T patients), and simulated.
*Permuted*: the real sums of libraries of CAR-T patients, with arms at random. *Planted*: the counts
of one set are halved in one arm of null cohorts.

Prints the share of sets with p < 0.05, and of cohorts with any set at a false discovery rate of
0.05, for the row's p, the permutation p and camera. Limits of a scenario allow for two standard
errors over its cohorts; those of all null cohorts together are strict. camera's power is also given
at the threshold that 5 % of null cohorts pass. The exit status is 1 if a limit is missed.
"""

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd

from benchmarks.figures import Figure, print_figures
from benchmarks.gene_set_cohorts import (
    Cells,
    Plan,
    Source,
    contrast_of,
    draw_cohort,
    permuted_cohort,
    plant,
    read_cells,
    sample_sheet,
    simulated_source,
    source_of,
)
from benchmarks.workflow import ROOT
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.core.gene_sets import GeneSet, read_gene_sets
from lammscope.core.verdicts import SUPPORTED
from lammscope.expression.gene_sets import test_gene_sets
from lammscope.stats.multiplicity import benjamini_hochberg

DATA = ROOT.parent / "shared" / "data"
ALPHA = 0.05
LOW, HIGH, HIGH_ANY = 0.04, 0.065, 0.07
COLUMNS = ("p", "p_permutation", "p_camera")
MIN_COHORTS = 0.1  # share of cohorts that test a set for its rate to be shown
SETTINGS: dict[str, Any] = {
    **{"min_cells": 10, "exclude": [], "max_ambient_share": 0.25, "min_genes": 3},
    "permutations": Permutations(max_exact=1000, n_draws=200, seed=1),
}
PLANTED = {
    "lupus monocytes": ("LA_TAM", "Interferon_type_I"),
    "CAR-T monocytes": ("LAMM_proxy", "LA_TAM"),
    "CAR-T T": ("T_cytotoxicity",),
}
MIN_POWER = 0.8  # for macrophage sets in monocytes, which are LAMM cells here


@dataclass(frozen=True)
class Scenario:
    """Cohorts without a difference. Without limits it is shown only."""

    source: str
    kind: str = "between"
    plan: Plan = field(default_factory=Plan)
    limits: bool = True


SCENARIOS = {
    "lupus monocytes": Scenario("lupus monocytes"),
    "lupus monocytes, paired": Scenario("lupus monocytes", "paired"),
    "lupus monocytes, change": Scenario("lupus monocytes", "change"),
    "lupus monocytes, test arm a quarter as deep": Scenario(
        "lupus monocytes", plan=Plan(test_depth=0.25)
    ),
    "lupus CD4 T": Scenario("lupus CD4 T"),
    "CAR-T monocytes": Scenario("CAR-T monocytes"),
    "CAR-T T": Scenario("CAR-T T"),
    "CAR-T T, change": Scenario("CAR-T T", "change"),
    "CAR-T T, test arm a quarter as deep": Scenario("CAR-T T", plan=Plan(test_depth=0.25)),
    "CAR-T T, 4 against 8": Scenario("CAR-T T", plan=Plan(n_test=4, n_reference=8)),
    "CAR-T T, 3 against 3": Scenario("CAR-T T", plan=Plan(n_test=3, n_reference=3), limits=False),
    "simulated": Scenario("simulated"),
    "simulated, change": Scenario("simulated", "change"),
}


def main() -> int:
    """Run the chosen scenarios and print their figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cohorts", nargs="?", type=int, default=500)
    parser.add_argument("--scenario", nargs="*", default=list(SCENARIOS))
    parser.add_argument("--part", nargs="*", default=["null", "permuted", "planted"])
    parser.add_argument("--data", type=Path, default=DATA)
    given = parser.parse_args()
    paths = sorted((ROOT / "resources" / "signatures").glob("*.gmt"))
    gene_sets = read_gene_sets(paths)
    cells = read_cells(given.data)
    sources = {name: source_of(each, gene_sets) for name, each in cells.items()}
    sources["simulated"] = simulated_source(np.random.default_rng(1))
    missed = 0
    if "null" in given.part:
        missed += print_figures(null_figures(given.scenario, sources, given.cohorts))
    for name in ("CAR-T T", "CAR-T monocytes") if "permuted" in given.part else []:
        missed += print_figures(permuted_figures(name, cells[name], gene_sets, given.cohorts))
    for name in PLANTED if "planted" in given.part else []:
        missed += print_figures(planted_figures(name, sources[name], given.cohorts // 2))
    return int(missed > 0)


def null_figures(
    names: Sequence[str], sources: dict[str, Source], n_cohorts: int
) -> Iterator[Figure]:
    """Measure false positives in cohorts drawn without a difference, of each scenario and of all.

    Scenarios without limits are not among all.
    """
    together = []
    for number, name in enumerate(names):
        table = null_cohorts(name, sources, n_cohorts)
        yield from rates(f"null: {name}", table, limits=SCENARIOS[name].limits)
        if SCENARIOS[name].limits:
            together.append(table.assign(cohort=table["cohort"] + number * n_cohorts))
    if together:
        whole = pd.concat(together, ignore_index=True)
        yield from rates("null: all of these", whole, limits=True, margin=0)


def null_cohorts(name: str, sources: dict[str, Source], n_cohorts: int) -> pd.DataFrame:
    """Test the cohorts of a scenario."""
    scenario = SCENARIOS[name]
    source, sheet = sources[scenario.source], sample_sheet(scenario.plan)
    comparison = Comparison(sheet, contrast_of(scenario.kind, sheet))
    rng = np.random.default_rng([2, list(SCENARIOS).index(name)])
    return test_cohorts(
        lambda: draw_cohort(source, scenario.plan, comparison.used, rng),
        comparison,
        source.gene_sets,
        n_cohorts=n_cohorts,
    )


def permuted_figures(
    name: str, cells: Cells, gene_sets: list[GeneSet], n_cohorts: int
) -> Iterator[Figure]:
    """Measure false positives if the libraries of a real cohort are assigned to arms at random.

    There are no limits, since labelings of one cohort are not independent.
    """
    n_arm = min(6, len(np.unique(cells.donor)) // 2)
    sheet = sample_sheet(Plan(n_test=n_arm, n_reference=n_arm))
    comparison = Comparison(sheet, contrast_of("between", sheet))
    rng = np.random.default_rng(3)
    table = test_cohorts(
        lambda: permuted_cohort(cells, sheet, rng), comparison, gene_sets, n_cohorts=n_cohorts
    )
    part = f"permuted labels: {name}, {n_arm} against {n_arm}"
    yield from rates(part, table, limits=False)


def planted_figures(name: str, source: Source, n_cohorts: int) -> Iterator[Figure]:
    """Measure how often a set is found whose counts are halved in one arm."""
    plan = Plan()
    sheet = sample_sheet(plan)
    comparison = Comparison(sheet, contrast_of("between", sheet))
    arms = sheet.groupby("response")["sample"].agg(set)
    for set_name in PLANTED[name]:
        planted = [part for part in source.gene_sets if part.name == set_name]
        rng = np.random.default_rng([4, len(set_name)])

        def draw(rng: np.random.Generator = rng) -> anndata.AnnData:
            return draw_cohort(source, plan, comparison.used, rng)

        def drawn(
            rng: np.random.Generator = rng, genes: tuple[str, ...] = planted[0].genes
        ) -> anndata.AnnData:
            halved = arms[str(rng.choice(arms.index))]
            return plant(draw_cohort(source, plan, comparison.used, rng), halved, genes, rng)

        null, found = (
            test_cohorts(each, comparison, planted, n_cohorts=n_cohorts) for each in (draw, drawn)
        )
        part = f"planted: {set_name} halved in {name}"
        low = MIN_POWER if "TAM" in set_name or "LAMM" in set_name else -np.inf
        yield Figure(part, "power", (found["p"] < ALPHA).mean(), low=low)
        yield Figure(part, "supported", found["verdict"].eq(SUPPORTED).mean())
        yield Figure(part, "power, camera", (found["p_camera"] < ALPHA).mean())
        honest = null["p_camera"].quantile(ALPHA)
        yield Figure(part, "camera: threshold that 5 % of null cohorts pass", float(honest))
        yield Figure(part, "power, camera at it", (found["p_camera"] < honest).mean())


def test_cohorts(
    draw: Callable[[], anndata.AnnData],
    comparison: Comparison,
    gene_sets: list[GeneSet],
    *,
    n_cohorts: int,
) -> pd.DataFrame:
    """Test the sets in many cohorts: rows of `test_gene_sets` with a p, and `cohort`."""
    tables = []
    for number in range(n_cohorts):
        table = test_gene_sets(draw(), comparison, gene_sets=gene_sets, **SETTINGS)
        tables.append(table[table["p"].notna()].assign(cohort=number))
    return pd.concat(tables, ignore_index=True)


def rates(part: str, table: pd.DataFrame, *, limits: bool, margin: float = 2) -> Iterator[Figure]:
    """Compute shares of p below 0.05 and of cohorts with any false set.

    The row's p has limits, widened by `margin` standard errors over cohorts.
    """
    cohorts = table.groupby("cohort")
    n_cohorts = cohorts.ngroups
    yield Figure(part, "cohorts", n_cohorts)
    yield Figure(part, "sets tested in a cohort", len(table) / n_cohorts)
    for column in COLUMNS:
        false = table[column] < ALPHA
        of_sets = false.groupby(table["gene_set"]).agg(["mean", "size"])
        often = of_sets.loc[of_sets["size"] >= MIN_COHORTS * n_cohorts, "mean"]
        any_false = (cohorts[column].transform(benjamini_hochberg) < ALPHA).groupby(table["cohort"])
        share, any_share = float(false.mean()), float(any_false.any().mean())
        low, high, high_any = -np.inf, np.inf, np.inf
        if limits and column == "p":
            beyond = (false - share).groupby(table["cohort"]).sum()
            error = margin * float(np.sqrt((beyond**2).sum())) / len(table)
            low, high = LOW - error, HIGH + error
            high_any = HIGH_ANY + margin * float(np.sqrt(HIGH_ANY * (1 - HIGH_ANY) / n_cohorts))
        yield Figure(part, f"{column} < 0.05", share, low, high)
        yield Figure(part, f"{column}: {often.idxmax()}, the highest set", often.max())
        yield Figure(part, f"{column}: any FDR < 0.05", any_share, high=high_any)
    supported = table["verdict"].eq(SUPPORTED).groupby(table["cohort"]).any()
    yield Figure(part, "any supported set", float(supported.mean()))


if __name__ == "__main__":
    sys.exit(main())
