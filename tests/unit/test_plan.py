"""The command line of plans, from a finished run and from spreads that are given."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from lammscope.abundance import populations
from lammscope.abundance.counts import count_cells
from lammscope.cohort.comparison import Comparison
from lammscope.cohort.permutation import Permutations
from lammscope.cohort.sample_table import sample_table_text
from lammscope.core.indexed import write_table
from lammscope.outcome.run_spread import read_run, run_basis
from lammscope.plan import main
from tests.unit.example_cohorts import BASELINE, CHANGE, PAIRED, asked, cohort

SETTINGS: dict[str, Any] = {"min_cells": 20, "exclude_pre_post": ["B"]}
CONTRASTS: dict[str, dict[str, Any]] = {
    "baseline": BASELINE,
    "change": CHANGE,
    "pre_to_post": PAIRED,
}
PERMUTATIONS = Permutations(max_exact=100, n_draws=100, seed=0)
SURE = 0.98  # probability of a called cell


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the tables of a run of six patients per arm that a plan reads."""
    folder = tmp_path_factory.mktemp("results")
    samples, rng = cohort(6), np.random.default_rng(3)
    rows = []
    for sample in samples["sample"]:
        n_lamm = rng.binomial(200, 1 / (1 + np.exp(1.5 - rng.normal(0, 0.6))))
        for lineage, population, n, probability in (
            ("monocytic", "Mono_classical", n_lamm, SURE),
            ("T", "CD8", 200 - n_lamm, 0.0),
        ):
            cell = {"sample": sample, "lineage": lineage, "population": population}
            cell |= {"lamm_positive": probability, "lamm_macrophage_like": 0.0}
            rows += [cell | {"lamm_call": "LAMM" if probability else "not_LAMM"}] * n
    cells = pd.DataFrame(rows)
    counts = count_cells(cells, samples, probability=0.5)
    for part in ("design", "abundance", "annotation"):
        (folder / part).mkdir()
    config = {
        "contrasts": CONTRASTS,
        "sorts": {},
        "primary": {"denominator": "immune"},
        "abundance": SETTINGS,
        "lamm": {"level": "positive", "probability": 0.5},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "design" / "samples.tsv").write_text(sample_table_text(samples))
    write_table(cells, folder / "annotation" / "cells.parquet")
    write_table(counts, folder / "abundance" / "counts.tsv")
    for name, entry in CONTRASTS.items():
        question = populations.Question(
            counts, Comparison(samples, asked(entry, samples)), **SETTINGS, sorts={}
        )
        table = populations.test_abundance(question, permutations=PERMUTATIONS)
        write_table(table, folder / "abundance" / f"{name}.tsv")
    return folder


def run(*arguments: object) -> int:
    return main([str(argument) for argument in arguments])


def test_a_run_plans_all_its_contrasts(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "--output", tmp_path) == 0
    printed = capsys.readouterr().out
    assert "baseline: from 6 non-responder and 6 responder patients." in printed
    assert "200 immune cells in a sample" in printed
    assert "ratio of odds ratios" in printed
    table = pd.read_csv(tmp_path / "plan.tsv", sep="\t")
    assert list(dict.fromkeys(table["contrast"])) == list(CONTRASTS)
    assert (table["n_test_upper"] >= table["n_test"]).all()
    assert (table["ratio_called"] < table["ratio"]).all()
    assert {path.name for path in tmp_path.iterdir()} == {
        "plan.tsv",
        "power.tsv",
        "power.png",
        "power.pdf",
    }


def test_the_planned_spread_gives_the_standard_error_of_the_row(
    results: Path, tmp_path: Path
) -> None:
    for name in CONTRASTS:
        basis = run_basis(read_run(results), name)
        assert basis.spread is not None
        variance = np.array(basis.spread.patients) + np.array(basis.spread.counting)
        whole = basis.spread.inflation * (variance / np.array(basis.sizes)).sum()
        table = pd.read_csv(results / "abundance" / f"{name}.tsv", sep="\t")
        row = table.query("population == 'LAMM' & denominator == 'immune' & scale == 'logit'")
        assert np.sqrt(whole) == pytest.approx(float(row["se"].iloc[0]))


def test_more_cells_need_no_more_patients(results: Path, tmp_path: Path) -> None:
    for name, cells in (("few", 40), ("many", 4000)):
        assert run(results, "--cells", cells, "--output", tmp_path / name) == 0
    few, many = (pd.read_csv(tmp_path / n / "plan.tsv", sep="\t") for n in ("few", "many"))
    assert (few["n_test"] >= many["n_test"]).all()
    assert few["n_test"].sum() > many["n_test"].sum()


def test_spreads_that_are_given_are_taken_as_known(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ("--kind", "between", "--sd", 0.6, "--fraction", 0.1, "--ratio", 2)
    assert run(*given, "--output", tmp_path) == 0
    assert "13 + 13" in capsys.readouterr().out  # statsmodels: 12.8
    table = pd.read_csv(tmp_path / "plan.tsv", sep="\t")
    assert table["n_test"].tolist() == table["n_test_upper"].tolist() == [13]


GIVEN = ["--sd", "0.6", "--fraction", "0.1"]
REFUSED = {
    "no such folder": (["nowhere"], "nowhere: not the results of a finished run: `config.yaml`"),
    "no kind": (GIVEN, "--kind is missing: give it, or the results of a finished run"),
    "sds": (["--kind", "paired", *GIVEN, "--sd", "1", "2"], "--sd: 2 values for 1 arm"),
    "sd": (["--kind", "paired", *GIVEN, "--sd", "0"], "--sd must be above 0"),
    "ratio": (["--kind", "paired", *GIVEN, "--ratio", "1"], "--ratio must be above 0 and not 1"),
    "power": (["--kind", "paired", *GIVEN, "--power", "80"], "--power must lie between 0.05 and"),
    "fraction": (
        ["--kind", "paired", "--sd", "0.6", "--fraction", "0"],
        "--fraction must lie between 0 and 1",
    ),
    "sensitivity": (
        ["--kind", "paired", *GIVEN, "--sensitivity", "1.5"],
        "--sensitivity must be above 0 and at most 1",
    ),
    "false rate": (
        ["--kind", "paired", *GIVEN, "--false-rate", "-0.2"],
        "--false-rate must be at least 0 and below 1",
    ),
    "false calls": (
        ["--kind", "paired", *GIVEN, "--false-rate", "0.2"],
        "a fraction of 0.1 in the reference does not fit calls",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_mistakes_are_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, message = REFUSED[name]
    assert run(*arguments) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_contrast_is_named_with_the_nearest(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "--contrast", "basline") == 1
    assert "no contrast `basline` (did you mean `baseline`?)" in capsys.readouterr().err


def test_spreads_and_a_run_do_not_go_together(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "--sd", 0.5) == 1
    assert "--sd is for plans without a run" in capsys.readouterr().err
