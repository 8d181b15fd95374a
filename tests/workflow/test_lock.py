"""Two runs on one folder of results, and locks that were left."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from lammscope.core.run_lock import STARTED_BY
from lammscope.provenance.lock import Holder, Lock
from tests.workflow.conftest import run_snakemake

pytestmark = pytest.mark.slow


def test_a_second_run_is_refused_and_a_lock_that_was_left_can_be_removed(
    relative_cohort: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STARTED_BY, "{}")
    results, target = relative_cohort / "results", "results/config.yaml"
    lock = Lock(results)
    lock.take()
    run = run_snakemake(repository, relative_cohort, target)
    assert run.code == 1
    assert f"another run writes to {results}: process " in run.text
    assert [path.name for path in results.iterdir()] == [".lock"]
    assert run_snakemake(repository, relative_cohort, target, "--dry-run").code == 0
    lock.release()
    left = replace(Holder.here(), host="another")
    (results / ".lock").write_text(json.dumps(asdict(left)))
    run = run_snakemake(repository, relative_cohort, target, "--unlock")
    assert run.code == 0
    assert "on another, user" in run.text
    # As after `kill -9`: our lock and Snakemake's were left by a process that has ended.
    (results / ".lock").write_text(json.dumps(asdict(replace(Holder.here(), process=2**22 + 1))))
    locks = relative_cohort / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    (locks / "0.output.lock").write_text(f"{target}\n")
    run = run_snakemake(repository, relative_cohort, target)
    assert run.code == 0, run.text[-3000:]
    assert (relative_cohort / target).exists()
    assert not (results / ".lock").exists()
