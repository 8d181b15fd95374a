"""Quality control on real libraries: cells kept, ambient RNA kept, lineages lost.

    python -m benchmarks.quality [part ...] [--data FOLDER]

Prints one row per figure with its limit. The exit status is 1 if a limit is missed.

`carpall`: libraries of CAR-T patients. Their authors keep barcodes with over 1,000 UMIs, over 300
genes and under 10 % mitochondrial UMIs. Ambient RNA among the kept cells is judged on genes that
were held out of the call: a barcode counts as ambient if its held-out genes have a higher
likelihood under the profile of the library's low barcodes than under that of any group of its
authors' cells.

`poor`: 50 cells of a good library, thinned to 1,500 UMIs, among barcodes of known ambient RNA that
are drawn from the library's profile. `simulated_poor`: simulated libraries of this kind, with much
ambient RNA in the cells, too.

`depth`: simulated cells of every type, at several depths. `sorted`: libraries of one type.
`contamination`: ambient RNA added to real cells (`benchmarks.contamination`).
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.stats import gaussian_kde

from benchmarks.contamination import contamination
from benchmarks.figures import Figure, print_figures
from benchmarks.workflow import ROOT
from lammscope.core.mitochondria import are_mitochondrial
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.assess import assess
from lammscope.ingest.quality.limits import Limits
from lammscope.ingest.quality.metrics import cell_metrics
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.droplets import DropletSettings
from lammscope.simulate.plan import CohortSettings

DATA = ROOT.parent / "shared" / "data"
FEW = 25  # authors' cells: fewer are no library to judge by
POOR_BARCODES, POOR_CELLS, POOR_DEPTH = 4_600, 50, 1_500
LIMITS = Limits(
    min_counts=400, min_genes=200, max_pct_mt=15, max_pct_hb=10, counts_mads=5, mt_mads=5
)
GROUPS = 8  # of the authors' cells, for their profiles


def by_authors(shard: Shard) -> np.ndarray:
    """Return the barcodes that the authors of `carpall` keep (bool)."""
    totals = np.asarray(shard.counts.sum(axis=1)).ravel()
    mitochondrial = np.flatnonzero(are_mitochondrial(shard.genes))
    pct_mt = 100 * np.asarray(shard.counts[:, mitochondrial].sum(axis=1)).ravel()
    genes = np.diff(shard.counts.indptr)
    return np.asarray((totals > 1000) & (genes > 300) & (pct_mt < 10 * totals))


def kept_by_us(shard: Shard) -> np.ndarray:
    """Return the barcodes that pass quality control, doublet calls aside (bool)."""
    _, qc, _ = assess(
        shard,
        np.arange(len(shard.barcodes)),
        LIMITS,
        ambient_max_counts=100,
        rng=np.random.default_rng(0),
    )
    passed = set(qc.loc[qc["passes"], "barcode"])
    return np.array([barcode in passed for barcode in shard.barcodes])


def carpall(data: Path) -> Iterator[Figure]:
    """Compare with the authors' rule, library by library."""
    for path in sorted((data / "carpall").glob("*.h5")):
        library = path.name.split(".")[0]
        shard = read_matrix(path)
        ours, theirs = kept_by_us(shard), by_authors(shard)
        yield Figure(library, "barcodes kept", ours.sum())
        if theirs.sum() >= FEW:
            yield Figure(library, "of authors' cells", ours[theirs].mean(), low=0.95)
            share = held_out_ambient(shard, theirs)
            yield Figure(library, "ambient among kept (held-out genes)", share, high=0.05)


def held_out_ambient(shard: Shard, theirs: np.ndarray) -> float:
    """Return the share of kept cells that held-out genes assign to ambient RNA."""
    rng = np.random.default_rng(0)
    mitochondrial = are_mitochondrial(shard.genes)
    half = rng.random(len(shard.genes)) < 0.5
    used = np.flatnonzero(half | mitochondrial)
    ours = kept_by_us(_columns(shard, used))  # nothing of the other half is seen
    counts = shard.counts[:, np.flatnonzero(~half & ~mitochondrial)]
    low = np.asarray(shard.counts.sum(axis=1)).ravel() < 700
    if low.sum() < FEW or not ours.any():
        return 0.0
    groups = _groups(counts[np.flatnonzero(theirs)], rng)
    rows = np.flatnonzero(ours)
    soup = _likelihood(counts, np.flatnonzero(low), rows)
    best = np.full(len(rows), -np.inf)
    for group in groups:
        best = np.maximum(best, _likelihood(counts, np.flatnonzero(theirs)[group], rows))
    return float((soup > best).mean())


