"""What an error of the operating system means for a run: the disk, its rights and its limits."""

import errno
import os
import re
import resource
import shutil
import tempfile
from pathlib import Path

MIB = 2**20
FULL = 2 * MIB  # bytes; with less free space than this, a disk counts as full
OTHER_FOLDER = "name another folder under `pathvars: {results: FOLDER}` in the config"
GO_ON = "then run the same command again"
# Libraries that write files report a full disk in their own words, some without its number.
NUMBER = re.compile(r"\[errno (\d+)\]|errno = (\d+)", re.IGNORECASE)
WORDS = {
    errno.ENOSPC: re.compile(r"No space left on device|\d+ requested and \d+ written"),
    errno.EDQUOT: re.compile(r"Disk quota exceeded"),
    errno.EROFS: re.compile(r"Read-only file system"),
    errno.EMFILE: re.compile(r"Too many open files"),
    errno.ESTALE: re.compile(r"Stale (NFS )?file handle"),
}
NAMED = re.compile(r"(?:filename = |: )'(/?[^'\n]+)'")


def explain(error: BaseException | str, *, folder: str | Path) -> str | None:
    """Say in one line what an error means if the disk or the system is at fault; else None.

    Parameters
    ----------
    error
        An exception, or what was printed of one. Errors of HDF5, Arrow and NumPy are known by their
        texts, since some have no number.
    folder
        The folder of results. It is named if the error does not name a file.
    """
    text = str(error)
    number = getattr(error, "errno", None) or _number_in(text)
    named = getattr(error, "filename", None) or next(iter(NAMED.findall(text)), None)
    path = Path(os.fsdecode(named)) if isinstance(named, str | bytes) else Path(folder)
    match number:
        case errno.ENOSPC:
            return full_disk(path)
        case errno.EDQUOT:
            return f"your quota on the disk of {existing_folder(path)} is used up: {_remedy(path)}"
        case errno.EROFS:
            return f"{path}: the disk is read-only: make it writable, or {_elsewhere(path)}"
        case errno.EACCES | errno.EPERM if _is_ours(path, Path(folder)):
            return (
                f"{path}: no permission to write there: ask its owner, use chmod, or "
                f"{_elsewhere(path)}"
            )
        case errno.EMFILE | errno.ENFILE:
            limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            return (
                f"too many files are open (the limit is {limit}): raise it with `ulimit -n "
                f"{max(4096, 4 * limit)}`, {GO_ON}"
            )
        case errno.ESTALE | errno.ENOTCONN | errno.EIO | errno.ENODEV:
            return (
                f"{path}: the disk does not answer ({os.strerror(number)}), as when a network disk "
                f"was disconnected: see that it is mounted, {GO_ON}"
            )
        case errno.EFBIG:
            return f"{path}: larger than `ulimit -f` allows: raise that limit, {GO_ON}"
    return None


def full_disk(path: str | Path) -> str:
    """Say that the disk that holds a path is full, with how much is free."""
    folder = existing_folder(Path(path))
    try:
        free = shutil.disk_usage(folder).free
        no_names = not os.statvfs(folder).f_favail and free > FULL
    except OSError:
        return f"the disk of {folder} is full: {_remedy(folder)}"
    what = "has no room for more files (inodes)" if no_names else "is full"
    return f"the disk of {folder} {what}, {free / MIB:,.1f} MiB are free: {_remedy(folder)}"


def is_full(folder: str | Path) -> bool:
    """Test whether the disk that holds a folder is full now."""
    try:
        state = os.statvfs(existing_folder(Path(folder)))
    except OSError:
        return False
    has_names = state.f_favail or not state.f_files  # some file systems do not count them
    return state.f_bavail * state.f_frsize < FULL or not has_names


def unwritable(folder: str | Path) -> str | None:
    """Say why no file can be written below a folder, which need not exist; None if one can."""
    place = existing_folder(Path(folder))
    try:
        with tempfile.TemporaryFile(dir=place):
            return None
    except OSError as error:
        error.filename = str(place)
        return explain(error, folder=place) or f"{place}: cannot be written ({error.strerror})"


def results_of(log: str | Path) -> Path:
    """Return the folder of results of a job's log, which lies below `logs` in it."""
    log = Path(log)
    return next((path.parent for path in log.parents if path.name == "logs"), log.parent)


def _number_in(text: str) -> int | None:
    """Find the number of an error of the operating system in a text."""
    found = NUMBER.search(text)
    if found:
        return int(found[1] or found[2])
    return next((number for number, words in WORDS.items() if words.search(text)), None)


def existing_folder(path: Path) -> Path:
    """Return the nearest folder of a path that exists."""
    return next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))


def _is_ours(path: Path, folder: Path) -> bool:
    """Test whether a run writes a path: below the results, or in Snakemake's own folder."""
    here = path.absolute()
    return here.is_relative_to(folder.absolute()) or ".snakemake" in here.parts


def _elsewhere(path: Path) -> str:
    is_own = ".snakemake" in path.parts
    return "run in another folder (`--directory FOLDER`)" if is_own else OTHER_FOLDER


def _remedy(path: Path) -> str:
    whole, temporary = path.resolve(), Path(tempfile.gettempdir()).resolve()
    is_temporary = whole.is_relative_to(temporary) and not whole.is_relative_to(Path.cwd())
    other = "set `TMPDIR` to a folder on another disk" if is_temporary else OTHER_FOLDER
    return f"free some space or {other}, {GO_ON}"
