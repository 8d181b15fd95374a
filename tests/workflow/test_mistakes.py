"""What a user gets wrong first: one line that helps, exit code not 0, nothing half-written."""

import h5py
import numpy as np
import pytest

from lammscope.cohorts import CohortSettings
from lammscope.simulate import simulate_cohort
from tests.workflow.conftest import write_config

pytestmark = pytest.mark.slow


@pytest.fixture
def cohort(tmp_path):
    simulate_cohort(CohortSettings(patients_per_arm=2, cells=60, seed=5), tmp_path)
    return tmp_path


def replace_in(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def remove_matrix(folder):
    (folder / "counts" / "P02_baseline.h5").unlink()


def unknown_value(folder):
    contrast = {"kind": "between", "test": "non_responders", "reference": "responder"}
    write_config(folder, contrasts={"baseline": contrast})


def unknown_column(folder):
    contrast = {"kind": "between", "column": "arn", "test": "a", "reference": "b"}
    write_config(folder, contrasts={"arms": contrast})


def aliased(folder):
    replace_in(folder / "patients.tsv", "patient\t", "patient\tsite\t")
    text = (folder / "patients.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in text[1:]]
    rows = [[row[0], "north" if row[1] in ("CR", "PR") else "south", *row[1:]] for row in rows]
    (folder / "patients.tsv").write_text("\n".join([text[0], *map("\t".join, rows)]) + "\n")
    contrast = {
        "kind": "between",
        "test": "non_responder",
        "reference": "responder",
        "where": {"phase": "pre"},
        "adjust": ["site"],
    }
    write_config(folder, contrasts={"baseline": contrast})


EARLY = {
    "a missing matrix": (remove_matrix, "samples.tsv: row 4: counts `"),
    "an unknown key": (lambda folder: write_config(folder, qcc={}), "`qcc` is no key"),
    "an unknown value": (unknown_value, "has no value `non_responders` (did you mean"),
    "an unknown column": (unknown_column, "contrast `arms`: no column `arn`"),
    "a primary contrast that is none": (
        lambda folder: write_config(
            folder,
            contrasts={
                "arms": {"kind": "between", "test": "non_responder", "reference": "responder"}
                | {"where": {"phase": "pre"}}
            },
        ),
        "`primary.contrast` is 'baseline', which is no contrast; contrasts: arms",
    ),
    "a patient without a row": (
        lambda folder: replace_in(folder / "patients.tsv", "P02", "P99"),
        "samples.tsv: row 4: patient `P02` is not in",
    ),
}


@pytest.mark.parametrize("name", EARLY)
def test_a_mistake_in_sheets_or_config_ends_the_run_before_it_starts(cohort, snakemake, name):
    change, message = EARLY[name]
    change(cohort)
    run = snakemake(cohort)
    assert run.code != 0
    assert message in run.text
    assert "Traceback" not in run.text
    assert not (cohort / "results").exists()


def test_a_contrast_that_cannot_be_told_from_a_covariate_is_refused(cohort, snakemake):
    aliased(cohort)
    run = snakemake(cohort)
    assert run.code != 0
    assert "cannot be separated from site" in run.text
    assert "Traceback" not in run.text
    assert not list((cohort / "results").glob("**/*.h5ad"))


def not_a_matrix(path):
    path.write_text("<html>not found</html>")


def fractions(path):
    with h5py.File(path, "r+") as file:
        values = file["matrix/data"][:] * np.float32(0.5)
        del file["matrix/data"]
        file["matrix/data"] = values


@pytest.mark.parametrize(
    ("damage", "message"),
    [(not_a_matrix, "not a count matrix"), (fractions, "values are not counts")],
)
def test_a_matrix_that_is_none_ends_the_run_with_one_line(cohort, snakemake, damage, message):
    path = cohort / "counts" / "P02_baseline.h5"
    damage(path)
    run = snakemake(cohort, "results/shards/P02_baseline.h5ad")
    assert run.code != 0
    (line,) = [line for line in run.text.splitlines() if line.startswith("lammscope: ")]
    assert str(path) in line
    assert message in line
    assert "Traceback" not in run.text
    assert not list((cohort / "results" / "shards").glob("*"))
