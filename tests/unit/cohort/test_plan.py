"""The plan of a run: what it says of cohorts, and that it stays on a screen."""

from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.checks import Intake
from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.plan import WIDTH, plan_text
from tests.unit.example_cohorts import BASELINE, PAIRED, cohort

NOTHING = pd.Series(pd.NA, index=range(16), dtype="str")


def plan(samples: pd.DataFrame, notes: Any = (), formats: Any = None, **config: Any) -> Any:
    """Return the plan without line breaks within sentences, and its number of lines."""
    resolved = resolve_config(config)
    contrasts = contrasts_from_config(resolved["contrasts"], samples)
    text = plan_text(Intake(resolved, samples, contrasts, list(notes), formats or {}))
    assert max(map(len, text.splitlines())) <= WIDTH
    return " ".join(text.split()), len(text.splitlines())


def number(table: pd.DataFrame) -> Any:
    return table["patient"].str[1:].astype(int)


def late(table: pd.DataFrame) -> Any:
    return table.assign(phase=table["phase"].where(number(table) > 1), timepoint="M6")


PLANS: dict[str, tuple[Any, ...]] = {  # samples, config, what the plan says
    "a whole cohort": (
        cohort(),
        {},
        (
            "Cohort: 8 patients, 16 samples compartment: blood 16 sort: none 16",
            "before infusion: 4 responders (4 samples), 4 non-responders (4 samples)",
            "both phases: 4 responders, 4 non-responders",
            "baseline (primary): Can be tested: 4 non-responders against 4 responders. Smallest p "
            "of a permutation test: 0.029.",
            "Primary result: LAMM cells as a fraction of immune cells in `baseline`",
        ),
    ),
    "few patients": (
        cohort(2),
        {},
        ("baseline (primary): Cannot be answered: 2 non-responders against 2 responders; at least "
         "3 patients in each arm are needed.",),
    ),
    "pairs": (
        cohort(3),
        {"contrasts": {"pairs": PAIRED}, "primary": {"contrast": "pairs"}},
        ("pairs (primary): Can be tested: 6 pairs", "Smallest p of a permutation test: 0.031."),
    ),
    "no response": (
        cohort(response=NOTHING),
        {},
        (
            "before infusion: 8 patients without a response (8 samples)",
            "pre_to_post: Can be tested: 8 pairs",
            "Primary result: none, since `baseline` is not among the contrasts; set "
            "`primary.contrast` to one of pre_to_post",
        ),
    ),
    "nothing on purpose": (
        cohort(),
        {"contrasts": {}},
        (
            "Contrasts: none (`contrasts: {}` in the config), so nothing is compared",
            "Without this line of the config, these are made: baseline, on_treatment, change",
            "Primary result: none, since there is no contrast",
        ),
    ),
    "samples of neither phase": (
        late(cohort()),
        {"contrasts": {"baseline": BASELINE}},
        (
            "neither phase: 4 samples (M6 4)",
            "In no contrast: 10 samples (they are still clustered and annotated) phase is not",
        ),
    ),
    "sorted libraries": (
        cohort(sort=lambda t: number(t).map({1: "CD3+"}).fillna("NoSo")),
        {},
        ("sort: NoSo 12, CD3+ 4", "In no contrast: 4 samples", "sorted library: 4 (N1_D0, N1_D7"),
    ),
    "a missing covariate": (
        cohort(ldh=lambda t: number(t).where(number(t) > 1) * 1.5),
        {"contrasts": {"baseline": {**BASELINE, "adjust": ["ldh"]}}},
        (
            "Not used, ldh is missing: 2 samples (non-responders: N1_D0; responders: R1_D0).",
            "ldh is missing: 2 (N1_D0, R1_D0)",
        ),
    ),
    "codes": (
        cohort(6, site=lambda t: number(t) % 3),
        {"contrasts": {"baseline": {**BASELINE, "adjust": ["site"]}}},
        ("Note: site (0, 1, 2) is treated as a number", "`categories: [site]`"),
    ),
    "a confounded batch": (
        cohort(6, run=lambda t: t["response"].map({"responder": "a", "non_responder": "b"})),
        {},
        (
            "baseline (primary): Tested, but a difference cannot be separated from the effect of "
            "run",
            "Note: Each value of run occurs in one group only",
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANS)
def test_the_plan_says_what_will_be_computed(name: str) -> None:
    samples, config, said = PLANS[name]
    text, n_lines = plan(samples.reset_index(drop=True), **config)
    for words in said:
        assert words in text
    assert n_lines <= 40


def test_matrices_are_counted_by_what_is_read_of_them() -> None:
    formats = dict.fromkeys(cohort()["sample"][:10], "10x h5 v3")
    formats |= dict.fromkeys(cohort()["sample"][10:13], "h5ad (layer `counts`)")
    text, _ = plan(cohort(), formats=formats)
    assert (
        "Matrices: 10x h5 v3 (10), h5ad (layer `counts`) (3), read by an earlier run (3) Contrasts"
        in text
    )
    assert "Matrices" not in plan(cohort())[0]


def test_a_large_cohort_with_many_notes_fits_on_a_screen() -> None:
    places = [cohort(20, compartment=f"organ {i}", sort=f"CD{i}+") for i in range(12)]
    samples = pd.concat(
        [part.assign(sample=part["sample"] + f"_{i}") for i, part in enumerate(places)],
        ignore_index=True,
    ).assign(sort=lambda t: t["sort"].where(t["compartment"] != "organ 1", "none"))
    samples["timepoint"] += samples["compartment"]
    text, n_lines = plan(samples, notes=[f"something about row {i} " * 9 for i in range(40)])
    assert n_lines <= 50
    assert "and 6 more" in text
    assert "Note: 32 more on the sheets" in text


def test_what_is_read_of_a_matrix_is_indented_below_the_matrices() -> None:
    samples, config = cohort(), resolve_config({"contrasts": {}})
    formats, choices = (dict.fromkeys(samples["sample"], words) for words in ("h5ad", "X"))
    lines = plan_text(Intake(config, samples, [], [], formats, choices)).splitlines()
    below = lines[lines.index("Matrices: h5ad (16)") + 1]
    assert below.startswith("  ")
    assert below.endswith("and 13 more: reads X")
