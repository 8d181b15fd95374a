"""Rows and columns that are neither genes nor cells are known by name or by scale."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.ingest.gene_names.not_genes import (
    cells_out_of_scale,
    genes_out_of_scale,
    no_gene_or_cell,
)
from lammscope.ingest.matrices.read import read_matrix
from tests.matrices import small_shard

SHARD = small_shard(60, 80)


@pytest.mark.parametrize(
    "name",
    [
        *("__no_feature", "__alignment_not_unique", "no_feature", "N_unmapped", "N_noFeature"),
        *("Unassigned_Ambiguity", "unmapped", "*", "nUMI", "n_genes", "nGene", "nCount_RNA"),
        *(
            "nFeature_ADT",
            "percent.mt",
            "pct_counts_mt",
            "total_counts",
            "Total",
            "seurat_clusters",
        ),
        *("cluster", "leiden", "RNA_snn_res.0.8", "cell type", "orig.ident", "Sample_Name"),
        *("UMAP_1", "tSNE_2", "Phase", "S.Score", "Chr", "chromosome", "Start", "end", "Strand"),
        *("Length", "gene_biotype", "Entrez_Gene_Id", "gene_name", "Description"),
    ],
)
def test_what_programs_add_is_known(name: str) -> None:
    assert no_gene_or_cell(pd.Series(["ACTB", name, "CD14"])).tolist() == [False, True, False]


def test_genes_and_cells_are_kept() -> None:
    genes = [
        "PC",
        "GC",
        "SET",
        "REST",
        "CAT",
        "T",
        "PCA3",
        "NCOA1",
        "NUMB",
        "LENG1",
        "CELF1",
        "CHRM1",
    ]
    assert not no_gene_or_cell(pd.Series(genes)).any()
    assert not no_gene_or_cell(pd.Series(SHARD.barcodes)).any()
    assert not no_gene_or_cell(pd.Series([f"PC_{i}" for i in range(30)])).any()


@pytest.mark.real_data
def test_no_gene_or_cell_of_a_real_library_is_left_out_or_out_of_scale(real_data: Any) -> None:
    paths = [*sorted(real_data("carpall").glob("*.h5"))[::6]]
    paths.append(real_data("carpall") / "CAR-T10593347.filtered_feature_bc_matrix.h5")
    paths += list(real_data("tumour_macrophages").glob("*.h5ad"))
    for path in paths:
        read = read_matrix(path)
        assert not no_gene_or_cell(read.genes["symbol"]).any()
        assert not no_gene_or_cell(pd.Series(read.barcodes)).any()
        assert genes_out_of_scale(read.counts, read.genes) == []
        assert cells_out_of_scale(read.counts, read.barcodes) == []


def scaled(*, genes: Any = (), cells: Any = (), factor: Any = 1000) -> Any:
    table = SHARD.counts.toarray()
    table[:, list(genes)] = (table[:, list(genes)] + 1) * factor
    table[list(cells)] = (table[list(cells)] + 1) * factor
    return sparse.csr_array(table)


@pytest.mark.parametrize("places", [[], [5], [5, 9, 70]])
def test_a_few_rows_or_columns_that_tower_above_the_others_are_found(places: Any) -> None:
    names = SHARD.genes.assign(gene=[f"x{i}" for i in range(80)])
    assert sorted(genes_out_of_scale(scaled(genes=places), names)) == sorted(
        f"x{i}" for i in places
    )
    places = [place for place in places if place < 60]
    found = cells_out_of_scale(scaled(cells=places), SHARD.barcodes)
    assert sorted(found) == sorted(SHARD.barcodes[places])


def test_genes_with_ids_and_dominant_genes_may_tower() -> None:
    counts = scaled(genes=[3])
    assert genes_out_of_scale(counts, SHARD.genes) == []
    for symbol in ("MALAT1", "HBB", "IGKC"):
        names = pd.Series([f"x{i}" for i in range(80)]).replace("x3", symbol)
        assert genes_out_of_scale(counts, pd.DataFrame({"gene": names, "symbol": names})) == []


def test_intact_cells_among_empty_droplets_are_cells() -> None:
    rng = np.random.default_rng(1)
    ambient = rng.poisson(0.05, (500, 400))
    ambient[0, rng.choice(400, 120, replace=False)] = 30
    names = np.array([f"b{i}" for i in range(500)])
    assert cells_out_of_scale(sparse.csr_array(ambient), names) == []
