"""Sex and other genes that differ between people, from the moments of samples."""

import numpy as np
import pandas as pd
import pytest

from lammscope.joint.genotype import Genotype, differing_genes, read_genotype

MALE = {"XIST": 1, "RPS4Y1": 300, "DDX3Y": 150}
FEMALE = {"XIST": 400, "RPS4Y1": 1, "DDX3Y": 0}
COMMON = {"HLA-DRB1": 500, "HLA-DRB5": 200, "HLA-DQA1": 300, "HLA-DQA2": 0, "GSTM1": 120}


def genotype(n_cells: int = 1000, **cells: int) -> Genotype:
    named = {name.replace("_", "-"): number for name, number in cells.items()}
    return Genotype(n_cells, named, {name: 3.0 * number for name, number in named.items()})


@pytest.mark.parametrize(
    ("genes", "sex"),
    [
        (MALE, "male"),
        (FEMALE, "female"),
        ({"XIST": 200, "RPS4Y1": 150}, "both"),
        ({"XIST": 95, "RPS4Y1": 6}, "female"),
        ({"XIST": 4, "RPS4Y1": 5}, ""),
        ({"XIST": 300}, ""),  # no gene of chromosome Y in the reference: not a woman for that
        ({"RPS4Y1": 300}, ""),
        ({}, ""),
    ],
)
def test_the_sex_takes_genes_of_one_kind_and_the_absence_of_the_other(
    genes: dict[str, int], sex: str
) -> None:
    assert Genotype(500, genes, {}).sex == sex


def test_two_sexes_cannot_be_one_person() -> None:
    one, other = Genotype(900, COMMON | MALE, {}), Genotype(900, COMMON | FEMALE, {})
    assert differing_genes(one, other) == ["XIST and chromosome Y"]


def changed(**genes: int) -> Genotype:
    return genotype(**(COMMON | MALE | {name.replace("_", "-"): n for name, n in genes.items()}))


def test_one_gene_may_be_due_to_the_chemistry_and_two_may_not() -> None:
    own = changed()
    assert differing_genes(own, changed()) == []
    assert differing_genes(own, changed(HLA_DRB5=2)) == []
    assert differing_genes(own, changed(GSTM1=0)) == []
    assert differing_genes(own, changed(HLA_DRB5=2, HLA_DQA2=200)) == ["HLA-DRB5", "HLA-DQA2"]
    other = changed(HLA_DRB5=2, GSTM1=0)
    assert differing_genes(own, other) == differing_genes(other, own) == ["HLA-DRB5", "GSTM1"]


def test_few_cells_show_no_difference() -> None:
    few = {"HLA-DRB1": 15, "HLA-DRB5": 0, "HLA-DQA1": 12, "HLA-DQA2": 9, "GSTM1": 0}
    assert differing_genes(changed(), genotype(40, **few)) == []
    medium = {"HLA-DRB1": 25, "HLA-DRB5": 1, "HLA-DQA1": 25, "HLA-DQA2": 1, "GSTM1": 0}
    assert differing_genes(changed(), genotype(60, **medium)) == []


def test_moderate_differences_in_level_are_of_one_person() -> None:
    assert differing_genes(changed(), changed(HLA_DRB5=40, GSTM1=20)) == []


def test_genotypes_are_read_by_symbol_in_any_case() -> None:
    moments = pd.DataFrame(
        {
            "symbol": ["Xist", "RPS4Y1", "CD3E"],
            "n_cells": 80,
            "n_expressed": [7, 20, 60],
            "total": [9.5, 30.0, np.nan],
        }
    )
    found = read_genotype(moments)
    assert found == Genotype(80, {"XIST": 7, "RPS4Y1": 20}, {"XIST": 9.5, "RPS4Y1": 30.0})
    assert read_genotype(moments.iloc[:0]) == Genotype(0, {}, {})
