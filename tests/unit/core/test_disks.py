"""A full disk, a read-only one and other troubles of the system, in one line each."""

import errno
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lammscope.core import disks
from lammscope.core.cache_folders import set_cache_folders
from lammscope.core.disks import explain, is_full, results_of, unwritable
from lammscope.core.runtime import Failures, job_log, peak_memory, whole_file

FULL = Path("/dev/full")  # a device of Linux on which each write fails as on a full disk
HDF5 = (
    "Can't synchronously write data (file write failed: time = Tue Dec  1 2026\n, filename = "
    "'{folder}/a.h5', file descriptor = 3, errno = 28, error message = 'No space left on device')"
)
ERRORS = {  # error, words of the message
    "Python": (OSError(errno.ENOSPC, "No space left on device"), "is full"),
    "HDF5": (RuntimeError(HDF5.format(folder="/nowhere")), "is full"),
    "Arrow": (OSError("Error writing bytes. Detail: [errno 28] No space left on device"), "full"),
    "NumPy": (OSError("200000 requested and 32752 written"), "is full"),
    "a quota": (OSError(errno.EDQUOT, "Disk quota exceeded"), "your quota"),
    "read-only": (OSError(errno.EROFS, "Read-only file system", "results/a"), "read-only: make"),
    "no permission": (PermissionError(errno.EACCES, "Denied", "results/a"), "no permission to"),
    "open files": (OSError(errno.EMFILE, "Too many open files", "x"), "`ulimit -n"),
    "a lost disk": (OSError(errno.ESTALE, "Stale file handle", "results/a"), "does not answer"),
    "size limit": (OSError(errno.EFBIG, "File too large", "results/a"), "`ulimit -f`"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_each_trouble_of_the_system_has_a_line_with_a_remedy(name: str) -> None:
    error, words = ERRORS[name]
    for told in (error, f"Traceback ...\n{type(error).__name__}: {error}"):
        message = explain(told, folder="results") or ""
        if told is error or "[" in str(error):
            assert words in message
            assert "\n" not in message
            assert any(verb in message for verb in ("free", "make", "chmod", "raise", "see that"))


def test_errors_about_input_keep_their_words() -> None:
    for error in (
        ValueError("x.h5: not a count matrix"),
        FileNotFoundError(errno.ENOENT, "No such file", "x"),
        PermissionError(errno.EACCES, "Permission denied", "/data/matrix.h5"),
    ):
        assert explain(error, folder="results") is None


def test_the_message_names_the_disk_and_how_much_is_free(tmp_path: Path) -> None:
    message = explain(OSError(28, "No space left on device"), folder=tmp_path / "new") or ""
    assert str(tmp_path) in message
    assert "MiB are free" in message
    assert "free some space" in message


def write_array(path: Path) -> None:
    with path.open("wb") as handle:
        np.ones(10_000).tofile(handle)


def write_table(path: Path) -> None:
    pd.DataFrame({"a": np.arange(50_000)}).to_csv(path, sep="\t", compression=None)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
@pytest.mark.parametrize("write", [write_array, write_table])
def test_libraries_on_a_full_disk_end_a_job_with_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], write: Callable[[Path], None]
) -> None:
    log = tmp_path / "results" / "logs" / "job.log"
    log.parent.mkdir(parents=True)
    with pytest.raises(SystemExit), job_log(log):
        write(FULL)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "is full" in lines[0]
    assert "is full" in log.read_text()


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_log_that_cannot_be_written_hides_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), job_log(FULL):
        raise ValueError("x.h5: not a count matrix")
    assert capsys.readouterr().err == "lammscope: x.h5: not a count matrix\n"


def test_a_log_that_cannot_be_opened_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit), job_log(tmp_path / "no" / "job.log"):
        pass
    assert capsys.readouterr().err.count("\n") == 1


def test_a_full_disk_ends_a_job_of_many_samples_at_once(tmp_path: Path) -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="No space"), Failures() as failures, failures.of("a"):
        raise full


def test_files_that_a_full_disk_left_open_print_no_tracebacks(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    class Dataset:
        def __del__(self) -> None:
            raise RuntimeError(HDF5)

    def fail() -> None:
        held = Dataset()
        raise OSError(errno.ENOSPC, "No space left on device", str(held and tmp_path))

    with pytest.raises(SystemExit), job_log(tmp_path / "job.log"):
        fail()
    assert "descriptor" not in capfd.readouterr().err


def test_a_folder_that_can_be_written_is_found_as_such(tmp_path: Path) -> None:
    assert unwritable(tmp_path / "new" / "results") is None
    assert list(tmp_path.iterdir()) == []
    assert not is_full(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="no /proc")
def test_a_folder_that_cannot_be_written_is_named() -> None:
    assert "/proc/self" in (unwritable("/proc/self/results") or "")


def test_the_results_of_a_log_are_the_folder_above_logs() -> None:
    assert results_of("out/logs/extract/001.log") == Path("out")
    assert results_of("elsewhere/x.log") == Path("elsewhere")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no /proc")
def test_peak_memory_is_that_of_the_job_and_not_of_its_parent() -> None:
    big = np.ones(40_000_000)  # 305 MiB of this process
    code = "from lammscope.core.runtime import peak_memory; print(peak_memory())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert float(done.stdout) < peak_memory() - 200
    assert big.nbytes > 0


def test_memory_in_use_is_written_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lammscope.core import runtime

    monkeypatch.setattr(runtime, "MEMORY_SECONDS", 0.01)
    values = iter([100.0, *[3000.0] * 10_000])
    monkeypatch.setattr(runtime, "peak_memory", lambda: next(values))
    with job_log(tmp_path / "job.log"):
        for _ in range(500):
            if "memory so far 3000 MiB" in (tmp_path / "job.log").read_text():
                break
            time.sleep(0.01)
    assert (tmp_path / "job.log").read_text().count("memory so far 3000 MiB") == 1


def test_caches_have_a_folder_where_the_home_cannot_be_written(tmp_path: Path) -> None:
    writable = {"HOME": str(tmp_path)}
    assert set_cache_folders(writable) is None
    assert writable == {"HOME": str(tmp_path)}
    lost = {"HOME": "/dev/null/x", "XDG_CACHE_HOME": "/mine"}
    folder = set_cache_folders(lost)
    assert folder is not None
    assert lost["MPLCONFIGDIR"] == lost["NUMBA_CACHE_DIR"] == str(folder)
    assert lost["XDG_CACHE_HOME"] == "/mine"
    folder.rmdir()


def test_a_file_on_a_full_disk_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OSError, match="No space"), whole_file(tmp_path / "a.tsv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(disks, "FULL", 2**62)
    assert is_full(tmp_path)


def test_what_a_killed_job_left_is_removed_when_its_file_is_written(tmp_path: Path) -> None:
    others = [tmp_path / ".a.b.tsv-abcdefgh.b.tsv", tmp_path / ".b.tsv-abcdefgh.tsv"]
    left = tmp_path / ".a.tsv-abcdefgh.tsv"
    for path in (*others, left):
        path.touch()
    with whole_file(tmp_path / "a.tsv") as temporary:
        temporary.write_text("x")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "a.tsv"])
