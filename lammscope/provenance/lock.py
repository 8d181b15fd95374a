"""A lock in the folder of results: only one run writes to it at a time.

Snakemake's own lock lies in the folder where it runs, so it does not see a run in another one. The
lock file names process and host. It is also locked by the operating system as long as the process
lives, which works across hosts where the file system has such locks.
"""

import atexit
import getpass
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from lammscope.core.console import duration
from lammscope.core.disks import explain
from lammscope.core.run_lock import pass_to_jobs, read_token, try_lock
from lammscope.provenance.leftovers import print_message, remove_temporaries, wait_for_jobs

NAME = ".lock"
TOUCHED_EVERY = 60  # seconds
SILENT = 600  # seconds without a touch after which a run has probably ended
ATTEMPTS = 20  # to find a lock file that does not change while it is looked at
BOOT = Path("/proc/sys/kernel/random/boot_id")
RECORDED = "its results are compared with what its jobs have recorded"
_held: dict[Path, str] = {}  # token by lock file, of all locks of this process


class LockedError(Exception):
    """The folder of results is in use, or may be."""


@dataclass(frozen=True)
class Holder:
    """The run that has locked a folder of results.

    Attributes
    ----------
    host, boot
        The machine, and what tells this start of it from others; empty where it does not say.
    process, began
        Its process, and what tells it from a later one with the same number, as from `began_at`.
    user, folder, started
        Who started it, from which folder and when.
    token
        A random word that tells it from all other runs.
    """

    host: str
    boot: str
    process: int
    began: str
    user: str
    folder: str
    started: str
    token: str

    @classmethod
    def here(cls) -> Self:
        """Describe this process."""
        return cls(
            host=socket.gethostname(),
            boot=boot_id(),
            process=os.getpid(),
            began=began_at(os.getpid()),
            user=user_name(),
            folder=os.getcwd(),
            started=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
            token=secrets.token_hex(8),
        )

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a lock file; None if it is not one."""
        try:
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @property
    def is_of_this_host(self) -> bool:
        """Whether it runs, or ran, on this machine."""
        return self.host == socket.gethostname()

    @property
    def has_ended(self) -> bool:
        """Whether it is certain that its process is gone."""
        if not self.is_of_this_host:
            return False
        if self.boot != boot_id():
            return True
        return began_at(self.process) != self.began

    def __str__(self) -> str:
        """Say who it is."""
        return (
            f"process {self.process} on {self.host}, user {self.user}, since {self.started}, "
            f"started in {self.folder}"
        )


class Lock:
    """The lock of a folder of results.

    Parameters
    ----------
    results
        The folder.
    say
        Prints a message.
    """

    def __init__(self, results: str | Path, *, say: Callable[[str], None] | None = None) -> None:
        self._path = Path(results).absolute() / NAME
        self._say = say or print_message
        self._seen = read_token(self._path)
        self._handle: int | None = None
        self._released = threading.Event()

    @property
    def folder(self) -> Path:
        """The folder of results."""
        return self._path.parent

    def take(self, *, is_unchanged: Callable[[], bool] = lambda: True) -> None:
        """Take the lock until `release`, or until the process ends.

        Parameters
        ----------
        is_unchanged
            Tests whether the results are still those by which this run was planned.

        Raises
        ------
        LockedError
            If another run writes to the folder, or may, or has written to it since this object was
            made.
        OSError
            If the folder cannot be written.
        """
        holder = Holder.here()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f"{NAME}-{holder.token}")
        handle = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            os.write(handle, json.dumps(asdict(holder), indent=1).encode() + b"\n")
            os.fsync(handle)
            try_lock(handle)
            ended = self._put(temporary)
        except BaseException:
            os.close(handle)
            raise
        finally:
            temporary.unlink(missing_ok=True)
        self._handle, _held[self._path] = handle, holder.token
        atexit.register(self.release)
        if (ended and ended.token) != self._seen or not is_unchanged():
            self.release()
            raise LockedError(
                f"{self._path.parent}: another run has changed the results while this one was "
                "planned; start it again"
            )
        pass_to_jobs(_held)
        threading.Thread(target=self._touch, name="lammscope lock", daemon=True).start()

    def _put(self, temporary: Path) -> Holder | None:
        """Move a lock file to its place, and return the run that had left one and is gone."""
        for _ in range(ATTEMPTS):
            try:
                _link(temporary, self._path)
            except FileExistsError:
                pass
            else:
                return None
            try:
                other = os.open(self._path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                is_free = try_lock(other)
                holder = Holder.read(self._path)
                if is_free and not _is_at(other, self._path):
                    continue  # freed, or taken, since it was opened
                if not is_free or holder is None or not holder.has_ended:
                    silent = temporary.stat().st_mtime - self._path.stat().st_mtime
                    raise LockedError(_refusal(self._path, holder, is_free, silent))
                os.replace(temporary, self._path)
            except FileNotFoundError:
                continue
            finally:
                os.close(other)
            self._say(f"the last run ({holder}) was stopped before its end; {RECORDED}")
            return holder
        raise LockedError(f"{self._path}: other runs take and free this folder; start again")

    def release(self) -> None:
        """Free the folder, if this process holds it."""
        token = _held.pop(self._path, None)
        if self._handle is None or token is None:
            return
        self._released.set()
        if read_token(self._path) == token:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)
        self._handle = None
        atexit.unregister(self.release)
        pass_to_jobs(_held)

    def free(self) -> None:
        """Remove a lock that a run has left, as `snakemake --unlock` does with its own."""
        try:
            handle = os.open(self._path, os.O_RDWR)
        except FileNotFoundError:
            return
        try:
            holder = Holder.read(self._path)
            runs = holder is not None and holder.is_of_this_host and not holder.has_ended
            if runs or not try_lock(handle):
                self._say(f"{self._path} stays: {holder or 'its run'} still runs")
            else:
                self._path.unlink(missing_ok=True)
                self._say(f"{self._path} was removed ({holder or 'not readable'}); {RECORDED}")
        finally:
            os.close(handle)

    def _touch(self) -> None:
        """Change the time of the lock file each minute; the file system's clock sets it."""
        while not self._released.wait(TOUCHED_EVERY):
            try:
                os.utime(self._path)
            except OSError:
                continue


