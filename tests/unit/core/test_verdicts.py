"""The scale of verdicts."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lammscope.core.verdicts import VERDICTS, Evidence

AGREEING = Evidence(
    p=0.001, corrected=0.01, permutation=0.004, floor=0.002, left_out=0.02, patient="P1",
    correction="FDR",
)  # fmt: skip


def test_a_difference_is_supported_where_all_evidence_agrees() -> None:
    assert AGREEING.verdict == "supported"
    assert AGREEING.doubts == []
    assert VERDICTS == ("supported", "suggestive", "inconclusive", "not testable")


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({"corrected": 0.29}, "FDR 0.29"),
        ({"corrected": np.nan}, "FDR not known"),
        ({"permutation": 0.057}, "permutation p 0.057"),
        (
            {"permutation": 0.1, "floor": 0.1},
            "permutation p 0.1, which cannot be below 0.1",
        ),
        ({"left_out": 0.12}, "p 0.12 without P1"),
        ({"left_out": np.nan}, "p not known without one patient"),
        ({"explained": "may follow from B being lower in post"},) * 1
        + ("may follow from B being lower in post",),
    ],
)
def test_one_doubt_makes_a_difference_suggestive(changes: dict[str, Any], doubt: str) -> None:
    evidence = replace(AGREEING, **changes)
    assert evidence.verdict == "suggestive"
    assert evidence.doubts == [doubt]


def test_no_difference_is_inconclusive_and_no_test_not_testable() -> None:
    assert replace(AGREEING, p=0.05).verdict == "inconclusive"
    assert replace(AGREEING, p=0.049).verdict == "supported"
    assert replace(AGREEING, p=np.nan).verdict == "not testable"
