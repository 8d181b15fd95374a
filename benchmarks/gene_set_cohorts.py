"""Cohorts of patients without a difference, made from real cells or simulated, for gene sets.

A patient is a draw of cells of one real donor, so that genes are correlated as they are between
real patients: interferon, for example, is high in some lupus patients, here by a share of
interferon-stimulated cells. Patients differ in the number of cells, in depth and in ambient RNA.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.contrasts import Contrast
from lammscope.core.gene_sets import GeneSet
from lammscope.core.names import Array
from lammscope.ingest.matrices.read import read_matrix

QUESTION = {"kind": "between", "test": "non_responder", "reference": "responder"}
QUESTIONS: dict[str, dict[str, object]] = {
    "between": {**QUESTION, "where": {"phase": "pre"}},
    "paired": {"kind": "paired", "test": "post", "reference": "pre"},
    "change": {**QUESTION, "kind": "change"},
}
PHASES = ("pre", "post")
KANG_TYPES = {
    "monocytes": ("CD14+ Monocytes", "FCGR3A+ Monocytes"),
    "CD4 T": ("CD4 T cells",),
}
MYELOID = ("LYZ", "S100A8", "S100A9", "FCN1", "VCAN", "CST3", "CD14", "TYROBP")
T_GENES = ("CD3D", "CD3E", "CD3G", "TRAC", "CD2")
MIN_UMI = 1000  # of a cell of carpall
MIN_DONOR_CELLS = 25  # of a library of carpall
MIN_GENE_UMI = 20
N_CELLS, CELL_SPREAD = 60, 0.8  # median cells of a sample, and its log standard deviation
DEPTH_SPREAD = 0.5
AMBIENT, AMBIENT_SPREAD, MAX_AMBIENT = 0.05, 0.7, 0.3  # share of UMIs that are ambient
STIMULATED = (0.4, 1.6)  # beta distribution of the share of stimulated cells


@dataclass(frozen=True)
class Source:
    """Samples can be drawn from it.

    Attributes
    ----------
    genes
        Symbols.
    draw
        From `rng`, the donor and a factor of depth to the counts of a sample.
    donors
        Names that `draw` knows.
    gene_sets
        Sets to test.
    """

    genes: np.ndarray
    draw: Callable[[np.random.Generator, str, float], Array]
    donors: list[str]
    gene_sets: list[GeneSet]


@dataclass(frozen=True)
class Plan:
    """Patients per arm, and the depth of samples of the test arm relative to the others."""

    n_test: int = 6
    n_reference: int = 6
    test_depth: float = 1.0


@dataclass(frozen=True)
class Cells:
    """Real cells of one population: counts (cells x genes), donor, and whether stimulated."""

    counts: sparse.csr_array
    donor: np.ndarray
    stimulated: NDArray[np.bool_]
    genes: np.ndarray
    ambient: Mapping[str, Array]  # profile of the donor's whole sample


def sample_sheet(plan: Plan) -> pd.DataFrame:
    """Make the sheet of a cohort, each patient before and after infusion."""
    arms = ["non_responder"] * plan.n_test + ["responder"] * plan.n_reference
    rows = [
        {"sample": f"P{i:02d}_{phase}", "patient": f"P{i:02d}", "phase": phase, "response": arm}
        for i, arm in enumerate(arms)
        for phase in PHASES
    ]
    sheet = pd.DataFrame(rows)
    sheet["timepoint"], sheet["response_label"] = sheet["phase"], sheet["response"]
    return sheet.assign(compartment="blood", sort="none", batch="b", counts="x.h5")


def contrast_of(kind: str, sheet: pd.DataFrame) -> Contrast:
    """Return the contrast of a kind."""
    return contrasts_from_config({kind: QUESTIONS[kind]}, sheet)[0]


def draw_cohort(
    source: Source, plan: Plan, sheet: pd.DataFrame, rng: np.random.Generator
) -> anndata.AnnData:
    """Draw the pseudobulks of the samples; a patient's samples are of the same donor."""
    donors = {patient: str(rng.choice(source.donors)) for patient in sheet["patient"].unique()}
    counts = []
    for patient, arm in zip(sheet["patient"], sheet["response"], strict=True):
        depth = plan.test_depth if arm == "non_responder" else 1.0
        counts.append(source.draw(rng, donors[patient], depth))
    return as_pseudobulk(np.array(counts), sheet["sample"].to_numpy(), source.genes)


