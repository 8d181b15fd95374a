"""The lock of a folder of results as jobs see it: a job of a run that has ended writes nothing.

A killed run leaves jobs behind that go on, or wait in the queue of a cluster. Each job locks its
log while it runs, so that the next run can wait for it. One that begins later finds another run in
the lock file than the one that started it.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path

STARTED_BY = "LAMMSCOPE_RUN"  # for jobs: the token of their run, by the path of its lock file


def try_lock(handle: int, *, shared: bool = False) -> bool:
    """Lock an open file until it is closed; False if another process has locked it.

    File systems without such locks say that it is free.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        pass
    return True


def pass_to_jobs(tokens: Mapping[Path, str]) -> None:
    """Let the jobs that this process starts know by which run they were started."""
    os.environ[STARTED_BY] = json.dumps({str(path): token for path, token in tokens.items()})


def refuse_if_replaced() -> None:
    """Raise an `OSError` if another run than the one that started this job writes the results."""
    for path, token in json.loads(os.environ.get(STARTED_BY, "{}")).items():
        if read_token(path) not in (None, token):
            raise OSError(
                f"{path}: the run that started this job has ended and another one has begun, so "
                "this job writes nothing"
            )


def read_token(path: str | Path) -> str | None:
    """Return the token of the run that has locked a folder; None if none has."""
    try:
        return str(json.loads(Path(path).read_text(encoding="utf-8"))["token"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
