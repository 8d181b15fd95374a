"""Comparison of two runs: intended changes are accepted, all others are found."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from benchmarks.same_results import differences, reworded, texts_of
from lammscope.abundance.calibration import LEAKS, NOT_TESTED, PERMUTED
from lammscope.abundance.comparisons import REASONS

TEXTS = {"abundance/*.tsv": {"verdict": {r"no evidence from (\S+)": r"no difference from \1"}}}
OLD_PERMUTED = (
    "With the labels of the patients permuted in 1,280 ways, 4.9 % of the tests of genes in LAMM "
    "cells had p < 0.05; 5 % are expected."
)
OLD_TOO_MANY = (
    " p-values of this test may be too small in this cohort, though a true difference leaks into "
    "permuted labels, too; rely on the permutation test."
)


@pytest.fixture
def committed(repository: Path) -> dict[str, Any]:
    return yaml.safe_load((repository / "benchmarks" / "renamed.yaml").read_text())


def make_run(folder: Path, verdicts: list[str], *, p: float = 0.5) -> Path:
    (folder / "abundance").mkdir(parents=True)
    table = pd.DataFrame({"p": p, "verdict": verdicts})
    table.to_csv(folder / "abundance" / "baseline.tsv", sep="\t", index=False)
    table[["p"]].to_csv(folder / "abundance" / "counts.tsv", sep="\t", index=False)
    return folder


def test_reworded_texts_are_no_difference_and_other_changes_are(tmp_path: Path) -> None:
    old = make_run(tmp_path / "old", ["no evidence from 1", "higher"])
    new = make_run(tmp_path / "new", ["no difference from 1", "higher"])
    assert list(differences(old, new, {})) == ["differs  abundance/baseline.tsv"]
    assert list(differences(old, new, {"texts": TEXTS})) == []
    for name, verdicts, p in (
        ("other number", ["no difference from 1", "higher"], 0.6),
        ("other value", ["no difference from 2", "higher"], 0.5),
        ("other text", ["no difference from 1", "lower"], 0.5),
    ):
        changed = make_run(tmp_path / name, verdicts, p=p)
        assert "differs  abundance/baseline.tsv" in differences(old, changed, {"texts": TEXTS})


def test_patterns_must_match_whole_texts_of_files_they_name() -> None:
    assert reworded("there is no evidence from 1", TEXTS["abundance/*.tsv"]["verdict"]) == (
        "there is no evidence from 1"
    )
    assert texts_of("design/audit.tsv", TEXTS) == {}
    assert texts_of("abundance/lamm.tsv", TEXTS) == TEXTS["abundance/*.tsv"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "no evidence; differences from -0.30 to 0.75 are compatible",
            "no evidence of a difference; 95 % interval -0.30 to 0.75",
        ),
        (
            "not tested: fewer patients than 3 in an arm or than the model needs",
            f"not tested: {REASONS['too_few_patients']}",
        ),
        (
            "not tested: fewer than 2 cells a sample are expected on one side",
            f"not tested: {REASONS['too_few_cells']}",
        ),
        (
            "not tested: the sort CD3, CD3+ removed what they would be counted against",
            "not tested: sorting for CD3, CD3+ removed the cells of the denominator",
        ),
        ("higher in non_responder", "higher in non_responder"),
    ],
)
def test_committed_rewordings_give_the_verdicts_of_the_tests(
    committed: dict[str, Any], old: str, new: str
) -> None:
    texts = texts_of("abundance/robustness.baseline.tsv", committed["texts"])
    assert reworded(old, texts["verdict"]) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "There was nothing to calibrate: genes in LAMM cells "
            "(no gene of theirs could be tested).",
            NOT_TESTED.format("genes in LAMM cells", "no gene could be tested"),
        ),
        (
            "There was nothing to calibrate: LAMM cells as a fraction of all cells "
            "(these patients have no other labels).",
            NOT_TESTED.format(
                "LAMM cells as a fraction of all cells",
                "no other permutation of the labels exists",
            ),
        ),
        (
            "There was nothing to calibrate: LAMM cells as a fraction of all cells (sorted_out).",
            NOT_TESTED.format("LAMM cells as a fraction of all cells", "sorted_out"),
        ),
        (OLD_PERMUTED, PERMUTED.format(n=1280, percent=4.9, test="genes in LAMM cells")),
        (
            OLD_PERMUTED + OLD_TOO_MANY,
            PERMUTED.format(n=1280, percent=4.9, test="genes in LAMM cells") + LEAKS,
        ),
    ],
)
def test_committed_rewordings_give_the_messages_of_the_self_diagnosis(
    committed: dict[str, Any], old: str, new: str
) -> None:
    texts = texts_of("design/calibration.tsv", committed["texts"])
    assert reworded(old, texts["message"]) == new
