"""The contamination fraction of a sample."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from anndata import read_h5ad
from scipy import sparse

from lammscope.core.ambient.contamination import Contamination, estimate_contamination

N_GENES, PER_POPULATION = 1000, 150
FRACTIONS = (0.02, 0.05, 0.1, 0.25)


def sample(
    fraction: float, *, origin: tuple[float, ...] = (1, 1, 1, 1), n_markers: int = 40, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    """Draw cells of four populations; `origin` weights their RNA in the ambient profile."""
    rng = np.random.default_rng(seed)
    shared = rng.gamma(0.5, 1, N_GENES)
    rates = np.tile(shared, (4, 1))
    for population in range(4):
        markers = np.arange(population * n_markers, (population + 1) * n_markers)
        rates[:, markers] *= 0.002
        rates[population, markers] += rng.gamma(1, 3, n_markers)
    rates /= rates.sum(axis=1, keepdims=True)
    ambient = np.average(rates, axis=0, weights=origin)
    populations = np.repeat(np.arange(4), PER_POPULATION)
    totals = rng.lognormal(np.log(3000), 0.4, len(populations)).astype(int)
    mixed = (1 - fraction) * rates[populations] + fraction * ambient
    return sparse.csr_array(rng.multinomial(totals, mixed)), ambient, populations


def estimate(
    counts: sparse.csr_array, profile: np.ndarray, populations: np.ndarray, *, own: bool = False
) -> Contamination:
    return estimate_contamination(
        counts,
        profile=profile,
        own_profile=own,
        populations=populations,
        rng=np.random.default_rng(0),
    )


def own_profile(counts: sparse.csr_array) -> np.ndarray:
    return np.asarray(counts.sum(axis=0)).ravel() / counts.sum()


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("origin", [(1, 1, 1, 1), (4, 1, 0.5, 0.5)])
def test_the_fraction_is_found_with_the_profile_of_empty_droplets(
    fraction: float, origin: tuple[float, ...]
) -> None:
    counts, ambient, populations = sample(fraction, origin=origin)
    got = estimate(counts, ambient, populations)
    assert abs(got.estimate - fraction) < 0.01
    assert got.lower - 0.005 <= fraction <= got.upper + 0.005
    assert got.lower <= got.estimate <= got.upper
    assert got.upper - got.lower < 0.04
    assert got.n_genes > 50
    assert got.problem == ""


@pytest.mark.parametrize(
    ("fraction", "origin"),
    [
        *((each, (1, 1, 1, 1)) for each in FRACTIONS),
        *((each, (2, 1, 0.5, 0.5)) for each in (0.05, 0.1)),
    ],
)
def test_the_fraction_is_found_with_the_profile_of_the_cells(
    fraction: float, origin: tuple[float, ...]
) -> None:
    counts, _, populations = sample(fraction, origin=origin)
    got = estimate(counts, own_profile(counts), populations, own=True)
    assert abs(got.estimate - fraction) < 0.015
    if len(set(origin)) > 1:  # one estimate for all genes follows those of rare ambient RNA
        assert estimate(counts, own_profile(counts), populations).estimate < 0.8 * fraction


def test_the_order_of_cells_and_genes_and_the_labels_do_not_matter() -> None:
    counts, ambient, populations = sample(0.1)
    rng = np.random.default_rng(1)
    cells, genes = rng.permutation(len(populations)), rng.permutation(N_GENES)
    labels = np.array(["T", "B", "NK", "monocyte"])[populations]
    got = estimate(counts[cells][:, genes], ambient[genes], labels[cells])
    assert got.estimate == estimate(counts, ambient, populations).estimate


def test_genes_that_are_expressed_a_little_do_not_count_as_contamination() -> None:
    counts, ambient, populations = sample(0.05)
    leaky = populations == 1
    rng = np.random.default_rng(2)
    extra = np.zeros(counts.shape, dtype=int)
    extra[np.ix_(leaky, np.arange(40))] = rng.poisson(2.0, (leaky.sum(), 40))
    got = estimate(sparse.csr_array(counts + sparse.csr_array(extra)), ambient, populations)
    assert abs(got.estimate - 0.05) < 0.01


def test_a_few_cells_of_another_population_do_not_count_as_contamination() -> None:
    counts, ambient, populations = sample(0.05)
    mislabeled = populations.copy()
    for population in range(4):
        mislabeled[np.flatnonzero(populations == population)[:4]] = (population + 1) % 4
    assert abs(estimate(counts, ambient, mislabeled).estimate - 0.05) < 0.015


def without_markers() -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    return sample(0.1, n_markers=0)


def one_population() -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    counts, ambient, populations = sample(0.1)
    return counts, ambient, np.zeros_like(populations)


def no_cell() -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    counts, ambient, populations = sample(0.1)
    return counts[:0], ambient, populations[:0]


def five_cells() -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    counts, ambient, populations = sample(0.1)
    rows = np.array([0, 1, 160, 310, 460])
    return counts[rows], ambient, populations[rows]


def no_umi() -> tuple[sparse.csr_array, np.ndarray, np.ndarray]:
    counts, ambient, populations = sample(0.1)
    return counts * 0, ambient, populations


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (no_umi, "too few genes"),
        (without_markers, "too few genes"),
        (one_population, "one population"),
        (no_cell, "one population"),
        (five_cells, "too few genes"),
    ],
)
def test_what_cannot_be_estimated_is_not_zero(make: Callable[[], Any], problem: str) -> None:
    got = estimate(*make())
    assert problem in got.problem
    assert np.isnan([got.estimate, got.lower, got.upper]).all()


@pytest.mark.real_data
@pytest.mark.parametrize("own", [False, True])
def test_ambient_rna_added_to_real_cells_is_found(
    real_data: Callable[[str], Path], own: bool
) -> None:
    cells = read_h5ad(real_data("pbmc_facs") / "pbmc_facs.h5ad")
    counts = sparse.csr_array(cells.X).astype(np.int64)
    populations = cells.obs["celltype"].to_numpy()
    ambient = own_profile(counts)
    assert estimate(counts, ambient, populations, own=own).estimate < 0.005  # purified cells
    totals = np.asarray(counts.sum(axis=1)).ravel()
    rng = np.random.default_rng(0)
    for fraction in FRACTIONS:
        extra = rng.poisson(totals * fraction / (1 - fraction))
        genes = rng.choice(len(ambient), extra.sum(), p=ambient)
        rows = np.repeat(np.arange(len(totals)), extra)
        added = sparse.csr_array((np.ones(len(genes), int), (rows, genes)), shape=counts.shape)
        mixed = sparse.csr_array(counts + added)
        empty = rng.multinomial(200_000, ambient) / 200_000
        profile = own_profile(mixed) if own else empty
        got = estimate(mixed, profile, populations, own=own)
        assert abs(got.estimate - fraction) < (0.025 if own else 0.01)
