"""The tutorial does what it says: its commands run, and its numbers are those of the demo."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from tests.unit.test_documents import blocks_of, commands_of, text_of

PAGE = "docs/tutorial.md"
ENVIRONMENT = (["make", "setup"], [".", ".venv/bin/activate"])  # that of the test is there
PARTS_OF_A_CLONE = ("Snakefile", "config", "lammscope", "profiles", "resources", "workflow")
FEW_CELLS = ("--cells", "50")


@pytest.fixture
def clone(repository: Path, tmp_path: Path) -> Path:
    """The parts of a clone that the commands need."""
    for name in PARTS_OF_A_CLONE:
        (tmp_path / name).symlink_to(repository / name)
    return tmp_path


@pytest.mark.slow
def test_the_commands_run_as_they_are_written(clone: Path) -> None:
    """Samples have fewer cells, and jobs are planned only: whole runs are in `test_run.py`."""
    text = text_of(PAGE)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(clone)
    before, after = text.split("```yaml", 1)
    steps = [each for each in commands_of(before) if each not in ENVIRONMENT]
    printed = ""
    for command in [*steps, *commands_of(after)]:
        if command[0] == "snakemake":
            command = [*command, "--dry-run"]
        elif "lammscope.simulate" in command:
            command = [*command, *FEW_CELLS]
        elif "lammscope.check" in command:
            (config, _) = blocks_of(text, "yaml")
            (clone / "my_cohort" / "config.yaml").write_text(config)
        elif "lammscope.plan" in command:
            continue  # it needs the results
        run = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True)
        assert run.returncode == 0, (command, run.stderr[-3000:])
        printed += run.stdout
    assert "Found 16 count matrices in demo/counts" in printed
    (shown,) = blocks_of(text, "text")
    assert shown in printed
    assert "write_report" in printed


@pytest.fixture(scope="session")
def demo(repository: Path) -> Callable[[str], pd.DataFrame]:
    """Return a function that reads a table of a finished demo (`make demo`), or skip the test."""
    results = Path(os.environ.get("LAMMSCOPE_DEMO", repository / "results"))
    config = results / "config.yaml"
    title = "Demo cohort (simulated)"
    if not config.exists() or yaml.safe_load(config.read_text())["report"]["title"] != title:
        pytest.skip("no finished demo (run `make demo`, or set LAMMSCOPE_DEMO to its results)")
    return lambda name: pd.read_csv(results / name, sep="\t")


def test_the_numbers_are_those_of_the_demo(demo: Callable[[str], pd.DataFrame]) -> None:
    lamm = demo("abundance/lamm.tsv").set_index(["contrast", "population", "denominator"])
    fractions = demo("abundance/baseline.tsv").query("scale == 'logit'")
    means = fractions.set_index(["population", "denominator"]).loc[("LAMM", "immune")]
    first = lamm.loc[("baseline", "LAMM", "immune")]
    later = lamm.loc[("on_treatment", "LAMM_macrophage_like", "monocytic")]
    genes = demo("expression/hierarchy.tsv").set_index(["contrast", "cell_type"])
    genes_of_lamm = genes.loc[("baseline", "LAMM")]
    calibration = demo("design/calibration.tsv").dropna(subset="share").iloc[0]
    cells = demo("qc/verdicts.tsv")["n_cells"]
    assert (first["verdict"], later["verdict"]) == ("suggestive", "supported")
    text = " ".join(re.sub(r"[`|*]", "", text_of(PAGE)).split())
    for sentence in (
        f"{demo('qc/summary.tsv')['n_cells'].sum():,} cells remain",
        f"{cells.min()} to {cells.max()} barcodes per sample",
        f"{means['mean_test']:.1%} and {means['mean_reference']:.1%}".replace("%", " %"),
        odds(first, " (95 % interval "),
        f"p {first['p']:.3f} of the test",
        f"permutation p {first['p_permutation']:.3f}",
        f"the smallest possible here is {first['p_floor']:.3f}",
        f"p up to {first['influence_p_max']:.2f} (without {first['influence_patient']})",
        f"odds ratio of {odds(later, ' (')}",
        f"Holm's p over all LAMM rows of the run is {later['p_holm']:.3f}",
        f"{genes_of_lamm['n_supported']:.0f} genes differ before infusion",
        f"of {genes_of_lamm['n_tested']:,.0f} tested",
        f"{calibration['share']:.1%} of tests".replace("%", " %"),
    ):
        assert sentence in text, sentence


def odds(row: pd.Series, between: str) -> str:
    """Return an odds ratio and its interval, with three digits."""
    ratios = [float(np.exp(row[name])) for name in ("estimate", "ci_low", "ci_high")]
    estimate, low, high = (f"{each:.2f}" if each < 10 else f"{each:.1f}" for each in ratios)
    return f"{estimate}{between}{low} to {high})"
