"""The plan and the mistakes of a config, without Snakemake."""

from pathlib import Path
from typing import Any

import pytest

from lammscope.check import main


@pytest.fixture
def folder(relative_cohort: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(relative_cohort)
    return relative_cohort


def write(folder: Path, name: str, text: str) -> Any:
    (folder / name).write_text(text)
    return name


def test_a_sound_config_gives_the_plan(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config.yaml"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Plan: ")
    assert "Cohort: 6 patients, 12 samples" in printed.out
    assert "Matrices: 10x h5 v3 (12)" in printed.out
    assert printed.err == ""


def test_later_configs_win_section_by_section(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = write(folder, "more.yaml", "report: {title: Second}\nprimary: {contrast: change}\n")
    assert main(["config.yaml", more]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("Plan: Second\n")
    assert "change (primary)" in printed


def test_paths_are_those_of_the_folder_of_the_run(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert main([str(folder / "config.yaml")]) == 1
    assert "samples.tsv: no such file" in capsys.readouterr().err
    assert main([str(folder / "config.yaml"), "--directory", str(folder)]) == 0


ALIASED = (
    "contrasts:\n  baseline: {kind: between, test: non_responder, reference: responder, "
    "where: {phase: pre}, adjust: [response_label]}\n"
)
MISTAKES = {  # text of a second config, and what is printed
    "an unknown key": ("seeds: 1\n", "lammscope: 1 error in the config, the sheets or the matr"),
    "a missing sheet": ("samples: none.tsv\n", "none.tsv: no such file"),
    "no section": ("- a\n", "more.yaml: is not a config; it must have keys at top level"),
    "no YAML": ("a: [\n", "more.yaml: is not YAML: "),
    "a misspelt primary": ("primary: {contrast: basline}\n", "(did you mean `baseline`?)"),
    "a mistake in a contrast": (ALIASED, "`response_label` is the response under another name"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_end_with_code_one_and_no_plan(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, message = MISTAKES[name]
    assert main(["config.yaml", write(folder, "more.yaml", text)]) == 1
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert main(["config.yaml", "missing.yaml"]) == 1
    assert "missing.yaml" in capsys.readouterr().err


def test_an_aliased_contrast_is_refused_below_the_plan(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (folder / "patients.tsv").read_text().splitlines()
    runs = ["a" if "\tCR\t" in line or "\tPR\t" in line else "b" for line in lines[1:]]
    rows = [f"{line}\t{run}" for line, run in zip(lines[1:], runs, strict=True)]
    (folder / "patients.tsv").write_text("\n".join([f"{lines[0]}\trun", *rows]) + "\n")
    text = ALIASED.replace("response_label", "run")
    assert main(["config.yaml", write(folder, "more.yaml", text)]) == 1
    printed = capsys.readouterr()
    assert "Cannot be answered" in printed.out
    assert "cannot be separated from the effect of run in these 6 patients" in printed.err


def test_results_of_another_cohort_are_refused_as_by_the_workflow(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "old" / "shards").mkdir(parents=True)
    (folder / "old" / "shards" / "Q1.h5ad").touch()
    old = write(folder, "more.yaml", "pathvars: {results: old}\n")
    assert main(["config.yaml", old]) == 1
    printed = capsys.readouterr()
    heading, message = printed.err.splitlines()
    assert heading.startswith("lammscope: the results folder belongs to another cohort; nothing")
    assert message.startswith(
        "  old: holds the results of another cohort: none of its samples (Q1)"
    )
    assert printed.out == ""
