"""Barcodes that hold ambient RNA and no cell."""

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest
from scipy import sparse

from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.ambient import find_ambient

N_GENES = 800


def draw(profiles: np.ndarray, totals: np.ndarray, rng: np.random.Generator) -> sparse.csr_array:
    """Draw barcodes with a profile each."""
    rows = [rng.multinomial(n, profile) for n, profile in zip(totals, profiles, strict=True)]
    return sparse.csr_array(np.array(rows, dtype=np.int32))


def types(n_types: int, rng: np.random.Generator) -> np.ndarray:
    """Make profiles of cell types: common genes, and genes of one type."""
    common = rng.lognormal(0, 1.5, N_GENES)
    own = np.exp(1.5 * rng.standard_normal((n_types, N_GENES)))
    profiles = common * own
    return np.asarray(profiles / profiles.sum(axis=1, keepdims=True))


def cells(
    profiles: np.ndarray, n: int, *, counts: float, rng: np.random.Generator
) -> sparse.csr_array:
    """Draw cells that vary around the profile of their type."""
    chosen = profiles[rng.integers(0, len(profiles), n)]
    varied = rng.gamma(4, chosen / 4)
    totals = (counts * np.exp(0.3 * rng.standard_normal(n))).astype(int)
    return draw(varied / varied.sum(axis=1, keepdims=True), totals, rng)


def found(*parts: sparse.csr_array, seed: int = 0) -> tuple[list[float], str]:
    """Return the share of each part that is called ambient, and the source of the profile."""
    counts = sparse.csr_array(sparse.vstack(parts, format="csr"))
    rng = np.random.default_rng(seed)
    order = rng.permutation(counts.shape[0])
    calls = find_ambient(sparse.csr_array(counts[order]), ambient_max_counts=100, rng=rng)
    is_ambient = np.zeros(len(order), dtype=bool)
    is_ambient[order] = calls.is_ambient
    ends = np.cumsum([part.shape[0] for part in parts])
    shares = [float(part.mean()) for part in np.split(is_ambient, ends[:-1])]
    return shares, calls.source


@pytest.mark.parametrize("n_types", [1, 4])
@pytest.mark.parametrize("raw", [False, True])
def test_a_poor_library_keeps_its_cells_and_loses_its_ambient_rna(n_types: int, raw: bool) -> None:
    rng = np.random.default_rng(n_types)
    profiles = types(n_types, rng)
    soup = np.tile(profiles.mean(axis=0), (1500, 1))
    parts = [
        cells(profiles, 40, counts=2500, rng=rng),
        draw(soup, rng.integers(300, 900, 1500), rng),
    ]
    if raw:
        empties = np.tile(profiles.mean(axis=0), (2000, 1))
        parts.append(draw(empties, rng.integers(5, 60, 2000), rng))
    shares, source = found(*parts)
    assert shares[0] <= 0.1
    assert shares[1] >= 0.995
    assert source == ("empty droplets" if raw else "smallest barcodes")


def test_small_cells_are_found_by_their_profile_in_a_raw_matrix() -> None:
    rng = np.random.default_rng(3)
    profiles = types(4, rng)
    soup = profiles[:3].mean(axis=0)
    shares, _ = found(
        cells(profiles[:3], 600, counts=4000, rng=rng),
        cells(profiles[3:], 60, counts=350, rng=rng),  # such as platelets
        draw(np.tile(soup, (300, 1)), rng.integers(100, 400, 300), rng),
        draw(np.tile(soup, (3000, 1)), rng.integers(5, 60, 3000), rng),
    )
    assert shares[0] == 0
    assert shares[1] <= 0.05
    assert shares[2] >= 0.97


@pytest.mark.parametrize("n_types", [1, 4])
def test_a_good_filtered_library_loses_nothing(n_types: int) -> None:
    rng = np.random.default_rng(5)
    shares, source = found(cells(types(n_types, rng), 800, counts=1500, rng=rng))
    assert (shares, source) == ([0.0], "")


def test_odd_matrices_are_not_tested() -> None:
    rng = np.random.default_rng(6)
    profiles = types(2, rng)
    few = cells(profiles, 20, counts=1500, rng=rng)
    assert found(few) == ([0.0], "")
    only_empties = draw(np.tile(profiles[0], (500, 1)), rng.integers(1, 60, 500), rng)
    assert found(only_empties) == ([0.0], "")
    few_genes = cells(profiles, 600, counts=130, rng=rng)  # some below the floor
    assert found(few_genes) == ([0.0], "")
    nothing = sparse.csr_array((50, N_GENES), dtype=np.int32)
    assert found(nothing) == ([0.0], "")


def test_ambient_calls_can_be_repeated() -> None:
    rng = np.random.default_rng(7)
    profiles = types(3, rng)
    counts = draw(np.tile(profiles.mean(axis=0), (900, 1)), rng.integers(300, 900, 900), rng)
    first, second = (
        find_ambient(counts, ambient_max_counts=100, rng=np.random.default_rng(0)).is_ambient
        for _ in range(2)
    )
    assert (first == second).all()
    assert first.mean() > 0.99


@pytest.mark.real_data
def test_no_cell_of_real_filtered_libraries_is_ambient(real_data: Callable[[str], Path]) -> None:
    """Good and poor libraries of two laboratories, mixed and of one type."""
    rng = np.random.default_rng(0)
    paths = sorted(real_data("carpall").glob("*.h5"))
    poorest = [path for path in paths if "CAR-T10593347" in path.name]  # 1 cell of 5,055 barcodes
    for path in [*paths[::4], *poorest]:
        calls = find_ambient(read_matrix(path).counts, ambient_max_counts=100, rng=rng)
        assert not calls.is_ambient.any(), path
    purified = anndata.read_h5ad(real_data("pbmc_facs") / "pbmc_facs.h5ad")
    for name, rows in purified.obs.groupby("celltype", observed=True).indices.items():
        counts = sparse.csr_array(purified.X[rows]).astype(np.int32)
        calls = find_ambient(counts, ambient_max_counts=100, rng=rng)
        assert not calls.is_ambient.any(), name
