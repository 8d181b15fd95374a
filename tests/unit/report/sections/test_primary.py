"""The primary result in words, for any cohort."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.core.versions import software_versions
from lammscope.report.results import COHORT_TABLES, CONTRAST_TABLES, Results
from lammscope.report.sections.primary import primary_sentence, state_primary
from tests.unit.abundance.questions import judge, run_abundance
from tests.unit.example_results import count_table, example, gather

BASELINE = {
    "kind": "between",
    "test": "non_responder",
    "reference": "responder",
    "where": {"phase": "pre"},
}
PRIMARY = {"contrast": "baseline", "denominator": "monocytic"}
SETTINGS = {
    "min_cells": 5,
    "exclude_pre_post": [],
    "max_exact": 20_000,
    "n_draws": 1_000,
    "seed": 1,
    "sorts": {},
}


def config(*, level: str = "macrophage_like", **primary: Any) -> dict[str, dict[str, str]]:
    return {"primary": PRIMARY | primary, "lamm": {"level": level}}


@pytest.fixture(scope="module")
def tested() -> Results:
    """Make results with one contrast of an example cohort and its table of abundance."""
    cohort = example(n_patients=8)
    (contrast,) = contrasts_from_config({"baseline": BASELINE}, cohort.samples)
    table = run_abundance(
        count_table(cohort.cells, cohort.samples), cohort.samples, contrast, **SETTINGS
    )
    return gather(
        dict.fromkeys(COHORT_TABLES, pd.DataFrame())
        | {name: {"baseline": pd.DataFrame()} for name in CONTRAST_TABLES}
        | {
            "contrasts": {"baseline": contrast},
            "abundance": {"baseline": judge(table, contrast, denominator="monocytic")},
        }
    )


def test_the_sentence_gives_the_numbers_of_the_primary_row(tested: Results) -> None:
    text = state_primary(tested, config=config())
    table = tested.of_contrast["baseline"].abundance
    row = table[
        (table["population"] == "LAMM")
        & (table["denominator"] == "monocytic")
        & (table["scale"] == "logit")
    ].iloc[0]
    assert row["status"] == "ok"
    assert f"with these patients it cannot give less than p = {row['p_floor']:.3f}" in text
    assert "95 % confidence interval" in text
    assert "positive level" not in text


def test_the_number_of_draws_limits_p_where_labels_are_drawn(tested: Results) -> None:
    own = tested.of_contrast["baseline"]
    scheme = "labels of patients: 10,000 draws"
    table = own.abundance.assign(permutation_scheme=scheme, p_floor=1 / 10_001)
    changed = replace(own, abundance=table)
    results = replace(tested, of_contrast={**tested.of_contrast, "baseline": changed})
    text = state_primary(results, config=config())
    assert "with 10,000 draws it cannot give less than p = 0.0001" in text


@pytest.mark.parametrize(
    ("words", "claim", "verdict"),
    [
        ("supported: higher in non_responder", "status was associated with a ", "supported (p"),
        (
            "suggestive: higher in non_responder; permutation p 0.057",
            "status may be associated with a ",
            "suggestive (permutation p 0.057).",
        ),
        (
            "inconclusive; ratios of 0.80 to 2.10 remain compatible",
            "associated with a numerically ",
            "inconclusive (ratios of 0.80 to 2.10 remain compatible). This is no evidence that",
        ),
    ],
)
def test_the_sentence_claims_what_the_verdict_allows(
    tested: Results, words: str, claim: str, verdict: str
) -> None:
    own = tested.of_contrast["baseline"]
    name = words.partition(":")[0].partition(";")[0]
    table = own.abundance.assign(words=words, verdict=name)
    sentence = primary_sentence(table, own.contrast, denominator="monocytic")
    assert claim in sentence
    assert f"Verdict: {verdict}" in sentence


def test_the_positive_level_is_explained(tested: Results) -> None:
    text = state_primary(tested, config=config(level="positive"))
    assert "nearly all monocytes" in text


def test_a_primary_contrast_that_was_not_made_is_reported(tested: Results) -> None:
    text = state_primary(tested, config=config(contrast="change"))
    assert "no contrast `change`" in text
    assert "`baseline`" in text


def test_versions_name_the_packages_that_determine_the_numbers() -> None:
    assert {"lammscope", "harmonypy", "faiss-cpu"} <= set(software_versions())
