"""Lineages that sorting keeps, and denominators that it removes."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.annotate.panel import load_panel
from lammscope.cohort.contrast_checks import contrast_mistakes
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.sorts import (
    LINEAGES,
    car_sorted_samples,
    kept_lineages,
    refused_denominators,
    sort_mistakes,
    sorted_samples,
)
from tests.unit.example_cohorts import BASELINE, cohort

PANEL = Path(__file__).parents[3] / "resources" / "markers" / "immune_blood_tumour.yaml"
PRIMARY = {"contrast": "question", "denominator": "monocytic"}
SORT = {"kind": "paired", "column": "sort", "test": "none", "reference": "CD3+", "match": []}


def test_lineages_are_those_of_the_marker_panel() -> None:
    assert set(load_panel(PANEL).lineages.values()) - {"unassigned"} == LINEAGES


def test_sorted_samples_are_those_that_lost_a_lineage() -> None:
    samples = pd.DataFrame({"sample": ["a", "b", "c", "d"], "sort": ["NoSo", "CD3+", "mine", None]})
    assert sorted_samples(samples, {"mine": "all"}) == ["b"]
    assert sorted_samples(samples, {"mine": ["T"]}) == ["b", "c"]
    assert sorted_samples(samples.drop(columns="sort"), {}) == []


def test_only_sorts_that_may_select_by_the_car_are_sorted_by_the_car() -> None:
    labels = ["NoSo", "CD3+", "CD3+CAT+", "live CD4+ CD8+", "mine", "CAR+", "CD14+", None]
    samples = pd.DataFrame({"sample": list("abcdefgh"), "sort": labels})
    assert car_sorted_samples(samples, {"mine": ["T"]}) == ["c", "e", "f"]
    assert car_sorted_samples(samples, {"mine": "all"}) == ["c", "f"]
    assert car_sorted_samples(samples.drop(columns="sort"), {}) == []
    numbered = samples.assign(sample=range(8)).drop(index=4)
    assert car_sorted_samples(numbered, {}) == ["2", "5"]


@pytest.mark.parametrize(
    ("label", "kept"),
    [
        ("none", None),
        ("NoSo", None),
        ("unsorted", None),
        ("live", None),
        ("PBMC", None),
        ("CD45+", None),
        ("CD3+", {"T"}),
        ("CD3+CAT+", {"T"}),
        ("live CD3+", {"T"}),
        ("CD4_CAR+", {"T"}),
        ("CD14+", {"monocytic"}),
        ("CD19+", {"B", "malignant"}),
        ("CD56", {"NK"}),
        ("CD3-", LINEAGES - {"T"}),
        ("CD3-CD19-", LINEAGES - {"T", "B", "malignant"}),
        ("CD4-", None),  # CD8 T cells are left
    ],
)
def test_usual_labels_say_what_they_keep(label: str, kept: set[str] | None) -> None:
    assert kept_lineages(label, {}) == (None if kept is None else frozenset(kept))


def test_the_config_goes_before_the_label() -> None:
    assert kept_lineages("CD3+", {"CD3+": "all"}) is None
    assert kept_lineages("gate7", {"gate7": ["T", "NK"]}) == frozenset({"T", "NK"})


@pytest.mark.parametrize("label", ["gate7", "CD3+CD19+", "CD3+XYZ+"])
def test_a_label_that_says_nothing_is_refused_with_the_remedy(label: str) -> None:
    with pytest.raises(
        ValueError, match=r"not known which cells .* keeps; list them in the config, e\.g\."
    ):
        kept_lineages(label, {})


def test_what_a_sort_removed_is_no_denominator() -> None:
    refused = refused_denominators(["CD3+", "none", "CD14+"], sorts={})
    assert refused["monocytic"] == ["CD3+"]
    assert refused["T"] == ["CD14+"]
    assert refused["B"] == ["CD14+", "CD3+"]
    assert "immune" not in refused
    tumour = refused_denominators(["tumour"], sorts={"tumour": ["malignant"]})
    assert tumour["immune"] == ["tumour"]


def test_lineages_of_the_config_are_checked() -> None:
    assert sort_mistakes({"a": "all", "b": ["T", "NK"]}) == []
    (mistake,) = sort_mistakes({"a": ["monocytes"]})
    assert "`monocytes`, which is not a lineage (did you mean `monocytic`?)" in mistake


def libraries() -> pd.DataFrame:
    early = cohort(4)[lambda t: t["phase"] == "pre"]
    return pd.concat([early, early.assign(sort="CD3+", sample=early["sample"] + "_s")])


def mistakes(
    entry: dict[str, Any],
    samples: pd.DataFrame,
    *,
    sorts: dict[str, str] | None = None,
    **primary: Any,
) -> list[str]:
    contrasts = contrasts_from_config({"question": entry}, samples)
    return contrast_mistakes(
        samples, contrasts, primary=PRIMARY | primary, sorts=sorts if sorts is not None else {}
    )


def test_a_primary_denominator_that_the_sort_removed_is_a_mistake() -> None:
    (mistake,) = mistakes(SORT, libraries())
    assert "sorting (CD3+) removed the monocytic cells" in mistake
    assert mistakes(SORT, libraries(), denominator="all") == []
    assert mistakes(SORT, libraries(), sorts={"CD3+": "all"}) == []


def test_a_sort_matters_only_where_a_contrast_uses_it() -> None:
    assert mistakes(BASELINE, libraries().replace({"sort": {"CD3+": "gate7"}})) == []
