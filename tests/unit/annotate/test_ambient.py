"""Ambient RNA in the summed counts of populations."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.annotate.ambient import (
    AmbientSums,
    add_overlapping,
    read_ambient,
    sum_ambient,
    write_ambient,
)
from lammscope.annotate.sums import merge_groups, sum_groups
from lammscope.core.shards import Shard
from lammscope.expression.ambient import ambient_shares
from lammscope.expression.pseudobulk import build_pseudobulk
from tests.unit.core.ambient.test_contamination import sample
from tests.unit.example_indexes import make_index

LABELS = np.array(["B", "NK", "T", "monocyte"])


def contaminated(fraction: float = 0.1) -> tuple[Shard, np.ndarray]:
    """Make a sample of four populations, and its labels."""
    counts, ambient, populations = sample(fraction)
    names = [f"G{number:04d}" for number in range(counts.shape[1])]
    genes = pd.DataFrame({"gene": names, "symbol": names, "ambient_profile": ambient})
    barcodes = np.array([str(number) for number in range(counts.shape[0])])
    return Shard(counts, barcodes, genes), LABELS[populations]


def summed(fraction: float) -> AmbientSums:
    shard, labels = contaminated()
    positions = np.arange(len(labels))
    return sum_ambient(shard, positions=positions, labels=labels, contamination=fraction)


def test_ambient_rna_of_samples_is_read_as_it_was_written(tmp_path: Path) -> None:
    index = make_index(tmp_path)
    written = {"a": summed(0.1), "b": summed(np.nan)}
    write_ambient(tmp_path / "ambient.npz", written, index)
    read = dict(read_ambient([tmp_path / "ambient.npz"], index))
    assert list(read) == ["a", "b"]
    for name, own in read.items():
        assert own.groups.tolist() == LABELS.tolist()
        assert own.is_limit.tolist() == [name == "b"] * 4
        np.testing.assert_allclose(own.umis, written[name].umis)
        np.testing.assert_allclose(own.profile, written[name].profile, rtol=1e-6)


def test_a_sample_without_cells_has_no_ambient_umis() -> None:
    shard, _ = contaminated()
    nothing = np.zeros(0, dtype=int)
    found = sum_ambient(shard, positions=nothing, labels=nothing.astype(str), contamination=0.1)
    assert found.expected(np.zeros((0, 1000))).shape == (0, 1000)


def test_overlapping_groups_have_their_populations_share_of_ambient_rna() -> None:
    shard, labels = contaminated()
    called = np.isin(labels, ["T", "monocyte"]) & (np.arange(len(labels)) % 3 == 0)
    parts = sum_groups(
        shard,
        positions=np.arange(len(labels)),
        labels=np.char.add(labels, np.where(called, "+", "-")),
    )
    names = np.array([name[:-1] for name in parts.groups])
    inside = np.array([name.endswith("+") for name in parts.groups])
    rows = {
        "LAMM": inside,
        "all_monocytes": names == "monocyte",
        "nothing": np.zeros(len(names), dtype=bool),
    }
    own = summed(0.1)
    found = add_overlapping(own, parts, names, overlapping=rows)
    # the groups are those of the sums, in their order
    merged = merge_groups(parts, names, overlapping=rows)
    assert found.groups.tolist() == merged.groups.tolist()
    assert found.groups.tolist() == [*LABELS, "LAMM", "all_monocytes"]
    np.testing.assert_array_equal(found.umis[:4], own.umis)
    of = dict(zip(found.groups, found.umis, strict=True))
    assert of["all_monocytes"] == pytest.approx(of["monocyte"])
    totals = np.asarray(shard.counts.sum(axis=1)).ravel()
    expected = sum(
        of[name] * totals[called & (labels == name)].sum() / totals[labels == name].sum()
        for name in ("T", "monocyte")
    )
    assert of["LAMM"] == pytest.approx(expected)
    assert 0 < of["LAMM"] < of["T"] + of["monocyte"]
    assert not found.is_limit.any()
    assert (found.expected(merged.counts) <= merged.counts).all()


def test_overlapping_groups_with_cells_of_a_limit_are_limits() -> None:
    shard, labels = contaminated()
    parts = sum_groups(shard, positions=np.arange(len(labels)), labels=labels)
    own = summed(0.1)
    own = AmbientSums(own.groups, own.umis, LABELS == "T", own.profile)
    rows = {"with T": parts.groups != "B", "without": np.isin(parts.groups, ["B", "NK"])}
    found = add_overlapping(own, parts, parts.groups, overlapping=rows)
    assert dict(zip(found.groups, found.is_limit, strict=True)) == {
        "B": False, "NK": False, "T": True, "monocyte": False, "with T": True, "without": False
    }  # fmt: skip


def test_genes_that_a_population_lacks_are_marked_and_its_own_are_not() -> None:
    shard, labels = contaminated()
    sums = sum_groups(shard, positions=np.arange(len(labels)), labels=labels)
    genes = shard.genes[["gene", "symbol"]]
    pseudobulk = build_pseudobulk(
        [("a", sums), ("b", sums)],
        genes=genes,
        ambient=[("a", summed(0.1)), ("b", summed(0.1))],
    )
    expected, counts = pseudobulk.layers["ambient"].toarray(), pseudobulk.X.toarray()
    assert (expected <= counts).all()
    assert not pseudobulk.obs["ambient_is_limit"].any()
    table = ambient_shares(pseudobulk)
    assert not table["is_upper_limit"].any()
    own = table[table["cell_type"] == "T"].set_index("gene")["ambient_share"]
    of_others = own.reindex([f"G{number:04d}" for number in range(80)]).dropna()
    assert (of_others > 0.25).mean() > 0.85
    assert (own.reindex([f"G{number:04d}" for number in range(80, 120)]).dropna() < 0.25).all()


def test_one_sample_without_an_estimate_makes_the_share_an_upper_limit() -> None:
    shard, labels = contaminated()
    sums = sum_groups(shard, positions=np.arange(len(labels)), labels=labels)
    pseudobulk = build_pseudobulk(
        [("a", sums), ("b", sums)],
        genes=shard.genes[["gene", "symbol"]],
        ambient=[("a", summed(0.1)), ("b", summed(np.nan))],
    )
    assert pseudobulk.obs["ambient_is_limit"].tolist() == [False] * 4 + [True] * 4
    assert ambient_shares(pseudobulk)["is_upper_limit"].all()


def test_ambient_rna_of_other_samples_is_refused() -> None:
    shard, labels = contaminated()
    sums = sum_groups(shard, positions=np.arange(len(labels)), labels=labels)
    genes = shard.genes[["gene", "symbol"]]
    for other in ([("b", summed(0.1))], []):
        with pytest.raises(ValueError, match="ambient RNA of sample a is missing"):
            build_pseudobulk([("a", sums)], genes=genes, ambient=other)
