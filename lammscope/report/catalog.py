"""Catalog of a run's files, `results.yaml`, for the rules, the report and `docs/files.md`."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from lammscope.core.yaml_text import load_yaml

CATALOG = Path(__file__).parent / "results.yaml"


class Columns(NamedTuple):
    """Columns that share a meaning, as written in the catalog.

    `name?` is a column that not every run has; `<word>` stands for any text, as in
    `<gene>_per_10k`.
    """

    names: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class ResultFile:
    """A kind of file that a run writes.

    Attributes
    ----------
    name
        Name in the catalog.
    section
        Section of `docs/files.md`.
    paths
        Paths in the results folder, with wildcards (`{sample}`); a folder ends in `/`.
    content
        What the file contains.
    row
        What a row of a table stands for.
    columns
        Columns of a table.
    layout
        Layout in the document: `row` of the section's table, `paragraph`, or `table` of columns.
    notes, below
        Sentences that follow, and Markdown below.
    """

    name: str
    section: str
    paths: tuple[str, ...]
    content: str
    row: str = ""
    columns: tuple[Columns, ...] = ()
    layout: str = "row"
    notes: str = ""
    below: str = ""

    @property
    def path(self) -> str:
        """The path of a result that is a single file."""
        (path,) = self.paths
        return path


def read_catalog() -> dict[str, ResultFile]:
    """Read all result files by name, in the order of the document.

    Raises
    ------
    ValueError
        If two files have the same name.
    """
    text = CATALOG.read_text(encoding="utf-8")
    sections = load_yaml(text)
    files: dict[str, ResultFile] = {}
    for section, entries in sections.items():
        for name, entry in entries.items():
            if name in files:
                raise ValueError(f"{CATALOG}: {name} is the name of two files; rename one")
            files[name] = _result_file(name, section, entry)
    return files


def result_path(name: str, **names: str) -> str:
    """Return the path of a result in the results folder, such as `abundance/baseline.tsv`."""
    return _paths()[name].format(**names)


@cache
def _paths() -> dict[str, str]:
    return {name: file.path for name, file in read_catalog().items() if len(file.paths) == 1}


def _result_file(name: str, section: str, entry: dict[str, Any]) -> ResultFile:
    entry = dict(entry)
    path, columns = entry.pop("path"), entry.pop("columns", {})
    return ResultFile(
        name,
        section,
        paths=(path,) if isinstance(path, str) else tuple(path),
        columns=tuple(
            Columns(tuple(names.split(", ")), meaning or "") for names, meaning in columns.items()
        ),
        **entry,
    )
