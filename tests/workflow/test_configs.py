"""The demo config, the defaults of the schema, and rules and scripts are consistent."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from lammscope.cohort.config import resolve_config
from lammscope.simulate.cohort import simulate_cohort
from lammscope.simulate.plan import CohortSettings
from tests.workflow.conftest import Run


def test_the_demo_sheets_are_those_that_the_simulator_writes(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    simulate_cohort(CohortSettings(cells=50), "demo")
    for name in ("samples.tsv", "patients.tsv"):
        assert (repository / "config" / name).read_text() == (tmp_path / "demo" / name).read_text()


def test_every_rule_has_a_script_of_its_name_and_each_script_a_rule(repository: Path) -> None:
    rules = set()
    for path in (repository / "workflow" / "rules").glob("*.smk"):
        text = path.read_text()
        found = re.findall(r"^ *rule ?(\w*):\n(.*?)(?=^ *rule\b|\Z)", text, re.M | re.S)
        for rule, body in found:
            # a rule without a name here is made in a loop: one for each method, with one script
            (name,) = [rule] if rule else re.findall(r'name:\s+f"(.+)"', body)
            name = name.removesuffix("_{part}")
            (script,) = re.findall(r'"\.\./scripts/(\w+)\.py"', body)
            assert rule in (script, "")
            digest = rf'code\("{script}"[,)]|drawing_code\("{script.removeprefix("draw_")}"[,)]'
            assert re.search(rf"code=({digest})", body.split("    params:")[1])
            assert re.search(rf'"<logs>/{re.escape(name)}[./]', body)
            assert re.search(rf'"<benchmarks>/{re.escape(name)}[./]', body)
            rules.add(script)
    assert rules == {path.stem for path in (repository / "workflow" / "scripts").glob("*.py")}


def test_scripts_read_call_and_write_only(repository: Path) -> None:
    for path in (repository / "workflow" / "scripts").glob("*.py"):
        text = path.read_text()
        assert len(text.splitlines()) <= 40, path.name
        assert not re.search(r"^\s*(def|class|if|try|import argparse)\b", text, re.M), path.name
        assert text.startswith('"""')
        assert "with job_log(snakemake.log[0]" in text


def test_the_config_names_every_default_once(repository: Path) -> None:
    demo = yaml.safe_load((repository / "config" / "config.yaml").read_text())
    resolved = resolve_config(demo)
    assert resolve_config(resolved) == resolved


def test_every_key_of_the_config_is_documented(repository: Path) -> None:
    from lammscope.cohort.document import document

    assert (repository / "config" / "README.md").read_text() == document()


@pytest.mark.parametrize("name", ["", "-dev", "-docs", "-scvi", "-edger"])
def test_locks_pin_by_hash_and_name_no_index(repository: Path, name: str) -> None:
    text = (repository / f"requirements{name}.lock").read_text()
    pins = re.findall(r"^[a-z0-9._-]+(?:\[[a-z,]+\])?==", text, re.M)
    assert len(pins) > 5
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
    assert "--index" not in text


def test_actions_are_pinned_by_commit_and_the_version_is_named(repository: Path) -> None:
    lines = [
        line.strip().removeprefix("- ")
        for path in sorted((repository / ".github" / "workflows").glob("*.yml"))
        for line in path.read_text().splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert len(lines) > 3
    for line in lines:
        assert re.fullmatch(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line), line


@pytest.mark.slow
@pytest.mark.parametrize("method", ["harmony", "none", "scvi", "auto"])
def test_each_integration_method_gives_a_complete_plan(
    tiny: Path, snakemake: Callable[..., Run], method: str
) -> None:
    candidates = "[harmony]" if method == "auto" else "[]"
    value = f"integration={{method: {method}, candidates: {candidates}}}"
    run = snakemake(tiny, "--dry-run", "--forceall", "--config", value)
    assert run.code == 0, run.text[-2000:]
    assert ("integrate_harmony" in run.text) == (method in ("harmony", "auto"))
    assert ("integrate_scvi" in run.text) == (method == "scvi")
    assert ("choose_space" in run.text) == (method == "auto")


@pytest.mark.slow
def test_the_demo_config_is_not_mixed_into_another(
    tiny: Path, snakemake: Callable[..., Run]
) -> None:
    run = snakemake(tiny, "results/config.yaml")
    assert run.code == 0, run.text[-2000:]
    saved = yaml.safe_load((tiny / "results" / "config.yaml").read_text())
    assert saved["report"]["title"] == "LAMM cells before and after CAR-T therapy"
