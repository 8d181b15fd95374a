"""Every bad input: exit code, message, time, and no incomplete files.

Checks of the config, the sheets and the matrices are the same in the workflow and in `python -m
lammscope.check`, which does not need a start of Snakemake. So what they find is tried by this
command, and every tenth case by Snakemake as well; with LAMMSCOPE_MISUSE=all, every case.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lammscope import check
from tests.misuse.cases import CASES, Case
from tests.workflow.conftest import STARTING, Run, run_snakemake

pytestmark = pytest.mark.slow

MOST_SECONDS = 5  # processor time to check config, sheets and matrix headers
MOST_STARTS = 3  # the same, relative to a bare start of Snakemake on this machine
ONE_IN = 10  # cases that `lammscope.check` finds, for one that Snakemake tries, too
AS_OTHER_USER = ("unshare", "--map-root-user")  # root who cannot read files of other users


@pytest.fixture(scope="session")
def outcome_of(
    request: Any,
    sound_cohort: Path,
    tmp_path_factory: pytest.TempPathFactory,
    repository: Path,
) -> Iterator[Callable[[str], tuple[Path, Run]]]:
    """Folders and runs of the selected cases, run two at a time ahead of the tests."""
    wanted = [item.callspec.params["name"] for item in request.session.items
              if item.originalname == "test_the_workflow_tells_a_misuse"]  # fmt: skip

    def run(name: str) -> tuple[Path, Run]:
        case = CASES[name]
        folder = tmp_path_factory.mktemp("case") / "cohort"
        shutil.copytree(sound_cohort, folder)
        with STARTING:
            case.spoil(folder)
        return folder, run_case(case, folder, repository)

    pool = ThreadPoolExecutor(max_workers=2)
    futures: dict[str, Future[tuple[Path, Run]]] = {name: pool.submit(run, name) for name in wanted}
    yield lambda name: futures[name].result()
    pool.shutdown(cancel_futures=True)


def run_case(case: Case, folder: Path, repository: Path) -> Run:
    """Run the workflow on a broken cohort."""
    prefix = AS_OTHER_USER if case.unprivileged and os.geteuid() == 0 else ()
    arguments = [*([case.target] if case.target else []), *case.arguments]
    return run_snakemake(repository, folder, *arguments, prefix=prefix)


def can_be_another_user() -> bool:
    """Check whether root can give up reading files of other users on this machine."""
    if os.geteuid() != 0:
        return True
    return (
        subprocess.run([*AS_OTHER_USER, "true"], capture_output=True, check=False).returncode == 0
    )


def is_checked(case: Case) -> bool:
    """Whether `lammscope.check` finds a misuse: it needs no job, user or option of Snakemake."""
    return not (case.target or case.arguments or case.unprivileged or case.by_snakemake)


def cases_of_the_workflow() -> list[str]:
    """List the cases to try with Snakemake."""
    checked = [name for name, case in CASES.items() if is_checked(case)]
    some = checked if os.environ.get("LAMMSCOPE_MISUSE") == "all" else checked[::ONE_IN]
    return [name for name in CASES if name in some or name not in checked]


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if is_checked(case)])
def test_the_check_tells_a_misuse(
    name: str,
    relative_cohort: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = CASES[name]
    case.spoil(relative_cohort)
    before = sorted(relative_cohort.rglob("*"))
    monkeypatch.chdir(relative_cohort)
    code = check.main(["config.yaml"])
    text = "".join(capsys.readouterr())
    assert case.message in (" ".join(text.split()) if case.fine else text)
    assert code == (0 if case.fine else 1)
    assert sorted(relative_cohort.rglob("*")) == before


@pytest.mark.parametrize("name", cases_of_the_workflow())
def test_the_workflow_tells_a_misuse(
    name: str, outcome_of: Callable[[str], tuple[Path, Run]], repository: Path
) -> None:
    case = CASES[name]
    if case.unprivileged and not can_be_another_user():
        pytest.skip("root can read every file here, and user namespaces are not available")
    folder, run = outcome_of(name)
    text = run.text
    assert "Traceback" not in text
    if case.fine:  # a note of the plan, which wraps its lines
        assert case.message in " ".join(text.split())
        assert run.code == 0, text[-3000:]
        return
    assert case.message in text
    assert run.code != 0
    written = sorted(p for p in folder.glob("results/**/*") if p.is_file())
    if case.target:
        told = {line for line in text.splitlines() if line.startswith("lammscope: ")}
        told = {line for line in told if not line.startswith("lammscope: warning: ")}
        line, heading = sorted(told, key=lambda line: line == "lammscope: 1 job failed:")
        assert case.message in line
        assert heading == "lammscope: 1 job failed:"
        assert not (folder / case.target).exists()
        assert not [path for path in written if path.name.startswith(".")]
        return
    assert written == []
    if run.seconds > MOST_SECONDS:  # a slow or busy machine
        starts = [
            run_case(case, folder, repository).seconds
            / run_snakemake(repository, folder, "--version").seconds
            for _ in range(3)
        ]
        assert min(starts) <= MOST_STARTS


def test_there_are_many_of_them() -> None:
    assert len(CASES) >= 80


def test_the_cohort_that_is_spoilt_is_sound(sound_cohort: Path, repository: Path) -> None:
    run = run_snakemake(repository, sound_cohort, "--dry-run", "--quiet", "rules")
    assert run.code == 0, run.text[-3000:]
    assert "lammscope:" not in run.text


def test_all_mistakes_are_told_at_once(
    sound_cohort: Path, tmp_path: Path, repository: Path
) -> None:
    folder = tmp_path / "cohort"
    shutil.copytree(sound_cohort, folder)
    for name in (
        *("an unknown key", "a missing matrix", "a typing error in a number"),
        *("an unknown patient", "a compartment in capitals"),
    ):
        CASES[name].spoil(folder)
    (folder / "counts" / "P02_baseline.h5").write_text("<html>")
    run = run_snakemake(repository, folder, "--dry-run")
    assert run.code == 1
    assert (
        "lammscope: 6 errors in the config, the sheets or the matrices; nothing was run:"
        in run.text
    )
    for message in (
        "config.yaml: line 3: `qc.min_count` is not a key",
        "samples.tsv: row 2: patient `P1` is not in patients.tsv",
        "samples.tsv: row 2: `counts` is `./counts/P01_basline.h5`, which does not exist",
        "samples.tsv: row 2: `compartment` is `Blood`",
        "patients.tsv: row 3: `age` is `6o`",
        "sample `P02_baseline`: counts counts/P02_baseline.h5: a web page",
    ):
        assert message in run.text
