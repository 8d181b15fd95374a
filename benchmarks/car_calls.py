"""CAR-T cells: calls by probability and by UMI on real libraries, mixtures and simulated cells.

    python -m benchmarks.car_calls [part ...] [--work FOLDER] [--data FOLDER] [--cores N]

`sorted` and `mixtures` use blood and marrow after CD19 CAR-T therapy (Anderson 2023). There, CAR-T
cells were labeled by sorting their protein, not by transcripts, and only in sorted libraries. In
`mixtures`, labeled cells of a sorted library are added to the T cells of an unsorted one of the
same patient (or of the infusion product), in which hardly any cell has a transcript; UMIs are
thinned to a half and a quarter. `simulated` runs a cohort in which no gene of T cells differs.
Prints one row per figure with its limit; the exit status is 1 if a limit is missed.
"""

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import gammaln, xlogy

from benchmarks.figures import Figure, print_figures
from benchmarks.workflow import ROOT, run_workflow
from lammscope.annotate.calls import lineage_neighbors
from lammscope.annotate.car import call_car
from lammscope.core.indexed import CellIndex
from lammscope.core.names import PER
from lammscope.joint.panel_counts import PanelCounts, read_panel
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings

DATA = ROOT.parent / "shared" / "data"
CALLED = 0.9  # the default of `car.probability`
N_NEIGHBORS = 20
FEW = 100  # labeled cells for a figure of a library
FEW_IN_BIN = 30
MIN_SHARE = 0.1  # of CAR-T cells, for a limit on their expected number
BINS = (0, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.01)
MIXTURES = {  # sorted and unsorted library
    "P02 blood": ("CAR-T10310322", "CAR-T10310324"),
    "P10 blood": ("CAR-T10310323", "CAR-T10310325"),
    "P10 blood and a product": ("CAR-T10310323", "CAR-T11141510"),
}
SHARES = (0.02, 0.1, 0.25, 0.5)  # of CAR-T cells among T cells
THINNED = (1.0, 0.5, 0.25)
SIMULATED = CohortSettings(patients_per_arm=6, cells=800, seed=11)
INFUSION = {"kind": "paired", "column": "phase", "test": "post", "reference": "pre"}
ON_TREATMENT = {
    **{"kind": "between", "test": "non_responder", "reference": "responder"},
    "where": {"phase": "post"},
}
MAX_FDR = 0.05


@dataclass(frozen=True)
class Libraries:
    """All cells (`labeled` by the authors), UMIs of the CAR and of all genes, and the space."""

    cells: pd.DataFrame
    umi: np.ndarray
    totals: np.ndarray
    space: np.ndarray


def read_libraries(folder: Path, *, data: Path, cores: int) -> Libraries:
    """Run the real libraries up to the calls, unless `folder` has them."""
    source = data / "carpall"
    samples = pd.read_csv(source / "samples.tsv", sep="\t")
    results = folder / "results"
    if not (results / "annotation" / "cells.parquet").exists():
        samples["counts"] = [
            str(source / f"{sample}.filtered_feature_bc_matrix.h5") for sample in samples["sample"]
        ]
        samples["compartment"] = samples["source"].map(
            {"PB": "blood", "BM": "marrow", "PROD": "product"}
        )
        config = yaml.safe_load((ROOT / "tests" / "configs" / "carpall.yaml").read_text())
        for name in ("samples", "patients"):
            config[name] = str(folder / f"{name}.tsv")
        samples.to_csv(config["samples"], sep="\t", index=False)
        samples[["patient"]].drop_duplicates().to_csv(config["patients"], sep="\t", index=False)
        run_workflow(folder, config, targets=["results/annotation/cells.parquet"], cores=cores)
    index = CellIndex(results / "joint" / "cells.parquet")
    panel, _ = read_panel(sorted((results / "joint" / "panel").glob("*.npz")), index)
    cells = pd.read_parquet(results / "annotation" / "cells.parquet")
    cells = cells.merge(samples[["sample", "sort"]], on="sample", how="left")
    labels = pd.read_csv(source / "cart_barcodes.tsv.gz", sep="\t")["CellID"]
    return Libraries(
        cells.assign(labeled=cells["cell"].isin(labels)),
        panel.matrix[:, [list(panel.symbols).index("CAR")]].toarray().ravel(),
        panel.totals.astype(float),
        index.read_arrays(results / "joint" / "harmony.npz")["space"],
    )


