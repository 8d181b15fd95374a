"""Several cohorts together: what is combined, and what is refused."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lammscope.cohort.definition_file import Definition
from lammscope.outcome.meta import COHORT_COLUMNS, COMBINED_COLUMNS, combine_cohorts
from lammscope.stats.meta import combine_effects
from tests.definitions import definition_content


def definition(name: str, **changes: Any) -> Definition:
    """A definition of a cohort of its own."""
    content = definition_content(**changes)
    content["cohort"] = {**content["cohort"], "cells": [f"{name}1", f"{name}2"]}
    return Definition(f"{name}/definition.yaml", **content)


def test_the_common_effect_is_never_surer_than_a_fixed_one() -> None:
    rng = np.random.default_rng(1)
    for k in (2, 3, 5):
        for _ in range(50):
            se = rng.uniform(0.1, 0.8, k)
            found = combine_effects(rng.normal(0.5, 0.3, k), se, alpha=0.05)
            widths = [high - low for low, high in (found.interval, found.fixed_interval)]
            assert widths[0] >= widths[1]
            assert found.weights.sum() == pytest.approx(1)


def test_two_cohorts_are_combined_without_a_prediction() -> None:
    found = combine_cohorts({"a": definition("a"), "b": definition("b", estimate=1.2, se=0.2)})
    assert list(found.cohorts) == COHORT_COLUMNS
    assert list(found.combined) == COMBINED_COLUMNS
    row = found.combined.iloc[0]
    assert row["n_cohorts"] == 2
    assert 1.0 < row["estimate"] < 1.2
    assert np.isnan(row["prediction_low"])
    assert row["ci_high"] - row["ci_low"] > row["fixed_high"] - row["fixed_low"]
    assert found.cohorts["weight"].sum() == pytest.approx(1)
    three = {name: definition(name, estimate=e) for name, e in (("a", 1.0), ("b", 1.2), ("c", 0.7))}
    assert np.isfinite(combine_cohorts(three).combined["prediction_low"].iloc[0])


def test_a_cohort_that_was_not_tested_is_listed_and_left_out() -> None:
    untested = {"status": "not tested", "reason": "no such cells"}
    cohorts = {name: definition(name) for name in "ab"}
    found = combine_cohorts(cohorts | {"c": definition("c", **untested)})
    assert found.combined["n_cohorts"].iloc[0] == 2
    assert found.cohorts.loc[2, "reason"] == "no such cells"
    assert np.isnan(found.cohorts["weight"].iloc[2])
    few = combine_cohorts({"a": cohorts["a"], "c": definition("c", **untested)}).combined.iloc[0]
    assert few["status"] == "too_few_cohorts"
    assert np.isnan(few["estimate"])


def test_cohorts_with_other_settings_units_or_the_same_cells_are_refused() -> None:
    first = definition("a")
    other = definition("b", config={"lamm": {"probability": 0.8}})
    with pytest.raises(ValueError, match=r"`lamm.probability` is 0.8, but 0.9 in a/definition"):
        combine_cohorts({"a": first, "b": other})
    with pytest.raises(ValueError, match=r"`estimate.unit` is log odds ratio per SD"):
        combine_cohorts({"a": first, "b": definition("b", unit="log odds ratio per SD")})
    again = Definition("copy/definition.yaml", **first.contents)
    with pytest.raises(ValueError, match="2 of 2 samples hold the same cells as samples of a/def"):
        combine_cohorts({"a": first, "copy": again})
    with pytest.raises(ValueError, match="only 1 cohort is named"):
        combine_cohorts({"a": first})
    files = {**other.files, "lamm.references": {"name": "mine.tsv", "digest": "0"}}
    changed = Definition("b/definition.yaml", **{**definition("b").contents, "files": files})
    with pytest.raises(ValueError, match=re.escape("`lamm.references` has another content")):
        combine_cohorts({"a": first, "b": changed})


def test_differences_between_cohorts_are_listed(tmp_path: Path) -> None:
    other = definition("b")
    cohort = {**other.cohort, "compartment": {"marrow": 4}, "n_patients": 4}
    record = {**other.record, "versions": {"lammscope": "0.1.1", "numpy": "2.0"}}
    changed = Definition(other.path, **{**other.contents, "cohort": cohort, "record": record})
    found = combine_cohorts({"a": definition("a"), "b": changed}).differences
    assert found == {
        "patients": ["10", "4"],
        "compartment": ["blood", "marrow"],
        "version of lammscope": ["0.1.0", "0.1.1"],
    }
