"""Verdicts on whole samples."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lammscope.core.indexed import read_table, write_table
from lammscope.joint.genotype import Genotype
from lammscope.joint.verdicts import (
    SampleQuality,
    failed_samples,
    failure_text,
    judge_samples,
)
from tests.unit.joint.test_genotype import COMMON, FEMALE, MALE


def barcodes(**numbers: int) -> pd.DataFrame:
    """Barcodes with a number of each reason; `good` pass."""
    reasons = [name for name, number in numbers.items() for _ in range(number)]
    passes = [name == "good" for name in reasons]
    written = ["" if name == "good" else name for name in reasons]
    return pd.DataFrame({"passes": passes, "reasons": pd.Series(written, dtype=str)})


def sample(**changes: Any) -> SampleQuality:
    usual: dict[str, Any] = {
        "barcodes": barcodes(good=400, low_counts=900, high_mt=60),
        "contamination": 0.05,
        "genotype": Genotype(400, COMMON | MALE, {**COMMON, **MALE}),
        "patient": "P1",
        "sex": "male",
    }
    return SampleQuality(**(usual | changes))


def judge(**changes: Any) -> pd.Series:
    return judge_samples({"S1": sample(**changes)}, min_cells=50).iloc[0]


def test_a_good_sample_passes() -> None:
    row = judge()
    assert (row["verdict"], row["reasons"], row["message"]) == ("passed", "", "")
    assert row["n_cells"] == 400
    assert row["pct_ambient"] == 0
    assert row["pct_dying"] == pytest.approx(100 * 60 / 460)
    assert row["pct_contamination"] == pytest.approx(5)
    assert row["sex"] == "male"


@pytest.mark.parametrize(
    ("changes", "reason", "words"),
    [
        (
            {"barcodes": barcodes(good=1, low_counts=5054)},
            "few_cells",
            "1 of 5,055 barcodes pass, fewer than `qc.min_cells`, 50 (the others: low_counts "
            "5,054)",
        ),
        (
            {"barcodes": barcodes(good=60, ambient=340, low_counts=900)},
            "mostly_ambient",
            "85 % of the barcodes with enough UMIs and genes hold ambient RNA and no cell",
        ),
        (
            {"barcodes": barcodes(good=60, high_mt=140)},
            "mostly_dying",
            "70 % of the cells have too high a percentage of mitochondrial UMIs",
        ),
        ({"contamination": 0.41}, "contaminated", "41 % of the cells' UMIs are ambient RNA"),
        ({"sex": "F"}, "sex", "the patient is female but the cells express genes of chromosome Y"),
        (
            {"genotype": Genotype(400, {"XIST": 90, "DDX3Y": 90}, {})},
            "sex",
            "the patient is male but the cells express XIST as well as genes of chromosome Y",
        ),
    ],
)
def test_a_sample_fails_for_a_reason(changes: dict[str, Any], reason: str, words: str) -> None:
    row = judge(**changes)
    assert (row["verdict"], row["reasons"]) == ("failed", reason)
    assert words in row["message"]


@pytest.mark.parametrize(
    "changes",
    [
        {"contamination": np.nan},
        {"sex": ""},
        {"sex": "not recorded"},
        {"sex": "M"},
        {"genotype": Genotype(400, {"XIST": 3}, {}), "sex": "male"},
        {"barcodes": barcodes(good=50, ambient=50)},
        {"barcodes": barcodes(**{"good": 50, "ambient,low_counts": 5000})},  # a raw matrix
    ],
)
def test_what_is_not_known_or_usual_fails_no_sample(changes: dict[str, Any]) -> None:
    assert judge(**changes)["verdict"] == "passed"


def test_a_sample_without_barcodes_fails_and_has_no_percentages() -> None:
    row = judge(barcodes=barcodes(), contamination=np.nan, genotype=Genotype(0, {}, {}))
    assert row["reasons"] == "few_cells"
    assert np.isnan(row[["pct_ambient", "pct_dying"]].astype(float)).all()


def test_of_three_samples_the_swapped_one_is_named() -> None:
    woman = Genotype(400, COMMON | FEMALE, {**COMMON, **FEMALE})
    samples = {
        "S1": sample(sex=""),
        "S2": sample(sex=""),
        "S3": sample(sex="", genotype=woman),
        "S4": sample(sex="", genotype=woman, patient="P2"),
        "S5": sample(sex="", genotype=woman, patient="P3"),
        "S6": sample(sex="", genotype=Genotype(400, COMMON, dict(COMMON)), patient="P3"),
    }
    verdicts = judge_samples(samples, min_cells=50)
    assert failed_samples(verdicts) == ["S3"]
    assert verdicts["unlike"].tolist() == ["", "", "S1, S2", "", "", ""]
    (text,) = failure_text(verdicts)
    assert text.startswith(
        "sample S3 fails quality control: it differs in XIST and chromosome Y from S1, S2 of "
        "patient P1: were samples swapped"
    )


def test_a_sample_of_unknown_sex_speaks_for_none() -> None:
    woman = Genotype(400, COMMON | FEMALE, {**COMMON, **FEMALE})
    unknown = Genotype(30, {"HLA-DRB1": 5}, {"HLA-DRB1": 9.0})
    samples = {
        "S1": sample(sex=""),
        "S2": sample(sex="", genotype=woman),
        "S3": sample(sex="", genotype=unknown),
    }
    assert failed_samples(judge_samples(samples, min_cells=50)) == ["S1", "S2"]


def test_of_two_samples_that_differ_both_are_named() -> None:
    woman = Genotype(400, COMMON | FEMALE, {**COMMON, **FEMALE})
    samples = {"S1": sample(sex=""), "S2": sample(sex="", genotype=woman)}
    assert failed_samples(judge_samples(samples, min_cells=50)) == ["S1", "S2"]


def test_a_failed_sample_of_a_name_like_a_number_keeps_it_in_a_file(tmp_path: Path) -> None:
    verdicts = judge_samples({"001": sample(barcodes=barcodes(good=3))}, min_cells=50)
    write_table(verdicts, tmp_path / "verdicts.tsv")
    assert failed_samples(read_table(tmp_path / "verdicts.tsv")) == ["001"]


def test_all_reasons_of_a_sample_are_told() -> None:
    row = judge(barcodes=barcodes(good=10, ambient=90), contamination=0.5, sex="female")
    assert row["reasons"] == "few_cells,mostly_ambient,contaminated,sex"
    assert row["message"].count("; ") == 3
