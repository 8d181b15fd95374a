"""Libraries that are mixed from real cells, with ambient RNA of the mixture added to every droplet.

Cells of a lineage are drawn from one real set, so that the levels of genes and their correlation
are real. T cells of `carpall` are those of one library each: patients differ as they do. The other
sets are of one donor; there every patient has a level of each gene of its own, and cells are
thinned to it. The real cells hold some ambient RNA already, which is left as it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from benchmarks.contamination import NOT_T, good_cells, read_shard
from lammscope.annotate.ambient import AmbientSums, sum_ambient
from lammscope.annotate.sums import GroupSums, sum_groups
from lammscope.core.names import ALL_BARCODES, PROFILE
from lammscope.core.shards import Shard
from lammscope.ingest.droplets.profile import ambient_profile
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.contamination import sample_contamination
from lammscope.ingest.quality.lineages import quick_lineages

CELL_SETS = ("pbmc_facs", "pbmc_hao_v3", "pbmc_frozen_v1", "carpall")
N_CELLS = 400  # of a library
N_EMPTY = 200_000  # UMIs of its empty droplets
LINEAGES = {"T_NK": "T", "B": "B", "monocyte_DC": "monocyte"}
PURIFIED = {"CD14+ Monocyte": "monocyte", "CD19+ B": "B", "CD56+ NK": "NK"}
MIN_T = 140  # T cells of a library of carpall
MIN_UMIS = 10  # of a gene in a set
PATIENT_SD, HIGHEST = 0.25, 2.0  # of the log levels of a patient; levels are cut off there


@dataclass(frozen=True)
class CellSet:
    """Cells of one real set.

    Attributes
    ----------
    name
        Name of the set.
    genes
        `gene` and `symbol`.
    pools
        Cells x genes counts of each population, by patient; a single one if all share it.
    """

    name: str
    genes: pd.DataFrame
    pools: Mapping[str, list[sparse.csr_array]]

    @property
    def n_patients(self) -> int:
        """Number of patients with T cells of their own; 1 if they are made from one donor."""
        return len(self.pools["T"])


@dataclass(frozen=True)
class Recipe:
    """How a library is mixed: share of each population, and of ambient RNA in all UMIs.

    `levels` has the relative level of each gene by population, at most 1; `filtered` tells whether
    the ambient profile must be guessed from the cells.
    """

    shares: Mapping[str, float]
    ambient: float
    levels: Mapping[str, np.ndarray]
    filtered: bool


def read_cell_set(name: str, data: Path) -> CellSet:
    """Read one of `CELL_SETS`."""
    if name == "carpall":
        return _of_carpall(data)
    if name != "pbmc_facs":
        cells = good_cells(read_matrix(data / "blood_chemistries" / f"{name}.h5ad"))
        return _of_one_donor(name, cells, _populations(cells))
    table = anndata.read_h5ad(data / "pbmc_facs" / "pbmc_facs.h5ad")
    types = pd.Series(np.asarray(table.obs["celltype"], dtype=str))
    names = types.map(PURIFIED).where(types.isin(NOT_T), "T").fillna("").to_numpy(dtype=str)
    return _of_one_donor(name, read_shard(table), names)


def _populations(cells: Shard) -> np.ndarray:
    return pd.Series(quick_lineages(cells)).map(LINEAGES).fillna("").to_numpy(dtype=str)


def _of_one_donor(name: str, cells: Shard, populations: np.ndarray) -> CellSet:
    kept = np.flatnonzero(np.asarray(cells.counts.sum(axis=0)).ravel() >= MIN_UMIS)
    counts = sparse.csr_array(cells.counts[:, kept])
    names = sorted(set(populations) - {""})
    pools = {each: [counts[np.flatnonzero(populations == each)]] for each in names}
    return CellSet(name, cells.genes.iloc[kept].reset_index(drop=True), pools)


def _of_carpall(data: Path) -> CellSet:
    """Return T cells of libraries, and monocytes of all of them together."""
    of_t, monocytes = [], []
    for path in sorted((data / "carpall").glob("*.h5")):
        cells = good_cells(read_matrix(path))
        populations = _populations(cells)
        monocytes.append(cells.counts[np.flatnonzero(populations == "monocyte")])
        if (populations == "T").sum() >= MIN_T:
            of_t.append(cells.counts[np.flatnonzero(populations == "T")])
    both = sparse.vstack([*of_t, *monocytes], format="csr")
    kept = np.flatnonzero(np.asarray(both.sum(axis=0)).ravel() >= MIN_UMIS)
    pools = {
        "T": [sparse.csr_array(own[:, kept]) for own in of_t],
        "monocyte": [sparse.csr_array(sparse.vstack(monocytes, format="csr")[:, kept])],
    }
    return CellSet("carpall", cells.genes.iloc[kept].reset_index(drop=True), pools)


def patient_levels(cells: CellSet, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Draw the levels of a patient's genes by population; 1 if the set has patients."""
    if cells.n_patients > 1:
        return {name: np.ones(len(cells.genes)) for name in cells.pools}
    return {
        name: np.minimum(rng.lognormal(0, PATIENT_SD, len(cells.genes)) / HIGHEST, 1)
        for name in cells.pools
    }


