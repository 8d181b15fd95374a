"""The catalog of result files: complete for the report, without duplicate files or columns."""

import re
from pathlib import Path

import pytest

from lammscope.report import catalog
from lammscope.report.catalog import Columns, ResultFile, read_catalog
from lammscope.report.results import COHORT_TABLES, CONTRAST_TABLES
from tests.result_tables import column_mistakes

WILDCARDS = {"sample", "channel", "part", "contrast", "figure", "method", "folder"}


def test_every_table_of_the_report_is_in_the_catalog() -> None:
    files = read_catalog()
    for name in COHORT_TABLES:
        assert files[name].columns, name
        assert not re.search("[{}]", files[name].path), name
    for name in CONTRAST_TABLES:
        assert files[name].columns, name
        assert re.findall(r"\{\w+\}", files[name].path) == ["{contrast}"], name


def test_no_path_and_no_column_of_a_table_is_listed_twice() -> None:
    files = read_catalog().values()
    paths = [path for file in files for path in file.paths]
    assert len(set(paths)) == len(paths)
    for file in files:
        names = [name.removesuffix("?") for columns in file.columns for name in columns.names]
        assert len(set(names)) == len(names), file.name


def test_every_file_says_what_it_is_and_every_table_what_a_row_is() -> None:
    for file in read_catalog().values():
        assert file.content, file.name
        assert bool(file.row) == bool(file.columns), file.name
        is_table = file.paths[0].endswith((".tsv", ".tsv.gz", ".parquet"))
        assert bool(file.columns) == is_table, file.name
        assert file.layout in ("row", "paragraph", "table")
        assert set(re.findall(r"\{(\w+)\}", " ".join(file.paths))) <= WILDCARDS


def test_a_name_in_two_sections_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = "{genes: {path: genes.tsv, content: genes}}"
    path = tmp_path / "results.yaml"
    path.write_text(f"One: {entry}\nTwo: {entry}\n")
    monkeypatch.setattr(catalog, "CATALOG", path)
    with pytest.raises(ValueError, match="genes is the name of two files"):
        read_catalog()


@pytest.mark.parametrize(
    ("found", "mistakes"),
    [
        (["cell", "veto_dc3", "panel_type"], []),
        (["cell", "veto_dc3", "veto_ambient"], []),
        (["veto_dc3"], ["cell is missing"]),
        (["cell"], ["veto_<reason> is missing"]),
        (["cell", "veto_dc3", "vetoes"], ["vetoes is not in the catalog"]),
    ],
)
def test_columns_that_a_table_or_the_catalog_lacks_are_named(
    found: list[str], mistakes: list[str]
) -> None:
    columns = (Columns(("cell", "panel_type?"), ""), Columns(("veto_<reason>",), "cells"))
    table = ResultFile("calls", "Cells", ("calls.tsv",), "LAMM calls", "sample", columns)
    assert list(column_mistakes(table, found)) == [f"calls.tsv: {text}" for text in mistakes]
