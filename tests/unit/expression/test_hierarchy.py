"""The false discovery rate over the contrasts and populations of a run."""

import numpy as np
import pandas as pd
import pytest

from lammscope.expression.hierarchy import COLUMNS, gather_expression
from lammscope.stats.multiplicity import benjamini_hochberg


def family(p: np.ndarray, population: str = "LAMM") -> pd.DataFrame:
    fdr = benjamini_hochberg(p)
    verdict = np.where(fdr < 0.01, "supported", "suggestive")
    return pd.DataFrame({"cell_type": population, "p": p, "fdr": fdr, "verdict": verdict})


def test_a_family_has_its_simes_p_and_genes_the_limit_of_selected_families() -> None:
    strong = np.array([1e-6, 0.004, 0.03, 0.9])
    tables = {
        "one": pd.concat([family(strong), family(np.array([0.5, 0.6]), "NK")]),
        "two": family(np.array([0.3, 0.9, np.nan])),
        "three": family(np.array([0.2])),
    }
    table = gather_expression(tables, max_fdr=0.05)
    assert list(table.columns) == COLUMNS
    rows = table.set_index(["contrast", "cell_type"])
    found = rows.loc[("one", "LAMM")]
    ordered = np.sort(strong)
    assert found["p_family"] == pytest.approx(min(ordered * 4 / np.arange(1, 5)))
    assert found["max_fdr"] == pytest.approx(0.05 / 4)  # one of four families
    assert (found["n_genes_population"], found["n_genes"], found["n_supported"]) == (3, 2, 2)
    others = rows.drop(index=("one", "LAMM"))
    assert others["max_fdr"].isna().all()
    assert (others["n_genes"] == 0).all()
    assert rows.loc[("two", "LAMM"), "n_tested"] == 2


def test_many_families_without_a_difference_give_few_false_ones() -> None:
    rng = np.random.default_rng(1)
    any_alone, any_of_run = [], []
    for _ in range(400):
        tables = {f"c{i}": family(rng.uniform(size=200)) for i in range(12)}
        table = gather_expression(tables, max_fdr=0.05)
        any_alone.append((table["n_genes_population"] > 0).any())
        any_of_run.append((table["n_genes"] > 0).any())
    assert np.mean(any_alone) > 0.3  # 1 - 0.95 ** 12 = 0.46
    assert 0.02 <= np.mean(any_of_run) <= 0.08


def test_nothing_tested_gives_an_empty_table() -> None:
    untested = pd.DataFrame(
        {"cell_type": ["NK"], "p": [np.nan], "fdr": [np.nan], "verdict": ["not testable"]}
    )
    for tables in ({}, {"one": untested}):
        table = gather_expression(tables, max_fdr=0.05)
        assert table.empty
        assert list(table.columns) == COLUMNS