def poor(data: Path) -> Iterator[Figure]:
    """Find 50 cells among barcodes of ambient RNA."""
    rng = np.random.default_rng(1)
    for path in sorted((data / "carpall").glob("*.h5")):
        shard = read_matrix(path)
        theirs = by_authors(shard)
        deep = theirs & (np.asarray(shard.counts.sum(axis=1)).ravel() > POOR_DEPTH)
        if deep.sum() < 400:
            continue
        name = path.name.split(".")[0]
        for low, high in ((300, 900), (500, 900)):
            made, is_cell = poor_library(shard, deep, sizes=(low, high), rng=rng)
            for raw in (False, True):
                kept = kept_by_us(_with_empties(made, shard, rng) if raw else made)
                kept = kept[: len(is_cell)]
                part = f"{name} {low}-{high} {'raw' if raw else 'filtered'}"
                yield Figure(part, "cells kept", kept[is_cell].mean(), low=0.9)
                share = (~is_cell[kept]).mean() if kept.any() else 0.0
                yield Figure(part, "ambient among kept", share, high=0.05)


def poor_library(
    shard: Shard, cells: np.ndarray, *, sizes: tuple[int, int], rng: np.random.Generator
) -> tuple[Shard, np.ndarray]:
    """Make a poor library of real cells and known ambient RNA; return it and which are cells."""
    chosen = rng.choice(np.flatnonzero(cells), POOR_CELLS, replace=False)
    thinned = thin(shard.counts[np.sort(chosen)], POOR_DEPTH, rng)
    profile = _profile(shard.counts)
    totals = rng.integers(*sizes, size=POOR_BARCODES - POOR_CELLS)
    return _library(shard, [thinned, _draw(profile, totals, rng)], rng)


def thin(counts: sparse.csr_array, depth: int, rng: np.random.Generator) -> sparse.csr_array:
    """Draw `depth` UMIs of each cell without replacement."""
    counts = sparse.csr_array(counts, copy=True)
    for row in range(counts.shape[0]):
        own = slice(counts.indptr[row], counts.indptr[row + 1])
        drawn = rng.multivariate_hypergeometric(counts.data[own].astype(np.int64), depth)
        counts.data[own] = drawn
    counts.eliminate_zeros()
    return counts


def one_type(data: Path) -> Iterator[Figure]:
    """Lose no good cells of purified blood cells."""
    cells = anndata.read_h5ad(data / "pbmc_facs" / "pbmc_facs.h5ad")
    types = cells.obs["celltype"].astype(str)
    for name in sorted(types.unique()):
        shard = _of_anndata(cells[(types == name).to_numpy()])
        yield Figure("sorted", f"{name} lost", 1 - kept_by_us(shard).mean(), high=0.02)


def depth(_: Path) -> Iterator[Figure]:
    """Lose few good cells of any simulated type, and few dying ones stay, at several depths."""
    for factor in (0.35, 0.6, 1.0):
        part = f"depth {factor:g}"
        droplets = DropletSettings(depth=factor)
        table = _simulated(CohortSettings(patients_per_arm=3, cells=1500, droplets=droplets))
        good = _good(table)
        yield Figure(part, "good cells lost", 1 - good["kept"].mean(), high=0.03)
        for name, own in good.groupby("cell_type"):
            yield Figure(part, f"{name} lost ({len(own)})", 1 - own["kept"].mean(), high=0.05)
        yield Figure(part, "dying cells removed", 1 - table["kept"][table["is_dying"]].mean(), 0.9)
        yield Figure(part, "overlap of dying and living cells", overlap(table))


def simulated_poor(_: Path) -> Iterator[Figure]:
    """Keep the cells of simulated poor libraries, of about 1,500 UMIs with ambient RNA included."""
    for seed in (1, 2):
        table = _simulated(CohortSettings(patients_per_arm=3, poor_libraries=12, seed=seed))
        for sample, own in table.groupby("sample"):
            part = f"simulated {seed} {sample}"
            yield Figure(part, "cells kept", _good(own)["kept"].mean(), low=0.9)
            share = own["is_empty"][own["kept"]].mean() if own["kept"].any() else 0.0
            yield Figure(part, "ambient among kept", share, high=0.05)


def _simulated(settings: CohortSettings) -> pd.DataFrame:
    """Simulate a cohort; return the truth of its barcodes with `kept` and `pct_mt`."""
    with tempfile.TemporaryDirectory() as folder:
        truth = simulate_cohort(settings, Path(folder)).cells
        kept = []
        for path in sorted(Path(folder).rglob("*.h5")):
            shard = read_matrix(path)
            sample = path.name.split(".")[0]
            pct_mt = cell_metrics(shard)["pct_mt"].to_numpy()
            columns = {"barcode": shard.barcodes, "kept": kept_by_us(shard), "pct_mt": pct_mt}
            kept += [pd.DataFrame(columns).assign(sample=sample)]
    return truth.merge(pd.concat(kept), on=["sample", "barcode"], validate="one_to_one")


def _good(cells: pd.DataFrame) -> pd.DataFrame:
    """Return the intact single cells."""
    return cells[~cells["is_empty"] & ~cells["is_dying"] & ~cells["is_doublet"]]


