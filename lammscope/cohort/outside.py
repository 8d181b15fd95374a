"""Files and folders that a config names where no study lies: of the system, or of other people."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from lammscope.cohort.named_files import named_files
from lammscope.cohort.results_folder import SUBFOLDERS, as_regex
from lammscope.core.names import FILE_COLUMNS
from lammscope.core.resources import HOME
from lammscope.core.words import shortened

SYSTEM = tuple(
    Path("/", name)
    for name in ("bin", "boot", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "sys", "usr")
)
OF_USERS = tuple(Path("/", name) for name in ("dev/shm", "run/media", "run/user"))  # among them
OWN = ("config", "docs", "envs", "lammscope", "profiles", "resources", "tests", "workflow")
HOMES = (Path("/home"), Path("/Users"))
UNSAFE = "lammscope: results cannot be written there; nothing was run:"


def outside_notes(config: Mapping[str, Any], samples: pd.DataFrame) -> list[str]:
    """Name the files that a run would read from the system or from another person's home.

    A config from elsewhere may name any file that its reader can read. Links are followed.
    """
    mine = Path.home().resolve()
    found = []
    for path in _inputs(config, samples):
        place = Path(path).resolve()
        homes = [home / place.relative_to(home).parts[0] for home in HOMES if home in place.parents]
        if _is_of_system(place) or any(home != mine for home in homes if not _is_in(mine, [home])):
            found.append(path)
    if not found:
        return []
    return [
        "config: files of the system or of another person's home are read: "
        f"{shortened(found)}; if you did not mean them, correct the config or the sheets"
    ]


def refuse_unsafe_folders(
    folders: Mapping[str, str],
    config: Mapping[str, Any],
    samples: pd.DataFrame,
    *,
    sources: Iterable[str | Path],
    patterns: Iterable[str],
) -> None:
    """Stop before results overwrite files of the system, of the workflow, or the run's own inputs.

    Parameters
    ----------
    folders
        The folders of `pathvars` by name: `results`, and optionally `logs` and `benchmarks`.
    config, samples
        The resolved config and the table of samples, which name the inputs.
    sources
        The config files.
    patterns
        Paths of results below their folder, with wildcards such as `{sample}`.

    Raises
    ------
    ValueError
        The folder, what is in the way, and the remedy.
    """
    remedy = "name a folder of its own, e.g. `pathvars: {results: results/cohort}` in the config"
    for name, folder in folders.items():
        place = Path(folder).resolve()
        ours = [HOME / part for part in OWN]
        is_whole = place in (Path("/"), Path.home().resolve())
        if is_whole or _is_of_system(place) or _is_in(place, ours):
            raise ValueError(
                f"`pathvars.{name}` is `{folder}`, a folder of the system, of the workflow, or a "
                f"home; {remedy}"
            )
    results = Path(folders["results"]).absolute()
    regexes = [as_regex(pattern, {}) for pattern in patterns]
    for path in [*map(str, sources), *_inputs(config, samples)]:
        place = Path(path).absolute()
        if results not in place.parents:
            continue
        inner = place.relative_to(results)
        in_the_way = len(inner.parts) > 1 and inner.parts[0] in SUBFOLDERS
        if in_the_way or any(regex.fullmatch(inner.as_posix()) for regex in regexes):
            raise ValueError(
                f"{path}: an input that lies where results are written (`pathvars.results` is "
                f"`{folders['results']}`), so a run would replace it; move it, or {remedy}"
            )


def _inputs(config: Mapping[str, Any], samples: pd.DataFrame) -> Iterator[str]:
    """Yield the paths of sheets, of other files of the config, and of the samples' files."""
    yield from (config["samples"], config["patients"])
    yield from (path for _, path in named_files(config))
    for column in FILE_COLUMNS:
        if column in samples:
            yield from samples[column].dropna().astype(str).unique()


def _is_of_system(place: Path) -> bool:
    """Test whether a path is in a folder of the system that is not for users' files."""
    return _is_in(place, SYSTEM) and not any(folder in place.parents for folder in OF_USERS)


def _is_in(place: Path, folders: Iterable[Path]) -> bool:
    """Test whether a path is one of some folders, or in one."""
    return any(folder == place or folder in place.parents for folder in folders)
