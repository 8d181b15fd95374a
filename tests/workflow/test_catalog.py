"""The catalog of result files names what the rules write, and the columns of every table."""

import json
import re
import shutil
from pathlib import Path

import pytest

from lammscope.cohort.config import read_schema
from lammscope.report.catalog import read_catalog
from tests.workflow.conftest import run_snakemake

# Written by the main process: the first has a date.
WITHOUT_RULE = {"provenance.json", "records/"}
# Included by a Snakefile, the rules can be read without running any.
READER = """
import json
from pathlib import Path

from snakemake.io import strip_wildcard_constraints


include: "{snakefile}"


start = workflow.pathvars.apply("<results>/")
outputs = {{
    each.name: [
        strip_wildcard_constraints(path).removeprefix(start)
        for path in (*each.output, *each.log, each.benchmark)
    ]
    for each in workflow.rules
    if each.name != "all"
}}
Path("outputs.json").write_text(json.dumps(outputs))
"""


@pytest.fixture(scope="module")
def outputs(
    sound_cohort: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[str]]:
    """Outputs, log and benchmark of every rule below the results folder, with their wildcards."""
    folder = Path(shutil.copytree(sound_cohort, tmp_path_factory.mktemp("read") / "cohort"))
    snakefile = folder / "Snakefile"
    snakefile.write_text(READER.format(snakefile=repository / "Snakefile"))
    choices = "multiverse={resolution: [0.5], qc: {strict: {min_genes: 300}}}"
    run = run_snakemake(repository, folder, "--dry-run", "--config", choices, snakefile=snakefile)
    assert run.code == 0, run.text[-3000:]
    return json.loads((folder / "outputs.json").read_text())


def pattern(path: str) -> re.Pattern[str]:
    """What a path of the catalog stands for among the outputs, whose other wildcards stay."""
    methods = read_schema("config")["properties"]["integration"]["properties"]["method"]["enum"]
    text = re.escape(path.removesuffix("/")).replace(r"\{figure\}", r"[\w{}]+")
    text = text.replace(r"\{method\}", f"({'|'.join(methods)}|{{method}})")
    # One job writes the files of several samples, or the tables of all contrasts of the cohort.
    text = re.sub(r"\\{(sample|channel)\\}", r"(\\{\1\\}|P\\d\\d_\\w+)", text)
    text = text.replace(r"\{part\}", r"({part}|\d{3})")
    text = text.replace(r"\{contrast\}", r"({contrast}|baseline|change|on_treatment|pre_to_post)")
    return re.compile(f"{text}(/.+)?" if path.endswith("/") else text)


def test_the_catalog_names_each_output_of_a_rule_once(outputs: dict[str, list[str]]) -> None:
    patterns = {path: pattern(path) for file in read_catalog().values() for path in file.paths}
    for rule, written in outputs.items():
        for output in written:
            found = [path for path, regex in patterns.items() if regex.fullmatch(output)]
            assert len(found) == 1, (rule, output, found)


def test_a_rule_writes_each_path_of_the_catalog(outputs: dict[str, list[str]]) -> None:
    written = [output for of_rule in outputs.values() for output in of_rule]
    assert len(outputs) > 30
    for file in read_catalog().values():
        for path in file.paths:
            assert path in WITHOUT_RULE or any(map(pattern(path).fullmatch, written)), path
