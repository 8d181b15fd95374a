"""Environments: conda, the image and the CPU wheels have the packages of the lock files."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from envs.pin_conda import LOCKS, environment_files

FAKE_UV = """#!/bin/sh
echo "$@" >>"$VIRTUAL_ENV/calls"
"""
CUDA = re.compile(r"^(torch|triton|nvidia-.*|cuda-.*)$")


@pytest.fixture
def dockerfile(repository: Path) -> list[tuple[str, str]]:
    """Instructions of the Dockerfile and their arguments."""
    lines = (repository / "Dockerfile").read_text().splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in kept)]


def versions(text: str) -> dict[str, str]:
    """Versions of the packages that a text pins, each of which is pinned once."""
    pins = re.findall(r"^([a-z0-9.-]+)==([^\s;\\]+)", text, re.MULTILINE)
    assert len(pins) == len(dict(pins)) > 5
    return dict(pins)


def copied(dockerfile: list[tuple[str, str]]) -> list[str]:
    """Files and folders of the repository that the image takes."""
    copies = [rest.split() for name, rest in dockerfile if name == "COPY"]
    return [source for *sources, _ in copies for source in sources if "--from=" not in sources[0]]


@pytest.mark.parametrize("name", LOCKS)
def test_a_conda_environment_has_the_packages_of_the_locks(repository: Path, name: str) -> None:
    for file, content in environment_files(name).items():
        assert (repository / "envs" / file).read_text() == content, "run `python envs/pin_conda.py`"
    script = (repository / "envs" / f"{name}.post-deploy.sh").read_text()
    locked = [versions((repository / lock).read_text()) for lock in LOCKS[name]]
    assert versions(script) == {package: n for each in locked for package, n in each.items()}
    assert script.count("--hash=sha256:") > len(versions(script))


def test_every_rule_names_an_environment_that_is_there(repository: Path) -> None:
    rules = "".join(path.read_text() for path in (repository / "workflow" / "rules").glob("*.smk"))
    named = set(re.findall(r"envs/(\w+)\.yaml", rules))
    assert named <= set(LOCKS)
    assert {path.stem for path in (repository / "envs").glob("*.yaml")} == set(LOCKS)


def test_all_environments_have_one_version_of_python(
    repository: Path, dockerfile: list[tuple[str, str]]
) -> None:
    python = (repository / ".python-version").read_text().strip()
    base = dict(rest.split("=", 1) for name, rest in dockerfile if name == "ARG")["BASE"]
    assert re.fullmatch(rf"python:{re.escape(python)}-slim-\w+", base)
    assert f"From: {base}\n" in (repository / "envs" / "lammscope.def").read_text()
    for name in LOCKS:
        packages = yaml.safe_load((repository / "envs" / f"{name}.yaml").read_text())
        assert packages["dependencies"] == [f"python={python}", "pip"]


def test_the_image_copies_files_that_are_there_and_not_ignored(
    repository: Path, dockerfile: list[tuple[str, str]]
) -> None:
    ignored, *kept = [
        line
        for line in (repository / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    assert ignored == "*"
    for source in copied(dockerfile):
        assert (repository / source).exists(), source
        assert f"!{source.split('/')[0]}" in kept, source
    for name in kept:
        assert name == "**/__pycache__" or (repository / name.removeprefix("!")).exists(), name


def test_the_image_and_the_apptainer_recipe_take_the_same_files(
    repository: Path, dockerfile: list[tuple[str, str]]
) -> None:
    recipe = (repository / "envs" / "lammscope.def").read_text()
    section = recipe.split("%files\n")[1].split("\n\n")[0]
    taken = {line.split()[0] for line in section.splitlines()}
    image = {source.split("/")[0] for source in copied(dockerfile)}
    assert taken == image - {"requirements-edger.lock", "requirements-scvi.lock"}
    assert {"Snakefile", "config", "lammscope", "profiles", "resources", "workflow"} <= taken


def test_the_image_runs_snakemake_as_a_user_without_rights(
    dockerfile: list[tuple[str, str]],
) -> None:
    last = dict(dockerfile)
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert last["ENTRYPOINT"] == '["snakemake", "--snakefile", "/opt/lammscope/Snakefile"]'


def test_scvi_without_cuda_checks_all_other_packages(repository: Path, tmp_path: Path) -> None:
    for name in ("envs/setup.sh", "requirements-scvi.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, tmp_path / name)
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(sys.executable)
    (programs / "uv").write_text(FAKE_UV)
    (programs / "uv").chmod(stat.S_IRWXU)
    setup = ["sh", str(tmp_path / "envs" / "setup.sh"), "--without-cuda", "requirements-scvi.lock"]
    environment = {"PATH": os.environ["PATH"]}
    subprocess.run(setup, check=True, env=environment)
    torch, others = (tmp_path / ".venv" / "calls").read_text().splitlines()
    assert "--torch-backend cpu -c .venv/constraints.txt torch" in torch
    assert "--require-hashes --no-deps -r .venv/without-cuda.lock" in others
    locked = versions((repository / "requirements-scvi.lock").read_text())
    assert versions((tmp_path / ".venv" / "constraints.txt").read_text()) == locked
    kept = versions((tmp_path / ".venv" / "without-cuda.lock").read_text())
    assert kept == {name: n for name, n in locked.items() if not CUDA.match(name)}
    assert len(locked) - len(kept) > 10
