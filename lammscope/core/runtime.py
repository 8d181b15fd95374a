"""Setup of a job: its log, atomic writes, and a limit on threads."""

import gc
import logging
import os
import resource
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from lammscope.core.run_lock import refuse_if_replaced, try_lock
from lammscope.core.written import content_of, note_written, save_written, sync

logger = logging.getLogger("lammscope")

COLLECT_AFTER = 100_000  # new objects between two searches for garbage; Python's default is 700
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def job_log(path: str | Path, *, threads: int = 1) -> Iterator[logging.Logger]:
    """Log a job to `path`, and end it with a one-line message on errors that a user can fix.

    Messages and warnings go to the log file; warnings of this package also go to standard error.
    Any error ends the job with exit code 1 and a one-line message on standard error. Only a
    `ValueError` or `OSError` (wrong input) is shown without its type. Tracebacks are in the log.

    Parameters
    ----------
    path
        The log file; an old one is overwritten.
    threads
        Maximum number of BLAS and OpenMP threads of this process. It comes from the config and
        not from `--cores`, so that results do not depend on the machine.
    """
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(logging.WARNING)
    shown.setFormatter(logging.Formatter("lammscope: warning: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    logger.addHandler(shown)
    level = logger.level
    logger.setLevel(logging.INFO)
    logging.captureWarnings(True)
    start, begun = time.monotonic(), _processor_time()
    if handler.stream is not None:
        try_lock(handler.stream.fileno())  # a later run sees that this job runs
    logger.info("process %d on %s", os.getpid(), socket.gethostname())
    try:
        refuse_if_replaced()
        with _threads_limited(threads), _rare_collections():
            yield logger
        save_written(path)
        logger.info(
            "done after %.1f s, processor time %.1f s (%.1f s to start), peak memory %.0f MiB",
            *(time.monotonic() - start, _processor_time(), begun, _peak()),
        )
    except (ValueError, OSError) as error:
        root.error("%s\n%s", error, traceback.format_exc())
        print(f"lammscope: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Exception as error:
        root.error("%s", traceback.format_exc())
        print(f"lammscope: {type(error).__name__}: {error} (details in {path})", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        logging.captureWarnings(False)
        root.removeHandler(handler)
        logger.removeHandler(shown)
        logger.setLevel(level)
        handler.close()


class Failures:
    """Errors that a user can fix, of samples that share a job: all are reported, at the end.

    The files of a sample that fails are not written, and the other samples are processed.

    Examples
    --------
    >>> with Failures() as failures:  # doctest: +SKIP
    ...     for sample in samples:
    ...         with failures.of(sample):
    ...             process(sample)
    """

    def __init__(self) -> None:
        self._messages: list[str] = []

    def __enter__(self) -> Self:
        """Begin without failures."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Raise a `ValueError` with all messages, if there are any."""
        if kind is None and self._messages:
            raise ValueError("\nlammscope: ".join(self._messages))

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Keep a `ValueError` or `OSError` of the block, and name what it is about."""
        try:
            yield
        except (ValueError, OSError) as error:
            logging.getLogger().error("%s: %s", name, traceback.format_exc())
            text = str(error)
            self._messages.append(text if name in text else f"{name}: {text}")


def _processor_time() -> float:
    """Return the processor time of this process and its children since they began, in seconds."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def _peak() -> float:
    """Return the peak memory of this process so far, in MiB."""
    per_mib = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib


@contextmanager
def _threads_limited(threads: int) -> Iterator[None]:
    """Limit the thread pools of native libraries, including those that are loaded later."""
    from threadpoolctl import threadpool_limits

    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        with threadpool_limits(limits=threads):
            yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Let Python search for garbage rarely.

    Tables, figures and fonts are hundreds of thousands of objects that live as long as their job.
    Searching them again and again takes a tenth of the time of drawing.
    """
    before = gc.get_threshold()
    gc.set_threshold(COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary file in the folder of `path`, renamed to `path` if the block succeeds.

    A job that is killed leaves no half-written result, and a machine that loses power no empty one:
    the content is on the disk before the name is. Its checksum is kept for the record of the job.
    The temporary file has the same suffix, because writers choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix, suffix = temporary_affixes(path)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644 & ~_umask())
        sync(temporary)
        content = content_of(temporary)
        refuse_if_replaced()
        temporary.replace(path)
        note_written(path, content)
    finally:
        temporary.unlink(missing_ok=True)


def temporary_affixes(path: Path) -> tuple[str, str]:
    """Return how the temporary file of a result begins and ends; a random word is in between."""
    return f".{path.name.split('.')[0]}-", "".join(path.suffixes[-2:])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
