"""The sentence that relates neighborhoods to the LAMM result."""

from typing import Any

import pandas as pd
import pytest

from lammscope.report.sections.neighborhoods import neighborhood_line
from tests.unit.example_results import CONTRASTS


def line(
    *,
    higher: int,
    lower: int,
    estimate: float = 1.0,
    verdict: str = "supported",
    denominator: str = "immune",
) -> str:
    counts: dict[str, Any] = {"n_tested": [20, 30], "n_higher": [higher, 5], "n_lower": [lower, 0]}
    neighborhoods = pd.DataFrame({"population": ["Macrophage", "CD4_T"]} | counts)
    abundance = pd.DataFrame(
        {
            "population": ["LAMM", "LAMM", "Macrophage"],
            "denominator": ["monocytic", "immune", "monocytic"],
            "scale": "logit",
            "estimate": [-9.0, estimate, 1.0],
            "verdict": ["inconclusive", verdict, "supported"],
        }
    )
    contrast = CONTRASTS["baseline"]
    return neighborhood_line(neighborhoods, abundance, contrast=contrast, denominator=denominator)


@pytest.mark.parametrize(
    ("counts", "counted", "direction"),
    [
        ({"higher": 6, "lower": 0}, "6 differ (6 more frequent in non-responder)", "same"),
        ({"higher": 0, "lower": 2}, "2 differ (2 more frequent in responder)", "opposite"),
    ],
)
def test_counts_and_direction_are_those_of_the_tables(
    counts: dict[str, int], counted: str, direction: str
) -> None:
    n = sum(counts.values())
    assert line(higher=counts["higher"], lower=counts["lower"]) == (
        f"Of 20 tested neighborhoods of monocytic cells, {counted}: {n} of 20 Macrophage. LAMM "
        "cells as a fraction of immune cells: supported, higher in non-responder; the "
        f"neighborhoods differ in the {direction} direction."
    )


def test_neighborhoods_of_both_directions_or_of_none_claim_no_agreement() -> None:
    assert line(higher=3, lower=2).endswith("the neighborhoods differ in both directions.")
    none = line(higher=0, lower=0, estimate=-0.5, verdict="inconclusive")
    assert "none differs. LAMM cells" in none
    assert none.endswith("inconclusive, numerically lower in non-responder.")
    own = line(higher=1, lower=0, estimate=0.5, denominator="monocytic")
    assert "LAMM cells as a fraction of monocytic cells: " in own
    untested = line(higher=1, lower=0, estimate=float("nan"))
    assert "inconclusive, numerically lower" in untested  # of the other denominator


def test_without_monocytic_neighborhoods_there_is_no_sentence() -> None:
    contrast = CONTRASTS["baseline"]
    line = neighborhood_line(pd.DataFrame(), pd.DataFrame(), contrast=contrast, denominator="all")
    assert line == ""
