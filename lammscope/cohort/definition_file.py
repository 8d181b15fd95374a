"""The file `definition.yaml`: what a run was asked and what it found, for a second cohort.

Each value has a checksum, so that an edited digit is found and its key named. The checksums guard
against accidents and later changes of mind, not against somebody who computes them again.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lammscope import __version__
from lammscope.core.plain_text import read_text
from lammscope.core.words import near, shortened
from lammscope.core.yaml_text import load_yaml

FORMAT = 1
NAME = "definition.yaml"  # in the folder of results
DIGITS = 8  # hexadecimal digits of the checksum of a value
NOT_TESTED, TESTED = "not tested", "tested"
CHECKSUMS = "checksums"
SECTIONS = {
    "format": "LAMMscope: the definition of the primary comparison, and its result.\n"
    "A second cohort that names this file (`definition` in its config) takes `settings` and\n"
    "`files` from here unchanged, and tests the direction of `estimate`. Do not edit it.",
    "settings": "Taken unchanged by a second cohort: keys of the config.",
    "files": "Files that decide about cells, by the key that names them; compared by content.",
    "estimate": "The result of this cohort.",
    "cohort": "This cohort: its samples in the primary comparison. `cells` and `bytes` are\n"
    "checksums of the cells, and sizes of the matrices, of all samples.",
    "record": "Recorded only; a second cohort may differ.",
    CHECKSUMS: "Checksums of all values above.",
}
RESTORE = "restore the file that the first run wrote"
Content = Mapping[str, Any]


@dataclass(frozen=True)
class Definition:
    """A definition as read from its file; see `SECTIONS` for the meaning of its parts."""

    path: str
    settings: Content
    files: Mapping[str, Mapping[str, str]]
    estimate: Content
    cohort: Content
    record: Content

    @property
    def contrast(self) -> str:
        """The name of the primary contrast."""
        return str(self.settings["primary"]["contrast"])

    @property
    def contents(self) -> Content:
        """The sections by name."""
        return {name: getattr(self, name) for name in SECTIONS if hasattr(self, name)}


def definition_text(content: Content) -> str:
    """Return the text of a definition: the same content gives the same bytes.

    Parameters
    ----------
    content
        The sections `settings`, `files`, `estimate`, `cohort` and `record`.
    """
    sections = {"format": FORMAT, **{name: _plain(part) for name, part in content.items()}}
    sections[CHECKSUMS] = {key: _checksum(key, value) for key, value in _values(sections)}
    return "\n".join(_section(name, sections[name]) for name in SECTIONS)


def read_definition(path: str | Path) -> Definition:
    """Read a definition and check that it is whole and unchanged.

    Raises
    ------
    ValueError
        One line per mistake: the file, the key, and the remedy.
    """
    content = _read(path)
    if content.get("format") != FORMAT:
        raise ValueError(
            f"{path}: `format` is {content.get('format')}, and this version of LAMMscope reads "
            f"{FORMAT}; run the second cohort with the version of the first "
            f"({_version(content) or 'not recorded'})"
        )
    missing = [name for name in SECTIONS if not isinstance(content.get(name), int | Mapping)]
    if missing:
        raise ValueError(f"{path}: section `{missing[0]}` is missing; {RESTORE}")
    if changed := _changed_keys(content):
        raise ValueError("\n".join(f"{path}: {text}; {RESTORE}" for text in changed))
    if _release(_version(content)) != _release(__version__):
        raise ValueError(
            f"{path}: was written by LAMMscope {_version(content)}, and this is {__version__}, "
            f"whose calls of LAMM cells may differ; run the second cohort with version "
            f"{_version(content)}"
        )
    sections = {name: content[name] for name in SECTIONS if name not in ("format", CHECKSUMS)}
    return Definition(str(path), **sections)


def _read(path: str | Path) -> Content:
    """Return the content of the file, whatever it is; ValueError if it is no YAML mapping."""
    file = Path(path)
    if not file.exists():
        raise ValueError(
            f"{path}: no such file; name the {NAME} in the folder of results of the first cohort"
        )
    if file.is_dir():
        inside = f"`{(file / NAME).as_posix()}`" if (file / NAME).is_file() else f"a {NAME}"
        raise ValueError(f"{path}: is a folder; name the file: {inside}")
    try:
        content = load_yaml(read_text(file))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: is not YAML: {' '.join(str(error).split())[:150]}") from error
    if not isinstance(content, Mapping) or "format" not in content:
        raise ValueError(f"{path}: is not a definition, which LAMMscope writes as {NAME}")
    return content


def _changed_keys(content: Content) -> list[str]:
    """Name the values that do not match their checksums, and those that were added or removed."""
    values, checksums = dict(_values(content)), content[CHECKSUMS]
    found = [
        f"`{key}` was edited (it is {_shown(value)}, which does not match its checksum)"
        for key, value in values.items()
        if key in checksums and checksums[key] != _checksum(key, value)
    ]
    found += [f"`{key}` was added{near(key, checksums)}" for key in values if key not in checksums]
    return found + [f"`{key}` was removed" for key in checksums if key not in values]


def _values(content: Content, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values; a list is one value, as is an empty section."""
    for name, value in content.items():
        if prefix or name != CHECKSUMS:
            if isinstance(value, Mapping) and value:
                yield from _values(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value


def _checksum(key: str, value: object) -> str:
    text = json.dumps([key, value], sort_keys=True, default=str)
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:DIGITS]  # never read as a number


def _section(name: str, value: object) -> str:
    comment = "".join(f"# {line}\n" for line in SECTIONS[name].splitlines())
    return comment + yaml.safe_dump({name: value}, sort_keys=False, allow_unicode=True, width=100)


def _plain(value: Any) -> Any:
    """Convert to plain dicts, lists and scalars; missing and infinite numbers become null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _shown(value: object) -> str:
    return shortened(value) if isinstance(value, list) else str(value)


def _version(content: Content) -> str:
    """Return the version of LAMMscope that wrote a definition, or an empty string."""
    record = content.get("record")
    versions = record.get("versions") if isinstance(record, Mapping) else None
    return str(versions.get("lammscope", "")) if isinstance(versions, Mapping) else ""


def _release(version: str) -> tuple[str, ...]:
    """Return the part of a version that results depend on: `1` of 1.2.3, `0.1` of 0.1.3."""
    parts = tuple(version.split("."))
    return parts[:2] if parts[0] == "0" else parts[:1]
