"""Ambient RNA in the cells of one sample."""

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.quality.ambient import AmbientCalls
from lammscope.ingest.quality.contamination import (
    ambient_genes,
    describe_contamination,
    sample_contamination,
)
from lammscope.ingest.quality.lineages import quick_lineages


def shard_of(counts: sparse.csr_array, symbols: np.ndarray) -> Shard:
    barcodes = np.array([f"B{number}" for number in range(counts.shape[0])], dtype=object)
    return Shard(counts, barcodes, pd.DataFrame({"gene": symbols, "symbol": symbols}))


def blood(n_cells: int, fraction: float, *, types: int = 3, named: bool = True) -> Shard:
    """Draw T, B and myeloid cells of 60 own genes each, with a share of ambient RNA of all."""
    rng = np.random.default_rng(0)
    rates = np.tile(rng.gamma(0.5, 1, 600), (3, 1))
    names = np.array([f"GENE{number}" for number in range(600)], dtype=object)
    markers = (["CD3D", "CD3E", "TRAC"], ["CD79A", "MS4A1", "CD19"], ["LYZ", "FCN1", "VCAN"])
    for number, own in enumerate(markers):
        block = slice(60 * number, 60 * (number + 1))
        rates[:, block] *= 0.001
        rates[number, block] = rng.gamma(1, 3, 60)
        rates[number, 60 * number : 60 * number + 3] = 30
        if named:
            names[60 * number : 60 * number + 3] = own
    rates /= rates.sum(axis=1, keepdims=True)
    chosen = rates[np.arange(n_cells) % types]
    mixed = (1 - fraction) * chosen + fraction * rates.mean(axis=0)
    totals = rng.lognormal(np.log(2500), 0.3, n_cells).astype(int)
    return shard_of(sparse.csr_array(rng.multinomial(totals, mixed)), names)


def profile_of(shard: Shard) -> np.ndarray:
    return np.asarray(shard.counts.sum(axis=0)).ravel() / max(shard.counts.sum(), 1)


def estimated(shard: Shard, *, source: str = "all barcodes") -> pd.Series:
    table = sample_contamination(
        shard,
        profile=profile_of(shard),
        source=source,
        lineages=quick_lineages(shard),
        rng=np.random.default_rng(0),
    )
    assert len(table) == 1
    return table.iloc[0]


def nine_b_cells() -> Shard:
    """Take 300 T cells and 9 B cells."""
    shard = blood(600, 0.1, types=2)
    rows = np.flatnonzero((np.arange(600) % 2 == 0) | (np.arange(600) < 18))
    return Shard(sparse.csr_array(shard.counts[rows]), shard.barcodes[rows], shard.genes)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("fraction", [0.02, 0.1, 0.25])
def test_the_fraction_is_found_also_without_symbols(fraction: float, named: bool) -> None:
    row = estimated(blood(600, fraction, named=named))
    assert abs(row["contamination"] - fraction) < 0.02
    assert row["contamination_low"] <= row["contamination"] <= row["contamination_high"]
    assert row["note"] == ""


@pytest.mark.parametrize(
    ("shard", "note"),
    [
        (blood(600, 0.1, types=1), "nearly all cells are of one lineage (T_NK)"),
        (blood(600, 0.1, types=1, named=False), "too few genes"),
        (blood(2, 0.1), "2 cells pass quality control, and at least 40 are needed"),
        (blood(0, 0.1), "0 cells pass"),
        (nine_b_cells(), "nearly all cells are of one lineage (T_NK)"),
    ],
)
def test_what_cannot_be_estimated_is_said_and_missing(shard: Shard, note: str) -> None:
    row = estimated(shard)
    assert note in row["note"]
    assert row[["contamination", "contamination_low", "contamination_high"]].isna().all()
    assert row["ambient_profile"] == "all barcodes"


def test_the_profile_is_that_of_barcodes_without_a_cell_or_else_of_all_others() -> None:
    shard = blood(100, 0.1)
    low = sparse.csr_array(np.ones((1, 600), dtype=np.int64))
    counts = sparse.csr_array(sparse.vstack([shard.counts, low], format="csr"))
    matrix = shard_of(counts, shard.genes["symbol"].to_numpy())
    untested = AmbientCalls(np.zeros(101, dtype=bool), "", np.zeros(600))
    profile, source = ambient_genes(matrix, untested, lower=1000)
    assert source == "all barcodes"
    np.testing.assert_allclose(profile, profile_of(shard))
    known = np.full(600, 1 / 600)
    calls = AmbientCalls(np.zeros(101, dtype=bool), "empty droplets", known)
    profile, source = ambient_genes(matrix, calls, lower=1000)
    assert source == "empty droplets"
    assert (profile == known).all()
    nothing = shard_of(sparse.csr_array((0, 600), dtype=np.int32), shard.genes["symbol"].to_numpy())
    assert not ambient_genes(nothing, untested, lower=1)[0].any()


def test_the_log_has_the_estimate_or_the_reason() -> None:
    table = pd.DataFrame([estimated(blood(600, 0.1))])
    assert "% of the UMIs are ambient RNA" in describe_contamination(table, sample="A")
    table = pd.DataFrame([estimated(blood(2, 0.1))])
    assert "sample A: contamination cannot be" in describe_contamination(table, sample="A")


@pytest.mark.real_data
def test_ambient_rna_added_to_real_blood_is_found(real_data: Callable[[str], Path]) -> None:
    cells = anndata.read_h5ad(real_data("pbmc_facs") / "pbmc_facs.h5ad")
    symbols = cells.var["symbol"].astype(str).to_numpy()
    pure = shard_of(sparse.csr_array(cells.X).astype(np.int64), symbols)
    profile, rng = profile_of(pure), np.random.default_rng(0)
    totals = np.asarray(pure.counts.sum(axis=1)).ravel()
    for fraction in (0.02, 0.1, 0.25):
        extra = rng.poisson(totals * fraction / (1 - fraction))
        genes = rng.choice(len(profile), extra.sum(), p=profile)
        rows = np.repeat(np.arange(len(totals)), extra)
        added = sparse.csr_array((np.ones(len(genes), int), (rows, genes)), shape=pure.counts.shape)
        mixed = shard_of(sparse.csr_array(pure.counts + added), symbols)
        assert abs(estimated(mixed)["contamination"] - fraction) < 0.03
        raw = estimated(mixed, source="empty droplets")["contamination"]
        assert abs(raw - fraction) < 0.02
