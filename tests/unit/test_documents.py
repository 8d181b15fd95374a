"""Links, commands, settings and tables of the documents agree with the repository."""

import argparse
import importlib
import importlib.util
import re
import shlex
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import get_argument_parser

from lammscope.cohort.config import resolve_config
from lammscope.core.verdicts import VERDICTS
from lammscope.outcome.replication import CONTRADICTED, REPLICATED
from tests.conftest import REPOSITORY

PAGES = sorted(
    path.relative_to(REPOSITORY).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "config/*.md", "benchmarks/*.md", "resources/**/*.md")
    for path in REPOSITORY.glob(pattern)
)
SEARCHES_NEIGHBORS = "NEIGHBOR_SEARCH"  # a setting of rules that holds the seed
OF_THE_SYSTEM = {"mkdir", "uv", ".", "cp", "docker", "apptainer", "scancel", "squeue"}


class Parsed(Exception):
    """The arguments of a command were understood."""


def text_of(page: str) -> str:
    return (REPOSITORY / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    text = re.sub(r"(?ms)^ *```.*?^ *```", "", text)
    return re.sub(r"`[^`\n]*`", "", text)


def blocks_of(text: str, language: str) -> list[str]:
    """Return the fenced blocks of a language, also those within lists."""
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```", text)
    return [textwrap.dedent(block) for _, block in found]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors that GitHub and MyST give to the headings of a page."""
    headings = re.findall(r"(?m)^#{1,6} (.*)$", re.sub(r"(?ms)^```.*?^```", "", page.read_text()))
    kept = (re.sub(r"[^\w\- ]", "", re.sub(r"\]\([^)]*\)", "", each.lower())) for each in headings)
    return {each.strip().replace(" ", "-") for each in kept}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading(page: str) -> None:
    path = REPOSITORY / page
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code(text_of(page))):
        if re.match(r"https?:|mailto:", link):
            continue
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        assert found.exists(), link
        assert not anchor or anchor in anchors_of(found), link


def commands_of(text: str) -> list[list[str]]:
    lines = "\n".join(blocks_of(text, "sh")).replace("\\\n", " ").splitlines()
    parts = (part for line in lines for part in line.split("&&"))
    return [words for part in parts if (words := shlex.split(part, comments=True))]


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(text_of(page))])
def test_every_command_of_the_documents_is_understood(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    understand = argparse.ArgumentParser.parse_args

    def parse(parser: argparse.ArgumentParser, *given: Any) -> None:
        understand(parser, *given)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse)
    targets = set(re.findall(r"(?m)^([a-z-]+):", text_of("Makefile")))
    for program, *words in commands_of(text_of(page)):
        if program == "make":
            assert {word for word in words if "=" not in word} <= targets
        elif program == "snakemake":
            get_argument_parser().parse_args(words)
        elif program == "python":
            assert words[0] == "-m"
            assert_understood(words[1], words[2:])
        else:
            assert program in OF_THE_SYSTEM or (REPOSITORY / program).is_file(), program


def assert_understood(module: str, words: list[str]) -> None:
    """Fail unless a module exists and, if it is a command of the package, takes the arguments."""
    found = importlib.util.find_spec(module)
    assert found is not None, module
    if module.startswith("lammscope."):
        is_folder = found.submodule_search_locations is not None
        command = importlib.import_module(f"{module}.__main__" if is_folder else module)
        with pytest.raises((Parsed, SystemExit)) as stopped:  # `--help` exits
            command.main(words)
        assert getattr(stopped.value, "code", 0) == 0


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_exists(page: str) -> None:
    for module in set(re.findall(r"python\s-m\s([\w.]*\w)", text_of(page))):
        assert importlib.util.find_spec(module) is not None, module


OF_CONFIGS = ["README.md", *(page for page in PAGES if page.startswith("docs/"))]


@pytest.mark.parametrize("page", [page for page in OF_CONFIGS if blocks_of(text_of(page), "yaml")])
def test_every_config_of_the_documents_is_valid(page: str) -> None:
    for block in blocks_of(text_of(page), "yaml"):
        resolve_config(yaml.safe_load(block))


def table_of(page: str, header: str) -> list[list[str]]:
    """Return the rows of the table that begins with a header."""
    lines = text_of(page).split(f"| {header} |", 1)[1].splitlines()[2:]
    rows = lines[: next(n for n, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_the_random_steps_are_listed_as_the_rules_have_them() -> None:
    rows = {row[0].strip("`"): row[1] for row in table_of("docs/reproducibility.md", "script")}
    scripts = {path.stem for path in (REPOSITORY / "workflow" / "scripts").glob("*.py")}
    assert set(rows) == scripts
    for path in (REPOSITORY / "workflow" / "rules").glob("*.smk"):
        for rule in re.split(r"(?m)^ *(?:use )?rule\b", path.read_text()):
            script = re.search(r'scripts/(\w+)\.py"', rule)
            if script:
                is_seeded = "seed=" in rule or SEARCHES_NEIGHBORS in rule
                assert (rows[script[1]] == "seed") == is_seeded, script[1]


def test_the_glossary_has_every_verdict() -> None:
    text = text_of("docs/how_to_read_the_report.md")
    for verdict in (*VERDICTS, REPLICATED, CONTRADICTED):
        assert f"`{verdict}`" in text, verdict
    entries = re.findall(r"(?m)^\*\*([^*]+)\.\*\* ", text.split("## Glossary")[1])
    assert len(entries) > 40
    for verdict in VERDICTS:
        assert verdict.capitalize() in entries
