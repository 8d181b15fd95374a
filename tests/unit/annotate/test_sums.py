"""Sums over groups of cells, markers and pseudobulks."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.markers import find_markers
from lammscope.annotate.sums import (
    GroupSums,
    all_genes,
    merge_groups,
    read_sums,
    sum_groups,
    write_sums,
)
from lammscope.core.shards import Shard
from lammscope.expression.pseudobulk import build_pseudobulk
from tests.matrices import small_shard
from tests.unit.example_indexes import make_index


def test_sums_equal_those_of_the_dense_matrix() -> None:
    shard = small_shard()
    positions = np.arange(0, 40, 2)
    labels = np.where(np.arange(20) < 5, "few", "many")
    sums = sum_groups(shard, positions=positions, labels=labels)
    dense = shard.counts.toarray()[positions]
    for row, group in enumerate(sums.groups):
        cells = dense[labels == group]
        assert sums.n_cells[row] == len(cells)
        assert sums.counts[row].tolist() == cells.sum(axis=0).tolist()
        assert sums.expressed[row].tolist() == (cells > 0).sum(axis=0).tolist()
        rates = 1e4 * cells / cells.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(sums.rates[row], rates.sum(axis=0), rtol=1e-5)


def test_sums_of_pairs_add_up_to_the_sums_of_either_label() -> None:
    shard = small_shard()
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 3, 40).astype(str), rng.integers(0, 4, 40).astype(str)
    pairs = sum_groups(shard, positions=np.arange(40), labels=np.char.add(one, other))
    for place, labels in enumerate((one, other)):
        merged = merge_groups(pairs, [pair[place] for pair in pairs.groups])
        alone = sum_groups(shard, positions=np.arange(40), labels=labels)
        assert merged.groups.tolist() == alone.groups.tolist()
        for name in ("n_cells", "counts", "rates", "expressed"):
            np.testing.assert_allclose(getattr(merged, name), getattr(alone, name), rtol=1e-12)


def test_overlapping_groups_follow_the_parts_and_take_nothing_from_them() -> None:
    shard = small_shard()
    rng = np.random.default_rng(0)
    types = np.array(["Macrophage", "NK", "monocyte"])[rng.integers(0, 3, 40)]
    called = (types != "NK") & (rng.random(40) < 0.5)
    assert {"Macrophage", "monocyte"} == set(types[called]) == set(types[~called]) - {"NK"}
    labels = np.char.add(types, np.where(called, "+", "-"))
    parts = sum_groups(shard, positions=np.arange(40), labels=labels)
    names = np.array([name[:-1] for name in parts.groups])
    inside = np.array([name.endswith("+") for name in parts.groups])
    none = np.zeros(len(names), dtype=bool)
    merged = merge_groups(parts, names, overlapping={"LAMM": inside, "LAMM_none": none})
    assert merged.groups.tolist() == ["Macrophage", "NK", "monocyte", "LAMM"]
    alone = merge_groups(parts, names)
    of_called = sum_groups(
        shard, positions=np.flatnonzero(called), labels=np.repeat("LAMM", called.sum())
    )
    for name in ("n_cells", "counts", "rates", "expressed"):
        values = getattr(merged, name)
        np.testing.assert_allclose(values[:-1], getattr(alone, name), rtol=1e-12)
        np.testing.assert_allclose(values[-1:], getattr(of_called, name), rtol=1e-6)


def test_a_sample_without_cells_has_no_sums(tmp_path: Path) -> None:
    shard = small_shard()
    empty = sum_groups(shard, positions=np.array([], dtype=int), labels=np.array([], dtype=str))
    index = make_index(tmp_path)
    write_sums(tmp_path / "s.npz", {"a": empty}, index)
    ((name, read),) = read_sums([tmp_path / "s.npz"], index)
    assert (name, read.counts.shape) == ("a", (0, 60))
    full = sum_groups(shard, positions=np.arange(40), labels=np.arange(40) % 2)
    genes = shard.genes[["gene", "symbol"]]
    alone = find_markers([full], genes=genes, n_top=5, min_pct=10)
    assert find_markers([empty, full], genes=genes, n_top=5, min_pct=10).equals(alone)
    assert build_pseudobulk([("a", empty), ("b", full)], genes=genes).n_obs == 2


def planted(seed: int) -> Shard:
    shard = small_shard(60, seed=seed)
    counts = shard.counts.toarray()
    counts[:20, 7] += 30
    return Shard(sparse.csr_array(counts), shard.barcodes, shard.genes)


def test_a_planted_marker_comes_first_in_every_sample() -> None:
    labels = np.where(np.arange(60) < 20, "1", "0")
    sums = []
    for seed in range(3):
        shard = planted(seed)
        sums.append(sum_groups(shard, positions=np.arange(60), labels=labels))
    markers = find_markers(sums, genes=sums[0].genes, n_top=5, min_pct=10)
    first = markers[(markers["cluster"] == "1") & (markers["rank"] == 1)].iloc[0]
    assert first["symbol"] == "GENE7"
    assert (first["n_samples"], first["n_up"], first["pct_in"]) == (3, 3, 100)
    ratios = []
    for seed in range(3):
        counts = planted(seed).counts.toarray()
        rate = 1e4 * counts[:, 7] / counts.sum(axis=1)
        means = [rate[labels == name].mean() + 0.1 for name in ("1", "0")]
        ratios.append(np.log2(means[0] / means[1]))
    assert np.isclose(first["log2fc"], np.mean(ratios), rtol=1e-5)
    assert (markers["log2fc"] > 0).all()


def sums_of(shard: Shard, labels: np.ndarray) -> GroupSums:
    return sum_groups(shard, positions=np.arange(60), labels=labels)


def test_a_gene_of_one_sample_is_no_marker_and_small_samples_are_not_compared() -> None:
    labels = np.where(np.arange(60) < 20, "1", "0")
    own = small_shard(60, seed=5).counts.toarray()
    own[:20, 9] += 300  # in the cluster's cells of one sample of three alone
    others = [small_shard(60, seed=seed).counts.toarray() for seed in (6, 7)]
    for counts in others:
        counts[20:, 9] += 5
    genes = small_shard().genes
    sums = [
        sums_of(Shard(sparse.csr_array(counts), np.arange(60).astype(str), genes), labels)
        for counts in [own, *others]
    ]
    markers = find_markers(sums, genes=genes, n_top=60, min_pct=10)
    assert "GENE9" not in set(markers.loc[markers["cluster"] == "1", "symbol"])
    assert (markers["n_up"] > markers["n_samples"] / 2).all()
    few = np.where(np.arange(60) < 5, "1", "0")
    counts = small_shard(60).counts.toarray()
    counts[:5, 7] += 300
    small = sums_of(Shard(sparse.csr_array(counts), np.arange(60).astype(str), genes), few)
    table = find_markers([small], genes=genes, n_top=5, min_pct=10)
    assert (table["n_samples"] == 0).all()
    assert table[table["cluster"] == "1"].iloc[0]["symbol"] == "GENE7"


def test_a_pseudobulk_is_the_sum_of_raw_counts_per_sample_and_population(tmp_path: Path) -> None:
    shards = {"b": planted(1), "a": planted(2)}
    fewer = Shard(shards["a"].counts[:, 5:], shards["a"].barcodes, shards["a"].genes.iloc[5:])
    shards["a"] = fewer
    labels = np.where(np.arange(60) < 20, "LAMM", "NK")
    shards["c"] = shards["a"]
    sums = {
        sample: sum_groups(shard, positions=np.arange(60), labels=labels)
        for sample, shard in sorted(shards.items())
    }
    index = make_index(tmp_path)
    write_sums(tmp_path / "1.npz", {sample: sums[sample] for sample in ("a", "b")}, index)
    write_sums(tmp_path / "2.npz", {"c": sums["c"]}, index)
    paths = [tmp_path / "1.npz", tmp_path / "2.npz"]
    genes = all_genes(paths)
    assert genes["gene"].tolist() == shards["b"].genes["gene"].tolist()
    pseudobulk = build_pseudobulk(read_sums(paths, index), genes=genes)
    assert pseudobulk.obs["sample"].tolist() == ["a", "a", "b", "b", "c", "c"]
    assert pseudobulk.obs["n_cells"].tolist() == [20, 40] * 3
    frame = pd.DataFrame(
        pseudobulk.X.toarray(), index=pseudobulk.obs_names, columns=pseudobulk.var_names
    )
    expected = pd.Series(
        shards["b"].counts.toarray()[:20].sum(axis=0), index=shards["b"].genes["gene"]
    )
    assert frame.loc["b|LAMM"].tolist() == expected[frame.columns].tolist()
    assert frame.loc["a|NK"].tolist() == frame.loc["c|NK"].tolist()
    assert (frame.loc[["a|LAMM", "a|NK"], frame.columns < "ENSG00000000005"] == 0).all(axis=None)
    assert (pseudobulk.X.sum(axis=0) > 0).all()


def test_sums_of_another_cell_index_are_refused(tmp_path: Path) -> None:
    sums = sum_groups(small_shard(), positions=np.arange(40), labels=np.repeat("x", 40))
    index, other = (make_index(tmp_path, cells=[name]) for name in ("one", "two"))
    write_sums(tmp_path / "s.npz", {"a": sums}, index)
    ((_, read),) = read_sums([tmp_path / "s.npz"], index)
    assert (read.counts == sums.counts).all()
    np.testing.assert_allclose(read.rates, sums.rates, rtol=1e-6)
    with pytest.raises(ValueError, match="another set of cells"):
        list(read_sums([tmp_path / "s.npz"], other))
