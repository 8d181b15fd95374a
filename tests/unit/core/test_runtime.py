"""Jobs: their log, their last words, their threads."""

import logging
import os
from pathlib import Path

import pytest

from lammscope.core.runtime import job_log


def test_a_mistake_of_the_user_ends_a_job_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, job_log(tmp_path / "job.log"):
        raise ValueError("x.h5: not a count matrix")
    assert ended.value.code == 1
    assert capsys.readouterr().err == "lammscope: x.h5: not a count matrix\n"
    assert "Traceback" in (tmp_path / "job.log").read_text()


def test_a_fault_of_the_program_names_the_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        raise ZeroDivisionError("division by zero")
    assert "job.log" in capsys.readouterr().err


def test_libraries_loaded_within_a_job_get_its_threads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    with job_log(tmp_path / "job.log", threads=2):
        assert os.environ["OPENBLAS_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "2"
    assert os.environ["OPENBLAS_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_warnings_and_messages_go_to_the_log(tmp_path: Path) -> None:
    level = logging.getLogger("lammscope").level
    with job_log(tmp_path / "job.log") as logger:
        logger.info("%d cells", 5)
        logging.getLogger("other").warning("mind this")
    text = (tmp_path / "job.log").read_text()
    assert "5 cells" in text
    assert "mind this" in text
    assert logging.getLogger("lammscope").level == level
