"""Metrics of barcodes, and the sums of nearly empty ones."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from lammscope.core.mitochondria import MITOCHONDRIAL, MITOCHONDRIAL_IDS
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.metrics import (
    HEMOGLOBIN,
    HEMOGLOBIN_IDS,
    cell_metrics,
    split_ambient,
    warn_without_mitochondria,
)
from tests.matrices import small_shard


def test_metrics_equal_those_of_the_dense_matrix() -> None:
    shard = small_shard()
    dense = shard.counts.toarray()
    metrics = cell_metrics(shard)
    assert metrics["total_counts"].tolist() == dense.sum(axis=1).tolist()
    assert metrics["n_genes"].tolist() == (dense > 0).sum(axis=1).tolist()
    np.testing.assert_allclose(metrics["pct_mt"], 100 * dense[:, :2].sum(1) / dense.sum(1))
    np.testing.assert_allclose(metrics["pct_hb"], 100 * dense[:, 2] / dense.sum(1))


def test_mitochondrial_genes_are_known_by_id_where_a_matrix_has_no_symbols() -> None:
    shard = small_shard()
    ids = [*sorted(MITOCHONDRIAL_IDS)[:2], *sorted(HEMOGLOBIN_IDS)[:1]]
    genes = shard.genes.assign(gene=[*ids, *shard.genes["gene"][3:]])
    named = cell_metrics(shard)
    unnamed = cell_metrics(
        type(shard)(shard.counts, shard.barcodes, genes.assign(symbol=genes["gene"]))
    )
    assert named["pct_mt"].max() > 0
    assert unnamed.equals(named)


@pytest.mark.real_data
def test_ids_and_symbols_name_the_same_mitochondrial_and_hemoglobin_genes(
    real_data: Callable[[str], Path],
) -> None:
    path = next(real_data("carpall").glob("*.h5"))
    genes = read_matrix(path).genes
    for pattern, ids in ((MITOCHONDRIAL, MITOCHONDRIAL_IDS), (HEMOGLOBIN, HEMOGLOBIN_IDS)):
        found = set(genes.loc[genes["symbol"].str.match(pattern), "gene"])
        assert found
        assert found <= ids
        assert not (ids - found) & set(genes["gene"])


def test_a_sample_without_mitochondrial_counts_is_warned_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shard = small_shard()
    warn_without_mitochondria(shard, sample="A")
    assert not caplog.records
    symbols = shard.genes["symbol"].replace({"MT-CO1": "COX1", "MT-ND1": "ND1"})
    none = Shard(shard.counts, shard.barcodes, shard.genes.assign(symbol=symbols))
    counts = shard.counts.toarray()
    counts[:, :2] = 0
    empty = Shard(sparse.csr_array(counts), shard.barcodes, shard.genes)
    for case in (none, empty):
        warn_without_mitochondria(case, sample="A")
    first, second = caplog.messages
    assert first.startswith("sample A: no mitochondrial gene among its 60: % mitochondrial is 0")
    assert second.startswith("sample A: no UMI of its 2 mitochondrial genes: % mitochondrial is 0")


def test_part_of_a_pooled_channel_keeps_the_ambient_profile_of_the_whole() -> None:
    shard = small_shard()
    floor = int(np.median(shard.counts.sum(axis=1)))
    whole = split_ambient(shard, np.arange(40), ambient_max_counts=floor)
    part = split_ambient(shard, np.arange(0, 40, 2), ambient_max_counts=floor)
    assert set(part.barcodes) == set(whole.barcodes) & set(shard.barcodes[::2])
    assert part.genes.equals(whole.genes)


def test_nearly_empty_barcodes_become_the_ambient_profile() -> None:
    shard = small_shard()
    totals = shard.counts.sum(axis=1)
    floor = int(np.median(totals))
    kept = split_ambient(shard, np.arange(len(shard.barcodes)), ambient_max_counts=floor)
    assert kept.counts.shape[0] == (totals >= floor).sum()
    everything = kept.counts.sum(axis=0) + kept.genes["ambient_counts"].to_numpy()
    assert everything.tolist() == shard.counts.sum(axis=0).tolist()
