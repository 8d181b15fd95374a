"""Numbers or categories, and levels that differ in capitals."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lammscope.cohort.associations import covariates_of
from lammscope.cohort.audit import audit_design
from lammscope.cohort.comparison import Comparison, compare
from lammscope.cohort.config import resolve_config
from lammscope.cohort.contrast_config import contrasts_from_config
from lammscope.cohort.covariates import possible_codes, spelled_alike, text_notes
from lammscope.cohort.design import design_matrix
from lammscope.cohort.sheets import check_sheets
from tests.unit.example_cohorts import BASELINE, cohort


def number(table: pd.DataFrame) -> Any:
    return table["patient"].str[1:].astype(int)


CODES = {  # a column of a cohort of six patients per arm, and whether it may be codes
    "sites": (lambda t: number(t) % 3 + 1, True),
    "sites with gaps": (lambda t: (number(t) % 3 + 1.0).where(number(t) > 2), True),
    "grades": (lambda t: number(t) % 5, True),
    "codes of three digits": (lambda t: 100 + number(t) % 4, True),
    "codes per sample": (lambda t: pd.Series(range(len(t))) % 4, True),
    "yes or no": (lambda t: number(t) % 2, False),
    "fractions": (lambda t: number(t) % 3 + 0.5, False),
    "a value of each patient": (lambda t: (t["response"] == "responder") * 6 + number(t), False),
    "text": (lambda t: (number(t) % 3).map({0: "a", 1: "b", 2: "c"}), False),
}


@pytest.mark.parametrize("name", CODES)
def test_few_whole_values_may_be_codes(name: str) -> None:
    column, expected = CODES[name]
    assert ("site" in possible_codes(cohort(6, site=column), ["site"])) is expected


def test_files_of_contigs_are_no_covariate() -> None:
    paths = {"responder": ["a.csv", "A.csv"], "non_responder": ["b.csv", "B.csv"]}
    samples = cohort(
        6, contigs=lambda t: [paths[arm][n % 2] for n, arm in enumerate(t["response"])]
    )
    assert "contigs" not in covariates_of(samples)
    assert spelled_alike(samples, {}) == {}
    renamed = samples.rename(columns={"contigs": "site"})
    assert "site" in covariates_of(renamed)
    assert "site" in spelled_alike(renamed, {})


def test_columns_that_are_numbers_by_definition_are_no_codes() -> None:
    assert possible_codes(cohort(6, age=lambda t: 50 + number(t) % 3), ["age"]) == {}


def test_codes_are_noted_in_the_audit_of_cohort_and_contrast() -> None:
    samples = cohort(6, site=lambda t: number(t) % 3 + 1)
    contrasts = contrasts_from_config({"own": {**BASELINE, "adjust": ["site"]}}, samples)
    audit = audit_design(samples, compare(samples, contrasts), sorts={}, max_exact=99, n_draws=99)
    rows = audit[audit["item"] == "number_site"]
    assert rows["contrast"].tolist() == ["cohort", "own"]
    assert set(rows["status"]) == {"note"}
    assert "site (1, 2, 3) is treated as a number" in rows["message"].iloc[0]
    assert "`categories: [site]`" in rows["message"].iloc[0]


@pytest.fixture
def sheets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Check sheets of six patients with one more column of patients."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, values: Any, **config: Any) -> Any:
        rows = [f"P{i}\t{'CR' if i % 2 else 'PD'}\t{value}" for i, value in enumerate(values)]
        (tmp_path / "patients.tsv").write_text("\n".join([f"patient\tresponse\t{name}", *rows]))
        lines = ["sample\tpatient\ttimepoint\tcounts"]
        for i in range(len(values)):
            (tmp_path / f"{i}.h5").touch()
            lines.append(f"S{i}\tP{i}\tpre\t{i}.h5")
        (tmp_path / "samples.tsv").write_text("\n".join(lines))
        paths = {"samples": "samples.tsv", "patients": "patients.tsv"}
        return check_sheets(resolve_config({**paths, **config}))

    return write


def columns_of(samples: pd.DataFrame) -> Any:
    (contrast,) = contrasts_from_config({"own": {**BASELINE, "adjust": ["site"]}}, samples)
    return list(design_matrix(Comparison(samples, contrast).units, ["site"]))


def test_categories_of_the_config_are_levels(sheets: Any) -> None:
    values = ["1", "2", "3", "1", "2", "3", "1.0", "2"]
    table = sheets("site", values).samples
    assert columns_of(table) == ["intercept", "arm", "site"]
    table = sheets("site", values, categories=["site"]).samples
    assert table["site"].tolist() == ["1", "2", "3", "1", "2", "3", "1", "2"]
    assert columns_of(table) == ["intercept", "arm", "site[2]", "site[3]"]
    gaps = sheets("site", ["1", "2", "", "1"], categories=["site"]).samples
    assert gaps["site"].isna().tolist() == [False, False, True, False]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("sites", "config: `categories` names `sites`, which is not a column of either sheet (did"),
        ("ldh", "config: `categories` names `ldh`, which is a number by its definition; remove it"),
    ],
)
def test_a_category_that_is_none_is_a_mistake(sheets: Any, name: str, message: str) -> None:
    column = "site" if name == "sites" else name
    (mistake,) = sheets(column, ["1", "2", "3"], categories=[name]).mistakes
    assert mistake.startswith(message)


ALIKE = {
    "sexes": ("sex", ["F", "f", "M", "M"], "`sex` has levels that differ only in capitals or "
              "spaces: `F` (row 2) and `f` (row 3); use one spelling"),
    "words": ("site", ["North", "north", "NORTH", "x"], "`NORTH` (row 4) and `North` (row 2) and"),
    "spaces": ("drug", ["axi cel", "axi_cel", "Axi cel"], "`Axi cel` (row 4) and `axi cel` (row 2"),
    "two": ("site", ["a", "A", "b", "B"], "`A` (row 3) and `a` (row 2); `B` (row 5) and `b` (row"),
}  # fmt: skip


@pytest.mark.parametrize("name", ALIKE)
def test_levels_that_differ_in_capitals_are_named_with_their_rows(sheets: Any, name: str) -> None:
    column, values, words = ALIKE[name]
    alike = sheets(column, values).alike
    assert list(alike) == [column]
    assert alike[column].startswith("patients.tsv: ")
    assert words in alike[column]


def test_levels_that_the_config_names_or_that_differ_otherwise_are_fine() -> None:
    table = pd.DataFrame({"timepoint": ["Baseline", "baseline"], "sort": ["CD3+", "CD3-"]}).astype(
        "str"
    )
    assert spelled_alike(table, {"timepoint": ["Baseline", "baseline", "pre"]}) == {}
    assert list(spelled_alike(table, {})) == ["timepoint"]


SAME = {  # levels that usually mean the same
    "sex": ["M", "male"],
    "bridging": ["Y", "yes"],
    "marker": ["pos", "positive"],
    "site": ["A", "\u201cA\u201d"],
    "refractory": ["N", "FALSE"],
}


@pytest.mark.parametrize("column", SAME)
def test_levels_that_mean_the_same_are_named_with_their_rows(column: str) -> None:
    table = pd.DataFrame({column: SAME[column]}, index=[2, 3], dtype="str")
    found = spelled_alike(table, {})[column]
    assert all(f"`{x}` (row {row})" in found for row, x in zip((2, 3), SAME[column], strict=True))


@pytest.mark.parametrize("levels", [["f", "m"], ["T", "N", "A"], ["yes", "no"], ["w", "b"]])
def test_levels_with_other_meanings_are_fine(levels: list[str]) -> None:
    assert spelled_alike(pd.DataFrame({"x": levels}, dtype="str"), {}) == {}


LOOKS = {
    "limits": (["<0.5", "3.2", "10", ">100"], "numbers"),
    "units": (["5 mg", "3 mg", "10 mg"], "numbers"),
    "percent": (["45%", "3 %", "7.5%"], "numbers"),
    "dates": (["2024-03-01", "2024-03-02", "01.03.2024"], "dates"),
    "words": (["10x", "1A", "2B"], ""),
    "two": (["<5", ">5"], ""),
}


@pytest.mark.parametrize("name", LOOKS)
def test_text_that_looks_like_numbers_is_noted(name: str) -> None:
    levels, kind = LOOKS[name]
    found = text_notes(pd.DataFrame({"x": levels}, dtype="str"), ["x"])
    assert (f"looks like {kind} but is text" in found.get("x", "")) is bool(kind)