def mix_library(
    cells: CellSet, recipe: Recipe, *, patient: int, rng: np.random.Generator
) -> tuple[GroupSums, AmbientSums, float]:
    """Mix a library, add ambient RNA, and estimate it as the workflow does.

    Returns
    -------
    sums, ambient
        Of its populations.
    contamination
        The estimate; NaN if there is none.
    """
    drawn, names = [], []
    for name, share in recipe.shares.items():
        pool = cells.pools[name][patient % len(cells.pools[name])]
        n_cells = round(share * N_CELLS)
        if n_cells:
            rows = pool[np.sort(rng.integers(pool.shape[0], size=n_cells))]
            drawn.append(_thinned(rows, recipe.levels[name], rng))
            names += [name] * n_cells
    pure = sparse.csr_array(sparse.vstack(drawn, format="csr"))
    soup = np.asarray(pure.sum(axis=0), dtype=float).ravel()
    counts = _with_ambient(pure, soup / soup.sum(), recipe.ambient, rng)
    if recipe.filtered:
        profile = np.asarray(counts.sum(axis=0), dtype=float).ravel() / counts.sum()
    else:
        profile = ambient_profile(rng.multinomial(N_EMPTY, soup / soup.sum()), seen=soup > 0)
    barcodes = np.arange(len(names)).astype(str).astype(object)
    shard = Shard(counts, barcodes, cells.genes.assign(**{PROFILE: profile}))
    estimate = sample_contamination(
        shard,
        profile=profile,
        source=ALL_BARCODES if recipe.filtered else "empty droplets",
        lineages=quick_lineages(shard),
        rng=rng,
    )
    contamination = float(estimate["contamination"].iloc[0])
    place = {"positions": np.arange(len(names)), "labels": np.array(names)}
    return (
        sum_groups(shard, **place),
        sum_ambient(shard, **place, contamination=contamination),
        contamination,
    )


def _thinned(
    counts: sparse.csr_array, levels: np.ndarray, rng: np.random.Generator
) -> sparse.csr_array:
    thin = counts.copy()
    thin.data = rng.binomial(thin.data.astype(np.int64), levels[thin.indices])
    thin.eliminate_zeros()
    return thin


def _with_ambient(
    counts: sparse.csr_array, soup: np.ndarray, share: float, rng: np.random.Generator
) -> sparse.csr_array:
    """Add as many ambient UMIs to each droplet: a share of all UMIs together."""
    n_cells, n_genes = counts.shape
    extra = rng.poisson(counts.sum() / n_cells * share / (1 - share), n_cells)
    genes = rng.choice(n_genes, extra.sum(), p=soup)
    rows = np.repeat(np.arange(n_cells), extra)
    added = sparse.coo_array((np.ones(len(genes), dtype=np.int64), (rows, genes)), counts.shape)
    return sparse.csr_array(counts + sparse.csr_array(added))
