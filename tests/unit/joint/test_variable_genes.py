"""Moments per sample, the variable genes, and the panel."""

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from lammscope.core.shards import Shard, shared_ids
from lammscope.ingest.moments import gene_moments
from lammscope.joint.panel_counts import is_car_feature, panel_counts
from lammscope.joint.variable_genes import pool_moments, select_genes
from tests.matrices import small_shard

CAR = r"CAR|.*FMC63.*|CAT[_-]scFv|yescarta|axi-?cel"


def moments_of(shard: Shard) -> pd.DataFrame:
    return gene_moments(shard, np.ones(len(shard.barcodes), dtype=bool))


def pooled_over(*moments: pd.DataFrame) -> pd.DataFrame:
    """Pooled moments of samples that share their reference."""
    genes = max(moments, key=len)[["gene", "symbol"]]
    return pool_moments(moments, reference=genes.assign(matchable=True))


def test_variable_genes_of_one_sample_are_those_of_scanpy() -> None:
    shard = small_shard(300, 800, rate=1.0, seed=3)
    seen = np.flatnonzero(shard.counts.sum(axis=0))
    shard = Shard(shard.counts[:, seen], shard.barcodes, shard.genes.iloc[seen])
    data = anndata.AnnData(
        sparse.csr_matrix(shard.counts).astype(np.float32),
        obs=pd.DataFrame(index=shard.barcodes),
        var=pd.DataFrame(index=shard.genes["gene"].to_numpy()),
    )
    sc.pp.normalize_total(data, target_sum=1e4)
    sc.pp.log1p(data)
    reference = sc.pp.highly_variable_genes(data, n_top_genes=100, flavor="seurat", inplace=False)
    expected = set(data.var_names[reference["highly_variable"]])
    ours = select_genes(
        pooled_over(moments_of(shard)), n_top=100, min_cells=1, exclude=[], car_features=CAR
    )
    assert len(expected & set(ours["gene"])) >= 98


def test_a_shift_between_libraries_makes_no_gene_variable() -> None:
    first, second = small_shard(200, seed=1), small_shard(200, seed=1)
    shifted = second.counts.toarray()
    shifted[:, 10] += 500
    second = Shard(sparse.csr_array(shifted), second.barcodes, second.genes)
    pooled = pooled_over(moments_of(first), moments_of(second)).set_index("gene")
    alone = pooled_over(moments_of(first)).set_index("gene")
    gene = first.genes["gene"][10]
    stacked = np.concatenate([first.counts.toarray()[:, 10], shifted[:, 10]])
    assert pooled.loc[gene, "variance"] < 20 * alone.loc[gene, "variance"]
    assert stacked.var() > 1000 * first.counts.toarray()[:, 10].var()


def test_moments_count_only_cells_that_pass_and_genes_that_all_samples_have() -> None:
    shard = small_shard()
    passes = np.arange(40) < 10
    subset = Shard(shard.counts[:10], shard.barcodes[:10], shard.genes)
    assert gene_moments(shard, passes).equals(moments_of(subset))
    fewer = Shard(shard.counts[:, :50], shard.barcodes, shard.genes[:50])
    nobody = gene_moments(shard, np.zeros(40, dtype=bool))
    pooled = pooled_over(moments_of(shard), moments_of(fewer), nobody)
    assert pooled["gene"].tolist() == shard.genes["gene"][:50].tolist()


def test_samples_without_a_common_gene_are_refused() -> None:
    with pytest.raises(ValueError, match="no gene in common"):
        shared_ids([pd.Series(["ENSG1"]), pd.Series(["CD3E"])])


def test_excluded_genes_and_car_features_are_never_chosen() -> None:
    shard = small_shard(100)
    symbols = shard.genes["symbol"].to_list()
    symbols[10:13] = ["FMC63-28Z", "XIST", "TRAV12"]
    shard = Shard(shard.counts, shard.barcodes, shard.genes.assign(symbol=symbols))
    chosen = select_genes(
        pooled_over(moments_of(shard)),
        n_top=60,
        min_cells=1,
        exclude=["^XIST$", "^TR[ABDG][VDJ]"],
        car_features=CAR,
    )
    assert not {"FMC63-28Z", "XIST", "TRAV12"} & set(chosen["symbol"])
    assert len(chosen) == 57 - np.delete(shard.counts.sum(axis=0) == 0, [10, 11, 12]).sum()


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("Yescarta", True), ("FMC63-28Z", True), ("CAR", True), ("CAT_scFv", True),
        ("axicel", True), ("CARD11", False), ("CARS1", False), ("CARMIL2", False),
        ("SCARB1", False), ("CAT", False),
    ],
)  # fmt: skip
def test_car_features_are_told_from_genes_with_like_names(symbol: str, expected: bool) -> None:
    assert is_car_feature(pd.Series([symbol]), CAR)[0] == expected


def test_panel_counts_keep_order_mark_absent_genes_and_sum_the_car() -> None:
    shard = small_shard()
    symbols = shard.genes["symbol"].to_list()
    symbols[20:22] = ["CAR", "FMC63-28Z"]
    symbols[30], symbols[31] = "TWIN", "TWIN"
    shard = Shard(shard.counts, shard.barcodes, shard.genes.assign(symbol=symbols))
    positions = np.array([5, 3, 7])
    counts, genes = panel_counts(
        shard, positions=positions, symbols=["GENE9", "NOT_THERE", "TWIN"], car_features=CAR
    )
    dense = shard.counts.toarray()[positions]
    assert genes["symbol"].tolist() == ["GENE9", "NOT_THERE", "TWIN", "CAR"]
    assert genes["present"].tolist() == [True, False, True, True]
    twin = max((30, 31), key=lambda column: dense[:, column].sum())
    expected = np.column_stack(
        [dense[:, 9], np.zeros(3), dense[:, twin], dense[:, 20] + dense[:, 21]]
    )
    assert counts.toarray().tolist() == expected.tolist()
