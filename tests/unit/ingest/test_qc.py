"""Metrics, flags with reasons, and the cell index."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from lammscope.core.mitochondria import MITOCHONDRIAL, MITOCHONDRIAL_IDS
from lammscope.core.rates import normalize
from lammscope.core.shards import Shard
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.qc import (
    HEMOGLOBIN,
    HEMOGLOBIN_IDS,
    cell_metrics,
    describe_yield,
    flag_cells,
    split_ambient,
    warn_without_mitochondria,
)
from lammscope.joint.cells import select_cells, summarize_qc
from tests.matrices import small_shard

LIMITS = {
    "min_counts": 50,
    "min_genes": 20,
    "max_pct_mt": 20,
    "max_pct_hb": 20,
    "max_counts_mads": 5,
}


def test_metrics_equal_those_of_the_dense_matrix() -> None:
    shard = small_shard()
    dense = shard.counts.toarray()
    metrics = cell_metrics(shard)
    assert metrics["total_counts"].tolist() == dense.sum(axis=1).tolist()
    assert metrics["n_genes"].tolist() == (dense > 0).sum(axis=1).tolist()
    np.testing.assert_allclose(metrics["pct_mt"], 100 * dense[:, :2].sum(1) / dense.sum(1))
    np.testing.assert_allclose(metrics["pct_hb"], 100 * dense[:, 2] / dense.sum(1))


def test_each_limit_flags_what_it_is_for_and_says_so() -> None:
    metrics = pd.DataFrame(
        {
            "barcode": list("abcdefgh"),
            "total_counts": [1000, 1100, 900, 40, 1000, 1000, 90_000, 10],
            "n_genes": [500, 500, 500, 30, 10, 500, 500, 5],
            "pct_mt": [1, 2, 3, 1, 1, 80, 1, 90.0],
            "pct_hb": [0, 0, 50.0, 0, 0, 0, 0, 0],
        }
    )
    flagged = flag_cells(metrics, **LIMITS)
    assert flagged["passes"].tolist() == [True, True] + [False] * 6
    assert flagged["reasons"].tolist() == [
        "", "", "high_hb", "low_counts", "few_genes", "high_mt", "high_counts",
        "low_counts,few_genes,high_mt",
    ]  # fmt: skip


@given(st.permutations(range(40)))
def test_flags_do_not_depend_on_the_order_of_cells(order: list[int]) -> None:
    metrics = cell_metrics(small_shard())
    flagged = flag_cells(metrics, **LIMITS)
    shuffled = flag_cells(metrics.iloc[order].reset_index(drop=True), **LIMITS)
    assert (
        shuffled.sort_values("barcode")
        .reset_index(drop=True)
        .equals(flagged.sort_values("barcode").reset_index(drop=True))
    )


def test_a_sample_of_one_or_no_cell_is_flagged_without_a_crash() -> None:
    metrics = cell_metrics(small_shard(n_cells=1))
    assert len(flag_cells(metrics, **LIMITS)) == 1
    assert flag_cells(metrics.iloc[:0], **LIMITS).empty


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


def test_a_sample_of_hardly_any_cell_is_a_warning_with_its_reasons() -> None:
    none = flag_cells(cell_metrics(small_shard(9)), **{**LIMITS, "min_genes": 10**6})
    assert describe_yield(none, sample="A") == (
        logging.WARNING,
        "sample A: 0 of 9 barcodes pass quality control (failed: few_genes 9)",
    )
    good = none.assign(passes=True, reasons="").loc[[0] * 60]
    assert describe_yield(good, sample="A")[0] == logging.INFO


def test_part_of_a_pooled_channel_keeps_the_ambient_profile_of_the_whole() -> None:
    shard = small_shard()
    floor = int(np.median(shard.counts.sum(axis=1)))
    whole = split_ambient(shard, np.arange(40), ambient_max_counts=floor)
    part = split_ambient(shard, np.arange(0, 40, 2), ambient_max_counts=floor)
    assert set(part.barcodes) == set(whole.barcodes) & set(shard.barcodes[::2])
    assert part.genes.equals(whole.genes)


def test_two_cells_of_one_name_are_refused() -> None:
    qc, doublets = cohort()
    qc = {"a": qc["s1"], "a_b": qc["s1"].copy()}
    qc["a"].loc[0, "barcode"] = "b_X"
    qc["a_b"].loc[0, "barcode"] = "X"
    for table in qc.values():
        table["passes"] = True
    with pytest.raises(ValueError, match="cell a_b_X is the name of two cells"):
        select_cells(qc, doublets, patients={"a": "P1", "a_b": "P2"})


def test_nearly_empty_barcodes_become_the_ambient_profile() -> None:
    shard = small_shard()
    totals = shard.counts.sum(axis=1)
    floor = int(np.median(totals))
    kept = split_ambient(shard, np.arange(len(shard.barcodes)), ambient_max_counts=floor)
    assert kept.counts.shape[0] == (totals >= floor).sum()
    everything = kept.counts.sum(axis=0) + kept.genes["ambient_counts"].to_numpy()
    assert everything.tolist() == shard.counts.sum(axis=0).tolist()


def cohort() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    qc = {}
    for number, sample in enumerate(("s2", "s1")):
        shard = small_shard(seed=number)
        qc[sample] = flag_cells(cell_metrics(shard), **LIMITS)
    names = [f"s1_{barcode}" for barcode in qc["s1"]["barcode"]]
    doublets = pd.DataFrame({"cell": names, "doublet_score": 0.5, "doublet": False})
    doublets.loc[:4, "doublet"] = True
    return qc, doublets


def test_the_cell_index_is_sorted_and_points_into_the_shards() -> None:
    qc, doublets = cohort()
    cells = select_cells(qc, doublets, patients={"s1": "P1", "s2": "P2"})
    assert cells["sample"].is_monotonic_increasing
    for sample, part in cells.groupby("sample"):
        assert part["barcode"].is_monotonic_increasing
        assert qc[sample]["barcode"].iloc[part["position"]].tolist() == part["barcode"].tolist()
    assert not set(cells["cell"]) & set(doublets.loc[doublets["doublet"], "cell"])
    summary = summarize_qc(qc, cells, shared={"s1": "s2 40 %", "s2": ""}).set_index("sample")
    assert summary["shared_barcodes"].to_dict() == {"s1": "s2 40 %", "s2": ""}
    removed = summary.filter(regex="^n_(low|few|high|doub)").sum(axis=1)
    assert (removed + summary["n_cells"]).tolist() == summary["n_barcodes"].tolist()


def test_a_cohort_without_any_cell_is_refused_with_a_remedy() -> None:
    qc, doublets = cohort()
    qc = {sample: table.assign(passes=False) for sample, table in qc.items()}
    with pytest.raises(ValueError, match="loosen `qc`"):
        select_cells(qc, doublets, patients={"s1": "P1", "s2": "P2"})


def test_normalized_cells_sum_to_ten_thousand() -> None:
    shard = small_shard()
    values = normalize(shard.counts, np.asarray(shard.counts.sum(axis=1)))
    np.testing.assert_allclose(np.expm1(values.toarray()).sum(axis=1), 1e4, rtol=1e-5)
    empty = Shard(sparse.csr_array((2, 3), dtype=np.int32), np.array(["a", "b"]), shard.genes[:3])
    assert normalize(empty.counts, np.zeros(2)).nnz == 0
