"""`python -m lammscope.verify` names each file that is not as it should be."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.core.indexed import CellIndex, write_index
from lammscope.provenance.records import Job
from lammscope.provenance.run import Invocation, save_provenance
from lammscope.provenance.verification import verify_results
from lammscope.verify import main
from tests.unit.provenance.conftest import Rerun, complete, run_job


def end_run(results: Path, *jobs: Job, outcome: str = "finished") -> None:
    call = Invocation(datetime.now(UTC), outcome, ["snakemake"], [])
    save_provenance(results, call, config={}, files=[], jobs=jobs)


def problems(results: Path) -> list[str]:
    return verify_results(results)[0]


@pytest.fixture
def verified(results: Path, jobs: tuple[Job, Job]) -> Path:
    end_run(results, *jobs)
    assert verify_results(results) == ([], [], 3)
    return results


def test_whole_results_are_said_to_be(verified: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(verified)]) == 0
    assert capsys.readouterr().out == (
        "results: 3 files are whole, of one config and one set of cells\n"
    )


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-3]), "bytes, but was written with"),
        (
            lambda path: path.write_text(path.read_text().swapcase()),
            "another content than was written (SHA-256): delete it, and run",
        ),
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(
    verified: Path, damage: object, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(damage)
    damage(verified / "a.tsv")
    (problem,) = problems(verified)
    assert problem.startswith("a.tsv: ")
    assert words in problem
    assert "run the workflow again" in problem
    assert main([str(verified)]) == 1
    assert "1 problem in 3 files" in capsys.readouterr().out


def test_results_of_a_later_run_that_did_not_end_are_named(
    verified: Path, jobs: tuple[Job, Job]
) -> None:
    """As after `kill -9` of a run with another config."""
    count, _ = jobs
    other = replace(count, settings="2")
    run_job(other, verified, "other counts")
    complete(other, verified)
    found = problems(verified)
    assert "counts.tsv: was computed with another config or version" in found[0]
    assert "a.tsv, b.tsv: computed from another counts.tsv than there is now" in found[1]


def test_a_failed_run_and_what_it_left_are_named(
    verified: Path, jobs: tuple[Job, Job], rerun: Rerun
) -> None:
    count, _ = jobs
    rerun(count, "other counts")
    end_run(verified, *jobs, outcome="failed")
    found = problems(verified)
    assert found[0].startswith("2 files (a.tsv, b.tsv): computed from other results than there are")
    assert "the last run failed" in found[-1]


def test_results_that_cannot_be_computed_again_are_verified_too(
    verified: Path, jobs: tuple[Job, Job]
) -> None:
    """As where the matrix of a sample is archived, and a setting of its job is changed."""
    count, test = jobs
    Path("data.txt").unlink()
    end_run(verified, replace(count, settings="2"), test)
    found, notes, number = verify_results(verified)
    assert (len(found), notes, number) == (1, [], 3)
    assert found[0].startswith("1 file (counts.tsv): out of date, but kept")
    assert "put it back" in found[0]
    (verified / "counts.tsv").write_text("damaged")
    assert "counts.tsv: has 7 bytes" in problems(verified)[0]


def test_files_of_other_cells_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = Path("results")
    indexed = ("joint/cells.parquet", "joint/pca.npz")
    cells = Job("cells", indexed[:1], (), (), "1", "results/logs/cells.log")
    pca = Job("pca", indexed[1:], indexed[:1], (), "1", "results/logs/pca.log")
    (results / "joint").mkdir(parents=True)

    def write(names: list[str]) -> CellIndex:
        frame = pd.DataFrame({"cell": names, "sample": "S"})
        write_index(frame, results / indexed[0])
        return CellIndex(results / indexed[0])

    write(["a", "b"]).write_arrays(results / indexed[1], space=np.ones(2))
    write(["a", "c"])
    for job in (cells, pca):
        run_record(job)
        complete(job, results, cells)
    end_run(results, cells, pca)
    (problem,) = problems(results)
    assert problem.startswith("joint/pca.npz: belongs to other cells than joint/cells.parquet")


def run_record(job: Job) -> None:
    """Write the record of a job whose files lie there already."""
    from lammscope.core.written import save_written

    save_written(job.log)


def test_a_folder_without_provenance_and_files_of_no_job(
    verified: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (verified / "notes.txt").write_text("mine")
    assert verify_results(verified)[1] == ["1 file of no job of the last run: notes.txt"]
    assert main([str(verified)]) == 0
    assert main([str(tmp_path / "none")]) == 1
    assert "no run has ended here yet" in capsys.readouterr().err
