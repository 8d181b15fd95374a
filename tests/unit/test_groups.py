"""Sums over groups of cells, markers and pseudobulks."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.groups import all_genes, read_sums, sum_groups, write_sums
from lammscope.markers import find_markers
from lammscope.pseudobulk import build_pseudobulk
from lammscope.shards import Shard
from tests.matrices import small_shard


def test_sums_equal_those_of_the_dense_matrix():
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


def test_a_sample_without_cells_has_no_sums(tmp_path):
    shard = small_shard()
    empty = sum_groups(shard, positions=np.array([], dtype=int), labels=np.array([], dtype=str))
    write_sums(tmp_path / "s.npz", empty, index="i")
    assert read_sums(tmp_path / "s.npz", index="i").counts.shape == (0, 60)
    full = sum_groups(shard, positions=np.arange(40), labels=np.arange(40) % 2)
    genes = shard.genes[["gene", "symbol"]]
    alone = find_markers([full], genes=genes, n_top=5, min_pct=10)
    assert find_markers([empty, full], genes=genes, n_top=5, min_pct=10).equals(alone)
    assert build_pseudobulk([("a", empty), ("b", full)], genes=genes).n_obs == 2


def planted(seed):
    shard = small_shard(60, seed=seed)
    counts = shard.counts.toarray()
    counts[:20, 7] += 30
    return Shard(sparse.csr_array(counts), shard.barcodes, shard.genes)


def test_a_planted_marker_comes_first_in_every_sample():
    labels = np.where(np.arange(60) < 20, "1", "0")
    sums = []
    for seed in range(3):
        shard = planted(seed)
        sums.append(sum_groups(shard, positions=np.arange(60), labels=labels))
    markers = find_markers(sums, genes=sums[0].genes, n_top=5, min_pct=10)
    first = markers[(markers["cluster"] == "1") & (markers["rank"] == 1)].iloc[0]
    assert first["symbol"] == "GENE7"
    assert first["n_samples"] == 3
    assert first["pct_in"] == 100
    stacked = np.concatenate([planted(seed).counts.toarray() for seed in range(3)])
    rate = 1e4 * stacked / stacked.sum(axis=1, keepdims=True)
    inside = np.tile(labels == "1", 3)
    expected = np.log2((rate[inside, 7].mean() + 0.1) / (rate[~inside, 7].mean() + 0.1))
    assert np.isclose(first["log2fc"], expected, rtol=1e-5)
    assert (markers["log2fc"] > 0).all()


def test_a_pseudobulk_is_the_sum_of_raw_counts_per_sample_and_population(tmp_path):
    shards = {"b": planted(1), "a": planted(2)}
    fewer = Shard(shards["a"].counts[:, 5:], shards["a"].barcodes, shards["a"].genes.iloc[5:])
    shards["a"] = fewer
    labels = np.where(np.arange(60) < 20, "LAMM", "NK")
    for sample, shard in shards.items():
        sums = sum_groups(shard, positions=np.arange(60), labels=labels)
        write_sums(tmp_path / f"{sample}.npz", sums, index="i")
    paths = [tmp_path / "a.npz", tmp_path / "b.npz"]
    genes = all_genes(paths)
    assert genes["gene"].tolist() == shards["b"].genes["gene"].tolist()
    pseudobulk = build_pseudobulk(
        ((path.stem, read_sums(path, index="i")) for path in paths), genes=genes
    )
    assert pseudobulk.obs["sample"].tolist() == ["a", "a", "b", "b"]
    assert pseudobulk.obs["n_cells"].tolist() == [20, 40, 20, 40]
    frame = pd.DataFrame(
        pseudobulk.X.toarray(), index=pseudobulk.obs_names, columns=pseudobulk.var_names
    )
    expected = pd.Series(
        shards["b"].counts.toarray()[:20].sum(axis=0), index=shards["b"].genes["gene"]
    )
    assert frame.loc["b|LAMM"].tolist() == expected[frame.columns].tolist()
    assert (frame.loc[["a|LAMM", "a|NK"], frame.columns < "ENSG00000000005"] == 0).all(axis=None)
    assert (pseudobulk.X.sum(axis=0) > 0).all()


def test_sums_of_another_cell_index_are_refused(tmp_path):
    sums = sum_groups(small_shard(), positions=np.arange(40), labels=np.repeat("x", 40))
    write_sums(tmp_path / "s.npz", sums, index="one")
    read = read_sums(tmp_path / "s.npz", index="one")
    assert (read.counts == sums.counts).all()
    np.testing.assert_allclose(read.rates, sums.rates, rtol=1e-6)
    with pytest.raises(ValueError, match="another set of cells"):
        read_sums(tmp_path / "s.npz", index="two")