def sorted_libraries(name: str, data: Libraries) -> Iterator[Figure]:
    """Compare the labeled cells without a transcript with what those with one let expect."""
    labeled = data.cells["labeled"].to_numpy()
    is_t = (data.cells["lineage"] == "T").to_numpy()
    yield Figure(name, "labeled cells in the T lineage", is_t[labeled].mean(), low=0.95)
    fits, seen, expected = [], [], []
    for library in np.unique(data.cells["sample"][labeled]):
        own = np.flatnonzero(labeled & (data.cells["sample"] == library))
        if len(own) < FEW:
            continue
        umi, depth = data.umi[own], data.totals[own] / PER
        fits.append(_negative_binomial(umi, depth, truncated=False))
        rate, shape = _negative_binomial(umi, depth, truncated=True)
        seen.append((umi == 0).mean())
        expected.append(((shape / (shape + rate * depth)) ** shape).mean())
    rates, shapes = np.array(fits).T
    yield Figure(name, f"rate, median of {len(fits)} libraries", float(np.median(rates)))
    yield Figure(name, "log rate, standard deviation", float(np.log(rates).std()))
    yield Figure(name, "shape, median", float(np.median(shapes)))
    yield Figure(name, "labeled cells without a transcript, smallest share", min(seen))
    yield Figure(name, "  largest share", max(seen))
    error = np.abs(np.subtract(seen, expected))
    yield Figure(name, "  error of the share expected, median", float(np.median(error)), high=0.05)
    yield Figure(name, "  largest", float(error.max()), high=0.2)
    unsorted = is_t & (data.cells["sort"] == "NoSo").to_numpy()
    by_umi = 100 * (data.umi[unsorted] > 0).mean()
    yield Figure(name, "T cells of unsorted libraries with a transcript, %", by_umi)
    positive = (data.cells["car"] == "positive").to_numpy()
    yield Figure(name, "  called CAR-T cells, %", 100 * positive[unsorted].mean())


def _negative_binomial(
    umi: np.ndarray, depth: np.ndarray, *, truncated: bool
) -> tuple[float, float]:
    """Fit rate and shape by maximum likelihood, of all cells or of those with a transcript."""
    chosen = umi > 0 if truncated else np.ones(len(umi), dtype=bool)
    n, size = umi[chosen].astype(float), depth[chosen]

    def loss(logs: np.ndarray) -> float:
        mean, shape = np.exp(logs[0]) * size, np.exp(logs[1])
        terms = gammaln(n + shape) - gammaln(shape) + xlogy(n, mean)
        terms = terms + shape * np.log(shape) - (n + shape) * np.log(shape + mean)
        if truncated:
            terms = terms - np.log1p(-((shape / (shape + mean)) ** shape))
        return -float(terms.sum())

    rate, shape = np.exp(minimize(loss, [1.0, 0.5], method="Nelder-Mead").x)
    return float(rate), float(shape)


