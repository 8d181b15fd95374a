"""Folders for caches of libraries where the home folder cannot be written, as in a container."""

import atexit
import os
import shutil
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

VARIABLES = ("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")


def set_cache_folders(environment: MutableMapping[str, str] = os.environ) -> Path | None:
    """Give libraries of this process and its jobs a folder for caches, if the home has none.

    Without one, matplotlib warns in each job that draws, and reads all fonts again.

    Returns
    -------
    Path
        A new folder, which is removed at the end of the process; None if the home is writable or
        all caches have folders of their own.
    """
    unset = [name for name in VARIABLES if name not in environment]
    home = environment.get("HOME")
    if not unset or home is None or _is_writable(Path(home)):
        return None
    folder = Path(tempfile.mkdtemp(prefix="lammscope-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    environment.update({name: str(folder) for name in unset})
    return folder


def _is_writable(folder: Path) -> bool:
    """Test whether a folder exists, or can be made, and can be written."""
    place = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    return place.is_dir() and os.access(place, os.W_OK)
