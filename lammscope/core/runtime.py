"""Setup of a job: its log, atomic writes, and a limit on threads."""

import gc
import glob
import logging
import os
import resource
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from lammscope.core.disks import explain, results_of
from lammscope.core.run_lock import refuse_if_replaced, try_lock
from lammscope.core.written import content_of, note_written, save_written, sync

logger = logging.getLogger("lammscope")

COLLECT_AFTER = 100_000  # new objects between two searches for garbage; Python's default is 700
MEMORY = "memory so far"  # begins a line of the log of a job that may be killed
MEMORY_SECONDS = 1.0
STATUS = Path("/proc/self/status")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@contextmanager
def job_log(path: str | Path, *, threads: int = 1) -> Iterator[logging.Logger]:
    """Log a job to `path`, and end it with a one-line message on errors that a user can fix.

    Messages and warnings go to the log file; warnings of this package also go to standard error.
    Any error ends the job with exit code 1 and a one-line message on standard error. Only a
    `ValueError` or `OSError` (wrong input) is shown without its type. A full disk, a read-only one
    and other troubles of the system are named as such, whatever library met them. Tracebacks are in
    the log, and so is the memory in use, in case that the job is killed for it.

    Parameters
    ----------
    path
        The log file; an old one is overwritten.
    threads
        Maximum number of BLAS and OpenMP threads of this process. It comes from the config and
        not from `--cores`, so that results do not depend on the machine.
    """
    handler = _open_log(path)
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
    echoes = ExitStack()
    echoes.enter_context(_no_echoes(path))
    try:
        refuse_if_replaced()
        with _threads_limited(threads), _rare_collections(), _memory_noted():
            yield logger
        save_written(path)
        logger.info(
            "done after %.1f s, processor time %.1f s (%.1f s to start), peak memory %.0f MiB",
            *(time.monotonic() - start, _processor_time(), begun, peak_memory()),
        )
    except KeyboardInterrupt:
        root.error("interrupted")
        raise SystemExit(130) from None
    except Exception as error:
        message = _message(error, path)
        root.error("%s\n%s", message, traceback.format_exc())
        details = "" if isinstance(error, ValueError | OSError) else f" (details in {path})"
        print(f"lammscope: {message}{details}", file=sys.stderr)
        traceback.clear_frames(error.__traceback__)  # files that are open are closed here
        raise SystemExit(1) from None
    finally:
        echoes.close()
        logging.captureWarnings(False)
        root.removeHandler(handler)
        logger.removeHandler(shown)
        logger.setLevel(level)
        handler.close()


class _LogFile(logging.FileHandler):
    """A log whose disk may be full: the job ends with the message of its own error."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Lose a record that cannot be written."""

    def close(self) -> None:
        """Close the file, also if its last lines cannot be written."""
        with suppress(OSError):
            super().close()


def _open_log(path: str | Path) -> _LogFile:
    """Open the log of a job; end the job with one line if that is not possible."""
    try:
        return _LogFile(path, mode="w", encoding="utf-8")
    except OSError as error:
        print(f"lammscope: {_message(error, path)}", file=sys.stderr)
        raise SystemExit(1) from None


def _message(error: Exception, log: str | Path) -> str:
    """Say what an error means; only errors of the program are named by their type."""
    if isinstance(error, ValueError):
        return str(error)
    known = explain(error, folder=results_of(log))
    if known or isinstance(error, OSError):
        return known or str(error)
    if isinstance(error, MemoryError):
        return f"memory ran out ({error}): run fewer jobs at once, or give this one more memory"
    return f"{type(error).__name__}: {error}"


@contextmanager
def _no_echoes(log: str | Path) -> Iterator[None]:
    """Keep HDF5 from printing a traceback for each object that it cannot close on a full disk.

    These are thousands of lines. The message of the error says it once.
    """
    unraisable, uncaught = sys.unraisablehook, sys.excepthook
    folder = results_of(log)

    def hide_unraisable(raised: "sys.UnraisableHookArgs") -> None:
        if raised.exc_value is None or explain(raised.exc_value, folder=folder) is None:
            unraisable(raised)

    def hide_uncaught(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if explain(error, folder=folder) is None:
            uncaught(kind, error, trace)

    sys.unraisablehook, sys.excepthook = hide_unraisable, hide_uncaught
    try:
        yield
    finally:
        sys.unraisablehook, sys.excepthook = unraisable, uncaught


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
            if isinstance(error, OSError) and explain(error, folder="."):
                raise  # a full disk is full for the others, too
            logging.getLogger().error("%s: %s", name, traceback.format_exc())
            text = str(error)
            self._messages.append(text if name in text else f"{name}: {text}")


def _processor_time() -> float:
    """Return the processor time of this process and its children since they began, in seconds."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    usages = [resource.getrusage(kind) for kind in kinds]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_memory() -> float:
    """Return the peak memory of this process so far, in MiB.

    What `getrusage` tells begins with the memory of Snakemake, which started this process.
    """
    with suppress(OSError, ValueError, StopIteration), STATUS.open(encoding="ascii") as lines:
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    per_mib = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mib


@contextmanager
def _memory_noted() -> Iterator[None]:
    """Write to the log how much memory is used each time that it has grown by a quarter.

    If the job is killed for it, this is what is known of its use.
    """
    ended = threading.Event()

    def watch() -> None:
        noted = max(256.0, peak_memory())
        while not ended.wait(MEMORY_SECONDS):
            if (peak := peak_memory()) > 1.25 * noted:
                noted = peak
                logger.info("%s %.0f MiB", MEMORY, peak)

    watcher = threading.Thread(target=watch, name="lammscope memory", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


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
    for left in path.parent.glob(f"{glob.escape(prefix)}????????{glob.escape(suffix)}"):
        left.unlink(missing_ok=True)  # of a job that was killed: no other writes this file now
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
    return f".{path.name}-", "".join(path.suffixes[-2:])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
