"""The quick look at lineages."""

from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.core.shards import Shard
from lammscope.ingest.lineage_markers import LINEAGES, MARKERS, SYMBOL_OF_ID
from lammscope.ingest.matrices.read import read_matrix
from lammscope.ingest.quality.lineages import are_small_cells, quick_lineages


def test_a_barcode_has_the_lineage_of_its_markers() -> None:
    symbols = ["CD3D", "LYZ", "PPBP", "ACTB", "S100A8"]
    counts = [
        [4, 1, 0, 995, 0],
        [0, 40, 1, 959, 60],
        [0, 3, 12, 985, 0],
        [0, 2, 0, 998, 0],  # ambient LYZ
        [1, 0, 0, 99, 0],  # a single UMI
        [0, 0, 0, 0, 0],
        [0, 0, 0, 250, 12],
    ]
    genes = pd.DataFrame({"gene": symbols, "symbol": [name.lower() for name in symbols]})
    shard = Shard(sparse.csr_array(np.array(counts)), np.array(list("abcdefg")), genes)
    expected = ["T_NK", "monocyte_DC", "platelet", "other", "other", "other", "neutrophil"]
    assert quick_lineages(shard).tolist() == expected
    id_of = {symbol: gene for gene, symbol in SYMBOL_OF_ID.items()}
    ids = [id_of.get(symbol, "ENSG00000075624") for symbol in symbols]
    by_id = Shard(shard.counts, shard.barcodes, pd.DataFrame({"gene": ids, "symbol": ids}))
    assert quick_lineages(by_id).tolist() == expected


def test_every_marker_has_an_ensembl_id() -> None:
    of_clusters = {gene for sets in LINEAGES.values() for markers in sets for gene in markers}
    of_barcodes = {gene for _, markers in MARKERS.values() for gene in markers.split()}
    assert set(SYMBOL_OF_ID.values()) == of_clusters | of_barcodes


@pytest.mark.real_data
def test_ids_of_markers_are_those_of_cell_ranger(real_data: Callable[[str], Path]) -> None:
    genes = read_matrix(min(real_data("carpall").glob("*.h5"))).genes.set_index("gene")["symbol"]
    assert genes[list(SYMBOL_OF_ID)].to_dict() == SYMBOL_OF_ID


def test_platelets_are_told_from_ambient_rna_by_their_own_markers() -> None:
    """Ambient RNA has platelet markers, too; what a lineage with much RNA shows does not count."""
    genes = pd.DataFrame({"gene": ["PPBP", "CD3D", "ACTB"], "symbol": ["PPBP", "CD3D", "ACTB"]})
    counts = sparse.csr_array(np.array([[40, 0, 260], [9, 0, 291], [3, 90, 207], [0, 0, 0]]))
    shard = Shard(counts, np.array(list("abcd")), genes)
    lineages = np.array(["platelet", "platelet", "T_NK", "platelet"])
    profile = np.array([0.03, 0.01, 0.96])
    found = are_small_cells(shard, lineages, ambient=np.ones(4, dtype=bool), profile=profile)
    assert found.tolist() == [True, False, False, False]


def test_platelets_are_found_where_the_ambient_profile_holds_platelets() -> None:
    """The smallest barcodes of a filtered matrix give the profile, and platelets are small."""
    rng = np.random.default_rng(0)
    share = np.append(np.full(400, 0.001), np.full(20, 0.04))
    totals = np.full(len(share), 200)
    markers = rng.binomial(totals, share)
    markers[400:] = np.maximum(markers[400:], 5)
    counts = sparse.csr_array(np.column_stack([markers, totals - markers]))
    genes = pd.DataFrame({"gene": ["PPBP", "ACTB"], "symbol": ["PPBP", "ACTB"]})
    shard = Shard(counts, np.arange(len(share)).astype(str), genes)
    lineages, ambient = quick_lineages(shard), np.ones(len(share), dtype=bool)
    mixed = np.array([0.003, 0.997])
    found = are_small_cells(shard, lineages, ambient=ambient, profile=mixed)
    assert found[400:].all()
    assert not found[:400].any()
    few = np.arange(len(share)) >= 418  # too few barcodes to know better than the profile
    by_profile = are_small_cells(shard, lineages, ambient=few, profile=mixed)
    assert by_profile.sum() <= found.sum()
    assert not by_profile[:400].any()


@pytest.mark.real_data
def test_purified_cells_are_recognized(real_data: Callable[[str], Path]) -> None:
    cells = anndata.read_h5ad(real_data("pbmc_facs") / "pbmc_facs.h5ad")
    names = cells.var_names.astype(str)
    genes = pd.DataFrame({"gene": names, "symbol": names})
    counts = sparse.csr_array(cells.X).astype(np.int32)
    found = quick_lineages(Shard(counts, cells.obs_names.to_numpy(), genes))
    types = cells.obs["celltype"].astype(str).to_numpy()
    found[found == "neutrophil"] = "monocyte_DC"  # at 700 UMIs, half of them look alike
    for purified, lineage in (
        ("CD19+ B", "B"),
        ("CD14+ Monocyte", "monocyte_DC"),
        ("CD56+ NK", "T_NK"),
        ("CD8+ Cytotoxic T", "T_NK"),
    ):
        assert (found[types == purified] == lineage).mean() > 0.9, purified
