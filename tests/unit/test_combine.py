"""`python -m lammscope.combine`: a page of its own, or a refusal."""

from pathlib import Path

import pandas as pd
import pytest

from lammscope.cohort.definition_file import definition_text
from lammscope.combine import main
from tests.definitions import definition_content


def write_results(folder: Path, name: str, estimate: float) -> Path:
    content = definition_content(estimate=estimate)
    content["cohort"] = {**content["cohort"], "cells": [f"{name}1"], "product": {name: 10}}
    folder.mkdir(parents=True)
    (folder / "definition.yaml").write_text(definition_text(content))
    return folder


def test_cohorts_are_combined_on_one_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [
        write_results(tmp_path / name / "results", name, estimate)
        for name, estimate in (("one", 1.0), ("two", 1.1), ("three", 1.2))
    ]
    output = tmp_path / "combined"
    assert main([*map(str, folders), "--output", str(output)]) == 0
    told = capsys.readouterr().out
    assert "In 3 cohorts together, the odds ratio is 3.00" in told
    assert "LAMM cells are higher in non-responder" in told
    assert {path.name for path in output.iterdir()} == {
        *("report.html", "cohorts.tsv", "combined.tsv", "forest.png", "forest.pdf"),
    }
    assert pd.read_csv(output / "cohorts.tsv", sep="\t")["cohort"].tolist() == [
        f"{name}/results" for name in ("one", "two", "three")
    ]
    page = (output / "report.html").read_text()
    for words in ("one/results", "95 % prediction interval", "I²", "product", "--accent"):
        assert words in page
    assert 'src="data:image/png;base64,' in page
    assert "http" not in page
    again = page
    assert main([*map(str, folders), "--output", str(output)]) == 0
    assert (output / "report.html").read_text() == again


def test_every_folder_without_a_definition_is_named_and_nothing_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "combined"
    folder = write_results(tmp_path / "one", "one", 1.0)
    missing = [tmp_path / name for name in ("two", "three")]
    assert main([*map(str, [folder, *missing]), "--output", str(output)]) == 1
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3
    assert "nothing was written" in told[0]
    assert main([str(folder), str(folder), "--output", str(output)]) == 1
    assert "same cells" in capsys.readouterr().err
    assert not output.exists()