def mixtures(name: str, data: Libraries) -> Iterator[Figure]:
    """Call mixtures of labeled cells with T cells of unsorted libraries."""
    pooled = []
    for pair in MIXTURES:
        for thinned in THINNED:
            part = f"{pair}, UMIs x {thinned:g}"
            tables = {}
            for share in SHARES:
                tables[share] = _call_mixture(data, pair, share=share, thinned=thinned)
                own = tables[share]
                ratio = own["car_probability"].sum() / own["true"].sum()
                limits = {"low": 0.75, "high": 1.33} if share >= MIN_SHARE else {}
                yield Figure(part, f"CAR-T cells expected / true, of {share:g}", ratio, **limits)
            own = pd.concat(tables.values(), ignore_index=True)
            pooled.append(own.assign(pair=pair))
            true, seen = own["true"], own["umi"] > 0
            positive, negative = own["car"] == "positive", own["car"] == "negative"
            yield Figure(part, "recall by UMI", seen[true].mean())
            yield Figure(part, "  by probability", positive[true].mean())
            yield Figure(part, "precision by UMI", true[seen].mean())
            yield Figure(part, "  by probability", true[positive].mean(), low=0.95)
            yield Figure(part, "CAR-T cells among the negative by UMI", true[~seen].mean())
            yield Figure(part, "  by probability", true[negative].mean(), high=0.1)
            yield Figure(part, "unknown", (~positive & ~negative).mean())
    cells = pd.concat(pooled, ignore_index=True)
    yield from _calibration(name, "all", cells)
    for pair in MIXTURES:
        yield from _calibration(name, pair, cells[cells["pair"] == pair])


def _calibration(name: str, what: str, cells: pd.DataFrame) -> Iterator[Figure]:
    """Compare probabilities with the share of CAR-T cells."""
    for low, high in pairwise(BINS):
        chosen = cells[(cells["car_probability"] >= low) & (cells["car_probability"] < high)]
        if len(chosen) >= FEW_IN_BIN:
            mean = chosen["car_probability"].mean()
            words = f"{what}: {len(chosen)} cells with a probability of {low:g} to {high:g}"
            yield Figure(name, f"{words}, mean {mean:.2f}; CAR-T cells", chosen["true"].mean())


def _call_mixture(data: Libraries, pair: str, *, share: float, thinned: float) -> pd.DataFrame:
    """Return `true`, `umi`, `car` and `car_probability` of the T cells of a mixture."""
    rng = np.random.default_rng(1)
    sorted_library, unsorted = MIXTURES[pair]
    is_t = (data.cells["lineage"] == "T").to_numpy()
    sample = data.cells["sample"].to_numpy()
    others = np.flatnonzero(sample == unsorted)
    labeled = np.flatnonzero((sample == sorted_library) & is_t & data.cells["labeled"].to_numpy())
    n_added = min(len(labeled), round(share / (1 - share) * int(is_t[others].sum())))
    rows = np.concatenate([rng.choice(labeled, n_added, replace=False), others])
    umi = rng.binomial(data.umi[rows].astype(int), thinned)
    cells = data.cells.loc[rows, ["lineage"]].assign(sample="mixture").reset_index(drop=True)
    search = {"n_neighbors": N_NEIGHBORS, "seed": 1, "threads": 1}
    near = lineage_neighbors(data.space[rows], cells=cells, lineage="T", within="sample", **search)
    called = call_car(
        PanelCounts(sparse.csr_array(umi.reshape(-1, 1)), ["CAR"], data.totals[rows] * thinned),
        cells=cells,
        neighbors=near,
        has_feature=True,
        before_infusion=False,
        sorted_out=False,
        probability=CALLED,
    )
    called = called.assign(true=np.arange(len(rows)) < n_added, umi=umi)
    return called[(cells["lineage"] == "T").to_numpy()]


