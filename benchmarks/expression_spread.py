"""False positives and power of the expression engines where the patients of an arm vary more.

    python -m benchmarks.expression_spread DATA [cohorts] [--slow COHORTS]

Patients are real donors: each has the deviations of one donor's pseudobulk from the mean of the
donors on the log scale, multiplied by the spread of the arm, and real counts' noise on top. Or they
have normal deviations of the size that the donors' have, gene by gene (`normal`), so that genes do
not vary together. DATA is the folder of real data. PyDESeq2 and edgeR take the first `--slow`
cohorts only. A difference of spread alone is a difference of either the means or the mean
logarithms; limma compares the latter, the other engines the former, so each has cohorts without a
difference of its own kind.
"""

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.gene_set_cohorts import (
    Cells,
    Plan,
    as_pseudobulk,
    contrast_of,
    read_cells,
    sample_sheet,
)
from lammscope.cohort.comparison import Comparison
from lammscope.core.names import Array
from lammscope.expression.engines import ENGINES
from lammscope.expression.models import Model, plain_pseudobulks, population_model
from lammscope.expression.packages import missing_package
from lammscope.stats.multiplicity import benjamini_hochberg

ALPHA = 0.05
N_GENES = 500  # per cohort, at random among those with enough counts
MIN_MEAN = 15.0  # mean counts of a gene in the donors' pseudobulks
SAMPLE = 0.5  # spread between samples of a patient, as a factor of that between patients
LIBRARY, LIBRARY_SPREAD = 2e5, 0.5  # counts of a sample: median, and log standard deviation
PLANTED, SIZE = 0.1, float(np.log(2))  # share of genes that are higher or lower in the test arm
LIMMA = ("limma_voom", "limma_voom_by_arm")


@dataclass(frozen=True)
class Scenario:
    """Patients per arm, the spread of the test arm, the kind of contrast, and planted genes."""

    n_test: int
    n_reference: int
    spread: float
    kind: str = "between"
    planted: bool = False


SCENARIOS = {
    "6 v 6": Scenario(6, 6, 1),
    "4 v 8": Scenario(4, 8, 1),
    "3 v 9": Scenario(3, 9, 1),
    "4 v 8, the 4 vary twice as much": Scenario(4, 8, 2),
    "4 v 8, the 8 vary twice as much": Scenario(8, 4, 2),
    "4 v 12, the 4 vary three times as much": Scenario(4, 12, 3),
    "8 v 8, one arm varies twice as much": Scenario(8, 8, 2),
    "change, 4 v 8": Scenario(4, 8, 1, "change"),
    "change, 4 v 8, the 4 vary twice as much": Scenario(4, 8, 2, "change"),
    "6 v 6, planted": Scenario(6, 6, 1, planted=True),
    "4 v 8, planted": Scenario(4, 8, 1, planted=True),
    "8 v 8, one arm varies twice as much, planted": Scenario(8, 8, 2, planted=True),
}


@dataclass(frozen=True)
class Donors:
    """Mean logarithms of the shares of genes, and the deviations of donors x genes."""

    level: Array
    deviations: Array


def donors_of(cells: Cells) -> Donors:
    """Take the pseudobulks of the donors; counts are shrunk towards the mean of all."""
    sums = np.array(
        [cells.counts[cells.donor == name].sum(axis=0) for name in np.unique(cells.donor)]
    )
    sums = sums[:, sums.mean(axis=0) >= MIN_MEAN]
    share = sums.sum(axis=0) / sums.sum()
    logs = np.log((sums + 10 * share * len(share)) / (sums.sum(axis=1, keepdims=True)))
    level = logs.mean(axis=0)
    return Donors(level, logs - level)


