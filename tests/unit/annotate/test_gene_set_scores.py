"""Programmes of myeloid cells: scores by hand, sets with missing genes, means over samples."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from lammscope.annotate.gene_set_scores import describe_states, score_states

SYMBOLS = ["A", "B", "C", "D", "E"]
NONE = np.full((6, 1), -1, dtype=np.int32)


def score(
    counts: np.ndarray,
    gene_sets: dict[str, list[str]],
    *,
    neighbors: np.ndarray = NONE,
    lineage: list[str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    counts = np.asarray(counts)
    return score_states(
        sparse.csr_array(counts),
        totals=np.full(len(counts), 10_000),
        symbols=SYMBOLS,
        neighbors=neighbors,
        lineage=["monocytic"] * len(counts) if lineage is None else lineage,
        gene_sets=gene_sets,
    )


def test_a_score_is_the_mean_of_standardized_levels() -> None:
    counts = np.random.default_rng(1).poisson(5, (6, 5))
    scores, sets = score(counts, {"first": ["A", "B"], "second": ["C"]})
    levels = np.log1p(counts)
    z = (levels - levels.mean(axis=0)) / levels.std(axis=0)
    np.testing.assert_allclose(scores["first"], z[:, :2].mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(scores["second"], z[:, 2], atol=1e-5)
    assert sets["status"].tolist() == ["ok", "ok"]


def test_neighbors_are_pooled_and_other_lineages_are_not() -> None:
    counts = np.array([[8, 0, 0, 0, 0], [0] * 5, [4] * 5, [0] * 5, [9] * 5, [2] * 5])
    neighbors = np.array([[1], [0], [4], [2], [3], [0]], dtype=np.int32)
    lineage = ["monocytic"] * 4 + ["T", "T"]
    scores, _ = score(counts, {"first": ["A"]}, neighbors=neighbors, lineage=lineage)
    assert scores["first"].isna().tolist() == [False] * 4 + [True, True]
    assert scores["first"][0] == pytest.approx(scores["first"][1])  # each other's neighbour
    pooled = np.log1p([4, 4, 4, 2])  # the T cell adds nothing to the third
    expected = (pooled - pooled.mean()) / pooled.std()
    np.testing.assert_allclose(scores["first"][:4], expected, atol=1e-5)


def test_a_set_under_half_of_its_genes_has_no_score_and_says_what_it_found() -> None:
    counts = np.random.default_rng(2).poisson(5, (6, 5))
    scores, sets = score(counts, {"half": ["A", "X"], "less": ["B", "X", "Y"]})
    assert list(scores) == ["half"]
    sets = sets.set_index("state")
    assert sets.loc["less", ["n_genes", "n_found", "found", "missing"]].tolist() == [
        3, 1, "B", "X,Y",
    ]  # fmt: skip
    assert sets["status"].to_dict() == {"half": "ok", "less": "under half of its genes"}


def test_up_and_down_are_one_state() -> None:
    counts = np.random.default_rng(3).poisson(5, (6, 5))
    pair, _ = score(counts, {"mdsc_up": ["A"], "mdsc_down": ["B"], "other_up": ["C"]})
    alone, _ = score(counts, {"a": ["A"], "b": ["B"]})
    assert list(pair) == ["mdsc", "other_up"]
    np.testing.assert_allclose(pair["mdsc"], alone["a"] - alone["b"], atol=1e-6)


def test_without_myeloid_cells_all_is_empty_and_well_formed() -> None:
    scores, sets = score(np.ones((6, 5)), {"first": ["A"]}, lineage=["T"] * 6)
    assert scores["first"].isna().all()
    cells = pd.DataFrame({"sample": "s", "population": "CD4_T", "lineage": "T"}, index=range(6))
    means = describe_states(scores, cells=cells, min_cells=1)
    assert means.empty
    assert list(means)[:3] == ["population", "state", "mean"]
    assert len(sets) == 1


def test_means_give_every_sample_the_same_weight() -> None:
    scores = pd.DataFrame({"first": [1.0, 1.0, 1.0, 4.0, 9.0]})
    cells = pd.DataFrame(
        {
            "sample": ["s", "s", "s", "t", "u"],
            "population": ["LAMM"] * 5,
            "lineage": ["monocytic"] * 4 + ["T"],
        }
    )
    row = describe_states(scores, cells=cells, min_cells=1).iloc[0]
    assert row["mean"] == pytest.approx(2.5)
    assert (row["n_samples"], row["n_cells"]) == (2, 4)
    row = describe_states(scores, cells=cells, min_cells=2).iloc[0]
    assert (row["mean"], row["n_samples"], row["n_cells"]) == (1, 1, 3)