def simulated(name: str, folder: Path, *, cores: int) -> Iterator[Figure]:
    """Count false genes and sets in a simulated cohort in which no gene of T or NK cells differs.

    NK cells, of which none is a CAR-T cell, show how many are false for other reasons.
    """
    cohort = simulate_cohort(SIMULATED, folder)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["contrasts"] = {"infusion": INFUSION, "treated": ON_TREATMENT}
    config["primary"] = {"contrast": "infusion"}
    targets = ["annotation/cells.parquet", "annotation/car.tsv"]
    for contrast in config["contrasts"]:
        targets += [f"expression/{contrast}.tsv.gz", f"expression/gene_sets.{contrast}.tsv"]
    run_workflow(folder, config, targets=[f"results/{path}" for path in targets], cores=cores)
    results = folder / "results"
    cells = pd.read_parquet(results / "annotation" / "cells.parquet")
    truth = cohort.cells.assign(cell=cohort.cells["sample"] + "_" + cohort.cells["barcode"])
    truth = truth.set_index("cell").loc[cells["cell"]].reset_index()
    yield from _accuracy(name, cells, truth)
    car = pd.read_csv(results / "annotation" / "car.tsv", sep="\t")
    sums = (car["n_expected"] * car["pct_missed"] / 100).sum() / car["n_expected"].sum()
    yield Figure(name, "CAR-T cells missed, expected", sums)
    for contrast in config["contrasts"]:
        for file, what in ((f"{contrast}.tsv.gz", "genes"), (f"gene_sets.{contrast}.tsv", "sets")):
            table = pd.read_csv(results / "expression" / file, sep="\t")
            table = table[table["p"].notna()]
            for population in ("CD8_T", "NK", "CAR_T"):
                own = table[table["cell_type"] == population]
                words = f"{contrast}, {what}: {population}"
                if population != "CAR_T":
                    high = 0.05 if population == "CD8_T" else np.inf
                    yield Figure(name, f"{words}, false", (own["fdr"] < MAX_FDR).mean(), high=high)
                if population != "CAR_T" or contrast != "infusion":  # there are none before
                    yield Figure(name, f"{words}, tested", len(own), low=1)


def _accuracy(name: str, cells: pd.DataFrame, truth: pd.DataFrame) -> Iterator[Figure]:
    """Compare calls of single T cells after infusion with the truth."""
    single = ~truth["is_doublet"].to_numpy() & ~truth["is_empty"].to_numpy()
    after = cells["car_probability"].notna() & (cells["car"] != "negative")
    after = cells["sample"].isin(cells["sample"][after])
    chosen = single & after.to_numpy() & (cells["lineage"] == "T").to_numpy()
    own, true = cells[chosen], (truth["cell_type"] == "CAR_T").to_numpy()[chosen]
    positive, negative = own["car"] == "positive", own["car"] == "negative"
    yield Figure(name, "recall", positive[true].mean())
    yield Figure(name, "precision", true[positive].mean(), low=0.95)
    yield Figure(name, "CAR-T cells among the negative", true[negative].mean(), high=0.05)
    yield Figure(name, "CAR-T cells among CD8 T cells", true[own["population"] == "CD8_T"].mean())
    yield Figure(name, "unknown", (own["car"] == "unknown").mean())
    yield Figure(name, "CAR-T cells expected / true", own["car_probability"].sum() / true.sum())


def main() -> int:
    """Measure all parts, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = ["sorted", "mixtures", "simulated"]
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {', '.join(parts)}")
    parser.add_argument("--work", type=Path, help="folder to keep; default: a temporary one")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    parser.add_argument("--cores", type=int, default=2)
    given = parser.parse_args()
    unknown = sorted(set(given.parts) - set(parts))
    if unknown:
        parser.error(f"unknown part: {', '.join(unknown)}")
    chosen = given.parts or parts
    work = given.work or Path(tempfile.mkdtemp())
    missed = 0
    try:
        for name in chosen:
            folder = work / ("simulated" if name == "simulated" else "carpall")
            folder.mkdir(parents=True, exist_ok=True)
            if name == "simulated":
                missed += print_figures(simulated(name, folder, cores=given.cores))
            elif not (given.data / "carpall").exists():
                print(f"{name}\tskipped: {given.data / 'carpall'} does not exist")
            else:
                data = read_libraries(folder, data=given.data, cores=given.cores)
                measure = sorted_libraries if name == "sorted" else mixtures
                missed += print_figures(measure(name, data))
    finally:
        if given.work is None:
            shutil.rmtree(work)
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
