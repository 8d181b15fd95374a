"""Cohorts mixed from real blood cells whose populations differ in number only."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.ambient_expression import SCENARIOS, make_cohort
from benchmarks.real_libraries import read_cell_set
from lammscope.expression.genes import test_expression as run_test

pytestmark = [pytest.mark.real_data, pytest.mark.slow]
MONOCYTE_GENES = ["LYZ", "S100A8", "S100A9", "CST3", "FCN1", "CD14", "TYROBP", "AIF1"]
B_GENES = ["IGKC", "CD79A", "CD74"]


@pytest.mark.parametrize(
    ("name", "genes", "sign"),
    [("more monocytes", MONOCYTE_GENES, 1), ("B cells vanish", B_GENES, -1)],
)
def test_genes_of_other_cells_that_seem_to_differ_in_t_cells_are_marked(
    real_data: Callable[[str], Path], name: str, genes: list[str], sign: int
) -> None:
    cells = read_cell_set("pbmc_frozen_v1", real_data("blood_chemistries").parent)
    scenario = next(each for each in SCENARIOS if each.name == name)
    cohort = make_cohort(cells, scenario, seed=0)
    table = run_test(
        cohort["pseudobulk"],
        cohort["comparison"],
        min_cells=10,
        exclude=[],
        max_ambient_share=0.25,
        engine="limma_voom",
        permutations=None,
        threads=1,
    )
    own = table[(table["cell_type"] == "T") & table["symbol"].isin(genes)]
    seeming = own[(own["p"] < 0.01) & (sign * own["log2fc"] > 0)]
    assert len(seeming) >= 2
    assert seeming["ambient"].all()
    assert seeming["fdr"].isna().all()
    t_genes = table[(table["cell_type"] == "T") & table["symbol"].isin(["CD3D", "CD3E", "TRAC"])]
    assert len(t_genes)
    assert not t_genes["ambient"].any()
