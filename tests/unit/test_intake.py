"""Everything that a run is told, checked in one go."""

import pandas as pd
import pytest
import yaml

from lammscope.intake import take_in


@pytest.fixture
def told(relative_cohort, monkeypatch):
    """Take in the sound cohort with some lines added to its config; give the lines of mistakes."""
    monkeypatch.chdir(relative_cohort)

    def run(text="", **options):
        path = relative_cohort / "config.yaml"
        path.write_text(path.read_text() + text)
        config = yaml.safe_load(path.read_text())
        try:
            return take_in(config, sources=["config.yaml"], **options), []
        except ValueError as error:
            return None, str(error).splitlines()

    return run


def line_of(folder, key):
    lines = (folder / "config.yaml").read_text().splitlines()
    return next(n for n, line in enumerate(lines, start=1) if line.strip().startswith(key))


def test_a_sound_cohort_gives_samples_contrasts_and_no_notes(told):
    taken, mistakes = told()
    assert mistakes == []
    assert len(taken.samples) == 12
    assert [contrast.name for contrast in taken.contrasts] == ["baseline", "on_treatment", "change"]
    assert taken.notes == []
    assert taken.config["qc"]["min_counts"] == 500


def test_a_mistake_in_a_contrast_has_the_line_of_the_contrast(told, relative_cohort):
    _, mistakes = told(
        "primary: {contrast: second}\n"
        "contrasts:\n"
        "  first: {kind: between, test: non_responder, reference: responder, where: {phase: pre}}\n"
        "  second:\n"
        "    {kind: between, test: nobody, reference: responder, where: {phase: pre}}\n"
    )
    (mistake,) = mistakes
    line = line_of(relative_cohort, "second:")
    assert mistake.startswith(f"config.yaml: line {line}: contrast `second`: ")
    assert "no value `nobody`" in mistake


def test_mistakes_of_config_sheets_contrasts_and_matrices_come_together(told, relative_cohort):
    (relative_cohort / "counts" / "P01_baseline.h5").write_text("<html>")
    patients = pd.read_csv(relative_cohort / "patients.tsv", sep="\t", dtype=str)
    patients.loc[0, "age"] = "fifty"
    patients.to_csv(relative_cohort / "patients.tsv", sep="\t", index=False)
    _, mistakes = told(
        "integration: {batch: chanel}\n"
        "lamm: {references: none.tsv}\n"
        "contrasts:\n  baseline: {kind: between, test: a, reference: responder}\n"
    )
    text = "\n".join(mistakes)
    assert len(mistakes) == 5
    line = line_of(relative_cohort, "integration:")
    assert f"config.yaml: line {line}: `integration.batch` is `chanel`, no column" in text
    assert "`lamm.references` is `none.tsv`, which does not exist" in text
    assert "`age` is `fifty`; it must be a number" in text
    assert "contrast `baseline`: " in text
    assert "counts counts/P01_baseline.h5: a web page" in text


def test_matrices_need_not_be_opened_again(told, relative_cohort):
    (relative_cohort / "counts" / "P01_baseline.h5").write_text("<html>")
    taken, mistakes = told(look=False)
    assert mistakes == []
    assert len(taken.samples) == 12
