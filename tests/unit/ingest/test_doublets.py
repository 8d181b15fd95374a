"""Doublets by likeness to simulated ones."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import sparse

from lammscope.cohort.config import read_schema, resolve_config
from lammscope.core.shards import Shard
from lammscope.ingest.doublets import METHODS, score_channel
from lammscope.ingest.doublets.simulated import score_doublets
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.metrics import cell_metrics
from tests.matrices import small_shard

SETTINGS: dict[str, Any] = {
    "simulated_per_cell": 2,
    "expected_per_1000": 0.008,
    "n_pcs": 20,
    "n_genes": 1500,
    "min_cells": 50,
    "max_pct": 5,
}


def four_types(
    n_cells: int = 600, n_doublets: int = 30, seed: int = 0
) -> tuple[sparse.csr_array, np.ndarray]:
    rng = np.random.default_rng(seed)
    rates = rng.gamma(0.5, 2, (4, 500))
    counts = rng.poisson(rates[np.arange(n_cells) % 4])
    first = np.arange(n_doublets) % 4
    both = rng.poisson(rates[first] + rates[(first + 1) % 4])
    return sparse.csr_array(np.vstack([counts, both])), np.arange(n_cells + n_doublets) >= n_cells


def auroc(score: np.ndarray, truth: np.ndarray) -> float:
    """Probability that a true doublet scores above a single cell."""
    difference = score[truth][:, None] - score[~truth][None, :]
    return (difference > 0).mean() + 0.5 * (difference == 0).mean()


def test_planted_doublets_of_four_types_are_found_and_single_cells_left() -> None:
    counts, truth = four_types()
    scores, called = score_doublets(counts, rng=np.random.default_rng(1), **SETTINGS)
    assert auroc(scores, truth) > 0.98
    assert called[truth].mean() > 0.8
    assert called[~truth].mean() < 0.05


def test_a_channel_of_one_type_loses_few_cells() -> None:
    counts = np.random.default_rng(0).poisson(1.0, (300, 200))
    _, called = score_doublets(sparse.csr_array(counts), rng=np.random.default_rng(1), **SETTINGS)
    assert called.mean() <= 0.05


def test_a_small_channel_is_not_scored() -> None:
    counts, _ = four_types(20, 2)
    scores, called = score_doublets(counts, rng=np.random.default_rng(1), **SETTINGS)
    assert np.isnan(scores).all()
    assert not called.any()


def channel(counts: sparse.csr_array) -> Iterator[Any]:
    """A channel of two samples, of which the first has a barcode that fails QC."""
    genes = small_shard(n_genes=500).genes
    barcodes = np.array([f"B{i}" for i in range(counts.shape[0])])
    parts = {
        "s1": Shard(counts[:200], barcodes[:200], genes),
        "s2": Shard(counts[200:], barcodes[200:], genes),
    }
    qc = {sample: cell_metrics(part).assign(passes=True) for sample, part in parts.items()}
    qc["s1"].loc[0, "passes"] = False
    return ((sample, part, qc[sample]) for sample, part in parts.items())


def test_a_channel_is_scored_over_all_its_samples_and_named_by_sample() -> None:
    counts, _ = four_types()
    table = score_channel(
        channel(counts), method="simulated", rng=np.random.default_rng(1), **SETTINGS
    )
    assert len(table) == counts.shape[0] - 1
    assert table["cell"].tolist()[0] == "s1_B1"
    assert table["doublet_score"].notna().all()


def test_the_config_allows_each_method_and_no_other() -> None:
    method = read_schema("config")["properties"]["doublets"]["properties"]["method"]
    assert method["enum"] == list(METHODS)
    assert method["default"] in METHODS


def test_a_new_method_is_a_line_in_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets every setting of the config's section, and scores through the same function."""
    given = {}

    def call_large_cells(
        counts: sparse.csr_array, *, rng: np.random.Generator, max_pct: int, **others: Any
    ) -> tuple[np.ndarray, np.ndarray]:
        given.update(others)
        totals = counts.sum(axis=1)
        return totals / totals.max(), totals > np.quantile(totals, 1 - max_pct / 100)

    monkeypatch.setitem(METHODS, "large", call_large_cells)
    counts, _ = four_types()
    settings = {**resolve_config({})["doublets"], "method": "large"}
    del settings["remove"]
    table = score_channel(channel(counts), rng=np.random.default_rng(1), **settings)
    passing = counts[1:].sum(axis=1)
    assert np.array_equal(table["doublet_score"], passing / passing.max())
    assert 0.04 < table["doublet"].mean() < 0.06
    assert given == {key: value for key, value in SETTINGS.items() if key != "max_pct"}


@pytest.mark.real_data
def test_hashed_doublets_score_above_singlets(real_data: Callable[[str], Path]) -> None:
    import anndata

    path = real_data("doublets_hashing") / "cellline_hashing_2000.h5ad"
    label = anndata.read_h5ad(path).obs["doublet_true_labels"].astype(str).to_numpy()
    scores, called = score_doublets(
        read_matrix(path).counts, rng=np.random.default_rng(1), **SETTINGS
    )
    known = label != "Negative"
    # scanpy's Scrublet reaches 0.61 on this set
    assert auroc(scores[known], label[known] == "Doublet") > 0.64
    assert (label[called] == "Doublet").mean() > 0.5  # 0.11 by chance
