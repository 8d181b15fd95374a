"""What the report says of a replication."""

from typing import Any

import numpy as np
import pandas as pd

from lammscope.outcome.replication import COLUMNS
from lammscope.report.sections.replication import replication_section

ROW: dict[str, Any] = {
    **{"contrast": "baseline", "unit": "log odds ratio", "direction": "higher in non_responder"},
    **{"first_estimate": 1.0, "first_ci_low": 0.3, "first_ci_high": 1.7, "half": 0.5},
    **{"first_n_test": 4, "first_n_reference": 5, "estimate": 0.8, "ci_low": 0.2, "ci_high": 1.4},
    **{"p_one_sided": 0.007, "p_permutation_one_sided": 0.01, "power_at_half": 0.6},
    **{"n_test": 6, "n_reference": 7, "status": "ok", "reason": "", "verdict": "replicated"},
    "words": "replicated: higher in non_responder in this cohort, too (one-sided p 0.007)",
}


def section(**changes: Any) -> dict[str, Any]:
    table = pd.DataFrame([ROW | changes], columns=COLUMNS)
    found = replication_section(table, path="first/definition.yaml")
    assert found is not None
    return found


def test_both_cohorts_and_the_verdict_are_stated() -> None:
    found = section()
    for words in (
        "First cohort: LAMM cells higher in non-responder, odds ratio 2.72",
        "gives odds ratio 2.23 (95 % CI 1.22 to 4.06; 7 and 6 patients; one-sided p = 0.007)",
        "replicated. This cohort shows a difference in the same direction.",
    ):
        assert words in found["sentence"]
    assert [label for label, _, _ in found["facts"]][-1] == "verdict"


def test_an_inconclusive_cohort_is_no_evidence_against_the_first() -> None:
    found = section(verdict="inconclusive", words="inconclusive: ...")
    assert "neither confirms nor contradicts" in found["sentence"]


def test_what_was_not_tested_is_told_with_its_reason() -> None:
    empty = dict.fromkeys(("estimate", "ci_low", "p_one_sided", "power_at_half"), np.nan)
    found = section(verdict="not testable", status="no_cells", reason="no such cells", **empty)
    assert "In this cohort it was not tested: no such cells." in found["sentence"]
    assert len(found["facts"]) == 2


def test_a_run_that_replicates_nothing_has_no_section() -> None:
    assert replication_section(pd.DataFrame(), path="") is None