def draw_model(
    donors: Donors,
    scenario: Scenario,
    rng: np.random.Generator,
    *,
    normal: bool,
    equal_means: bool,
) -> tuple[Model, np.ndarray]:
    """Draw a cohort; return its model, and which of its genes have a planted difference."""
    sheet = sample_sheet(Plan(scenario.n_test, scenario.n_reference))
    genes = rng.permutation(len(donors.level))[:N_GENES]
    level, deviations = donors.level[genes], donors.deviations[:, genes]
    sd = deviations.std(axis=0)
    shift = np.zeros(len(genes))
    if scenario.planted:
        shift[: int(PLANTED * len(genes))] = SIZE * rng.choice([-1, 1], int(PLANTED * len(genes)))

    def deviation() -> Array:
        if normal:
            return np.asarray(sd * rng.standard_normal(len(sd)))
        return np.asarray(deviations[rng.integers(len(deviations))])

    def excess(size: float) -> Array:
        """Return the logarithm of the mean of exponentiated deviations of this size."""
        if normal:
            return np.asarray((size * sd) ** 2 / 2)
        return np.asarray(np.log(np.exp(size * deviations).mean(axis=0)))

    counts, own = [], {name: deviation() for name in sheet["patient"].unique()}
    for patient, arm in zip(sheet["patient"], sheet["response"], strict=True):
        test = arm == "non_responder"
        size = scenario.spread if test else 1.0
        logs = level + size * (own[patient] + SAMPLE * deviation()) + test * shift
        if equal_means:
            logs -= excess(size) + excess(size * SAMPLE)
        rate = np.exp(logs)
        # all other genes, so that a sample's sum of these says nothing
        depth = LIBRARY * np.exp(LIBRARY_SPREAD * rng.standard_normal()) / np.exp(level).sum()
        counts.append(rng.poisson(rate * depth))
    names = np.array([f"GENE{i:05d}" for i in genes])
    data = as_pseudobulk(np.array(counts), sheet["sample"].to_numpy(), names)
    model = population_model(
        plain_pseudobulks(data),
        "LAMM",
        Comparison(sheet, contrast_of(scenario.kind, sheet)),
        min_cells=10,
        within_patients=equal_means,
    )
    assert isinstance(model, Model)
    return model, np.isin(model.genes, names[shift != 0])


def measure(
    donors: Donors,
    scenario: Scenario,
    engine: str,
    *,
    n_cohorts: int,
    seed: list[int],
    normal: bool,
) -> dict[str, float]:
    """Return shares (%) of genes and of cohorts with a discovery, false or planted."""
    found = []
    for number in range(n_cohorts):
        rng = np.random.default_rng([*seed, number])
        model, planted = draw_model(
            donors, scenario, rng, normal=normal, equal_means=engine not in LIMMA
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            p = ENGINES[engine](model)["p"].to_numpy(dtype=float)
        passed, low = benjamini_hochberg(p) < ALPHA, p < ALPHA
        false = passed[~planted].sum()
        found.append(
            {
                "p < 0.05": 100 * low[~planted].mean(),
                "any false": 100 * (false > 0),
                "false hits": false,
                "false share": 100 * false / max(1, passed.sum()),
                "found": 100 * passed[planted].mean() if planted.any() else np.nan,
                "found, p": 100 * low[planted].mean() if planted.any() else np.nan,
            }
        )
    return dict(pd.DataFrame(found).mean())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("cohorts", nargs="?", type=int, default=500)
    parser.add_argument("--slow", type=int, default=50, help="cohorts of PyDESeq2 and edgeR")
    parser.add_argument("--scenario", nargs="*", default=list(SCENARIOS))
    given = parser.parse_args(arguments)
    sources = read_cells(given.data)
    for source in ("CAR-T T", "lupus monocytes"):
        donors = donors_of(sources[source])
        for normal in (False, True):
            for number, name in enumerate(SCENARIOS):
                if name not in given.scenario:
                    continue
                for engine in ENGINES:
                    if missing := missing_package(engine, own_environment=False):
                        print(f"skipped: {missing}", file=sys.stderr)
                        continue
                    n_cohorts = given.cohorts if engine in LIMMA else given.slow
                    if n_cohorts == 0:
                        continue
                    row = measure(
                        donors,
                        SCENARIOS[name],
                        engine,
                        n_cohorts=n_cohorts,
                        seed=[17, number],
                        normal=normal,
                    )
                    what = [source, "normal" if normal else "donors", name, engine, str(n_cohorts)]
                    print(*what, *(f"{key} {value:.1f}" for key, value in row.items()), sep="\t")
                    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
