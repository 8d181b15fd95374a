"""The sentence on the genes of the macrophage-like level."""

import pandas as pd

from lammscope.report.sections.signature import signature_section

LISTED = pd.DataFrame(
    {
        "sample": ["P1", "P1", "P2", "P2"],
        "set": ["MINE_UP", "MINE_DN"] * 2,
        "n_genes": [30, 12] * 2,
        "n_listed": [30, 10, 24, 10],
    }
)


def test_a_signature_is_named_with_its_listed_genes_by_sample_where_they_differ() -> None:
    found = signature_section(LISTED, path="mine.gmt")
    assert found["is_own"]
    assert found["line"] == (
        "The macrophage-like level and the LAMM score rest on the signature in `mine.gmt`. "
        "`MINE_UP`: 30 genes, of which the matrices list 24 to 30 (P2 24, P1 30). "
        "`MINE_DN`: 12 genes, of which the matrices list 10."
    )


def test_a_table_of_genes_is_named_too() -> None:
    listed = LISTED.assign(set=["macrophage", "monocyte"] * 2, n_listed=[30, 12] * 2)
    found = signature_section(listed, path="resources/lamm/state_genes.tsv")
    assert not found["is_own"]
    assert found["line"].endswith(
        "rest on genes in `resources/lamm/state_genes.tsv`. Genes of macrophages: 30 genes, of "
        "which the matrices list all. Genes of monocytes: 12 genes, of which the matrices list all."
    )


def test_without_cells_there_are_no_genes_to_count() -> None:
    found = signature_section(LISTED.iloc[:0], path="mine.gmt")
    assert found["line"].endswith("`mine.gmt`.")