class Guard(logging.Handler):
    """Takes the lock when Snakemake says which jobs it will run, before it runs any.

    Parameters
    ----------
    lock
        The lock.
    rules
        Names of rules; a run without jobs of these needs no lock.
    logs
        The folder of the logs of jobs.
    outputs
        All files that jobs write.
    is_unchanged
        Tests whether the results are still those by which this run was planned.
    """

    def __init__(
        self,
        lock: Lock,
        *,
        rules: Collection[str],
        logs: str | Path,
        outputs: Collection[str],
        is_unchanged: Callable[[], bool],
    ) -> None:
        super().__init__()
        self._lock, self._rules = lock, set(rules)
        self._logs, self._outputs, self._is_unchanged = Path(logs), outputs, is_unchanged
        self._is_taken = False

    def emit(self, record: logging.LogRecord) -> None:
        """Take the lock, or end the process with a message."""
        about = vars(record)
        if str(about.get("event")) != "run_info" or self._is_taken:
            return
        if not self._rules & set(about["stats"]):
            return
        try:
            self._lock.take(is_unchanged=self._is_unchanged)
        except LockedError as error:
            print_message(f"{error}. Nothing was run")
            raise SystemExit(1) from None
        except OSError as error:
            words = explain(error, folder=self._lock.folder) or (
                f"{self._lock.folder}: {error.strerror}"
            )
            print_message(f"the results cannot be locked; nothing was run: {words}")
            raise SystemExit(1) from None
        self._is_taken = True
        wait_for_jobs(self._logs)
        remove_temporaries(self._outputs, logs=self._logs)


def boot_id() -> str:
    """Return what tells this start of the machine from others; empty where it does not say."""
    try:
        return BOOT.read_text().strip()
    except OSError:
        return ""


def began_at(process: int) -> str:
    """Return when a process began, by the machine's own count where possible; empty without one.

    The clock of the machine may have been set since, so it is asked only where nothing else is.
    """
    try:
        after_name = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return "" if BOOT.exists() else _began_by_clock(process)
    except OSError:
        return _began_by_clock(process)
    return "" if after_name[0] in "ZX" else after_name[19]  # a zombie has ended


def _began_by_clock(process: int) -> str:
    """Return the time of the clock when a process began; empty if there is none."""
    import psutil

    try:
        return str(round(psutil.Process(process).create_time()))
    except psutil.Error:
        return ""


def user_name() -> str:
    """Return the name of the user, or the number where there is no name, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _link(temporary: Path, path: Path) -> None:
    """Give a file a second name, unless another file has it."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o644))
        os.replace(temporary, path)


def _is_at(handle: int, path: Path) -> bool:
    """Test whether an open file is still the one at `path`."""
    return os.path.samestat(os.fstat(handle), path.stat())


def _refusal(path: Path, holder: Holder | None, is_free: bool, silent: float) -> str:
    """Say why a folder cannot be taken, and what to do."""
    results, who = path.parent, "" if holder is None else f": {holder}"
    text = f"another run writes to {results}{who}"
    if not is_free or (holder is not None and holder.is_of_this_host):
        return f"{text}. Wait until it has ended, or stop it"
    guess = ", so it has probably ended" if silent > SILENT else ""
    return (
        f"{text}. It cannot be seen from here whether it still runs; its last sign of life was "
        f"{duration(max(silent, 0))} ago{guess}. If it has ended, run `snakemake --unlock` with "
        f"the same options, or remove {path}, and start again"
    )
