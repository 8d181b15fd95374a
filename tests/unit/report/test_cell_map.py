"""The interactive map of the cells: which are shown, and what a reader finds about them."""

import base64
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.core.words import readable
from lammscope.report.cell_map import (
    MISSING,
    TOP,
    choose_cells,
    choose_genes,
    pack_cell_map,
)
from tests.unit.example_results import Example, example


@pytest.fixture(scope="module")
def cohort() -> Example:
    return example(n_patients=4, n_cells=60)


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def packed(cohort: Example, shown: np.ndarray | None = None, **changes: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "umap": cohort.umap,
        "samples": cohort.samples,
        "levels": cohort.definers,
        "shown": np.arange(len(cohort.cells)) if shown is None else shown,
    }
    cells = cohort.cells.assign(cluster="0") if "cluster" not in cohort.cells else cohort.cells
    return pack_cell_map(changes.pop("cells", cells), **(arguments | changes))


def unpack(text: str, dtype: str = "u1") -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype=dtype)


def names_of_cells(data: dict[str, Any], key: str) -> list[str]:
    """Return the name of a group for each shown cell, as a script of the page reads it."""
    groups = {group["key"]: group for group in data["groups"]}
    group, samples = groups[key], unpack(groups["sample"]["codes"])
    codes = (
        np.array(group["by_sample"])[samples] if "by_sample" in group else unpack(group["codes"])
    )
    return [group["names"][code] for code in codes]


def test_every_shown_cell_has_its_place_type_sample_and_response(cohort: Example) -> None:
    shown = rng().permutation(len(cohort.cells))[:200]
    data = packed(cohort, shown)
    cells = cohort.cells.iloc[shown]
    response = cohort.samples.set_index("sample")["response"]
    assert names_of_cells(data, "type") == cells["population"].map(readable).tolist()
    assert names_of_cells(data, "sample") == cells["sample"].tolist()
    assert names_of_cells(data, "patient") == cells["patient"].tolist()
    assert names_of_cells(data, "response") == cells["sample"].map(response).map(readable).tolist()
    low, span = cohort.umap.min(axis=0), np.ptp(cohort.umap, axis=0)
    x, y = unpack(data["x"], "<u2"), unpack(data["y"], "<u2")
    step = span.max() / 65535
    np.testing.assert_allclose(x * step + low[0], cohort.umap[shown, 0], atol=step)
    np.testing.assert_allclose(
        (data["height"] - y) * step + low[1], cohort.umap[shown, 1], atol=step
    )


def test_counts_are_of_all_cells_and_not_only_of_those_shown(cohort: Example) -> None:
    data = packed(cohort, np.array([0, 1]))
    types = data["groups"][0]
    counts = cohort.cells["population"].map(readable).value_counts()
    assert dict(zip(types["names"], types["counts"], strict=True)) == counts.to_dict()
    assert (data["n_all"], data["n_shown"]) == (len(cohort.cells), 2)


def test_values_are_those_of_the_cells_and_missing_outside_the_monocytes(cohort: Example) -> None:
    data = packed(cohort)
    values = {value["label"]: value for value in data["values"]}
    gene = values["CD14"]
    levels = unpack(gene["codes"]) / TOP * gene["high"]
    np.testing.assert_allclose(
        levels, cohort.definers["CD14"], atol=0.51 * gene["high"] / TOP + 1e-4
    )
    assert gene["detected"] == pytest.approx(100 * (cohort.definers["CD14"] > 0).mean(), abs=0.05)
    chance = unpack(values["Probability of LAMM (positive)"]["codes"])
    assert ((chance == MISSING) == (cohort.cells["lineage"] != "monocytic")).all()


def test_thinning_keeps_rare_types_and_small_samples_and_depends_on_the_seed() -> None:
    cells = pd.DataFrame(
        {
            "population": ["NK"] * 9_900 + ["pDC"] * 30 + ["B"] * 70,
            "sample": ["large"] * 9_000 + ["small"] * 20 + ["large"] * 980,
        }
    )
    shown = choose_cells(cells, rng=rng(), max_cells=500, min_kept=50)
    kept = cells.iloc[shown]
    assert len(shown) == len(set(shown)) == 500
    assert (kept["population"] == "pDC").sum() == 30
    assert (kept["population"] == "B").sum() >= 50
    assert (kept["sample"] == "small").sum() == 20
    again = choose_cells(cells, rng=rng(), max_cells=500, min_kept=50)
    assert again.tolist() == shown.tolist()
    other = choose_cells(cells, rng=rng(2), max_cells=500, min_kept=50)
    assert set(other) != set(shown)


def test_all_cells_are_shown_where_they_are_few_and_never_too_many(cohort: Example) -> None:
    assert sorted(choose_cells(cohort.cells, rng=rng())) == list(range(len(cohort.cells)))
    assert len(choose_cells(cohort.cells, rng=rng(), max_cells=40, min_kept=50)) == 40


def test_genes_are_definers_then_markers_of_each_type_by_their_rank() -> None:
    clusters = pd.DataFrame(
        {
            "cell_type": ["NK", "Macrophage", "unassigned"],
            "top_markers": ["GNLY,PRF1", "TREM2,CD68", np.nan],
        }
    )
    present = ["CD14", "CD68", "SPP1", "CAR", "GNLY", "TREM2", "PRF1", "other"]
    genes = choose_genes(clusters, definers=["CSF1R", "CD14", "CD68"], present=present)
    assert genes == ["CD14", "CD68", "SPP1", "CAR", "TREM2", "GNLY", "PRF1"]


def test_one_sample_without_labels_monocytes_or_genes_has_a_map(cohort: Example) -> None:
    name = "<script>" + 60 * "x"
    one = cohort.samples[:1].assign(sample=name, response=None, phase=None)
    cells = cohort.cells[:1].assign(
        sample=name, cluster="0", population="NK", lineage="NK", lamm_score=np.nan
    )
    data = packed(
        cohort,
        np.array([0]),
        cells=cells,
        umap=cohort.umap[:1],
        samples=one,
        levels=pd.DataFrame(index=range(1)),
    )
    assert names_of_cells(data, "sample") == [name]
    assert names_of_cells(data, "phase") == ["no label"]
    assert names_of_cells(data, "call") == ["other lineage"]
    assert [value["n_known"] for value in data["values"]] == [0, 0, 0]


def test_three_hundred_samples_have_a_code_each(cohort: Example) -> None:
    names = [f"S{i:03}" for i in range(300)]
    samples = pd.concat([cohort.samples[:1]] * 300).assign(sample=names, patient=names)
    cells = cohort.cells.iloc[np.zeros(300, dtype=int)].assign(sample=names, patient=names)
    data = packed(
        cohort,
        np.arange(300),
        cells=cells.assign(cluster="0"),
        umap=np.arange(600.0).reshape(300, 2),
        samples=samples,
        levels=pd.DataFrame(index=range(300)),
    )
    (group,) = (group for group in data["groups"] if group["key"] == "sample")
    codes = unpack(group["codes"], "<u2")
    assert [group["names"][code] for code in codes] == names