def plant(
    data: anndata.AnnData, names: set[str], genes: tuple[str, ...], rng: np.random.Generator
) -> anndata.AnnData:
    """Halve the counts of genes in these samples by binomial thinning (Gerard 2020).

    doi 10.1186/s12859-020-3450-9. Nothing else of the data changes.
    """
    counts = sparse.csr_array(data.X).toarray().astype(int)
    rows = np.flatnonzero(data.obs["sample"].isin(names))
    at = np.ix_(rows, np.flatnonzero(data.var["symbol"].isin(genes)))
    counts[at] = rng.binomial(counts[at], 0.5)
    thinned = data.copy()
    thinned.X = sparse.csr_matrix(counts)
    return thinned


def as_pseudobulk(counts: Array, samples: np.ndarray, genes: np.ndarray) -> anndata.AnnData:
    """Make the object that `test_gene_sets` takes, of one population."""
    obs = pd.DataFrame({"sample": samples, "population": "LAMM", "n_cells": 50})
    obs.index = pd.Index(obs["sample"] + "|LAMM")
    var = pd.DataFrame({"symbol": genes}, index=pd.Index(genes))
    return anndata.AnnData(sparse.csr_matrix(counts.astype(np.int64)), obs=obs, var=var)


def read_cells(data: Path) -> dict[str, Cells]:
    """Read the populations of lupus blood and of libraries of CAR-T patients."""
    return {**_lupus(data), **_car_t(data)}


def permuted_cohort(cells: Cells, sheet: pd.DataFrame, rng: np.random.Generator) -> anndata.AnnData:
    """Give the real donors' sums of counts to the patients of a sheet at random."""
    first = sheet[sheet["phase"] == PHASES[0]]
    donors = rng.permutation(np.unique(cells.donor))[: len(first)]
    counts = [np.asarray(cells.counts[cells.donor == name].sum(axis=0)).ravel() for name in donors]
    return as_pseudobulk(np.array(counts), first["sample"].to_numpy(), cells.genes)


def source_of(cells: Cells, gene_sets: list[GeneSet]) -> Source:
    """Draw samples of real cells, with replacement."""
    stimulated = np.flatnonzero(cells.stimulated)
    own = {
        str(donor): np.flatnonzero((cells.donor == donor) & ~cells.stimulated)
        for donor in np.unique(cells.donor[~cells.stimulated])
    }

    def draw(rng: np.random.Generator, donor: str, depth: float) -> Array:
        n_cells = max(10, int(depth * rng.lognormal(np.log(N_CELLS), CELL_SPREAD)))
        n_other = rng.binomial(n_cells, rng.beta(*STIMULATED)) if len(stimulated) else 0
        chosen = rng.choice(own[donor], n_cells - n_other)
        if n_other:
            chosen = np.concatenate([chosen, rng.choice(stimulated, n_other)])
        counts = np.asarray(cells.counts[chosen].sum(axis=0)).ravel().astype(int)
        counts = rng.binomial(counts, np.exp(-abs(rng.normal(0, DEPTH_SPREAD))))
        profile = cells.ambient[donor]
        expected = _ambient_share(rng) * counts.sum() * profile / profile.sum()
        return np.asarray(counts + rng.poisson(expected), dtype=float)

    return Source(cells.genes, draw, sorted(own), gene_sets)