def overlap(cells: pd.DataFrame) -> float:
    """Return the shared area of dying and living cells in log % mitochondrial, mean of samples.

    Parameters
    ----------
    cells
        `sample`, `pct_mt`, `is_dying`, `is_empty` and `is_doublet`.
    """
    areas, grid = [], np.linspace(np.log(0.5), np.log(101), 400)
    for _, own in cells[~cells["is_empty"] & ~cells["is_doublet"]].groupby("sample"):
        values = np.log(own["pct_mt"] + 0.5)
        densities = [gaussian_kde(part)(grid) for _, part in values.groupby(own["is_dying"])]
        areas.append(np.minimum(*densities).sum() * (grid[1] - grid[0]))
    return float(np.mean(areas))


PARTS: dict[str, Callable[[Path], Iterator[Figure]]] = {
    "carpall": carpall,
    "poor": poor,
    "simulated_poor": simulated_poor,
    "depth": depth,
    "sorted": one_type,
    "contamination": contamination,
}


def _columns(shard: Shard, columns: np.ndarray) -> Shard:
    genes = shard.genes.iloc[columns].reset_index(drop=True)
    return Shard(sparse.csr_array(shard.counts[:, columns]), shard.barcodes, genes)


def _groups(counts: sparse.csr_array, rng: np.random.Generator) -> list[np.ndarray]:
    """Split cells into groups of similar profiles; return their positions."""
    from scipy.cluster.vq import kmeans2

    from lammscope.core.pca import principal_components
    from lammscope.core.rates import normalize

    values = normalize(counts, np.asarray(counts.sum(axis=1)).ravel())
    common = np.argsort(-np.asarray(values.mean(axis=0)).ravel())[:1000]
    values = values[:, np.sort(common)]
    space = principal_components(values, n_components=min(10, counts.shape[0] - 1))
    k = min(GROUPS, max(counts.shape[0] // 15, 1))
    _, labels = kmeans2(space.project(values).astype(float), k, minit="++", seed=rng)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _likelihood(counts: sparse.csr_array, group: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of rows under a group's profile, their own counts left out."""
    total = np.asarray(counts[group].sum(axis=0)).ravel().astype(float)
    part = counts[rows]
    member = np.isin(rows, group)
    own = np.repeat(member, np.diff(part.indptr)) * part.data
    sizes = np.asarray(part.sum(axis=1)).ravel()
    left = total.sum() - member * sizes
    rates = (total[part.indices] - own + 0.1) / np.repeat(left + 0.1 * len(total),
                                                          np.diff(part.indptr))  # fmt: skip
    terms = part.data * np.log(rates)
    return np.asarray(sparse.csr_array((terms, part.indices, part.indptr), part.shape).sum(axis=1))


def _profile(counts: sparse.csr_array) -> np.ndarray:
    sums = np.asarray(counts.sum(axis=0)).ravel().astype(float)
    return np.asarray(sums / sums.sum())


def _draw(profile: np.ndarray, totals: np.ndarray, rng: np.random.Generator) -> sparse.csr_array:
    """Draw barcodes with the given totals from a profile."""
    genes = np.searchsorted(np.cumsum(profile)[:-1], rng.random(totals.sum()), side="right")
    rows = np.repeat(np.arange(len(totals)), totals)
    shape = (len(totals), len(profile))
    drawn = sparse.coo_array((np.ones(len(rows), dtype=np.int64), (rows, genes)), shape=shape)
    return sparse.csr_array(drawn)


def _library(
    shard: Shard, parts: list[sparse.csr_array], rng: np.random.Generator
) -> tuple[Shard, np.ndarray]:
    counts = sparse.csr_array(sparse.vstack(parts, format="csr")).astype(np.int32)
    order = rng.permutation(counts.shape[0])
    is_cell = order < parts[0].shape[0]
    barcodes = np.array([f"B{number:06d}" for number in range(len(order))], dtype=object)
    return Shard(sparse.csr_array(counts[order]), barcodes, shard.genes), is_cell


def _with_empties(made: Shard, shard: Shard, rng: np.random.Generator) -> Shard:
    """Add 20,000 droplets of 5 to 60 UMIs, as in a raw matrix."""
    empties = _draw(_profile(shard.counts), rng.integers(5, 60, size=20_000), rng)
    counts = sparse.csr_array(sparse.vstack([made.counts, empties], format="csr"))
    more = np.array([f"E{number:06d}" for number in range(empties.shape[0])], dtype=object)
    return Shard(counts.astype(np.int32), np.concatenate([made.barcodes, more]), made.genes)


def _of_anndata(cells: anndata.AnnData) -> Shard:
    counts = sparse.csr_array(cells.X).astype(np.int32)
    names = cells.var_names.astype(str)
    genes = pd.DataFrame({"gene": names, "symbol": names})
    return Shard(counts, cells.obs_names.to_numpy().astype(object), genes)


def main() -> int:
    """Measure the parts, print the figures, and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the real data sets")
    given = parser.parse_args()
    if unknown := sorted(set(given.parts) - set(PARTS)):
        parser.error(f"unknown part: {', '.join(unknown)}")
    missed = 0
    for name in given.parts or PARTS:
        missed += print_figures(PARTS[name](given.data))
    return int(missed > 0)


if __name__ == "__main__":
    raise SystemExit(main())
