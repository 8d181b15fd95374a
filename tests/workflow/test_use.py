"""The ways to start the workflow: overrides, several configs, other folders, as a module."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow.conftest import Run, planned, run_snakemake

pytestmark = pytest.mark.slow


def saved_config(folder: Path) -> dict[str, Any]:
    return yaml.safe_load((folder / "results" / "config.yaml").read_text())


def test_the_command_line_wins_over_configs_and_later_configs_over_earlier(
    relative_cohort: Path, repository: Path
) -> None:
    first, second = relative_cohort / "first.yaml", relative_cohort / "second.yaml"
    first.write_text("seed: 5\nqc: {min_counts: 300, min_genes: 111}\n")
    second.write_text("seed: 6\nqc: {min_counts: 400}\nreport: {title: Second}\n")
    run = run_snakemake(
        repository,
        relative_cohort,
        *("results/config.yaml", "--config", "qc={max_pct_mt: 30}", "seed=7"),
        configs=("config.yaml", first, second),
    )
    assert run.code == 0, run.text[-3000:]
    config = saved_config(relative_cohort)
    assert config["seed"] == 7
    assert config["report"]["title"] == "Second"
    assert config["qc"]["max_pct_mt"] == 30
    assert (config["qc"]["min_counts"], config["qc"]["min_genes"]) == (400, 111)
    assert config["qc"]["max_pct_hb"] == 10


def test_a_mistake_is_located_in_the_config_that_wins(
    relative_cohort: Path, repository: Path
) -> None:
    first, second = relative_cohort / "first.yaml", relative_cohort / "second.yaml"
    first.write_text("qc:\n  min_counts: none\n")
    second.write_text("# later\nqc:\n  min_counts: many\n")
    run = run_snakemake(
        repository, relative_cohort, "--dry-run", configs=("config.yaml", first, second)
    )
    assert run.code == 1
    assert f"{second}: line 3: `qc.min_counts` is `many`; it must be a number" in run.text


def test_results_go_where_the_path_variable_says(relative_cohort: Path, repository: Path) -> None:
    run = run_snakemake(
        repository,
        relative_cohort,
        *("runs/one/config.yaml", "--config", "pathvars={results: runs/one}"),
    )
    assert run.code == 0, run.text[-3000:]
    assert (relative_cohort / "runs" / "one" / "config.yaml").is_file()
    assert not (relative_cohort / "results").exists()


def test_the_console_has_a_line_per_stage_and_the_log_file_has_every_job(
    relative_cohort: Path, repository: Path
) -> None:
    plan = run_snakemake(repository, relative_cohort, "--dry-run")
    run = run_snakemake(repository, relative_cohort, "results/qc/summary.tsv")
    assert run.code == 0, run.text[-3000:]
    n_rules = len(planned(plan.text))  # a dry run ends with a table of them
    for shown, most in ((plan, n_rules + 30), (run, 60)):
        assert len(shown.text.splitlines()) < most
        assert max(map(len, shown.text.splitlines())) < 300
    assert re.search(r"^ingest: 4 of 4 jobs done in .* s$", run.text, re.M)
    assert "rule ingest_sample" not in run.text
    (log,) = (relative_cohort / ".snakemake" / "log").iterdir()
    assert log.read_text().count("rule ingest_samples_00") == 2
    more = run_snakemake(repository, relative_cohort, "--dry-run", "--printshellcmds")
    assert "rule select_genes:" in more.text


MODULE = """
configfile: "study.yaml"


module lammscope:
    snakefile: "{snakefile}"
    config: config["lamm_cells"]


use rule * from lammscope as lamm_*


rule all:
    default_target: True
    input:
        rules.lamm_all.input,
        "flag.txt",


rule flag:
    input:
        "results/shards/P01_baseline.h5ad",
    output:
        "flag.txt",
    shell:
        "touch {{output}}"
"""


@pytest.fixture
def study(relative_cohort: Path, repository: Path) -> Path:
    """Write a workflow that uses this one as a module."""
    text = MODULE.format(snakefile=repository / "Snakefile")
    (relative_cohort / "Snakefile").write_text(text)
    config = yaml.safe_load((relative_cohort / "config.yaml").read_text())
    (relative_cohort / "study.yaml").write_text(yaml.safe_dump({"lamm_cells": config}))
    return relative_cohort


def as_module(repository: Path, study: Path, *arguments: str) -> Run:
    return run_snakemake(repository, study, *arguments, snakefile=study / "Snakefile", configs=())


def test_another_workflow_plans_every_rule_as_a_module(study: Path, repository: Path) -> None:
    run = as_module(repository, study, "--dry-run")
    assert run.code == 0, run.text[-3000:]
    own = planned(run_snakemake(repository, study, "--dry-run").text)
    own.pop("all")
    expected = {f"lamm_{name}": n for name, n in own.items()} | {"all": 1, "flag": 1}
    assert planned(run.text) == expected


def test_a_job_of_the_module_runs_in_the_other_workflow(study: Path, repository: Path) -> None:
    run = as_module(repository, study, "flag.txt")
    assert run.code == 0, run.text[-3000:]
    assert (study / "flag.txt").is_file()
    run = as_module(repository, study, "flag.txt")
    assert "Nothing to be done" in run.text


def test_a_mistake_in_the_modules_config_ends_the_other_workflow(
    study: Path, repository: Path
) -> None:
    config = yaml.safe_load((study / "study.yaml").read_text())
    config["lamm_cells"]["qc"] = {"min_gene": 3}
    (study / "study.yaml").write_text(yaml.safe_dump(config))
    run = as_module(repository, study, "--dry-run")
    assert run.code == 1
    assert "config: `qc.min_gene` is not a key (did you mean `min_genes`?)" in run.text
    assert "Traceback" not in run.text