def simulated_source(rng: np.random.Generator) -> Source:
    """Make genes of which sets respond together: in each patient with a size of its own."""
    n_genes, n_sets, size = 2000, 20, 30
    mean = rng.gamma(0.8, 60, n_genes) + 2
    ambient = rng.gamma(0.5, 1, n_genes)
    genes = np.array([f"GENE{i:04d}" for i in range(n_genes)])
    order = rng.permutation(n_genes)[: n_sets * size].reshape(n_sets, size)

    def draw(rng: np.random.Generator, donor: str, depth: float) -> Array:
        rate = mean * rng.lognormal(0, 0.3, n_genes)
        for rows in order:
            rate[rows] *= np.exp(rng.normal(0, 0.5) * rng.uniform(0, 1, size))
        rate *= depth * rng.lognormal(0, 0.7)
        rate += _ambient_share(rng) * rate.sum() * ambient / ambient.sum()
        return np.asarray(rng.negative_binomial(8, 8 / (8 + rate)), dtype=float)

    gene_sets = [GeneSet(f"set {i}", "", tuple(genes[rows])) for i, rows in enumerate(order)]
    return Source(genes, draw, ["anyone"], gene_sets)


def _ambient_share(rng: np.random.Generator) -> float:
    return float(min(MAX_AMBIENT, rng.lognormal(np.log(AMBIENT), AMBIENT_SPREAD)))


def _lupus(data: Path) -> dict[str, Cells]:
    """Return cells of eight lupus patients, in three with and without interferon-beta."""
    cells: Any = anndata.read_h5ad(data / "kang_ifnb" / "kang_ifnb_2000.h5ad")
    counts = sparse.csr_array(cells.X)
    obs = cells.obs[["stim", "donor", "kang_cell"]].astype(str)
    donor = obs["donor"].to_numpy()
    control, found = (obs["stim"] == "ctrl").to_numpy(), {}
    for name, types in KANG_TYPES.items():
        rows = np.flatnonzero((obs["donor"] != "NA") & obs["kang_cell"].isin(types))
        stimulated = (obs["stim"].iloc[rows] == "stim").to_numpy()
        ambient = {
            each: np.asarray(counts[(donor == each) & control].sum(axis=0)).ravel()
            for each in np.unique(donor[rows])
        }
        genes = cells.var_names.astype(str).to_numpy()
        found[f"lupus {name}"] = Cells(counts[rows], donor[rows], stimulated, genes, ambient)
    return found


def _car_t(data: Path) -> dict[str, Cells]:
    """Return T cells and monocytes, by marker genes, of each library with enough of them."""
    parts, labels, ambient = [], [], {}
    for path in sorted((data / "carpall").glob("*.h5")):
        library = path.name.split(".")[0]
        shard = read_matrix(path)
        symbols = shard.genes["symbol"].to_numpy()
        total = np.asarray(shard.counts.sum(axis=1)).ravel()
        counts, total = shard.counts[total >= MIN_UMI], total[total >= MIN_UMI]
        myeloid, lymphoid = (
            np.asarray(counts[:, np.isin(symbols, genes)].sum(axis=1)).ravel()
            for genes in (MYELOID, T_GENES)
        )
        rate = 1e4 * myeloid / total
        is_monocyte = (rate > 150) & (lymphoid == 0)
        is_t = (rate < 40) & (lymphoid >= 2)
        kinds = np.select([is_monocyte, is_t], ["monocytes", "T"], "")
        ambient[library] = np.asarray(counts.sum(axis=0)).ravel()
        parts.append(counts)
        labels.append(pd.DataFrame({"donor": library, "kind": kinds}))
    table, counts = pd.concat(labels, ignore_index=True), sparse.csr_array(sparse.vstack(parts))
    _, first = np.unique(symbols, return_index=True)
    kept = first[np.asarray(counts.sum(axis=0)).ravel()[first] >= MIN_GENE_UMI]
    counts, genes = counts[:, kept], symbols[kept]
    found = {}
    for kind in ("monocytes", "T"):
        n_cells = table.loc[table["kind"] == kind, "donor"].value_counts()
        large = set(n_cells.index[n_cells >= MIN_DONOR_CELLS])
        rows = np.flatnonzero((table["kind"] == kind) & table["donor"].isin(large))
        found[f"CAR-T {kind}"] = Cells(
            sparse.csr_array(counts[rows]),
            table["donor"].to_numpy()[rows],
            np.zeros(len(rows), dtype=bool),
            genes,
            {library: profile[kept] for library, profile in ambient.items()},
        )
    return found
