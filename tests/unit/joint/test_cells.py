"""The cell index: its order, its refusals, and the summary of quality control."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.rates import normalize
from lammscope.core.shards import Shard
from lammscope.ingest.quality.metrics import cell_metrics
from lammscope.joint.cells import select_cells, summarize_lineages, summarize_qc
from tests.matrices import small_shard
from tests.unit.ingest.quality.test_limits import flags


def test_two_cells_of_one_name_are_refused() -> None:
    qc, doublets = cohort()
    qc = {"a": qc["s1"], "a_b": qc["s1"].copy()}
    qc["a"].loc[0, "barcode"] = "b_X"
    qc["a_b"].loc[0, "barcode"] = "X"
    for table in qc.values():
        table["passes"] = True
    with pytest.raises(ValueError, match="cell a_b_X is the name of two cells"):
        select_cells(qc, doublets, patients={"a": "P1", "a_b": "P2"})


def cohort() -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    qc = {}
    for number, sample in enumerate(("s2", "s1")):
        shard = small_shard(seed=number)
        qc[sample] = flags(cell_metrics(shard))
    names = [f"s1_{barcode}" for barcode in qc["s1"]["barcode"]]
    doublets = pd.DataFrame({"cell": names, "doublet_score": 0.5, "doublet": False})
    doublets.loc[:4, "doublet"] = True
    return qc, doublets


def test_the_cell_index_is_sorted_and_points_into_the_shards() -> None:
    qc, doublets = cohort()
    qc = {name: table.assign(ambient_deviance=1.0) for name, table in qc.items()}
    cells = select_cells(qc, doublets, patients={"s1": "P1", "s2": "P2"})
    assert not {"ambient_deviance", "passes", "reasons", "likely_lineage"} & set(cells)
    assert cells["sample"].is_monotonic_increasing
    for sample, part in cells.groupby("sample"):
        assert part["barcode"].is_monotonic_increasing
        assert qc[sample]["barcode"].iloc[part["position"]].tolist() == part["barcode"].tolist()
    assert not set(cells["cell"]) & set(doublets.loc[doublets["doublet"], "cell"])
    summary = summarize_qc(qc, cells, shared={"s1": "s2 40 %", "s2": ""}).set_index("sample")
    assert summary["shared_barcodes"].to_dict() == {"s1": "s2 40 %", "s2": ""}
    removed = summary.filter(regex="^n_(low|few|high|doub)").sum(axis=1)
    assert (removed + summary["n_cells"]).tolist() == summary["n_barcodes"].tolist()


def test_the_cells_of_a_dropped_sample_are_left_out_and_counted() -> None:
    qc, doublets = cohort()
    patients = {"s1": "P1", "s2": "P2"}
    cells = select_cells(qc, doublets, patients=patients, dropped=["s2"])
    assert cells["sample"].unique().tolist() == ["s1"]
    shared = dict.fromkeys(qc, "")
    summary = summarize_qc(qc, cells, shared=shared, dropped=["s2"]).set_index("sample")
    assert summary["n_dropped"].to_dict() == {"s1": 0, "s2": int(qc["s2"]["passes"].sum())}
    assert summary.loc["s2", ["n_cells", "n_doublets"]].tolist() == [0, 0]
    with pytest.raises(ValueError, match=r"or set `qc\.on_failed: keep`"):
        select_cells(qc, doublets, patients=patients, dropped=["s1", "s2"])


def test_losses_are_counted_by_lineage() -> None:
    qc, doublets = cohort()
    qc = {name: table.assign(likely_lineage="B") for name, table in qc.items()}
    qc["s1"].loc[::2, "likely_lineage"] = "T_NK"
    cells = select_cells(qc, doublets, patients={"s1": "P1", "s2": "P2"})
    summary = summarize_qc(qc, cells, shared=dict.fromkeys(qc, "")).set_index("sample")
    table = summarize_lineages(qc, cells)
    assert list(zip(table["sample"], table["likely_lineage"], strict=True)) == [
        ("s1", "B"),
        ("s1", "T_NK"),
        ("s2", "B"),
    ]
    numbers = [name for name in table if str(name).startswith("n_")]
    sums = table.groupby("sample")[numbers].sum()
    pd.testing.assert_frame_equal(sums, summary[numbers])
    last = table.iloc[2]
    large = last["n_barcodes"] - last[["n_ambient", "n_low_counts", "n_few_genes"]].sum()
    assert last["pct_lost"] == pytest.approx(100 * (1 - last["n_cells"] / large))


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
