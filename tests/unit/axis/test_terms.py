"""UMIs of the genes of pairs in groups of cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.sums import GroupSums, write_sums
from lammscope.axis.groups import make_groups
from lammscope.axis.supply import sample_supply
from lammscope.axis.terms import count_terms, find_genes
from lammscope.core.indexed import CellIndex, write_index
from lammscope.expression.models import Pseudobulks
from lammscope.stats.edger import tmm
from tests.unit.axis.example_axis import GROUPS, pair, tables
from tests.unit.example_cohorts import make_samples

ROLES = {
    "myeloid": {"LAMM_positive": ["LAMM_positive"], "monocytic": ["monocytic"]},
    "T": {"CD8": ["CD8_T"], "all_T": ["T"], "typo": ["CD8 T"]},
}
LINEAGES = {
    **{"Monocyte": "monocytic", "Macrophage": "monocytic", "CD8_T": "T", "CD4_T": "T"},
    **{"LAMM": "monocytic", "LAMM_positive": "monocytic"},
}


def pseudobulks(*, depth: float = 1.0) -> Pseudobulks:
    """Two samples; `b` is `depth` times as deep, and has no CD4 T cells."""
    rng = np.random.default_rng(0)
    obs = [
        *(("a", name, 20, False) for name in ("CD4_T", "CD8_T", "LAMM", "Macrophage", "Monocyte")),
        *(("b", name, 30, True) for name in ("CD8_T", "LAMM", "Monocyte")),
    ]
    mean = rng.gamma(1, 40, 50)
    counts = np.array([rng.poisson(mean * (depth if row[0] == "b" else 1)) for row in obs])
    symbols = np.array([f"GENE{i}" for i in range(50)])
    genes = np.array([f"ENSG{i:011d}" for i in range(50)])
    table = pd.DataFrame(obs, columns=["sample", "population", "n_cells", "ambient_is_limit"])
    return Pseudobulks(
        table, sparse.csr_array(counts), sparse.csr_array(counts * 0.1), genes, symbols
    )


def counted(sums: Pseudobulks) -> tuple[pd.DataFrame, pd.DataFrame]:
    groups = make_groups(ROLES, LINEAGES, level="positive")
    known = {"a": {"gene1", "ENSG00000000002.7"}, "b": {"gene1"}}
    genes = ["gene1", "ENSG00000000002.7", "NOWHERE"]
    return count_terms(sums, genes=genes, known=known, groups=groups.populations)


def test_a_group_is_a_population_a_lineage_or_lamm_cells_at_a_level() -> None:
    groups = make_groups(ROLES, LINEAGES, level="positive").populations
    assert groups["LAMM_positive"] == ("LAMM",)
    assert groups["monocytic"] == ("Macrophage", "Monocyte")
    assert groups["all_T"] == ("CD4_T", "CD8_T")
    assert groups["typo"] == ("CD8 T",)
    other = make_groups(ROLES, LINEAGES, level="macrophage_like").populations
    assert other["LAMM_positive"] == ("LAMM_positive",)


def test_all_monocytic_cells_are_counted_without_a_group_of_them() -> None:
    assert "monocytic" in make_groups({"T": {"CD8": ["CD8_T"]}}, LINEAGES, level="x").populations


def test_counts_are_sums_of_populations_found_by_any_name() -> None:
    sums = pseudobulks()
    libraries, terms = counted(sums)
    dense = sums.counts.toarray()
    own = terms.set_index(["sample", "group", "gene"])["count"]
    assert own["a", "monocytic", "gene1"] == dense[[3, 4], 1].sum()
    assert own["a", "LAMM_positive", "gene1"] == dense[2, 1]
    assert own["a", "CD8", "ENSG00000000002.7"] == dense[1, 2]
    sizes = libraries.set_index(["sample", "group"])
    assert sizes.loc[("a", "monocytic"), "n_cells"] == 40
    assert sizes.loc[("a", "monocytic"), "umi"] == dense[[3, 4]].sum()
    assert not sizes.loc[("a", "CD8"), "is_limit"]
    assert sizes.loc[("b", "CD8"), "is_limit"]
    assert terms["ambient"].sum() == pytest.approx(0.1 * terms["count"].sum())


def test_a_gene_that_a_matrix_lacks_has_no_count_rather_than_zero() -> None:
    own = counted(pseudobulks())[1].set_index(["sample", "group", "gene"])["count"]
    assert np.isnan(own["b", "CD8", "ENSG00000000002.7"])
    assert own.xs("NOWHERE", level="gene").isna().all()


def test_a_group_without_cells_has_no_rows() -> None:
    libraries, terms = counted(pseudobulks())
    assert "typo" not in set(libraries["group"])
    assert set(libraries.loc[libraries["group"] == "all_T", "sample"]) == {"a", "b"}
    assert "typo" not in set(terms["group"])


def test_libraries_without_ambient_rna_are_normalized_as_by_edger_within_a_group() -> None:
    sums = pseudobulks(depth=0.5)
    libraries = counted(sums)[0].set_index(["sample", "group"])
    counts = sums.counts.toarray()[[1, 5]].T * [0.9, 1]  # the ambient RNA of `b` is a limit
    used = counts[counts.mean(axis=1) >= 1]
    expected = counts.sum(axis=0) * tmm(used)
    found = libraries.loc[[("a", "CD8"), ("b", "CD8")], "library"].to_numpy(dtype=float)
    np.testing.assert_allclose(found, expected)


def test_genes_of_each_matrix_are_found_in_its_sums(tmp_path: Path) -> None:
    cells = pd.DataFrame({"cell": ["a_1", "b_1"], "sample": ["a", "b"]})
    write_index(cells, tmp_path / "cells.parquet")
    sums = {
        sample: GroupSums(
            np.array(["T"]),
            np.array([1]),
            pd.DataFrame({"gene": genes, "symbol": genes}),
            *(np.ones((1, len(genes)), dtype=int) for _ in range(3)),
        )
        for sample, genes in {"a": ["PTGES", "CD14"], "b": ["ptges"]}.items()
    }
    write_sums(tmp_path / "001.npz", sums, CellIndex(tmp_path / "cells.parquet"))
    found = find_genes([tmp_path / "001.npz"], ["PTGES", "CD14", "NOWHERE"])
    assert found == {"a": {"PTGES", "CD14"}, "b": {"PTGES"}}


def test_the_supply_of_samples_is_the_level_and_the_log_fraction_of_senders() -> None:
    samples = make_samples(3)
    made = tables(samples, {"LAMM_positive": {"LIG": 40.0}, "CD8": {}})
    args = ([pair()], GROUPS, made.libraries, made.terms)
    before = sample_supply(*args, made.cells, min_cells=10)
    assert set(before["population"]) == {"LAMM_positive", "monocytic"}
    assert (before["measure"] == "pair_supply").all()
    is_more = (made.cells["sample"] == "n0_pre") & (made.cells["population"] == "LAMM")
    cells = made.cells.assign(n_cells=made.cells["n_cells"] * np.where(is_more, 2, 1))
    after = sample_supply(*args, cells, min_cells=10)
    moved = (after["total"] - before["total"]) / before["n_cells"]
    hit = (after["sample"] == "n0_pre") & (after["population"] == "LAMM_positive")
    assert moved[hit].item() == pytest.approx(1, abs=0.02)
    assert (moved[~hit] == 0).all()
    assert sample_supply(*args, cells, min_cells=1000).empty
